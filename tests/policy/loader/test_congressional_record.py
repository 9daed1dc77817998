import json
import os
import tarfile
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from engram.policy.document import Document
from engram.policy.loader import LOADERS, Material
from engram.policy.loader.page import Part, part


def split(text):
    page = part([Part(text)])
    return page.turns, page.rest


GRANULE = "CREC-2005-07-20-pt1-PgH6111-6"
MODS = f"""<mods xmlns="http://www.loc.gov/mods/v3">
<relatedItem type="constituent">
 <titleInfo><title>SOCIAL SECURITY
 SURPLUS BILL</title></titleInfo>
 <extension><accessId>{GRANULE}</accessId>
  <congMember bioGuideId="D000191" chamber="H" congress="109" party="D" state="OR">
   <name type="parsed">Mr. DeFAZIO</name>
   <name type="authority-fnf">Peter A. DeFazio</name>
  </congMember>
 </extension>
</relatedItem></mods>""".encode()
HTML = b"""<html><head><title>Congressional Record</title></head>
<body><pre>
[Congressional Record Volume 151, Number 99 (Wednesday, July 20, 2005)]
[House]
[Pages H6111-H6112]
From the Congressional Record Online through the Government Publishing Office [<a href="http://www.gpo.gov">www.gpo.gov</a>]


                      SOCIAL SECURITY SURPLUS BILL

  (Mr. DeFAZIO asked and was given permission to address the House for
1 minute.)
  Mr. DeFAZIO. Mr. Speaker, the tax cut &amp; the surplus provide
precious little

[[Page H6112]]

help. Mr. Bush said so.
  The SPEAKER pro tempore (Mr. Poe). Without objection.
  There was no objection.

                          ____________________

</pre></body>
</html>"""
JSON = {
    "id": GRANULE,
    "doc_title": "SOCIAL SECURITY SURPLUS BILL",
    "header": {"chamber": "House", "extension": False},
    "content": [
        {"kind": "Unknown", "speaker": "Unknown", "text": "  (Mr. DeFAZIO asked.)", "turn": -1},
        {
            "kind": "speech",
            "speaker": "Mr. DeFAZIO",
            "speaker_bioguide": "D000191",
            "text": "  Mr. DeFAZIO. Mr. Speaker, the surplus.",
            "turn": 0,
        },
        {"kind": "linebreak", "speaker": "None", "text": "  ______", "turn": -1},
    ],
}


def read(loader, data, suffix, mods=MODS) -> list[Any]:
    name = f"CREC-2005-07-20/x/{GRANULE}.{suffix}"
    data = data.encode() if isinstance(data, str) else data
    return list(LOADERS[loader].read(Material(name, name, data, 0, {"mods": mods})))


def test_a_page_of_html_becomes_turns_and_the_rest():
    member, chair, rest = read("congressional-record-html", HTML, "htm")
    assert (member.id, member.doc_type) == (f"crec:{GRANULE}:1", "speech")
    assert (member.speaker, member.party, member.state) == (
        "Peter A. DeFazio",
        "Democratic",
        "OR",
    )
    assert (member.date, member.congress, member.chamber) == (date(2005, 7, 20), 109, "house")
    assert member.title == "SOCIAL SECURITY SURPLUS BILL"
    assert "tax cut & the surplus provide\nprecious little\nhelp." in member.text
    assert member.text.endswith("Mr. Bush said so.")
    assert member.url.endswith(f"/CREC-2005-07-20/{GRANULE}")
    assert chair.speaker == "The SPEAKER pro tempore (Mr. Poe)"
    assert chair.text.endswith("Without objection.")
    assert (rest.doc_type, rest.id) == ("record", f"crec:{GRANULE}")
    assert "There was no objection." in rest.text
    assert "www.gpo.gov" not in rest.text


def test_a_page_of_json_becomes_turns_and_the_rest():
    member, rest = read("congressional-record", json.dumps(JSON).encode(), "json")
    assert (member.id, member.speaker) == (f"crec:{GRANULE}:1", "Peter A. DeFazio")
    assert (member.party, member.chamber) == ("Democratic", "house")
    assert rest.text.strip() == "(Mr. DeFAZIO asked.)"


def test_every_part_of_the_json_is_taken_in_whatever_its_label():
    kinds = ("title", "recorder", "clerk", "linebreak", "Unknown", "metacharacters", "newer kind")
    parts = [
        {"kind": kind, "speaker": "None", "text": f"  word{number} of tax\n", "turn": -1}
        for number, kind in enumerate(kinds)
    ]
    *documents, remark = read(
        "congressional-record", json.dumps(JSON | {"content": JSON["content"] + parts}), "json"
    )
    said = " ".join(item.text for item in documents)
    assert [word for word in said.split() if word.startswith("word")] == [
        f"word{number}" for number in range(len(kinds))
    ]
    assert all("word" not in item.text for item in documents if item.speaker)
    assert (remark.reason, "'newer kind'" in remark.detail) == ("unknown-kind", True)


def test_a_heading_that_the_published_parser_missed_is_found_in_its_text():
    text = "  Mr. DeFAZIO. One.\n  Mr. Manager RASKIN. Two.\n  Mr. ABLE I rise.\n"
    content = [JSON["content"][1] | {"text": text}]
    *documents, remark = read(
        "congressional-record", json.dumps(JSON | {"content": content}), "json"
    )
    assert [(item.speaker, item.text.split()[-1]) for item in documents] == [
        ("Peter A. DeFazio", "One."),
        ("Mr. Manager RASKIN", "Two."),
        (None, "rise."),
    ]
    assert (remark.reason, remark.excerpt) == ("unresolved-heading", "Mr. ABLE I rise.")


@pytest.mark.parametrize(
    "printed",
    ["MR. DeFAZIO", "Mr. Manager DeFAZIO", "Mr. DeFAZIO (during the reading)", "Mr.  DeFAZIO"],
)
def test_a_member_is_one_speaker_however_the_heading_is_printed(printed):
    page = HTML.replace(b"  Mr. DeFAZIO.", f"  {printed}.".encode())
    member, *_ = read("congressional-record-html", page, "htm")
    assert (member.speaker, member.party) == ("Peter A. DeFazio", "Democratic")


def test_a_member_whom_another_page_of_the_day_names_is_known():
    page = HTML.replace(b"PgH6111", b"PgH9999")
    name = "CREC-2005-07-20/x/CREC-2005-07-20-pt1-PgH9999.htm"
    member: Any
    member, *_ = LOADERS["congressional-record-html"].read(
        Material(name, name, page, 0, {"mods": MODS})
    )
    assert (member.speaker, member.state) == ("Peter A. DeFazio", "OR")
    two = MODS.replace(
        b"</relatedItem>",
        b"""</relatedItem><relatedItem type="constituent"><extension><accessId>CREC-x</accessId>
        <congMember bioGuideId="X" chamber="H" party="R" state="TX"><name type="parsed">Mr. DeFAZIO
        </name><name type="authority-fnf">Another</name></congMember></extension></relatedItem>""",
    )
    member, *_ = LOADERS["congressional-record-html"].read(
        Material(name, name, page, 0, {"mods": two})
    )
    assert member.speaker == "Mr. DeFAZIO", "two members are printed so: neither is guessed"


def test_a_page_of_plain_text_and_of_xml_is_read():
    text = HTML.partition(b"<pre>")[2].partition(b"</pre>")[0].replace(b"&amp;", b"&")
    plain = read("congressional-record-html", text, "txt")
    assert [item.text for item in plain] == [
        item.text for item in read("congressional-record-html", HTML, "htm")
    ]
    xml = b"""<CRDoc>[Congressional Record Volume<volume>159</volume>, [<chamber>House</chamber>]
    <document_title>APPOINTMENTS</document_title>
    <speaker name="The SPEAKER pro tempore">The SPEAKER pro tempore</speaker>.
    <speaking name="The SPEAKER pro tempore">The Chair announces
        the tax.</speaking>
    <speaking name="The SPEAKER pro tempore">Mr. Skaggs is named.</speaking>
    <recorder>Mr. VITTER submitted the following resolution:</recorder></CRDoc>"""
    chair, rest = read("congressional-record-xml", xml, "xml")
    assert (chair.speaker, chair.title) == ("The SPEAKER pro tempore", "APPOINTMENTS")
    said = "The SPEAKER pro tempore. The Chair announces the tax. Mr. Skaggs is named."
    assert " ".join(chair.text.split()) == said
    assert rest.text == "Mr. VITTER submitted the following resolution:"
    [bad] = read("congressional-record-xml", b"<CRDoc>", "xml")
    assert bad.reason == "malformed-record"


def test_without_the_metadata_speakers_are_named_as_printed():
    member, *_ = read("congressional-record-html", HTML, "htm", mods=b"")
    assert (member.speaker, member.party) == ("Mr. DeFAZIO", None)


@pytest.mark.parametrize(
    ("loader", "suffix", "data", "mods", "reason"),
    [
        ("congressional-record-html", "htm", b"<html>moved</html>", MODS, "malformed-record"),
        ("congressional-record-html", "htm", b"<pre>\xff</pre>", MODS, "malformed-bytes"),
        ("congressional-record-html", "htm", b"<pre>  </pre>", b"", "missing-field"),
        ("congressional-record-html", "htm", HTML, b"<mods", "malformed-record"),
        ("congressional-record", "json", b"{", MODS, "malformed-record"),
        ("congressional-record", "json", b'{"content": []}', MODS, "missing-field"),
        ("congressional-record", "json", b"[]", MODS, "malformed-record"),
    ],
)
def test_a_bad_page_says_why(loader, suffix, data, mods, reason):
    [item] = read(loader, data, suffix, mods)
    assert item.reason == reason


@pytest.mark.parametrize(
    ("line", "speaker"),
    [
        (
            "  Ms. EDDIE BERNICE JOHNSON of Texas. Mr. Chairman,",
            "Ms. EDDIE BERNICE JOHNSON of Texas",
        ),
        ("  Mr. SMITH of New Jersey. I rise", "Mr. SMITH of New Jersey"),
        ("  Ms. ROS-LEHTINEN. I rise", "Ms. ROS-LEHTINEN"),
        ("  Mr. D'AMATO. I rise", "Mr. D'AMATO"),
        ("  Mr. BROWN of South\nCarolina. I rise", "Mr. BROWN of South Carolina"),
        ("  Miss McMORRIS. I rise", "Miss McMORRIS"),
        (
            "  The Acting CHAIRMAN (during the vote). Members",
            "The Acting CHAIRMAN (during the vote)",
        ),
        (" <bullet> Mr. LEVIN. Mr. President,", "Mr. LEVIN"),
        ("<bullet> Mr. LEVIN. Mr. President,", "Mr. LEVIN"),
    ],
)
def test_who_opens_a_turn(line, speaker):
    turns, _ = split(f"Title\n\n{line} and so on.\n")
    assert [turn.speaker for turn in turns] == [speaker]


@pytest.mark.parametrize(
    "line",
    ["  Mr. Smith. He said", "     Mr. SMITH. Quoted", "  Mr. SMITH said", "and Mr. SMITH. No"],
)
def test_what_does_not_open_a_turn(line):
    assert split(f"Title\n\n{line} so.\n")[0] == []


@pytest.mark.data
@pytest.mark.skipif("ENGRAM_DATA" not in os.environ, reason="set ENGRAM_DATA")
def test_html_and_the_published_parsers_json_find_the_same_words_in_the_same_mouths():
    archive = Path(os.environ["ENGRAM_DATA"], "policy", "congressional-record-samples.tar.xz")
    with tarfile.open(archive) as tar:
        files = {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}
    same = total = 0
    all_words = [Counter(), Counter()]
    for name, data in files.items():
        if not name.endswith(".json"):
            continue
        other = name.replace("/json/", "/html/").replace(".json", ".htm")
        mods = {"mods": files[LOADERS["congressional-record"].companions(name)["mods"]]}
        words = []
        for number, (loader, path, content) in enumerate(
            (
                ("congressional-record", name, data),
                ("congressional-record-html", other, files[other]),
            )
        ):
            said = Counter()
            for item in LOADERS[loader].read(Material(path, path, content, 0, mods)):
                assert isinstance(item, Document)
                all_words[number].update(item.text.split())
                if item.doc_type == "speech":
                    said.update((item.speaker, word) for word in item.text.split())
            words.append(said)
        same += (words[0] & words[1]).total()
        total += (words[0] | words[1]).total()
    assert same / total > 0.99
    one, other = all_words
    assert (one - other).total() + (other - one).total() < 1e-4 * one.total()


def test_the_json_beside_a_page_is_the_better_form():
    better = LOADERS["congressional-record-html"].better
    assert better(f"a/html/{GRANULE}.htm") == f"a/json/{GRANULE}.json"
