"""What is told about a query, or of queries side by side, from one evaluation of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from engram.index import Hits
from engram.policy.document import Document
from engram.policy.engine import Answer, Engine, Page, Passage, WordForms
from engram.policy.measure.compare import Ratio, check_several, ratios_of
from engram.policy.measure.facets import facets_of, foremost
from engram.policy.measure.filters import filter_notes
from engram.policy.measure.first import WIDTH
from engram.policy.measure.frequency import Frequency, Queries, frequency_of, name_queries
from engram.policy.measure.measurement import PER_MILLION, Measurement
from engram.policy.query import Query


@dataclass(frozen=True)
class Survey:
    """What is told about a query.

    Args:
        total: Its frequency over all documents together.
        groups: Its frequency by period or field.
        facets: Its frequency by further fields, the groups with the most occurrences first.
        first: Its first occurrence; None if nothing occurs.
        hits: The documents with the most occurrences.
        documents: These documents.
        forms: The word forms that were counted, by word of the query.
        notes: How the query was read, and filters that no document passes.
    """

    total: Frequency
    groups: Frequency
    facets: dict[str, Frequency]
    first: Passage | None
    hits: Hits
    documents: list[Document]
    forms: dict[str, WordForms]
    notes: list[str]


@dataclass(frozen=True)
class Comparison:
    """What is told about queries side by side.

    Args:
        groups: Their frequencies by period or field.
        ratios: The ratio of each rate to that of the first query, over all documents together.
        by_group: The same in each group; empty if there is one group of all.
        forms: The word forms that were counted, by word of the queries.
        notes: How the queries were read, and filters that no document passes.
    """

    groups: Frequency
    ratios: list[Ratio]
    by_group: list[Ratio]
    forms: dict[str, WordForms]
    notes: list[str]


def survey(
    engine: Engine,
    query: str | Query | Mapping[str, str | Query],
    by: str | None = "year",
    how: Measurement = PER_MILLION,
    *,
    facets: Sequence[str] = (),
    documents: int = 5,
    forms: bool = True,
    limit: int | None = None,
) -> Survey:
    """Tell how often a query occurs, where it first occurs, and in which documents most.

    Args:
        engine: The engine that counts.
        query: The query, or the query by name.
        by: One of `GROUPINGS`; None for everything together.
        how: What is measured.
        facets: Further groupings.
        documents: Number of documents with the most occurrences.
        forms: Whether to count word forms.
        limit: Maximum number of groups, those with the most occurrences; None for all.

    Raises:
        ValueError: If the query does not parse, or a setting is out of range.
    """
    named = name_queries(query)
    [(name, one)] = named.items()
    question = how.question(*dict.fromkeys((None, by)))
    answer = engine.answer(
        one,
        replace(
            question,
            by=tuple(dict.fromkeys((*question.by, *facets))),
            hits=Page(documents),
            passages=Page(1),
            width=WIDTH,
            forms=forms,
        ),
    )
    answers = {name: answer}
    return Survey(
        frequency_of(engine, named, answers, None, how),
        foremost(frequency_of(engine, named, answers, by, how), limit),
        facets_of(engine, one, answer, facets, replace(how, method="quasi-poisson")),
        next(iter(answer.context.passages), None),
        answer.hits,
        engine.fetch(answer.hits.ids),
        _forms(answers),
        _notes(engine, named, answers),
    )


def comparison(
    engine: Engine,
    queries: Queries,
    by: str | None = "year",
    how: Measurement = PER_MILLION,
    *,
    forms: bool = True,
    limit: int | None = None,
) -> Comparison:
    """Tell how often queries occur, and how their rates compare with that of the first one.

    Args:
        engine: The engine that counts.
        queries: Two or more queries, or several by name.
        by: One of `GROUPINGS`; None for everything together.
        how: What is measured.
        forms: Whether to count word forms.
        limit: Maximum number of groups, those with the most occurrences; None for all.

    Raises:
        ValueError: If there are fewer than two, one does not parse, or a setting is out of range.
    """
    named = name_queries(queries)
    check_several(named)
    groupings = tuple(dict.fromkeys((None, by)))
    question = replace(how.question(*groupings), each=groupings, forms=forms)
    answers = {name: engine.answer(query, question) for name, query in named.items()}
    groups = foremost(frequency_of(engine, named, answers, by, how), limit)
    shown = {row.group for row in groups.rows}
    by_group = ratios_of(named, answers, how.level, by) if by else []
    return Comparison(
        groups,
        ratios_of(named, answers, how.level, None),
        [ratio for ratio in by_group if ratio.group in shown],
        _forms(answers),
        _notes(engine, named, answers),
    )


def _forms(answers: Mapping[str, Answer]) -> dict[str, WordForms]:
    return {found.word: found for answer in answers.values() for found in answer.forms}


def _notes(
    engine: Engine, queries: Mapping[str, Query], answers: Mapping[str, Answer]
) -> list[str]:
    found: list[str] = []
    for name, query in queries.items():
        admitted = int(answers[name].tallies[None].all_documents.sum())
        found += [*query.notes, *filter_notes(engine, query, admitted)]
    return list(dict.fromkeys(found))
