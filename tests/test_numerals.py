"""Numbers on a page: no digit lost that counts, none shown that does not."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shinso import numerals


def value_of(spelled: str) -> float:
    """Back from typography to the number."""
    plain = spelled.replace("−", "-").translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
    return float(plain.replace("×10", "e"))


@pytest.mark.parametrize(
    ("value", "spelled"),
    [
        (0, "0"),
        (12, "12"),
        (3.0, "3"),
        (-2, "−2"),
        (16384, "16384"),
        (0.5, "0.5000"),
        (-0.12345, "−0.1235"),
        (98.765, "98.77"),
        (12345.678, "12346"),
        (1.5e-16, "1.500×10⁻¹⁶"),
        (-2.25e9, "−2.250×10⁹"),
        (math.nan, "not a number"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
    ],
)
def test_number_is_spelled_with_four_digits(value, spelled):
    assert numerals.number(value) == spelled


@given(st.floats(-1e300, 1e300))
def test_number_holds_for_any_value(value):
    found = value_of(numerals.number(value))
    assert found == pytest.approx(value, rel=5.1e-4, abs=0)


@pytest.mark.parametrize(
    ("value", "low", "high", "spelled"),
    [
        (0.523456, 0.498, 0.548, "0.523 [0.498, 0.548]"),
        (1234.5, 1200.0, 1269.0, "1234 [1200, 1269]"),
        (0.5, 0.5, 0.5, "0.5000"),
        (0.1, -0.02, 0.22, "0.10 [−0.02, 0.22]"),
        (2.1e-5, 1.9e-5, 2.3e-5, "2.10×10⁻⁵ [1.90×10⁻⁵, 2.30×10⁻⁵]"),
        (1.0, -math.inf, math.inf, "1 [−∞, ∞]"),
        (0.14, 0.002, 10.2, "0.14 [0.0020, 10]"),
    ],
)
def test_interval_is_spelled_to_the_place_that_its_width_gives(value, low, high, spelled):
    assert numerals.interval(value, low, high) == spelled


@given(
    centre=st.floats(-1e9, 1e9, allow_subnormal=False),
    half=st.floats(1e-12, 1e9, allow_subnormal=False),
)
def test_interval_holds_for_any_width(centre, half):
    low, high = centre - half, centre + half
    if low == high:
        return
    found = [value_of(part) for part in numerals.with_ends(centre, low, high)]
    for part, true in zip(found, (centre, low, high), strict=True):
        assert abs(part - true) <= 0.051 * (high - low) + 1e-12 * abs(true)


@pytest.mark.parametrize(
    ("seconds", "spelled"),
    [
        (0.0067, "0.0067 s"),
        (9.96, "10 s"),
        (38.2, "38 s"),
        (59.7, "1 min 00 s"),
        (250.0, "4 min 10 s"),
        (3599.8, "1 h 00 min"),
        (7500.0, "2 h 05 min"),
    ],
)
def test_duration_is_spelled_in_two_units(seconds, spelled):
    assert numerals.duration(seconds) == spelled


@pytest.mark.parametrize(
    ("typed", "set_"),
    [
        ("difference -0.01 (-.5 to +0.2)", "difference −0.01 (−.5 to +0.2)"),
        ("差は-3〜-1", "差は−3〜−1"),
        ("2026-12-01, seeds 0-2, k-1, f(x)-1", "2026-12-01, seeds 0-2, k-1, f(x)-1"),
    ],
)
def test_hyphens_before_numbers_become_minus_signs(typed, set_):
    assert numerals.typeset(typed) == set_
