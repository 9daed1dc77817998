"""How fast a matrix of scores is evaluated: one compiled pass, and the loops that the field uses.

    python -m benchmarks.retrieval               writes docs/results/retrieval-….json
    python -m benchmarks.retrieval --images 500  a smaller matrix, with five captions per image

The loops sort the scores of each image and of each caption, as published evaluation scripts do,
and do not know of ties. Both find the same ranks, which is checked.
"""

from typing import Any

import numpy as np

from benchmarks import harness
from engram.retrieval.measure import owners, ranks

PER_IMAGE = 5


def sorting_loops(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ranks from 1 of the best caption of each image, and of the image of each caption."""
    images, captions = scores.shape
    by_image, by_caption = np.empty(images), np.empty(captions)
    for image in range(images):
        order = np.argsort(scores[image])[::-1]
        first = PER_IMAGE * image
        places = [np.flatnonzero(order == first + i)[0] for i in range(PER_IMAGE)]
        by_image[image] = min(places) + 1
    columns = np.ascontiguousarray(scores.T)
    for caption in range(captions):
        order = np.argsort(columns[caption])[::-1]
        by_caption[caption] = np.flatnonzero(order == caption // PER_IMAGE)[0] + 1
    return by_image, by_caption


def measure(images: int, rounds: int) -> dict[str, Any]:
    """Time both on the same matrix, in turns."""
    captions = PER_IMAGE * images
    rng = np.random.default_rng(0)
    # bit patterns of different positive float32: no ties, so that both must agree exactly
    bits = rng.permutation(images * captions).astype(np.uint32) + np.uint32(0x3E000000)
    scores = bits.view(np.float32).reshape(images, captions)
    owner = owners(images, captions)
    for ours, theirs in zip(ranks(scores, owner), sorting_loops(scores), strict=True):
        if not (ours.expected == theirs).all():
            raise SystemExit("the ranks differ; no time is reported")
    calls = {
        "one pass": lambda: ranks(scores, owner),
        "sorting loops": lambda: sorting_loops(scores),
    }
    times = harness.interleave(calls, rounds, warm=False)
    group = f"{images} images, {captions} captions"
    entries = [
        harness.entry("retrieval", group, f"{group}: {name}", seconds, {"type": str(scores.dtype)})
        for name, seconds in times.items()
    ]
    loops, ours = (float(np.median(times[name])) for name in ("sorting loops", "one pass"))
    return {"benchmarks": entries, "speedup": {group: harness.rounded(loops / ours)}}


def main() -> None:
    """Measure, and write the result."""
    parser = harness.arguments(__doc__)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    settings = parser.parse_args()
    found = measure(settings.images, settings.rounds)
    facts = harness.machine()
    out = settings.out or harness.RESULTS / harness.file_name("retrieval", facts)
    packages = harness.package_versions(["numpy", "numba"])
    harness.write(out, harness.result(facts, packages, found.pop("benchmarks"), **found))
    print(f"{found['speedup']} written to {out}")


if __name__ == "__main__":
    main()
