"""How often `relate` is right: false alarms on unrelated series, and planted relations found.

    python -m benchmarks.relate                 writes docs/results/relate-….json
    python -m benchmarks.relate --pairs 200     a quicker, coarser look
    python -m benchmarks.relate --only null     a part; the file keeps the others

A pair is two series that know nothing of each other. Every test has its level at 5%: a share above
that is its false alarms. The verdict is what a reader of the report is told.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from benchmarks import harness
from engram.policy.relate.causality import assess_causality
from engram.policy.relate.control import ALPHA
from engram.policy.relate.correlation import bootstrap_intervals, hac_interval
from engram.policy.relate.lag import LAGS, naive_p
from engram.policy.relate.relation import prewhiten
from engram.policy.relate.yearly import Floats, Yearly
from engram.report.provenance import versions
from engram.stats import wilson

YEARS = (100, 230)
STEPS = tuple(range(-LAGS, LAGS + 1))
DRAWS = 999
WARM_UP = 50
BATCH = 50
BOOTSTRAPPED = 4
"""One pair in so many has the bootstrap interval too, which is slow."""


def autoregression(phi: float, n: int, rng: np.random.Generator) -> Floats:
    """x_t = φ x_(t−1) + e_t, standard normal e."""
    return follow(rng.standard_normal(n + WARM_UP), phi)


def drifting_walk(n: int, rng: np.random.Generator) -> Floats:
    """A random walk that rises by 0.3 of its step's deviation a year."""
    return follow(rng.standard_normal(n + WARM_UP) + 0.3)


def wandering_level(n: int, rng: np.random.Generator) -> Floats:
    """A slow random walk seen through noise: no autoregression fits it exactly."""
    walk = np.cumsum(0.5 * rng.standard_normal(n + WARM_UP))
    return (walk + rng.standard_normal(n + WARM_UP))[WARM_UP:]


def skewed_walk(n: int, rng: np.random.Generator) -> Floats:
    """A random walk with exponential steps: rare, large rises."""
    return follow(rng.exponential(size=n + WARM_UP) - 1)


def walk_with_crises(n: int, rng: np.random.Generator) -> Floats:
    """A random walk whose steps are five times as large in one decade of five, the same for all."""
    crisis = (np.arange(n + WARM_UP) // 10) % 5 == 0
    return follow(rng.standard_normal(n + WARM_UP) * np.where(crisis, 5.0, 1.0))


def follow(steps: Floats, phi: float = 1.0) -> Floats:
    """Add up steps, forgetting by φ, and leave out the warm-up."""
    x = np.zeros(len(steps))
    for t in range(1, len(steps)):
        x[t] = phi * x[t - 1] + steps[t]
    return x[WARM_UP:]


WORLDS: dict[str, Callable[[int, np.random.Generator], Floats]] = {
    "random walk": partial(autoregression, 1.0),
    "drifting random walk": drifting_walk,
    "AR(1), φ = 0.9": partial(autoregression, 0.9),
    "AR(1), φ = 0.5": partial(autoregression, 0.5),
    "wandering level seen through noise": wandering_level,
    "random walk with skewed steps": skewed_walk,
    "random walk with shared crises": walk_with_crises,
}


def as_yearly(name: str, values: Floats) -> Yearly:
    """Values as a fully observed series that ends in 2024."""
    return Yearly(name, 2025 - len(values), values, np.ones(len(values), dtype=bool))


def looks_related(x: Floats, y: Floats, rng: np.random.Generator, bootstrap: bool) -> dict:
    """What each test says of a pair: whether it is significant at 5%."""
    a, b = as_yearly("term", x), as_yearly("indicator", y)
    dx, dy = np.diff(x), np.diff(y)
    of_levels, of_changes = hac_interval(x, y), hac_interval(dx, dy)
    flips = prewhiten([a], [b], STEPS, rng, DRAWS).flips
    causality = assess_causality(a, b, rng)
    found = {
        "levels, years taken as independent": naive_p(x, y) <= ALPHA,
        "levels, HAC interval": not of_levels.low <= 0 <= of_levels.high,
        "changes, years taken as independent": naive_p(dx, dy) <= ALPHA,
        "changes, HAC interval": not of_changes.low <= 0 <= of_changes.high,
        "pre-whitened, lag 0 alone": flips.alone[0, 0, LAGS] <= ALPHA,
        "pre-whitened, best of 11 lags uncorrected": flips.alone.min() <= ALPHA,
        "Granger, changes": significant(causality.granger_p),
        "Toda–Yamamoto, levels": significant(causality.toda_yamamoto_p),
        "verdict, 11 lags": flips.family.min() <= ALPHA,
    }
    if bootstrap:
        interval = bootstrap_intervals(dx, dy[None], rng)[0]
        found["changes, bootstrap interval"] = not interval.low <= 0 <= interval.high
    return {name: bool(value) for name, value in found.items()}


def significant(p: float | None) -> bool:
    """Return whether a p-value is significant; a test that cannot be made is not."""
    return p is not None and p <= ALPHA


def null_batch(world: str, years: int, size: int, seed: Sequence[int]) -> list[dict]:
    """Test a batch of unrelated pairs of one kind."""
    rng, make = np.random.default_rng(seed), WORLDS[world]
    return [
        looks_related(make(years, rng), make(years, rng), rng, number % BOOTSTRAPPED == 0)
        for number in range(size)
    ]


def family_batch(world: str, years: int, size: int, seed: Sequence[int]) -> list[dict]:
    """Test batches of 2 terms × 6 indicators × 11 lags, all unrelated."""
    rng, make = np.random.default_rng(seed), WORLDS[world]
    found = []
    for _ in range(size):
        terms = [as_yearly(f"term {i}", make(years, rng)) for i in range(2)]
        indicators = [as_yearly(f"indicator {i}", make(years, rng)) for i in range(6)]
        flips = prewhiten(terms, indicators, STEPS, rng, DRAWS).flips
        found.append(
            {
                "verdict on any of 132 cells": bool(flips.family.min() <= ALPHA),
                "any of 132 cells uncorrected": bool(flips.alone.min() <= ALPHA),
            }
        )
    return found


def power_batch(strength: float, years: int, size: int, seed: Sequence[int]) -> list[dict]:
    """Plant a correlation of the steps of two walks, two years apart, among unrelated walks."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(size):
        steps = rng.standard_normal(years + WARM_UP)
        echo = strength * np.roll(steps, 2)
        echo += np.sqrt(1 - strength**2) * rng.standard_normal(years + WARM_UP)
        terms = [as_yearly("planted", follow(steps)), as_yearly("other", walk(years, rng))]
        indicators = [as_yearly("answer", follow(echo))]
        alone = prewhiten(terms[:1], indicators, STEPS, rng, DRAWS).flips
        indicators += [as_yearly(f"unrelated {i}", walk(years, rng)) for i in range(5)]
        among = prewhiten(terms, indicators, STEPS, rng, DRAWS).flips
        found.append(
            {
                "found as the only pair": bool(alone.family[0, 0, LAGS + 2] <= ALPHA),
                "found among 132 cells": bool(among.family[0, 0, LAGS + 2] <= ALPHA),
            }
        )
    return found


def walk(years: int, rng: np.random.Generator) -> Floats:
    """A random walk."""
    return autoregression(1.0, years, rng)


def shares(batch: Callable[..., list[dict]], case: Any, years: int, pairs: int, seed: int) -> dict:
    """Run batches in parallel, each with its own seed, and return the share of each outcome."""
    sizes = [min(BATCH, pairs - start) for start in range(0, pairs, BATCH)]
    jobs = (delayed(batch)(case, years, size, [seed, i]) for i, size in enumerate(sizes))
    found: Any = Parallel(n_jobs=-1)(jobs)
    outcomes = [one for several in found for one in several]
    names = dict.fromkeys(name for one in outcomes for name in one)
    result = {}
    for name in names:
        known = [one[name] for one in outcomes if name in one]
        share = wilson(sum(known), len(known))
        result[name] = {
            "percent": round(100 * share.estimate, 2),
            "low": round(100 * share.low, 2),
            "high": round(100 * share.high, 2),
            "of": len(known),
        }
    return result


def null_part(pairs: int, seed: int) -> list[dict]:
    """False alarms on pairs of every kind and length."""
    return [
        {"series": world, "years": years, **shares(null_batch, world, years, pairs, seed + i)}
        for i, (world, years) in enumerate((w, n) for w in WORLDS for n in YEARS)
    ]


def family_part(pairs: int, seed: int) -> list[dict]:
    """False alarms of whole reports."""
    return [
        {"series": world, "years": years, **shares(family_batch, world, years, pairs, seed + i)}
        for i, (world, years) in enumerate(
            (w, n) for w in ("random walk", "drifting random walk") for n in YEARS
        )
    ]


def power_part(pairs: int, seed: int) -> list[dict]:
    """Planted relations found."""
    return [
        {"planted r": r, "years": years, **shares(power_batch, r, years, pairs, seed + i)}
        for i, (r, years) in enumerate((r, n) for r in (0.2, 0.3, 0.4, 0.5) for n in YEARS)
    ]


ABOUT = "shares in percent with 95% Wilson intervals; every test has its level at 5%"
PARTS = {"null": (null_part, 100), "family": (family_part, 200), "power": (power_part, 300)}
"""Each part, and where its seeds begin."""


def main() -> None:
    """Measure, and write the results."""
    parser = harness.arguments(__doc__)
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--only", choices=PARTS, action="append")
    settings = parser.parse_args()
    facts = harness.machine()
    out = settings.out or harness.RESULTS / harness.file_name("relate", facts)
    before = harness.read(out) if out.exists() else {}
    found: dict[str, Any] = {"about": ABOUT}
    for name, (part, seed) in PARTS.items():
        if name in (settings.only or PARTS):
            found[name] = part(settings.pairs, seed)
            print(f"{name}: done")
        elif name in before:
            found[name] = before[name]
    packages = versions() | harness.package_versions(("statsmodels", "arch"))
    harness.write(out, harness.result(facts, packages, [], **found))


if __name__ == "__main__":
    main()
