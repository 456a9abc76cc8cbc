"""A Transformer reads all words at once, a recurrent network one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column, curve, said
from shinso.language import Text

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure

PLACE = Text("Day 4, Transformer: parallel computation", "4 日目 Transformer：並列計算")
SAYS = Text(
    "A recurrent network must compute its steps in turn; a Transformer computes all of them at once and so "
    "is fast on long sequences too.",
    "RNN は時刻順に計算するしかないが、Transformer は全時刻を同時に計算できるので、長い系列でも速い。",
)
TRUTH = Text(
    "The steps that wait for one another are n for a recurrent network and one for a layer of the "
    "Transformer; its work, however, grows with n²: at some length the products of all pairs of words "
    "outweigh the rest. Here one thread computes: what is measured is what it saves to compute many steps "
    "in one call, not what parallel hardware saves.",
    "互いに待つステップ数は RNN では n、Transformer では 1 層につき 1 である。ただし計算量は n² で増え、ある"
    "長さからは全語対の積が残りを上回る。ここでは 1 スレッドで計算しており、測っているのは多くの時刻を一度の呼び出しで"
    "計算する効果であって、並列ハードウェアの効果ではない。",
)
METHOD = Text(
    "One sequence of 16 to 1,024 vectors of width 128 passes through 2 Transformer blocks and through a "
    "2-layer LSTM of as many parameters (within 10 %, our compiled layer), one thread of a CPU, without "
    "gradients. CPU time for each word, the median of several passes in turn.",
    "幅 128 のベクトル 16〜1,024 個からなる系列 1 本を、Transformer 2 ブロックと、パラメータ数の等しい (差は "
    "10 % 以内) 2 層 LSTM (コンパイル済みの自前の層) に、CPU の 1 スレッドで勾配なしに通す。交互に数回測った "
    "1 語あたりの CPU 時間の中央値を比べる。",
)
CONTROL = Text(
    "The Transformer gets the words one after the other, causal and with a cache: the same layers, called "
    "anew for every word.",
    "Transformer にも 1 語ずつ (因果的に、キャッシュを使って) 渡す。層は同じだが、1 語ごとに呼び出すことになる。",
)
RULE = Text(
    "At each length the ratio of times for a word, LSTM ÷ Transformer, is taken; a length is won if the "
    "95 % interval of its logarithm over seeds lies above 0, and lost if it lies below. Holds if every "
    "length is won; holds under a condition if some are; does not hold if every length is lost; otherwise "
    "undecided.",
    "各長さで 1 語あたりの時間の比 (LSTM ÷ Transformer) を取り、その対数のシード間 95 % 区間が 0 より上なら"
    "勝ち、下なら負けとする。すべての長さで勝てば成り立つ。一部の長さで勝てば条件つきで成り立つ。すべての長さで"
    "負ければ成り立たない。それ以外は判定できない。",
)
SEEDS = {"quick": 3, "full": 8}
BUDGET_S = {"quick": 15.0, "full": 90.0}

LENGTHS = (16, 64, 256, 1024)
WIDTH, HEADS, INNER, BLOCKS, HIDDEN = 128, 4, 256, 2, 128
PASSES = {"quick": 3, "full": 9}


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import statistics
    import time

    import torch

    from shinso.claims.sequence_training import seeded

    found: dict[str, list[float]] = {"us_transformer": [], "us_lstm": []}
    with seeded(seed), torch.no_grad():
        lstm, blocks = layers()
        for length in LENGTHS:
            x = torch.randn(1, length, WIDTH)
            ways: dict[str, Callable[[], object]] = {
                "us_lstm": lambda x=x: lstm(x),
                "us_transformer": lambda x=x: _in_turn(blocks, x) if control else _once(blocks, x),
            }
            taken: dict[str, list[float]] = {name: [] for name in ways}
            for number in range(PASSES[profile] + 1):
                for name, way in ways.items():
                    began = time.process_time()
                    way()
                    if number:  # the first pass of each warms up
                        taken[name].append(time.process_time() - began)
            for name, seconds in taken.items():
                found[name].append(1e6 * statistics.median(seconds) / length)
    return {
        **found,
        **{
            f"ratio_{length}": rnn / own
            for length, rnn, own in zip(
                LENGTHS, found["us_lstm"], found["us_transformer"], strict=True
            )
        },
    }


def layers() -> tuple[torch.nn.Module, torch.nn.ModuleList]:
    """The two, of equally many parameters within 10 %."""
    from torch import nn

    from shinso.nn import LSTM
    from shinso.nn.transformer_block import TransformerBlock

    blocks = nn.ModuleList(TransformerBlock(WIDTH, HEADS, INNER) for _ in range(BLOCKS))
    return LSTM(WIDTH, HIDDEN, BLOCKS, batch_first=True).eval(), blocks.eval()


def _once(blocks: torch.nn.ModuleList, x: torch.Tensor) -> torch.Tensor:
    for block in blocks:
        x = block(x)
    return x


def _in_turn(blocks: torch.nn.ModuleList, x: torch.Tensor) -> torch.Tensor:
    from shinso.nn.transformer_block import TransformerBlock

    known = [block for block in blocks if isinstance(block, TransformerBlock)]
    caches = [block.new_cache(1, x.shape[1], x) for block in known]
    word = x[:, :1]
    for place in range(x.shape[1]):
        word = x[:, place : place + 1]
        for block, cache in zip(known, caches, strict=True):
            word = block(word, causal=True, cache=cache)
    return word


def holds(measurements: Sequence[Measurement]) -> Finding:
    import math

    seeds = len(measurements)
    ratios = {}
    for length in LENGTHS:
        logs = intervals.mean([math.log(r) for r in column(measurements, f"ratio_{length}")])
        ratios[length] = intervals.Interval(*map(math.exp, (logs.value, logs.low, logs.high)))
    won = [length for length, ratio in ratios.items() if ratio.low > 1]
    condition = None
    if len(won) == len(LENGTHS):
        verdict = Verdict.HOLDS
    elif won:
        verdict = Verdict.CONDITIONALLY
        condition = _condition(ratios)
    elif all(ratio.high < 1 for ratio in ratios.values()):
        verdict = Verdict.REFUTED
    else:
        verdict = Verdict.UNDECIDED
    listed = [f"{said(ratio.value)} ({length:,})" for length, ratio in ratios.items()]
    return Finding(
        verdict=verdict,
        condition=condition,
        because=Text(
            "The LSTM takes this many times as long for a word (length in brackets): "
            + ", ".join(listed)
            + ".",
            "LSTM が 1 語に要する時間は Transformer の次の倍数である (括弧内は長さ)："
            + "、".join(listed)
            + "。",
        ),
        estimates=tuple(
            intervals.estimate(
                Text(
                    f"time for a word, LSTM ÷ Transformer, at {length:,} words (ratio)",
                    f"1 語あたりの時間、LSTM ÷ Transformer、{length:,} 語 (比)",
                ),
                ratio,
                seeds=seeds,
            )
            for length, ratio in ratios.items()
        ),
    )


def _condition(ratios: Mapping[int, intervals.Interval]) -> Text:
    """Up to which length the Transformer is faster, and where it is not."""
    won = [length for length, ratio in ratios.items() if ratio.low > 1]
    lost = [length for length, ratio in ratios.items() if ratio.high < 1]
    rest = [length for length in ratios if length not in (*won, *lost)]
    if won == list(ratios)[: len(won)]:
        english, japanese = [f"up to {won[-1]:,} words"], [f"{won[-1]:,} 語以下のとき"]
    else:
        english, japanese = [f"at {_listed(won).en} words"], [f"{_listed(won).ja} 語のとき"]
    if lost:
        english.append(f"slower than the LSTM at {_listed(lost).en}")
        japanese.append(f"{_listed(lost).ja} 語では LSTM より遅い")
    if rest:
        english.append(f"undecided at {_listed(rest).en}")
        japanese.append(f"{_listed(rest).ja} 語では判定できない")
    return Text("; ".join(english), "。".join(japanese))


def _listed(lengths: Sequence[int]) -> Text:
    named = [f"{length:,}" for length in lengths]
    return Text(" and ".join(filter(None, (", ".join(named[:-1]), named[-1]))), "、".join(named))


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Time for a word against the length, on logarithmic axes."""
    from shinso.claims.drawing import curves, spoken

    names = {"us_lstm": Text("LSTM", "LSTM"), "us_transformer": Text("Transformer", "Transformer")}
    places = figure.subplots(1, 2, sharey=True, squeeze=False)[0]
    for axes, (key, name) in zip(places, names.items(), strict=True):
        curves(
            axes,
            LENGTHS,
            [curve(one, key) for one in measurements],
            [curve(one, key) for one in controls],
            xlabel=Text("words of the sequence", "系列の語数"),
            ylabel=Text("CPU time for a word (µs)", "1 語あたりの CPU 時間 (µs)"),
        )
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_title(spoken(name), fontsize=9)
