"""Weights that are zero, and stay zero while the others learn on.

A weight that is masked still takes part in every product: on dense hardware nothing becomes
faster. What becomes smaller is the file. For speed, channels have to go (``dependencies``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Generic

import torch
from torch import Tensor, nn

from shinso.contracts import BatchIn
from shinso.training.gradient import GradientLearner

Masks = dict[str, Tensor]


def prunable(model: nn.Module) -> dict[str, nn.Parameter]:
    """The weights that pruning and quantization change: all with two axes or more. Biases and
    gains are few, and a network depends on each."""
    return {name: one for name, one in model.named_parameters() if one.ndim > 1}


def magnitude_masks(weights: Mapping[str, Tensor], sparsity: float) -> Masks:
    """False for the share ``sparsity`` of all weights together that are smallest (Han et al. 2015).

    A layer whose weights are small altogether may lose all of them, and with it the network its
    answer; ``layer_adaptive_masks`` cannot. Raises ValueError for a share outside 0 to below 1.
    """
    return _lowest({name: one.detach().abs() for name, one in weights.items()}, sparsity)


def layer_adaptive_masks(weights: Mapping[str, Tensor], sparsity: float) -> Masks:
    """The same by w² / Σ w² over the weights of its layer that are not smaller (Lee et al. 2021,
    "Layer-Adaptive Sparsity for the Magnitude-Based Pruning", eq. 5). The largest weight of each
    layer has 1, so that no layer is lost; one that is still all zero, as a layer that begins so
    is, stays whole, since nothing yet says which of its weights matter."""
    return _lowest({name: _adapted(one.detach()) for name, one in weights.items()}, sparsity)


def _adapted(weight: Tensor) -> Tensor:
    squares = weight.double().square().flatten()
    if not squares.any():
        return torch.ones_like(weight, dtype=torch.double)
    order = squares.argsort(descending=True, stable=True)
    sums = squares[order].cumsum(0)
    scores = torch.empty_like(squares)
    scores[order] = squares[order] / sums.clamp(min=1e-300)
    return scores.view(weight.shape)


def _lowest(scores: Mapping[str, Tensor], sparsity: float) -> Masks:
    if not 0 <= sparsity < 1:
        raise ValueError(f"sparsity is {sparsity}; give a share from 0 to below 1")
    magnitudes = torch.cat([one.flatten() for one in scores.values()])
    gone = int(sparsity * len(magnitudes))
    if gone == 0:
        return {name: torch.ones_like(one, dtype=torch.bool) for name, one in scores.items()}
    # By rank, not by threshold: equal weights would go all together.
    kept = torch.ones(len(magnitudes), dtype=torch.bool)
    kept[magnitudes.argsort(stable=True)[:gone]] = False
    parts = kept.split([one.numel() for one in scores.values()])
    return {
        name: part.view(one.shape) for (name, one), part in zip(scores.items(), parts, strict=True)
    }


def n_of_m_masks(weights: Mapping[str, Tensor], n: int, m: int) -> Masks:
    """In each run of m neighbours along the inputs the n largest are kept (Zhou et al. 2021); a
    last run that is shorter keeps in proportion, rounded up. ValueError unless 0 < n < m."""
    if not 0 < n < m:
        raise ValueError(f"n:m is {n}:{m}; give 0 < n < m, such as 2:4")
    masks = {}
    for name, weight in weights.items():
        rows = weight.detach().abs().flatten(1)
        whole = rows.shape[1] // m * m
        mask = torch.zeros_like(rows, dtype=torch.bool)
        runs = rows[:, :whole].reshape(len(rows), -1, m)
        chosen = torch.zeros_like(runs, dtype=torch.bool)
        chosen.scatter_(2, runs.topk(n, dim=2).indices, True)
        mask[:, :whole] = chosen.flatten(1)
        if rest := rows.shape[1] - whole:
            mask[:, whole:].scatter_(1, rows[:, whole:].topk(-(-n * rest // m)).indices, True)
        masks[name] = mask.view(weight.shape)
    return masks


@torch.no_grad()
def apply(weights: Mapping[str, nn.Parameter], masks: Masks) -> None:
    """Set what is masked to zero."""
    for name, mask in masks.items():
        weights[name].mul_(mask.to(weights[name].device))


def sparsity_at(step: int, steps: int, final: float) -> float:
    """The share of zeros while it grows: s_f (1 − (1 − t/n)³), fast while there is much to spare
    (Zhu & Gupta 2017, "To prune, or not to prune", eq. 1)."""
    return final * (1 - (1 - min(step / max(steps, 1), 1.0)) ** 3)


class MaskedLearner(Generic[BatchIn]):
    """A learner whose masked weights are zero after each step.

    final, growing: a sparsity that is reached over so many steps, masks drawn anew every
    ``every`` of them; without ``growing`` the masks that are there stay.
    """

    def __init__(
        self,
        learner: GradientLearner[BatchIn],
        weights: Mapping[str, nn.Parameter],
        masks: Masks,
        *,
        final: float = 0.0,
        growing: int = 0,
        every: int = 10,
    ) -> None:
        self.learner, self.weights, self.masks = learner, dict(weights), masks
        self.final, self.growing, self.every = final, growing, every
        self.step_number = 0
        apply(self.weights, self.masks)

    @property
    def settled(self) -> bool:
        """Whether the masks are what they will be."""
        return self.step_number >= self.growing

    def step(self, batch: BatchIn) -> Mapping[str, Tensor | float]:
        scalars = self.learner.step(batch)
        self.step_number += 1
        if self.step_number <= self.growing and (
            self.step_number % self.every == 0 or self.step_number == self.growing
        ):
            share = sparsity_at(self.step_number, self.growing, self.final)
            self.masks = layer_adaptive_masks(self.weights, share)
        apply(self.weights, self.masks)
        return {**scalars, "sparsity": sparsity(self.masks.values())}

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Within, the model has the weights that are kept; a mean that remembers the time before a
        weight was masked is masked too."""
        with self.learner.evaluating():
            apply(self.weights, self.masks)
            yield

    def state_dict(self) -> dict[str, Any]:
        return {
            "learner": self.learner.state_dict(),
            "masks": dict(self.masks),
            "step_number": self.step_number,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.learner.load_state_dict(state["learner"])
        self.masks = dict(state["masks"])
        self.step_number = state["step_number"]


def sparsity(masks: Iterable[Tensor]) -> float:
    """Share of False."""
    found = list(masks)
    return 1 - sum(int(one.sum()) for one in found) / max(sum(one.numel() for one in found), 1)
