import os

import numpy as np
import pytest

from engram import data
from engram.policy.relate import INDICATORS, SIX, read_csv, read_indicators


@pytest.fixture
def tables(tmp_path, monkeypatch):
    """Small tables of the same columns as the real ones."""
    folder = tmp_path / "policy"
    folder.mkdir()
    economy = ["Year,CPI,realGDPperCapita,unemployment,fedReceipts_pGDP,fedDebt_pGDP"]
    economy += [f"{1900 + i},{10 + i},{100 * 1.02**i},{5 + i % 3},0.02,{0.3 + i / 100}"
                for i in range(40) if i != 20]  # fmt: skip
    (folder / "us-economy-1774-2024.csv").write_text("\n".join(economy))
    rates = ["year,incomeTaxRate", "1913,0.01", "1913,0.07", "1914,0", "1915,0.5"]
    (folder / "us-income-tax-rates-1862-2019.csv").write_text("\n".join(rates))
    months = ["Date,Long Interest Rate"]
    months += [f"1900-{m:02}-01,{m}" for m in range(1, 13)]
    months += [f"1901-{m:02}-01,{m if m < 12 else 0}" for m in range(1, 13)]
    (folder / "shiller-monthly-1871-2023.csv").write_text("\n".join(months))
    monkeypatch.setenv("ENGRAM_DATA", str(tmp_path))
    return folder


def test_the_indicators_are_what_they_say(tables):
    series, hashes = read_indicators(list(INDICATORS))
    by_name = dict(zip(INDICATORS, series, strict=True))
    growth = dict(zip(by_name["growth"].index, by_name["growth"].values, strict=True))
    assert growth[1901] == pytest.approx(2)
    assert {1900, 1920, 1921}.isdisjoint(growth)  # a year after a gap has no growth
    assert by_name["inflation"].values[0] == pytest.approx(10)
    assert by_name["debt"].values[10] == pytest.approx(40)
    assert by_name["top-rate"].values == pytest.approx((7, 0, 50))
    assert (by_name["long-rate"].index, by_name["long-rate"].values) == ((1900,), (6.5,))
    assert hashes["us-economy-1774-2024.csv"] == data.sha256_of(data.path("us-economy"))


def test_a_table_of_ones_own_by_year_or_by_month(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("day,a,b,note\n1650-01-01,1,5,x\n1650-07-01,3,6,y\n1651-01-01,4,7,z\n")
    a, b = read_csv(path)
    assert (a.name, a.index, a.values) == ("a", (1650,), (2.0,))  # 1651 lacks its other half
    assert (b.index, b.values) == ((1650,), (5.5,))
    assert [one.name for one in read_csv(path, "day", ["b"])] == ["b"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda path: read_csv(path, columns=["c"]), r"no column \['c'\]"),
        (
            lambda path: read_csv(path, columns=["note"]),
            "line 2, column 'note' holds 'x', which is not a number",
        ),
        (
            lambda path: read_csv(path, year="note"),
            "line 2, column 'note' holds 'x', which is not a period",
        ),
        (lambda path: read_csv(path.parent / "none.csv"), "not a readable csv"),
        (lambda path: read_indicators(["inflatoin"]), "did you mean 'inflation'"),
    ],
)
def test_a_mistake_is_named(tmp_path, call, message):
    path = tmp_path / "own.csv"
    path.write_text("day,a,note\n1650-01-01,1,x\n")
    with pytest.raises(ValueError, match=message):
        call(path)


def test_a_missing_or_strange_table_is_named(tables):
    (tables / "us-economy-1774-2024.csv").write_text("Year,CPI\n1900,1\n")
    with pytest.raises(ValueError, match=r"us-economy.*not the table of debt.*fedDebt_pGDP"):
        read_indicators(["debt"])
    (tables / "us-economy-1774-2024.csv").unlink()
    with pytest.raises(ValueError, match=r"us-economy is not on this computer.*USGDPpresidents"):
        read_indicators(["debt"])


@pytest.mark.data
@pytest.mark.skipif("ENGRAM_DATA" not in os.environ, reason="ENGRAM_DATA names no data")
def test_the_real_indicators_have_known_values():
    series, _ = read_indicators([*SIX, "long-rate"])
    value = {one.name: dict(zip(one.index, one.values, strict=True)) for one in series}
    assert value["top income tax rate"][1944] == pytest.approx(94)
    assert value["top income tax rate"][1913] == pytest.approx(7)
    assert value["unemployment"][1933] == pytest.approx(22, abs=3)  # estimates differ
    assert value["federal debt"][1946] == pytest.approx(119, abs=4)
    assert value["consumer prices"][1980] == pytest.approx(13.5, abs=0.3)
    assert value["long interest rate"][1981] == pytest.approx(13.9, abs=0.3)
    assert all(np.isfinite(np.asarray(one.values)).all() for one in series)
