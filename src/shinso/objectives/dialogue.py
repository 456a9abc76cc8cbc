"""How likely the turns of a dialogue are, in nats; of VHRED a bound, in its two parts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from shinso.data.dialogues import DialogueBatch


class DialogueObjective:
    """Nats a word of all answers, and of VHRED the weighted KL divergence between what the answer
    and what the context alone say of the latent variable.

    The weight rises from 0 to 1 over ``anneal_steps``, of which the state keeps count. A KL below
    ``free_nats`` a turn costs nothing (Kingma et al. 2016, "free bits"), taken over a batch's mean. Of a
    batch that is shared or learned in parts, over each part's mean, and the loss may then be larger
    than that of the whole batch; without ``free_nats`` they are equal.
    """

    def __init__(self, *, anneal_steps: int = 0, free_nats: float = 0.0) -> None:
        """Raises ValueError for numbers below 0."""
        for name, value in (("anneal_steps", anneal_steps), ("free_nats", free_nats)):
            if value < 0:
                raise ValueError(f"{name} is {value}; give 0 or more")
        self.anneal_steps, self.free_nats = anneal_steps, free_nats
        self.steps_taken = 0

    @property
    def kl_weight(self) -> float:
        """Of the KL divergence, now."""
        return min(1.0, self.steps_taken / self.anneal_steps) if self.anneal_steps else 1.0

    def __call__(self, model: nn.Module, batch: DialogueBatch) -> Mapping[str, Tensor]:
        network: Any = model
        seen, z, kl = _looked_at(network, batch, None)
        total = seen.lengths.sum()
        found = {"reconstruction_nats_per_word": network.sum_of_nats(seen, z) / total}
        loss = found["reconstruction_nats_per_word"]
        if kl is not None:
            costly = kl.mean().clamp(min=self.free_nats) * len(kl)
            loss = loss + self.kl_weight * costly / total
            found["kl_nats_per_turn"] = kl.mean()
        if model.training:
            self.steps_taken += 1
        return {"loss": loss, **found}

    def weight(self, batch: DialogueBatch) -> float:
        """Words of the answers: the loss is divided by them."""
        first = batch.turns.cumsum(0) - batch.turns
        return float(batch.lengths.sum() - batch.lengths[first].sum())

    def state_dict(self) -> dict[str, Any]:
        return {"steps_taken": self.steps_taken}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.steps_taken = state["steps_taken"]


def answer_nats(
    model: Any, batch: DialogueBatch, generator: torch.Generator | None = None
) -> tuple[Float[Tensor, " answer"], Float[Tensor, " answer"] | None, Float[Tensor, " answer"]]:
    """Reconstruction, KL divergence (None without a latent variable) and words of each answer,
    with one draw of the latent variable from what the answer says of it."""
    seen, z, kl = _looked_at(model, batch, generator)
    return model(seen, z), kl, seen.lengths.to(seen.context)


def _looked_at(
    model: Any, batch: DialogueBatch, generator: torch.Generator | None
) -> tuple[Any, Tensor | None, Tensor | None]:
    """What is known of each answer, a draw of its latent variable, and the KL divergence of that."""
    seen = model.read(*batch)
    if not model.latent:
        return seen, None, None
    posterior = model.posterior_of(seen)
    noise = torch.randn(posterior.mean.shape, generator=generator).to(posterior.mean)
    return seen, posterior.draw(noise), posterior.kl_to(model.prior_of(seen.context))


@torch.no_grad()
def estimate_and_bound(
    model: Any, batch: DialogueBatch, samples: int, generator: torch.Generator
) -> tuple[Float[Tensor, " answer"], Float[Tensor, " answer"]]:
    """−ln of the importance-weighted estimate of each answer's probability, the mean over draws of
    p(answer | z) p(z) / q(z) (Burda et al. 2016), and the bound by the same draws, which is no
    smaller; in nats."""
    seen = model.read(*batch)
    posterior, prior = model.posterior_of(seen), model.prior_of(seen.context)
    weights = []
    for _ in range(samples):
        z = posterior.draw(torch.randn(posterior.mean.shape, generator=generator).to(seen.context))
        ratio = _log_density(prior, z) - _log_density(posterior, z)
        weights.append(ratio - model(seen, z))
    every = torch.stack(weights)
    return math.log(samples) - torch.logsumexp(every, dim=0), -every.mean(0)


def estimated_nats(
    model: Any, batch: DialogueBatch, samples: int, generator: torch.Generator
) -> Float[Tensor, " answer"]:
    """The estimate of ``estimate_and_bound`` alone."""
    return estimate_and_bound(model, batch, samples, generator)[0]


def _log_density(normal: Any, z: Tensor) -> Tensor:
    """Up to a constant that a ratio of two leaves out."""
    square = (z - normal.mean) ** 2 * torch.exp(-normal.log_variance)
    return -0.5 * (square + normal.log_variance).sum(-1)
