"""What a lesson is: computed steps with their formulas, and questions to check oneself."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from shinso.language import Text

Phase = Literal["given", "forward", "backward", "weights"]
Numbers = float | list[Any]
"""A number, or lists of numbers nested as deep as the shape is long."""


@dataclass(frozen=True, kw_only=True)
class LessonStep:
    """One line on the blackboard: a quantity, its formula, and the numbers that it gives.

    phase: ``given`` inputs and weights; ``forward`` and ``backward`` through time; ``weights``
    the gradients summed over time. time: the step, from 1, or None where there is none.
    autograd, difference: what automatic differentiation gives for the same quantity and the
    largest absolute difference to it; None where nothing is differentiated.
    """

    phase: Phase
    time: int | None
    name: str
    formula: str
    shape: tuple[int, ...]
    value: Numbers
    note: Text
    autograd: Numbers | None = None
    difference: float | None = None


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question with one right answer (``answers[correct]``) and the reason why it is right."""

    question: Text
    answers: tuple[Text, ...]
    correct: int
    reason: Text

    def __post_init__(self) -> None:
        if not 2 <= len(self.answers) <= 8:
            raise ValueError(f"answers has {len(self.answers)} entries; give 2 to 8")
        if not 0 <= self.correct < len(self.answers):
            raise ValueError(
                f"correct is {self.correct}; give an index below {len(self.answers)}, "
                "the number of answers"
            )


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """A lesson, computed.

    largest_difference: between any number of the steps and automatic differentiation's.
    """

    name: str
    title: Text
    introduction: Text
    steps: tuple[LessonStep, ...]
    questions: tuple[Question, ...]
    largest_difference: float


def as_dict(lesson: Lesson) -> dict[str, Any]:
    """The lesson as what JSON can hold; each text stands in both languages under en and ja."""
    return asdict(lesson)
