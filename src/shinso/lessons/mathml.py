"""A lesson's formulas as MathML, which browsers set as mathematics and read aloud."""

from __future__ import annotations

import re
from html import escape

_TOKEN = re.compile(
    r"\s*(?:"
    r"(?P<greek>[δ∂])(?P<of>[A-Za-z]+)?|(?P<name>[A-Za-zσΣ]+)|(?P<number>[0-9]+)|(?P<sign>\S)"
    r")(?:_(?P<sub>[A-Za-z0-9]+|\{[^}]*\}))?(?P<up>[²ᵀ]?)"
)
_RAISED = {"²": "<mn>2</mn>", "ᵀ": "<mi>T</mi>"}


def mathml(formula: str) -> str:
    """``c_1 = f_1 ⊙ c_0`` as an element ``math``. What stands behind _ is lowered (in braces where it is
    more than letters and digits), ² and ᵀ are raised, and ∂E/∂u is a fraction."""
    parts: list[str] = []
    found = list(_TOKEN.finditer(formula.strip()))
    place = 0
    while place < len(found):
        fraction = [one.group().strip() for one in found[place : place + 3]]
        if len(fraction) == 3 and fraction[1] == "/" and fraction[0][0] == fraction[2][0] == "∂":
            top, bottom = (_element(found[place + n]) for n in (0, 2))
            parts.append(f"<mfrac>{top}{bottom}</mfrac>")
            place += 3
        else:
            if place and found[place]["name"] and found[place - 1]["name"]:
                parts.append('<mspace width="0.2em"/>')  # a product has no sign
            parts.append(_element(found[place]))
            place += 1
    return f'<math display="block">{"".join(parts)}</math>'


def _element(token: re.Match[str]) -> str:
    name = token["of"] or token["name"]
    base = f"<mi>{name or token['greek']}</mi>"
    if name == "Σ":
        base = "<mo>∑</mo>"
    elif token["number"]:
        base = f"<mn>{token['number']}</mn>"
    elif token["sign"]:
        # A bracket with a square behind it would not grow as its partner does.
        still = ' stretchy="false"' if token["sign"] in "()" else ""
        base = f"<mo{still}>{escape(token['sign'])}</mo>"
    scripted = _scripts(base, token["sub"], token["up"])
    return f"<mrow><mi>{token['greek']}</mi>{scripted}</mrow>" if token["of"] else scripted


def _scripts(base: str, lowered: str | None, raised: str) -> str:
    below = ""
    if lowered:
        lowered = lowered.strip("{}")
        kind = "mn" if lowered.isdigit() else "mi" if lowered.isalpha() else "mtext"
        below = f"<{kind}>{escape(lowered)}</{kind}>"
    above = _RAISED.get(raised, "")
    if below and above:
        return f"<msubsup>{base}{below}{above}</msubsup>"
    if below:
        return f"<msub>{base}{below}</msub>"
    return f"<msup>{base}{above}</msup>" if above else base
