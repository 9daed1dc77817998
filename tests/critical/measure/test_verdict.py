import numpy as np
import pytest

from engram.critical.measure import bin_sweep, judge, scaling, shift_trains, shuffle_intervals
from engram.errors import EngramError
from engram.spikes import Spikes


def bursts(seed: int, n: int = 4000, m: float = 1.0) -> Spikes:
    """Avalanches of a branching process, one after the other, over 40 units."""
    rng = np.random.default_rng(seed)
    times, t = [], 1
    for _ in range(n):
        active = 1
        while active and active < 400:
            times += [t] * active
            active, t = int(rng.poisson(m * active)), t + 1
        t += 1
    times = np.array(times)
    return Spikes.from_events(
        rng.integers(0, 40, len(times)), times, (t + 1) * 1e-3, n_unit=40, dt_s=1e-3
    )


def test_a_critical_branching_process_meets_the_rule_and_its_surrogates_do_not() -> None:
    # of a finite process the durations bend; the rule is met by about half of the recordings
    verdict = judge(bursts(5, 2500), np.random.default_rng(1), bin_s=1e-3, draws=40)
    assert verdict.reasons == []
    assert verdict.critical
    laws = verdict.scaling
    assert laws.sizes.law.alpha == pytest.approx(1.5, abs=0.1)
    assert laws.durations.law.alpha == pytest.approx(2.0, abs=0.3)
    assert not any(one.reasons == [] for one in verdict.surrogates)


def test_a_subcritical_process_is_not_shown_to_be_critical() -> None:
    verdict = judge(bursts(2, m=0.7), np.random.default_rng(3), bin_s=1e-3, draws=60)
    assert not verdict.critical
    assert verdict.reasons


@pytest.mark.parametrize("shuffle", [shift_trains, shuffle_intervals])
def test_a_shuffled_recording_is_not_critical(shuffle) -> None:
    recording = bursts(4, 1500)
    rng = np.random.default_rng(5)
    for _ in range(4):
        assert not judge(shuffle(recording, rng), rng, draws=40).critical


@pytest.mark.slow
def test_a_shuffled_recording_is_critical_in_none_of_100() -> None:
    recording = bursts(6, 2500)
    rng = np.random.default_rng(7)
    for _ in range(100):
        assert not judge(shift_trains(recording, rng), rng, draws=60).critical


def test_the_sweep_has_the_widths_that_are_whole_steps() -> None:
    found = bin_sweep(bursts(8, 800), np.random.default_rng(9), bin_s=1e-3, draws=40)
    assert [round(one.bin_s / 1e-3) for one in found] == [1, 2, 4]


def test_few_avalanches_are_refused_in_words() -> None:
    rng = np.random.default_rng(10)
    few = Spikes.from_events(np.array([0, 1, 0, 1]), np.array([5, 20, 20, 70]), 0.1, n_unit=2,
                             dt_s=1e-3)  # fmt: skip
    found = scaling(few, rng, bin_s=1e-3)
    assert "a power law needs 50 or more" in found.reasons[0]
    assert not judge(few, rng, bin_s=1e-3).critical
    with pytest.raises(EngramError, match="19 or more"):
        judge(few, rng, surrogates=3)
    silent = scaling(few, rng, bin_s=1e-3, quantile=0.99)
    assert "no avalanche begins and ends" in silent.reasons[0]
