"""Back-propagation through time of an LSTM, every number written out.

i, f, o, g are the input, forget and output gate and the candidate; c the cell, h the state
(Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000, no peepholes; torch.nn's
equations). δi_t … δg_t are derivatives by what stands inside the σ or tanh of that gate.
"""

import torch
from torch import Tensor

from shinso.language import Text
from shinso.lessons.blackboard import Blackboard
from shinso.lessons.bptt_problem import (
    Problem,
    write_delta_out,
    write_error,
    write_given,
    write_output,
    write_sum,
)

_BEFORE = Text(
    en="Nothing is remembered before the first step.",
    ja="最初のステップの前には何も覚えていません。",
)
_GATES = {
    "i": Text(
        en="Input gate: how much of the candidate is written.",
        ja="入力ゲート：候補をどれだけ書き込むか。",
    ),
    "f": Text(
        en="Forget gate: how much of the cell is kept.",
        ja="忘却ゲート：セルの中身をどれだけ残すか。",
    ),
    "o": Text(
        en="Output gate: how much of the cell is shown.",
        ja="出力ゲート：セルの中身をどれだけ見せるか。",
    ),
    "g": Text(en="Candidate: what could be written.", ja="候補：書き込まれうる値。"),
}
_C = Text(
    en="The cell is added to, not multiplied through a weight: the constant error carousel.",
    ja="セルには足し算で書き込み、重みは掛けません。これが CEC (定誤差カルーセル) です。",
)
_H = Text(en="The state that output and gates read.", ja="出力とゲートが読む状態です。")
_DH = Text(
    en="h matters for the output now and for all four gates of the next step; after the last "
    "step these are 0.",
    ja="h は今の出力と、次のステップの4つのゲートすべてに効きます。最後のステップの後では 0 です。",
)
_DC = Text(
    en="From h now, and from the next cell, through its forget gate alone: with f = 1 the error "
    "comes back unchanged, however far.",
    ja="今の h からと、次のセルから忘却ゲートだけを通って届きます。f = 1 なら、どれだけさかのぼって"
    "も誤差は変わりません。",
)
_DGATE = Text(
    en="What the gate was multiplied with, times the derivative of its activation.",
    ja="そのゲートに掛かった相手と、活性化関数の微分との積です。",
)


def write(board: Blackboard, problem: Problem) -> None:
    """The whole lesson onto ``board``."""
    hidden, inputs, steps = problem.config.hidden, problem.config.inputs, problem.config.steps
    weights = {}
    for k in _GATES:
        weights[f"W_{k}"] = problem.weight(hidden, inputs)
        weights[f"U_{k}"] = problem.weight(hidden, hidden)
        weights[f"b_{k}"] = problem.weight(hidden)
    weights |= {"W_out": problem.weight(1, hidden), "b_out": problem.weight(1)}
    write_given(board, problem, weights)
    h = [board.forward(0, "h_{t}", "0", problem.zeros(), _BEFORE)]
    c = [board.forward(0, "c_{t}", "0", problem.zeros(), _BEFORE)]
    gates: list[dict[str, Tensor]] = [{}]
    ys = []
    for t in range(1, steps + 1):
        gates.append(_gates(board, t, problem.x[t - 1], h[-1], weights))
        i, f, o, g = (gates[t][k] for k in "ifog")
        formula = "f_{t} ⊙ c_{p} + i_{t} ⊙ g_{t}"
        c.append(board.forward(t, "c_{t}", formula, f * c[-1] + i * g, _C))
        h.append(board.forward(t, "h_{t}", "o_{t} ⊙ tanh(c_{t})", o * torch.tanh(c[t]), _H))
        ys.append(write_output(board, t, h[t], weights, "h", "b_out"))
    write_error(board, problem, ys)
    with torch.no_grad():
        _write_backward(board, problem, weights, gates, c, h, ys)


def _gates(
    board: Blackboard, t: int, x: Tensor, h: Tensor, weights: dict[str, Tensor]
) -> dict[str, Tensor]:
    opened = {}
    for k, note in _GATES.items():
        inside = weights[f"W_{k}"] @ x + weights[f"U_{k}"] @ h + weights[f"b_{k}"]
        board.watch(f"inside {k}_{t}", inside)
        name, squash = ("tanh", torch.tanh) if k == "g" else ("σ", torch.sigmoid)
        formula = f"{name}(W_{k} x_{{t}} + U_{k} h_{{p}} + b_{k})"
        opened[k] = board.forward(t, f"{k}_{{t}}", formula, squash(inside), note)
    return opened


def _write_backward(
    board: Blackboard,
    problem: Problem,
    weights: dict[str, Tensor],
    gates: list[dict[str, Tensor]],
    c: list[Tensor],
    h: list[Tensor],
    ys: list[Tensor],
) -> None:
    steps = problem.config.steps
    delta = {k: [problem.zeros() for _ in range(steps + 2)] for k in _GATES}
    delta_out = [torch.zeros(1, dtype=torch.float64) for _ in range(steps + 1)]
    dc_through_forget = problem.zeros()
    for t in range(steps, 0, -1):
        i, f, o, g = (gates[t][k] for k in "ifog")
        squashed = torch.tanh(c[t])
        delta_out[t] = write_delta_out(board, t, problem.d[t - 1], ys[t - 1])
        from_gates = sum(
            (weights[f"U_{k}"].T @ delta[k][t + 1] for k in _GATES), start=problem.zeros()
        )
        dh = board.backward(
            t,
            "∂E/∂h_{t}",
            "W_outᵀ δout_{t} + Σ_k U_kᵀ δk_{n}, k = i, f, o, g",
            weights["W_out"].T @ delta_out[t] + from_gates,
            _DH,
            by="h_{t}",
        )
        dc = board.backward(
            t,
            "∂E/∂c_{t}",
            "∂E/∂h_{t} ⊙ o_{t} ⊙ (1 − tanh²(c_{t})) + f_{n} ⊙ ∂E/∂c_{n}",
            dh * o * (1 - squashed**2) + dc_through_forget,
            _DC,
            by="c_{t}",
        )
        dc_through_forget = f * dc
        arriving = {
            "o": ("∂E/∂h_{t} ⊙ tanh(c_{t})", dh * squashed),
            "i": ("∂E/∂c_{t} ⊙ g_{t}", dc * g),
            "f": ("∂E/∂c_{t} ⊙ c_{p}", dc * c[t - 1]),
            "g": ("∂E/∂c_{t} ⊙ i_{t}", dc * i),
        }
        for k, (formula, value) in arriving.items():
            gate = gates[t][k]
            slope = "(1 − g_{t}²)" if k == "g" else f"{k}_{{t}} ⊙ (1 − {k}_{{t}})"
            delta[k][t] = board.backward(
                t,
                f"δ{k}_{{t}}",
                f"{formula} ⊙ {slope}",
                value * (1 - gate**2 if k == "g" else gate * (1 - gate)),
                _DGATE,
                by=f"inside {k}_{{t}}",
            )
    for k in _GATES:
        write_sum(board, f"W_{k}", f"Σ_t δ{k}_t x_tᵀ", delta[k][1:-1], list(problem.x))
        write_sum(board, f"U_{k}", f"Σ_t δ{k}_t h_{{t−1}}ᵀ", delta[k][1:-1], h[:-1])
        write_sum(board, f"b_{k}", f"Σ_t δ{k}_t", delta[k][1:-1])
    write_sum(board, "W_out", "Σ_t δout_t h_tᵀ", delta_out[1:], h[1:])
    write_sum(board, "b_out", "Σ_t δout_t", delta_out[1:])
