"""A Transformer translates better than a recurrent network with attention, at equal budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 4, Transformer: machine translation", "4 日目 Transformer：機械翻訳")
SAYS = Text(
    "With attention alone and no recurrence, the Transformer translates better than recurrent networks.",
    "再帰を使わず注意機構だけで、Transformer は RNN より良く翻訳できる。",
)
TRUTH = None
METHOD = Text(
    "540 of the 600 bundled English–Japanese sentences about dates are learnt by a Transformer (2 + 2 "
    "blocks) and by a GRU with Luong attention, of equally many parameters (within 5 %), from the same "
    "number of words; the other 60 are translated greedily. Corpus BLEU over characters.",
    "付属する英日の日付文 600 組のうち 540 組を、Transformer (2 + 2 ブロック) と Luong の注意機構をもつ GRU に"
    "学習させる。パラメータ数 (差は 5 % 以内) と学習する語数は等しい。残りの 60 組を貪欲法で訳し、文字単位の "
    "BLEU を比べる。",
)
CONTROL = Text(
    "The attention of the Transformer's decoder to the source is averaged: it cannot choose a word.",
    "Transformer のデコーダから原文への注意を平均にする。語を選べない。",
)
RULE = Text(
    "Holds if the 95 % interval of the difference in BLEU, Transformer − GRU, lies above 0; does not hold "
    "if it lies below 0; otherwise undecided.",
    "BLEU の差 (Transformer − GRU) の 95 % 区間が 0 より上なら成り立つ。0 より下なら成り立たない。"
    "それ以外は判定できない。",
)
SEEDS = {"quick": 3, "full": 6}
BUDGET_S = {"quick": 30.0, "full": 300.0}

STEPS = {"quick": 150, "full": 800}
VOCABULARY, KEPT, TOKENS, LR = 300, 60, 800, 6e-3
KINDS = {
    "gru": Text("GRU with attention", "注意機構つき GRU"),
    "transformer": Text("Transformer", "Transformer"),
}


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import numpy as np

    from shinso.claims.sequence_training import seeded
    from shinso.claims.translation_training import average_attention, dates, learn
    from shinso.models.transformer import Transformer

    task = dates(np.random.default_rng(seed), vocabulary=VOCABULARY, kept=KEPT)
    found = {}
    for kind in KINDS:
        with seeded(seed):
            model = make(kind, len(task.subwords))
            if control and isinstance(model, Transformer):
                average_attention(model)
            learn(model, task.learnt, seed=seed, steps=STEPS[profile], tokens=TOKENS, lr=LR)
            found[f"bleu_{kind}"] = task.bleu_of(model)
    return found


def make(kind: str, words: int) -> Any:
    """The two models; their parameters are equally many within 5 %."""
    from shinso.models.seq2seq import Seq2Seq
    from shinso.models.transformer import Transformer

    sizes = {"num_source": words, "num_target": words, "shared": True}
    if kind == "gru":
        config = Seq2Seq.Config(attention="luong", embedding=48, hidden=64, dropout=0.0)
        return Seq2Seq(config, **sizes)
    blocks = Transformer.Config(
        width=48, inner=96, heads=4, encoder_layers=2, decoder_layers=2, dropout=0.0
    )
    return Transformer(blocks, **sizes)


def holds(measurements: Sequence[Measurement]) -> Finding:
    seeds = len(measurements)
    bleu = {kind: column(measurements, f"bleu_{kind}") for kind in KINDS}
    gain = intervals.paired_difference(bleu["transformer"], bleu["gru"])
    if gain.low > 0:
        verdict = Verdict.HOLDS
    elif gain.high < 0:
        verdict = Verdict.REFUTED
    else:
        verdict = Verdict.UNDECIDED
    means = {kind: intervals.mean(values) for kind, values in bleu.items()}
    own, other = means["transformer"].value, means["gru"].value
    return Finding(
        verdict=verdict,
        because=Text(
            f"BLEU of the Transformer is {own:.1f}, of the GRU {other:.1f}: a difference of "
            f"{gain.value:+.1f} ({gain.low:+.1f} to {gain.high:+.1f}).",
            f"BLEU は Transformer が {own:.1f}、GRU が {other:.1f} で、差は {gain.value:+.1f} "
            f"({gain.low:+.1f}〜{gain.high:+.1f}) である。",
        ),
        estimates=(
            *(
                intervals.estimate(
                    Text(f"{KINDS[kind].en} (BLEU)", f"{KINDS[kind].ja} (BLEU)"), found, seeds=seeds
                )
                for kind, found in means.items()
            ),
            intervals.estimate(
                Text("Transformer minus GRU (BLEU)", "Transformer − GRU (BLEU)"), gain, seeds=seeds
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """BLEU of both at every seed."""
    from shinso.claims.drawing import dots

    dots(
        figure.subplots(),
        list(KINDS.values()),
        [column(measurements, f"bleu_{kind}") for kind in KINDS],
        [column(controls, f"bleu_{kind}") for kind in KINDS],
        ylabel=Text("BLEU of unseen sentences", "未知の文での BLEU"),
    )
