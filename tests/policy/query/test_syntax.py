"""The parser: trees as written by hand and at random, and errors that say where."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.policy.query import (
    And,
    Between,
    Exact,
    Near,
    Node,
    Not,
    OneOf,
    Or,
    Phrase,
    Prefix,
    QueryError,
    Term,
    parse,
    read,
    universe,
)
from engram.policy.query.tree import is_wording, leaves
from tests.policy.queries import queries

TAX, CUT, NEW, LAW = map(Term, ("tax", "cut", "new", "law"))
MESSAGE = OneOf("type", ("message",))

TREES = {
    "taxes": TAX,
    "TAX cut": And((TAX, CUT)),
    "tax AND cut": And((TAX, CUT)),
    "tax tax": TAX,
    "tax OR cut new": Or((TAX, And((CUT, NEW)))),
    "(tax OR cut) new": And((Or((TAX, CUT)), NEW)),
    "NOT tax cut": And((Not(TAX), CUT)),
    "NOT tax NEAR/3 cut": Not(Near(TAX, CUT, 3, ordered=False)),
    "tax NOT NOT cut": And((TAX, Not(Not(CUT)))),
    "tax NEAR/2 cut BEFORE/4 new": Near(Near(TAX, CUT, 2, False), NEW, 4, True),
    '"and" "or" "not" near*': And((Term("and"), Term("or"), Term("not"), Prefix("near"))),
    "and": Term("and"),
    "and OR not": Or((Term("and"), Term("not"))),
    "tax AND before": And((TAX, Term("befor"))),
    "=taxes": Exact("taxes"),
    "=Don’t": Exact("don't"),
    '="tax cuts"': Phrase((Exact("tax"), Exact("cuts"))),
    '"=tax cuts"': Phrase((Exact("tax"), CUT)),
    '"the =tax-cuts law"': Phrase((Term("the"), Exact("tax"), Exact("cuts"), LAW)),
    '{=tax, ="tax cut", cut}': Or((Exact("tax"), Phrase((Exact("tax"), Exact("cut"))), CUT)),
    "={tax, cuts}": Or((Exact("tax"), Exact("cuts"))),
    "=tax NEAR/2 =cuts": Near(Exact("tax"), Exact("cuts"), 2, ordered=False),
    "x=5": Phrase((Term("x"), Term("5"))),
    "„tax cut“": Phrase((TAX, CUT)),
    "”tax cut”": Phrase((TAX, CUT)),
    "AT&T": Phrase((Term("at"), Term("t"))),
    "Peñ*": Prefix("pen"),
    '"tax cut"': Phrase((TAX, CUT)),
    '"tax, (AND) cut!"': Phrase((TAX, Term("and"), CUT)),
    "“tax cut”": Phrase((TAX, CUT)),
    "tax-cut": Phrase((TAX, CUT)),
    '"taxes"': TAX,
    "Tax*": Prefix("tax"),
    '"new tax*"': Phrase((NEW, Prefix("tax"))),
    '"tax* cut"': Phrase((Prefix("tax"), CUT)),
    "{tax, cut}": Or((TAX, CUT)),
    "{tax, taxes}": TAX,
    '{tax, "new law", new  tax*}': Or((TAX, Phrase((NEW, LAW)), Phrase((NEW, Prefix("tax"))))),
    '"{tax, new law} cut"': Phrase((Or((TAX, Phrase((NEW, LAW)))), CUT)),
    "tax type:message": And((TAX, MESSAGE)),
    "TYPE:Message": MESSAGE,
    "type:{message, vote}": OneOf("type", ("message", "vote")),
    'speaker:"Mr.  SMITH (NY)"': OneOf("speaker", ("mr. smith (ny)",)),
    "speaker:O'Neil": OneOf("speaker", ("o'neil",)),
    "date:1913": Between("date", date(1913, 1, 1), date(1913, 12, 31)),
    "date:1912-02": Between("date", date(1912, 2, 1), date(1912, 2, 29)),
    "date:1913-04-01": Between("date", date(1913, 4, 1), date(1913, 4, 1)),
    "date:1900..1950": Between("date", date(1900, 1, 1), date(1950, 12, 31)),
    "date:1900..": Between("date", date(1900, 1, 1), None),
    "date:..1900": Between("date", None, date(1900, 12, 31)),
    "congress:100..105": Between("congress", 100, 105),
    "congress:7": Between("congress", 7, 7),
}


@pytest.mark.parametrize("text", TREES)
def test_trees(text: str) -> None:
    assert parse(text) == TREES[text]


def test_a_tree_is_parsed_already() -> None:
    assert parse(TAX) is TAX
    query = read("tax cut")
    assert read(query) is query
    assert parse(query) is query.tree


def test_generated_queries_become_their_trees() -> None:
    made = queries(seed=0, count=1_000)
    for query in made:
        assert parse(query.text) == query.tree, query.text
    text = str(made)
    kinds = ("Term", "Exact", "Prefix", "Phrase", "Near", "And", "Or", "Not", "OneOf", "Between")
    assert all(f"{kind}(" in text for kind in kinds)


ERRORS = {
    "": (0, "it is empty"),
    "  ": (0, "it is empty"),
    "(tax": (0, r"'\(' is not closed; add '\)'"),
    "tax)": (3, "closes nothing"),
    "tax OR": (6, "it ends where"),
    "OR tax": (0, "OR lacks an operand"),
    "tax AND AND cut": (8, "AND lacks"),
    "tax NEAR cut": (4, "needs a distance from 1 to 100; write NEAR/3"),
    "tax NEAR/0 cut": (4, "needs a distance"),
    "tax BEFORE/101 cut": (4, "write BEFORE/3"),
    "tax NEAR/99999999999 cut": (4, "needs a distance"),
    "tax NEAR/3": (10, "it ends where"),
    "NEAR/3 tax": (0, "lacks an operand"),
    "tax NEAR/3 (cut AND new)": (11, "not AND, NOT or filters"),
    "tax NEAR/3 type:vote": (11, "not AND, NOT or filters"),
    '"tax': (0, "not closed"),
    "“tax": (0, "not closed; add '”'"),
    '"tax}"': (4, "closes nothing"),
    "{tax": (0, "not closed"),
    "{tax,}": (5, "there is no word"),
    "{}": (1, "there is no word"),
    '""': (0, "there is no word"),
    "—": (0, "there is no word"),
    "tax }": (4, "closes nothing"),
    "*": (0, r"put \* directly after"),
    "tax *": (4, r"put \* directly after"),
    "tax*cut": (3, r"a \* can only end a word"),
    "topic:tax": (0, "no field 'topic'; fields are date, congress, type"),
    "type:massage": (5, "no type is called 'massage'; write message"),
    "type:": (5, "lacks a name"),
    'speaker:"x': (8, "not closed"),
    "type:{vote": (5, "not closed"),
    "date:1900..1800": (5, "before 1900-01-01; swap its ends"),
    "date:1913-13": (5, "'1913-13' is not a date"),
    "date:soon": (5, "'soon' is not a date; write 1913"),
    "date:..": (5, "lacks a value; write date:1900..1950"),
    "congress:first": (9, "not the number of a Congress"),
    "tax and cut": (4, "only in capitals; write AND"),
    "tax Or cut": (4, "only in capitals; write OR"),
    "not tax": (0, "only in capitals; write NOT"),
    "tax near cut": (4, "only as NEAR/3"),
    "tax near/3 cut": (4, "not an operator; write NEAR/3"),
    "tax w/3 cut": (4, "not an operator; write NEAR/3"),
    "+tax": (0, "remove the \\+"),
    "tax -cut": (4, "write NOT before the word"),
    "tax –cut": (4, "write NOT before the word"),
    "!tax": (0, "write NOT before the word"),
    "tax && cut": (4, "write AND"),
    "tax & cut": (4, "write AND"),
    "tax || cut": (4, "write OR"),
    "tax^2": (0, "no weights"),
    "tax~": (0, "does not search for similar words"),
    '"tax cut"~3': (9, "NEAR/3"),
    "ta?": (0, r"write ta\\*"),
    "/tax.*/": (0, "regular expressions"),
    "'tax cut'": (0, "single quotes do not make a phrase"),
    "{raise OR cut}": (7, "separate alternatives by commas"),
    "{raise | cut}": (7, "separate alternatives by commas"),
    "= tax": (0, "directly before a word"),
    "=(tax cut)": (0, "directly before a word"),
    "=tax*": (1, "remove the ="),
    '"=tax* cut"': (5, "remove the ="),
    "date:1900–1950": (5, "write date:1900..1950"),
    "date:1980-2000": (5, "write date:1980..2000"),
    "date:1980 to 1990": (5, "write date:1980..1990"),
    "date:1980 .. 1990": (5, "write date:1980..1990"),
    "date:1980s": (5, "write date:1980..1989"),
    "date:>1980": (5, "write date:1980[.][.]"),
    "congress:107th": (9, "write congress:107"),
    "congress:100-105": (9, "write congress:100..105"),
    "type:speeches": (5, "write speech"),
    "x" * 20_001: (20_000, "more than 20000; divide it"),
    "(" * 51 + "x" + ")" * 51: (50, "more than 50 levels"),
    "NOT " * 51 + "x": (204, "more than 50 levels"),
}


@pytest.mark.parametrize("text", ERRORS, ids=[text[:30] for text in ERRORS])
def test_errors_say_where_and_what_to_do(text: str) -> None:
    position, problem = ERRORS[text]
    with pytest.raises(QueryError, match=problem) as caught:
        parse(text)
    assert caught.value.position == position
    assert str(caught.value).startswith(f"in the query, at character {position + 1}: ")


@given(st.text(alphabet=st.sampled_from("ab \"“”{}(),*:/.ANDORTE3-\0é'"), max_size=30))
def test_any_text_is_a_query_or_an_error_within_it(text: str) -> None:
    try:
        tree = parse(text)
    except QueryError as error:
        position = error.position
    else:
        assert list(leaves(tree)) or not is_wording(tree)
        position = 0
    assert 0 <= position <= len(text)


UNIVERSES: dict[str, Node] = {
    "tax": And(()),
    "tax type:message": MESSAGE,
    "tax OR type:message": And(()),
    "tax NOT type:message": Not(MESSAGE),
    "type:message NOT tax": MESSAGE,
    "NOT (tax type:message)": And(()),
    "NOT (tax OR type:message)": Not(MESSAGE),
    "(tax type:message) OR (cut type:message)": MESSAGE,
    "(tax type:message) OR (cut congress:7)": Or((MESSAGE, Between("congress", 7, 7))),
}


@pytest.mark.parametrize("text", UNIVERSES)
def test_the_universe_is_what_the_filters_admit(text: str) -> None:
    assert universe(parse(text)) == UNIVERSES[text]


NOTES = {
    "tax cut": ["read as tax AND cut"],
    "tax cut date:1990": ["read as tax AND cut"],
    "tax AND cut": [],
    '"tax cut"': [],
    "tax tax": [],
    '"tax cut" deficit': [],
    "(tax cut) OR new": ["read as tax AND cut"],
    "tax cut AND new law": ["read as tax AND cut", "read as new AND law"],
    '"tax AND cut"': ["AND inside quotes"],
    "{raise or increase}": ['read as the phrase "raise or increase"'],
    "speaker:John Adams": ["speaker:John AND the word Adams"],
    "speaker:John tax": [],
}


@pytest.mark.parametrize("text", NOTES)
def test_what_may_be_meant_otherwise_is_noted(text: str) -> None:
    found = read(text).notes
    assert len(found) == len(NOTES[text])
    for note, part in zip(found, NOTES[text], strict=True):
        assert part in note
