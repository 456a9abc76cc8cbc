"""Without labels an autoencoder says its input again, better than PCA of equal width."""

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

PLACE = Text("Day 3, autoencoder", "3 日目 オートエンコーダ")
SAYS = Text(
    "Without labels an autoencoder learns a code of fewer dimensions than its input and restores the "
    "input from it better than PCA of the same dimension does.",
    "オートエンコーダは、ラベルなしで入力より低次元の符号を学習し、そこから同じ次元の PCA よりも良く入力を復元する。",
)
TRUTH = None
METHOD = Text(
    "On 1,297 real digits (8×8, installed with scikit-learn), labels never read, an autoencoder with a "
    "code of 6 numbers and tanh layers of 64 units learns; compared is the mean square error on the "
    "other 500 with that of PCA with 6 components, which is the best linear code.",
    "実在の手書き数字 (8×8、scikit-learn に付属) 1,297 枚で、ラベルを読まずに、符号 6 次元・tanh 64 ユニットの"
    "オートエンコーダを学習させる。残り 500 枚での平均二乗誤差を、最良の線形符号である 6 成分の PCA と比べる。",
)
CONTROL = Text(
    "The tanh layers are taken out: the autoencoder is linear, and can be no better than PCA.",
    "tanh の層を取り除く。線形のオートエンコーダは、PCA より良くなり得ない。",
)
RULE = Text(
    "Holds if the 95 % interval of ln(error / error of PCA) lies below 0; does not hold if it lies "
    "above 0; otherwise undecided.",
    "ln(誤差 / PCA の誤差) の 95 % 区間が 0 より下なら成り立つ。0 より上なら成り立たない。それ以外は判定できない。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 20.0, "full": 200.0}

LATENT, HIDDEN, LR = 6, (64,), 5e-3
STEPS = {"quick": 1000, "full": 4000}
KINDS = {
    "error": Text("autoencoder", "オートエンコーダ"),
    "error_pca": Text("PCA", "PCA"),
    "error_mean": Text("mean image", "平均画像"),
}


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import torch
    from sklearn.decomposition import PCA

    from shinso.claims.code_training import digits, train
    from shinso.claims.sequence_training import seeded
    from shinso.models.autoencoder import DenseAutoencoder

    with seeded(seed) as generator:
        learnt, kept = digits(generator)
        config = DenseAutoencoder.Config(kind="autoencoder", hidden=HIDDEN)
        model = DenseAutoencoder(
            config, shape=(learnt.shape[1],), binary=False, latent=LATENT, start=learnt.mean(0)
        )
        assert model.noise is not None
        model.noise.requires_grad_(False)  # with one variance for all, likelihood is square error
        if control:
            for layers in (model.encoder, model.decoder):
                layers[1] = torch.nn.Identity()
        train(model, learnt, generator, steps=STEPS[profile], lr=LR)
        with torch.no_grad():
            again = model.decode(model.encode(kept)[0])
        own = float(((again - kept) ** 2).mean())
        pca = PCA(LATENT, svd_solver="full").fit(learnt.double().numpy())
        x = kept.double().numpy()
        rival = float(((pca.inverse_transform(pca.transform(x)) - x) ** 2).mean())
        alone = float(((kept - learnt.mean(0)) ** 2).mean())
    return {"error": own, "error_pca": rival, "error_mean": alone}


def holds(measurements: Sequence[Measurement]) -> Finding:
    logs = [
        [math.log(value) for value in column(measurements, name)] for name in ("error", "error_pca")
    ]
    ratio = intervals.paired_difference(*logs)
    if ratio.high < 0:
        verdict = Verdict.HOLDS
    else:
        verdict = Verdict.REFUTED if ratio.low > 0 else Verdict.UNDECIDED
    means = {name: intervals.mean(column(measurements, name)) for name in KINDS}
    times = math.exp(ratio.value)
    return Finding(
        verdict=verdict,
        because=Text(
            f"Mean square error {means['error'].value:.4f}, of PCA {means['error_pca'].value:.4f}, of "
            f"the mean image {means['error_mean'].value:.4f}: {times:.2f} times PCA's.",
            f"平均二乗誤差は {means['error'].value:.4f}、PCA は {means['error_pca'].value:.4f}、平均画像は "
            f"{means['error_mean'].value:.4f} で、PCA の {times:.2f} 倍である。",
        ),
        estimates=(
            intervals.estimate(
                Text("ln(error / error of PCA) (1)", "ln(誤差 / PCA の誤差) (無次元)"),
                ratio,
                seeds=len(measurements),
            ),
            *(
                intervals.estimate(
                    Text(
                        f"mean square error, {KINDS[name].en} (squared grey value)",
                        f"平均二乗誤差、{KINDS[name].ja} (濃淡値の二乗)",
                    ),
                    found,
                    seeds=len(measurements),
                )
                for name, found in means.items()
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Errors at every seed."""
    from shinso.claims.drawing import dots

    dots(
        figure.subplots(),
        list(KINDS.values()),
        [column(measurements, name) for name in KINDS],
        [column(controls, name) for name in KINDS],
        ylabel=Text("mean square error on unseen images", "未知の画像での平均二乗誤差"),
    )
