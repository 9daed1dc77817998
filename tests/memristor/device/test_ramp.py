"""Ramps from tables: both forms, units, and what is refused."""

import numpy as np
import pytest

from engram.errors import EngramError
from engram.memristor.device import Reading, read_ramps

WIDE = "a,b\n1e-4,5e-4\n2e-4,4e-4\n3e-4,3e-4\n4e-4,\n"


def table(folder, text, name="ramps.csv"):
    path = folder / name
    path.write_text(text)
    return path


def test_currents_in_columns_of_unequal_length(tmp_path):
    rising, falling = read_ramps([table(tmp_path, WIDE)], Reading("current", read_voltage_v=0.1))
    np.testing.assert_allclose(rising.conductance_s, [1e-3, 2e-3, 3e-3, 4e-3], rtol=1e-12)
    np.testing.assert_allclose(falling.conductance_s, [5e-3, 4e-3, 3e-3], rtol=1e-12)
    assert rising.rising
    assert not falling.rising
    assert rising.name == "ramps.csv:a"


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_long_table_with_and_without_numbers_of_ramps(tmp_path, mark):
    rows = [("1", "1", "20"), ("1", "2", "30"), ("1", "3", "45"), ("2", "1", "45"),
            ("2", "2", "30"), ("2", "3", "10")]  # fmt: skip
    text = "\n".join(mark.join(row) for row in [("Ramp", "Pulse", "G"), *rows])
    path = table(tmp_path, text)
    for ramp in ("Ramp", None):
        reading = Reading("conductance", "u", value="G", pulse="Pulse", ramp=ramp)
        first, second = read_ramps([path], reading)
        np.testing.assert_allclose(first.conductance_s, [20e-6, 30e-6, 45e-6], rtol=1e-12)
        np.testing.assert_allclose(second.conductance_s, [45e-6, 30e-6, 10e-6], rtol=1e-12)


@pytest.mark.parametrize(
    ("text", "reading", "said"),
    [
        (WIDE, Reading(), None),
        (WIDE, Reading("current"), "read_voltage_v=None"),
        (WIDE, Reading("current", read_voltage_v=0.0), "read_voltage_v=0.0"),
        (WIDE, Reading("current", read_voltage_v=1e-4), "4 S; conductances are between"),
        (WIDE, Reading(prefix="k"), "prefix='k'"),
        (WIDE, Reading(value="G"), "no column 'G'; it has 'a', 'b'"),
        ("", Reading(), "is empty"),
        ("a\n", Reading(), "is empty"),
        ("a\n1e-6\nnan\n3e-6\n", Reading(), "row 3, column a: 'nan' is not a finite number"),
        ("a\n1e-6\n\n", Reading(), "has 1 values"),
        ("a,b\n1e-6,1e-6\n,2e-6\n3e-6,3e-6\n", Reading(), "row 3, column a: ''"),
        ("a\n-1e-6\n2e-6\n3e-6\n", Reading(), "goes from -1e-06"),
        ("a\n1e-6\n2e-6\n1e-6\n", Reading(), "ends where it starts"),
    ],
)
def test_impossible_tables_are_refused(tmp_path, text, reading, said):
    path = table(tmp_path, text)
    if said is None:
        assert len(read_ramps([path], reading)) == 2
        return
    with pytest.raises(EngramError, match=said.replace("(", r"\(")):
        read_ramps([path], reading)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(EngramError, match=r"none\.csv could not be read"):
        read_ramps([tmp_path / "none.csv"], Reading())
