"""Words of GTP lines as numbers, colours and points; ``Refusal`` where they are none."""

from __future__ import annotations

from shinso.faults import Fault
from shinso.games.vertices import action

COLORS = {"b": 1, "black": 1, "w": 2, "white": 2}


class Refusal(Exception):
    """An answer that begins with ``?``."""


def color_of(words: list[str], at: int) -> int:
    """1 for black, 2 for white."""
    found = COLORS.get(words[at].lower()) if len(words) > at else None
    if found is None:
        raise Refusal("invalid color or coordinate")
    return found


def action_of(words: list[str], at: int, side: int) -> int:
    """A point or a pass, as an action."""
    try:
        return action(words[at], side)
    except (IndexError, Fault):
        raise Refusal("invalid color or coordinate") from None


def whole(words: list[str], at: int) -> int:
    """An integer, however it is written."""
    number = number_of(words, at)
    if not number.is_integer():
        raise Refusal("syntax error")
    return int(number)


def number_of(words: list[str], at: int) -> float:
    """A finite number; absurdly large ones are none."""
    try:
        found = float(words[at])
    except (IndexError, ValueError):
        raise Refusal("syntax error") from None
    if found != found or abs(found) > 1e9:
        raise Refusal("syntax error")
    return found
