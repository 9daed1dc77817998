"""Writes references.json: what published packages give on small data that the tests draw again.

The packages do not share an environment with Engram. In one of their own:

    pip install elephant==1.2.1 mrestimator==0.2.0 powerlaw==2.0.0
    python tests/critical/measure/make_references.py
"""

# pyright: reportMissingImports=false

import json
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import numpy as np


def trains() -> list[np.ndarray]:
    """Gamma trains of several shapes, in seconds."""
    rng = np.random.default_rng(13)
    return [np.cumsum(rng.gamma(shape, 0.03, 60)) for shape in (0.5, 1.0, 3.0)]


def activity() -> np.ndarray:
    """A driven branching process of 6 trials, (trial, time)."""
    rng = np.random.default_rng(14)
    found = np.empty((6, 500))
    x = np.full(6, 40)
    for t in range(500):
        found[:, t] = x = rng.poisson(0.9 * x + np.arange(2, 8))
    return found


def sizes() -> np.ndarray:
    """Values of a power law of 1.6 between 1 and 400."""
    k = np.arange(1, 401)
    p = k**-1.6 / (k**-1.6).sum()
    return np.random.default_rng(15).choice(k, 3000, p=p)


def main() -> None:
    """Compute all and write the file."""
    import mrestimator
    import powerlaw
    import quantities
    from elephant import statistics

    intervals = [np.diff(train) for train in trains()]
    found = {
        "packages": {name: version(name) for name in ("elephant", "mrestimator", "powerlaw")},
        "cv": [float(statistics.cv(one)) for one in intervals],
        "cv2": [float(statistics.cv2(one)) for one in intervals],
        "lv": [float(statistics.lv(one)) for one in intervals],
        "lvr": [
            float(statistics.lvr(one * quantities.s, R=5 * quantities.ms)) for one in intervals
        ],
        "fano": float(statistics.fanofactor([t[t < 1.5] for t in trains()])),
    }
    steps = [1, 2, 3, 5, 10, 40]
    for method in ("ts", "sm"):
        one = mrestimator.coefficients(activity(), method=method, steps=steps, numboot=0)
        found[method] = one.coefficients.tolist()
    bounded = powerlaw.Fit(
        sizes(), discrete=True, xmin=3, xmax=250, estimate_discrete=False, verbose=False
    )
    found["bounded"] = {"alpha": float(bounded.power_law.alpha), "d": float(bounded.power_law.D)}
    for name in ("words", "terrorism", "blackouts"):
        path = files("powerlaw") / "reference_data" / f"{name}.txt"
        values, counts = np.unique(np.loadtxt(str(path)), return_counts=True)
        found[name] = [values.astype(int).tolist(), counts.tolist()]
    path = Path(__file__).with_name("references.json")
    path.write_text(json.dumps(found, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
