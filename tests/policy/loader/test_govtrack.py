import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from engram.policy import ingest
from engram.policy.loader import LOADERS, Material

BILL = {
    "actions": [{"acted_at": "2009-09-17", "text": "Referred to committee.", "type": "action"}],
    "bill_id": "hr3590-111",
    "bill_type": "hr",
    "congress": "111",
    "introduced_at": "2009-09-17",
    "number": "3590",
    "official_title": "An act entitled The Patient Protection and Affordable Care Act.",
    "popular_title": None,
    "short_title": "Patient Protection and Affordable Care Act",
    "sponsor": {
        "bioguide_id": "R000053",
        "district": "15",
        "name": "Rangel, Charles B.",
        "state": "NY",
        "title": "Rep",
        "type": "person",
    },
    "status": "ENACTED:SIGNED",
    "summary": {"as": "Public Law", "date": "2010-03-23", "text": "Imposes an excise tax."},
    "titles": [
        {"as": "introduced", "title": "Service Members Home Ownership Tax Act", "type": "short"}
    ],
}
AMENDMENT = {
    "amendment_id": "samdt2786-111",
    "amendment_type": "samdt",
    "amends_bill": {"bill_id": "hr3590-111", "bill_type": "hr", "congress": 111, "number": 3590},
    "chamber": "s",
    "congress": 111,
    "description": "In the nature of a substitute.",
    "introduced_at": "2009-11-19",
    "number": 2786,
    "purpose": "In the nature of a substitute.",
    "sponsor": {"name": "Reid, Harry", "state": "NV", "title": "Sen", "type": "person"},
}
NOMINATION = {
    "actions": [],
    "congress": 113,
    "nomination_id": "PN46-113",
    "nominees": [
        {"name": "Jacob J. Lew", "position": "Secretary of the Treasury", "state": "New York"}
    ],
    "organization": "Department of the Treasury",
    "received_on": "2013-01-22",
    "referred_to": ["SSFI"],
    "referred_to_names": ["Senate Finance"],
}
VOTE = {
    "bill": {"congress": 110, "number": 5140, "type": "hr"},
    "category": "passage",
    "chamber": "h",
    "congress": 110,
    "date": "2008-01-29T13:28:00-05:00",
    "number": 25,
    "question": "On Motion to Suspend the Rules and Pass: H R 5140 Recovery Rebates",
    "requires": "2/3",
    "result": "Passed",
    "result_text": "Passed",
    "session": "2008",
    "subject": "Recovery Rebates and Economic Stimulus for the American People Act",
    "type": "On Motion to Suspend the Rules and Pass",
    "vote_id": "h25-110.2008",
    "votes": {"Aye": [{"display_name": "Abercrombie", "id": "A000014", "party": "D"}]},
}


def read(record) -> Any:
    data = record if isinstance(record, bytes) else json.dumps(record).encode()
    [item] = LOADERS["govtrack"].read(Material("data.json", "data.json", data))
    return item


def test_a_bill():
    bill = read(BILL)
    assert (bill.id, bill.doc_type, bill.date) == ("govtrack:hr3590-111", "bill", date(2009, 9, 17))
    assert (bill.congress, bill.chamber) == (111, "house")
    assert (bill.speaker, bill.state) == ("Rangel, Charles B.", "NY")
    assert bill.title == "Patient Protection and Affordable Care Act"
    assert "excise tax" in bill.text
    assert "Home Ownership" in bill.text
    assert bill.url == "https://www.congress.gov/bill/111th-congress/house-bill/3590"


def test_an_amendment_says_a_text_once():
    amendment = read(AMENDMENT)
    assert amendment.id == "govtrack:samdt2786-111"
    assert amendment.text == "In the nature of a substitute."
    assert amendment.title == "samdt 2786 to hr3590-111"
    assert (amendment.chamber, amendment.date) == ("senate", date(2009, 11, 19))
    assert amendment.url.endswith("/amendment/111th-congress/senate-amendment/2786")


def test_a_nomination():
    nomination = read(NOMINATION)
    assert nomination.title == "Jacob J. Lew, New York, Secretary of the Treasury"
    assert "Department of the Treasury" in nomination.text
    assert (nomination.congress, nomination.date) == (113, date(2013, 1, 22))
    assert nomination.url == "https://www.congress.gov/nomination/113th-congress/46"


def test_a_vote():
    vote = read(VOTE)
    assert (vote.id, vote.date, vote.session) == ("govtrack:h25-110.2008", date(2008, 1, 29), 2)
    assert "Economic Stimulus" in vote.text
    assert vote.url == "https://www.govtrack.us/congress/votes/110-2008/h25"


def test_a_vote_is_found_by_what_is_voted_on():
    subjects = {
        "bill": {
            "congress": 112,
            "number": 8,
            "title": "American Taxpayer Relief Act",
            "type": "hr",
        },
        "amendment": {"number": 3448, "purpose": "To strike the tax on timber.", "type": "s"},
        "nomination": {"number": "128", "title": "James Baker, to be Secretary of State"},
        "treaty": {"title": "A treaty on the taxation of income"},
    }
    for subject, value in subjects.items():
        wanted = value.get("title") or value["purpose"]
        assert wanted in read(VOTE | {"bill": None, subject: value}).text
    assert read(VOTE | {"bill": None}).text == read(VOTE).text


def test_a_nomination_of_an_older_scraper_has_its_day_under_another_name():
    older = {key: NOMINATION[key] for key in NOMINATION if key not in ("received_on", "nominees")}
    nomination = read(older | {"date": "2013-01-22", "name": "Jacob J. Lew", "state": "New York"})
    assert (nomination.date, nomination.state) == (date(2013, 1, 22), "NY")
    assert nomination.title == "Jacob J. Lew, New York"
    assert read(older | {"date": "2013-01-22"}).title == "Department of the Treasury"


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b'{"bill_id": "hr1-111", ', "malformed-record"),
        (b"[" * 100_000, "malformed-record"),
        (b"[1]", "malformed-record"),
        (b'{"bill_id": "hr1-111\xff"}', "malformed-bytes"),
        ({"statute": 1}, "missing-field"),
        (BILL | {"bill_id": None}, "missing-field"),
        ({key: BILL[key] for key in BILL if key != "congress"}, "malformed-record"),
        (BILL | {"introduced_at": None}, "bad-date"),
        (BILL | {"introduced_at": "2009-02-30"}, "bad-date"),
        (BILL | {"sponsor": "Rangel"}, "malformed-record"),
        (VOTE | {"question": "", "type": "", "subject": None, "result_text": ""}, "missing-field"),
    ],
)
def test_a_bad_record_says_why(record, reason):
    assert read(record).reason == reason


def test_text_versions_are_not_measures():
    matches = LOADERS["govtrack"].matches
    assert matches.search("111/bills/hr/hr3590/data.json")
    assert not matches.search("111/bills/hr/hr3590/text-versions/ih/data.json")


ODD = (None, True, -1, 10**30, 1.5, float("inf"), "", "x", [], [1], {}, {"a": 1})
FIELDS = (
    "bill_id",
    "bill_type",
    "congress",
    "introduced_at",
    "number",
    "official_title",
    "short_title",
    "sponsor",
    "summary",
    "titles",
    "updated_at",
)


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_of_the_wrong_kind_is_quarantined_and_the_others_are_taken_in(
    tmp_path: Path, field: str
) -> None:
    good = {
        "bill_id": "hr1-105",
        "bill_type": "hr",
        "congress": "105",
        "introduced_at": "1997-01-07",
        "official_title": "A bill to cut taxes",
        "sponsor": {"name": "Smith", "state": "CA"},
    }
    for number, odd in enumerate(ODD):
        for name, record in (
            ("odd", good | {"bill_id": f"hr{number}-104"} | {field: odd}),
            ("good", good | {"bill_id": f"hr{number}-105"}),
        ):
            folder = tmp_path / "in" / f"{name}{number}"
            folder.mkdir(parents=True)
            (folder / "data.json").write_text(json.dumps(record))
    done = ingest([tmp_path / "in"], tmp_path / "store", workers=1)
    rejected = sum(done.rejected.values())
    assert done.documents["bill"] + rejected == 2 * len(ODD)
    assert done.documents["bill"] >= len(ODD)


@pytest.mark.parametrize("key", ["name", "state", "party"])
def test_a_sponsor_of_the_wrong_kind_is_quarantined(tmp_path: Path, key: str) -> None:
    for number, odd in enumerate((1, 1.5, [1], {"a": 1})):
        folder = tmp_path / "in" / str(number)
        folder.mkdir(parents=True)
        record = {
            "bill_id": f"hr{number}-105",
            "bill_type": "hr",
            "congress": 105,
            "introduced_at": "1997-01-07",
            "official_title": "A bill to cut taxes",
            "sponsor": {key: odd},
        }
        (folder / "data.json").write_text(json.dumps(record))
    done = ingest([tmp_path / "in"], tmp_path / "store", workers=1)
    assert sum(done.rejected.values()) == (0 if key == "party" else 4)
