"""What ``--do`` says: a chain of steps, done from left to right.

int8  int4  ternary        quantize after training; int8 rounds what layers read as well
qat=int8|int4|ternary      quantize while training on
prune=0.9  prune=0.9:gradual  prune=0.8:lottery  prune=2:4
channels=0.3               remove channels, so that the network is smaller and faster
channels=0.5:inside        only of those that no shortcut carries past the layers between
distill=gru:16  distill=gru  distill=gru:hidden=16+layers=1
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from shinso.faults import UsageFault
from shinso.language import _

Kind = Literal["quantize", "prune", "channels", "distill"]
BITS = {"int8": 8, "int4": 4, "ternary": 2}
HOW = ("once", "gradual", "lottery")
WHICH = ("all", "inside")
FORMS = "int8, int4, ternary, qat=int8, prune=0.9[:gradual|:lottery], prune=2:4, channels=0.3[:inside], distill=MODEL[:SIZE]"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step. text: as it was written. bits, learning: of quantizing. share, how, n_of_m: of
    pruning; how of channels, too. model, size, settings: of distilling; size is the network's width."""

    kind: Kind
    text: str
    bits: int = 0
    learning: bool = False
    share: float = 0.0
    how: str = "once"
    n_of_m: tuple[int, int] | None = None
    model: str = ""
    size: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)


def parse(text: str) -> tuple[Step, ...]:
    """The steps of ``--do``; UsageFault COMPRESS-UNKNOWN for one that there is not."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise _unknown(text, _("nothing is asked for"))
    steps = tuple(_step(word) for word in words)
    kinds = [step.kind for step in steps]
    if "quantize" in kinds[:-1]:
        raise _unknown(text, _("quantizing comes last: what is rounded would be changed again"))
    if "distill" in kinds[1:]:
        raise _unknown(
            text, _("distilling comes first: the student begins with weights of its own")
        )
    return steps


def _step(word: str) -> Step:
    name, _sign, value = word.partition("=")
    if name in BITS and not value:
        return Step(kind="quantize", text=word, bits=BITS[name])
    if name == "qat" and value in BITS:
        return Step(kind="quantize", text=word, bits=BITS[value], learning=True)
    if name == "prune":
        return _prune(word, value)
    if name == "channels":
        first, _sign, which = value.partition(":")
        which = _one_of(word, which or WHICH[0], WHICH)
        return Step(kind="channels", text=word, share=_share(word, first), how=which)
    if name == "distill" and value:
        model, _sign, size = value.partition(":")
        if "=" in size:
            settings = dict(_pair(word, part) for part in size.split("+"))
            return Step(kind="distill", text=word, model=model, settings=settings)
        return Step(kind="distill", text=word, model=model, size=size)
    raise _unknown(word, _("no step has this form"))


def _prune(word: str, value: str) -> Step:
    first, _sign, second = value.partition(":")
    if first.isdigit() and second.isdigit():
        n, m = int(first), int(second)
        if not 0 < n < m:
            raise _unknown(word, _("of every m neighbours n stay, with 0 < n < m"))
        return Step(kind="prune", text=word, n_of_m=(n, m))
    how = _one_of(word, second or HOW[0], HOW)
    return Step(kind="prune", text=word, share=_share(word, first), how=how)


def _one_of(word: str, how: str, known: Sequence[str]) -> str:
    if how not in known:
        raise _unknown(word, _("{how} is none of {all}").format(how=how, all=", ".join(known)))
    return how


def _share(word: str, value: str) -> float:
    try:
        share = float(value)
    except ValueError:
        share = -1.0
    if not 0 < share < 1:
        raise _unknown(word, _("give a share above 0 and below 1"))
    return share


def _pair(word: str, part: str) -> tuple[str, str]:
    name, sign, value = part.partition("=")
    if not sign or not name.isidentifier():
        raise _unknown(word, _("settings of the student are NAME=VALUE, joined by +"))
    return name, value


def _unknown(found: str, why: str) -> UsageFault:
    return UsageFault("COMPRESS-UNKNOWN", place="--do", found=found, why=why, next_step=FORMS)
