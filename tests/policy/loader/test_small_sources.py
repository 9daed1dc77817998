from datetime import date
from typing import Any

import pytest

from engram.policy.loader import LOADERS, Material
from engram.policy.loader.material import state, whole_words

BILLS = (
    b'"llhb","042","00333000.tif","042","001","h","","H.R. 25","18710313","Mr. Poland introduced '
    b'the following bill: A Bill To extend the provisions of "An act to provide remedies," approved'
    b' August twenty-ninth.","Committee on Revision of the Laws"\r\n'
    b'"llhb","042","00334002.tif","042","001","h","2","H.R. 25","18710313","",""\r\n'
    b'"llhb","006","00070000.tif","018","002","h","","H.R. 86","18340127,18241230","A Bill",""\r\n'
    b'"llhb","006","01980000.tif","018","002","h","","H.R. 248","18251224","An Act",""\r\n'
    b'"llhb","030","07390000.tif","030","001","h","","H.R. 263","18480229","Illin\x87ois",""\r\n'
    b'"llhb","029","11160000.tif","029","001","h","","H.R. 410","18460504","",""\r\n'
    b'"llhb","029"\r\n'
)
STATUTES = b"""- volume: 31
  page: 1465
  npages: 3
  file: STATUTE-31-Pg1465b.pdf
  congress: 56
  session: 2
  type: jointres
  number: 19
  citation: Joint Res. 19
  topic: Boundary line
  title: JOINT RESOLUTION ratifying agreement between Tennessee and Virginia, approved
    February 2, 1899. March 3, 1901 1465
- volume: 1
  page: 23
  file: STATUTE-1-Pg23.pdf
  congress: 1
  type: chap
  number: 1
  citation: Chapter 1
  topic: ~
  title: ~
- volume: 8
  page: 2
  file: "STATUTE-8
- volume: 69
  page: 9
  file: STATUTE-44-Pg555.pdf
  congress: 69
  title: AN ACT Authorizing the Chippewa Indians to submit claims. May 14, 1026 555
- volume: 1
  page: 1
  file: STATUTE-1-Pg1.pdf
  id: DECLARATION
  title: The Declaration of Independence, July 4, 1776
"""
METADATA = (
    b"FirstName,President,Date,delivery,nwords,type,filename,party\n"
    b'George,Washington,"January 8, 1790",spoken,1089,SOTU,su1790.txt,Independent\n'
    b'John,Nobody,"January 38, 1791",spoken,9,SOTU,su1791.txt,Whig\n'
)


def read(loader, data, name, companions=None) -> list[Any]:
    return list(LOADERS[loader].read(Material(name, name, data, 0, companions or {})))


def test_bills_are_read_in_spite_of_quotes_and_further_pages():
    first, second, *bad = read("american-memory", BILLS, "llhb042.txt")
    assert (first.id, first.title) == ("american-memory:llhb042-00333000", "H.R. 25")
    assert '"An act to provide remedies," approved August' in first.text
    assert (first.date, first.congress, first.session) == (date(1871, 3, 13), 42, 1)
    assert second.date == date(1824, 12, 30), "1834 is not in the 18th Congress"
    assert [item.reason for item in bad] == [
        "bad-date",
        "malformed-bytes",
        "missing-field",
        "malformed-record",
    ]


def test_statutes_are_dated_by_the_end_of_their_titles():
    first, *bad = read("statutes", STATUTES, "statutes/031.yaml")
    assert first.id == "statutes:31-Pg1465b-jointres-19"
    assert (first.date, first.congress) == (date(1901, 3, 3), 56)
    assert first.title == "Joint Res. 19, Boundary line"
    assert [item.reason for item in bad] == [
        "bad-date",
        "malformed-record",
        "bad-date",
        "bad-date",
    ]
    assert "only the Congress, 1" in bad[0].detail
    assert "before the first Congress" in bad[3].detail


def test_an_annual_message_takes_its_day_from_the_table():
    companions = {"metadata": METADATA}
    text = b"\xef\xbb\xbfFellow-Citizens of the Senate"
    [message] = read("state-of-the-union", text, "sotu/su1790.txt", companions)
    assert (message.id, message.doc_type) == ("sotu:su1790", "message")
    assert (message.date, message.party) == (date(1790, 1, 8), "Independent")
    assert (message.speaker, message.text) == ("George Washington", text[3:].decode())


@pytest.mark.parametrize("name", ["su1791.txt", "su1792.txt"])
def test_an_annual_message_without_a_day_is_rejected(name):
    [item] = read("state-of-the-union", b"text", name, {"metadata": METADATA})
    assert item.reason == "bad-date"


def test_a_presidential_speech():
    data = b"President: George Washington\n\nFellow Citizens of the Senate"
    name = "speeches/1789-04-30-first-inaugural-address.txt"
    [speech] = read("presidential-speeches", data, name)
    assert (speech.date, speech.speaker) == (date(1789, 4, 30), "George Washington")
    assert (speech.title, speech.chamber) == ("First inaugural address", "executive")
    assert speech.text == "Fellow Citizens of the Senate"
    assert speech.url.endswith("/april-30-1789-first-inaugural-address")


@pytest.mark.parametrize(
    ("name", "data", "speaker"),
    [
        ("mine/2001-01-16 my speech.txt", b"President: Test\n\nThe tax cut.", "Test"),
        ("mine/2001-01-17_my_speech.txt", b"The tax cut.", None),
        ("mine/2001-01-19-with.dots.in.name.TXT", b"President: Test\r\rThe tax cut.", "Test"),
        ("mine/2001-01-19.txt", b"The tax cut.", None),
    ],
)
def test_a_text_of_ones_own_gets_no_office_and_no_link(name, data, speaker):
    [text] = read("presidential-speeches", data, name)
    assert (text.text, text.speaker) == ("The tax cut.", speaker)
    assert (text.chamber, text.url, text.source) == (None, None, "plain-text")


@pytest.mark.parametrize(
    ("given", "whole"),
    [
        ("the unemploy-\nment rate", "the unemployment\n rate"),
        ("govern-\n     ment and gov-\nernment", "government\n and government\n"),
        ("a tax-\nfree day", "a tax-\nfree day"),
        ("a tax-able, tax-\nable day", "a tax-able, tax-\nable day"),
        ("Federal-\nState", "Federal-\nState"),
        ("in 1990-\n1991", "in 1990-\n1991"),
        ("he said--\nand left", "he said--\nand left"),
        ("no hyphen", "no hyphen"),
    ],
)
def test_a_word_that_is_cut_at_the_end_of_a_line_is_whole(given, whole):
    assert whole_words(given) == whole


@pytest.mark.parametrize(
    ("given", "letters"),
    [
        ("Connecticut", "CT"),
        ("CONNECTICUT", "CT"),
        ("the State of New York", "NY"),
        ("N.Y.", "NY"),
        ("ny", "NY"),
        ("District of Columbia", "DC"),
        ("Dakota Territory", "DK"),
        ("Republic of Texas", "Republic of Texas"),
        (None, None),
        ("", None),
    ],
)
def test_a_state_has_one_form(given, letters):
    assert state(given) == letters


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("1789-04-31-never.txt", b"text", "bad-date"),
        ("1789-04-30-silent.txt", b"President: George Washington\n\n", "missing-field"),
        ("1789-04-30-torn.txt", b"text \xff\xfe", "malformed-bytes"),
        ("1776-07-04-declaration.txt", b"When in the course", "bad-date"),
    ],
)
def test_a_bad_presidential_speech_says_why(name, data, reason):
    [item] = read("presidential-speeches", data, name)
    assert item.reason == reason


def test_no_file_is_claimed_by_two_loaders():
    names = {
        "congressional-record": "CREC-2005-07-20/json/CREC-2005-07-20-pt1-PgH6111-6.json",
        "congressional-record-html": "CREC-2005-07-20/html/CREC-2005-07-20-pt1-PgH6111-6.htm",
        "govtrack": "111/votes/2009/h25/data.json",
        "hein": "hein-bound/speeches_043.txt",
        "presidential-speeches": "1789-04-30-first-inaugural-address.txt",
        "state-of-the-union": "sotu-texts/su1790b.txt",
        "american-memory": "congress-bills/llsr041.txt",
        "sotu": "sotu/data/speeches/1945-Roosevelt-2.txt",
        "statutes": "statutes/001.yaml",
        "congressional-record-xml": "CREC-2013-01-23/CREC-2013-01-23-pt1-PgH225.xml",
        "billstatus": "BILLSTATUS/117/hr/BILLSTATUS-117hr1.xml",
        "table": "hansard/2013.csv",
        "table-lines": "hansard/2013.jsonl",
    }
    assert set(names) == set(LOADERS)
    for expected, name in names.items():
        assert [key for key in LOADERS if LOADERS[key].matches.search(name)] == [expected]
