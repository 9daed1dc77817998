"""Filters that admit no document: what the record has instead."""

from collections.abc import Iterator

from engram.policy.engine import Engine
from engram.policy.query import And, AnyQuery, Between, Node, OneOf, Or, parse, universe
from engram.policy.query.tree import EVERY


def filter_notes(engine: Engine, query: AnyQuery, admitted: int | None = None) -> list[str]:
    """Name the filters of a query that no document of the record passes.

    Args:
        engine: What counts.
        query: The query. Filters under NOT are left out: they admit what does not pass.
        admitted: Number of documents that pass all filters together, if it is known.

    Returns:
        A note for each value or range that no document has, and what the record has instead; one
        for all filters together if each has documents and no document passes them all.

    Raises:
        ValueError: If the query does not parse.
    """
    node = parse(query)
    single = list(dict.fromkeys(_filters(node)))
    if not single:
        return []
    if admitted is None:
        admitted = _admitted(engine, universe(node))
    passed = set(_required(node)) if admitted else set[Node]()
    notes = [
        _note(engine, one) for one in single if one not in passed and not _admitted(engine, one)
    ]
    if not notes and not admitted:
        notes.append("no document of the record passes all filters of the query together")
    return notes


def _filters(node: Node) -> Iterator[OneOf | Between]:
    """The filters of a query that are not under NOT, each with a single value or range."""
    match node:
        case OneOf(field, values):
            yield from (OneOf(field, (value,)) for value in values)
        case Between():
            yield node
        case And(parts) | Or(parts):
            for part in parts:
                yield from _filters(part)
        case _:
            return


def _required(node: Node) -> Iterator[Node]:
    """The parts that every matching document matches."""
    yield node
    if isinstance(node, And):
        for part in node.parts:
            yield from _required(part)


def _admitted(engine: Engine, filters: Node) -> int:
    return int(engine.tally(filters, None).all_documents.sum())


def _note(engine: Engine, one: OneOf | Between) -> str:
    by = "year" if one.field == "date" else one.field
    held = [label for label in engine.tally(EVERY, by).groups if label is not None]
    if isinstance(one, OneOf):
        there = f"there are {', '.join(map(str, held))}" if held else f"none states a {one.field}"
        return f"no document of the record has the {one.field} {one.values[0]!r}; {there}"
    asked = f"{one.field}:{'' if one.low is None else one.low}..{one.high or ''}"
    there = f"the record runs from {held[0]} to {held[-1]}" if held else "it states none"
    return f"no document of the record lies in {asked}; {there}"
