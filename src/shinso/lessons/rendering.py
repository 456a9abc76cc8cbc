"""A lesson as plain text for a terminal, in the language in use."""

import unicodedata
from collections.abc import Iterator
from typing import Any

from shinso.language import Text
from shinso.lessons.lesson import Lesson, LessonStep, Numbers

_HEADINGS = {
    "given": Text(en="Given", ja="与えられるもの"),
    "forward": Text(en="Forward, step {time}", ja="順伝播、ステップ {time}"),
    "backward": Text(en="Backward, step {time}", ja="逆伝播、ステップ {time}"),
    "weights": Text(
        en="Gradients of the weights, summed over all steps",
        ja="重みの勾配 (全ステップの和)",
    ),
}
_ERROR = Text(en="Error", ja="誤差")
_QUESTIONS = Text(en="Questions", ja="確認問題")
_ANSWERS = Text(en="Answers", ja="解答")
_LETTERS = "abcdefgh"
_AGREES = Text(en="autograd: differs by {difference:.1e}", ja="自動微分との差：{difference:.1e}")
_ALL_AGREE = Text(
    en="Quantities checked: {num}. Largest difference to autograd: {difference:.1e}.",
    ja="{num} 個の量を確かめました。自動微分との差は最大 {difference:.1e} です。",
)


def render_text(lesson: Lesson, width: int = 80) -> str:
    """The lesson from top to bottom in lines of at most ``width`` columns.

    A note stands at its first use only; formulas are never broken, as a broken one misleads, so
    one longer than ``width`` runs over it.
    """
    lines = _heading_lines(str(lesson.title), "=") + _wrap(str(lesson.introduction), width)
    heading, said = "", set()
    for step in lesson.steps:
        if (now := _heading(step)) != heading:
            heading = now
            lines += ["", *_heading_lines(heading)]
        lines += _step_lines(step, width, said)
    checked = sum(step.difference is not None for step in lesson.steps)
    closing = str(_ALL_AGREE).format(num=checked, difference=lesson.largest_difference)
    return "\n".join([*lines, "", *_wrap(closing, width)]) + "\n"


def render_quiz(lesson: Lesson, width: int = 80) -> str:
    """The questions with their answers to choose from; then, apart, the right ones and why."""
    lines = [*_heading_lines(str(_QUESTIONS))]
    for number, question in enumerate(lesson.questions, start=1):
        lines += _wrap(str(question.question), width, f"{number}. ")
        for letter, answer in zip(_LETTERS, question.answers, strict=False):
            lines += _wrap(str(answer), width, f"   {letter}) ")
    lines += ["", *_heading_lines(str(_ANSWERS))]
    for number, question in enumerate(lesson.questions, start=1):
        lead = f"{number}. {_LETTERS[question.correct]}) "
        lines += _wrap(str(question.reason), width, lead)
    return "\n".join(lines) + "\n"


def _heading_lines(heading: str, rule: str = "-") -> list[str]:
    return [heading, rule * _columns(heading)]


def _heading(step: LessonStep) -> str:
    if step.phase == "forward" and step.time is None:
        return str(_ERROR)
    return str(_HEADINGS[step.phase]).format(time=step.time)


def _step_lines(step: LessonStep, width: int, said: set[Text]) -> Iterator[str]:
    shape = f"({'×'.join(map(str, step.shape)) if step.shape else '1'})"
    room = width - 2 - _columns(step.formula)
    if room > len(shape):
        yield f"  {step.formula}{shape.rjust(room)}"
    else:
        yield f"  {step.formula}"
        yield shape.rjust(width)
    yield from _number_lines(step.value, width, "      ")
    if step.difference is not None:
        yield "      " + str(_AGREES).format(difference=step.difference)
    if step.note not in said:
        said.add(step.note)
        yield from _wrap(str(step.note), width, "      ")


def _number_lines(value: Numbers, width: int, indent: str) -> Iterator[str]:
    """A vector in one row, a matrix in its rows, in columns; a long row goes on below."""
    entries: list[Any] = value if isinstance(value, list) else [value]
    rows: list[list[float]] = entries if isinstance(entries[0], list) else [entries]
    texts = [[_number(entry) for entry in row] for row in rows]
    cell = max(len(text) for row in texts for text in row) + 2
    per_line = max((width - len(indent) + 2) // cell, 1)
    for row in texts:
        for start in range(0, len(row), per_line):
            yield indent[:-2] + "".join(text.rjust(cell) for text in row[start : start + per_line])


def _number(value: float) -> str:
    if value == 0:
        return "0"
    if 1e-4 <= abs(value) < 1e4:
        return f"{value:.6f}"
    return f"{value:.3e}"


def _columns(text: str) -> int:
    """Terminal columns: wide signs (kana, kanji) take two."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


_NEVER_FIRST = "、。，．」』）,.;:!?)]"
"""Signs that a line does not begin with (kinsoku)."""


def _wrap(text: str, width: int, lead: str = "") -> list[str]:
    """Lines of at most ``width`` columns: broken at spaces, or between wide signs.

    ``lead`` stands before the first line, blanks of its width before the others.
    """
    lines, line = [], lead
    blank = " " * _columns(lead)
    for piece in _pieces(text):
        if _columns(line) + _columns(piece.rstrip()) > width and line.strip():
            lines.append(line.rstrip())
            line = blank
            piece = piece.lstrip()
        line += piece
    return [*lines, line.rstrip()]


def _pieces(text: str) -> Iterator[str]:
    """What a line break may stand between: words with their space, and single wide signs."""
    piece = ""
    for sign in text:
        wide = unicodedata.east_asian_width(sign) in "WF"
        after_break = piece and (piece[-1] == " " or wide or _columns(piece[-1]) == 2)
        if after_break and sign != " " and sign not in _NEVER_FIRST:
            yield piece
            piece = ""
        piece += sign
    if piece:
        yield piece
