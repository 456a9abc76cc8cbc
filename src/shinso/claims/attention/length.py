"""On long sentences the fixed vector fails; attention does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column, curve
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 3, attention: long sentences", "3 日目 注意機構：長い文への対応")
SAYS = Text(
    "Seq2Seq squeezes a sentence of any length into a vector of fixed size and so fails on long ones; "
    "attention copes with them.",
    "Seq2Seq は文の長さによらず固定次元のベクトルに押し込むため長い文に弱い。注意機構はこれを解決する。",
)
TRUTH = None
METHOD = Text(
    "Sentences of 2 to 12 random words are to be translated word by word into reverse order. A GRU "
    "encoder–decoder without attention and one with Luong attention of the same sizes learn the same 4,000 "
    "pairs; share of words that stand right in greedy translations of 60 other sentences of each length "
    "from 2 to 12. What each loses is the share on 2 to 4 words minus that on 10 to 12.",
    "2〜12 語の乱数文を 1 語ずつ置き換えて逆順に訳す課題。注意機構のない GRU と、同じ大きさで Luong の注意"
    "機構をもつ GRU に同じ 4,000 組を学習させ、長さ 2〜12 の別の文を 60 文ずつ貪欲法で訳し、正しい位置にある語の"
    "割合を調べる。2〜4 語での割合から 10〜12 語での割合を引いたものを低下とする。",
)
CONTROL = Text(
    "The attentive model's weights are all equal: it sees the mean of the words, again one vector.",
    "注意の重みをすべて等しくする。単語の平均、つまり再び 1 本のベクトルしか見えない。",
)
RULE = Text(
    "Holds if the 95 % interval of what the fixed vector loses lies above 0.1, and that of what attention "
    "loses lies below half of the fixed vector's mean loss; does not hold if attention loses as much or "
    "more (interval of the difference below 0), or the fixed vector loses nothing (interval below 0); "
    "otherwise undecided.",
    "固定ベクトルの低下の 95 % 区間が 0.1 より上で、注意機構の低下の区間が固定ベクトルの平均の低下の半分より"
    "下なら成り立つ。注意機構の低下が同じかそれ以上 (差の区間が 0 より下)、または固定ベクトルが低下しなければ "
    "(区間が 0 より下) 成り立たない。それ以外は判定できない。",
)
SEEDS = {"quick": 3, "full": 8}
BUDGET_S = {"quick": 25.0, "full": 280.0}

STEPS = {"quick": 250, "full": 800}
WORDS, PAIRS, KEPT, LENGTHS = 20, 4000, 60, range(2, 13)
SHORT, LONG = range(2, 5), range(10, 13)
TOKENS, LR = 800, 1e-2
KINDS = {
    "none": Text("fixed vector", "固定ベクトル"),
    "luong": Text("attention", "注意機構"),
}


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import numpy as np

    from shinso.claims.sequence_training import seeded
    from shinso.claims.translation_training import (
        average_attention,
        learn,
        reversals,
        words_right,
    )
    from shinso.data.subwords import FIRST_PIECE
    from shinso.models.seq2seq import Seq2Seq

    rng = np.random.default_rng(seed)
    learnt = reversals(rng, PAIRS, WORDS, LENGTHS)
    kept = {length: reversals(rng, KEPT, WORDS, range(length, length + 1)) for length in LENGTHS}
    found: dict[str, float | list[float]] = {}
    for kind in KINDS:
        with seeded(seed):
            config = Seq2Seq.Config(attention=kind, embedding=32, hidden=48, dropout=0.0)  # type: ignore[arg-type]
            size = WORDS + FIRST_PIECE
            model = Seq2Seq(config, num_source=size, num_target=size)
            if control:
                average_attention(model)
            learn(model, learnt, seed=seed, steps=STEPS[profile], tokens=TOKENS, lr=LR)
            right = {length: words_right(model, some) for length, some in kept.items()}
        found[f"right_{kind}"] = list(right.values())
        short, long = (sum(right[length] for length in some) / len(some) for some in (SHORT, LONG))
        found[f"lost_{kind}"] = short - long
    return found


def holds(measurements: Sequence[Measurement]) -> Finding:
    seeds = len(measurements)
    lost = {kind: column(measurements, f"lost_{kind}") for kind in KINDS}
    fixed, attentive = (intervals.mean(lost[kind]) for kind in KINDS)
    spared = intervals.paired_difference(lost["none"], lost["luong"])
    if fixed.low > 0.1 and attentive.high < fixed.value / 2:
        verdict = Verdict.HOLDS
    elif spared.high < 0 or fixed.high < 0:
        verdict = Verdict.REFUTED
    else:
        verdict = Verdict.UNDECIDED
    return Finding(
        verdict=verdict,
        because=Text(
            f"From short to long sentences the fixed vector loses {fixed.value:.2f} ({fixed.low:.2f} to "
            f"{fixed.high:.2f}) of its words, attention {attentive.value:.2f} ({attentive.low:.2f} to "
            f"{attentive.high:.2f}).",
            f"短い文から長い文へ、正しい語の割合は固定ベクトルで {fixed.value:.2f} "
            f"({fixed.low:.2f}〜{fixed.high:.2f})、注意機構で {attentive.value:.2f} "
            f"({attentive.low:.2f}〜{attentive.high:.2f}) 低下した。",
        ),
        estimates=(
            intervals.estimate(
                Text("lost by the fixed vector (share)", "固定ベクトルの低下 (割合)"),
                fixed,
                seeds=seeds,
            ),
            intervals.estimate(
                Text("lost with attention (share)", "注意機構の低下 (割合)"), attentive, seeds=seeds
            ),
            intervals.estimate(
                Text(
                    "lost, fixed vector minus attention (share)",
                    "低下の差、固定ベクトル − 注意機構 (割合)",
                ),
                spared,
                seeds=seeds,
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Share of right words against the length, for both models."""
    from shinso.claims.drawing import curves, spoken

    places = figure.subplots(1, 2, sharey=True, squeeze=False)[0]
    for axes, (kind, name) in zip(places, KINDS.items(), strict=True):
        curves(
            axes,
            list(LENGTHS),
            [curve(one, f"right_{kind}") for one in measurements],
            [curve(one, f"right_{kind}") for one in controls],
            xlabel=Text("words of the sentence", "文の語数"),
            ylabel=Text("words right (share)", "正しい語の割合"),
        )
        axes.set_title(spoken(name), fontsize=9)
        axes.set_ylim(0, 1.05)
