"""Interpolated Kneser–Ney n-grams with three discounts an order (Chen & Goodman 1999, section 4.1.6).

    P(w | h) = max(c(hw) − D(c(hw)), 0) / c(h·)  +  γ(h) P(w | h′)
    γ(h)     = (D₁ N₁(h·) + D₂ N₂(h·) + D₃ N₃₊(h·)) / c(h·)

h′ is h without its first token. Below the highest order c counts in how many different contexts a
sequence stands, not how often: "Francisco" is frequent, but only after "San". The order 0 is uniform.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

Tokens = Int[np.ndarray, " _"]


@dataclass(frozen=True)
class _Order:
    """One order's sequences hw, sorted by key = (number of h) · V + w.

    counts: c(hw). totals, backoff: c(h·) and γ(h), by the number of h. discounts: D by count.
    """

    keys: Int[np.ndarray, " gram"]
    counts: Int[np.ndarray, " gram"]
    totals: Int[np.ndarray, " context"]
    backoff: Float[np.ndarray, " context"]
    discounts: Float[np.ndarray, "4"]

    def find(self, keys: Int[np.ndarray, " query"]) -> Int[np.ndarray, " query"]:
        """Number of each sequence; −1 where it was not seen."""
        place = np.searchsorted(self.keys, keys)
        place[place == len(self.keys)] = 0
        return np.where(self.keys[place] == keys, place, -1)


class KneserNey:
    """A model of the next token from the ``order`` − 1 before it."""

    def __init__(self, tokens: Tokens, num_tokens: int, order: int) -> None:
        if order < 1 or len(tokens) < 1:
            raise ValueError(f"order is {order} with {len(tokens)} tokens; give at least 1 of both")
        self.num_tokens = num_tokens
        self.orders = _counted(np.asarray(tokens, dtype=np.int64), num_tokens, order)

    def log_probabilities(self, tokens: Tokens, before: Tokens | None = None) -> np.ndarray:
        """Natural logarithm of each token's probability after those before it; the first tokens
        see as many as there are."""
        given = np.zeros(0, np.int64) if before is None else np.asarray(before, np.int64)
        given = given[max(0, len(given) - len(self.orders) + 1) :]
        whole = np.concatenate([given, np.asarray(tokens, dtype=np.int64)])
        chance = np.full(len(whole), 1 / self.num_tokens)
        context = np.zeros(len(whole), dtype=np.int64)  # the empty one has the number 0
        for length, one in enumerate(self.orders):
            chance = self._mixed(one, context, whole, chance)
            grams = self._grams(one, context, whole)
            # The context one longer: the sequence that ended a token earlier.
            context = np.concatenate([np.full(1, -1, dtype=np.int64), grams[:-1]])
            context[: length + 1] = -1
        return np.log(chance[len(given) :])

    def next_probabilities(self, before: Tokens) -> Float[np.ndarray, " token"]:
        """Probability of every token after ``before``."""
        before = np.asarray(before, dtype=np.int64)
        every = np.arange(self.num_tokens)
        chance = np.full(self.num_tokens, 1 / self.num_tokens)
        for length, one in enumerate(self.orders):
            if length > len(before):
                break
            context = self._number(before[len(before) - length :])
            if context < 0:
                break
            chance = self._mixed(one, np.full(self.num_tokens, context), every, chance)
        return chance

    def _number(self, context: Tokens) -> int:
        number = 0
        for one, token in zip(self.orders, context, strict=False):
            number = int(one.find(np.array([number * self.num_tokens + token]))[0])
            if number < 0:
                break
        return number

    def _grams(self, one: _Order, context: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        found = one.find(np.maximum(context, 0) * self.num_tokens + tokens)
        return np.where(context < 0, -1, found)

    def _mixed(
        self, one: _Order, context: np.ndarray, tokens: np.ndarray, lower: np.ndarray
    ) -> np.ndarray:
        grams = self._grams(one, context, tokens)
        counts = np.where(grams < 0, 0, one.counts[grams])
        safe = np.maximum(context, 0)
        totals = one.totals[safe]
        # A context at the end of the training text was seen, but nothing after it.
        seen = (context >= 0) & (totals > 0)
        found = np.maximum(counts - one.discounts[np.minimum(counts, 3)], 0)
        mixed = found / np.maximum(totals, 1) + one.backoff[safe] * lower
        return np.where(seen, mixed, lower)


def _counted(tokens: Tokens, num_tokens: int, order: int) -> list[_Order]:
    contexts = 1
    context = np.zeros(len(tokens), dtype=np.int64)
    there = np.arange(len(tokens))  # where the sequences of this order end
    grams: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = []
    for _length in range(order):
        keys = context * num_tokens + tokens[there]
        unique, first, number, counts = np.unique(
            keys, return_index=True, return_inverse=True, return_counts=True
        )
        grams.append((unique, there[first], number, counts))
        # Sequences that end one token later have these as their context.
        later = there[there + 1 < len(tokens)]
        context, there = number[: len(later)], later + 1
        if not len(there):
            break
    orders = []
    for place, (unique, _ends, _number, counts) in enumerate(grams):
        if place + 1 < len(grams):
            counts = _continuations(grams[place], grams[place + 1], place)
        contexts = 1 if place == 0 else len(grams[place - 1][0])
        orders.append(_order_of(unique, counts, contexts, num_tokens))
    return orders


def _continuations(own: tuple, longer: tuple, place: int) -> np.ndarray:
    """In how many different longer sequences each one is the end; its own count where it begins the
    text and nothing stands before it."""
    unique, _ends, number, counts = own
    # own's numbers lie at positions place …; a longer sequence that ends at e has as its end the
    # sequence of this order that ends there too.
    suffixes = number[longer[1] - place]
    found = np.bincount(suffixes, minlength=len(unique))
    return np.where(found > 0, found, counts)


def _order_of(keys: np.ndarray, counts: np.ndarray, contexts: int, num_tokens: int) -> _Order:
    context = keys // num_tokens
    totals = np.bincount(context, weights=counts, minlength=contexts).astype(np.int64)
    discounts = _discounts(counts)
    mass = np.bincount(
        context, weights=discounts[np.minimum(counts, 3)], minlength=contexts
    )  # Σ D(c(hw)) over the w seen after h
    return _Order(keys, counts, totals, mass / np.maximum(totals, 1), discounts)


def _discounts(counts: np.ndarray) -> Float[np.ndarray, "4"]:
    """D₁, D₂, D₃₊ from how many sequences have count 1 … 4 (ibid., eq. 17); 0 for a count of 0.

    Counts of counts that give none (a small or strange text) leave 0.5 of one, 0.75 of the others.
    """
    n1, n2, n3, n4 = (int((counts == c).sum()) for c in (1, 2, 3, 4))
    found = [0.0, 0.5, 0.75, 0.75]
    if n1 and n2:
        y = n1 / (n1 + 2 * n2)
        found[1] = 1 - 2 * y * n2 / n1
        if n3:
            found[2] = 2 - 3 * y * n3 / n2
            if n4:
                found[3] = 3 - 4 * y * n4 / n3
    limits = (0.0, 1.0, 2.0, 3.0)
    fallback = (0.0, 0.5, 0.75, 0.75)
    return np.array(
        [
            d if 0 < d <= most else least
            for d, most, least in zip(found, limits, fallback, strict=True)
        ]
    )
