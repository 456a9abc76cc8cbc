"""Residual against plain convolutions, one tower against two: the four networks at equal budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import certain, column, number
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 4, AlphaGo Zero: the network", "4 日目 AlphaGo Zero：ネットワーク")
SAYS = Text(
    "Residual blocks, and one tower for both heads, each make a better network than plain convolutions and "
    "a tower for each head.",
    "残差ブロックは通常の畳み込みより、方策と価値で共有する一つのネットワークは別々の二つのネットワークより、"
    "それぞれ良い結果を与える。",
)
TRUTH = None
METHOD = Text(
    "Four networks of 8 filters and 6 blocks (residual or plain, joined or separate heads) learn moves and "
    "results of 240 bundled games on 7×7: 40 (quick) or 600 (full) steps of 32 positions with joined heads. All "
    "get the same multiply-adds: two towers cost twice as much a step, so they take half as many. Compared is "
    "the loss on the 60 other games: nats of the move plus squared error of the result. Beside it stand two "
    "guesses without a network: every legal move alike likely, and for every position the mean result of the "
    "240 games.",
    "8 フィルター・6 ブロックの 4 種のネットワーク (残差または通常、共有または別々のヘッド) が、同梱の 7 路盤 240 局の"
    "着手と結果を学習する。共有ヘッドのステップ数は 40 (quick) または 600 (full) で、1 ステップは 32 局面である。"
    "積和演算の総量は同じで、別々の二つのネットワークは 1 ステップの費用が 2 倍なのでステップ数を半分にする。"
    "残り 60 局での損失 (着手の nats と結果の二乗誤差の和) を比べる。ネットワークを使わない二つの予測、すなわち"
    "すべての合法手を等確率とする予測と、どの局面でも 240 局の結果の平均を答える予測も並べる。",
)
CONTROL = Text(
    "Both causes are taken away: all four are plain networks with separate heads, of other first weights.",
    "両方の要因を除く。4 種すべてを、初期の重みだけが異なる通常・別々のネットワークにする。",
)
RULE = Text(
    "Compared over seeds: residual less plain (joined heads), and joined less separate (residual blocks). "
    "Holds if both 95 % intervals lie below 0; holds under a condition if one does and the other not above; "
    "does not hold if one lies above 0; otherwise undecided. Also undecided where none of the four is better, in "
    "the mean over seeds, than both guesses (moves and results): then networks that have learnt almost nothing "
    "would be compared.",
    "シードにわたり、残差 − 通常 (共有ヘッド) と、共有 − 別々 (残差ブロック) を比べる。95 % 区間がともに 0 より下なら"
    "成り立つ。一方だけが下で他方が上でなければ条件つきで成り立つ。一方でも 0 より上なら成り立たない。"
    "それ以外は判定できない。4 種のうち、着手と結果の両方でネットワークを使わない予測より (シード平均で) 良いものが"
    "一つもないときも、ほとんど何も学習していないネットワークの比較になってしまうので判定できない。",
)
RULE_CHANGED = Text(
    "Changed on 2026-12-01: before, it did not ask whether any of the networks had learnt something. The first "
    "evidence came from networks that predicted moves worse than a guess among the legal ones, so their "
    "differences said nothing of blocks and heads.",
    "2026-12-01 に変更。以前は、ネットワークが何かを学習したかどうかを問わなかった。最初の測定のネットワークは、着手の"
    "予測が合法手を等確率とする予測よりも悪く、その差はブロックやヘッドについて何も示していなかった。",
)
SEEDS = {"quick": 3, "full": 6}
BUDGET_S = {"quick": 40.0, "full": 300.0}

STEPS = {"quick": 40, "full": 600}
BATCH, LR, FILTERS, BLOCKS = 32, 4e-3, 8, 6
ARMS = {
    "residual_joined": ("residual", "joined"),
    "plain_joined": ("plain", "joined"),
    "residual_separate": ("residual", "separate"),
    "plain_separate": ("plain", "separate"),
}
NAMES = {
    "residual_joined": Text("residual joined", "残差・共有"),
    "plain_joined": Text("plain joined", "通常・共有"),
    "residual_separate": Text("residual separate", "残差・別々"),
    "plain_separate": Text("plain separate", "通常・別々"),
}


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    from shinso.claims.go._zero_positions import guesses

    found = {f"guess_{what}": value for what, value in guesses()._asdict().items()}
    for place, (name, (body, heads)) in enumerate(ARMS.items()):
        if control:
            body, heads = "plain", "separate"
        losses = _losses(seed + 100 * place * control, body, heads, STEPS[profile])
        found |= {f"{name}_{what}": value for what, value in losses.items()}
    return found


def _losses(seed: int, body: str, heads: str, steps: int) -> dict[str, float]:
    import torch

    from shinso.claims.go._policies import SIDE
    from shinso.claims.go._zero_positions import learnt_and_kept
    from shinso.claims.sequence_training import seeded
    from shinso.models.go_network import GoNetwork
    from shinso.objectives.policy_and_value import PolicyAndValueObjective
    from shinso.training.gradient import GradientLearner
    from shinso.training.plan import Training

    learnt, kept = learnt_and_kept()
    steps = steps if heads == "joined" else steps // 2
    with seeded(seed) as generator:
        model = GoNetwork(
            GoNetwork.Config(filters=FILTERS, blocks=BLOCKS, body=body, heads=heads),  # type: ignore[arg-type]
            side=SIDE,
        )
        objective = PolicyAndValueObjective()
        training = Training(steps=steps, lr=LR, schedule="one-cycle", weight_decay=1e-4)
        learner = GradientLearner(model, objective, training)
        for _ in range(steps):
            chosen = torch.randint(len(learnt.result), (BATCH,), generator=generator)
            learner.step(learnt.take(chosen))
        model.eval()
        with torch.no_grad():
            scalars = objective(model, kept)
    return {
        "loss": float(scalars["loss"]),
        "policy_nats": float(scalars["policy_nats"]),
        "value_mse": float(scalars["value_mse"]),
    }


def _learnt(measurements: Sequence[Measurement]) -> bool:
    """Whether one of the networks is better than a guess, in moves and in results."""

    def mean(name: str) -> float:
        return sum(column(measurements, name)) / len(measurements)

    return any(
        all(mean(f"{name}_{part}") < mean(f"guess_{part}") for part in ("policy_nats", "value_mse"))
        for name in ARMS
    )


def holds(measurements: Sequence[Measurement]) -> Finding:
    losses = {name: column(measurements, f"{name}_loss") for name in ARMS}
    blocks = intervals.paired_difference(losses["residual_joined"], losses["plain_joined"])
    heads = intervals.paired_difference(losses["residual_joined"], losses["residual_separate"])
    condition = None
    if not _learnt(measurements):
        verdict = Verdict.UNDECIDED
    elif blocks.low > 0 or heads.low > 0:
        verdict = Verdict.REFUTED
    elif blocks.high < 0 and heads.high < 0:
        verdict = Verdict.HOLDS
    elif blocks.high < 0 or heads.high < 0:
        verdict = Verdict.CONDITIONALLY
        condition = (
            Text("for residual blocks; not shown for joined heads", "残差ブロックについて。共有ヘッドについては示せない")
            if blocks.high < 0
            else Text("for joined heads; not shown for residual blocks", "共有ヘッドについて。残差ブロックについては示せない")
        )  # fmt: skip
    else:
        verdict = Verdict.UNDECIDED
    count = len(measurements)
    nats, error = (
        min(sum(column(measurements, f"{name}_{part}")) / count for name in ARMS)
        for part in ("policy_nats", "value_mse")
    )
    guess = {
        part: number(measurements[0], f"guess_{part}") for part in ("policy_nats", "value_mse")
    }
    listed = ", ".join(f"{NAMES[name].en} {sum(v) / count:.3f}" for name, v in losses.items())
    listed_ja = "、".join(f"{NAMES[name].ja} {sum(v) / count:.3f}" for name, v in losses.items())
    return Finding(
        verdict=verdict,
        condition=condition,
        because=Text(
            f"Loss on new games: {listed}. Residual less plain {blocks.value:+.3f} ({blocks.low:+.3f} to "
            f"{blocks.high:+.3f}), joined less separate {heads.value:+.3f} ({heads.low:+.3f} to "
            f"{heads.high:+.3f}). Lowest of the four: {nats:.2f} nats a move (a guess among the legal ones "
            f"{guess['policy_nats']:.2f}) and a squared error of the result of {error:.3f} (a constant guess "
            f"{guess['value_mse']:.3f}).",
            f"新しい対局での損失は、{listed_ja} である。残差 − 通常は {blocks.value:+.3f} ({blocks.low:+.3f}〜"
            f"{blocks.high:+.3f})、共有 − 別々は {heads.value:+.3f} ({heads.low:+.3f}〜{heads.high:+.3f}) である。"
            f"4 種のうち最小の値は、着手が {nats:.2f} nats (合法手を等確率とする予測では "
            f"{guess['policy_nats']:.2f})、結果の二乗誤差が {error:.3f} (定数の予測では "
            f"{guess['value_mse']:.3f}) である。",
        ),
        estimates=(
            intervals.estimate(
                Text(
                    "loss of residual less plain blocks (nats + mse)",
                    "損失の差、残差 − 通常 (nats + 二乗誤差)",
                ),
                blocks,
                seeds=count,
            ),
            intervals.estimate(
                Text(
                    "loss of joined less separate heads (nats + mse)",
                    "損失の差、共有 − 別々 (nats + 二乗誤差)",
                ),
                heads,
                seeds=count,
            ),
            *(
                intervals.estimate(
                    Text(f"loss of moves, {NAMES[name].en} (nats)", f"着手の損失、{NAMES[name].ja} (nats)"),
                    intervals.mean(column(measurements, f"{name}_policy_nats")),
                    seeds=count,
                )
                for name in ARMS
            ),
            certain(
                Text("loss of moves, a guess among the legal ones (nats)", "着手の損失、合法手を等確率とする予測 (nats)"),
                guess["policy_nats"],
            ),
            *(
                intervals.estimate(
                    Text(f"loss of results, {NAMES[name].en} (mse)", f"結果の損失、{NAMES[name].ja} (二乗誤差)"),
                    intervals.mean(column(measurements, f"{name}_value_mse")),
                    seeds=count,
                )
                for name in ARMS
            ),
            certain(
                Text("loss of results, a constant guess (mse)", "結果の損失、定数の予測 (二乗誤差)"),
                guess["value_mse"],
            ),
        ),
    )  # fmt: skip


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Loss of the four networks, and that of the two guesses together."""
    from shinso.claims.drawing import dots, legend, spoken

    axes = figure.subplots()
    dots(
        axes,
        [replace(NAMES[name], en=NAMES[name].en.replace(" ", "\n")) for name in ARMS],
        [column(measurements, f"{name}_loss") for name in ARMS],
        [column(controls, f"{name}_loss") for name in ARMS],
        ylabel=Text(
            "loss on new games (nats + squared error)", "新しい対局での損失 (nats + 二乗誤差)"
        ),
    )
    for one in [*measurements, *controls][:1]:
        axes.axhline(
            number(one, "guess_policy_nats") + number(one, "guess_value_mse"),
            color="0.4", linewidth=0.8, linestyle=":",
            label=spoken(Text("guesses without a network", "ネットワークを使わない予測")),
        )  # fmt: skip
    legend(axes)
