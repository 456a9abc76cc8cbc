"""Networks of Go as a search asks them most quickly: batch norms folded into convolutions, half precision
where the processor multiplies it in hardware.

On one core with AVX-512 bfloat16 a small network answers two to three times as often
(``benchmarks/go_search.py``).
"""

from __future__ import annotations

import copy
from itertools import pairwise
from pathlib import Path
from typing import Literal, final

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from shinso.games.go_planes_numba import ZERO_PLANES
from shinso.models.go_pooled_network import PooledGoNetwork
from shinso.nn.norm import BatchNorm

Precision = Literal["auto", "fp32", "bf16"]


BLACK_MOVES = ZERO_PLANES - 1
"""The plane that says whose turn it is."""


def knows_komi(model: nn.Module) -> bool:
    """Whether a network can be asked about another komi than it learnt at."""
    return isinstance(model, PooledGoNetwork)


def folded(model: nn.Module) -> nn.Module:
    """A copy for inference: y = BN(W x) becomes y = W' x + b'.

    A ``BatchNorm`` that stands directly behind a ``Conv2d`` among a module's children is that
    convolution's; the networks of Go are written so.
    """
    fresh = copy.deepcopy(model).eval()
    for module in list(fresh.modules()):
        for (name, one), (norm, two) in pairwise(list(module.named_children())):
            if isinstance(one, nn.Conv2d) and isinstance(two, BatchNorm):
                setattr(module, name, fuse_conv_bn_eval(one, two))  # pyright: ignore[reportArgumentType]  it asks for its fields
                setattr(module, norm, nn.Identity())
    return fresh.requires_grad_(False)


def fast_precision(device: torch.device) -> torch.dtype:
    """bfloat16 where the hardware multiplies it."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    quick = torch.ops.mkldnn._is_mkldnn_bf16_supported() and "avx512_bf16" in _cpu_flags()
    return torch.bfloat16 if quick else torch.float32


def _cpu_flags() -> str:
    try:
        return Path("/proc/cpuinfo").read_text("ascii", errors="replace")
    except OSError:
        return ""


@final
class FoldedEvaluator:
    """A network as a search asks it; a change of its weights is noticed before the next answer.

    black_ahead: points that Black has more than at the komi that the network learnt at; a
    ``PooledGoNetwork`` takes them into account, others cannot (``knows_komi``).
    """

    def __init__(
        self, model: nn.Module, precision: Precision = "auto", *, black_ahead: float = 0.0
    ) -> None:
        self.model, self.precision, self.black_ahead = model, precision, black_ahead
        self._state = [*model.parameters(), *model.buffers()]
        self._versions: list[int] = []
        self._folded = model
        self.dtype = torch.float32

    @torch.inference_mode()
    def __call__(
        self, planes: Float32[np.ndarray, "batch plane row column"]
    ) -> tuple[Float[np.ndarray, "batch action"], Float[np.ndarray, " batch"]]:
        scores, values, _owners = self._ask(planes)
        return scores, values

    @torch.inference_mode()
    def owners(
        self, planes: Float32[np.ndarray, "batch plane row column"]
    ) -> Float[np.ndarray, "batch point"] | None:
        """Whose every point will be, for the player to move; None where the network does not say."""
        return self._ask(planes)[2]

    def _ask(self, planes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        versions = [one._version for one in self._state]
        if versions != self._versions:
            self._fold()
            self._versions = versions
        given = torch.from_numpy(planes).to(self._state[0].device, self.dtype)
        given = given.contiguous(memory_format=torch.channels_last)
        if self.black_ahead and knows_komi(self.model):
            black = given[:, BLACK_MOVES, 0, 0]
            scores, values, *owners = self._folded(given, self.black_ahead * (2 * black - 1))
        else:
            scores, values, *owners = self._folded(given)
        return (
            scores.float().softmax(-1).cpu().numpy(),
            values.float().cpu().numpy(),
            owners[0].float().cpu().numpy() if owners else None,
        )

    def _fold(self) -> None:
        device = self._state[0].device
        self.dtype = {
            "auto": fast_precision(device), "fp32": torch.float32, "bf16": torch.bfloat16
        }[self.precision]  # fmt: skip
        fresh = folded(self.model).to(self.dtype)
        self._folded = fresh.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
