"""The small problem that every BPTT lesson solves: inputs, targets, output layer and error.

All cells share the last part: v_t = W_out s_t + c is the output before its sigmoid, with s_t the
cell's state, y_t = σ(v_t), and E = Σ_t (d_t − y_t)²/2. Numbers are float64; inputs and weights
are rounded to one and two decimals, so that a learner can redo each line by hand.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float64
from torch import Tensor

from shinso.language import Text
from shinso.lessons.blackboard import Blackboard
from shinso.settings import setting

Cell = Literal["rnn", "lstm", "gru"]
CELLS: tuple[Cell, ...] = ("rnn", "lstm", "gru")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which numbers are computed."""

    cell: Cell = setting("rnn", "what walks through time")
    hidden: int = setting(2, "width of the state")
    steps: int = setting(3, "length of the sequence")
    inputs: int = setting(2, "width of an input")
    seed: int = setting(0, "draws inputs, targets and weights")

    def __post_init__(self) -> None:
        if self.cell not in CELLS:
            raise ValueError(f"cell is {self.cell!r}; choose one of {', '.join(CELLS)}")
        for name in ("hidden", "steps", "inputs"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; give at least 1")
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed is {self.seed}; give 0 to 2^63 − 1")


@dataclass(frozen=True)
class Problem:
    """x: inputs in −1…1; d: targets, 0 or 1; rng draws the weights next."""

    config: Config
    x: Float64[Tensor, "steps inputs"]
    d: Float64[Tensor, "steps 1"]
    rng: torch.Generator

    def weight(self, *shape: int) -> Tensor:
        """A weight to learn, from N(0, 0.25), rounded to two decimals."""
        drawn = 0.5 * torch.randn(shape, generator=self.rng, dtype=torch.float64)
        return drawn.round(decimals=2).requires_grad_()

    def zeros(self) -> Float64[Tensor, " hidden"]:
        """A state before the first step."""
        return torch.zeros(self.config.hidden, dtype=torch.float64)


def pose(config: Config) -> Problem:
    """The problem of ``config.seed``."""
    rng = torch.Generator().manual_seed(config.seed)
    x = 2 * torch.rand(config.steps, config.inputs, generator=rng, dtype=torch.float64) - 1
    d = torch.randint(2, (config.steps, 1), generator=rng).to(torch.float64)
    return Problem(config=config, x=x.round(decimals=1), d=d, rng=rng)


_INPUT = Text(
    en="An input; inputs are numbers, so no gradient is needed for them.",
    ja="入力です。入力は学習しないので、勾配は要りません。",
)
_TARGET = Text(en="The target of this step.", ja="このステップの正解です。")
_WEIGHT = Text(
    en="A weight: the same at every step.", ja="重みです。どのステップでも同じものを使います。"
)
_OUTPUT = Text(
    en="The output before its sigmoid, read from the state.",
    ja="シグモイドを通る前の出力です。状態から読み出します。",
)
_ANSWER = Text(en="The answer, between 0 and 1.", ja="0 から 1 の間の答えです。")
_ERROR = Text(
    en="One number for the whole sequence; everything below is its derivative.",
    ja="系列全体の誤差を表す1つの数です。以下はすべてこの数の微分です。",
)
_DELTA_OUT = Text(
    en="σ′(v) = y(1 − y): taken of the output y once, not of σ(y). This is where the course's "
    "binary addition goes astray.",
    ja="σ′(v) = y(1 − y) です。y をもう一度 σ に通した σ(y)(1 − σ(y)) ではありません。講座の"
    "2進数の足し算はここで誤っています。",
)
_SUM = Text(
    en="The weight is shared over time, so its gradient is the sum of each step's share.",
    ja="重みは全ステップで共有されるので、勾配は各ステップの寄与の和になります。",
)


def write_given(board: Blackboard, problem: Problem, weights: Mapping[str, Tensor]) -> None:
    """Inputs, targets and weights."""
    for t, (x, d) in enumerate(zip(problem.x, problem.d, strict=True), start=1):
        board.given(f"x_{t}", x, _INPUT)
        board.given(f"d_{t}", d, _TARGET)
    for name, weight in weights.items():
        board.given(name, weight, _WEIGHT)


def write_output(
    board: Blackboard, t: int, state: Tensor, weights: Mapping[str, Tensor], symbol: str, bias: str
) -> Float64[Tensor, " 1"]:
    """v_t and y_t from the state, whose ``symbol`` (z or h) and output ``bias`` the cell names."""
    v = board.forward(
        t,
        "v_{t}",
        f"W_out {symbol}_{{t}} + {bias}",
        weights["W_out"] @ state + weights[bias],
        _OUTPUT,
    )
    return board.forward(t, "y_{t}", "σ(v_{t})", torch.sigmoid(v), _ANSWER)


def write_error(board: Blackboard, problem: Problem, ys: Sequence[Tensor]) -> None:
    """E, and automatic differentiation's derivatives of it by everything on the board."""
    error = sum(((d - y) ** 2).sum() / 2 for d, y in zip(problem.d, ys, strict=True))
    assert isinstance(error, Tensor)
    board.forward(None, "E", "Σ_t (d_t − y_t)² / 2", error, _ERROR)
    error.backward()


def write_delta_out(
    board: Blackboard, t: int, d: Float64[Tensor, " 1"], y: Float64[Tensor, " 1"]
) -> Float64[Tensor, " 1"]:
    """∂E/∂v_t."""
    return board.backward(
        t,
        "δout_{t}",
        "∂E/∂v_{t} = (y_{t} − d_{t}) ⊙ y_{t} ⊙ (1 − y_{t})",
        (y - d) * y * (1 - y),
        _DELTA_OUT,
        by="v_{t}",
    )


def write_sum(
    board: Blackboard,
    weight: str,
    formula: str,
    left: Sequence[Tensor],
    right: Sequence[Tensor] | None = None,
) -> None:
    """∂E/∂weight as a sum over time: of left_t right_tᵀ, or of left_t for a bias."""
    if right is None:
        value = torch.stack(list(left)).sum(dim=0)
    else:
        value = torch.stack(list(left)).T @ torch.stack(list(right))
    board.backward(None, f"∂E/∂{weight}", formula, value, _SUM, by=weight)
