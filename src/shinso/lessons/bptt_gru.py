"""Back-propagation through time of a GRU, every number written out.

r and z are the reset and update gate, n the candidate, h the state; m_t = U_n h_{t−1} + b_m is
the memory that the candidate is offered (Cho et al. 2014 in the form of torch.nn, where the
reset gate acts after U_n). δr_t, δz_t, δn_t are derivatives by what stands inside σ or tanh.
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
    "r": Text(
        en="Reset gate: how much memory the candidate sees.",
        ja="リセットゲート：候補が記憶をどれだけ見るか。",
    ),
    "z": Text(
        en="Update gate: how much of the old state stays.",
        ja="更新ゲート：前の状態をどれだけ残すか。",
    ),
}
_M = Text(en="The memory as the candidate would see it.", ja="候補から見た記憶です。")
_N = Text(en="Candidate: what the state could become.", ja="候補：状態の新しい値になりうるもの。")
_H = Text(
    en="A mixture of old and new: one gate does what input and forget gate do in an LSTM.",
    ja="古い状態と候補の混合です。LSTM の入力ゲートと忘却ゲートの役割を1つのゲートが担います。",
)
_DH = Text(
    en="h matters for the output now, for the next gates, for the next memory, and directly "
    "through z: with z = 1 the error comes back unchanged. After the last step only the output "
    "is left.",
    ja="h は今の出力、次のゲート、次の記憶、そして z を通って直接効きます。z = 1 なら誤差は変わらず"
    "に戻ります。最後のステップでは出力の分だけです。",
)
_DGATE = Text(
    en="What the gate was multiplied with, times the derivative of its activation.",
    ja="そのゲートに掛かった相手と、活性化関数の微分との積です。",
)
_DM = Text(
    en="The reset gate lets the error into the memory as it let the memory out.",
    ja="リセットゲートは、記憶を通したのと同じ割合で誤差を記憶に通します。",
)


def write(board: Blackboard, problem: Problem) -> None:
    """The whole lesson onto ``board``."""
    hidden, inputs, steps = problem.config.hidden, problem.config.inputs, problem.config.steps
    weights = {}
    for k in ("r", "z", "n"):
        weights[f"W_{k}"] = problem.weight(hidden, inputs)
        weights[f"U_{k}"] = problem.weight(hidden, hidden)
        weights[f"b_{k}"] = problem.weight(hidden)
    weights["b_m"] = problem.weight(hidden)
    weights |= {"W_out": problem.weight(1, hidden), "b_out": problem.weight(1)}
    write_given(board, problem, weights)
    h = [board.forward(0, "h_{t}", "0", problem.zeros(), _BEFORE)]
    inner: list[dict[str, Tensor]] = [{}]
    ys = []
    for t in range(1, steps + 1):
        inner.append(_inner(board, t, problem.x[t - 1], h[-1], weights))
        z, n = inner[t]["z"], inner[t]["n"]
        formula = "(1 − z_{t}) ⊙ n_{t} + z_{t} ⊙ h_{p}"
        h.append(board.forward(t, "h_{t}", formula, (1 - z) * n + z * h[-1], _H))
        ys.append(write_output(board, t, h[t], weights, "h", "b_out"))
    write_error(board, problem, ys)
    with torch.no_grad():
        _write_backward(board, problem, weights, inner, h, ys)


def _inner(
    board: Blackboard, t: int, x: Tensor, h: Tensor, weights: dict[str, Tensor]
) -> dict[str, Tensor]:
    found = {}
    for k, note in _GATES.items():
        inside = weights[f"W_{k}"] @ x + weights[f"U_{k}"] @ h + weights[f"b_{k}"]
        board.watch(f"inside {k}_{t}", inside)
        formula = f"σ(W_{k} x_{{t}} + U_{k} h_{{p}} + b_{k})"
        found[k] = board.forward(t, f"{k}_{{t}}", formula, torch.sigmoid(inside), note)
    m = weights["U_n"] @ h + weights["b_m"]
    found["m"] = board.forward(t, "m_{t}", "U_n h_{p} + b_m", m, _M)
    inside = weights["W_n"] @ x + weights["b_n"] + found["r"] * m
    board.watch(f"inside n_{t}", inside)
    formula = "tanh(W_n x_{t} + b_n + r_{t} ⊙ m_{t})"
    found["n"] = board.forward(t, "n_{t}", formula, torch.tanh(inside), _N)
    return found


def _write_backward(
    board: Blackboard,
    problem: Problem,
    weights: dict[str, Tensor],
    inner: list[dict[str, Tensor]],
    h: list[Tensor],
    ys: list[Tensor],
) -> None:
    steps = problem.config.steps
    delta = {k: [problem.zeros() for _ in range(steps + 2)] for k in "rznm"}
    delta_out = [torch.zeros(1, dtype=torch.float64) for _ in range(steps + 1)]
    dh_through_update = problem.zeros()
    for t in range(steps, 0, -1):
        r, z, m, n = (inner[t][k] for k in "rzmn")
        delta_out[t] = write_delta_out(board, t, problem.d[t - 1], ys[t - 1])
        through_weights = sum(
            (weights[f"U_{k}"].T @ delta["m" if k == "n" else k][t + 1] for k in ("r", "z", "n")),
            start=problem.zeros(),
        )
        dh = board.backward(
            t,
            "∂E/∂h_{t}",
            "W_outᵀ δout_{t} + U_rᵀ δr_{n} + U_zᵀ δz_{n} + U_nᵀ δm_{n} + z_{n} ⊙ ∂E/∂h_{n}",
            weights["W_out"].T @ delta_out[t] + through_weights + dh_through_update,
            _DH,
            by="h_{t}",
        )
        dh_through_update = z * dh
        delta["z"][t] = board.backward(
            t,
            "δz_{t}",
            "∂E/∂h_{t} ⊙ (h_{p} − n_{t}) ⊙ z_{t} ⊙ (1 − z_{t})",
            dh * (h[t - 1] - n) * z * (1 - z),
            _DGATE,
            by="inside z_{t}",
        )
        delta["n"][t] = board.backward(
            t,
            "δn_{t}",
            "∂E/∂h_{t} ⊙ (1 − z_{t}) ⊙ (1 − n_{t}²)",
            dh * (1 - z) * (1 - n**2),
            _DGATE,
            by="inside n_{t}",
        )
        delta["m"][t] = board.backward(
            t, "δm_{t}", "∂E/∂m_{t} = δn_{t} ⊙ r_{t}", delta["n"][t] * r, _DM, by="m_{t}"
        )
        delta["r"][t] = board.backward(
            t,
            "δr_{t}",
            "δn_{t} ⊙ m_{t} ⊙ r_{t} ⊙ (1 − r_{t})",
            delta["n"][t] * m * r * (1 - r),
            _DGATE,
            by="inside r_{t}",
        )
    for k in ("r", "z", "n"):
        write_sum(board, f"W_{k}", f"Σ_t δ{k}_t x_tᵀ", delta[k][1:-1], list(problem.x))
        met = "m" if k == "n" else k
        write_sum(board, f"U_{k}", f"Σ_t δ{met}_t h_{{t−1}}ᵀ", delta[met][1:-1], h[:-1])
        write_sum(board, f"b_{k}", f"Σ_t δ{k}_t", delta[k][1:-1])
    write_sum(board, "b_m", "Σ_t δm_t", delta["m"][1:-1])
    write_sum(board, "W_out", "Σ_t δout_t h_tᵀ", delta_out[1:], h[1:])
    write_sum(board, "b_out", "Σ_t δout_t", delta_out[1:])
