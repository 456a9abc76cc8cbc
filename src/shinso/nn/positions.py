"""Where in the sequence a vector stands: attention alone does not see order."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor, nn

from shinso.nn.portable import wanted


def sinusoids(
    positions: int | torch.SymInt, width: int, first: int = 0, *, base: float = 10_000.0
) -> Float[Tensor, "positions width"]:
    """sin(p / base^(2i/width)) and the cosine of the same (Vaswani et al. 2017, section 3.5).

    positions: how many; an exporter gives them as a symbol.

    Differs: all sines stand before all cosines instead of in turn, as in the authors' own code;
    a permutation that a learnt matrix undoes. The last cosine is left out where width is odd.
    """
    pairs = (width + 1) // 2
    rates = torch.exp(torch.arange(pairs, dtype=torch.float64) * (-2 * math.log(base) / width))
    steps = torch.arange(first, first + positions, dtype=torch.float64)  # pyright: ignore[reportCallIssue, reportArgumentType]  its stubs know no symbols
    angles = steps[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], -1)[:, :width].float()


class SinusoidalPositions(nn.Module):
    """Adds ``sinusoids`` to a sequence of any length; no weights."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(
        self, x: Float[Tensor, "batch time width"], first: int = 0
    ) -> Float[Tensor, "batch time width"]:
        """first: the position of x's first step."""
        if wanted():  # a table that is kept would freeze the length
            table = sinusoids(x.shape[1], self.width, first)
        else:
            table = _table(_room(first + x.shape[1]), self.width)[first : first + x.shape[1]]
        return x + table.to(device=x.device, dtype=x.dtype)


def _room(positions: int) -> int:
    """The next power of two from 256 on, so that few tables are made."""
    return max(256, 1 << (positions - 1).bit_length())


# A table is kept: first made while something is written, it must serve training too.
@lru_cache(maxsize=8)
@torch.inference_mode(False)
def _table(positions: int, width: int) -> Tensor:
    return sinusoids(positions, width)


class LearnedPositions(nn.Module):
    """Adds a vector learnt for each position; ``capacity`` of them, and no sequence is longer."""

    def __init__(self, capacity: int, width: int) -> None:
        super().__init__()
        if capacity < 1:
            raise ValueError(f"capacity is {capacity}; give at least 1")
        self.table = nn.Parameter(torch.empty(capacity, width))
        nn.init.normal_(self.table, std=0.02)

    def forward(
        self, x: Float[Tensor, "batch time width"], first: int = 0
    ) -> Float[Tensor, "batch time width"]:
        """first: the position of x's first step. ValueError for a sequence that is too long."""
        end = first + x.shape[1]
        if end > len(self.table):
            raise ValueError(
                f"the sequence has {end} steps; {len(self.table)} positions are learnt"
            )
        return x + self.table[first:end]


def rotate(
    x: Float[Tensor, "*batch time size"], first: int = 0, *, base: float = 10_000.0
) -> Float[Tensor, "*batch time size"]:
    """Turn each pair (x_i, x_{i+size/2}) by the angle p · base^(−2i/size) (Su et al. 2021, eq. 34).

    The product of a turned query and a turned key depends on their distance alone. size is even.
    Differs: the paper pairs neighbours; halves are the same up to a permutation that W^Q and W^K
    learn, and are faster.
    """
    time, size = x.shape[-2:]
    if size % 2:
        raise ValueError(f"size is {size}; rotary positions turn pairs, so give an even one")
    if wanted():
        table = sinusoids(time, size, first, base=base)
    else:
        table = _turns(_room(first + time), size, base)[first : first + time]
    sine, cosine = table.to(device=x.device, dtype=x.dtype).chunk(2, -1)
    left, right = x.chunk(2, -1)
    return torch.cat([left * cosine - right * sine, left * sine + right * cosine], -1)


def turns_at(step: int, size: int, *, base: float = 10_000.0) -> Float[Tensor, " {size}"]:
    """What ``rotate`` turns by at one step: size / 2 sines and as many cosines."""
    return _turns(_room(step + 1), size, base)[step]


@lru_cache(maxsize=8)
@torch.inference_mode(False)
def _turns(positions: int, size: int, base: float) -> Tensor:
    return sinusoids(positions, size, base=base)
