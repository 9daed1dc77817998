"""How well captions find pictures: ConSE, and two linear maps trained on captions.

    python -m benchmarks.captions             writes docs/results/captions-….json
    python -m benchmarks.captions --side 224  sees pictures at 224 pixels

The maps are trained on the training pictures of Flickr8k; both are measured on its validation part,
1,000 pictures with five captions each. ENGRAM_DATA is the folder that holds flickr8k.
"""

import os
import time
from pathlib import Path
from typing import Any

from benchmarks import harness
from engram.progress import bars
from engram.retrieval.linear import LinearTraining
from engram.studies.caption_training import train_head
from engram.studies.picture_search import SearchModels

PUBLISHED = {
    "DVSA (Karpathy and Fei-Fei, CVPR 2015), trained on Flickr8k": {
        "t2i": [11.8, 32.1, 44.7],
        "i2t": [16.5, 40.6, 54.2],
    }
}
"""R@1/5/10 in % on the test part of Flickr8k."""


def measure(side: int, seed: int) -> dict[str, Any]:
    """Train the maps, and measure them and ConSE."""
    folder = Path(os.environ["ENGRAM_DATA"]) / "flickr8k"
    start = time.monotonic()
    with bars() as progress:
        found = train_head(
            SearchModels(side), folder / "train.parquet", None, LinearTraining(seed=seed), 0.1,
            folder / "dev.parquet", progress,
        )  # fmt: skip
    return {"side": side, "seed": seed, "seconds": time.monotonic() - start} | found.measured


def main() -> None:
    """Measure, and write what was found beside what the file has of other sides."""
    parser = harness.arguments(__doc__)
    parser.add_argument("--side", type=int, default=128, help="pixels")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    facts = harness.machine()
    path = asked.out or harness.RESULTS / harness.file_name("captions", facts)
    runs = harness.read(path)["runs"] if path.exists() else []
    found = measure(asked.side, asked.seed)
    kept = [one for one in runs if (one["side"], one["seed"]) != (asked.side, asked.seed)]
    packages = harness.package_versions(("engram", "torch", "numpy"))
    content = harness.result(facts, packages, [], runs=[*kept, found], published=PUBLISHED)
    harness.write(path, content)
    print({name: found[name] for name in ("trained", "conse")})


if __name__ == "__main__":
    main()
