"""Fine-tuning after pre-training beats learning from few labels alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column, share
from shinso.language import Text

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

    from shinso.models.bert import BertClassifier

PLACE = Text("Day 4, BERT: pre-training", "4 日目 BERT：事前学習")
SAYS = Text(
    "A BERT that was pre-trained on text without labels and then fine-tuned does better, where labels are "
    "few, than the same network trained on the labels alone.",
    "ラベルのないテキストで事前学習してからファインチューニングした BERT は、ラベルが少ないとき、ラベルだけで学習した"
    "同じネットワークより良い。",
)
TRUTH = None
METHOD = Text(
    "Sentences of 14 words of a made-up language: each is about one of two subjects, and 5 of its words "
    "come from the 80 of its subject, the others from 60 that mean nothing. Pre-training guesses hidden "
    "words in sentences without labels (700 steps of 32 in the quick profile, 2,000 in the full one). 24 "
    "labelled sentences are learnt from, with and without it, and 500 others are named.",
    "人工言語の 14 語の文を使う。どの文も二つの話題のどちらかについてのもので、5 語がその話題の 80 語から、残りは意味のない "
    "60 語から来る。事前学習では、ラベルのない文で隠された語を当てる (quick は 32 文 × 700 ステップ、full は 2,000 ステップ)。"
    "24 文のラベルから、事前学習ありとなしで学習し、別の 500 文を分類する。",
)
CONTROL = Text(
    "The words of the unlabelled text change places over all sentences, only those: which words stand "
    "together says nothing about the subject.",
    "ラベルのないテキストの語だけを、文を越えてかき混ぜる。同じ文に現れる語から話題が読み取れなくなる。",
)
RULE = Text(
    "Holds if the 95 % interval of the gain in accuracy lies above 0.05; does not hold if it lies below "
    "0.05; otherwise undecided.",
    "正解率の向上の 95 % 区間が 0.05 より上なら成り立つ。0.05 より下なら成り立たない。それ以外は判定できない。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 60.0, "full": 500.0}

SUBJECTS, OWN, NEUTRAL, LONG, ABOUT = 2, 80, 60, 14, 5
LABELLED, NAMED, TUNING = 24, 500, 60
SIZE: dict[str, Any] = {
    "width": 48, "layers": 1, "heads": 2, "inner": 96, "positions": LONG + 2, "dropout": 0.0,
}  # fmt: skip
STEPS = {"quick": 700, "full": 2000}
LEAST = 0.05
KINDS = {"tuned": Text("pre-trained", "事前学習あり"), "alone": Text("labels alone", "ラベルのみ")}


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import numpy as np
    import torch

    from shinso.claims.sequence_training import seeded
    from shinso.models.bert import BertClassifier

    with seeded(seed):
        rng = np.random.default_rng(seed)
        raw, _subjects = _sentences(32 * STEPS[profile] // 6, rng)
        known, new = _sentences(LABELLED, rng), _sentences(NAMED, rng)
        if control:
            # A generator of its own: the labels alone must give the same in both arms.
            raw = _shuffled(raw, np.random.default_rng([seed, 1]))
        config = BertClassifier.Config(**SIZE)
        found = {}
        for kind in KINDS:
            torch.manual_seed(seed)
            model = BertClassifier(config, num_pieces=_pieces(), num_classes=SUBJECTS)
            if kind == "tuned":
                _pretrain(model, raw, rng, STEPS[profile])
            found[f"accuracy_{kind}"] = _tuned(model, known, new)
        return found


def _pieces() -> int:
    from shinso.data.wordpiece import SIGNS

    return len(SIGNS) + SUBJECTS * OWN + NEUTRAL


def _sentences(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Sentences as pieces, [CLS] and [SEP] around them, and their subjects; as many of each."""
    import numpy as np

    from shinso.data.wordpiece import CLASS, SEPARATOR, SIGNS

    subjects = rng.permutation(np.arange(count) % SUBJECTS)
    first = len(SIGNS)
    words = first + SUBJECTS * OWN + rng.integers(0, NEUTRAL, (count, LONG))
    own = first + subjects[:, None] * OWN + rng.integers(0, OWN, (count, ABOUT))
    places = rng.permuted(np.tile(np.arange(LONG), (count, 1)), axis=1)[:, :ABOUT]
    np.put_along_axis(words, places, own, axis=1)
    ends = np.full((count, 1), SIGNS.index(CLASS)), np.full((count, 1), SIGNS.index(SEPARATOR))
    return np.hstack([ends[0], words, ends[1]]), subjects


def _shuffled(sentences: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The words change places over all sentences; [CLS] and [SEP] stay at the ends."""
    mixed = sentences.copy()
    words = mixed[:, 1:-1]
    mixed[:, 1:-1] = rng.permutation(words.reshape(-1)).reshape(words.shape)
    return mixed


def _pretrain(model: BertClassifier, raw: np.ndarray, rng: np.random.Generator, steps: int) -> None:
    """Guess hidden words with the network's own BERT."""
    import numpy as np
    import torch

    from shinso.data.piece_batches import NONE, PieceBatch, hide
    from shinso.data.wordpiece import SIGNS, WordPieces
    from shinso.models.bert import BertPretraining
    from shinso.objectives.bert import HiddenPiecesObjective
    from shinso.training.gradient import GradientLearner
    from shinso.training.plan import Training

    network = BertPretraining(
        BertPretraining.Config(**SIZE), num_pieces=_pieces(), next_sentence=False
    )
    network.bert = model.bert
    pieces = WordPieces((*SIGNS, *(f"w{n}" for n in range(_pieces() - len(SIGNS)))))
    learner = GradientLearner(
        network, HiddenPiecesObjective(), Training(steps=steps, lr=3e-3, schedule="one-cycle")
    )
    for _ in range(steps):
        chosen = raw[rng.integers(0, len(raw), 32)]
        whole = torch.ones(chosen.shape, dtype=torch.bool)
        batch = PieceBatch(
            torch.from_numpy(chosen), torch.zeros(chosen.shape, dtype=torch.int64), whole,
            torch.full(chosen.shape, NONE), torch.full((32,), NONE),
        )  # fmt: skip
        begins = np.ones(chosen.shape, dtype=bool)
        learner.step(hide(batch, begins, pieces, rng, share=0.2, whole_words=True))


def _tuned(
    model: BertClassifier,
    known: tuple[np.ndarray, np.ndarray],
    new: tuple[np.ndarray, np.ndarray],
) -> float:
    """Share of the new sentences that are named rightly after learning from the known ones."""
    import torch

    from shinso.data.piece_batches import PieceBatch
    from shinso.objectives.bert import PieceLabelObjective
    from shinso.training.gradient import GradientLearner
    from shinso.training.plan import Training

    def batch(sentences: tuple[np.ndarray, np.ndarray]) -> PieceBatch:
        pieces, labels = (torch.from_numpy(part) for part in sentences)
        there = torch.ones(pieces.shape, dtype=torch.bool)
        return PieceBatch(pieces, torch.zeros_like(pieces), there, labels, labels)

    plan = Training(steps=TUNING, lr=1e-3, schedule="linear", warmup=5)
    learner = GradientLearner(model, PieceLabelObjective(), plan)
    for _ in range(TUNING):
        learner.step(batch(known))
    model.eval()
    given = batch(new)
    with torch.no_grad():
        answers = model(given.pieces, given.types, given.there).argmax(-1)
    return float((answers == given.labels).float().mean())


def holds(measurements: Sequence[Measurement]) -> Finding:
    seeds = len(measurements)
    tuned, alone = (column(measurements, f"accuracy_{kind}") for kind in KINDS)
    gain = intervals.paired_difference(tuned, alone)
    if gain.low > LEAST:
        verdict = Verdict.HOLDS
    elif gain.high < LEAST:
        verdict = Verdict.REFUTED
    else:
        verdict = Verdict.UNDECIDED
    own, rival = share(tuned), share(alone)
    return Finding(
        verdict=verdict,
        because=Text(
            f"From {LABELLED} labels the pre-trained network names {own.value:.1%} rightly, the other "
            f"{rival.value:.1%}: a gain of {gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f}).",
            f"{LABELLED} 個のラベルからの正解率は、事前学習ありが {own.value:.1%}、なしが {rival.value:.1%} である。"
            f"差は {gain.value:+.3f} ({gain.low:+.3f}〜{gain.high:+.3f})。",
        ),
        estimates=(
            intervals.estimate(
                Text("accuracy, pre-trained (share)", "正解率、事前学習あり (割合)"),
                own,
                seeds=seeds,
            ),
            intervals.estimate(
                Text("accuracy, labels alone (share)", "正解率、ラベルのみ (割合)"),
                rival,
                seeds=seeds,
            ),
            intervals.estimate(
                Text("gain in accuracy (share)", "正解率の向上 (割合)"), gain, seeds=seeds
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Accuracy of both at every seed."""
    from shinso.claims.drawing import dots

    names = [f"accuracy_{kind}" for kind in KINDS]
    dots(
        figure.subplots(),
        list(KINDS.values()),
        [column(measurements, name) for name in names],
        [column(controls, name) for name in names],
        ylabel=Text("accuracy on unseen sentences (share)", "未知の文での正解率"),
    )
