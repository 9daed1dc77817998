import io

from hypothesis import given
from hypothesis import strategies as st

from engram.policy.ingestion.pieces import Piece, read, stream_lines

texts = st.lists(st.binary(max_size=12).filter(lambda line: b"\n" not in line), max_size=12).map(
    b"\n".join
)


@given(texts, st.integers(1, 30))
def test_ranges_of_a_file_share_its_lines_out(tmp_path_factory, text, size):
    path = tmp_path_factory.mktemp("lines") / "file.txt"
    path.write_bytes(text)
    runs = []
    for start in range(0, len(text), size):
        piece = Piece("", "", start, min(start + size, len(text)), url=str(path), cut=True)
        data, begin, omitted = read(piece, 1000)
        assert omitted is None
        assert text[begin : begin + len(data)] == data
        assert not data or data.endswith(b"\n") or begin + len(data) == len(text)
        runs.append(data)
    assert b"".join(runs) == text


def test_a_line_over_the_limit_is_left_out_of_a_range(tmp_path):
    path = tmp_path / "file.txt"
    text = b"one\n" + b"x" * 500 + b"\ntwo\n"
    path.write_bytes(text)
    pieces = [Piece("", "", s, s + 100, url=str(path), cut=True) for s in range(0, 600, 100)]
    results = [read(piece, 50) for piece in pieces]
    assert b"".join(data for data, _, _ in results) == b"one\ntwo\n"
    assert [omitted for _, _, omitted in results if omitted] == [
        "the line at byte 4 is over 50 bytes"
    ]


@given(texts, st.integers(13, 40))
def test_a_stream_is_cut_between_lines(text, block):
    runs = list(stream_lines(io.BytesIO(text), block))
    assert b"".join(data for _, data, _ in runs) == text
    for start, data, omitted in runs:
        assert omitted is None
        assert text[start : start + len(data)] == data
        assert len(data) <= block
    assert all(data.endswith(b"\n") for _, data, _ in runs[:-1])


@given(texts.filter(lambda text: b"L" not in text), st.integers(20, 40), st.integers(50, 200))
def test_a_line_that_is_longer_than_a_run_is_left_out_of_a_stream(text, block, length):
    whole = text + b"\n" + b"L" * length + b"\n" + text
    runs = list(stream_lines(io.BytesIO(whole), block))
    assert b"".join(data for _, data, _ in runs).replace(b"L", b"") in (
        text + b"\n" + text,
        text + b"\n\n" + text,
    )
    assert sum(omitted is not None for _, _, omitted in runs) == 1
    for start, data, _ in runs:
        assert whole[start : start + len(data)] == data
