"""Samples from a WaveNet one by one: with what every layer keeps, or all recomputed.

Both take the same random numbers and give the same sound; the first costs a layer two small
products a sample (Le Paine et al. 2016, "Fast Wavenet Generation Algorithm", arXiv:1611.09482), the
second a whole receptive field. The second is the definition, the first is for use.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float

from shinso.models.wavenet import WaveNet
from shinso.nn.kernels.wavenet_numba import draw_index, draw_logistic, speak


class CachedSampler:
    """A WaveNet's weights laid out for one sample at a time, and the past of each layer.

    ``draw`` can be called again and again: it goes on where it stopped.
    """

    def __init__(self, model: WaveNet, label: int | None = None) -> None:
        stack, width = model.stack, model.config.width
        layers = len(stack.dilations)
        bias = _array(stack.bias)
        if model.condition is not None:
            if label is None:
                raise ValueError("label is None; this network speaks one of its labels")
            bias = bias + _array(model.condition.weight)[label].reshape(layers, -1)
        residual = np.zeros((layers, width, width), np.float32)
        residual[:-1] = _array(stack.residual.transpose(1, 2))
        skip = _array(stack.skip.transpose(1, 2))
        dilations = np.array(stack.dilations, np.int64)
        self._weights = (
            _array(stack.past.transpose(1, 2)), _array(stack.now.transpose(1, 2)),
            bias, np.concatenate([residual, skip], axis=2),
            _array(model.skip_bias), _array(model.hidden.weight.t()), _array(model.hidden.bias),
            _array(model.head.weight.t()), _array(model.head.bias), model.mixture,
        )  # fmt: skip
        self._embed = _array(model.embed)
        offsets = np.concatenate([[0], np.cumsum(dilations)[:-1]]).astype(np.int64)
        queues = np.zeros((int(dilations.sum()), width), np.float32)
        self._past = (queues, offsets, dilations)
        self._last, self._place = model.start, 0

    def draw(
        self, chances: Float[np.ndarray, "time 2"], temperature: float = 1.0
    ) -> Float[np.ndarray, " time"]:
        """The next samples: classes, or values from −1 to 1. chances: uniform numbers between 0
        and 1, two a sample (of a µ-law one only the first is used)."""
        out = np.empty(len(chances))
        speak(
            self._embed, *self._past, *self._weights,
            self._last, temperature, chances, self._place, out,
        )  # fmt: skip
        if len(out):
            self._last, self._place = float(out[-1]), self._place + len(out)
        return out


@torch.no_grad()
def draw_anew(
    model: WaveNet,
    chances: Float[np.ndarray, "time 2"],
    label: int | None = None,
    temperature: float = 1.0,
) -> Float[np.ndarray, " time"]:
    """The same samples by the definition: for each one, the network reads its receptive field."""
    kind = torch.float32 if model.mixture else torch.long
    known = torch.full((1, 1), model.start).to(kind)
    labels = None if label is None else torch.tensor([label])
    drawn = []
    for pair in chances:
        seen = known[:, -model.receptive_field :]
        scores = model.scores(seen, labels)[0, -1].numpy()
        if model.mixture:
            value = draw_logistic(scores, temperature, pair)
        else:
            value = draw_index(scores, temperature, pair[0])
        drawn.append(value)
        known = torch.cat([known, torch.tensor([[value]]).to(kind)], dim=1)
    return np.array(drawn, dtype=np.float64)


def _array(weights: torch.Tensor) -> np.ndarray:
    return np.ascontiguousarray(weights.detach().float().cpu().numpy())
