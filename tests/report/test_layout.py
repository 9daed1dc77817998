"""No width cuts a number, a short text or a heading."""

from io import StringIO

import pytest
from rich.cells import cell_len
from rich.console import Console

from engram.report import Report, Scalar, Table
from engram.report.layout import EDGES, PADDING, Cells, divide
from engram.report.number import column_text
from engram.report.terminal import print_report, print_table

COLUMNS = ["party", "indicator", "lag", "r", "p", "tokens", "HAC 95%", "documents with it (%)"]
PARTY, RATE = "Democratic-Republican", "top income tax rate"
ROWS = [
    (PARTY, RATE, -5, -0.18734, 6.8e-7, 19_912_720, "−0.31 to +0.06", 54.85),
    (PARTY, RATE, 5, 0.5, 0.25, 3, "−0.02 to +0.27", 100.0),
    ("Whig", "consumer prices", None, 1234.5, 1.0, None, "+0.01 to +0.24", 0.0),
]  # fmt: skip
TABLE = Table("Levels beside differences", COLUMNS, ROWS, "How to read it, in a sentence or two.")


def printed(width: int, table: Table = TABLE) -> str:
    console = Console(file=StringIO(), width=width)
    print_table(table, console)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [*range(26, 90), 100, 140, 400])
def test_no_width_cuts_a_number_or_a_name(width: int) -> None:
    text = printed(width)
    assert "…" not in text
    assert max(map(cell_len, text.splitlines())) <= width
    for i, column in enumerate(zip(*ROWS, strict=True)):
        if i != 1:  # a name of several words may be wrapped at its blanks
            assert all(cell in text for cell in column_text(column)), (width, COLUMNS[i])
    for word in " ".join((*COLUMNS, "top income tax rate")).split():
        assert word in text


@pytest.mark.parametrize("width", range(20, 200))
def test_the_blocks_hold_every_column_once_behind_the_keys(width: int) -> None:
    columns = list(zip(*ROWS, strict=True))
    rows = list(zip(*map(column_text, columns), strict=True))
    cells = Cells(COLUMNS, rows, [i in (2, 3, 4, 5, 7) for i in range(8)])
    blocks = divide(cells, width)
    keys = [0, 1, 2]  # with the lag all rows differ
    assert [i for block in blocks for i in block.columns if i not in keys] in ([3, 4, 5, 6, 7], [])
    for block in blocks:
        assert block.columns[:3] == keys
        assert sum(block.widths) + PADDING * len(block.widths) + EDGES <= width
    if width >= 160:
        assert len(blocks) == 1


def test_where_nothing_fits_rows_become_lists() -> None:
    text = printed(30)
    assert "party: Democratic-Republican" in text
    assert "tokens: 19\u202f912\u202f720" in text


def test_scalars_keep_their_digits_in_narrow_terminals() -> None:
    report = Report("toy")
    name = "r of DECREASE and federal receipts, yearly changes"
    report.add(Scalar(name, -0.134, low=-0.31, high=0.06), Scalar("n", 1_991_272))
    for width in range(32, 90):
        console = Console(file=StringIO(), width=width)
        print_report(report, console)
        assert isinstance(console.file, StringIO)
        text = console.file.getvalue()
        assert all(part in text for part in ("−0.13", "−0.31 to 0.06", "1\u202f991\u202f272"))
