from datetime import date
from typing import Any

from engram.policy.document import Document, Rejected
from engram.policy.loader import LOADERS, Material

SPEECHES = (
    b"speech_id|speech\r\n"
    b"430000001|The Senate met pursuant to law, at noon.\r\n"
    b"430000002|I move that a committee be appointed to wait upon the President | and report.\r\n"
    b"430000003|The tariff on caf\xe9 and sugar should be reduced.\r\n"
    b"430000004|A speech that no file describes.\r\n"
    b"430000005|\r\n"
    b"430000006|Its date is impossible.\r\n"
    b"430000007|Its bytes are \x81 none of Windows-1252.\r\n"
    b"a line without the separator\r\n"
)
DESCR = (
    b"speech_id|chamber|date|number_within_file|speaker|first_name|last_name|state|gender|"
    b"line_start|line_end|file|char_count|word_count\n"
    b"430000001|S|18731201|00001|The VICE PRESIDENT|Unknown|Unknown|Unknown|Special|"
    b"1|2|12011873.txt|40|8\n"
    b"430000002|S|18731201|00002|Mr. HAMLIN|Unknown|HAMLIN|Unknown|M|3|5|12011873.txt|75|14\n"
    b"430000003|H|18731202|00003|Mr. KELLEY|Unknown|KELLEY|Pennsylvania|M|1|1|12021873.txt|50|9\n"
    b"430000005|E|18731202|00005|Mr. KELLEY|Unknown|KELLEY|Unknown|M|1|1|12021873.txt|0|0\n"
    b"430000006|None|18731399|00006|Mr. KELLEY|Unknown|KELLEY|Unknown|M|1|1|12021873.txt|9|4\n"
    b"430000007|H|18731202|00007|Mr. KELLEY|Unknown|KELLEY|Unknown|M|1|1|12021873.txt|9|4\n"
)
SPEAKERS = (
    b"speakerid|speech_id|lastname|firstname|chamber|state|gender|party|district|nonvoting\n"
    b"43044451|430000002|HAMLIN|HANNIBAL|S|ME|M|R||voting\n"
)


def read(data=SPEECHES, start=0, name="hein-bound/speeches_043.txt") -> list[Any]:
    companions = {"descr": DESCR, "speakers": SPEAKERS}
    return list(LOADERS["hein"].read(Material(name, name, data, start, companions)))


def test_speeches_join_their_description_and_their_speaker():
    first, second, third = read()[:3]
    assert first.speaker == "The VICE PRESIDENT"
    assert (first.party, first.state, first.chamber) == (None, None, "senate")
    assert second == Document(
        id="hein:430000002",
        doc_type="speech",
        date=date(1873, 12, 1),
        title="",
        text="I move that a committee be appointed to wait upon the President | and report.",
        congress=43,
        chamber="senate",
        speaker="Hannibal Hamlin",
        party="Republican",
        state="ME",
        source="hein",
    )
    assert third.text == "The tariff on café and sugar should be reduced."
    assert (third.speaker, third.state) == ("Mr. KELLEY", "PA")


def test_each_bad_line_says_what_is_wrong_and_where():
    bad = [item for item in read()[3:] if item.reason != "other-encoding"]
    assert [item.reason for item in bad] == [
        "missing-field",
        "missing-field",
        "bad-date",
        "malformed-bytes",
        "malformed-record",
    ]
    assert "descr" in bad[0].detail
    position = int(bad[0].origin.rpartition(" ")[2])
    assert SPEECHES[position:].startswith(b"430000004|")


def test_a_run_of_lines_reads_as_the_file_does():
    cut = SPEECHES.index(b"430000003")
    assert read(SPEECHES[:cut]) + read(SPEECHES[cut:], cut) == read()


def test_an_id_depends_on_the_record_and_not_on_the_folder():
    names = ("hein-daily/speeches_111.txt", "plain/speeches_111.txt", "speeches_111.txt")
    ids = [[item.id for item in read(name=name)[:3]] for name in names]
    assert ids[0] == ids[1] == ids[2]
    assert read(name="hein-daily/speeches_043.txt")[1].id == "hein:430000002"


def test_the_two_editions_of_one_congress_do_not_share_ids():
    other = DESCR.replace(b"|1|2|12011873.txt", b"|700|709|12011873.txt")
    hein: Any = LOADERS["hein"]
    materials = (
        Material("a", "speeches_111.txt", SPEECHES, 0, {"descr": descr, "speakers": SPEAKERS})
        for descr in (DESCR, other)
    )
    bound, daily = (next(hein.read(material)).id for material in materials)
    assert bound != daily


def test_lines_may_end_in_returns_alone():
    returns = SPEECHES.replace(b"\r\n", b"\r")
    assert [item.id for item in read(returns)[:3]] == [item.id for item in read()[:3]]


def test_companions_stand_in_the_same_folder():
    assert LOADERS["hein"].companions("a/b/speeches_043.txt") == {
        "descr": "a/b/descr_043.txt",
        "speakers": "a/b/043_SpeakerMap.txt",
    }


def test_a_speech_that_is_not_utf8_is_taken_in_and_noted():
    items = read()
    notes = [one for one in items if isinstance(one, Rejected) and one.reason == "other-encoding"]
    assert [one.detail for one in notes] == [
        "speech 430000003 is not UTF-8; it was read as Windows-1252"
    ]
    assert "café" in next(one for one in items if getattr(one, "id", "") == "hein:430000003").text
