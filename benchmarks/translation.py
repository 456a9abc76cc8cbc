"""Translators beside torch.nn.Transformer and Hugging Face's Marian, one thread, float32.

    python benchmarks/translation.py            decoding and training
    python benchmarks/translation.py decode     one of them

All three have the same sizes, and ours and Marian the same weights: a decoding comparison counts
only if the words are the same, which is checked. Goals (decided beforehand): decoding a batch at
least 2 × as fast as ``generate``, greedy and with beams; training not slower than either peer.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from marian import marian_twin
from peers import peer
from shinso.data.parallel_batches import (
    ParallelBatch,
    ParallelSamples,
    TokenBatches,
    padded,
    seen,
)
from shinso.data.parallel_text import read_pairs
from shinso.data.samples import path
from shinso.data.subwords import BEGIN, END, PAD, Subwords
from shinso.models.transformer import Transformer
from shinso.objectives.decoding import Search, search
from shinso.objectives.translation import TranslationObjective
from shinso.training.gradient import GradientLearner
from shinso.training.plan import Training
from timing import in_turn, print_table, ratio

VOCABULARY, SENTENCES, STEPS = 5000, 32, 40
TRAINED = 100  # steps before decoding
SIZES = {
    "tiny": {"width": 128, "heads": 4, "inner": 256, "encoder_layers": 4, "decoder_layers": 4},
    "small": {"width": 256, "heads": 4, "inner": 1024, "encoder_layers": 3, "decoder_layers": 3},
}


def make(size: str, **settings: Any) -> Transformer:
    torch.manual_seed(0)
    config = Transformer.Config(**{**SIZES[size], "norm": "post", "dropout": 0.0, **settings})
    return Transformer(config, num_source=VOCABULARY, num_target=VOCABULARY, shared=True)


def trained(size: str) -> tuple[Transformer, list[list[int]]]:
    """A model that has learnt to end its sentences, as one of random weights has not, and sources.

    The bundled sample has few subwords; the vocabulary has the size of a real one all the same.
    """
    pairs = read_pairs([path("dates.en-ja.tsv")])
    subwords = Subwords.train((*pairs.source, *pairs.target), 300)
    source, target = subwords.encode(pairs.source), subwords.encode(pairs.target)
    batches = TokenBatches(ParallelSamples(source, target), tokens=1500, sentences=100, seed=0)
    model = make(size)
    plan = Training(steps=TRAINED, lr=1e-3, warmup=20, schedule="linear")
    learner = GradientLearner(model, TranslationObjective(), plan)
    for _ in range(TRAINED):
        learner.step(batches.next_batch())
    return model.eval(), source[:SENTENCES]


# -- decoding -----------------------------------------------------------------------------------


class Recomputing:
    """Our model without its cache."""

    def __init__(self, model: Transformer) -> None:
        self.model = model

    def begin(self, source: Any, mask: Any, beams: int, steps: int) -> Recomputing:
        self.memory = self.model.encode(source, mask).repeat_interleave(beams, 0)
        self.mask = None if mask is None else mask.repeat_interleave(beams, 0)
        self.history = torch.empty(len(source) * beams, 0, dtype=torch.int64)
        self.beams = beams
        return self

    def step(self, words: torch.Tensor) -> torch.Tensor:
        self.history = torch.cat([self.history, words.view(-1, 1)], 1)
        hidden = self.model.decode(self.history, self.memory, self.mask)[:, -1]
        return self.model.output(hidden).view(*words.shape, -1)

    def take(self, kept: torch.Tensor | None, beams: torch.Tensor) -> None:
        rows = torch.arange(len(beams)) if kept is None else kept
        flat = (rows.unsqueeze(1) * self.beams + beams).reshape(-1)
        self.history, self.memory = self.history[flat], self.memory[flat]
        self.mask = None if self.mask is None else self.mask[flat]


def ours(model: Any, batch: list[list[int]], beams: int, end: int = END) -> list[tuple[int, ...]]:
    source, lengths = padded([[*one, END] for one in batch])
    how = Search(begin=BEGIN, end=end, beams=beams, length_penalty=0.0, never=(PAD,))
    found = search(model, source, seen(lengths, source.shape[1]), [STEPS] * len(batch), how)
    return [some[0].words for some in found]


@torch.no_grad()
def theirs(model: Any, batch: list[list[int]], beams: int) -> list[tuple[int, ...]]:
    source, lengths = padded([[*one, END] for one in batch])
    mask = torch.arange(source.shape[1]) < lengths.unsqueeze(1)
    found = model.generate(
        input_ids=source, attention_mask=mask.long(), num_beams=beams, do_sample=False,
        max_new_tokens=STEPS, length_penalty=0.0, early_stopping=False, bad_words_ids=[[PAD]],
    )  # fmt: skip
    rows = [row[1:].tolist() for row in found]  # without the sign of begin
    return [tuple(row[: row.index(END)] if END in row else row) for row in rows]


def decoding() -> None:
    rows = []
    for size in SIZES:
        model, sources = trained(size)
        marian = marian_twin(peer("transformers"), model)
        for number, beams in ((1, 1), (SENTENCES, 1), (SENTENCES, 5)):
            batch = sources[:number]
            ways = ways_of(model, marian, batch, beams)
            answers = {name: way() for name, way in ways.items()}
            lengths = [len(one) for one in answers["ours"]]
            print(f"{size}, {number} sentences, {beams} beams: {min(lengths)}-{max(lengths)} words")
            same = {
                name: sum(a == b for a, b in zip(found, answers["ours"], strict=True)) / number
                for name, found in answers.items()
            }
            seconds = in_turn(ways, rounds=5, warm_up=0)
            for name, took in seconds.items():
                middle, low, high = ratio(seconds["ours"], took)
                speed = sum(lengths) / statistics.median(took)
                rows.append(
                    [
                        size, str(number), str(beams), name, f"{speed:,.0f}", f"{1 / middle:.2f}",
                        f"{1 / high:.2f} to {1 / low:.2f}", f"{same[name]:.0%}",
                    ]
                )  # fmt: skip
    print_table(
        [
            "size",
            "sentences",
            "beams",
            "way",
            "words/s",
            "ours is faster by",
            "range",
            "same words",
        ],
        rows,
    )


def ways_of(
    model: Transformer, marian: Any, batch: list[list[int]], beams: int
) -> dict[str, Callable[[], Any]]:
    return {
        "ours": lambda: ours(model, batch, beams),
        "generate": lambda: theirs(marian, batch, beams),
        "ours, no cache": lambda: ours(Recomputing(model), batch, beams),
        "ours, one by one": lambda: [ours(model, [one], beams)[0] for one in batch],
    }


# -- training -----------------------------------------------------------------------------------


class TorchTransformer(nn.Module):
    """torch.nn.Transformer with our embeddings and output layer."""

    def __init__(self, like: Transformer) -> None:
        super().__init__()
        config = like.config
        self.like = like
        self.stack = nn.Transformer(
            config.width, config.heads, config.encoder_layers, config.decoder_layers,
            config.inner, config.dropout, batch_first=True,
        )  # fmt: skip

    def forward(self, source: Any, mask: Any, target: Any) -> torch.Tensor:
        like = self.like
        scale = like.config.width**0.5
        left = like.dropout(like.source_positions(like.source_embedding(source) * scale))
        right = like.dropout(like.target_positions(like.target_embedding(target) * scale))
        later = torch.ones(target.shape[1], target.shape[1], dtype=torch.bool).triu(1)
        hidden = None if mask is None else ~mask
        return self.stack(
            left, right, tgt_mask=later, src_key_padding_mask=hidden,
            memory_key_padding_mask=hidden, tgt_is_causal=True,
        )  # fmt: skip


def training() -> None:
    rows = []
    for size in SIZES:
        rng = np.random.default_rng(0)
        pairs = [
            [rng.integers(4, VOCABULARY, max(1, length + int(rng.integers(-2, 3)))).tolist()
             for _ in range(2)]
            for length in rng.integers(12, 19, 120).tolist()
        ]  # fmt: skip
        samples = ParallelSamples([one for one, _ in pairs], [other for _, other in pairs])
        batch = samples.take(np.lexsort((samples.source_lengths, samples.target_lengths)))
        words = int((batch.target_lengths - 1).sum() + batch.source_lengths.sum())
        own = make(size, dropout=0.1)
        reference = TorchTransformer(make(size, dropout=0.1))
        marian = marian_twin(peer("transformers"), make(size, dropout=0.1))
        seconds = in_turn(
            {
                "ours": _ours_step(own, batch),
                "torch.nn.Transformer": _torch_step(reference, batch),
                "Marian": _marian_step(marian, batch),
            },
            rounds=7,
            warm_up=2,
        )
        for name, took in seconds.items():
            middle, low, high = ratio(seconds["ours"], took)
            rows.append(
                [
                    size, name, f"{words / statistics.median(took):,.0f}", f"{1 / middle:.2f}",
                    f"{1 / high:.2f} to {1 / low:.2f}",
                ]
            )  # fmt: skip
    print_table(["size", "training step", "words/s", "ours is faster by", "range"], rows)


def _step(model: nn.Module, loss_of: Callable[[], torch.Tensor]) -> Callable[[], None]:
    """Forward, backward and the same optimizer for all."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    model.train()

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss_of().backward()
        optimizer.step()

    return step


def _ours_step(model: Transformer, batch: ParallelBatch) -> Callable[[], None]:
    objective = TranslationObjective(0.1)
    return _step(model, lambda: objective(model, batch)["loss"])


def _torch_step(model: TorchTransformer, batch: ParallelBatch) -> Callable[[], None]:
    """As one writes it: scores at every place, padding left out of the loss by its number."""
    mask = seen(batch.source_lengths, batch.source.shape[1])

    def loss() -> torch.Tensor:
        hidden = model(batch.source, mask, batch.target[:, :-1])
        scores = model.like.output(hidden).flatten(0, 1)
        labels = batch.target[:, 1:].flatten()
        return F.cross_entropy(scores, labels, ignore_index=PAD, label_smoothing=0.1)

    return _step(model, loss)


def _marian_step(model: Any, batch: ParallelBatch) -> Callable[[], None]:
    mask = (torch.arange(batch.source.shape[1]) < batch.source_lengths.unsqueeze(1)).long()

    def loss() -> torch.Tensor:
        scores = model(
            input_ids=batch.source, attention_mask=mask, decoder_input_ids=batch.target[:, :-1]
        ).logits.flatten(0, 1)
        labels = batch.target[:, 1:].flatten()
        return F.cross_entropy(scores, labels, ignore_index=PAD, label_smoothing=0.1)

    return _step(model, loss)


if __name__ == "__main__":
    torch.set_num_threads(1)
    wanted = sys.argv[1:] or ["decode", "train"]
    if "decode" in wanted:
        decoding()
    if "train" in wanted:
        training()
