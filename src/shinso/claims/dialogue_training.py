"""What the claims on dialogue share: talks, and networks of dialogue trained on them in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from shinso.claims.claim import Profile
from shinso.data import registry, samples
from shinso.data.dialogues import END, DialogueSamples, read_dialogues
from shinso.data.shuffled import ShuffledSource
from shinso.data.vocabulary import Vocabulary
from shinso.models.hred import HRED
from shinso.objectives.dialogue import DialogueObjective, answer_nats
from shinso.training.gradient import GradientLearner
from shinso.training.plan import Training

REAL = "dailydialog/train.jsonl.gz"
REAL_TALKS = 3000
MOST_TURNS, MOST_WORDS, BATCH = 8, 20, 16
SIZES = {"quick": {"embedding": 24, "hidden": 32, "context": 32, "latent": 8},
         "full": {"embedding": 64, "hidden": 96, "context": 96, "latent": 16}}  # fmt: skip
STEPS = {"quick": 300, "full": 1500}
LR = {"quick": 1e-2, "full": 4e-3}


class Talks:
    """Four fifths of the talks to learn from, the others kept; which, the seed decides.

    quick: the talks that come with shinso. full: 3,000 of DailyDialog below SHINSO_DATA, where they
    are, else those that come with shinso.
    """

    def __init__(self, profile: Profile, seed: int, *, shuffled: bool = False) -> None:
        """shuffled: the turns of all talks change places, so that no context fits."""
        real = registry.find(REAL) if profile == "full" else None
        self.name = "DailyDialog" if real else "bundled talks"
        turns: Sequence[Any] = read_dialogues(real or samples.path("dialogues.jsonl.gz")).turns
        rng = np.random.default_rng(seed)
        if len(turns) > REAL_TALKS:
            turns = [turns[place] for place in np.sort(rng.permutation(len(turns))[:REAL_TALKS])]
        if shuffled:
            turns = _out_of_context(turns, rng)
        order = rng.permutation(len(turns))
        kept = len(turns) // 5
        parts = [turns[place] for place in order[kept:]], [turns[place] for place in order[:kept]]
        words = (word for talk in parts[0] for turn in talk for word in [*turn, END])
        self.vocabulary = Vocabulary.build(words, 3 if real else 1)
        self.learnt, self.kept = (
            DialogueSamples(part, self.vocabulary, most_turns=MOST_TURNS, most_words=MOST_WORDS)
            for part in parts
        )


def _out_of_context(turns: Sequence[Any], rng: np.random.Generator) -> list[list[Any]]:
    """Every pair of neighbours stays together; the pairs change places between talks."""
    pairs = [talk[begin : begin + 2] for talk in turns for begin in range(0, len(talk) - 1, 2)]
    order = iter(rng.permutation(len(pairs)).tolist())
    return [[turn for _ in range(len(talk) // 2) for turn in pairs[next(order)]] for talk in turns]


def trained(
    kind: str, talks: Talks, profile: Profile, seed: int, *, anneal_steps: int = 0,
    free_nats: float = 0.0, word_dropout: float = 0.0,
) -> HRED:  # fmt: skip
    """The network after its steps, ready to be asked."""
    config = HRED.Config(kind=kind, dropout=0.1, word_dropout=word_dropout, **SIZES[profile])  # type: ignore[arg-type]
    words = talks.vocabulary
    model = HRED(config, num_words=len(words), end=words.words.index(END))
    source = ShuffledSource(talks.learnt, BATCH, seed, lengths=talks.learnt.lengths)
    training = Training(steps=STEPS[profile], lr=LR[profile], schedule="one-cycle", clip_norm=1.0)
    objective = DialogueObjective(anneal_steps=anneal_steps, free_nats=free_nats)
    learner = GradientLearner(model, objective, training)
    for _ in range(training.steps):
        learner.step(source.next_batch())
    model.eval()
    return model


@torch.no_grad()
def nats_of(model: HRED, talks: Talks) -> tuple[float, float, float]:
    """Nats a word (of VHRED the bound), KL divergence a word and a turn, on the kept talks."""
    generator = torch.Generator().manual_seed(0)
    said = apart = words = turns = 0.0
    for batch in talks.kept.batches(64):
        reconstruction, kl, counted = answer_nats(model, batch, generator)
        said += float(reconstruction.sum())
        apart += float(kl.sum()) if kl is not None else 0.0
        words, turns = words + float(counted.sum()), turns + len(counted)
    return (said + apart) / words, apart / words, apart / turns
