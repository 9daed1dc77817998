"""What may and may not be concluded, in words."""

import math
from typing import NamedTuple

from engram.policy.relate.control import ALPHA
from engram.policy.relate.relation import Findings, Relation


class Conclusions(NamedTuple):
    """The conclusions in sentences, for a reader who reads nothing else.

    Args:
        may: What may be concluded.
        may_not: What may not.
    """

    may: list[str]
    may_not: list[str]


def conclude(findings: Findings) -> Conclusions:
    """State which conclusions the findings allow.

    Args:
        findings: The result of `relate`.
    """
    may = [_verdict(findings), *(_survivor(findings, one) for one in findings.surviving)]
    spurious = [one for one in findings.relations if _misleads(one)]
    if spurious:
        may.append(_trap(findings, max(spurious, key=lambda one: abs(one.correlation.levels))))
    may_not = [
        "Cause: a relation in time has no direction of its own. Presidents and Congress speak of "
        "what they expect, budgets follow what they say, and wars and crises move both.",
        f"Correlations of levels, whatever their p-value. {_fooled(findings)}",
        "A single lag, interval or Granger test on its own: these are descriptive and are not "
        "adjusted for multiple comparisons. Only the verdict is.",
        "Anything about documents that are missing from the record, or about years in which its "
        "mix of document types changed: check coverage and composition first.",
    ]
    may_not += [f"Anything about {name}: {why}." for name, why in findings.excluded.items()]
    if not findings.surviving and not findings.nonsense.failed:
        may_not.append(
            "That there is no relation: a weaker one, a slow one, or one that held for only a few "
            "decades would not be detected."
        )
    return Conclusions(may, may_not)


def _verdict(findings: Findings) -> str:
    if findings.nonsense.failed:
        share = findings.nonsense.verdict
        return (
            f"Nothing. The control failed: {_percent(share.estimate)} of the nonsense series were "
            f"called related where {_percent(ALPHA)} should be, so no verdict is given on these "
            f"series."
        )
    control = ""
    if findings.control_p is not None:
        outcome = "does not" if findings.control_p > ALPHA else "does, so be cautious"
        control = (
            f" The control, {findings.control}, should not stand out, and {outcome} "
            f"(p = {_p(findings.control_p)})."
        )
    count, tests = len(findings.surviving), findings.comparisons
    if count:
        what = "One relation remains" if count == 1 else f"{count} relations remain"
        return (
            f"{what} significant after {tests} comparisons, at a family-wise error rate of "
            f"{_percent(ALPHA)}.{control}"
        )
    years = min(one.profile[one.best].years for one in findings.relations)
    most = max(one.profile[one.best].years for one in findings.relations)
    low, high = (findings.critical / math.sqrt(n) for n in (most, years))
    reach = f"{low:.2f}" if f"{low:.2f}" == f"{high:.2f}" else f"{low:.2f} to {high:.2f}"
    return (
        f"No relation remains significant after {tests} comparisons, at a family-wise error rate "
        f"of {_percent(ALPHA)}. With this many years, a correlation of residuals is "
        f"distinguishable from chance if it is at least about {reach}.{control}"
    )


def _survivor(findings: Findings, relation: Relation) -> str:
    at, pair = relation.profile[relation.best], relation.correlation
    p_value = relation.family[relation.best]
    sentence = (
        f"The residuals after pre-whitening of {pair.term} and {pair.indicator} are "
        f"correlated: r = {_signed(at.pearson.estimate)} ({_signed(at.pearson.low)} to "
        f"{_signed(at.pearson.high)}) with {pair.indicator} {_when(at.lag, pair.term)}; "
        f"p = {_p(p_value)} adjusted for {findings.comparisons} comparisons."
    )
    for test in (relation.forward, relation.backward):
        found = [p for p in (test.toda_yamamoto_p, test.granger_p) if p is not None]
        if len(found) == 2 and max(found) <= ALPHA:
            sentence += f" The past of {test.cause} helps to predict {test.effect}."
    if relation.breaks:
        sentence += f" Their correlation changes in {_listed(relation.breaks)}."
    return sentence


def _misleads(relation: Relation) -> bool:
    return relation.correlation.naive_p <= ALPHA and not relation.survives


def _trap(findings: Findings, relation: Relation) -> str:
    pair = relation.correlation
    return (
        f"{pair.term} and {pair.indicator} correlate by {_signed(pair.levels)} in levels "
        f"(p = {_p(pair.naive_p)} if years were independent) and by "
        f"{_signed(pair.differences.estimate)} in yearly changes "
        f"({_signed(pair.differences.low)} to {_signed(pair.differences.high)}): both drift "
        f"over {pair.last - pair.first + 1} years, and drift alone produces such a "
        f"correlation. {_fooled(findings)}"
    )


def _fooled(findings: Findings) -> str:
    share = findings.nonsense.levels.estimate
    return (
        f"Of the generated series that cannot be related, {_percent(share)} correlate "
        '"significantly" with these terms in levels.'
    )


def _when(lag: int, term: str) -> str:
    if lag == 0:
        return "in the same year"
    years = "a year" if abs(lag) == 1 else f"{abs(lag)} years"
    return f"{years} {'after' if lag > 0 else 'before'} {term}"


def _signed(number: float) -> str:
    text = f"{abs(number):.2f}"
    return f"−{text}" if number < 0 and float(text) else text


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%"


def _p(p_value: float) -> str:
    return f"{p_value:.2f}" if p_value >= 0.1 else f"{p_value:.1g}"


def _listed(years: tuple[int, ...]) -> str:
    *some, last = map(str, years)
    return f"{', '.join(some)} and {last}" if some else last
