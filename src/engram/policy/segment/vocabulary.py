"""The forms of words in a segment, and the form at each position of a stem.

    forms       each form, with its folded form, its stem, and its code among the stem's forms
    stems       the forms of each stem in the order of their codes, joined by spaces; a stem that is
                its own and only form has no row
    codes       for a stem of several forms: the code of each of its places, in order, in parts

FTS5 has the positions of a stem; the codes, in the same order, give the form at each. The index
therefore holds every position once, and a query by stems has no extra cost.
"""

import zlib
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.policy import analyzer

Rows = Callable[..., list[tuple[Any, ...]]]
"""Runs a statement with values and returns its rows."""

SCHEMA = """
CREATE TABLE forms (
    folded TEXT NOT NULL, form TEXT NOT NULL, stem TEXT NOT NULL,
    PRIMARY KEY (folded, form)) WITHOUT ROWID;
CREATE TABLE stems (stem TEXT PRIMARY KEY, forms TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE codes (
    stem TEXT NOT NULL, part INTEGER NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (stem, part)) WITHOUT ROWID;
"""

_CHUNK = 1 << 17
"""Number of pieces of text after which their words are sorted by stem."""

_PART = 1 << 15
"""Number of codes of a stem after which they are written."""

_PIECES = 500_000
"""Maximum number of pieces of text kept with their words."""

_LAST = "\U0010ffff"


class Writer:
    """Collects the vocabulary of the texts of a segment in order, and writes it at the end.

    Memory holds the vocabulary, the codes that are not written yet, and a chunk of words.

    Args:
        insert: Runs a statement with each of some rows of values.
    """

    def __init__(self, insert: Callable[[str, Iterable[tuple[Any, ...]]], Any]) -> None:
        self._insert = insert
        self._forms: dict[str, int] = {}
        self._folded: list[str] = []
        self._stems: dict[str, int] = {}
        self._names: list[str] = []  # of each stem
        self._by_stem: list[list[str]] = []  # forms of each stem, by code
        self._forms_of = array("i")  # the number of forms of each stem
        self._stem_of, self._code_of = array("i"), array("i")  # of each form
        self._counts = np.zeros(1024, dtype=np.int64)  # places of each stem
        self._codes: dict[int, bytearray] = {}  # not yet written, of stems of several forms
        self._parts: dict[int, int] = defaultdict(int)
        self._forget()

    def add(self, text: str) -> str:
        """Add the next text or block of text.

        Args:
            text: Any text.

        Returns:
            Its terms, joined by spaces.
        """
        numbers = [*map(self._pieces.__getitem__, analyzer.pieces(text))]
        self._taken.extend(numbers)
        joined = " ".join(filter(None, map(self._joined.__getitem__, numbers)))
        if len(self._taken) >= _CHUNK:
            self._sort()
        return joined

    def finish(self) -> None:
        """Write the remaining data."""
        self._sort()
        self._write(sorted(self._codes))
        forms = sorted(
            (self._folded[number], form, self._names[self._stem_of[number]])
            for form, number in self._forms.items()
        )
        self._insert("INSERT INTO forms VALUES (?, ?, ?)", forms)
        stems = sorted(
            (stem, " ".join(self._by_stem[number]))
            for stem, number in self._stems.items()
            if self._by_stem[number] != [stem]
        )
        self._insert("INSERT INTO stems VALUES (?, ?)", stems)

    def _forget(self) -> None:
        """Start a new table of pieces."""
        self._pieces = _Numbers(self._learn)
        self._joined: list[str] = []
        self._first, self._size, self._flat = array("i"), array("i"), array("i")
        self._taken = array("i")

    def _learn(self, piece: str) -> int:
        words = analyzer.words_of(piece)
        self._first.append(len(self._flat))
        self._size.append(len(words))
        for word in words:
            number = self._forms.get(word.form)
            self._flat.append(self._form(word) if number is None else number)
        self._joined.append(" ".join([word.stem for word in words]))
        return len(self._joined) - 1

    def _form(self, word: analyzer.Word) -> int:
        """Number a form that is new."""
        number = self._forms[word.form] = len(self._forms)
        stem = self._stems.setdefault(word.stem, len(self._stems))
        if stem == len(self._by_stem):
            self._by_stem.append([])
            self._forms_of.append(0)
            self._names.append(word.stem)
        self._stem_of.append(stem)
        self._code_of.append(len(self._by_stem[stem]))
        self._by_stem[stem].append(word.form)
        self._forms_of[stem] += 1
        self._folded.append(word.folded)
        return number

    def _sort(self) -> None:
        """Sort the words of the chunk by stem, and note which form each place of a stem has."""
        if not self._taken:
            return
        taken = np.array(self._taken, dtype=np.int32)
        size = np.array(self._size, dtype=np.int32)[taken]
        start = np.array(self._first, dtype=np.int32)[taken]
        start -= np.cumsum(size, dtype=np.int32) - size
        places = np.repeat(start, size)
        places += np.arange(len(places), dtype=np.int32)
        form = np.array(self._flat, dtype=np.int32)[places]
        stem = np.array(self._stem_of, dtype=np.int32)[form]
        several = np.array(self._forms_of, dtype=np.int32) > 1
        if len(several) > len(self._counts):
            self._counts = np.append(self._counts, np.zeros(len(several), dtype=np.int64))
        counts = np.bincount(stem, minlength=len(self._counts))
        kept = several[stem]
        stem, form = stem[kept], form[kept]
        keys = (stem.astype(np.int64) << 32) + np.arange(len(stem))
        keys.sort()  # by stem, then by place: several times as fast as a stable argsort
        code = np.array(self._code_of, dtype=np.uint32)[form[keys & 0xFFFFFFFF]]
        numbers = np.flatnonzero(counts[: len(several)] * several)
        ends = 4 * np.cumsum(counts[numbers])
        data, low = memoryview(code.tobytes()), 0
        for number, high in zip(numbers.tolist(), ends.tolist(), strict=True):
            codes = self._codes.get(number)
            if codes is None:
                codes = self._codes[number] = bytearray(4 * int(self._counts[number]))
            codes += data[low:high]
            low = high
            if len(codes) >= 4 * _PART:
                self._write([number])
        self._counts += counts
        self._taken = array("i")
        if len(self._joined) > _PIECES:
            self._forget()

    def _write(self, stems: Iterable[int]) -> None:
        """Write the codes of some stems that are not written yet."""
        self._insert("INSERT INTO codes VALUES (?, ?, ?)", filter(None, map(self._row, stems)))

    def _row(self, stem: int) -> tuple[str, int, bytes] | None:
        codes = np.frombuffer(self._codes[stem], dtype=np.uint32)
        self._codes[stem] = bytearray()
        if not len(codes):
            return None
        self._parts[stem] += 1
        return self._names[stem], self._parts[stem] - 1, _packed(codes)


class _Numbers(dict[str, int]):
    """Return the number of each piece of text."""

    def __init__(self, learn: Callable[[str], int]) -> None:
        super().__init__()
        self._learn = learn

    def __missing__(self, piece: str) -> int:
        self[piece] = number = self._learn(piece)
        return number


class Vocabulary:
    """The forms of a segment, for reading.

    Args:
        rows: Runs a statement.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def stem_of(self, form: str) -> str | None:
        """Return the stem of a form; None if the segment has no such form.

        Args:
            form: An exact word in lower case.
        """
        folded = analyzer.fold(form)
        found = self._rows("SELECT stem FROM forms WHERE folded = ? AND form = ?", folded, form)
        return found[0][0] if found else None

    def forms_of(self, stem: str) -> list[str]:
        """Return the forms of a stem in the segment, by code.

        Args:
            stem: A stem in the segment.
        """
        found = self._rows("SELECT forms FROM stems WHERE stem = ?", stem)
        return found[0][0].split(" ") if found else [stem]

    def codes(self, stem: str, places: int) -> NDArray[np.int64]:
        """Return the code of the form at each position of a stem, in order.

        Args:
            stem: A stem in the segment.
            places: Number of its positions.
        """
        parts = self._rows("SELECT data FROM codes WHERE stem = ? ORDER BY part", stem)
        if not parts:
            return np.zeros(places, dtype=np.int64)
        return np.concatenate([_unpacked(part[0]) for part in parts])

    def beginning(self, prefix: str) -> dict[str, list[str]]:
        """Return the forms with a prefix, by stem.

        Args:
            prefix: The beginning of folded forms.
        """
        found: dict[str, list[str]] = defaultdict(list)
        statement = "SELECT stem, form FROM forms WHERE folded >= ? AND folded < ?"
        for stem, form in self._rows(statement, prefix, prefix + _LAST):
            found[stem].append(form)
        return dict(found)

    def stems_beginning(self, prefix: str) -> dict[str, list[str]]:
        """Return the stems with a prefix that are not their own only form, with their forms.

        Args:
            prefix: The beginning of stems.
        """
        statement = "SELECT stem, forms FROM stems WHERE stem >= ? AND stem < ?"
        return {
            stem: forms.split(" ") for stem, forms in self._rows(statement, prefix, prefix + _LAST)
        }


def _packed(codes: NDArray[np.uint32]) -> bytes:
    """Encode codes as bytes: a letter for the encoding, then the numbers."""
    small = int(codes.max()) < 256
    data = codes.astype(np.uint8).tobytes() if small else codes.tobytes()
    letter = b"b" if small else b"i"
    packed = zlib.compress(data, 6) if len(data) > 32 else data
    return letter.upper() + packed if len(packed) < len(data) else letter + data


def _unpacked(data: bytes) -> NDArray[np.int64]:
    letter, data = data[:1], data[1:]
    if letter.isupper():
        data = zlib.decompress(data)
    dtype = np.uint8 if letter in b"bB" else np.uint32
    return np.frombuffer(data, dtype=dtype).astype(np.int64)
