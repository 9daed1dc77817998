"""Tables and texts of one's own: a Hansard of another country loads by a mapping, without code."""

import json
from datetime import date
from typing import Any

import pytest

from engram.policy.document import Document, Rejected
from engram.policy.loader import LOADERS, Material, TableFormat

HANSARD = (
    "Day,Member,Speech,Party,Constituency\n"
    '"9th January 2013","Mr. Mwangi","The tax, Sir,\nis ""too"" high.",TNA,Georgia\n'
    '"10th Jan 2013",Ms. Odhiambo,The tax is low.,L,"Mombasa"\n'
)
COLUMNS = {"date": "Day", "speaker": "Member", "text": "Speech", "party": "Party",
           "state": "Constituency"}  # fmt: skip
WORDS = TableFormat(COLUMNS, date_format="%d %B %Y")


def read(data, form, name="hansard/2013.csv") -> list[Any]:
    data = data.encode() if isinstance(data, str) else data
    loader = LOADERS["table-lines" if name.endswith("l") else "table"]
    return list(loader.read(Material(name, name, data, 0, {"format": form.to_bytes()})))


def test_a_hansard_of_another_country_has_no_congress_and_no_state_of_the_union():
    first, second = read(HANSARD, WORDS)
    assert (first.date, second.date) == (date(2013, 1, 9), date(2013, 1, 10))
    assert (first.speaker, first.text) == ("Mr. Mwangi", 'The tax, Sir,\nis "too" high.')
    assert (first.congress, first.state, second.party) == (None, "Georgia", "L")
    assert (first.doc_type, first.chamber, first.url) == ("speech", None, None)
    assert len({first.id, second.id}) == 2


def test_a_table_of_congress_says_so():
    form = TableFormat(COLUMNS, {"congress": "from-date", "type": "message"}, "%d %B %Y")
    first, second = read(HANSARD, form)
    assert (first.congress, first.state, second.party) == (113, "GA", "Libertarian")
    assert first.doc_type == "message"


def test_a_parliament_may_be_older_than_congress():
    [speech] = read("Day,Speech\n1688-02-13,The declaration.\n",
                    TableFormat({"date": "Day", "text": "Speech"}))  # fmt: skip
    assert (speech.date, speech.congress) == (date(1688, 2, 13), None)


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_the_delimiter_is_the_one_that_gives_the_columns(delimiter):
    text = delimiter.join(["Day", "Speech"]) + "\n" + delimiter.join(["2001-02-03", "A, b."]) + "\n"
    [speech] = read(text, TableFormat({"date": "Day", "text": "Speech"}))
    assert speech.text == "A, b."


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_marks_and_ends_of_lines_do_not_matter(mark, end):
    data = mark + b"Day,Speech\n2001-02-03,Tax.\n".replace(b"\n", end)
    assert read(data, TableFormat({"date": "Day", "text": "Speech"}))[0].text == "Tax."


def test_an_encoding_is_stated():
    columns = {"date": "Day", "text": "Speech"}
    data = "Day,Speech\n2001-02-03,Café\n".encode("cp1252")
    assert read(data, TableFormat(columns, encoding="cp1252"))[0].text == "Café"
    [bad] = read(data, TableFormat(columns))
    assert bad.reason == "malformed-bytes"
    assert f"byte {data.index(0xE9)} " in bad.detail


def test_json_gives_what_the_table_gives():
    rows = [
        {"Day": "2001-02-03", "Member": {"name": "A"}, "Speech": ["Tax.", "Cut."]},
        {"Day": "2001-02-04", "Member": {"name": None}, "Speech": "Tax."},
    ]
    form = TableFormat({"date": "Day", "speaker": "Member.name", "text": "Speech"})
    lines = "\n".join(map(json.dumps, rows))
    for documents in (read(json.dumps(rows), form, "a.json"), read(lines, form, "a.jsonl")):
        assert [(one.speaker, one.text) for one in documents] == [
            ("A", "Tax.\nCut."),
            (None, "Tax."),
        ]


def test_a_text_is_dated_by_its_name():
    form = TableFormat({"date": "@name", "title": "@name", "speaker": "@folder"}, {}, "%d %b %Y")
    [text] = read("The tax.", form, "kenya/Hansard of 27th October 1987.txt")
    assert (text.date, text.text) == (date(1987, 10, 27), "The tax.")
    assert (text.title, text.speaker) == ("Hansard of 27th October 1987", "kenya")
    [iso] = read("The tax.", TableFormat({"date": "@name"}), "sitting 2013-01-09 (am).txt")
    assert iso.date == date(2013, 1, 9)


@pytest.mark.parametrize(
    "name",
    ["16th - 22nd Dec 1987", "Mar 1990", "VOL. 87 - NUMBER 10", "31 Feb 1990",
     "1 Jan 1990 and 2 Jan 1990", "16 to 22 Dec 1987"],
)  # fmt: skip
def test_a_name_without_a_single_day_is_not_guessed(name):
    form = TableFormat({"date": "@name"}, {}, "%d %b %Y")
    [bad] = read("The tax.", form, f"kenya/{name}.txt")
    assert bad.reason == "bad-date"
    assert name in bad.detail


def test_two_rows_that_say_the_same_are_two_documents_and_rows_have_their_own_ids():
    columns = {"date": "Day", "text": "Speech"}
    table = "Day,Speech,Nr\n2001-02-03,Aye.,7\n2001-02-03,Aye.,8\n"
    first, second = read(table, TableFormat(columns))
    assert first.id != second.id
    assert [one.id for one in read(table, TableFormat(columns), "elsewhere/b.csv")] == [
        first.id,
        second.id,
    ]
    form = TableFormat(columns | {"id": "Nr"}, {"source": "lok-sabha"})
    assert [one.id for one in read(table, form)] == ["lok-sabha:7", "lok-sabha:8"]


@pytest.mark.parametrize(
    ("data", "reason", "says"),
    [
        ("Date,Text\n2001-02-03,Tax.\n", "malformed-record", "'Date', 'Text'"),
        ("Day,Speech\n2001-02-03\n", "malformed-record", "1 cells"),
        ("Day,Speech\n03/02/2001,Tax.\n", "bad-date", "03/02/2001"),
        ("Day,Speech\n,Tax.\n", "missing-field", "date"),
        ("Day,Speech\n2001-02-03,\n", "missing-field", "neither text nor title"),
        ('Day,Speech\n2001-02-03,"Tax.\n', "malformed-record", "line 2"),
        ("", "malformed-record", "'Day'"),
    ],
)
def test_a_bad_row_says_what_and_where(data, reason, says):
    [bad] = read(data, TableFormat({"date": "Day", "text": "Speech"}))
    assert bad.reason == reason
    assert says in bad.detail


def test_a_bad_row_does_not_cost_the_others():
    table = "Day,Speech\n2001-02-30,Tax.\n2001-02-03,Cut.\n"
    bad, good = read(table, TableFormat({"date": "Day", "text": "Speech"}))
    assert (bad.reason, bad.origin) == ("bad-date", "hansard/2013.csv, row 2")
    assert isinstance(good, Document)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (({"when": "Day"},), "when"),
        (({"text": "Speech"},), "date"),
        (({"date": "Day"}, {"date": "2001-02-03"}), "not both"),
        (({"date": "Day"}, {}, "%Q"), "%Q"),
        (({"date": "Day"}, {}, None, "klingon"), "klingon"),
    ],
)
def test_a_format_that_cannot_be_is_refused(arguments, says):
    with pytest.raises(ValueError, match=says):
        TableFormat(*arguments)


@pytest.mark.parametrize("data", ["", "\n", "\n\n1,2\n", '"Day\n1,2\n', '"a"b,c\n1,2\n'])
def test_a_table_without_a_header_is_quarantined(data: str) -> None:
    form = TableFormat({"date": "@name", "text": "@folder"})
    (bad,) = read(data, form, name="in/2001-01-01.csv")
    assert isinstance(bad, Rejected)
    assert bad.reason == "malformed-record"
