"""One token from a language model's scores."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def choose_token(
    scores: Float[np.ndarray, " token"],
    rng: np.random.Generator,
    *,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
) -> int:
    """Draw from softmax(scores / temperature), among the ``top_k`` likeliest tokens (Fan et al.
    2018) that together have the probability ``top_p`` (nucleus: Holtzman et al. 2020).

    Temperature 0 takes the likeliest. The token that reaches top_p is still among them. Tokens with
    the score −∞ are never drawn.
    """
    if temperature == 0:
        return int(np.argmax(scores))
    order = np.argsort(-scores, kind="stable")
    if top_k:
        order = order[:top_k]
    scaled = scores[order] / temperature
    chances = np.exp(scaled - scaled[0])
    chances /= chances.sum()
    if top_p < 1:
        before = np.cumsum(chances) - chances
        kept = before < top_p
        order, chances = order[kept], chances[kept] / chances[kept].sum()
    return int(order[rng.choice(len(order), p=chances)])
