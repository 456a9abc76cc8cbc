"""A layer of recurrent cells as one operator of torch, ``shinso::recurrent``.

A loop over the steps of time cannot be exported: tracing would write down as many steps as the
example had and freeze the time axis. As one operator the layer keeps it, and an exporter puts
ONNX's own RNN, GRU or LSTM in its place. This file needs torch alone, because it is laid beside
every ``torch.export`` archive that holds the operator.
"""

import torch
from torch import Tensor


@torch.library.custom_op("shinso::recurrent", mutates_args=())
def recurrent(
    cell: str,
    x: Tensor,
    lengths: Tensor | None,
    h_0: Tensor,
    c_0: Tensor | None,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor,
    peepholes: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """One layer over padded sequences, in one direction or both.

    cell: ``tanh``, ``relu``, ``gru`` or ``lstm``. x (time, batch, input); lengths (batch): steps of
    each sequence, all of them without; h_0, c_0 (direction, batch, hidden); weight_ih (direction,
    gates · hidden, input); weight_hh (direction, gates · hidden, hidden); bias (direction,
    2 · gates · hidden): torch's bias_ih, then bias_hh; peepholes (direction, 3, hidden) of the
    input, forget and output gate. The order of the gates is torch's.

    Returns y (time, batch, direction · hidden), zero behind a sequence's end, h_n and c_n
    (direction, batch, hidden) after each sequence's last step; c_n is empty but for ``lstm``.
    """
    time, batch, _ = x.shape
    if lengths is None:
        lengths = torch.full((batch,), time, dtype=torch.int64, device=x.device)
    hidden = h_0.shape[-1]
    outputs, last_h, last_c = [], [], []
    for d in range(len(weight_ih)):
        h, c = h_0[d], torch.zeros_like(h_0[d]) if c_0 is None else c_0[d]
        projected = torch.nn.functional.linear(x, weight_ih[d], bias[d].chunk(2)[0])
        y = x.new_zeros(time, batch, hidden)
        for t in range(time) if d == 0 else reversed(range(time)):
            recurrent_part = torch.nn.functional.linear(h, weight_hh[d], bias[d].chunk(2)[1])
            peep = None if peepholes is None else peepholes[d]
            new_h, new_c = _step(cell, projected[t], recurrent_part, h, c, peep)
            running = (t < lengths).unsqueeze(1)
            h, c = torch.where(running, new_h, h), torch.where(running, new_c, c)
            y[t] = torch.where(running, new_h, torch.zeros_like(new_h))
        outputs.append(y)
        last_h.append(h)
        last_c.append(c)
    c_n = torch.stack(last_c) if cell == "lstm" else x.new_zeros(0, batch, hidden)
    return torch.cat(outputs, dim=-1), torch.stack(last_h), c_n


def _step(
    cell: str, x: Tensor, u: Tensor, h: Tensor, c: Tensor, peep: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The states after one step. x: W x_t + b; u: U h_{t−1} + b'."""
    if cell == "gru":
        x_r, x_z, x_n = x.chunk(3, dim=-1)
        u_r, u_z, u_n = u.chunk(3, dim=-1)
        z = torch.sigmoid(x_z + u_z)
        n = torch.tanh(x_n + torch.sigmoid(x_r + u_r) * u_n)
        return (1 - z) * n + z * h, c
    if cell == "lstm":
        i, f, g, o = (x + u).chunk(4, dim=-1)
        p_i, p_f, p_o = (0.0, 0.0, 0.0) if peep is None else peep
        new_c = torch.sigmoid(f + p_f * c) * c + torch.sigmoid(i + p_i * c) * torch.tanh(g)
        return torch.sigmoid(o + p_o * new_c) * torch.tanh(new_c), new_c
    return (torch.tanh(x + u) if cell == "tanh" else torch.relu(x + u)), c


@recurrent.register_fake
def _(
    cell: str,
    x: Tensor,
    lengths: Tensor | None,
    h_0: Tensor,
    c_0: Tensor | None,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor,
    peepholes: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    directions, hidden = weight_hh.shape[0], weight_hh.shape[2]
    time, batch, _ = x.shape
    torch._check(x.shape[2] == weight_ih.shape[2])
    if lengths is not None:
        torch._check(lengths.shape[0] == batch)
    states = x.new_empty(directions, batch, hidden)
    c_n = torch.empty_like(states) if cell == "lstm" else x.new_empty(0, batch, hidden)
    return x.new_empty(time, batch, directions * hidden), states, c_n
