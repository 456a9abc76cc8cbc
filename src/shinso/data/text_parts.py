"""A text in three parts: its beginning to learn from, what follows to choose by, its end to test on."""

from __future__ import annotations

from fractions import Fraction


def text_in_parts(text: str, shares: tuple[Fraction, Fraction, Fraction]) -> tuple[str, str, str]:
    """Cut behind the line in which each share of the letters ends; where that is the last one, behind
    a word of it, and within the word where it has no blank: a text may be a single line."""
    first, second = _end(text, shares[0]), _end(text, shares[0] + shares[1])
    second = max(first, second)
    return text[:first], text[first:second], text[second:]


def _end(text: str, share: Fraction) -> int:
    wanted = int(len(text) * share)
    for sign in "\n ":
        end = text.find(sign, wanted) + 1
        if 0 < end < len(text):
            return end
    return wanted
