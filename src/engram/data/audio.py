"""Spoken digits in wav files with labels in their names."""

import io
import re
import wave
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from engram.data.dataset import DataError, Split
from engram.data.reading import Reading, members, sources

_FILE_NAME = re.compile(r"(?P<digit>\d)_(?P<speaker>.+)_(?P<take>\d+)\.wav")
_TEST_TAKES = range(5)
_SAMPLE = {1: np.dtype("u1"), 2: np.dtype("<i2"), 4: np.dtype("<i4")}


class _Recording(NamedTuple):
    digit: int
    speaker: str
    take: int
    wave: np.ndarray
    sample_rate_hz: int


def decode_wav(raw: bytes, name: str) -> tuple[np.ndarray, int]:
    """Decode one mono PCM wav file of 8, 16 or 32 bits.

    Args:
        raw: The file's content.
        name: Name of the file in errors.

    Returns:
        The waveform, (n,) float32 in [-1, 1], and its samples per second.

    Raises:
        DataError: If the file is damaged, empty, or of another kind.
    """
    try:
        with wave.open(io.BytesIO(raw)) as file:
            stated, frames = file.getparams(), file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise DataError(
            f"{name} is not a readable wav file ({error}): replace it with a complete PCM copy"
        ) from error
    if stated.nchannels != 1 or stated.sampwidth not in _SAMPLE:
        raise DataError(
            f"{name} has {stated.nchannels} channels of {8 * stated.sampwidth} bits: "
            "convert it to one channel of 16 bits"
        )
    if not frames or len(frames) != stated.nframes * stated.sampwidth:
        raise DataError(
            f"{name} states {stated.nframes} samples but contains "
            f"{len(frames) // stated.sampwidth}: replace it with a complete copy"
        )
    samples = np.frombuffer(frames, _SAMPLE[stated.sampwidth]).astype(np.float64)
    half_range = 2.0 ** (8 * stated.sampwidth - 1)
    centre = half_range if stated.sampwidth == 1 else 0.0
    return ((samples - centre) / half_range).astype(np.float32), stated.framerate


def read_spoken_digits(path: Path) -> Reading:
    """Read the Free Spoken Digit Dataset: `{digit}_{speaker}_{take}.wav`.

    Args:
        path: The folder, an archive, or a folder with archives.

    Returns:
        Waveforms in order of digit, speaker and take. Takes 0 to 4 are the test split.

    Raises:
        DataError: If a file is damaged or misnamed, sample rates differ, or a split is empty.
    """
    read_from = sources(path, "*.wav")
    recordings = sorted(
        (
            _recording(PurePosixPath(name).name, raw, f"{source}: {name}")
            for source in read_from
            for name, raw in members(source, "*.wav")
        ),
        key=lambda recording: recording[:3],
    )
    rates = {recording.sample_rate_hz for recording in recordings}
    if len(rates) > 1:
        raise DataError(f"{path} mixes sample rates of {sorted(rates)} Hz: resample to one of them")
    speakers = {recording.speaker for recording in recordings}
    test = [recording for recording in recordings if recording.take in _TEST_TAKES]
    train = [recording for recording in recordings if recording.take not in _TEST_TAKES]
    if not train or not test:
        raise DataError(
            f"{path} has {len(train)} recordings to train and {len(test)} to test (takes 0 to 4): "
            "provide takes of both kinds"
        )
    return Reading(
        _split(train),
        _split(test),
        files=read_from,
        notes=(f"{len(recordings):,} recordings by {len(speakers)} speakers",),
        sample_rate_hz=float(rates.pop()),
    )


def _recording(file_name: str, raw: bytes, label: str) -> _Recording:
    match = _FILE_NAME.fullmatch(file_name)
    if match is None:
        raise DataError(
            f"{label} is not named {{digit}}_{{speaker}}_{{take}}.wav: rename or remove it"
        )
    waveform, rate = decode_wav(raw, label)
    return _Recording(int(match["digit"]), match["speaker"], int(match["take"]), waveform, rate)


def _split(recordings: list[_Recording]) -> Split:
    labels = np.array([recording.digit for recording in recordings], dtype=np.int64)
    return Split([recording.wave for recording in recordings], labels)
