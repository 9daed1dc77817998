"""The ledger equals a count by hand, and the published arithmetic of a read."""

import json

import pytest
import torch

from engram.cli import main
from engram.errors import EngramError
from engram.memristor.device import Range
from engram.memristor.energy import Activity, Circuit, activity, inference, total_j, writing
from tests.memristor.test_layer import network, picture_network


def test_a_layer_by_hand():
    """2 of 4 inputs and the bias are active; 3 outputs; 2 passes; each constant by itself."""
    layer = Activity(1, inputs=5, outputs=3, places=1, active=3.0, drawn=4)
    circuit = Circuit(0.2, 1e-8, 1e-13, 1e-15, vote_j=1e-14, adc_j=1e-12)
    found = {term.operation: term for term in inference([layer], Range(1e-5, 3e-5), 2, circuit)}
    # 2 passes × 3 rows × 3 pairs, at 0.2² V² × 40 µS × 10 ns
    assert found["read"].events == 18
    assert found["read"].energy_j == pytest.approx(18 * 0.04 * 4e-5 * 1e-8, rel=1e-12)
    # each pair has two cells on the row
    assert found["driver"].events == 6
    assert found["driver"].energy_j == pytest.approx(36 * 1e-15 * 0.04, rel=1e-12)
    # 2 passes × (3 outputs + 4 inputs drawn as bits)
    assert found["comparator"].events == 14
    assert found["comparator"].energy_j == pytest.approx(14e-13, rel=1e-12)
    assert found["digital"].energy_j == pytest.approx(6e-14, rel=1e-12)
    assert found["converter"].events == 0
    assert total_j(list(found.values())) == pytest.approx(
        2.88e-13 + 1.44e-15 + 1.4e-12 + 6e-14, rel=1e-12
    )


@pytest.mark.parametrize(("share", "femtojoules"), [(0.13, 54), (0.5, 205)])
def test_a_read_of_the_ramp_device(share, femtojoules):
    """0.1 V, 10 ns, G⁺ + G⁻ of 4.1 mS: 54 and 205 fJ for each product, at N = 1."""
    layer = Activity(1, inputs=1000, outputs=10, places=1, active=1000 * share)
    (read,) = [
        term
        for term in inference([layer], Range(1.637e-3, 2.469e-3), 1)
        if term.operation == "read"
    ]
    assert 1e15 * read.energy_j / layer.products == pytest.approx(femtojoules, rel=0.02)


def test_active_rows_are_counted():
    x = torch.tensor([[1.0, 1.0, 0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0, 0.0, 0.0]])
    first, second = activity(network(), x)
    assert first == Activity(1, 7, 5, 1, 4.0, 6)
    assert (second.inputs, second.outputs, second.drawn) == (6, 3, 0)
    assert 1 <= second.active <= 6


def test_places_of_a_convolution_by_a_loop():
    x = (torch.rand(3, 2, 5, 5, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    first, _ = activity(picture_network(), x)
    padded = torch.nn.functional.pad(x, (1, 1, 1, 1))
    rows = sum(
        float(padded[:, :, i : i + 3, j : j + 3].sum()) for i in (0, 2, 4) for j in (0, 2, 4)
    )
    assert first.places == 9
    assert first.active == pytest.approx(rows / 3 + 9, rel=1e-12)
    assert first.products == 19 * 4 * 9


@pytest.mark.parametrize(("layers", "passes"), [([], 1), ([Activity(1, 2, 2, 1, 1.0)], 0)])
def test_nothing_to_count_is_refused(layers, passes):
    with pytest.raises(EngramError, match="give at least one of each"):
        inference(layers, Range(1e-5, 2e-5), passes)


def test_impossible_constants_are_refused():
    with pytest.raises(EngramError, match=r"comparator_j=-1\.0: give a finite number"):
        Circuit(comparator_j=-1.0)


def test_converters_take_the_place_of_comparators():
    layer = Activity(1, inputs=5, outputs=3, places=2, active=3.0, drawn=4)
    terms = inference([layer], Range(1e-5, 3e-5), 2, Circuit(adc_j=1e-12), converters=True)
    found = {term.operation: term for term in terms}
    assert (found["converter"].events, found["comparator"].events) == (12, 8)
    assert found["converter"].energy_j == pytest.approx(12e-12, rel=1e-12)


def test_a_pulse_of_a_weight_is_one_on_each_device():
    assert writing(3, 2.5, Circuit(write_j=1e-12)) == (3, "write", 5.0, pytest.approx(5e-12))
    with pytest.raises(EngramError, match="pulses=-1"):
        writing(1, -1)


def test_the_command_prints_the_ledger(capsys):
    words = ["memristor", "energy", "--layers", "4", "3", "--active", "0.5", "--passes", "2"]
    assert main([*words, "--range-us", "10", "30", "--pulses", "7", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    layer = Activity(1, inputs=5, outputs=3, places=1, active=3.0, drawn=4)
    expected = [*inference([layer], Range(1e-5, 3e-5), 2), writing(1, 7)]
    assert [tuple(term.values()) for term in content["terms"]] == [
        pytest.approx(tuple(term)) for term in expected
    ]
    assert content["total_j"] == pytest.approx(total_j(expected))
    assert content["products"] == 15
    assert main(words) == 0
    text = capsys.readouterr().out
    assert "for each of 15 products" in text
    assert "comparator" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--layers", "4"], "give two widths or more"),
        (["--active", "0.5"], "give one number for each of 2 layers"),
        (["--active", "0.5", "13"], "such as 0.13 for 13 %"),
        (["--pulses", "1"], "give one number for each of 2 layers"),
        (["--range-us", "30", "10"], "a lower and a higher conductance"),
    ],
)
def test_the_command_refuses_what_cannot_be(words, said, capsys):
    assert main(["memristor", "energy", *words]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
