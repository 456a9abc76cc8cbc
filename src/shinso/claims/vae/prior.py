"""The codes of a VAE, all samples together, are close to N(0, I); an autoencoder's are not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column, curve, table
from shinso.language import Text

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure

PLACE = Text("Day 3, VAE: the prior", "3 日目 VAE：事前分布")
SAYS = Text(
    "A VAE assumes that its latent variable follows N(0, 1), which gives the codes a structure that an "
    "autoencoder's lack.",
    "VAE は潜在変数 z に N(0, 1) を仮定する。これにより、オートエンコーダにはない構造が符号に与えられる。",
)
TRUTH = Text(
    "What follows N(0, I) is the posterior of all samples together, and only nearly; the code of one "
    "sample is far narrower.",
    "N(0, I) に近いのは全サンプルを合わせた事後分布であり、しかも近似的にすぎない。1 サンプルの符号の分布は"
    "それよりずっと狭い。",
)
METHOD = Text(
    "A VAE and an autoencoder with codes of 4 numbers learn 1,297 real digits (8×8) whose pixels are "
    "drawn black or white anew each time. One code is drawn of each of the other 500; of every number, "
    "mean, variance and the largest distance of its distribution function from that of N(0, 1) "
    "(Kolmogorov–Smirnov) are taken. What the decoder says of 16 draws from N(0, I) is drawn.",
    "符号 4 次元の VAE とオートエンコーダに、画素を毎回白黒に引き直した実在の手書き数字 (8×8) 1,297 枚を学習させる。"
    "残り 500 枚から符号を 1 つずつ引き、各次元の平均、分散、N(0, 1) との分布関数の最大の差 "
    "(コルモゴロフ–スミルノフ) を求める。N(0, I) から引いた 16 個の復元結果を図に示す。",
)
CONTROL = Text(
    "The KL divergence is left out of the VAE's loss (β = 0).",
    "VAE の損失から KL ダイバージェンスを除く (β = 0)。",
)
RULE = Text(
    "Close means that the distance of the worst number is below 0.1. Holds if the 95 % interval over "
    "seeds lies below 0.1 for the VAE and above 0.1 for the autoencoder; does not hold if that of the "
    "VAE lies above 0.1; otherwise undecided.",
    "「近い」とは、最も悪い次元の差が 0.1 未満であることをいう。シードにわたる 95 % 区間が、VAE では 0.1 より下、"
    "オートエンコーダでは 0.1 より上なら成り立つ。VAE の区間が 0.1 より上なら成り立たない。それ以外は判定できない。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 20.0, "full": 200.0}

LATENT, HIDDEN, LR, CLOSE = 4, (64,), 5e-3, 0.1
STEPS = {"quick": 1000, "full": 4000}
PICTURES = 16


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import torch

    from shinso.claims.code_training import digits, train
    from shinso.claims.sequence_training import seeded
    from shinso.models.autoencoder import DenseAutoencoder

    found: dict[str, float | list[float] | list[list[float]] | str] = {}
    with seeded(seed) as generator:
        learnt, kept = digits(generator)

        def drawn(grey: torch.Tensor) -> torch.Tensor:
            return torch.bernoulli(grey, generator=generator)

        for name, kind in (("vae", "vae"), ("autoencoder", "autoencoder")):
            model = DenseAutoencoder(
                DenseAutoencoder.Config(kind=kind, hidden=HIDDEN),  # type: ignore[arg-type]
                shape=(learnt.shape[1],), binary=True, latent=LATENT,
            )  # fmt: skip
            beta = 0.0 if control else 1.0
            train(model, learnt, generator, steps=STEPS[profile], lr=LR, beta=beta, drawn=drawn)
            with torch.no_grad():
                mean, log_variance = model.encode(drawn(kept))
                noise = torch.randn(mean.shape, generator=generator)
                codes = mean + noise * torch.exp(0.5 * log_variance)
                found |= _moments(codes, name)
                if name == "vae":
                    draws = torch.randn(PICTURES, LATENT, generator=generator)
                    said = model.mean_of(model.decode(draws))
                    found["pictures"] = [[round(v, 3) for v in one] for one in said.tolist()]
    return found


def _moments(
    codes: torch.Tensor, name: str
) -> dict[str, float | list[float] | list[list[float]] | str]:
    from scipy.stats import kstest

    each = codes.double().numpy().T
    return {
        f"distance_{name}": max(float(kstest(one, "norm").statistic) for one in each),
        f"means_{name}": [float(one.mean()) for one in each],
        f"variances_{name}": [float(one.var()) for one in each],
    }


def holds(measurements: Sequence[Measurement]) -> Finding:
    seeds = len(measurements)
    vae, plain = (
        intervals.mean(column(measurements, f"distance_{name}")) for name in ("vae", "autoencoder")
    )
    if vae.high < CLOSE and plain.low > CLOSE:
        verdict = Verdict.HOLDS
    else:
        verdict = Verdict.REFUTED if vae.low > CLOSE else Verdict.UNDECIDED
    variances = [value for one in measurements for value in curve(one, "variances_vae")]
    return Finding(
        verdict=verdict,
        because=Text(
            f"The worst number's distance from N(0, 1) is {vae.value:.3f} for the VAE and "
            f"{plain.value:.3f} for the autoencoder; the VAE's variances lie between "
            f"{min(variances):.2f} and {max(variances):.2f}.",
            f"最も悪い次元の N(0, 1) との差は、VAE で {vae.value:.3f}、オートエンコーダで {plain.value:.3f} である。"
            f"VAE の分散は {min(variances):.2f}〜{max(variances):.2f} にある。",
        ),
        estimates=(
            intervals.estimate(
                Text("distance from N(0, 1), VAE (share)", "N(0, 1) との差、VAE (割合)"),
                vae,
                seeds=seeds,
            ),
            intervals.estimate(
                Text(
                    "distance from N(0, 1), autoencoder (share)",
                    "N(0, 1) との差、オートエンコーダ (割合)",
                ),
                plain,
                seeds=seeds,
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Distances at every seed, and what is said of draws from N(0, I)."""
    import numpy as np

    from shinso.claims.drawing import dots, spoken

    left, right = figure.subplots(1, 2)
    names = {"vae": Text("VAE", "VAE"), "autoencoder": Text("autoencoder", "オートエンコーダ")}
    dots(
        left,
        list(names.values()),
        [column(measurements, f"distance_{name}") for name in names],
        [column(controls, f"distance_{name}") for name in names],
        ylabel=Text("distance from N(0, 1)", "N(0, 1) との差"),
    )
    left.axhline(CLOSE, color="0.4", linewidth=0.8)
    images = np.array(table(measurements[0], "pictures")).reshape(4, 4, 8, 8)
    sheet = np.pad(images, ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=1)
    right.imshow(sheet.transpose(0, 2, 1, 3).reshape(36, 36), cmap="gray", vmin=0, vmax=1)
    right.grid(False)
    right.set_xticks([])
    right.set_yticks([])
    right.set_ylabel(spoken(Text("decoded draws from N(0, I)", "N(0, I) から復元した画像")))
