"""Learning word vectors: no gradient of autograd, but compiled steps over stretches of text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, Int, Int8, Int32
from torch import nn

from shinso.data.word_stretches import Stretch
from shinso.models.word2vec import Word2Vec

NOISE_POWER = 0.75
LEAST_LR = 1e-4  # of the peak; word2vec.c never goes below


@dataclass(frozen=True)
class Chances:
    """What follows from the words' counts: subsampling, the noise distribution, the tree.

    keep: chance of an occurrence to be learnt from. shares, others: alias table of the noise.
    starts, points, codes: path of each word, flat.
    """

    keep: Float32[np.ndarray, " word"]
    shares: Float32[np.ndarray, " word"]
    others: Int32[np.ndarray, " word"]
    starts: Int[np.ndarray, " word_and_end"]
    points: Int32[np.ndarray, " node"]
    codes: Int8[np.ndarray, " node"]

    @classmethod
    def of(cls, counts: Int[np.ndarray, " word"], *, sample: float, tree: bool) -> Chances:
        return cls(
            keep_chances(counts, sample),
            *alias_table(counts.astype(float) ** NOISE_POWER),
            *(huffman_paths(counts) if tree else _no_paths()),
        )


def keep_chances(counts: Int[np.ndarray, " word"], sample: float) -> Float32[np.ndarray, " word"]:
    """√(t/f) + t/f, at most 1, for a word with share f of the text.

    Differs from Mikolov et al. 2013b, eq. 5, which lacks the second term, as their program does.
    """
    if sample == 0:
        return np.ones(len(counts), dtype=np.float32)
    rare = sample * counts.sum() / np.maximum(counts, 1)
    return np.minimum(1.0, np.sqrt(rare) + rare).astype(np.float32)


def alias_table(
    weights: np.ndarray,
) -> tuple[Float32[np.ndarray, " word"], Int32[np.ndarray, " word"]]:
    """Walker's alias table (1977): place i is i with chance shares[i], else others[i]."""
    shares = weights / weights.sum() * len(weights)
    others = np.arange(len(weights), dtype=np.int32)
    small = np.flatnonzero(shares < 1).tolist()
    large = np.flatnonzero(shares >= 1).tolist()
    while small and large:
        low, high = small.pop(), large[-1]
        others[low] = high
        shares[high] -= 1 - shares[low]
        if shares[high] < 1:
            small.append(large.pop())
    shares[small + large] = 1  # what is left differs from 1 by rounding
    return shares.astype(np.float32), others


def huffman_paths(
    counts: Int[np.ndarray, " word"],
) -> tuple[Int[np.ndarray, " end"], Int32[np.ndarray, " node"], Int8[np.ndarray, " node"]]:
    """Paths from the root to each word: starts, inner nodes (0 is made first), bits taken there."""
    from shinso.nn.kernels.word2vec_numba import huffman

    words = len(counts)
    parents, bits = np.zeros(2 * words - 1, np.int64), np.zeros(2 * words - 1, np.int8)
    huffman(np.maximum(counts, 1).astype(np.int64), parents, bits)
    root = 2 * words - 2
    starts, points, codes = [0], [], []
    for word in range(words):
        nodes, taken, node = [], [], word
        while node != root:
            taken.append(bits[node])
            node = int(parents[node])
            nodes.append(node - words)
        points += reversed(nodes)
        codes += reversed(taken)
        starts.append(len(points))
    return np.array(starts), np.array(points, dtype=np.int32), np.array(codes, dtype=np.int8)


def _no_paths() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int8)


class Word2VecLearner:
    """One stretch of text a step, on one core bit for bit, on several without waiting.

    With several cores each takes a part of the stretch and writes to the same tables (Recht et al.
    2011, "Hogwild!"): words seldom meet, so little is lost, but no two trainings are alike.
    """

    def __init__(
        self,
        model: Word2Vec,
        counts: Int[np.ndarray, " word"],
        *,
        lr: Callable[[int], float],
        peak: float,
        seed: int,
        cores: int = 1,
    ) -> None:
        """lr: learning rate at a step."""
        config = model.config
        self.model, self.lr, self.peak, self.cores = model, lr, peak, cores
        self.chances = Chances.of(counts, sample=config.sample, tree=config.tree)
        # xorshift never leaves 0; splitmix's constant spreads neighbouring seeds.
        self.random = (seed + 1) * 0x9E3779B97F4A7C15 % (1 << 64) or 1
        self.steps_taken = 0

    def step(self, batch: Stretch) -> Mapping[str, float]:
        """loss: nats of a row against its targets (one word and the drawn ones, or a path)."""
        lr = max(self.lr(self.steps_taken), LEAST_LR * self.peak)
        loss = self._over(batch, lr)
        self.steps_taken += 1
        return {"loss": loss, "lr": lr}

    def _over(self, batch: Stretch, lr: float) -> float:
        words = batch.words.numpy()
        if self.cores == 1:
            rows, loss, self.random = self._learn(words, lr, self.random)
        else:
            seeds = [(self.random + place * 0xD1342543DE82EF95) % (1 << 64) or 1
                     for place in range(self.cores)]  # fmt: skip
            with ThreadPoolExecutor(self.cores) as pool:
                parts = np.array_split(words, self.cores)
                found = list(pool.map(lambda part, seed: self._learn(part, lr, seed), parts, seeds))
            rows, loss = sum(one[0] for one in found), sum(one[1] for one in found)
            self.random = found[0][2]
        return loss / max(rows, 1)

    def _learn(self, words: np.ndarray, lr: float, seed: int) -> tuple[int, float, int]:
        from shinso.nn.kernels.word2vec_numba import learn_words

        config, chances = self.model.config, self.chances
        _centres, rows, loss, random = learn_words(
            words, self.model.inputs.numpy(), self.model.outputs.numpy(), chances.keep,
            config.window, config.cbow, 0 if config.tree else config.negative,
            chances.shares, chances.others, chances.starts, chances.points, chances.codes,
            np.float32(lr), np.uint64(seed),
        )  # fmt: skip
        return int(rows), float(loss), int(random)

    def state_dict(self) -> dict[str, Any]:
        # A whole number beyond 2⁶³ is no JSON number everywhere, so it goes as text.
        return {
            "model": self.model.state_dict(),
            "random": str(self.random),
            "steps_taken": self.steps_taken,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.random, self.steps_taken = int(state["random"]), state["steps_taken"]


class Word2VecLoss:
    """The learner's loss on a stretch, without learning from it."""

    def __init__(self, learner: Word2VecLearner) -> None:
        self.learner = learner

    def __call__(self, model: nn.Module, batch: Stretch) -> Mapping[str, Any]:
        import torch

        before = self.learner.random
        try:
            return {"loss": torch.tensor(self.learner._over(batch, 0.0))}
        finally:
            self.learner.random = before

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        pass
