"""The recordings that the study measures with the same estimators, where a data folder has them."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from engram.critical.measure import branching, irregularity, mean_interval, scaling
from engram.data.recording import Options, read_recording
from engram.errors import EngramError


class Source(NamedTuple):
    """A recording: its label, its place in the data folder, and how it is read."""

    label: str
    path: str
    options: Options = Options()
    quantile: float = 0.0


CULTURE = "neural/g2c-cultures/C57_CTX_G2CEPHYS1_DIV{}_TC02_A.h5"
SOURCES = (
    Source("rat V1", "neural/ma2019-v1/sample_data.npy", Options(dt_s=0.05), 0.25),
    Source("culture, 7 days", CULTURE.format("07")),
    Source("culture, 14 days", CULTURE.format("14")),
    Source("culture, 21 days", CULTURE.format("21_KN62")),
    Source("culture, 28 days", CULTURE.format("28_KN62")),
    Source("retinal waves, P15", "neural/retinal-waves/Demas2003_P15_CTRL_MW2_2A.h5"),
)


def available() -> list[Source]:
    """The recordings that the folder named by ENGRAM_DATA holds."""
    folder = os.environ.get("ENGRAM_DATA")
    return [one for one in SOURCES if folder and (Path(folder) / one.path).exists()]


def measured(source: Source, seed: int, draws: int) -> dict[str, Any]:
    """Measure a recording.

    Args:
        source: The recording.
        seed: Seed of the bootstraps.
        draws: Number of samples of each.

    Returns:
        The number of units and spikes, the mean CV2, the branching ratio, the size exponent and
        the deviation from the crackling relation, each with its interval or None, and what speaks
        against criticality.
    """
    path = Path(os.environ["ENGRAM_DATA"]) / source.path
    spikes, rng = read_recording(path, source.options).spikes, np.random.default_rng(seed)
    bin_s = spikes.dt_s or mean_interval(spikes)
    found: dict[str, Any] = {"units": spikes.n_unit, "spikes": spikes.n_spike}
    try:
        found["CV2"] = list(irregularity(spikes, "CV2").mean[:3])
    except EngramError:
        found["CV2"] = None
    try:
        found["m"] = list(branching(spikes.population(bin_s), rng, draws=draws).ratio[:3])
    except EngramError:
        found["m"] = None
    one = scaling(spikes, rng, bin_s, source.quantile, draws)
    found["alpha"] = list(one.sizes.alpha[:3]) if one.sizes else None
    found["deviation"] = list(one.crackling.deviation[:3]) if one.crackling else None
    found["reasons"] = one.reasons
    return found
