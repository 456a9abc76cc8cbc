"""Uniform quantizers: numbers become whole numbers of few bits and a scale.

q = clamp(round(x / s) + z, q_min, q_max), and x is read back as s (q − z) (Jacob et al. 2018,
"Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
eq. 1). What differs between methods is only how the range that s covers is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

Calibration = Literal["minmax", "percentile", "mse", "entropy"]
SHRINKS = 80
"""Ranges that are tried from the whole one down to a fifth of it, where one is searched."""
BINS = 2048


@dataclass(frozen=True)
class Quantizer:
    """A grid of whole numbers. scale, zero_point: a number each, or one for each row (axis 0)."""

    scale: Float[Tensor, "*rows"]
    zero_point: Int[Tensor, "*rows"]
    low: int
    high: int

    def quantize(self, x: Float[Tensor, "..."]) -> Int[Tensor, "..."]:
        """The nearest whole numbers; ties to even, what does not fit is cut off at the ends."""
        scale, zero = self._shaped(self.scale, x), self._shaped(self.zero_point, x)
        return (torch.round(x / scale) + zero).clamp(self.low, self.high).to(torch.int32)

    def dequantize(self, q: Int[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The numbers that the whole numbers stand for."""
        return (q - self._shaped(self.zero_point, q)) * self._shaped(self.scale, q)

    def rounded(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """What is left of x after both."""
        return self.dequantize(self.quantize(x))

    def straight_through(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """``rounded`` with the gradient of the identity where x is within the range (Bengio,
        Léonard & Courville 2013): rounding itself has none."""
        lowest = (self.low - self._shaped(self.zero_point, x)) * self._shaped(self.scale, x)
        highest = (self.high - self._shaped(self.zero_point, x)) * self._shaped(self.scale, x)
        inside = torch.minimum(torch.maximum(x, lowest), highest)
        return inside + (self.rounded(x.detach()) - inside.detach())

    @staticmethod
    def _shaped(one: Tensor, like: Tensor) -> Tensor:
        return one if one.dim() == 0 else one.reshape(-1, *[1] * (like.dim() - 1))


def grid(bits: int, *, symmetric: bool, signed: bool = True) -> tuple[int, int]:
    """The ends of a grid. A symmetric one has as many numbers below 0 as above: ±127 of 8 bits."""
    if not 2 <= bits <= 8:
        raise ValueError(f"bits is {bits}; give 2 to 8")
    if symmetric:
        return -(2 ** (bits - 1) - 1), 2 ** (bits - 1) - 1
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)


def of_range(
    low: Float[Tensor, "*rows"],
    high: Float[Tensor, "*rows"],
    bits: int,
    *,
    symmetric: bool,
    signed: bool = True,
) -> Quantizer:
    """The quantizer that covers [low, high]; 0 is always on the grid, since padding and rectified
    units are exactly 0."""
    first, last = grid(bits, symmetric=symmetric, signed=signed)
    low, high = low.clamp(max=0.0), high.clamp(min=0.0)
    if symmetric:
        scale = torch.maximum(-low, high) / last
        scale = torch.where(scale > 0, scale, torch.ones_like(scale))
        return Quantizer(scale, torch.zeros_like(scale, dtype=torch.int32), first, last)
    scale = (high - low) / (last - first)
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    zero = (first - torch.round(low / scale)).clamp(first, last).to(torch.int32)
    return Quantizer(scale, zero, first, last)


def of_weight(
    weight: Float[Tensor, "row ..."],
    bits: int = 8,
    *,
    per_channel: bool = True,
    symmetric: bool = True,
    calibration: Calibration = "mse",
) -> Quantizer:
    """A quantizer for a weight; per channel, each row has its own scale."""
    rows = weight.detach().flatten(1) if per_channel else weight.detach().reshape(1, -1)
    low, high = range_of(rows, bits, symmetric=symmetric, calibration=calibration)
    if not per_channel:
        low, high = low[0], high[0]
    return of_range(low, high, bits, symmetric=symmetric)


def of_activations(
    values: Sequence[Float[Tensor, "..."]],
    bits: int = 8,
    *,
    symmetric: bool = False,
    calibration: Calibration = "minmax",
) -> Quantizer:
    """A quantizer for what a layer reads, from what it read: one scale, unsigned numbers where
    affine, as the integer kernels of processors take them."""
    row = torch.cat([one.detach().flatten() for one in values]).reshape(1, -1)
    low, high = range_of(row, bits, symmetric=symmetric, calibration=calibration)
    return of_range(low[0], high[0], bits, symmetric=symmetric, signed=symmetric)


def range_of(
    rows: Float[Tensor, "row value"],
    bits: int,
    *,
    symmetric: bool,
    calibration: Calibration,
    percentile: float = 99.99,
) -> tuple[Float[Tensor, " row"], Float[Tensor, " row"]]:
    """The ends of the range of each row that a calibration chooses.

    minmax: all of it. percentile: without the outermost values on each side. mse: the share of
    it whose grid has the least squared error. entropy: the share of it whose grid's histogram has
    the least Kullback–Leibler divergence (Migacz 2017, TensorRT).
    """
    low, high = rows.amin(1), rows.amax(1)
    if calibration == "minmax":
        return low, high
    if calibration == "percentile":
        outside = (100 - percentile) / 100
        count = rows.shape[1]
        cut = max(1, round(outside * count)) if count > 1 else 1
        ordered = rows.sort(dim=1).values
        return ordered[:, cut - 1], ordered[:, count - cut]
    if symmetric:
        high = torch.maximum(high, -low)
        low = -high
    if calibration == "mse":
        return _least_error(rows, low, high, bits, symmetric=symmetric)
    found = [_least_divergence(row, float(high_), bits) for row, high_ in _magnitudes(rows, high)]
    share = torch.tensor(found, dtype=rows.dtype, device=rows.device)
    return low * share, high * share


def _least_error(
    rows: Tensor, low: Tensor, high: Tensor, bits: int, *, symmetric: bool
) -> tuple[Tensor, Tensor]:
    best = torch.full_like(low, torch.inf)
    best_low, best_high = low.clone(), high.clone()
    for share in torch.linspace(1.0, 0.2, SHRINKS).tolist():
        quantizer = of_range(low * share, high * share, bits, symmetric=symmetric)
        error = (quantizer.rounded(rows) - rows).square().sum(1)
        better = error < best
        best = torch.where(better, error, best)
        best_low = torch.where(better, low * share, best_low)
        best_high = torch.where(better, high * share, best_high)
    return best_low, best_high


def _magnitudes(rows: Tensor, high: Tensor) -> Any:
    return zip(rows.abs(), torch.maximum(high, rows.abs().amax(1)), strict=True)


def _least_divergence(row: Tensor, high: float, bits: int) -> float:
    """The share of the range, from the middle out, at which the histogram of the magnitudes is
    told best by as many levels as the grid has on one side of 0."""
    if high <= 0:
        return 1.0
    levels = 2 ** (bits - 1)
    # 0 lies on every grid. Rectified units give so many that all else would weigh nothing.
    counts = torch.histc(row[row > 0].float(), BINS, 0.0, high).double()
    best, best_share = torch.inf, 1.0
    for kept in range(max(levels, BINS // 5), BINS + 1, max(1, BINS // SHRINKS)):
        reference = counts[:kept].clone()
        reference[-1] += counts[kept:].sum()  # what is cut off lands on the last level
        told = _told_by_levels(counts[:kept], levels)
        both = (reference > 0) & (told > 0)
        # A value told as impossible costs more than any that is told badly.
        lost = float(reference[(reference > 0) & (told <= 0)].sum() / reference.sum())
        p, q = reference / reference.sum(), told / told.sum().clamp(min=1e-12)
        divergence = float((p[both] * (p[both] / q[both]).log()).sum()) + 10 * lost
        if divergence < best:
            best, best_share = divergence, kept / BINS
    return best_share


def _told_by_levels(counts: Tensor, levels: int) -> Tensor:
    """Counts as a histogram of ``levels`` bins tells them: each spread evenly over the bins that
    it joins and that were not empty."""
    group = (torch.arange(len(counts)) * levels).div(len(counts), rounding_mode="floor")
    sums = torch.zeros(levels, dtype=counts.dtype).index_add_(0, group, counts)
    there = torch.zeros(levels, dtype=counts.dtype).index_add_(0, group, (counts > 0).double())
    return torch.where(counts > 0, (sums / there.clamp(min=1))[group], torch.zeros_like(counts))


def ternary(weight: Float[Tensor, "row ..."]) -> tuple[Int[Tensor, "row ..."], Tensor]:
    """−1, 0 or 1 of each weight and the scale of each row (Li, Zhang & Liu 2016, "Ternary Weight
    Networks", eq. 6): 0 within Δ = 0.7 E|w|, the scale the mean magnitude of the others."""
    rows = weight.detach().flatten(1)
    delta = 0.7 * rows.abs().mean(1, keepdim=True)
    beyond = rows.abs() > delta
    count = beyond.sum(1).clamp(min=1)
    scale = (rows.abs() * beyond).sum(1) / count
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    return (rows.sign() * beyond).to(torch.int32).view(weight.shape), scale
