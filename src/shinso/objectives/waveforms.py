"""How likely a sound is, sample by sample, in nats.

Two scales, so that every model and every rival can be compared: of the 256 µ-law classes, and of
the 65,536 levels of 16 bits. A model of classes spreads each class evenly over its levels; a
mixture of logistics (Salimans et al. 2017, "PixelCNN++", eq. 2) gives each level, or class, what
its distribution function gains over it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax, logsigmoid

from shinso.data import mulaw
from shinso.data.sound_crops import SoundBatch
from shinso.nn.kernels.wavenet_numba import SMALLEST_LOG_SCALE
from shinso.objectives.half_precision import raised

HALF_LEVEL = 0.5 / mulaw.LEVELS
BEYOND = 1e4
"""Stands for infinity in bounds: the same share, and a derivative of 0 instead of 0 · ∞."""


def mixture_log_share(
    parameters: Float[Tensor, "*n parameter"], low: Float[Tensor, "*n"], high: Float[Tensor, "*n"]
) -> Float[Tensor, "*n"]:
    """ln Σ_k π_k [σ((high − m_k) / s_k) − σ((low − m_k) / s_k)], in nats.

    parameters: scores of π, m, ln s. Bounds are finite (see BEYOND).
    """
    scores, middle, log_scale = raised(parameters).chunk(3, dim=-1)
    log_scale = log_scale.clamp(min=SMALLEST_LOG_SCALE)
    # σ(a) − σ(b) = σ(a) σ(−b) (1 − e^{b−a}), of which the logarithm keeps its digits.
    a = (high.unsqueeze(-1) - middle) * torch.exp(-log_scale)
    b = (low.unsqueeze(-1) - middle) * torch.exp(-log_scale)
    width = (high - low).unsqueeze(-1) * torch.exp(-log_scale)
    share = logsigmoid(a) + logsigmoid(-b) + torch.log(-torch.expm1(-width.clamp(min=1e-12)))
    return torch.logsumexp(log_softmax(scores, dim=-1) + share, dim=-1)


def level_bounds(values: Float[Tensor, "*n"]) -> tuple[Tensor, Tensor]:
    """Half a level below and above each 16-bit value; without end at the lowest and highest."""
    low = torch.where(values <= -1, -BEYOND, values - HALF_LEVEL)
    high = torch.where(values >= 1 - 3 * HALF_LEVEL, BEYOND, values + HALF_LEVEL)
    return low, high


def class_bounds(classes: Int[Tensor, "*n"]) -> tuple[Tensor, Tensor]:
    """Where each µ-law class begins and ends, on the scale from −1 to 1."""
    inner = torch.tensor(mulaw.edges(), dtype=torch.float32, device=classes.device)
    ends = torch.cat([inner.new_tensor([-BEYOND]), inner, inner.new_tensor([BEYOND])])
    return ends[classes], ends[classes + 1]


def sample_nats(
    outputs: Float[Tensor, "*n output"],
    classes: Int[Tensor, "*n"],
    values: Float[Tensor, "*n"],
    *,
    mixture: bool,
) -> dict[str, Float[Tensor, "*n"]]:
    """−ln p of each sample: ``nats_per_sample`` of its class, ``nats_16bit`` of its level."""
    if mixture:
        return {
            "nats_per_sample": -mixture_log_share(outputs, *class_bounds(classes)),
            "nats_16bit": -mixture_log_share(outputs, *level_bounds(values)),
        }
    nats = cross_entropy(outputs.flatten(0, -2), classes.flatten(), reduction="none")
    nats = nats.view(classes.shape)
    levels = torch.tensor(mulaw.levels_of_classes(), dtype=nats.dtype, device=nats.device)
    return {"nats_per_sample": nats, "nats_16bit": nats + levels[classes].log()}


class WaveObjective:
    """Mean nats of the counted samples: of classes for µ-law, of levels for a mixture."""

    def __call__(self, model: nn.Module, batch: SoundBatch) -> Mapping[str, Tensor]:
        mixture = bool(model.mixture)
        outputs = model(batch.values if mixture else batch.classes, batch.labels)
        chosen = outputs[batch.counted]
        classes, values = batch.classes[batch.counted], batch.values[batch.counted]
        if mixture:
            return {"loss": -mixture_log_share(chosen, *level_bounds(values)).mean()}
        return {"loss": cross_entropy(chosen, classes)}

    def weight(self, batch: SoundBatch) -> float:
        """Counted samples: the loss is their mean."""
        return float(batch.counted.sum())

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


@torch.no_grad()
def total_nats(model: nn.Module, batch: SoundBatch) -> dict[str, Float[Tensor, " batch"]]:
    """The nats of each clip's counted samples together, by scale."""
    mixture = bool(model.mixture)
    outputs = model(batch.values if mixture else batch.classes, batch.labels)
    found = sample_nats(outputs, batch.classes, batch.values, mixture=mixture)
    return {name: (nats * batch.counted).double().sum(1) for name, nats in found.items()}
