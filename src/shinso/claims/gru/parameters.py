"""A GRU has three quarters of an LSTM's parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import certain, column, curve
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 3, GRU: number of parameters", "3 日目 GRU：パラメータ数")
SAYS = Text(
    "A GRU has drastically fewer parameters than an LSTM.",
    "GRU のパラメータ数は LSTM に比べて大幅に少ない。",
)
TRUTH = Text(
    "At equal width it has exactly 3/4 of them, biases counted as in the framework: three blocks "
    "of weights instead of four. That is a quarter less, at any width.",
    "同じ幅なら、バイアスをフレームワークと同じ数え方で含めて、ちょうど 4 分の 3 である。重みのブロックが "
    "4 つでなく 3 つだからで、どの幅でも 4 分の 1 だけ少ない。",
)
METHOD = Text(
    "The parameters of GRU and LSTM layers of equal width are counted, ours and the framework's, "
    "with and without biases, for widths from 1 to 1,024 and one or two layers.",
    "同じ幅の GRU 層と LSTM 層のパラメータを数える。shinso とフレームワークの両方、バイアスの有無、"
    "幅 1〜1,024、1 層と 2 層のすべてについて求める。",
)
CONTROL = Text(
    "The GRU's saved block is put back: an LSTM is counted in its place.",
    "GRU が省いたブロックを元に戻す。GRU の代わりに LSTM を数える。",
)
RULE = Text(
    "“Drastically” is read as at most half. Holds if every ratio GRU / LSTM is at most 0.5; does not "
    "hold if every ratio is above 0.5; otherwise undecided.",
    "「大幅に」は半分以下と解釈する。GRU/LSTM の比がすべて 0.5 以下なら成り立つ。すべて 0.5 より大きければ"
    "成り立たない。それ以外は判定できない。",
)
SEEDS = {"quick": 1, "full": 1}
BUDGET_S = {"quick": 1.0, "full": 1.0}

DRASTIC = 0.5
WIDTHS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import torch

    from shinso import nn

    ratios, smaller, larger = [], [], []
    for layers in (torch.nn, nn):
        for bias in (True, False):
            for depth in (1, 2):
                for width in WIDTHS:
                    # Half as many inputs as units; "meta" counts without filling memory.
                    size = {"input_size": (width + 1) // 2, "hidden_size": width}
                    how = {**size, "num_layers": depth, "bias": bias, "device": "meta"}
                    gru = _count(layers.LSTM(**how) if control else layers.GRU(**how))
                    lstm = _count(layers.LSTM(**how))
                    ratios.append(gru / lstm)
                    if layers is nn and bias and depth == 1:
                        smaller.append(float(gru))
                        larger.append(float(lstm))
    return {
        "least_ratio": min(ratios),
        "largest_ratio": max(ratios),
        "gru_parameters": smaller,
        "lstm_parameters": larger,
    }


def _count(module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def holds(measurements: Sequence[Measurement]) -> Finding:
    least = min(column(measurements, "least_ratio"))
    largest = max(column(measurements, "largest_ratio"))
    if largest <= DRASTIC:
        verdict = Verdict.HOLDS
    elif least > DRASTIC:
        verdict = Verdict.REFUTED
    else:
        verdict = Verdict.UNDECIDED
    ratio = (
        Text(f"{least:g} in every case", f"どの場合も {least:g}")
        if least == largest
        else Text(f"{least:g} to {largest:g}", f" {least:g} から {largest:g}")
    )
    return Finding(
        verdict=verdict,
        because=Text(
            f"At equal width the ratio of parameters is {ratio.en}; “drastically fewer” would be at most "
            f"{DRASTIC:g}.",
            f"同じ幅でのパラメータ数の比 (GRU/LSTM) は{ratio.ja} である。"
            f"「大幅に少ない」なら {DRASTIC:g} 以下でなければならない。",
        ),
        estimates=(
            certain(
                Text(
                    "least ratio of parameters, GRU over LSTM",
                    "パラメータ数の比の最小値 (GRU/LSTM)",
                ),
                least,
            ),
            certain(
                Text(
                    "largest ratio of parameters, GRU over LSTM",
                    "パラメータ数の比の最大値 (GRU/LSTM)",
                ),
                largest,
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """The ratio over width, beside what is claimed."""
    from shinso.claims.drawing import curves, spoken

    axes = figure.subplots()

    def ratios(side: Sequence[Measurement]) -> list[list[float]]:
        pairs = [(curve(m, "gru_parameters"), curve(m, "lstm_parameters")) for m in side]
        return [[g / lstm for g, lstm in zip(*pair, strict=True)] for pair in pairs]

    curves(
        axes,
        WIDTHS,
        ratios(measurements),
        ratios(controls),
        xlabel=Text("hidden units", "中間層のユニット数"),
        ylabel=Text("parameters, GRU over LSTM (ratio)", "パラメータ数の比 (GRU/LSTM)"),
    )
    axes.axhspan(0, DRASTIC, color="0.9")
    axes.text(1, 0.25, spoken(Text("“drastically fewer”", "「大幅に少ない」")))
    axes.set_xscale("log", base=2)
    axes.set_ylim(0, 1.1)
