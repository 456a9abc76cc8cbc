"""Numbers as a reader wants them: as many digits as they carry, signs of typography."""

from __future__ import annotations

import math
import re

from shinso.language import _

SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
SMALLEST_PLAIN = 1e-3
LARGEST_PLAIN = 1e6
FAR = 20
HYPHEN = re.compile(r"(?<![A-Za-z0-9_)\]])-(?=[.\d])")


def number(value: float | int, digits: int = 4) -> str:
    """``value`` with ``digits`` significant digits; whole numbers below a million in full."""
    if not math.isfinite(value):
        return _not_finite(value)
    if value == int(value) and abs(value) < LARGEST_PLAIN:
        return _signed(f"{int(value)}")
    if value and not SMALLEST_PLAIN <= abs(value) < LARGEST_PLAIN:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return _scientific(mantissa, int(exponent))
    decimals = max(0, digits - 1 - _exponent(value))
    return _signed(f"{value:.{decimals}f}")


def with_ends(value: float, low: float, high: float) -> tuple[str, str, str]:
    """A value and the ends of its interval, all to the same place: two digits of the width.

    Two digits of each where the ends are far apart and above zero, as of a ratio: 0.14 lies between
    0.0020 and 10.
    """
    width = high - low
    if 0 < FAR * low < high < math.inf:
        return number(value, 2), number(low, 2), number(high, 2)
    if not math.isfinite(width) or width <= 0:
        return number(value), number(low), number(high)
    largest = max(map(abs, (value, low, high)))
    scale = _exponent(largest) if not SMALLEST_PLAIN <= largest < LARGEST_PLAIN else 0
    decimals = max(0, 1 - (_exponent(width) - scale))
    spelled = [f"{part / 10.0**scale:.{decimals}f}" for part in (value, low, high)]
    if scale:
        first, second, third = (_scientific(part, scale) for part in spelled)
    else:
        first, second, third = (_signed(part) for part in spelled)
    return first, second, third


def interval(value: float, low: float, high: float) -> str:
    """``0.123 [0.101, 0.145]``; the value alone where the interval has no width."""
    centre, left, right = with_ends(value, low, high)
    return centre if low == high else f"{centre} [{left}, {right}]"


def duration(seconds: float) -> str:
    """``0.42 s``, ``38 s``, ``4 min 10 s``, ``2 h 05 min``."""
    if seconds < 10:
        return _("{seconds} s").format(seconds=f"{seconds:.2g}")
    whole = round(seconds)
    if whole < 60:
        return _("{seconds} s").format(seconds=whole)
    if whole < 3600:
        return _("{minutes} min {seconds:02d} s").format(minutes=whole // 60, seconds=whole % 60)
    return _("{hours} h {minutes:02d} min").format(hours=whole // 3600, minutes=whole % 3600 // 60)


def typeset(text: str) -> str:
    """A sentence with its numbers' hyphens as minus signs."""
    return HYPHEN.sub("−", text)


def _exponent(value: float) -> int:
    return math.floor(math.log10(abs(value))) if value else 0


def _signed(spelled: str) -> str:
    return spelled.replace("-", "−")


def _scientific(mantissa: str, exponent: int) -> str:
    return f"{_signed(mantissa)}×10{str(exponent).translate(SUPERSCRIPT)}"


def _not_finite(value: float) -> str:
    if math.isnan(value):
        return _("not a number")
    return "∞" if value > 0 else "−∞"
