"""What BERT is trained for: hidden pieces and following sentences, then classes or tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jaxtyping import Bool
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from shinso.data.piece_batches import NONE, PieceBatch


class HiddenPiecesObjective:
    """Cross entropy of the hidden pieces, plus that of "does the second sentence follow" where it is
    asked (Devlin et al. 2019, section 3.1), in nats. The loss is the sum of the two."""

    def __call__(self, model: nn.Module, batch: PieceBatch) -> Mapping[str, Tensor]:
        network: Any = model
        states = network.bert(batch.pieces, batch.types, batch.there)
        hidden = batch.labels != NONE
        if not bool(hidden.any()):
            # A short batch may have nothing hidden; then its first piece stands for it.
            hidden = hidden.clone()
            hidden[:, 1] = True
            labels = batch.pieces[hidden]
        else:
            labels = batch.labels[hidden]
        loss, _nats = network.hidden_loss(states[hidden], labels)
        found = {"hidden_nats": loss}  # the same number, from which gradients flow
        if network.follows is not None:
            scores = network.follows(network.bert.whole(states))
            following = cross_entropy(scores, batch.follows)
            loss = loss + following
            found["follows_nats"] = following
        return {"loss": loss, **found}

    def term_weights(self, batch: PieceBatch) -> Mapping[str, float]:
        """Hidden pieces, and pairs of sentences. What stands for hidden pieces in a part without
        any has no weight beside a part that has some."""
        hidden, asked = batch.labels != NONE, batch.follows != NONE
        return {"hidden_nats": float(hidden.sum()), "follows_nats": float(asked.sum())}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        pass


class PieceLabelObjective:
    """Cross entropy of a text's class, or of the tags at the pieces that have one."""

    def __call__(self, model: nn.Module, batch: PieceBatch) -> Mapping[str, Tensor]:
        scores = model(batch.pieces, batch.types, batch.there).flatten(0, -2)
        labels = batch.labels.flatten()
        real = labels != NONE
        loss = cross_entropy(scores, labels, ignore_index=NONE)
        return {"loss": loss, "accuracy": (scores.argmax(-1) == labels)[real].float().mean()}

    def counted(self, batch: PieceBatch) -> Bool[Tensor, "*batch"]:
        return batch.labels != NONE

    def weight(self, batch: PieceBatch) -> float:
        """Labels: the loss is their mean."""
        return float((batch.labels != NONE).sum())

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        pass
