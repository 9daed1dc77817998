"""The handwritten digits in scikit-learn: data without a download."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from engram.data.dataset import DataError, Split
from engram.data.reading import Reading, require

_TEST_EXAMPLES = 360


def embedded_folder() -> Path:
    """Return the data folder of the installed scikit-learn, without importing it."""
    spec = find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise DataError("the digits are part of scikit-learn: install scikit-learn")
    return Path(spec.origin).parent / "datasets" / "data"


def read_digits(folder: Path) -> Reading:
    """Read the 1,797 images of 8 x 8 pixels, 0 to 16; the last 360 are the test split."""
    file = require(folder / "digits.csv.gz")
    try:
        table = np.loadtxt(file, delimiter=",", dtype=np.uint8)
        images = table[:, :64].reshape(-1, 8, 8)
        labels = table[:, 64].astype(np.int64)
    except (OSError, EOFError, ValueError, IndexError) as error:
        raise DataError(
            f"{file} is not scikit-learn's table of digits ({error}): reinstall scikit-learn"
        ) from error
    train = Split(images[:-_TEST_EXAMPLES], labels[:-_TEST_EXAMPLES])
    test = Split(images[-_TEST_EXAMPLES:], labels[-_TEST_EXAMPLES:])
    return Reading(train, test, files=(file,))
