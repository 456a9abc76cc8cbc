"""The next turn is better predicted from all turns before it than from the last one alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 3, HRED: the context of a dialogue", "3 日目 HRED：対話の文脈")
SAYS = Text(
    "HRED uses the n − 1 earlier turns to make the next one, and so answers in the flow of the "
    "conversation.",
    "HRED は、過去 n − 1 個の発話から次の発話を生成し、文脈に即した応答をする。",
)
TRUTH = None
METHOD = Text(
    "HRED and the same network with a context that begins anew at every turn (as many parameters, the "
    "last turn alone) learn four fifths of short talks and are compared by the nats a word of the "
    "answers in the rest. Quick: 400 generated talks; full: 3,000 of DailyDialog where SHINSO_DATA "
    "has them.",
    "HRED と、文脈をターンごとに作り直すだけの同じネットワーク (パラメータ数は等しく、直前の発話だけを知る) に対話の"
    "5 分の 4 を学習させ、残りの応答の 1 語あたりの nats を比べる。quick は生成した 400 対話、full は SHINSO_DATA に"
    "あれば DailyDialog の 3,000 対話を使う。",
)
CONTROL = Text(
    "Pairs of neighbouring turns change places between talks: within a pair the last turn fits, but what "
    "stands before the pair does not.",
    "隣り合う発話の組を対話の間で入れ替える。組の中では直前の発話が合うが、組より前の発話は合わなくなる。",
)
RULE = Text(
    "Holds if the 95 % interval of the difference in nats a word (HRED − last turn alone) lies below "
    "−0.005; does not hold if it lies above −0.005; otherwise undecided. Less than 0.005 nats is no gain.",
    "1 語あたりの nats の差 (HRED − 直前のみ) の 95 % 区間が −0.005 より下なら成り立つ。−0.005 より上なら成り立たない。"
    "それ以外は判定できない。0.005 nats に満たない低下は改善とみなさない。",
)
RULE_CHANGED = Text(
    "Changed on 2026-12-01: before, the claim held below 0 and did not hold above −0.005, so that an "
    "interval between the two did both. The negative verdict took a gain of less than 0.005 nats for none; "
    "now the positive one does too.",
    "2026-12-01 に変更：それまでは 0 より下なら成り立ち、−0.005 より上なら成り立たないとしていたため、その間の区間は両方に"
    "当てはまった。否定の判定は 0.005 nats に満たない低下を改善とみなしていなかったので、肯定の判定でもそれにそろえた。",
)
SEEDS = {"quick": 3, "full": 5}
BUDGET_S = {"quick": 25.0, "full": 300.0}

NOTHING = -0.005


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    from shinso.claims.dialogue_training import Talks, nats_of, trained
    from shinso.claims.sequence_training import seeded

    talks = Talks(profile, seed, shuffled=control)
    found: dict[str, float | list[float] | list[list[float]] | str] = {"talks": talks.name}
    for name, kind in (("hred", "hred"), ("alone", "seq2seq")):
        with seeded(seed):
            found[f"nats_{name}"] = nats_of(trained(kind, talks, profile, seed), talks)[0]
    return found


def holds(measurements: Sequence[Measurement]) -> Finding:
    seeds = len(measurements)
    hred, alone = (column(measurements, f"nats_{name}") for name in ("hred", "alone"))
    difference = intervals.paired_difference(hred, alone)
    if difference.high < NOTHING:
        verdict = Verdict.HOLDS
    else:
        verdict = Verdict.REFUTED if difference.low > NOTHING else Verdict.UNDECIDED
    means = [intervals.mean(values) for values in (hred, alone)]
    change = math.exp(difference.value) - 1
    direction = Text("higher", "高い") if change > 0 else Text("lower", "低い")
    return Finding(
        verdict=verdict,
        because=Text(
            f"{means[0].value:.3f} nats a word with all turns, {means[1].value:.3f} with the last one "
            f"alone: {difference.value:+.4f} ({difference.low:+.4f} to {difference.high:+.4f}), a "
            f"perplexity {direction.en} by {abs(change):.1%}.",
            f"すべての発話を知ると 1 語あたり {means[0].value:.3f} nats、直前だけでは {means[1].value:.3f} nats。"
            f"差は {difference.value:+.4f} ({difference.low:+.4f}〜{difference.high:+.4f}) で、パープレキシティは "
            f"{abs(change):.1%} {direction.ja}。",
        ),
        estimates=(
            intervals.estimate(
                Text(
                    "HRED minus last turn alone (nats a word)", "HRED − 直前のみ (1 語あたり nats)"
                ),
                difference,
                seeds=seeds,
            ),
            intervals.estimate(
                Text("HRED (nats a word)", "HRED (1 語あたり nats)"), means[0], seeds=seeds
            ),
            intervals.estimate(
                Text("last turn alone (nats a word)", "直前のみ (1 語あたり nats)"),
                means[1],
                seeds=seeds,
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Nats a word of both networks at every seed."""
    from shinso.claims.drawing import dots

    names = {"hred": Text("all turns", "すべての発話"), "alone": Text("last turn", "直前の発話")}
    dots(
        figure.subplots(),
        list(names.values()),
        [column(measurements, f"nats_{name}") for name in names],
        [column(controls, f"nats_{name}") for name in names],
        ylabel=Text("nats a word of unseen answers", "未知の応答の 1 語あたり nats"),
    )
