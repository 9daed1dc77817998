"""All layers of a model, and its controls, against the areas of a recording."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import squareform

from engram.errors import EngramError
from engram.similarity.chance import permuted_rsa, standardised
from engram.similarity.linear import leave_one_out_ridge
from engram.similarity.rdm import correlation_rdm
from engram.similarity.resample import jackknifed, ridge_resampled, rotated, rsa_resampled
from engram.similarity.score import Choice, Score, crossed_score, nested_choice, score
from engram.similarity.subspace import cka, procrustes, svcca, svcca_chance
from engram.similarity.target import Target
from engram.stats import Crossed, Interval

METRICS = ("rsa", "ridge", "svcca", "cka", "procrustes")
"""What a profile can measure."""
COMPONENTS = 40
REFITS = 20
"""Permutations of a metric that is fitted again for each."""
AT_ONCE = 1 << 28
"""Bytes of RDMs that are resampled together."""
NO_CEILING = "no ceiling is known for this metric, because it is not a correlation of averages"


class Layer(NamedTuple):
    """Features of a layer.

    Attributes:
        name: The layer.
        load: Returns `(stimuli, features)`.
        projected: Whether these are a projection with the mean in the last column, as
            `engram.record.collect` keeps large layers.
        control: What the layer is a control for; empty for the model itself.
    """

    name: str
    load: Callable[[], np.ndarray]
    projected: bool = False
    control: str = ""


class Prepared(NamedTuple):
    """A layer, reduced to what scores need.

    Attributes:
        layer: The layer.
        rdm: Its RDM `(pairs)`; None if it is silent.
        matrix: Features with the same products in at most as many columns as stimuli; None if
            only the RDM was wanted.
        reason: Why it is not scored; empty if it is.
    """

    layer: Layer
    rdm: np.ndarray | None
    matrix: np.ndarray | None
    reason: str


class LayerScore(NamedTuple):
    """The score of a layer; or `reason`, why it has none.

    Attributes:
        layer: The layer.
        control: As in `Layer`.
        score: The score; where only the best layer has an interval, that of others is a point.
        reason: Why there is none; empty if there is one.
        crossed: The scores of units in resamples of the stimuli, for paired tests.
    """

    layer: str
    control: str
    score: Score | None
    reason: str
    crossed: Crossed | None


class Profile(NamedTuple):
    """The scores of all layers by one metric for one area.

    Attributes:
        area: The area.
        metric: The metric.
        layers: The layers of the model and of its controls, in order.
        best: The layer of the model with the highest score; None if none was scored.
        nested: The score of the layer that was chosen on other stimuli; None if there is none.
        chance: Mean and 2.5 % and 97.5 % quantiles of scores with the stimuli in random order; the
            quantiles are the mean where it is analytic.
    """

    area: str
    metric: str
    layers: tuple[LayerScore, ...]
    best: LayerScore | None
    nested: Choice | None
    chance: Interval


def prepare(layer: Layer, dtype: type = np.float64, *, linear: bool = True) -> Prepared:
    """Load a layer and reduce it; a silent layer gets its reason.

    Args:
        layer: The layer.
        dtype: Type in which the RDM is kept.
        linear: Whether its features are wanted besides its RDM.
    """
    values = layer.load()
    matrix = rotated(values).astype(np.float64) if linear else None
    if not np.ptp(values, axis=0).any():
        return Prepared(layer, None, matrix, "silent: it gives the same for all stimuli")
    try:
        if layer.projected:
            own = values[:, :-1]
            if (np.linalg.norm(own, axis=1) <= 1e-5 * np.abs(values[:, -1])).any():
                raise EngramError("equal values in all features: the layer is silent")
            rdm = correlation_rdm(own, centre=False)
        else:
            rdm = correlation_rdm(values)
    except EngramError as error:
        return Prepared(layer, None, matrix, f"silent: {error}")
    return Prepared(layer, rdm.astype(dtype), matrix, "")


def profiles(
    layers: Sequence[Layer],
    targets: Sequence[Target],
    metrics: Sequence[str] = METRICS,
    *,
    seed: int = 0,
    draws: int = 1000,
    components: int = COMPONENTS,
    keep: Callable[[Prepared], None] | None = None,
) -> list[Profile]:
    """Score all layers against all areas.

    The resamples of the stimuli are the same for all layers, so that differences are paired.
    Layers are loaded one after another. Metrics other than RSA need responses of neurons.

    Args:
        layers: The layers of the model from the input on, and of its controls.
        targets: The areas.
        metrics: See `METRICS`.
        seed: Seed of the resamples.
        draws: Number of resamples.
        components: Components that SVCCA keeps.
        keep: Is given each layer when it has been loaded.

    Raises:
        ValueError: A metric does not exist, or the model has no layer that is not silent.
    """
    unknown = [one for one in metrics if one not in METRICS]
    if unknown or not metrics or not layers:
        raise EngramError(f"metrics={tuple(metrics)}: choose of {', '.join(METRICS)}; give layers")
    rdms: list[np.ndarray | None] = []
    reasons: list[str] = []
    found: dict[tuple[str, str], list[LayerScore]] = {}
    predictions: dict[str, list[np.ndarray]] = {target.name: [] for target in targets}
    linear = [metric for metric in metrics if metric != "rsa"]
    wanted = bool(linear) and any(target.responses is not None for target in targets)
    for layer in layers:
        one = prepare(layer, np.float64 if len(layers) < 100 else np.float32, linear=wanted)
        if keep is not None:
            keep(one)
        rdms.append(one.rdm)
        reasons.append(one.reason)
        for target in targets:
            for metric in linear if target.responses is not None else ():
                scored, prediction = _linear(one, target, metric, seed, draws, components)
                found.setdefault((target.name, metric), []).append(scored)
                if prediction is not None and not layer.control:
                    predictions[target.name].append(prediction)
    if all(rdm is None for rdm, layer in zip(rdms, layers, strict=True) if not layer.control):
        raise EngramError(f"every layer of the model is silent, such as {layers[0].name!r}")
    out = []
    for target in targets:
        if "rsa" in metrics:
            out.append(_rsa(layers, rdms, reasons, target, seed, draws))
        for metric in linear:
            if (target.name, metric) in found:
                scores = found[target.name, metric]
                one = _finished(scores, layers, target, metric, seed, components)
                if metric == "ridge":
                    nested = _nested_ridge(predictions[target.name], target, seed)
                    one = one._replace(nested=nested)
                out.append(one)
    return out


def best_of(scores: Sequence[LayerScore], control: str = "") -> LayerScore | None:
    """The layer of the model, or of a control, with the highest score."""
    own = [one for one in scores if one.control == control and one.score is not None]
    return max(own, key=lambda one: one.score.value.estimate, default=None)  # pyright: ignore[reportOptionalMemberAccess]


def _rows_of(rdm: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The RDM of some of its stimuli."""
    square = squareform(rdm.astype(np.float64), checks=False)
    return square[np.ix_(rows, rows)][np.triu_indices(len(rows), 1)]


def _rsa(
    layers: Sequence[Layer],
    rdms: Sequence[np.ndarray | None],
    reasons: Sequence[str],
    target: Target,
    seed: int,
    draws: int,
) -> Profile:
    """RSA of all layers; layers with equal distances are left out with the reason."""
    heard, why = [], list(reasons)
    for place, rdm in enumerate(rdms):
        if rdm is not None:
            own = _rows_of(rdm, target.rows)
            if np.ptp(own) <= 1e-12:
                why[place] = "its distances between these stimuli are equal"
            else:
                heard.append(place)
    pairs = target.rdms.shape[1]
    count = max(1, AT_ONCE // (8 * pairs))
    scores: dict[int, Crossed] = {}
    chances, drawn = [], None
    for at in range(0, len(heard), count):
        part = heard[at : at + count]
        models = np.stack(
            [_rows_of(rdm, target.rows) for k in part if (rdm := rdms[k]) is not None]
        )
        crossed, one = rsa_resampled(models, target.rdms, np.random.default_rng(seed), draws=draws)
        if drawn is not None and not np.array_equal(drawn, one.counts):
            raise EngramError("the resamples of some layers differ: give more stimuli")
        drawn = one.counts
        scores |= dict(zip(part, crossed, strict=True))
        chances.append(permuted_rsa(models, target.rdms, np.random.default_rng(seed + 1)))
    chance = _band(np.concatenate(chances, 1)) if chances else Interval(0.0, 0.0, 0.0, 0.95)
    rows = []
    for place, layer in enumerate(layers):
        crossed = scores.get(place)
        value = (
            None
            if crossed is None
            else crossed_score(crossed, chance.estimate, target.rdm_reliability)
        )
        reason = "" if crossed is not None else why[place]
        rows.append(LayerScore(layer.name, layer.control, value, reason, crossed))
    own = [k for k in heard if not layers[k].control]
    nested = _nested_rsa([rdms[k] for k in own], target, seed)
    return Profile(target.name, "rsa", tuple(rows), best_of(rows), nested, chance)


def _band(draws: np.ndarray) -> Interval:
    low, high = np.quantile(draws, [0.025, 0.975])
    return Interval(float(np.clip(draws.mean(), low, high)), float(low), float(high), 0.95)


def _nested_rsa(rdms: Sequence[np.ndarray | None], target: Target, seed: int) -> Choice | None:
    if len(target.rows) < 8 or not rdms:
        return None
    squares = [squareform(rdm, checks=False) for rdm in target.rdms]
    ours = [squareform(_rows_of(rdm, target.rows), checks=False) for rdm in rdms if rdm is not None]
    means: dict[bytes, np.ndarray] = {}

    def metric(layer: int, places: np.ndarray) -> float:
        here, upper = np.ix_(places, places), np.triu_indices(len(places), 1)
        key = places.tobytes()
        if key not in means:
            if len(means) > 4:
                means.clear()
            ranks = [standardised(square[here][upper], "spearman") for square in squares]
            means[key] = np.mean(ranks, axis=0)
        return float(standardised(ours[layer][here][upper], "spearman") @ means[key])

    rng = np.random.default_rng(seed + 2)
    return nested_choice(metric, len(ours), len(target.rows), rng, 20)


def _linear(
    one: Prepared, target: Target, metric: str, seed: int, draws: int, components: int
) -> tuple[LayerScore, np.ndarray | None]:
    """The score of a layer by a metric that compares features with neurons; ridge's predictions."""
    y, layer = target.responses, one.layer
    if y is None or one.matrix is None or one.reason.startswith("silent: it gives"):
        return LayerScore(layer.name, layer.control, None, one.reason, None), None
    x = one.matrix[target.rows]
    try:
        if metric == "ridge":
            ridge = leave_one_out_ridge(x, y)
            crossed = ridge_resampled(ridge, y, np.random.default_rng(seed), draws)
            value = crossed_score(crossed, 0.0, target.reliability)
            return LayerScore(layer.name, layer.control, value, "", crossed), ridge.prediction
        plain = metric_of(metric, components)(x, y)
        point = score(Interval(plain, plain, plain, 0.95), 0.0, NO_CEILING)
        return LayerScore(layer.name, layer.control, point, "", None), None
    except EngramError as error:
        return LayerScore(layer.name, layer.control, None, str(error), None), None


def metric_of(metric: str, components: int) -> Callable[[np.ndarray, np.ndarray], float]:
    """A function of features `(stimuli, features)` and responses `(stimuli, neurons)`."""
    known: Mapping[str, Callable[[np.ndarray, np.ndarray], float]] = {
        "ridge": lambda x, y: leave_one_out_ridge(x, y).score,
        "svcca": partial(svcca, count=components),
        "cka": cka,
        "procrustes": procrustes,
    }
    return known[metric]


def _finished(
    scores: Sequence[LayerScore],
    layers: Sequence[Layer],
    target: Target,
    metric: str,
    seed: int,
    components: int,
) -> Profile:
    """The profile with its chance level, and the interval of the best layer."""
    best = best_of(scores)
    if best is None or best.score is None or target.responses is None:
        none = Interval(0.0, 0.0, 0.0, 0.95)
        return Profile(target.name, metric, tuple(scores), None, None, none)
    names = [(layer.name, layer.control) for layer in layers]
    matrix = prepare(layers[names.index((best.layer, ""))]).matrix
    assert matrix is not None
    x = matrix[target.rows]
    y, rng = target.responses, np.random.default_rng(seed + 3)
    chance = _chance(metric, x, y, rng, components)
    estimate = best.score.value
    if metric != "ridge":
        estimate = jackknifed(metric_of(metric, components), x, y, rng, 40)
    reliability = target.reliability if metric == "ridge" else NO_CEILING
    rows = []
    for one in scores:
        value = one.score
        if value is not None:
            own = estimate if one is best else value.value
            value = score(own, chance.estimate, reliability)
        rows.append(one._replace(score=value))
    return Profile(target.name, metric, tuple(rows), best_of(rows), None, chance)


def _chance(
    metric: str, x: np.ndarray, y: np.ndarray, rng: np.random.Generator, components: int
) -> Interval:
    """Analytic for SVCCA; from refits with the stimuli of the responses in random order else."""
    if metric == "svcca":
        level = svcca_chance(len(x), min(components, x.shape[1]), min(components, y.shape[1]))
        return Interval(level, level, level, 0.95)
    function = metric_of(metric, components)
    return _band(np.array([function(x, y[rng.permutation(len(y))]) for _ in range(REFITS)]))


def _nested_ridge(predictions: Sequence[np.ndarray], target: Target, seed: int) -> Choice | None:
    """The layer is chosen by the predictions of one half of the stimuli, and scored by the other.

    The predictions themselves are those that leave one stimulus out.
    """
    y = target.responses
    if y is None or len(y) < 8 or not predictions:
        return None

    def metric(layer: int, places: np.ndarray) -> float:
        a, b = predictions[layer][places], y[places]
        a, b = a - a.mean(0), b - b.mean(0)
        norms = np.linalg.norm(a, axis=0) * np.linalg.norm(b, axis=0)
        good = norms > 0
        return float(((a * b).sum(0)[good] / norms[good]).mean()) if good.any() else 0.0

    rng = np.random.default_rng(seed + 2)
    return nested_choice(metric, len(predictions), len(y), rng, 20)
