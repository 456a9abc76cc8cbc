"""A WaveNet learns a long dependency in fewer steps and less time than a recurrent network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column
from shinso.language import Text

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure

PLACE = Text("Day 4, WaveNet: against recurrent networks", "4 日目 WaveNet:RNN との比較")
SAYS = Text(
    "WaveNet learns long dependencies more efficiently than recurrent networks.",
    "WaveNet は、RNN よりも効率よく長期の依存関係を学習する。",
)
TRUTH = None
METHOD = Text(
    "The first 4 of 64 steps show one of 4 signs, all others noise; the sign has to be named after the "
    "last step. Dilated layers (1 … 64), a plain RNN and an LSTM of about as many parameters learn it; "
    "counted are the steps, and the seconds of the processor, until 97 % of 64 fresh series are right "
    "at two looks in a row.",
    "64 ステップの最初の 4 ステップに 4 種の記号の一つを示し、残りは雑音とする。最後のステップの後に記号を答えさせる。"
    "膨張層 (1〜64)、通常の RNN、LSTM をほぼ同じパラメータ数で学習させ、新しい 64 系列の 97 % に 2 回続けて正解"
    "するまでの学習ステップ数とCPU 時間を数える。",
)
CONTROL = Text(
    "The layers are not dilated: the sign lies outside their receptive field.",
    "膨張率をすべて 1 にする。記号は受容野の外になる。",
)
RULE = Text(
    "Better than a rival means: the 95 % intervals of the logarithm of the ratio of steps and of "
    "seconds both lie below 0 (a network that never learns counts with all steps it had). Holds if "
    "better than RNN and LSTM; holds under a condition if better than one of them only; does not hold "
    "if the interval of steps lies above 0 for both, or if it does not learn at any seed; otherwise "
    "undecided.",
    "「優れる」とは、ステップ数の比と時間の比について、対数の 95 % 区間がともに 0 より下にあることをいう"
    "(最後まで学べなければ全ステップ数で数える)。RNN にも LSTM にも優れれば成り立つ。片方だけなら条件つきで"
    "成り立つ。どちらに対してもステップ数の区間が 0 より上にあるか、どのシードでも学べなければ成り立たない。"
    "それ以外は判定できない。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 25.0, "full": 200.0}

TIME, SIGNS, SHOWN, NOISE, BATCH, LOOK, ENOUGH = 64, 4, 4, 0.1, 32, 10, 0.97
MOST_STEPS = {"quick": 300, "full": 1000}
LR = 5e-3
RIVALS = {"rnn": Text("RNN", "RNN"), "lstm": Text("LSTM", "LSTM")}
WIDTHS = {"rnn": 64, "lstm": 32}
WHAT = {"steps": Text("steps", "ステップ数"), "seconds": Text("seconds", "CPU 時間")}


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    found: dict[str, float] = {}
    for name in ("wavenet", *RIVALS):
        steps, seconds = _learned_after(name, seed, plain=control, most=MOST_STEPS[profile])
        found |= {f"steps_{name}": float(steps), f"seconds_{name}": seconds}
    found["learned"] = float(found["steps_wavenet"] < MOST_STEPS[profile])
    return found


def _network(name: str, *, plain: bool) -> torch.nn.Module:
    from shinso.claims.sequence_training import Reader
    from shinso.nn import LSTM, RNN

    if name == "wavenet":
        return _dilated(plain)
    width = WIDTHS[name]
    layer = (RNN if name == "rnn" else LSTM)(SIGNS, width, batch_first=True)
    return Reader(layer, width, SIGNS, last_only=True)


def _dilated(plain: bool) -> torch.nn.Module:
    from torch import nn

    from shinso.nn.dilated import GatedDilatedStack

    class Network(nn.Module):
        """The last step's skips name the sign."""

        def __init__(self) -> None:
            super().__init__()
            dilations = [1 if plain else 2**layer for layer in range(7)]
            self.embed = nn.Linear(SIGNS, 16)
            self.stack = GatedDilatedStack(16, 16, dilations)
            self.head = nn.Linear(16, SIGNS)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.stack(self.embed(x))[:, -1].relu())

    return Network()


def _learned_after(name: str, seed: int, *, plain: bool, most: int) -> tuple[int, float]:
    """Steps and seconds of the processor until the sign is named rightly; ``most`` if never.

    A step of another network of the kind comes before: the first one on a machine compiles kernels,
    which takes longer than all that is measured here.
    """
    import time

    import torch
    from torch.nn import functional as F

    from shinso.claims.sequence_training import answers, learner_of, seeded

    with seeded(seed) as generator:

        def drawn(count: int) -> tuple[torch.Tensor, torch.Tensor]:
            signs = torch.randint(SIGNS, (count,), generator=generator)
            x = torch.randn(count, TIME, SIGNS, generator=generator) * NOISE
            x[:, :SHOWN] = F.one_hot(signs, SIGNS).float().unsqueeze(1)
            return x, signs

        with torch.random.fork_rng(devices=[]):
            idle = learner_of(_network(name, plain=plain), F.cross_entropy, lr=LR)
            idle.step((torch.zeros(BATCH, TIME, SIGNS), torch.zeros(BATCH, dtype=torch.long)))
        model = _network(name, plain=plain)
        learner = learner_of(model, F.cross_entropy, lr=LR)
        steps, right, seconds = 0, 0, 0.0
        while steps < most and right < 2:
            began = time.process_time()
            for _ in range(LOOK):
                learner.step(drawn(BATCH))
            seconds += time.process_time() - began
            steps += LOOK
            x, signs = drawn(64)
            named = answers(model, x).argmax(1)
            right = right + 1 if float((named == signs).float().mean()) >= ENOUGH else 0
    return steps, seconds


def holds(measurements: Sequence[Measurement]) -> Finding:
    logs = {
        (what, name): [math.log(value) for value in column(measurements, f"{what}_{name}")]
        for what in WHAT
        for name in ("wavenet", *RIVALS)
    }
    ratio = {
        (what, name): intervals.paired_difference(logs[what, "wavenet"], logs[what, name])
        for what in WHAT
        for name in RIVALS
    }
    better = [ratio["steps", name].high < 0 and ratio["seconds", name].high < 0 for name in RIVALS]
    condition = None
    if not any(column(measurements, "learned")) or all(
        ratio["steps", name].low > 0 for name in RIVALS
    ):
        verdict = Verdict.REFUTED
    elif all(better):
        verdict = Verdict.HOLDS
    elif any(better):
        verdict = Verdict.CONDITIONALLY
        name = list(RIVALS.values())[better.index(True)]
        condition = Text(f"against the {name.en}", f"{name.ja} に対して")
    else:
        verdict = Verdict.UNDECIDED
    times = {key: math.exp(found.value) for key, found in ratio.items()}
    return Finding(
        verdict=verdict,
        condition=condition,
        because=Text(
            f"The dilated layers need {times['steps', 'rnn']:.2f} of the RNN's steps and "
            f"{times['seconds', 'rnn']:.2f} of its time, {times['steps', 'lstm']:.2f} of the LSTM's "
            f"steps and {times['seconds', 'lstm']:.2f} of its time (geometric means).",
            f"膨張層が要するのは、RNN のステップ数の {times['steps', 'rnn']:.2f} 倍、時間の "
            f"{times['seconds', 'rnn']:.2f} 倍、LSTM のステップ数の {times['steps', 'lstm']:.2f} 倍、時間の "
            f"{times['seconds', 'lstm']:.2f} 倍である (幾何平均)。",
        ),
        estimates=tuple(
            intervals.estimate(
                Text(
                    f"{WHAT[what].en}, ln(dilated / {RIVALS[name].en})",
                    f"{WHAT[what].ja}、ln(膨張層/{RIVALS[name].ja})",
                ),
                found,
                seeds=len(measurements),
            )
            for (what, name), found in ratio.items()
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Steps and seconds of each network at every seed."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    from shinso.claims.drawing import dots

    names = {"wavenet": Text("dilated", "膨張層"), **RIVALS}
    left, right = figure.subplots(1, 2)
    for axes, what, ylabel in zip(
        (left, right),
        WHAT,
        (
            Text("steps until learned", "学習に要したステップ"),
            Text("processor time (s)", "CPU 時間 (秒)"),
        ),
        strict=True,
    ):
        dots(
            axes,
            list(names.values()),
            [column(measurements, f"{what}_{name}") for name in names],
            [column(controls, f"{what}_{name}") for name in names],
            ylabel=ylabel,
        )
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        axes.set_ylim(low / 1.2, high * 1.5)  # leaves a place for the legend
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
