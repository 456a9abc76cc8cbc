"""Gradients from old weights cost accuracy, and the more so the older the weights are."""

# scikit-learn returns a Bunch, which its annotations do not say.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column, number, share
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text(
    "Day 4, data parallelism: synchronous and asynchronous", "4 日目 データ並列化：同期型と非同期型"
)
SAYS = Text(
    "Asynchronous workers do not wait for each other and are faster; but their training is less "
    "stable and the synchronous kind usually ends with the better accuracy, so it is the usual one.",
    "非同期型はワーカー同士の待ちがないので速いが、学習が不安定になりやすい。精度は同期型の方が良いことが多く、"
    "主流となっている。",
)
TRUTH = Text(
    "Of these three statements the last is tested: the accuracy after equally many updates, with momentum 0.9. "
    "Neither the speed nor the scatter of the training is measured. The loss depends on how stale the gradients "
    "are; the verdict is about 8 workers (staleness 7), and what two workers lose (staleness 1) stands beside it.",
    "三つの主張のうち、検証するのは最後の、同じ更新回数の後の正解率 (モーメンタム 0.9) である。速さと学習の不安定さは"
    "測らない。失われる正解率は勾配の古さによって異なる。判定は 8 ワーカー (古さ 7) についてのものであり、2 ワーカー "
    "(古さ 1) で失われる値も併記する。",
)
METHOD = Text(
    "Real handwritten digits (8×8, 1,797 images, installed with scikit-learn). A network of 32 hidden "
    "units takes equally many SGD updates, 200 (quick) or 600 (full) of 16 samples (momentum 0.9). Worker "
    "processes compute the gradients and a parameter server applies them in the order in which they "
    "were handed out, so with n workers every gradient is n − 1 updates old. Of the learning rates 0.1, "
    "0.02 and 0.005 each staleness gets the one that is best on 200 images kept for that choice. Accuracy "
    "on 500 other unseen images, after equally many samples, for staleness 0 (what synchronous "
    "training gives), 1, 3 and 7; and for the last three once more with the learning rate divided by "
    "the staleness (Zhang et al. 2016).",
    "実在の手書き数字 (8×8、1,797 枚、scikit-learn に付属)。隠れ層 32 ユニットのネットワークで、16 サンプルずつの "
    "SGD 更新 (モーメンタム 0.9) を同じ回数 (200 (quick) または 600 (full) 回) だけ行う。勾配は別プロセスのワーカーが計算し、パラメータ"
    "サーバが配った順に適用するので、n ワーカーなら全ての勾配は n − 1 更新だけ古い。学習率は 0.1、0.02、0.005 のうち、"
    "選択用の 200 枚で最も良いものを古さごとに選ぶ。同じサンプル数の後、別の未知の 500 枚での正解率を、古さ 0 "
    "(同期型と同じ)、1、3、7 で比べる。古さ 1、3、7 では、学習率を古さで割る方法 (Zhang ら 2016) も測る。",
)
CONTROL = Text(
    "As many worker processes, but each gets the newest weights and the server waits for it: no "
    "gradient is stale.",
    "ワーカー数は同じだが、常に最新の重みを渡し、サーバは結果を待つ。古い勾配はなくなる。",
)
RULE = Text(
    "Holds if the 95 % interval of the accuracy at staleness 0 minus that at 7 lies above 0.01; does "
    "not hold if it lies below 0.01; otherwise undecided.",
    "「古さ 0 の正解率 − 古さ 7 の正解率」の 95 % 区間が 0.01 より上なら成り立つ。0.01 より下なら成り立たない。"
    "それ以外は判定できない。",
)
SEEDS = {"quick": 3, "full": 8}
BUDGET_S = {"quick": 50.0, "full": 360.0}

STALENESS = (0, 1, 3, 7)
UPDATES = {"quick": 200, "full": 600}
HIDDEN, BATCH, MOMENTUM, LEARNT_FROM, CHOSEN_ON = 32, 16, 0.9, 1097, 200
RATES = (0.1, 0.02, 0.005)  # with 0.002, 200 updates are too few at any staleness
MARGIN = 0.01
SLOWED = Text("learning rate / staleness", "学習率を古さで割る")


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    from shinso.training.parallel.local_workers import LocalWorkers

    found: dict[str, float] = {}
    pool = LocalWorkers(_learner(seed, RATES[0], profile), max(STALENESS) + 1, seed, in_order=True)
    try:
        for staleness in STALENESS:
            kinds = {"": False} if control or not staleness else {"": False, "slowed_": True}
            for name, slow in kinds.items():
                tried = [
                    _trained(pool, seed, staleness, rate, profile, fresh=control, slow=slow)
                    for rate in RATES
                ]
                _chosen, accuracy, mean, rate = max(tried, key=lambda one: one[0])
                found[f"{name}accuracy_at_{staleness}"] = accuracy
                found[f"{name}rate_at_{staleness}"] = rate
                found[f"mean_staleness_at_{staleness}"] = mean
    finally:
        pool.close()
    return found


def _learner(seed: int, rate: float, profile: Profile) -> Any:
    import torch
    from torch import nn

    from shinso.claims.parallel_training import CrossEntropy
    from shinso.training.gradient import GradientLearner
    from shinso.training.plan import Training

    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(64, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 10))
    training = Training(
        steps=UPDATES[profile], lr=rate, momentum=MOMENTUM, optimizer="sgd", schedule="constant",
        clip_norm=0.0,
    )  # fmt: skip
    return GradientLearner(model, CrossEntropy(), training)


def _trained(
    pool: Any, seed: int, staleness: int, rate: float, profile: Profile, *, fresh: bool, slow: bool
) -> tuple[float, float, float, float]:
    """Accuracy on the images for choosing and on the unseen ones, the mean staleness, the rate."""
    from shinso.training.parallel.asynchronous import AsynchronousLearner, Drawn

    digits = _Digits(seed)
    learner = _learner(seed, rate, profile)
    pool.learner, pool.size = learner, staleness + 1
    bound = 0 if fresh else None
    server = AsynchronousLearner(learner, Drawn(digits), pool, bound=bound, slow=slow)
    for _ in range(UPDATES[profile]):
        server.step(None)
    while server.under_way:  # handed out, never applied
        server.under_way.pop(pool.receive().number)
    ages = server.counts
    chosen, kept = (digits.accuracy(learner.model, part) for part in (digits.choose, digits.kept))
    return chosen, kept, sum(a * n for a, n in ages.items()) / ages.total(), rate


class _Digits:
    """Batches drawn from a seed, and the images kept from learning."""

    def __init__(self, seed: int) -> None:
        import torch
        from sklearn.datasets import load_digits

        found = load_digits()
        self.images = torch.tensor(found.data / 16, dtype=torch.float32)
        self.digits = torch.tensor(found.target)
        self.generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(self.images), generator=self.generator)
        self.learnt, rest = order[:LEARNT_FROM], order[LEARNT_FROM:]
        self.choose, self.kept = rest[:CHOSEN_ON], rest[CHOSEN_ON:]

    def next_batch(self) -> tuple[Any, Any]:
        import torch

        drawn = torch.randint(len(self.learnt), (BATCH,), generator=self.generator)
        chosen = self.learnt[drawn]
        return self.images[chosen], self.digits[chosen]

    def accuracy(self, model: Any, part: Any) -> float:
        import torch

        with torch.no_grad():
            named = model(self.images[part]).argmax(1)
        return float((named == self.digits[part]).float().mean())

    def state_dict(self) -> dict[str, Any]:
        return {"generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        self.generator.set_state(state["generator"])


def holds(measurements: Sequence[Measurement]) -> Finding:
    seeds = len(measurements)
    accuracy = {age: column(measurements, f"accuracy_at_{age}") for age in STALENESS}
    lost = intervals.paired_difference(accuracy[0], accuracy[STALENESS[-1]])
    first = intervals.paired_difference(accuracy[0], accuracy[STALENESS[1]])
    if lost.low > MARGIN:
        verdict = Verdict.HOLDS
    elif lost.high < MARGIN:
        verdict = Verdict.REFUTED
    else:
        verdict = Verdict.UNDECIDED
    shares = {age: share(values) for age, values in accuracy.items()}
    slowed = {
        age: share(column(measurements, f"slowed_accuracy_at_{age}"))
        for age in STALENESS
        if f"slowed_accuracy_at_{age}" in measurements[0]
    }
    listed = ", ".join(f"{found.value:.1%} at {age}" for age, found in shares.items())
    listed_ja = "、".join(f"古さ {age} で {found.value:.1%}" for age, found in shares.items())
    remedy = ", ".join(f"{found.value:.1%} at {age}" for age, found in slowed.items())
    remedy_ja = "、".join(f"古さ {age} で {found.value:.1%}" for age, found in slowed.items())
    return Finding(
        verdict=verdict,
        because=Text(
            f"Accuracy by staleness: {listed}. From 0 to {STALENESS[-1]} it falls by {lost.value:.3f} "
            f"({lost.low:.3f} to {lost.high:.3f}), from 0 to {STALENESS[1]} by {first.value:.3f} "
            f"({first.low:.3f} to {first.high:.3f}{'' if first.low > 0 else ': no loss is shown'})."
            + (f" With the learning rate divided by the staleness: {remedy}." if remedy else ""),
            f"正解率は{listed_ja}である。古さ 0 から {STALENESS[-1]} で {lost.value:.3f} 下がる "
            f"({lost.low:.3f}〜{lost.high:.3f})。古さ 0 から {STALENESS[1]} では {first.value:.3f} "
            f"({first.low:.3f}〜{first.high:.3f}) で、"
            + ("低下が認められる。" if first.low > 0 else "低下は認められない。")
            + (f"学習率を古さで割ると、{remedy_ja}となる。" if remedy else ""),
        ),
        estimates=(
            *(
                intervals.estimate(
                    Text(f"accuracy at staleness {age} (share)", f"古さ {age} での正解率 (割合)"),
                    found,
                    seeds=seeds,
                )
                for age, found in shares.items()
            ),
            *(
                intervals.estimate(
                    Text(
                        f"accuracy at staleness {age}, learning rate / staleness (share)",
                        f"古さ {age} での正解率、学習率を古さで割る (割合)",
                    ),
                    found,
                    seeds=seeds,
                )
                for age, found in slowed.items()
            ),
            *(
                intervals.estimate(
                    Text(
                        f"accuracy lost to staleness {age} (share)",
                        f"古さ {age} で失われる正解率 (割合)",
                    ),
                    found,
                    seeds=seeds,
                )
                for age, found in ((STALENESS[1], first), (STALENESS[-1], lost))
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Accuracy against the number of workers, which is the staleness plus one."""
    from shinso.claims.drawing import curves, spoken

    def lines(found: Sequence[Measurement]) -> list[list[float]]:
        return [[number(one, f"accuracy_at_{age}") for age in STALENESS] for one in found]

    axes = figure.subplots()
    stale = STALENESS[1:]
    for place, one in enumerate(measurements):
        axes.plot(
            [age + 1 for age in stale],
            [number(one, f"slowed_accuracy_at_{age}") for age in stale],
            color="#009E73", linestyle=":", marker="^", markersize=4,
            label=spoken(SLOWED) if place == 0 else None,
        )  # fmt: skip
    curves(
        axes,
        [age + 1 for age in STALENESS],
        lines(measurements),
        lines(controls),
        xlabel=Text("asynchronous workers", "非同期ワーカーの数"),
        ylabel=Text("accuracy on unseen images (share)", "未知の画像での正解率"),
    )
