"""Result tables and the gates that read them."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shinso.faults import GateFault, UsageFault
from shinso.walk.gates import parse_gate
from shinso.walk.tables import ResultTable, over_seeds


def table(model: list[float], rival: float = 1.0, better: str = "min") -> ResultTable:
    rows = (
        over_seeds("persistence", [{"mse": rival}], learned=False),
        over_seeds("gru", [{"mse": value, "hit_rate": 0.5} for value in model], learned=True),
    )
    return ResultTable("test", ("mse", "hit_rate"), rows, {"mse": better})


def check_gate(found: ResultTable, model: str, gate: str) -> None:
    parse_gate(gate).check(found, model)


@pytest.mark.parametrize("gate", ["beats=persistence", "beats=naive", "mse<0.95", "mse>0.1"])
def test_met_gate_passes(gate: str) -> None:
    check_gate(table([0.9]), "gru", gate)


@pytest.mark.parametrize("gate", ["beats=persistence", "beats=naive", "mse<0.95", "mse>2"])
def test_unmet_gate_says_both_numbers(gate: str) -> None:
    with pytest.raises(GateFault) as raised:
        check_gate(table([1.1]), "gru", gate)
    assert raised.value.exit_code == 4
    assert "1.1" in raised.value.found


def test_equal_is_not_better() -> None:
    with pytest.raises(GateFault):
        check_gate(table([1.0]), "gru", "beats=persistence")


def test_seeds_must_beat_with_their_whole_interval() -> None:
    check_gate(table([0.90, 0.91, 0.92]), "gru", "beats=persistence")
    with pytest.raises(GateFault):
        check_gate(table([0.7, 0.9, 1.1]), "gru", "beats=persistence")


def test_larger_may_be_better() -> None:
    check_gate(table([1.1], better="max"), "gru", "beats=persistence")
    with pytest.raises(GateFault):
        check_gate(table([0.9], better="max"), "gru", "beats=persistence")


@pytest.mark.parametrize("gate", ["better", "beats=nobody", "mze<1", "mse<much", "mse"])
def test_unknown_gate_is_a_usage_fault(gate: str) -> None:
    with pytest.raises(UsageFault, match="GATE-UNKNOWN"):
        check_gate(table([1.0]), "gru", gate)


@pytest.mark.parametrize("gate", ["bats=persistence", "mse<much", "mse<nan", "<1", "mse", ""])
def test_a_gate_of_no_form_is_told_before_there_is_a_table(gate: str) -> None:
    with pytest.raises(UsageFault, match="GATE-UNKNOWN"):
        parse_gate(gate)


@pytest.mark.parametrize("gate", ["beats=go", "beats=naive"])
def test_a_row_without_the_metric_is_not_beaten(gate: str) -> None:
    found = table([0.9])
    rows = (over_seeds("go", [{"hit_rate": 0.1}], learned=False), found.rows[1])
    with pytest.raises(UsageFault, match="GATE-UNKNOWN") as raised:
        check_gate(dataclasses.replace(found, rows=rows), "gru", gate)
    assert "has mse" in raised.value.found or "no mse" in raised.value.found
    both = dataclasses.replace(found, rows=(*rows, found.rows[0]))
    check_gate(both, "gru", "beats=naive")
    with pytest.raises(UsageFault, match="rows with it are: persistence"):
        check_gate(both, "gru", "beats=go")


def test_cells_mark_the_best_and_show_the_interval() -> None:
    head, naive, model = table([0.8, 0.9]).cells()
    assert head == ["", "mse", "hit_rate"]
    assert naive == ["persistence", "1", ""]
    assert model[1].startswith("0.85 ± ")
    assert model[1].endswith(" *")
    assert "| gru |" in table([0.8, 0.9]).markdown().replace("gru |", "gru |")


def test_html_escapes_names() -> None:
    row = over_seeds("<script>", [{"m": 1.0}], learned=False)
    page = ResultTable("t", ("m",), (row,), {}).as_html()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


@given(values=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=8))
def test_interval_holds_the_mean_holds_for_any_seeds(values: list[float]) -> None:
    row = over_seeds("m", [{"x": value} for value in values], learned=True)
    cell = row.values["x"]
    assert cell.low <= cell.value + 1e-6
    assert cell.value <= cell.high + 1e-6
    assert cell.value == pytest.approx(math.fsum(values) / len(values), abs=1e-6)
    assert row.seeds == len(values)
