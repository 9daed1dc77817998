"""Headings as the Record prints them, and as users of other parsers report them."""

import pytest

from engram.policy.loader.heading import Paragraph, opening

HEADINGS = {
    "Mr. Manager RASKIN. Mr. President,": "Mr. Manager RASKIN",
    "Ms. Manager DeGETTE. Mr. President,": "Ms. Manager DeGETTE",
    "Mr. Manager CASTRO of Texas. Mr. President,": "Mr. Manager CASTRO of Texas",
    "Mr. Counsel CIPOLLONE. Thank you,": "Mr. Counsel CIPOLLONE",
    "MR. WOODALL. I yield": "Mr. WOODALL",
    "MS. NORTON. I yield": "Ms. NORTON",
    "Mr WOODALL. I yield": "Mr WOODALL",
    "Miss McMORRIS. I rise": "Miss McMORRIS",
    "Pope FRANCIS. Mr. Vice President,": "Pope FRANCIS",
    "His Holiness Pope FRANCIS. Mr. Speaker,": "His Holiness Pope FRANCIS",
    "Her Majesty Queen BEATRIX. Mr. Speaker,": "Her Majesty Queen BEATRIX",
    "His Excellency Volodymyr ZELENSKYY. Dear": "His Excellency Volodymyr ZELENSKYY",
    "Ranking Member JORDAN. I rise": "Ranking Member JORDAN",
    "Doctor BURGESS. I rise": "Doctor BURGESS",
    "Lady THATCHER. I rise": "Lady THATCHER",
    "Senator-elect SMITH. I rise": "Senator-elect SMITH",
    "Madam Speaker PELOSI. I rise": "Madam Speaker PELOSI",
    "Mr. Chief Justice ROBERTS. Senators": "Mr. Chief Justice ROBERTS",
    "Dr. FRIST. I rise": "Dr. FRIST",
    "Senator KENNEDY. I rise": "Senator KENNEDY",
    "Delegate NORTON. I rise": "Delegate NORTON",
    "Ms. De La CRUZ. I rise": "Ms. De La CRUZ",
    "Mr. de la GARZA. I rise": "Mr. de la GARZA",
    "Mr. DE LA GARZA. I rise": "Mr. DE LA GARZA",
    "Mr. ten EYCK. I rise": "Mr. ten EYCK",
    "Mr. VAN HOLLEN. I rise": "Mr. VAN HOLLEN",
    "Mr. St GERMAIN. I rise": "Mr. St GERMAIN",
    "Mr. ST. GERMAIN. I rise": "Mr. ST. GERMAIN",
    "Mr. LaHOOD. I rise": "Mr. LaHOOD",
    "Mr. DesJARLAIS. I rise": "Mr. DesJARLAIS",
    "Mr. O'NEILL. I rise": "Mr. O'NEILL",
    "Mr. O’NEILL. I rise": "Mr. O’NEILL",
    "Mr. WU. I rise": "Mr. WU",
    "Ms. MILLENDER-McDONALD. I rise": "Ms. MILLENDER-McDONALD",
    "Ms. VELÁZQUEZ. I rise": "Ms. VELÁZQUEZ",
    "Ms. VELA\u0301ZQUEZ. I rise": "Ms. VELÁZQUEZ",
    "Mr. GUTIéRREZ. I rise": "Mr. GUTIéRREZ",
    "Ms. LINDA T. SÁNCHEZ of California. I rise": "Ms. LINDA T. SÁNCHEZ of California",
    "Mr. C.W. BILL YOUNG of Florida. I rise": "Mr. C.W. BILL YOUNG of Florida",
    "Mr. Joe BARTON of Texas. I rise": "Mr. Joe BARTON of Texas",
    "Mr. KING of New\nYork. I rise": "Mr. KING of New York",
    "Mr. SABLAN of the Northern Mariana Islands. I": "Mr. SABLAN of the Northern Mariana Islands",
    "Mr. SMITH, of Georgia. I rise": "Mr. SMITH, of Georgia",
    "Mr. SMITH, Jr. I rise": "Mr. SMITH, Jr",
    "Mr. SMITH, Jr., of Ohio. I rise": "Mr. SMITH, Jr., of Ohio",
    "Mr. FIELDS III. I rise": "Mr. FIELDS III",
    "Mr. GONZALEZ (during the reading). Madam": "Mr. GONZALEZ",
    "Mr. BROWN of Ohio (during the\nreading). Madam": "Mr. BROWN of Ohio",
    "Mr. HATCH [continuing]. I rise": "Mr. HATCH",
    "Mr. LEVIN, continuing. I rise": "Mr. LEVIN",
    "Mr. ISSA [presiding]. Order": "Mr. ISSA",
    "Mr. SMITH: I rise": "Mr. SMITH",
    "Mr. SMITH.--I rise": "Mr. SMITH",
    "Mr. SMITH. ``The bill": "Mr. SMITH",
    "Mr. SMITH.I rise": "Mr. SMITH",
    "Mr. CONYERS, Mr. Speaker, I am pleased": "Mr. CONYERS",
    "Mr.SMITH. I rise": "Mr. SMITH",
    "Mr.\u00a0SMITH. I rise": "Mr. SMITH",
    "Mr. O´NEILL. I rise": "Mr. O´NEILL",
    "Speaker GINGRICH. I rise": "Speaker GINGRICH",
    "Vice President CHENEY. I rise": "Vice President CHENEY",
    "The Reverend Dr. OGILVIE. Let us": "The Reverend Dr. OGILVIE",
    "The Rev. JOHN DOE. Let us": "The Rev. JOHN DOE",
    "The CHAPLAIN. Let us": "The CHAPLAIN",
    "Messrs. SMITH and JONES. We rise": "Messrs. SMITH and JONES",
    "Messrs. SMITH, JONES, and BROWN of Ohio. Aye": "Messrs. SMITH, JONES, and BROWN of Ohio",
    "Mr. SMITH and Mrs. JONES. We rise": "Mr. SMITH and Mrs. JONES",
    "The CHIEF JUSTICE. The clerk": "The CHIEF JUSTICE",
    "The SPEAKER. The Chair": "The SPEAKER",
    "The SPEAKER PRO TEMPORE. Under": "The SPEAKER PRO TEMPORE",
    "The SPEAKER pro tempore (Mr. Poe). Without": "The SPEAKER pro tempore (Mr. Poe)",
    "The Speaker pro tempore. Without": "The Speaker pro tempore",
    "The PRESIDING OFFICER [Ms. Collins]. Without": "The PRESIDING OFFICER [Ms. Collins]",
    "THE PRESIDING OFFICER. Without": "THE PRESIDING OFFICER",
    "The ACTING PRESIDENT pro tempore. The": "The ACTING PRESIDENT pro tempore",
    "The Acting CHAIR. The": "The Acting CHAIR",
    "The CHAIRWOMAN. The": "The CHAIRWOMAN",
    "The VICE PRESIDENT. The": "The VICE PRESIDENT",
    "The PRESIDENT of the United States. Mr. Speaker": "The PRESIDENT of the United States",
    "The legislative CLERK. The": "The legislative CLERK",
    "SEVERAL SENATORS. Vote!": "SEVERAL SENATORS",
    "Several Senators. Vote!": "Several Senators",
    "A MEMBER. No": "A MEMBER",
    "Ms. De La Cruz. Mr. Speaker, I rise": "Ms. De La Cruz",
    "Mr. de la Garza of Texas. Madam President, I ask": "Mr. de la Garza of Texas",
}
REPORTER = (
    "Mr. DORGAN addressed the Chair.",
    "Mr. MEEK of Florida changed his vote from ``aye'' to ``no.''",
    "Messrs. RYAN of Wisconsin, SALAZAR, and MACK, and Mrs. BONO changed their vote",
    "Ms. McKINNEY led the Pledge of Allegiance as follows:",
    "Mr. WARNER, from the Committee on Rules, reported the following resolution:",
    "Mr. LEAHY (for himself and Mr. HATCH) submitted the following resolution:",
    "Mr. SMITH moved to reconsider the vote.",
    "The SPEAKER pro tempore laid before the House the following communication",
    "The PRESIDENT pro tempore led the Pledge of Allegiance",
    "[Ms. FURSE. addressed the House. Her remarks will appear hereafter.]",
    "(Mr. BURR assumed the Chair.)",
    "(The PRESIDING OFFICER resumed the chair.)",
)
TEXT = (
    "Mr. Smith. He said",
    "Mr. Smith. Mr. Speaker Gingrich said",
    "Mr. Speaker. Mr. Speaker, I object",
    "Mr. O'Rourke. He said",
    "Mr. Cipollone, are you a proponent",
    "Mr. Speaker, I rise",
    "MR. SPEAKER, I RISE TODAY",
    "Madam President, I ask",
    "The President. He is wrong.",
    "The PATRIOT Act. It gives",
    "The IRS. It is wrong.",
    "The SPEAKERS we heard",
    "Senator Kennedy. He said",
    "General Motors. It builds",
    "(Applause.)",
    "[Laughter.]",
    "A BILL. It says",
    "CAFTA. It is",
    "The vote was taken by electronic device",
)
UNRESOLVED = (
    "Mr. SMITH I rise to speak",
    "Mr. SMITH (during the reading. I rise",
    "Ms. MOORE of Wisconsin, I rise",
    "Mr. SMITH 12 votes",
)


@pytest.mark.parametrize(("line", "speaker"), HEADINGS.items())
def test_a_heading_names_its_speaker(line, speaker):
    opened = opening(line)
    assert (opened.kind, opened.speaker) == (Paragraph.HEADING, speaker)


@pytest.mark.parametrize("line", REPORTER)
def test_a_sentence_about_a_member_is_the_reporters(line):
    assert opening(line).kind is Paragraph.REPORTER


@pytest.mark.parametrize("line", TEXT)
def test_running_text_is_no_heading(line):
    assert opening(line).kind is Paragraph.TEXT


@pytest.mark.parametrize("line", UNRESOLVED)
def test_what_looks_like_a_heading_and_names_nobody_is_unresolved(line):
    assert opening(line).kind is Paragraph.UNRESOLVED
