"""An encoder and a decoder with one fixed vector between them learn to translate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 3, Seq2Seq: machine translation", "3 日目 Seq2Seq：機械翻訳")
SAYS = Text(
    "One recurrent network reads a sentence into a vector, another writes its translation from it.",
    "一つの RNN が文を読んでベクトルにまとめ、もう一つの RNN がそこから訳文を書く。",
)
TRUTH = None
METHOD = Text(
    "540 of the 600 bundled English–Japanese sentences about dates are learnt by a GRU encoder–decoder "
    "without attention; the other 60 are translated greedily. Corpus BLEU over characters, beside the "
    "untranslated source (copy) and each subword by itself turned into its likeliest partner (unigram, "
    "IBM model 1).",
    "付属する英日の日付文 600 組のうち 540 組を、注意機構のない GRU のエンコーダ・デコーダに学習させ、残りの "
    "60 組を貪欲法で訳す。文字単位の BLEU を、原文のまま (copy) およびサブワードごとに最も対応しやすい語へ"
    "置き換えた訳 (unigram、IBM モデル 1) と比べる。",
)
CONTROL = Text(
    "The decoder does not get the encoder's vector but zeros: it can write Japanese, but not of this "
    "sentence.",
    "デコーダにエンコーダのベクトルではなくゼロを渡す。日本語は書けるが、その文の訳にはならない。",
)
RULE = Text(
    "Holds if the 95 % interval of the BLEU by which it is above the better of copy and unigram lies "
    "above 0; does not hold if it lies below 0; otherwise undecided.",
    "copy と unigram の良いほうを上回る BLEU の 95 % 区間が 0 より上なら成り立つ。0 より下なら成り立たない。"
    "それ以外は判定できない。",
)
SEEDS = {"quick": 3, "full": 8}
BUDGET_S = {"quick": 20.0, "full": 300.0}

STEPS = {"quick": 180, "full": 800}
VOCABULARY, KEPT, TOKENS, LR = 300, 60, 800, 1e-2


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import numpy as np

    from shinso.claims.sequence_training import seeded
    from shinso.claims.translation_training import dates, learn
    from shinso.models.seq2seq import Seq2Seq

    with seeded(seed):
        task = dates(np.random.default_rng(seed), vocabulary=VOCABULARY, kept=KEPT)
        size = len(task.subwords)
        config = Seq2Seq.Config(attention="none", embedding=48, hidden=96, dropout=0.0)
        model = Seq2Seq(config, num_source=size, num_target=size, shared=True)
        if control:
            _cut_off(model)
        learn(model, task.learnt, seed=seed, steps=STEPS[profile], tokens=TOKENS, lr=LR)
        return {
            "bleu_seq2seq": task.bleu_of(model),
            "bleu_copy": task.bleu(task.source),
            "bleu_unigram": task.bleu(task.word_for_word()),
        }


def _cut_off(model: object) -> None:
    """The encoder's answer is zeros."""
    import torch

    from shinso.models.seq2seq import Seq2Seq, Source

    assert isinstance(model, Seq2Seq)
    encode = model.encode

    def silent(source: torch.Tensor, mask: torch.Tensor | None = None) -> Source:
        seen = encode(source, mask)
        return Source(seen.memory, seen.mask, torch.zeros_like(seen.summary), seen.keys)

    model.encode = silent  # type: ignore[method-assign]


def holds(measurements: Sequence[Measurement]) -> Finding:
    seeds = len(measurements)
    own = column(measurements, "bleu_seq2seq")
    rivals = {name: column(measurements, f"bleu_{name}") for name in ("copy", "unigram")}
    best = [max(pair) for pair in zip(*rivals.values(), strict=True)]
    gain = intervals.paired_difference(own, best)
    if gain.low > 0:
        verdict = Verdict.HOLDS
    elif gain.high < 0:
        verdict = Verdict.REFUTED
    else:
        verdict = Verdict.UNDECIDED
    means = {name: intervals.mean(values) for name, values in {"seq2seq": own, **rivals}.items()}
    numbers = {name: found.value for name, found in means.items()}
    return Finding(
        verdict=verdict,
        because=Text(
            f"BLEU is {numbers['seq2seq']:.1f} beside {numbers['unigram']:.1f} of unigram and "
            f"{numbers['copy']:.1f} of copy: {gain.value:+.1f} ({gain.low:+.1f} to {gain.high:+.1f}).",
            f"BLEU は {numbers['seq2seq']:.1f}、unigram は {numbers['unigram']:.1f}、copy は "
            f"{numbers['copy']:.1f} で、差は {gain.value:+.1f} ({gain.low:+.1f}〜{gain.high:+.1f}) "
            "である。",
        ),
        estimates=(
            *(
                intervals.estimate(Text(f"{name} (BLEU)", f"{name} (BLEU)"), found, seeds=seeds)
                for name, found in means.items()
            ),
            intervals.estimate(
                Text(
                    "above the better of copy and unigram (BLEU)",
                    "copy と unigram の良いほうを上回る分 (BLEU)",
                ),
                gain,
                seeds=seeds,
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """BLEU of the three at every seed."""
    from shinso.claims.drawing import dots

    names = ("copy", "unigram", "seq2seq")
    dots(
        figure.subplots(),
        [Text(name, name) for name in names],
        [column(measurements, f"bleu_{name}") for name in names],
        [column(controls, f"bleu_{name}") for name in names],
        ylabel=Text("BLEU of unseen sentences", "未知の文での BLEU"),
    )
