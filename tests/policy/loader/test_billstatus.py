from datetime import date
from typing import Any

import pytest

from engram.policy.loader import LOADERS, Material

NEWER = b"""<?xml version="1.0" encoding="utf-8" standalone="no"?>
<billStatus>
  <version>3.0.0</version>
  <bill>
    <number>1</number>
    <type>HCONRES</type>
    <introducedDate>2021-01-04</introducedDate>
    <congress>117</congress>
    <actions><item><text>Received in the Senate.</text><type>IntroReferral</type></item></actions>
    <sponsors>
      <item>
        <bioguideId>M000312</bioguideId>
        <fullName>Rep. McGovern, James P. [D-MA-2]</fullName>
        <party>D</party>
        <state>MA</state>
      </item>
    </sponsors>
    <policyArea><name>Congress</name></policyArea>
    <subjects>
      <legislativeSubjects><item><name>Congressional operations</name></item></legislativeSubjects>
    </subjects>
    <summaries>
      <summary>
        <text><![CDATA[ <p>This authorizes the <b>Speaker</b> &amp; another to meet.</p>]]></text>
      </summary>
    </summaries>
    <title>Regarding consent to assemble outside the seat of government.</title>
    <titles>
      <item><titleType>Display Title</titleType><title>Regarding consent.</title></item>
    </titles>
  </bill>
</billStatus>"""
OLDER = b"""<billStatus xmlns="http://schemas.congress.gov/billstatus"><bill>
<billNumber>9</billNumber><billType>HR</billType><introducedDate>2021-01-03</introducedDate>
<congress>117</congress><title>Reserved for the Speaker.</title><sponsors />
<summaries><billSummaries><item><text>&lt;p&gt;It taxes.&lt;/p&gt;</text></item></billSummaries>
</summaries></bill></billStatus>"""


def read(data) -> Any:
    [item] = LOADERS["billstatus"].read(Material("a.xml", "BILLSTATUS-117hr1.xml", data))
    return item


def test_a_bill_has_the_party_of_its_sponsor():
    bill = read(NEWER)
    assert (bill.id, bill.doc_type, bill.date) == (
        "govtrack:hconres1-117",
        "bill",
        date(2021, 1, 4),
    )
    assert (bill.party, bill.state, bill.congress) == ("Democratic", "MA", 117)
    assert (bill.speaker, bill.chamber) == ("Rep. McGovern, James P. [D-MA-2]", "house")
    assert bill.text.splitlines() == [
        "Regarding consent to assemble outside the seat of government.",
        "Regarding consent.",
        "This authorizes the Speaker & another to meet.",
        "Congress",
        "Congressional operations",
    ]
    assert bill.url.endswith("/bill/117th-congress/house-concurrent-resolution/1")


def test_the_older_schema_is_read_too():
    bill = read(OLDER)
    assert (bill.id, bill.title) == ("govtrack:hr9-117", "Reserved for the Speaker.")
    assert bill.text.endswith("It taxes.")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<billStatus><bill>", "malformed-record"),
        (b"<html/>", "malformed-record"),
        (NEWER.replace(b"<number>1</number>", b""), "missing-field"),
        (NEWER.replace(b"2021-01-04</introducedDate>", b"</introducedDate>"), "bad-date"),
        (NEWER.replace(b"<congress>117", b"<congress>x"), "malformed-record"),
    ],
)
def test_a_bad_bill_says_why(data, reason):
    assert read(data).reason == reason
