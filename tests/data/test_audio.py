import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp
from scipy.io import wavfile

from engram.data import DataError, load
from engram.data.audio import decode_wav, read_spoken_digits


def encode(samples, rate=8000):
    buffer = io.BytesIO()
    wavfile.write(buffer, rate, samples)
    return buffer.getvalue()


def recordings(rate=8000):
    return {
        f"recordings/{digit}_{speaker}_{take}.wav": encode(
            np.full(10 + take, 100 * digit + take, np.int16), rate
        )
        for digit in range(10)
        for speaker in ("ada", "von_neumann")
        for take in (0, 4, 5, 11)
    }


@given(samples=hnp.arrays(np.int16, hnp.array_shapes(max_dims=1, max_side=30)))
def test_sixteen_bits_are_exact(samples):
    waveform, rate = decode_wav(encode(samples, 11025), "a.wav")
    assert rate == 11025
    assert waveform.dtype == np.float32
    assert np.array_equal(waveform * 32768, samples)


@pytest.mark.parametrize(
    ("dtype", "low", "middle", "high"),
    [
        (np.uint8, 0, 128, 255),
        (np.int16, -(2**15), 0, 2**15 - 1),
        (np.int32, -(2**31), 0, 2**31 - 1),
    ],
)
def test_every_width_spans_minus_one_to_one(dtype, low, middle, high):
    waveform, _ = decode_wav(encode(np.array([low, middle, high], dtype)), "a.wav")
    assert waveform[0] == -1
    assert waveform[1] == 0
    assert 0.99 < waveform[2] <= 1


@pytest.mark.parametrize("keep_bytes", [0, 3, 20, 43])
def test_a_damaged_header_is_named(keep_bytes):
    with pytest.raises(DataError, match=r"a\.wav is not a readable wav file"):
        decode_wav(encode(np.zeros(5, np.int16))[:keep_bytes], "a.wav")


def test_a_cut_recording_is_named():
    with pytest.raises(DataError, match=r"a\.wav states 100 samples but contains 90"):
        decode_wav(encode(np.zeros(100, np.int16))[:-20], "a.wav")


def test_an_empty_recording_is_named():
    with pytest.raises(DataError, match=r"a\.wav states 0 samples"):
        decode_wav(encode(np.zeros(0, np.int16)), "a.wav")


def test_stereo_is_refused():
    with pytest.raises(DataError, match="2 channels of 16 bits: convert it to one channel"):
        decode_wav(encode(np.zeros((5, 2), np.int16)), "a.wav")


def test_float_samples_are_refused():
    with pytest.raises(DataError, match="not a readable wav file"):
        decode_wav(encode(np.zeros(5, np.float32)), "a.wav")


def test_takes_0_to_4_test_in_every_form(keep):
    dataset = load("spoken-digits", folder=keep(recordings()))
    assert dataset.train.labels.tolist() == [digit for digit in range(10) for _ in range(4)]
    assert [len(wave) for wave in dataset.train.inputs[:4]] == [15, 21, 15, 21]
    assert [len(wave) for wave in dataset.test.inputs[:4]] == [10, 14, 10, 14]
    assert dataset.test.inputs[2][0] * 32768 == 0
    assert dataset.sample_rate_hz == 8000
    assert dataset.notes[0] == "80 recordings by 2 speakers"


def write(folder, files):
    for name, raw in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(raw)
    return folder


def test_mixed_sample_rates_are_refused(tmp_path):
    files = recordings() | {"recordings/0_eve_0.wav": encode(np.zeros(5, np.int16), 16000)}
    with pytest.raises(DataError, match=r"sample rates of \[8000, 16000\] Hz"):
        read_spoken_digits(write(tmp_path, files))


def test_a_misnamed_file_is_named(tmp_path):
    files = recordings() | {"recordings/hello.wav": encode(np.zeros(5, np.int16))}
    with pytest.raises(DataError, match=r"hello\.wav is not named"):
        read_spoken_digits(write(tmp_path, files))


def test_takes_of_both_kinds_are_needed(tmp_path):
    files = {name: raw for name, raw in recordings().items() if "_4" in name or "_0" in name}
    with pytest.raises(DataError, match="0 recordings to train and 40 to test"):
        read_spoken_digits(write(tmp_path, files))
