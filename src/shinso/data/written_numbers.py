"""Cells that people read as numbers and programs do not: what is the matter, and what to write."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from shinso.data.findings import shown
from shinso.language import _

EITHER_COMMA = r"[+-]?\d{1,3},\d{3}"  # between thousands or before decimals
THOUSANDS = r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?"
DECIMAL_COMMA = r"[+-]?(\d{1,3}(\.\d{3})+|\d+),\d+"
SPACED = r"[+-]?\d{1,3}([ '’]\d{3})+([.,]\d+)?"
PERCENT = r"([+-]?\d[\d.,]*)\s?%"
CURRENCY = r"([+-]?)[¥$€£₩]\s?(\d[\d.,]*)|([+-]?\d[\d.,]*)\s?[¥$€£₩円]"
MAGNITUDE = r"([+-]?\d+(\.\d+)?)\s?([kKMB千万億])"
ALMOST = "|".join((EITHER_COMMA, THOUSANDS, DECIMAL_COMMA, SPACED, PERCENT, CURRENCY, MAGNITUDE))
TIMES = {
    "k": 10**3, "K": 10**3, "M": 10**6, "B": 10**9, "千": 10**3, "万": 10**4, "億": 10**8,
}  # fmt: skip


def why_text(cell: str) -> tuple[str, str]:
    """Why a cell is no number, and what to write instead."""
    return rewriting(cell) or (
        _("a number is needed in this column"),
        _("mend the cell, or choose another column"),
    )


def rewriting(cell: str) -> tuple[str, str] | None:
    """The same where the cell itself shows it; None where it does not."""
    if "\n" in cell:
        return (
            _("a quoted cell begins here and runs over several lines"),
            _("close its quotes in this line"),
        )
    plain = unicodedata.normalize("NFKC", cell).strip()
    if plain != cell.strip() and _is_number(plain):
        return (_("its signs are not those of plain text (full-width, say)"), _written(plain))
    if re.fullmatch(EITHER_COMMA, plain):
        readings = {"whole": plain.replace(",", ""), "broken": plain.replace(",", ".")}
        return (
            _("the comma may separate thousands or decimals; numbers have a point or nothing"),
            _("write {whole} or {broken}, whichever is meant, in all such cells").format(
                **readings
            ),
        )
    if re.fullmatch(THOUSANDS, plain):
        return (
            _("the commas separate thousands; a number is written without them"),
            _written(plain.replace(",", "")),
        )
    if re.fullmatch(DECIMAL_COMMA, plain):
        return (
            _("the comma is a decimal comma; a decimal point is needed"),
            _written(plain.replace(".", "").replace(",", ".")),
        )
    if re.fullmatch(SPACED, plain):
        return (
            _("its digits stand in groups; a number is written without gaps, with a point"),
            _written(re.sub("[ '’]", "", plain).replace(",", ".")),
        )
    if percent := re.fullmatch(PERCENT, plain):
        return (_("the cell holds a percent sign; numbers stand alone"), _written(percent[1]))
    if currency := re.fullmatch(CURRENCY, plain):
        number = currency[3] or currency[1] + currency[2]
        return (_("the cell holds a currency sign; numbers stand alone"), _written(number))
    if magnitude := re.fullmatch(MAGNITUDE, plain):
        times = TIMES[magnitude[3]]
        return (
            _("{sign} at its end seems to mean {times:,} times; numbers stand alone").format(
                sign=magnitude[3], times=times
            ),
            _written(f"{float(magnitude[1]) * times:.15g}"),
        )
    return None


def without_unit(cells: Iterable[object]) -> tuple[str, str] | None:
    """Why cells are no numbers that all end in the same unit, and what to write instead."""
    found = [re.fullmatch(r"([+-]?\d[\d.,]*)\s?(\D+)", str(one)) for one in cells]
    units = {one[2] if one else None for one in found}
    if len(units) > 1 or found[0] is None:
        return None
    return (
        _("each cell ends in {unit}; numbers stand alone").format(unit=shown(found[0][2])),
        _written(found[0][1]),
    )


def _written(number: str) -> str:
    """What to write for a number that stood between other signs."""
    if _is_number(number):
        return _("write {plain}, in this and all such cells").format(plain=number)
    found = rewriting(number)
    return found[1] if found else _("write the number alone, in this and all such cells")


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text) is not None
