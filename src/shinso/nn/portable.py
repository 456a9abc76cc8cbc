"""Recurrent layers in the form that an exporter and a tracer can follow.

Within ``portable()`` the layers of ``nn.recurrent`` run as ``shinso::recurrent`` over padded
sequences, and torch's packing is left out: ``pack_padded_sequence`` then carries the padded tensor
and its lengths through, so that a network which packs needs no second form of itself. Slower than
the other ways, and equal to them to rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from unittest import mock

import torch
from torch import Tensor
from torch.nn.utils import rnn
from torch.nn.utils.rnn import PackedSequence

from shinso.nn import recurrent_op

if TYPE_CHECKING:
    from shinso.nn.recurrent import RecurrentLayers

_wanted: ContextVar[bool] = ContextVar("portable layers wanted", default=False)


@contextmanager
def portable() -> Iterator[None]:
    """Within, recurrent layers are single operators over padded sequences. Not for training."""
    token = _wanted.set(True)
    try:
        # Models import pack_padded_sequence by name; what it calls is found in one place only.
        with mock.patch.object(rnn, "_VF", _Padded):
            yield
    finally:
        _wanted.reset(token)


def wanted() -> bool:
    """Whether the code at hand runs within ``portable()``."""
    return _wanted.get()


class _Padded:
    """Stands for the two functions of torch that pack: nothing is packed. A ``PackedSequence``
    made with it holds (time, batch, …) as its data and the lengths, in one row, as its batch sizes.
    torch takes how many rows they have for the longest sequence, and no ``total_length`` may be
    below it."""

    @staticmethod
    def _pack_padded_sequence(x: Tensor, lengths: Tensor, batch_first: bool) -> tuple[Tensor, Any]:
        return (x.transpose(0, 1) if batch_first else x), lengths[None]

    @staticmethod
    def _pad_packed_sequence(
        x: Tensor, lengths: Tensor, batch_first: bool, padding: float, total_length: int
    ) -> tuple[Tensor, Tensor]:
        if padding:
            real = torch.arange(x.shape[0])[:, None] < lengths
            x = x.masked_fill(~real.reshape(*real.shape, *[1] * (x.dim() - 2)), padding)
        return (x.transpose(0, 1) if batch_first else x), lengths[0]


def run_padded(
    layers: RecurrentLayers, cell: str, x: Tensor, lengths: Tensor | None, hx: Any
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """All layers over x (time, batch, input), as ``RecurrentLayers`` itself would answer.

    cell: as ``shinso::recurrent`` names it. hx: as the layers take it, in the order of x.
    """
    directions, is_lstm = layers.num_directions, cell == "lstm"
    if hx is None:
        zeros = x.new_zeros(layers.num_layers * directions, x.shape[1], layers.hidden_size)
        hx = (zeros,) * layers.states
    last: list[tuple[Tensor, ...]] = []
    for layer in range(layers.num_layers):
        names = [f"_l{layer}{end}" for end in ("", "_reverse")[:directions]]
        states = [part[layer * directions : (layer + 1) * directions] for part in hx]
        x, h_n, c_n = recurrent_op.recurrent(
            cell, x, lengths, states[0], states[1] if is_lstm else None,
            _stacked(layers, "weight_ih", names), _stacked(layers, "weight_hh", names),
            _biases(layers, names), _peepholes(layers, names),
        )  # fmt: skip
        last.append((h_n, c_n) if is_lstm else (h_n,))
    return x, tuple(torch.cat(parts) for parts in zip(*last, strict=True))


def run_packed(
    layers: RecurrentLayers, cell: str, packed: PackedSequence, hx: Any
) -> tuple[PackedSequence, tuple[Tensor, ...]]:
    """The same for what ``pack_padded_sequence`` carried through."""
    if hx is not None and packed.sorted_indices is not None:
        hx = tuple(part.index_select(1, packed.sorted_indices) for part in hx)
    y, state = run_padded(layers, cell, packed.data, packed.batch_sizes[0], hx)
    if packed.unsorted_indices is not None:
        state = tuple(part.index_select(1, packed.unsorted_indices) for part in state)
    return PackedSequence(y, *packed[1:]), state


def _stacked(layers: RecurrentLayers, name: str, suffixes: list[str]) -> Tensor:
    return torch.stack([getattr(layers, name + suffix) for suffix in suffixes])


def _biases(layers: RecurrentLayers, suffixes: list[str]) -> Tensor:
    """Both biases; that of a gate that is left out holds it open, σ(1e4) = 1."""
    some = getattr(layers, "weight_hh" + suffixes[0])
    bias = some.new_zeros(len(suffixes), 2 * len(some))
    if layers.bias:
        parts = (_stacked(layers, name, suffixes) for name in ("bias_ih", "bias_hh"))
        bias = torch.cat(list(parts), dim=1)
    switches = getattr(layers, "switches", None)
    there = () if switches is None else (
        switches.input_gate, switches.forget_gate, True, switches.output_gate,
    )  # fmt: skip
    if not all(there):
        held = torch.tensor([0.0 if one else 1e4 for one in there], dtype=some.dtype)
        added = torch.cat([held.repeat_interleave(layers.hidden_size), torch.zeros(len(some))])
        bias = bias + added
    return bias


def _peepholes(layers: RecurrentLayers, suffixes: list[str]) -> Tensor | None:
    """Zero for a peephole that the layer leaves out; None where it has none at all."""
    names = ("weight_pi", "weight_pf", "weight_po")
    if not any(hasattr(layers, name + suffixes[0]) for name in names):
        return None
    zeros = getattr(layers, "weight_hh" + suffixes[0]).new_zeros(layers.hidden_size)
    rows = [[getattr(layers, name + suffix, zeros) for name in names] for suffix in suffixes]
    return torch.stack([torch.stack(row) for row in rows])
