"""The next token: cross entropy over windows of a text whose state is carried on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from shinso.data.batch_parts import interleaved
from shinso.data.token_windows import Window
from shinso.nn.sampled_loss import sampled_cross_entropy


class LanguageModelObjective:
    """Nats a token. What the model remembers of a window starts the next one, without its gradient
    (truncated back-propagation through time: Williams & Peng 1990).

    activity: weight of the mean square of the outputs; slowness: of the change from step to step
    (Merity et al. 2018, section 5.3, "AR" and "TAR"; differs: both see the outputs after dropout, the
    paper's TAR before it). drawn: tokens against which each target
    stands in training instead of all (``sampled_cross_entropy``); 0 takes all.
    """

    def __init__(
        self,
        *,
        activity: float = 0.0,
        slowness: float = 0.0,
        drawn: int = 0,
        counts: Int[np.ndarray, " token"] | None = None,
    ) -> None:
        """counts: of the tokens in the train part, after which some are drawn."""
        self.activity, self.slowness, self.drawn = activity, slowness, drawn
        self.state: Any = None
        self.shares: Tensor | None = None
        if drawn:
            if counts is None:
                raise ValueError("drawn tokens need counts; give them")
            # One more of each, so that a token that only the valid part has can be drawn.
            self.shares = torch.from_numpy((counts + 1.0) / (counts.sum() + len(counts))).float()

    def __call__(self, model: nn.Module, batch: Window) -> Mapping[str, Tensor]:
        state = None if bool(batch.fresh) else self.state
        h, new = model(batch.tokens, state)
        self.state = detached(new)
        return self.of_states(model, h, batch)

    def given(self, batch: Window) -> Int[Tensor, "batch time"]:
        """What the model reads of a batch."""
        return batch.tokens

    def of_states(
        self, model: nn.Module, states: Float[Tensor, "batch time width"], batch: Window
    ) -> Mapping[str, Tensor]:
        """The scalars, from the model's states; only its last layer is asked."""
        nats = self._nats(model, states, batch.targets)
        loss = nats
        if self.activity:
            loss = loss + self.activity * states.square().mean()
        if self.slowness and states.shape[1] > 1:
            loss = loss + self.slowness * (states[:, 1:] - states[:, :-1]).square().mean()
        return {"loss": loss, "loss_nats": nats.detach()}

    def _nats(self, model: Any, h: Tensor, targets: Tensor) -> Tensor:
        if self.shares is None:
            return model.loss(h, targets)
        self.shares = self.shares.to(h.device)
        drawn = torch.multinomial(self.shares, self.drawn, replacement=True)
        flat = h.reshape(-1, h.shape[-1])
        head = model.head
        return sampled_cross_entropy(
            flat, head.weight, head.bias, targets.reshape(-1), drawn, self.shares
        )

    def state_dict(self) -> dict[str, Any]:
        return {"state": [list(parts) for parts in self.state] if self.state else []}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        self.state = [tuple(parts) for parts in state["state"]] or None

    def state_of_part(self, state: dict[str, Any], index: int, of: int, /) -> dict[str, Any]:
        """The hidden states (direction, sample, unit) of samples index, index + of, …"""
        return {"state": [[one[:, index::of] for one in layer] for layer in state["state"]]}

    def joined_state(self, states: Sequence[dict[str, Any]], /) -> dict[str, Any]:
        """Sample i of part r is sample r + i · (number of parts) of all."""
        layers = zip(*(one["state"] for one in states), strict=True)
        return {
            "state": [[interleaved(same, 1) for same in zip(*one, strict=True)] for one in layers]
        }


def detached(state: Any) -> list[tuple[Tensor, ...]] | None:
    """The same numbers without their history."""
    return None if state is None else [tuple(part.detach() for part in parts) for parts in state]


@torch.no_grad()
def nats_of_text(model: nn.Module, windows: Any, device: torch.device) -> tuple[float, int]:
    """Summed nats of all tokens of a text read from its start, and their number."""
    total, count, state = 0.0, 0, None
    for tokens, targets in windows:
        h, state = model(tokens.to(device), state)
        total += float(model.loss(h, targets.to(device)).double()) * targets.numel()  # pyright: ignore[reportCallIssue]
        count += targets.numel()
    return total, count
