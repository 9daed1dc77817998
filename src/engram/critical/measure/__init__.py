"""Measures of irregularity and criticality, as pure functions with intervals and surrogates."""

from engram.critical.measure.alternative import Comparison, compare
from engram.critical.measure.avalanche import (
    Avalanches,
    avalanches,
    mean_interval,
    merged_share,
    quantile_threshold,
)
from engram.critical.measure.branching import (
    Branching,
    autocorrelation,
    branching,
    coefficients,
    susceptibility,
)
from engram.critical.measure.crackling import (
    Crackling,
    crackling,
    kappa,
    ma2019,
    shape_collapse,
)
from engram.critical.measure.dfa import Fluctuation, dfa
from engram.critical.measure.fano import fano_across_trials, fano_mean_matched, fano_windowed
from engram.critical.measure.irregularity import (
    Irregularity,
    cv,
    cv2,
    degree_relation,
    irregularity,
    lv,
    lvr,
)
from engram.critical.measure.powerlaw import PowerLaw, fit, fit_clauset, histogram
from engram.critical.measure.scan import Fit, bootstrap, scan
from engram.critical.measure.surrogate import (
    bernoulli,
    control,
    shift_trains,
    shuffle_intervals,
)
from engram.critical.measure.verdict import Scaling, Verdict, bin_sweep, judge, scaling

__all__ = [
    "Avalanches",
    "Branching",
    "Comparison",
    "Crackling",
    "Fit",
    "Fluctuation",
    "Irregularity",
    "PowerLaw",
    "Scaling",
    "Verdict",
    "autocorrelation",
    "avalanches",
    "bernoulli",
    "bin_sweep",
    "bootstrap",
    "branching",
    "coefficients",
    "compare",
    "control",
    "crackling",
    "cv",
    "cv2",
    "degree_relation",
    "dfa",
    "fano_across_trials",
    "fano_mean_matched",
    "fano_windowed",
    "fit",
    "fit_clauset",
    "histogram",
    "irregularity",
    "judge",
    "kappa",
    "lv",
    "lvr",
    "ma2019",
    "mean_interval",
    "merged_share",
    "quantile_threshold",
    "scaling",
    "scan",
    "shape_collapse",
    "shift_trains",
    "shuffle_intervals",
    "susceptibility",
]
