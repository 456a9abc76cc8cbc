"""Residual against plain convolutions, one tower against two: the four networks at equal budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 4, AlphaGo Zero: the network", "4 日目 AlphaGo Zero:ネットワーク")
SAYS = Text(
    "Residual blocks, and one tower for both heads, each make a better network than plain convolutions and "
    "a tower for each head.",
    "残差ブロックは通常の畳み込みより、方策と価値で共有する一つのネットワークは別々のネットワークより、"
    "それぞれ良い結果を与える。",
)
TRUTH = None
METHOD = Text(
    "Four networks of 8 filters and 6 blocks (residual or plain, joined or separate heads) learn moves and "
    "results of 240 bundled games on 7×7. All get the same multiply-adds: two towers cost twice as much a "
    "step, so they take half as many. Compared is the loss on the 60 other games: nats of the move plus "
    "squared error of the result.",
    "8 フィルター・6 ブロックの 4 種のネットワーク (残差または通常、共有または別々のヘッド) が、同梱の 7 路盤 240 局の"
    "着手と結果を学習する。積和演算の総量は同じで、二つの塔は 1 ステップの費用が 2 倍なのでステップ数を半分にする。"
    "残り 60 局での損失 (着手のナットと結果の二乗誤差の和) を比べる。",
)
CONTROL = Text(
    "Both causes are taken away: all four are plain networks with separate heads, of other first weights.",
    "両方の要因を除く。4 種すべてを、初期の重みだけが異なる通常・別々のネットワークにする。",
)
RULE = Text(
    "Compared over seeds: residual less plain (joined heads), and joined less separate (residual blocks). "
    "Holds if both 95 % intervals lie below 0; holds under a condition if one does and the other not above; "
    "does not hold if one lies above 0; otherwise undecided.",
    "シードにわたり、残差 − 通常 (共有ヘッド) と、共有 − 別々 (残差ブロック) を比べる。95 % 区間がともに 0 より下なら"
    "成り立つ。一方だけが下で他方が上でなければ条件つきで成り立つ。一方でも 0 より上なら成り立たない。"
    "それ以外は判定できない。",
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


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    found: dict[str, float] = {}
    for number, (name, (body, heads)) in enumerate(ARMS.items()):
        if control:
            body, heads = "plain", "separate"
        losses = _losses(seed + 100 * number * control, body, heads, STEPS[profile])
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


def holds(measurements: Sequence[Measurement]) -> Finding:
    losses = {name: column(measurements, f"{name}_loss") for name in ARMS}
    blocks = intervals.paired_difference(losses["residual_joined"], losses["plain_joined"])
    heads = intervals.paired_difference(losses["residual_joined"], losses["residual_separate"])
    condition = None
    if blocks.low > 0 or heads.low > 0:
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
    means = ", ".join(
        f"{name.replace('_', ' ')} {sum(v) / count:.3f}" for name, v in losses.items()
    )
    japanese = {
        "residual_joined": "残差・共有", "plain_joined": "通常・共有",
        "residual_separate": "残差・別々", "plain_separate": "通常・別々",
    }  # fmt: skip
    spoken = "、".join(f"{japanese[name]} {sum(v) / count:.3f}" for name, v in losses.items())
    return Finding(
        verdict=verdict,
        condition=condition,
        because=Text(
            f"Loss on new games: {means}. Residual less plain {blocks.value:+.3f} ({blocks.low:+.3f} to "
            f"{blocks.high:+.3f}), joined less separate {heads.value:+.3f} ({heads.low:+.3f} to "
            f"{heads.high:+.3f}).",
            f"新しい対局での損失は、{spoken}。残差 − 通常は {blocks.value:+.3f} ({blocks.low:+.3f}〜"
            f"{blocks.high:+.3f})、共有 − 別々は {heads.value:+.3f} ({heads.low:+.3f}〜{heads.high:+.3f}) である。",
        ),
        estimates=(
            intervals.estimate("loss of residual less plain blocks (nats + mse)", blocks, seeds=count),
            intervals.estimate("loss of joined less separate heads (nats + mse)", heads, seeds=count),
        ),
    )  # fmt: skip


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Loss of the four networks."""
    from shinso.claims.drawing import dots

    names = (
        Text("residual,\njoined", "残差・共有"), Text("plain,\njoined", "通常・共有"),
        Text("residual,\nseparate", "残差・別々"), Text("plain,\nseparate", "通常・別々"),
    )  # fmt: skip
    dots(
        figure.subplots(),
        names,
        [column(measurements, f"{name}_loss") for name in ARMS],
        [column(controls, f"{name}_loss") for name in ARMS],
        ylabel=Text(
            "loss on new games (nats + squared error)", "新しい対局での損失 (ナット + 二乗誤差)"
        ),
    )
