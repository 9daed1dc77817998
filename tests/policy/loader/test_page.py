"""Pages: every word has one owner, and nobody gets the words of another."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.policy.loader import LOADERS, Material
from engram.policy.loader.page import Part, part

TRIAL = """
      PROVIDING FOR RELATED PROCEDURES CONCERNING THE ARTICLES OF
                              IMPEACHMENT

  Mr. Chief Justice, I send a resolution to the desk and ask that it be
read.
  The CHIEF JUSTICE. The clerk will read the resolution.
  The legislative clerk read as follows:

       A resolution (S. Res. 483) to provide for procedures.

  The CHIEF JUSTICE. The resolution is arguable by the parties.
  Mr. Manager Schiff, are you a proponent of this motion?
  Mr. Manager SCHIFF. Mr. Chief Justice, the House managers are in
opposition.
  Mr. Schiff is my name, and Mr. SEKULOW's words
  Mr. Cipollone said so.
  Mr. Counsel CIPOLLONE. We are a proponent of the motion.

                              {time}  1400

  It is very difficult to sit there.
  Mr. DORGAN addressed the Chair.
  What follows has no heading.
"""


def words(text):
    return Counter(re.findall(r"[\w']+", text))


def said(page):
    found = Counter()
    for turn in page.turns:
        found[turn.speaker] += len(turn.text.split())
    return found


def test_the_words_of_a_trial_are_those_of_a_count_by_hand():
    page = part([Part(TRIAL)])
    assert said(page) == {
        "The CHIEF JUSTICE": 9 + 10 + 10,
        "Mr. Manager SCHIFF": 12 + 9 + 4,
        "Mr. Counsel CIPOLLONE": 10 + 7,
    }
    assert "Mr. Chief Justice, I send" in page.rest
    assert "What follows has no heading." in page.rest
    assert page.unresolved == []


def test_text_below_a_heading_that_names_nobody_is_nobodys_and_is_counted():
    page = part([Part("  Mr. ABLE. One two.\n  Mr. BAKER I rise to\nspeak.\n  Three.\n")])
    assert [(turn.speaker, turn.text) for turn in page.turns] == [
        ("Mr. ABLE", "Mr. ABLE. One two."),
        ("", "Mr. BAKER I rise to\nspeak.\n  Three."),
    ]
    assert page.unresolved == ["Mr. BAKER I rise to speak. Three."]


@pytest.mark.parametrize("end", ["<bullet>", "[bullet]", "•"])
def test_a_bullet_is_no_word(end):
    page = part([Part(f"  {end} Mr. LEVIN. I congratulate them.{end}\n")])
    assert [(turn.speaker, turn.text) for turn in page.turns] == [
        ("Mr. LEVIN", "Mr. LEVIN. I congratulate them.")
    ]


def test_a_remark_in_brackets_does_not_end_a_turn():
    text = "  Mr. ABLE. One.\n  (Mr. BAKER assumed the Chair.)\n  Two.\n  (Applause.)\n  Three.\n"
    page = part([Part(text)])
    assert {turn.speaker for turn in page.turns} == {"Mr. ABLE"}
    assert " ".join(turn.text for turn in page.turns).split() == (
        ["Mr.", "ABLE.", "One.", "Two.", "(Applause.)", "Three."]
    )
    assert page.rest == "(Mr. BAKER assumed the Chair.)"


@pytest.mark.parametrize(
    "end",
    [
        "  There was no objection.\n",
        "  The amendment (No. 1245), as modified, was agreed to.\n",
        "                          ____________________\n",
        "\n                        PETITIONS AND MEMORIALS\n",
        "\n\n                   amendment offered by Mr. traficant\n",
        "  Accordingly the House resolved itself into the Committee of the Whole.\n",
        "  Mr. DOYLE changed his vote from ``no'' to ``aye.''\n",
    ],
)
def test_a_turn_ends_where_the_printer_or_the_reporter_goes_on(end):
    page = part([Part(f"  Mr. ABLE. One.\n{end}\n  Two three.\n")])
    assert [turn.text for turn in page.turns] == ["Mr. ABLE. One."]
    assert "Two three." in page.rest


def test_a_subtitle_of_what_is_read_into_the_record_does_not_end_a_turn():
    page = part([Part("  Mr. ABLE. I read:\n\n              The Tax\n\n       It rises.\n")])
    assert [turn.text.split()[-1] for turn in page.turns] == ["rises."]


def test_questions_and_answers_are_not_the_speech_of_who_spoke_before():
    page = part([Part("  Mr. ABLE. I read.\n  Q. Why?\n  A. Because.\n  Mr. ABLE. So.\n")])
    assert [turn.speaker for turn in page.turns] == ["Mr. ABLE", "", "", "Mr. ABLE"]
    outline = part([Part("  Mr. ABLE. I list.\n  A. The bill.\n  B. The law.\n")])
    assert [turn.speaker for turn in outline.turns] == ["Mr. ABLE"]


def test_a_line_that_goes_on_is_no_heading():
    text = "  Mr. ABLE. The managers were Mr. SCHIFF and\nMr. NADLER. They spoke.\n"
    assert [turn.speaker for turn in part([Part(text)]).turns] == ["Mr. ABLE"]


def test_a_source_that_knows_who_speaks_is_believed_where_the_text_does_not_say():
    page = part([Part("The tax.\n", "Mr. ABLE"), Part("As follows.\n", ""), Part("And on.\n")])
    assert [(turn.speaker, turn.text) for turn in page.turns] == [("Mr. ABLE", "The tax.")]
    assert page.rest.split() == ["As", "follows.", "And", "on."]


PARAGRAPHS = """  Mr. ABLE. One two three.
  The CHIEF JUSTICE. Four.
  Mr. BAKER addressed the Chair.
  There was no objection.
  Running text.
       Printed matter.
  Mr. COLE I rise
  (Mr. DOE asked.)
  <bullet> Ms. EVE. Six.
  Q. Why?
  A. So.
<bullet>
  Messrs. FOX and GUY. No.
\n                    A TITLE IN CAPITALS\n""".splitlines()


@given(st.lists(st.sampled_from(PARAGRAPHS), max_size=12))
def test_each_word_has_one_owner(paragraphs):
    text = "\n".join(paragraphs) + "\n"
    page = part([Part(text)])
    mine = words(page.rest)
    for turn in page.turns:
        mine += words(turn.text)
    assert mine == words(text.replace("<bullet>", ""))


PAGES = Path(__file__).parent / "pages"
"""Pages of the Record, a federal work; that of 2020 is cut."""


@pytest.mark.parametrize("path", sorted(PAGES.glob("*.htm")), ids=lambda path: path.stem)
def test_a_page_gives_the_words_that_a_scan_of_its_lines_gives(path):
    said, speaker, text = Counter(), "", path.read_text().partition("<pre>")[2]
    text = re.sub(r"\n*\[\[Page[^\]]*\]\]\n*", "\n", text.partition("</pre>")[0])
    for line in text.splitlines()[5:]:
        if found := re.match(r"  ((?:The|Mr\.) [\w ]*[A-Z]{3}[\w ]*)(?: \(during.*\))?\. ", line):
            speaker = found[1]
        elif re.match(r"  (?:The legislative clerk|There was|\[Ms)| {20}", line):
            speaker = ""
        said[speaker] += len(line.split())
    loaded = Counter()
    item: Any
    for item in LOADERS["congressional-record-html"].read(
        Material(path.name, path.name, path.read_bytes())
    ):
        loaded[item.speaker or ""] += len(item.text.split())
    assert {name: count for name, count in loaded.items() if name} == {
        name: count for name, count in said.items() if name
    }
    assert len(said) > 1
