"""Back-propagation through time on a blackboard: each step's numbers, formula and shape.

A small network of the chosen cell runs forward over a few steps and then backward. Forward and
backward numbers come from formulas written out by hand; every backward number is then held
against automatic differentiation in float64, and the lesson stops where one disagrees.
"""

from shinso.language import Text
from shinso.lessons import bptt_gru, bptt_lstm, bptt_rnn
from shinso.lessons.blackboard import Blackboard
from shinso.lessons.bptt_problem import CELLS, Cell, Config, pose
from shinso.lessons.bptt_questions import QUESTIONS
from shinso.lessons.lesson import Lesson

__all__ = ["CELLS", "NAME", "TITLE", "Cell", "Config", "teach"]

NAME = "bptt"
TITLE = Text(
    en="Back-propagation through time, number by number",
    ja="BPTT (通時的誤差逆伝播) を数値で追う",
)
_WRITE = {"rnn": bptt_rnn.write, "lstm": bptt_lstm.write, "gru": bptt_gru.write}
_CELL_TITLE = Text(
    en="Back-propagation through time of {article} {cell}, number by number",
    ja="{cell} の BPTT (通時的誤差逆伝播) を数値で追う",
)
_INTRODUCTION = Text(
    en="Forward, each step makes a state from its input and the state before it. Backward, the "
    "error walks the same way in reverse, and each weight collects a share at each step. ⊙ "
    "multiplies entry by entry, ᵀ transposes, and the shape stands at the right.",
    ja="順伝播では、各ステップが入力と1つ前の状態から新しい状態を作ります。逆伝播では、誤差が同じ道を逆に"
    "たどり、重みは各ステップで勾配の寄与を集めます。⊙ は要素ごとの積、"
    "ᵀ は転置、右端は形です。",
)


def teach(config: Config) -> Lesson:
    """Compute the lesson.

    Raises LessonDisagreement (our bug) where a number derived by hand is not the one of
    automatic differentiation.
    """
    board = Blackboard()
    _WRITE[config.cell](board, pose(config))
    cell = config.cell.upper()
    article = "a" if config.cell == "gru" else "an"
    return Lesson(
        name=NAME,
        title=Text(
            en=_CELL_TITLE.en.format(article=article, cell=cell),
            ja=_CELL_TITLE.ja.format(cell=cell),
        ),
        introduction=_INTRODUCTION,
        steps=tuple(board.steps),
        questions=QUESTIONS[config.cell],
        largest_difference=board.largest_difference,
    )
