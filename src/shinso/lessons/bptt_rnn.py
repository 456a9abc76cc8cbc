"""Back-propagation through time of an Elman network, every number written out.

The course's symbols: u_t = W_in x_t + W z_{t−1} + b, z_t = tanh(u_t), v_t = W_out z_t + c,
y_t = σ(v_t); δ_t = ∂E/∂u_t.
"""

import torch

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
_U = Text(
    en="What comes in and what is remembered are added before the activation.",
    ja="入力と記憶を、活性化関数の前で足し合わせます。",
)
_Z = Text(
    en="The state: the only thing that the next step gets from this one.",
    ja="状態です。次のステップに渡るのはこれだけです。",
)
_DZ = Text(
    en="The state matters twice: for the output now (W_out), and for the next state (W). After "
    "the last step there is no next one: its δ is 0.",
    ja="状態は2つの経路で効きます。今の出力 (W_out) と次の状態 (W) です。最後のステップには次が"
    "ないので、次の δ は 0 です。",
)
_DELTA = Text(
    en="tanh′(u) = 1 − z² is at most 1: going back k steps multiplies k such factors and k times "
    "Wᵀ, so the gradient vanishes or explodes.",
    ja="tanh′(u) = 1 − z² は 1 以下です。k ステップさかのぼると、この係数と Wᵀ が k 回ずつ"
    "掛かるので、勾配は消失または爆発します。",
)
_SHARE = Text(
    en="This step's share of ∂E/∂W: W multiplied z_{t−1}, so the error of the step meets the "
    "state before it.",
    ja="∂E/∂W へのこのステップの寄与です。W が掛かったのは z_{t−1} なので、誤差は1つ前の状態と"
    "組になります。",
)


def write(board: Blackboard, problem: Problem) -> None:
    """The whole lesson onto ``board``."""
    hidden, inputs, steps = problem.config.hidden, problem.config.inputs, problem.config.steps
    weights = {
        "W_in": problem.weight(hidden, inputs),
        "W": problem.weight(hidden, hidden),
        "b": problem.weight(hidden),
        "W_out": problem.weight(1, hidden),
        "c": problem.weight(1),
    }
    write_given(board, problem, weights)
    z = [board.forward(0, "z_{t}", "0", problem.zeros(), _BEFORE)]
    ys = []
    for t in range(1, steps + 1):
        # A copy of W for each step lets automatic differentiation tell the steps' shares apart.
        w = board.watch(f"W at {t}", weights["W"].clone())
        u = weights["W_in"] @ problem.x[t - 1] + w @ z[-1] + weights["b"]
        board.forward(t, "u_{t}", "W_in x_{t} + W z_{p} + b", u, _U)
        z.append(board.forward(t, "z_{t}", "tanh(u_{t})", torch.tanh(u), _Z))
        ys.append(write_output(board, t, z[t], weights, "z", "c"))
    write_error(board, problem, ys)

    with torch.no_grad():
        delta = [problem.zeros() for _ in range(steps + 2)]  # δ_{steps+1} stays 0
        delta_out = [torch.zeros(1, dtype=torch.float64) for _ in range(steps + 1)]
        for t in range(steps, 0, -1):
            delta_out[t] = write_delta_out(board, t, problem.d[t - 1], ys[t - 1])
            dz = board.backward(
                t,
                "∂E/∂z_{t}",
                "W_outᵀ δout_{t} + Wᵀ δ_{n}",
                weights["W_out"].T @ delta_out[t] + weights["W"].T @ delta[t + 1],
                _DZ,
                by="z_{t}",
            )
            delta[t] = board.backward(
                t,
                "δ_{t}",
                "∂E/∂u_{t} = ∂E/∂z_{t} ⊙ (1 − z_{t}²)",
                dz * (1 - z[t] ** 2),
                _DELTA,
                by="u_{t}",
            )
            share = torch.outer(delta[t], z[t - 1])
            board.backward(t, "∂E/∂W at {t}", "δ_{t} z_{p}ᵀ", share, _SHARE, by="W at {t}")
        write_sum(board, "W_in", "Σ_t δ_t x_tᵀ", delta[1:-1], list(problem.x))
        write_sum(board, "W", "Σ_t δ_t z_{t−1}ᵀ", delta[1:-1], z[:-1])
        write_sum(board, "b", "Σ_t δ_t", delta[1:-1])
        write_sum(board, "W_out", "Σ_t δout_t z_tᵀ", delta_out[1:], z[1:])
        write_sum(board, "c", "Σ_t δout_t", delta_out[1:])
