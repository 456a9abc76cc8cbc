"""A sine predicted by an Elman network: the second figure of the course.

The network reads two neighbouring values of a sine and writes the next. After training it is
let run by itself: from the two true first values on, every prediction becomes an input of the
next. No biases, five tanh units, linear output, batch of one window, plain gradient descent.

The published figure was drawn with a gradient that is not that of the loss (d − y)²/2 of the
last output. (1) The output error enters at every step, though there is one output, at the last.
(2) The gradient of W pairs δ_t with z_t instead of z_{t−1}, the state that W multiplied.
(3) tanh′ is taken as 1/(cosh² u + 10⁻⁴); this guard changes it by less than 0.01 %.

The honest baseline is a linear autoregression with two numbers, x_{t+1} = a x_{t−1} + b x_t by
least squares: a sampled sine obeys x_{t+1} = 2 cos(ω) x_t − x_{t−1} exactly.

Measured over seeds 0–39: after the course's 500 epochs the published gradient has the lower
one-step error in 29 runs of 40 and the lower closed-loop error in 24, but its own runs have a
median RMSE of 0.77 (exact: 0.76), when saying the last value again and again has 0.71. After
5,000 epochs the exact gradient has the lower one-step error in 34 runs and the lower closed-loop
error in 32 (medians 0.36 against 0.71). The linear autoregression stays below 10⁻¹¹.

Differs: the sine drawn beside the predictions is the one learnt from, continued; the course
draws one with steps of 4π/199 instead of 10π/499 and starts it two steps early.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from shinso.figures import style
from shinso.figures.closed_loop import Forecast, fit_linear_ar, forecast, run_closed_loop
from shinso.figures.course import (
    Choice,
    FigureFiles,
    Gradient,
    Weights,
    draw_weights,
    gradients_of,
    write_csv,
)
from shinso.language import Text

__all__ = [
    "EXPLANATION",
    "GUARD",
    "NAME",
    "TITLE",
    "Config",
    "PredictSinResult",
    "backward",
    "draw",
    "forward",
    "make",
    "numbers",
    "run_closed_loop",
    "sine",
    "train",
]

NAME = "predict-sin"
TITLE = Text(
    en="An RNN predicts a sine and then runs by itself",
    ja="RNN が sin 波を予測し、続けて自分の予測だけで進む",
)
EXPLANATION = Text(
    en=(
        "Above: from the first two true values on, each network predicts 200 steps from its own "
        "predictions; the pale line is the true sine. Below: the distance to the sine, on a "
        "logarithmic scale. Both networks start from the same weights and see the same windows. "
        "The published code lets the output error enter at both steps, though the network "
        "answers only after the second, and pairs the error of a step with the state after it "
        "instead of the state before it when it changes W. Both predict one step to about 0.003, "
        "and both lose the sine when left alone: each small error is fed back, so amplitude and "
        "period drift. After the course's 500 epochs neither gradient is clearly better, and "
        "which one looks better depends on the seed; after ten times as many the exact one is "
        "ahead for most seeds. It matters because a picture that looks right proves neither the "
        "gradient nor the model: two numbers fitted by least squares, x(t+1) = a·x(t−1) + b·x(t), "
        "follow the sine to rounding error."
    ),
    ja=(
        "上：最初の2つの真の値から始め、各ネットワークが自分の予測だけを使って200ステップ先まで"
        "予測した結果です。淡い線が本当の sin 波です。下：sin 波との差の大きさ (対数目盛)。"
        "2つのネットワークは同じ重みから始まり、同じ窓を見ます。公開されたコードでは、"
        "出力は2ステップ目の後にしかないのに、出力の誤差が両方のステップに入ります。また W の"
        "更新で、各ステップの誤差をその前の状態ではなく後の状態と組にしています。"
        "どちらも1ステップ先なら 0.003 程度の誤差で予測しますが、自分の予測だけで進むと小さな"
        "誤差が戻されて振幅と周期がずれ、sin 波から離れます。講座の500エポックではどちらの"
        "勾配が良いとも言えず、見た目の優劣は乱数の種で変わります。10倍学習すると、多くの種で"
        "正しい勾配が上回ります。正しく見える図は、勾配の正しさもモデルの良さも証明しない、"
        "という点が重要です。最小二乗法で決めた2つの数 x(t+1) = a·x(t−1) + b·x(t) だけで、"
        "丸め誤差の範囲で sin 波をたどれます。"
    ),
)

GUARD = 1e-4
"""Added to cosh² u in the published derivative of tanh."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """The course's settings.

    points: samples of sin on 0…half_turns·π, both ends included; window: values read before the
    next is predicted; test_share: share of the windows kept from training (rounded up);
    predictions: how many steps the network then runs by itself.
    """

    seed: int = 0
    gradient: Gradient = "published"
    epochs: int = 500
    hidden: int = 5
    lr: float = 0.1
    init_scale: float = 0.01
    points: int = 500
    half_turns: float = 10.0
    window: int = 2
    test_share: float = 0.2
    predictions: int = 200

    def __post_init__(self) -> None:
        if self.gradient not in ("published", "exact"):
            raise ValueError(f"gradient is {self.gradient!r}; choose published or exact")
        for name in ("epochs", "hidden", "predictions"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; give at least 1")
        if self.window < 2:
            raise ValueError(
                f"window is {self.window}; give at least 2, as one value of a sine does not say "
                "whether it rises or falls"
            )
        if self.points < self.window + 10:
            raise ValueError(f"points is {self.points}; give at least {self.window + 10}")
        if not 0 < self.test_share < 1:
            raise ValueError(f"test_share is {self.test_share}; choose between 0 and 1")
        if not self.lr > 0:
            raise ValueError(f"lr is {self.lr}; give a positive number such as 0.1")


@dataclass(frozen=True, kw_only=True)
class PredictSinResult:
    """One trained network beside two baselines.

    epoch_losses: mean of (d − y)²/2 in each epoch; steps: index into the series of each
    prediction; sine: the true values there; coefficients: of the linear autoregression, oldest
    value first; persistence: the last value said again.
    """

    config: Config
    weights: Weights
    epoch_losses: Float[np.ndarray, " epochs"]
    steps: np.ndarray
    sine: Float[np.ndarray, " predictions"]
    network: Forecast
    linear_ar: Forecast
    coefficients: Float[np.ndarray, " window"]
    persistence: Forecast


def sine(config: Config, num: int) -> Float[np.ndarray, " num"]:
    """The first ``num`` values of the series, continued beyond ``config.points`` where asked."""
    return np.sin(np.arange(num) * (config.half_turns * np.pi / (config.points - 1)))


def forward(
    weights: Weights, windows: Float[np.ndarray, "*num time"]
) -> tuple[Float[np.ndarray, "*num time+1 hidden"], Float[np.ndarray, "*num"]]:
    """z_t = tanh(x_t W_in + z_{t−1} W) with z_0 = 0, and y = z_T W_out after the last step.

    Returns z, with z_0 at its head, and y.
    """
    *num, time = windows.shape
    z = np.zeros((*num, time + 1, weights.w.shape[0]))
    for t in range(time):
        z[..., t + 1, :] = np.tanh(
            windows[..., t, None] * weights.w_in[0] + z[..., t, :] @ weights.w
        )
    return z, np.asarray(z[..., -1, :] @ weights.w_out[:, 0])


def backward(
    weights: Weights,
    window: Float[np.ndarray, " time"],
    target: float,
    z: Float[np.ndarray, "time+1 hidden"],
    y: float,
    gradient: Gradient,
) -> Weights:
    """The gradient of (d − y)²/2 by back-propagation through time, or what was published as it.

    Exact: δ_T = (y − d) W_outᵀ ⊙ tanh′(u_T), δ_t = δ_{t+1} Wᵀ ⊙ tanh′(u_t),
    ∂/∂W = Σ_t z_{t−1}ᵀ δ_t. Published: δ_t = (δ_{t+1} Wᵀ + (y − d) W_outᵀ) ⊙ tanh′(u_t) at
    every t, and Σ_t z_tᵀ δ_t. This is the reference; ``train`` runs it compiled.
    """
    published = gradient == "published"
    slope = 1.0 - z[1:] ** 2
    if published:
        slope /= 1.0 + GUARD * slope
    from_output = (y - target) * weights.w_out[:, 0]
    delta = np.zeros_like(slope)
    delta[-1] = from_output * slope[-1]
    for t in reversed(range(len(window) - 1)):
        arriving = weights.w @ delta[t + 1]
        delta[t] = (arriving + from_output if published else arriving) * slope[t]
    return Weights(
        w_in=(window @ delta)[None, :],
        w_out=(y - target) * z[-1][:, None],
        w=(z[1:] if published else z[:-1]).T @ delta,
    )


def train(config: Config) -> PredictSinResult:
    """Learn the next value from shuffled windows, then let the network run by itself.

    One generator shuffles the windows, the first of which are kept from training, and then draws
    W_in, W_out, W, as the course's code does; its seed is 0.
    """
    from shinso.figures.predict_sin_numba import train_windows

    rng = np.random.RandomState(config.seed)
    series = sine(config, config.points)
    pieces = np.lib.stride_tricks.sliding_window_view(series, config.window + 1)
    shuffled = pieces[rng.permutation(len(pieces))]
    num_train = int(len(pieces) * (1 - config.test_share))
    kept, learnt = np.split(shuffled, [len(pieces) - num_train])
    weights, epoch_losses = train_windows(
        draw_weights(rng, config.init_scale, 1, config.hidden, 1),
        learnt[:, :-1].copy(),
        learnt[:, -1].copy(),
        epochs=config.epochs,
        lr=config.lr,
        published=config.gradient == "published",
        guard=GUARD,
    )

    coefficients = fit_linear_ar(learnt[:, :-1], learnt[:, -1])
    values = sine(config, config.window + config.predictions)
    test = kept[:, :-1], kept[:, -1], values
    return PredictSinResult(
        config=config,
        weights=weights,
        epoch_losses=epoch_losses,
        steps=np.arange(config.window, len(values)),
        sine=values[config.window :],
        network=forecast(lambda windows: forward(weights, windows)[1], *test),
        linear_ar=forecast(lambda windows: windows @ coefficients, *test),
        coefficients=coefficients,
        persistence=forecast(lambda windows: windows[:, -1], *test),
    )


_PANEL = {
    "published": Text(en="published gradient", ja="公開された勾配"),
    "exact": Text(en="exact gradient", ja="正しい勾配"),
}
_COLOUR = {"published": style.VERMILION, "exact": style.BLUE}
_OWN_RUN = Text(en="{panel}: RMSE {rmse:.2f}", ja="{panel}：RMSE {rmse:.2f}")
_SINE = Text(en="sine", ja="sin 波")
_GIVEN = Text(en="given", ja="与えた値")
_LINEAR_AR = Text(
    en="linear AR, two numbers: RMSE {rmse:.0e}", ja="線形 AR (係数2つ)：RMSE {rmse:.0e}"
)
_STEP = Text(en="step", ja="ステップ")
_VALUE = Text(en="value", ja="値")
_DISTANCE = Text(en="distance to the sine", ja="sin 波との差")


def draw(results: Sequence[PredictSinResult], figure: Figure, language: str | None = None) -> None:
    """One panel a result with its own run, and below all of them the distances to the sine."""
    spoken = style.figure_language(language)
    grid = figure.add_gridspec(2, len(results), height_ratios=(1.0, 0.9))
    distances = figure.add_subplot(grid[1, :])
    first: Axes | None = None
    for column, result in enumerate(results):
        kind = result.config.gradient
        panel = figure.add_subplot(grid[0, column], sharey=first)
        _draw_run(panel, result, spoken)
        if first is None:
            first = panel
            panel.set_ylabel(_VALUE.in_(spoken))
        distances.semilogy(
            result.steps,
            _distance(result.network, result),
            color=_COLOUR[kind],
            label=_PANEL[kind].in_(spoken),
        )
    distances.semilogy(
        results[0].steps,
        _distance(results[0].linear_ar, results[0]),
        color=style.GREEN,
        label=_LINEAR_AR.in_(spoken).format(rmse=results[0].linear_ar.closed_loop_rmse),
    )
    distances.set_ylim(1e-17, 1e2)
    distances.set_xlim(-2, results[0].steps[-1])
    distances.set_xlabel(_STEP.in_(spoken))
    distances.set_ylabel(_DISTANCE.in_(spoken))
    distances.legend(loc="center right")
    figure.suptitle(TITLE.in_(spoken))


def _draw_run(panel: Axes, result: PredictSinResult, spoken: str) -> None:
    config = result.config
    panel.plot(result.steps, result.sine, color="#C8C8C8", linewidth=4, label=_SINE.in_(spoken))
    panel.plot(
        result.steps,
        result.network.closed_loop,
        color=_COLOUR[config.gradient],
        linewidth=1.6,
        label=_PANEL[config.gradient].in_(spoken),
    )
    panel.plot(
        np.arange(config.window),
        sine(config, config.window),
        linestyle="none",
        marker="o",
        markersize=4,
        color=style.INK,
        zorder=3,
        label=_GIVEN.in_(spoken),
    )
    panel.set_title(
        _OWN_RUN.in_(spoken).format(
            panel=_PANEL[config.gradient].in_(spoken), rmse=result.network.closed_loop_rmse
        )
    )
    panel.set_xlim(-4, result.steps[-1])
    panel.set_ylim(-1.5, 2.1)
    panel.legend(loc="upper center", ncols=3)


def _distance(made: Forecast, result: PredictSinResult) -> Float[np.ndarray, " predictions"]:
    """How far the own run is from the sine, at least the rounding of 1, so that it has a log."""
    return np.maximum(np.abs(made.closed_loop - result.sine), np.finfo(np.float64).eps)


def numbers(results: Sequence[PredictSinResult]) -> dict[str, float]:
    """The figure's row of a table: one-step and closed-loop RMSE of networks and baselines."""
    forecasts = {result.config.gradient: result.network for result in results}
    forecasts |= {"linear_ar": results[0].linear_ar, "persistence": results[0].persistence}
    row = {}
    for name, made in forecasts.items():
        row[f"{name}_one_step_rmse"] = made.one_step_rmse
        row[f"{name}_closed_loop_rmse"] = made.closed_loop_rmse
    return row


def make(
    folder: Path, *, gradient: Choice = "both", seed: int = 0, language: str | None = None
) -> FigureFiles:
    """Train, draw ``predict-sin.png`` into ``folder`` and write the runs behind it."""
    results = [train(Config(seed=seed, gradient=kind)) for kind in gradients_of(gradient)]
    columns = {"step": results[0].steps, "sine": results[0].sine}
    for result in results:
        columns[result.config.gradient] = result.network.closed_loop
    columns["linear_ar"] = results[0].linear_ar.closed_loop
    figure = style.figure(max(4.2 * len(results), 6.0), 5.2)
    draw(results, figure, language)
    return FigureFiles(
        png=style.save(figure, folder / f"{NAME}.png"),
        csv=write_csv(folder / f"{NAME}.csv", columns),
        numbers=numbers(results),
    )
