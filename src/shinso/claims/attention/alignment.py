"""Learnt attention finds the word that is being translated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column, share, table
from shinso.language import Text

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure

PLACE = Text("Day 3, attention: which words belong together", "3 日目 注意機構：単語の関連度")
SAYS = Text(
    "Attention learns by itself how strongly each word written is related to each word read.",
    "注意機構は、出力する語と入力の各語との関連の強さを自ら学習する。",
)
TRUTH = Text(
    "Where the relation is one to one, yes; in real sentences a weight says what the decoder read, which "
    "need not be what a person would call the word's translation.",
    "一対一の対応ならそのとおりである。実際の文では、重みはデコーダが何を読んだかを示すもので、"
    "人が対訳と呼ぶ語と一致するとは限らない。",
)
METHOD = Text(
    "The translation of a sentence of 2 to 12 random words is each word's partner in reverse order, so "
    "which word belongs to which is known. A GRU with Luong attention learns 4,000 pairs; on 100 others, "
    "given the true words, how often the largest weight lies on the word that is translated.",
    "2〜12 語の乱数文に対し、各語を相手語に置き換えて逆順に並べたものを訳文とするので、正しい対応がわかって"
    "いる。Luong の注意機構をもつ GRU に 4,000 組を学習させ、別の 100 組で正解の語を与えながら、重みが最大の入力語が"
    "いま訳している語と一致する割合を調べる。",
)
CONTROL = Text(
    "All weights are equal (attention averaged): nothing can be found.",
    "重みをすべて等しくする (平均)。どの語も選べない。",
)
RULE = Text(
    "Holds if the 95 % interval of the share lies above 0.8; does not hold if it lies below 0.5; "
    "otherwise undecided. By chance it is about 1/7: one word of each sentence, of 7 on average.",
    "割合の 95 % 区間が 0.8 より上なら成り立つ。0.5 より下なら成り立たない。それ以外は判定できない。"
    "偶然なら約 1/7 である (平均 7 語の文につき 1 語)。",
)
SEEDS = {"quick": 3, "full": 8}
BUDGET_S = {"quick": 20.0, "full": 200.0}

STEPS = {"quick": 250, "full": 800}
WORDS, PAIRS, KEPT, LENGTHS = 20, 4000, 100, range(2, 13)
TOKENS, LR, DRAWN = 800, 1e-2, 9


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import numpy as np
    import torch

    from shinso.claims.sequence_training import seeded
    from shinso.claims.translation_training import average_attention, learn, reversals
    from shinso.data.subwords import FIRST_PIECE
    from shinso.models.seq2seq import Seq2Seq

    rng = np.random.default_rng(seed)
    with seeded(seed):
        learnt = reversals(rng, PAIRS, WORDS, LENGTHS)
        kept = reversals(rng, KEPT, WORDS, LENGTHS)
        config = Seq2Seq.Config(attention="luong", embedding=32, hidden=48, dropout=0.0)
        size = WORDS + FIRST_PIECE
        model = Seq2Seq(config, num_source=size, num_target=size)
        if control:
            average_attention(model)
        learn(model, learnt, seed=seed, steps=STEPS[profile], tokens=TOKENS, lr=LR)
        with torch.no_grad():
            found = [_weights(model, kept, place) for place in range(KEPT)]
    right = words = 0
    for one in found:
        mirror = torch.arange(len(one) - 1, -1, -1)
        # Equal weights have no largest one; the first of them counts as found by chance.
        right += int((one.argmax(1) == mirror).sum())
        words += len(one)
    shown = next(one for one in found if len(one) == DRAWN)
    return {"found_share": right / words, "weights": shown.tolist()}


def _weights(model: torch.nn.Module, pairs: object, place: int) -> torch.Tensor:
    """Weights of the source's words while each word of the target is written, without the ends."""
    from shinso.data.parallel_batches import ParallelSamples
    from shinso.models.seq2seq import Seq2Seq

    assert isinstance(model, Seq2Seq)
    assert isinstance(pairs, ParallelSamples)
    batch = pairs.take([place])
    found = model.alignment(batch.source, None, batch.target[:, :-1])
    assert found is not None
    return found[0, :-1, :-1]


def holds(measurements: Sequence[Measurement]) -> Finding:
    seeds = len(measurements)
    found = share(column(measurements, "found_share"))
    if found.low > 0.8:
        verdict = Verdict.HOLDS
    elif found.high < 0.5:
        verdict = Verdict.REFUTED
    else:
        verdict = Verdict.UNDECIDED
    return Finding(
        verdict=verdict,
        because=Text(
            f"The largest weight lies on the translated word in {found.value:.1%} of all words "
            f"({found.low:.1%} to {found.high:.1%}).",
            f"出力した語の {found.value:.1%} ({found.low:.1%}〜{found.high:.1%}) で、重みが最大の入力語が"
            "訳している語と一致した。",
        ),
        estimates=(
            intervals.estimate(
                Text("words found (share)", "訳している語を見つけた語 (割合)"), found, seeds=seeds
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """The weights of one sentence: claim and control."""
    from shinso.claims.drawing import SIDES, spoken

    shown = [list(measurements)[:1], list(controls)[:1]]
    places = figure.subplots(1, 2, squeeze=False)[0]
    for axes, some, (_look, label) in zip(places, shown, SIDES, strict=True):
        if not some:
            axes.set_axis_off()
            continue
        axes.imshow(table(some[0], "weights"), cmap="Greys", vmin=0, vmax=1)
        axes.grid(visible=False)
        axes.set_xlabel(spoken(Text("word read", "入力の語")))
        axes.set_ylabel(spoken(Text("word written", "出力の語")))
        axes.set_title(spoken(label), fontsize=9)
