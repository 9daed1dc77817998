"""One person, one name: members of Congress, known from the record itself."""

from datetime import date

import pytest

from engram.policy.embedded import EmbeddedEngine
from engram.policy.ingestion import ingest
from engram.policy.persons import Persons
from engram.policy.store import Store
from tests.policy.ingestion.test_ingest import lay

DAY = date(2013, 5, 5)
SPEAKERS = {
    ("Jeff Sessions", "Republican", "AL", "senate", 113): 5,
    ("Sessions, Jeff", None, "AL", "senate", 113): 3,
    ("JEFF SESSIONS", None, None, "senate", 112): 3,
    ("Pete Sessions", "Republican", "TX", "house", 113): 3,
    ("Loretta Sanchez", "Democratic", "CA", "house", 113): 3,
    ("Linda T. Sánchez", "Democratic", "CA", "house", 113): 3,
    ("Steve King", "Republican", "IA", "house", 113): 4,
    ("Peter T. King", "Republican", "NY", "house", 113): 4,
    ("King, Peter", None, "NY", "house", 113): 1,
    ("Cathy McMorris Rodgers", "Republican", "WA", "house", 113): 2,
    ("Mike Rogers", "Republican", "AL", "house", 113): 2,
    ("Michael Rogers", "Republican", "MI", "house", 113): 2,
    ("Walter B. Jones, Jr.", "Republican", "NC", "house", 113): 2,
}


@pytest.mark.parametrize(
    ("who", "shown"),
    [
        (("Mr. SESSIONS", None, None, "senate", 113), ("Jeff Sessions", "Republican", "AL")),
        (("Mr. SESSIONS", None, None, "house", 113), ("Pete Sessions", "Republican", "TX")),
        (("Mr. SESSIONS", None, None, "extensions", 113), ("Pete Sessions", "Republican", "TX")),
        (("Sessions, Jeff", None, "AL", "senate", 113), ("Jeff Sessions", "Republican", "AL")),
        (("JEFF SESSIONS", None, None, "senate", 112), ("Jeff Sessions", None, None)),
        (("Mr. KING of Iowa", None, None, "house", 113), ("Steve King", "Republican", "IA")),
        (("King, Peter", None, "NY", "house", 113), ("Peter T. King", "Republican", "NY")),
        (
            ("Mrs. McMORRIS RODGERS", None, None, "house", 113),
            ("Cathy McMorris Rodgers", "Republican", "WA"),
        ),
        # Two of the name, none of the name, another Congress, an office: as the source has them.
        (("Mr. KING", None, None, "house", 113), ("Mr. KING", None, None)),
        (("Ms. SANCHEZ", None, None, "house", 113), ("Ms. SANCHEZ", None, None)),
        (("Mr. ROGERS", None, None, "house", 113), ("Mr. ROGERS", None, None)),
        (("Mr. SESSIONS", None, None, "senate", 99), ("Mr. SESSIONS", None, None)),
        (
            ("The PRESIDING OFFICER", None, None, "senate", 113),
            ("The PRESIDING OFFICER",) + 2 * (None,),
        ),
        (
            ("Loretta Sanchez", "Democratic", "CA", "house", 113),
            ("Loretta Sanchez", "Democratic", "CA"),
        ),
    ],
)
def test_a_member_is_known_where_there_is_no_doubt(who, shown):
    assert tuple(Persons({**SPEAKERS, who: 1}).resolve(who, DAY)) == shown


def test_the_order_of_the_record_does_not_matter():
    turned = Persons(dict(reversed(SPEAKERS.items())))
    straight = Persons(SPEAKERS)
    for who in SPEAKERS:
        assert straight.resolve(who, DAY) == turned.resolve(who, DAY)


def test_a_president_is_found_under_every_spelling(tmp_path):
    spoken = {
        f"199{n}-05-05-x.txt": f"President: {name}\n\nThe tax cut.".encode()
        for n, name in enumerate(("George H. W. Bush",) * 3 + ("Bill Clinton",) * 4)
    }
    ingest([lay(tmp_path / "in", spoken)], tmp_path / "store", workers=1)
    engine = EmbeddedEngine(Store(tmp_path / "store").segments())
    for name in ("Bill Clinton", "William J. Clinton", "clinton, william jefferson"):
        assert engine.tally(f'tax speaker:"{name}"', None).documents.tolist() == [4]
    tally = engine.tally("tax", "party")
    assert dict(zip(tally.groups, tally.documents.tolist(), strict=True)) == {
        "Democratic": 4,
        "Republican": 3,
    }
    engine.close()
