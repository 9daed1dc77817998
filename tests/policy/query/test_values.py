"""Names in filters: other spellings, and names that no document has."""

import pytest

from engram.policy.query import And, Node, Not, OneOf, Term, parse
from engram.policy.query.values import UnknownValueError, resolve

HELD = {
    "type": ["message", "speech"],
    "chamber": ["house", "senate"],
    "party": ["Democrat", "Democratic", "Republican", "Democratic-Republican"],
    "speaker": ["Bill Clinton", "William J. Clinton", "John Adams", "Mr. O'Neil", "MR.  SMITH"],
    "state": ["CA", "New York", "Tex."],
}

FOUND = {
    'speaker:"bill CLINTON"': ("bill clinton", "william j. clinton"),
    'speaker:"Mr. Smith"': ("mr. smith",),
    "party:D": ("democrat", "democratic"),
    "party:democrats": ("democrat", "democratic"),
    'party:"Republican Party"': ("republican",),
    "party:GOP": ("republican",),
    'party:"democratic-republican"': ("democratic-republican",),
    "state:California": ("ca",),
    "state:NY": ("new york",),
    'state:{"New York", CA}': ("new york", "ca"),
    "type:{message, vote}": ("message", "vote"),
    "chamber:joint": ("joint",),
    "chamber:House": ("house",),
}

REFUSED = {
    "speaker:Clinton": r'write speaker:\{"Bill Clinton", "William J. Clinton"\}',
    "tax speaker:Adams": r'write speaker:"John Adams"',
    "NOT speaker:Clintn": r'"William J. Clinton"',
    "speaker:Nobody": r"there are Bill Clinton, John Adams",
    "party:Whig": r"no document has the party 'whig'; there are Democrat",
    "state:Texas": r"no document has the state 'texas'; write state:\"Tex.\"",
    "state:Ohio": r"no document has the state 'ohio'",
    'speaker:{"John Adams", Clinton}': r"no document has the speaker 'clinton'",
}


@pytest.mark.parametrize("query", FOUND)
def test_a_name_stands_for_its_spellings(query: str) -> None:
    found = resolve(parse(query), HELD.__getitem__)
    assert isinstance(found, OneOf)
    assert found.values == FOUND[query]


@pytest.mark.parametrize("query", REFUSED)
def test_a_name_that_no_document_has_is_refused(query: str) -> None:
    with pytest.raises(UnknownValueError, match=REFUSED[query]):
        resolve(parse(query), HELD.__getitem__)


def test_a_field_that_no_document_states_is_said() -> None:
    with pytest.raises(UnknownValueError, match="no document of this record has a state"):
        resolve(parse("state:NY"), lambda field: [])


@pytest.mark.parametrize("node", [Not(OneOf("type", ("vote",))), And((Term("tax"),))])
def test_what_is_not_there_may_be_excluded(node: Node) -> None:
    assert resolve(node, HELD.__getitem__) == node
