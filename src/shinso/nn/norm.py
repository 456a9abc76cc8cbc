"""Normalization: batch, layer, instance and group. They differ in what is averaged over.

    y = γ (x − μ) / √(σ² + ε) + β

| layer | μ and σ² are taken for each | over |
|---|---|---|
| batch | channel | samples and positions |
| layer | sample (and position, where its shape says so) | the normalized axes |
| instance | sample and channel | positions |
| group | sample and group of channels | positions and the group's channels |

The equation is ``standardized``. The layers call PyTorch's fused kernels, which compute the same in
one pass; tests hold both against each other. State dicts are those of ``torch.nn``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch import distributed as processes
from torch.nn import functional as F


def standardized(
    x: Float[Tensor, "*shape"], axes: Sequence[int], eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """(x − μ) / √(σ² + ε), with the mean μ and the biased variance σ² over ``axes``, kept as 1."""
    mean = x.mean(dim=tuple(axes), keepdim=True)
    centred = x - mean
    variance = centred.square().mean(dim=tuple(axes), keepdim=True)
    return centred * torch.rsqrt(variance + eps), mean, variance


class _SumOverProcesses(torch.autograd.Function):
    """Σ over processes of a tensor. Each process's term reaches every process's loss, so the
    gradient is summed as well."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        total = own.clone()
        processes.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        processes.all_reduce(total)
        return total


@final
class BatchNorm(nn.Module):
    """Batch normalization over any number of positions (Ioffe & Szegedy 2015, alg. 1 and 2).

    In training μ and σ² are the mini-batch's, and running means of μ and of the unbiased σ² are
    kept; in evaluation the running ones are used, so an answer does not depend on its neighbours.

    synchronized: μ and σ² of the batches of all processes of ``torch.distributed`` together, for
    batches too small for statistics of their own.
    """

    def __init__(
        self,
        num_channels: int,
        *,
        eps: float = 1e-5,
        momentum: float = 0.1,
        synchronized: bool = False,
    ) -> None:
        """momentum: share of the newest batch in the running means."""
        super().__init__()
        if num_channels < 1:
            raise ValueError(f"num_channels is {num_channels}; give at least 1")
        if not 0 <= momentum <= 1:
            raise ValueError(f"momentum is {momentum}; give a share from 0 to 1")
        self.eps, self.momentum, self.synchronized = eps, momentum, synchronized
        self.weight = nn.Parameter(torch.ones(num_channels))
        self.bias = nn.Parameter(torch.zeros(num_channels))
        self.running_mean: Tensor
        self.running_var: Tensor
        self.num_batches_tracked: Tensor
        self.register_buffer("running_mean", torch.zeros(num_channels))
        self.register_buffer("running_var", torch.ones(num_channels))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, x: Float[Tensor, "batch channel *position"]) -> Tensor:
        """Raises ValueError in training where a channel has a single value: it has no variance."""
        if self.training:
            self.num_batches_tracked.add_(1)
            if self.synchronized and processes.is_initialized():
                return self._over_processes(x)
        return F.batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training,
            self.momentum,
            self.eps,
        )

    def _over_processes(self, x: Tensor) -> Tensor:
        axes = [axis for axis in range(x.ndim) if axis != 1]
        shape = [-1 if axis == 1 else 1 for axis in range(x.ndim)]
        count = x.new_tensor(float(x.numel() // x.shape[1]))
        processes.all_reduce(count)
        # Squares of centred values, in a second round: E[x²] − μ² loses its digits where μ is large.
        mean = _SumOverProcesses.apply(x.sum(axes)) / count  # pyright: ignore[reportOperatorIssue]
        centred = x - mean.view(shape)
        variance = _SumOverProcesses.apply(centred.square().sum(axes)) / count  # pyright: ignore[reportOperatorIssue]
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return centred * scale.view(shape) + self.bias.view(shape)

    def extra_repr(self) -> str:
        return f"{len(self.weight)}, eps={self.eps}, momentum={self.momentum}"


@final
class LayerNorm(nn.Module):
    """Layer normalization over the last axes (Ba et al. 2016, eq. 3–4), gain and bias for each
    element. A sample's answer depends on that sample alone, in training too."""

    def __init__(
        self, shape: int | Sequence[int], *, eps: float = 1e-5, elementwise_affine: bool = True
    ) -> None:
        super().__init__()
        self.shape = (shape,) if isinstance(shape, int) else tuple(shape)
        self.eps = eps
        affine = elementwise_affine
        self.weight = nn.Parameter(torch.ones(self.shape)) if affine else None
        self.bias = nn.Parameter(torch.zeros(self.shape)) if affine else None

    def forward(self, x: Float[Tensor, "*batch"]) -> Tensor:
        return F.layer_norm(x, self.shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.shape}, eps={self.eps}"


@final
class InstanceNorm(nn.Module):
    """Instance normalization (Ulyanov et al. 2016, eq. 3): each channel of each sample by its own
    mean and variance over positions; its contrast is gone."""

    def __init__(self, num_channels: int, *, eps: float = 1e-5, affine: bool = False) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(num_channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(num_channels)) if affine else None

    def forward(self, x: Float[Tensor, "batch channel *position"]) -> Tensor:
        return F.instance_norm(x, weight=self.weight, bias=self.bias, eps=self.eps)

    def extra_repr(self) -> str:
        return f"eps={self.eps}"


@final
class GroupNorm(nn.Module):
    """Group normalization (Wu & He 2018, eq. 7). One group is layer normalization of the whole
    sample, a group for each channel is instance normalization."""

    def __init__(self, num_groups: int, num_channels: int, *, eps: float = 1e-5) -> None:
        super().__init__()
        if num_groups < 1 or num_channels % num_groups:
            raise ValueError(
                f"num_groups is {num_groups}; give a divisor of the {num_channels} channels"
            )
        self.num_groups, self.eps = num_groups, eps
        self.weight = nn.Parameter(torch.ones(num_channels))
        self.bias = nn.Parameter(torch.zeros(num_channels))

    def forward(self, x: Float[Tensor, "batch channel *position"]) -> Tensor:
        return F.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_groups}, {len(self.weight)}, eps={self.eps}"
