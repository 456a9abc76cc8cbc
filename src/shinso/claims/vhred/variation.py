"""VHRED uses its latent variable and answers more diversely than HRED."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 3, VHRED: a latent variable for each turn", "3 日目 VHRED：発話ごとの潜在変数")
SAYS = Text(
    "HRED gives the same short, common answers again and again; VHRED adds the latent variable of a "
    "VAE and so varies.",
    "HRED は短くありがちな応答を繰り返す。VHRED は VAE の潜在変数を加え、多様な応答をする。",
)
TRUTH = Text(
    "The variation comes from drawing z once from the prior for every answer; HRED answers without "
    "drawing. The objective counts no KL divergence up to 3 nats a turn (free bits), so that the 0.5 nats "
    "of the rule cost nothing. The price is paid elsewhere: the bound on the likelihood of the true answers "
    "is worse than HRED's likelihood.",
    "多様さは、応答ごとに事前分布から z を 1 度引くことから生じる。HRED は何も引かずに応答する。目的関数は 1 発話 3 nats "
    "までの KL を損失に数えない (free bits) ので、判定規則の 0.5 nats を超えても損失は増えない。代償は別にある。正解の応答の"
    "対数尤度の変分下界が、HRED の対数尤度より悪くなる。",
)
METHOD = Text(
    "HRED and VHRED (the KL divergence's weight rises over the first half, up to 3 nats of it a turn are "
    "not counted in the loss (free bits), 25 % of the decoder's input words are hidden) learn four fifths "
    "of short talks. On the rest: the KL divergence, and distinct pairs of words (distinct-2) and entropy "
    "of the words of greedy answers, VHRED's for one draw of its latent variable from the prior. Quick: 400 "
    "generated talks; full: 3,000 of DailyDialog where SHINSO_DATA has them.",
    "HRED と VHRED (KL の重みは前半で上げ、KL は 1 発話 3 nats まで損失に数えず (free bits)、デコーダの入力語の 25 % を"
    "隠す) に対話の 5 分の 4 を学習させる。残りについて KL ダイバージェンスと、貪欲法による応答の異なる 2 語組の割合 "
    "(distinct-2) および語のエントロピーを求める (VHRED は事前分布から潜在変数を 1 度引く)。quick は生成した 400 対話、"
    "full は SHINSO_DATA にあれば DailyDialog の 3,000 対話を使う。",
)
CONTROL = Text(
    "The KL divergence counts in full from the first step, without free bits, and no word is hidden: "
    "the latent variable falls out of use.",
    "free bits をやめて KL を最初からすべて損失に数え、語も隠さない。潜在変数は使われなくなる。",
)
RULE = Text(
    "Holds if, over seeds, the 95 % interval of the KL divergence lies above 0.5 nats a turn and those "
    "of the differences VHRED − HRED in distinct-2 and in entropy lie above 0; holds under a condition "
    "if of the two differences only one does; does not hold if the KL interval lies below 0.5, or both "
    "differences lie below 0; otherwise undecided.",
    "シードにわたる 95 % 区間について、KL が 1 発話 0.5 nats より上にあり、distinct-2 とエントロピーの差 (VHRED − HRED) が"
    "ともに 0 より上なら成り立つ。二つの差のうち一方だけなら条件つきで成り立つ。KL の区間が 0.5 より下にあるか、差がともに "
    "0 より下なら成り立たない。それ以外は判定できない。",
)
SEEDS = {"quick": 3, "full": 5}
BUDGET_S = {"quick": 25.0, "full": 300.0}

USED, FREE, HIDDEN, ANSWERED = 0.5, 3.0, 0.25, 60


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    from shinso.claims.dialogue_training import STEPS, Talks, nats_of, trained
    from shinso.claims.sequence_training import seeded

    talks = Talks(profile, seed)
    found: dict[str, float | list[float] | list[list[float]] | str] = {"talks": talks.name}
    aids = {
        "anneal_steps": STEPS[profile] // 2, "free_nats": FREE, "word_dropout": HIDDEN,
    }  # fmt: skip
    for kind in ("hred", "vhred"):
        with seeded(seed):
            helped = aids if kind == "vhred" and not control else {}
            model = trained(kind, talks, profile, seed, **helped)  # type: ignore[arg-type]
            nats, _a_word, a_turn = nats_of(model, talks)
            found |= {f"nats_{kind}": nats, f"kl_{kind}": a_turn, **_variety(model, talks, kind)}
    return found


def _variety(model, talks, kind: str) -> dict[str, float]:
    import numpy as np
    import torch

    from shinso.claims.dialogue_training import MOST_WORDS

    generator = torch.Generator().manual_seed(0)
    said = []
    for batch in talks.kept.batches(32, ANSWERED):
        with torch.no_grad():
            context = model.read(*batch).context
        said += model.say(context, most_words=MOST_WORDS, temperature=0.0, generator=generator)
    words = [word for turn in said for word in turn]
    pairs = [pair for turn in said for pair in itertools.pairwise(turn)]
    shares = np.unique(words, return_counts=True)[1] / max(len(words), 1)
    return {
        f"distinct_{kind}": len(set(pairs)) / max(len(pairs), 1),
        f"entropy_{kind}": float(-(shares * np.log(shares)).sum()),
    }


def holds(measurements: Sequence[Measurement]) -> Finding:
    seeds = len(measurements)
    kl = intervals.mean(column(measurements, "kl_vhred"))
    distinct, entropy = (
        intervals.paired_difference(
            column(measurements, f"{what}_vhred"), column(measurements, f"{what}_hred")
        )
        for what in ("distinct", "entropy")
    )
    more = [found.low > 0 for found in (distinct, entropy)]
    condition = None
    if kl.high < USED or (distinct.high < 0 and entropy.high < 0):
        verdict = Verdict.REFUTED
    elif kl.low > USED and all(more):
        verdict = Verdict.HOLDS
    elif kl.low > USED and any(more):
        verdict = Verdict.CONDITIONALLY
        condition = (
            Text("measured by distinct-2", "distinct-2 で測るとき")
            if more[0]
            else Text("measured by entropy", "エントロピーで測るとき")
        )
    else:
        verdict = Verdict.UNDECIDED
    bound = intervals.paired_difference(
        column(measurements, "nats_vhred"), column(measurements, "nats_hred")
    )
    direction = Text("worse", "悪い") if bound.value > 0 else Text("better", "良い")
    return Finding(
        verdict=verdict,
        condition=condition,
        because=Text(
            f"The KL divergence is {kl.value:.2f} nats a turn; VHRED − HRED is {distinct.value:+.3f} in "
            f"distinct-2 and {entropy.value:+.2f} nats in entropy. VHRED's bound is "
            f"{abs(bound.value):.3f} nats a word {direction.en} than HRED's nats.",
            f"KL ダイバージェンスは 1 発話 {kl.value:.2f} nats。VHRED − HRED は distinct-2 で {distinct.value:+.3f}、"
            f"エントロピーで {entropy.value:+.2f} nats である。VHRED の変分下界は HRED の対数尤度より 1 語あたり "
            f"{abs(bound.value):.3f} nats {direction.ja}。",
        ),
        estimates=(
            intervals.estimate(
                Text("KL divergence (nats a turn)", "KL ダイバージェンス (1 発話あたり nats)"),
                kl,
                seeds=seeds,
            ),
            intervals.estimate(
                Text("distinct-2, VHRED minus HRED (share)", "distinct-2、VHRED − HRED (割合)"),
                distinct,
                seeds=seeds,
            ),
            intervals.estimate(
                Text("entropy, VHRED minus HRED (nats)", "エントロピー、VHRED − HRED (nats)"),
                entropy,
                seeds=seeds,
            ),
            intervals.estimate(
                Text(
                    "bound, VHRED minus HRED, above 0 is worse (nats a word)",
                    "変分下界による nats、VHRED − HRED、正なら悪い (1 語あたり nats)",
                ),
                bound,
                seeds=seeds,
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """KL divergence, distinct pairs and entropy at every seed."""
    from shinso.claims.drawing import dots

    kinds = {"hred": Text("HRED", "HRED"), "vhred": Text("VHRED", "VHRED")}
    labels = {
        "kl": Text("KL divergence (nats a turn)", "KL (1 発話あたり nats)"),
        "distinct": Text("distinct-2 (share)", "distinct-2 (割合)"),
        "entropy": Text("entropy of words (nats)", "語のエントロピー (nats)"),
    }
    for axes, (what, label) in zip(figure.subplots(1, 3), labels.items(), strict=True):
        dots(
            axes,
            list(kinds.values()),
            [column(measurements, f"{what}_{kind}") for kind in kinds],
            [column(controls, f"{what}_{kind}") for kind in kinds],
            ylabel=label,
        )
        # One legend above all three: within these narrow axes it would hide marks.
        if (own := axes.get_legend()) is not None:
            own.remove()
    labelled = figure.axes[0].get_legend_handles_labels()
    figure.legend(*labelled, loc="outside upper center", ncols=2, frameon=False, fontsize=8.5)
