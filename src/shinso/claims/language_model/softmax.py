"""Maximizing the softmax likelihood of the next token beats counting n-grams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column
from shinso.language import Text

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

PLACE = Text("Day 4, language models: the objective", "4 日目 言語モデル:目的関数")
SAYS = Text(
    "A language model maximizes the softmax likelihood of the next token, given those before it; so its "
    "perplexity falls below that of n-grams.",
    "言語モデルは、それまでのトークンを条件とした次のトークンのソフトマックス尤度を最大化する。これにより、"
    "パープレキシティは n-gram より低くなる。",
)
TRUTH = Text(
    "The likelihood is only the yardstick. What beats n-grams is that a state reaches further back and "
    "that like contexts share weights; with little text and little training counting wins.",
    "尤度は物差しにすぎない。n-gram に勝てるのは、状態が遠くまで届き、似た文脈で重みを共有するからである。"
    "テキストや学習が少なければ、数えるほうが勝つ。",
)
METHOD = Text(
    "Characters of the bundled novel (632,000). An LSTM reads it in windows of 64 with its state carried "
    "on: 128 units and 120 steps of 32 windows in the quick profile, which is far too little, 256 units and "
    "2,500 steps in the full one. Beside it stand interpolated Kneser–Ney n-grams of the order (3, 5 or 7) "
    "that is best on a valid part. Compared are bits a character of an unseen 20,000.",
    "同梱の小説の文字(63 万 2 千)を使う。LSTM が状態を引き継ぎながら 64 文字の窓で読む。quick は 128 ユニットで 32 窓 × "
    "120 ステップ (学習としてはまったく足りない)、full は 256 ユニットで 2,500 ステップ。比較相手は補間 Kneser–Ney n-gram で、次数(3、5、7)は valid で選ぶ。"
    "未知の 2 万文字での 1 文字あたりのビット数を比べる。",
)
CONTROL = Text(
    "The condition is taken away: the network is fed one and the same token at every step.",
    "条件を取り去る。どの時刻にも同じトークンを入力する。",
)
RULE = Text(
    "Holds if the 95 % interval of the difference (network minus n-grams, bits a character) lies below 0; "
    "does not hold if it lies above 0; otherwise undecided.",
    "1 文字あたりのビット数の差(ネットワーク − n-gram)の 95 % 区間が 0 より下なら成り立つ。0 より上なら成り立たない。"
    "それ以外は判定できない。",
)
SEEDS = {"quick": 2, "full": 4}
BUDGET_S = {"quick": 60.0, "full": 900.0}

SHARES = {"train": 0.94, "valid": 0.03}
UNSEEN = 20_000
WINDOW, BATCH, LR = 64, 32, 1e-2
UNITS = {"quick": 128, "full": 256}
STEPS = {"quick": 120, "full": 2500}
ORDERS = (3, 5, 7)


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import math

    import numpy as np

    from shinso.claims.sequence_training import seeded
    from shinso.models.kneser_ney import KneserNey

    with seeded(seed):
        tokens, kinds = _characters()
        begin = int(np.random.default_rng(seed).integers(len(tokens)))
        tokens = np.concatenate([tokens[begin:], tokens[:begin]])
        ends = [int(len(tokens) * SHARES["train"]), int(len(tokens) * sum(SHARES.values()))]
        train, valid, test = np.split(tokens, ends)
        test = test[:UNSEEN]
        bits = {}
        for order in ORDERS:
            model = KneserNey(train, kinds, order)
            nats = [-model.log_probabilities(part).mean() for part in (valid, test)]
            bits[float(nats[0])] = (order, float(nats[1]) / math.log(2))
        order, counted = bits[min(bits)]
        network = _trained(train, test, kinds, seed, control, profile)
        return {"bits_network": network, "bits_ngram": counted, "order": float(order)}


def _characters() -> tuple[np.ndarray, int]:
    import gzip

    from shinso.data import samples
    from shinso.data.token_codec import TokenCodec

    text = gzip.decompress(samples.path("connecticut_yankee.txt.gz").read_bytes()).decode()
    codec = TokenCodec.learn("character", text, min_count=1, size=0)
    return codec.encode(text), len(codec)


def _trained(
    train: np.ndarray, test: np.ndarray, kinds: int, seed: int, control: bool, profile: Profile
) -> float:
    """Bits a character of the unseen part."""
    import math

    import torch

    from shinso.data.token_windows import Window, WindowSource, windows_in_order
    from shinso.models.recurrent_language_model import RecurrentLanguageModel
    from shinso.objectives.language_modelling import LanguageModelObjective, nats_of_text
    from shinso.training.gradient import GradientLearner
    from shinso.training.plan import Training

    def seen(tokens: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(tokens) if control else tokens

    config = RecurrentLanguageModel.Config(
        hidden=UNITS[profile], layers=1, embed=48, tied=False, dropout=0.0
    )
    model = RecurrentLanguageModel(config, num_tokens=kinds)
    source = WindowSource(train, batch_size=BATCH, time=WINDOW, seed=seed)
    plan = Training(steps=STEPS[profile], lr=LR, schedule="one-cycle", clip_norm=1.0)
    learner = GradientLearner(model, LanguageModelObjective(), plan)
    for _ in range(plan.steps):
        window = source.next_batch()
        learner.step(Window(seen(window.tokens), window.targets, window.fresh))
    model.eval()
    windows = ((seen(a), b) for a, b in windows_in_order(test, 256, int(train[-1])))
    nats, count = nats_of_text(model, windows, torch.device("cpu"))
    return nats / count / math.log(2)


def holds(measurements: Sequence[Measurement]) -> Finding:
    seeds = len(measurements)
    network, counted = (column(measurements, f"bits_{name}") for name in ("network", "ngram"))
    difference = intervals.paired_difference(network, counted)
    if difference.below_zero:
        verdict = Verdict.HOLDS
    elif difference.above_zero:
        verdict = Verdict.REFUTED
    else:
        verdict = Verdict.UNDECIDED
    own, rival = intervals.mean(network), intervals.mean(counted)
    order = column(measurements, "order")
    return Finding(
        verdict=verdict,
        because=Text(
            f"The network needs {own.value:.2f} bits a character, n-grams of order {min(order):.0f} to "
            f"{max(order):.0f} need {rival.value:.2f}: a difference of {difference.value:+.2f} "
            f"({difference.low:+.2f} to {difference.high:+.2f}).",
            f"ネットワークは 1 文字あたり {own.value:.2f} ビット、次数 {min(order):.0f}〜{max(order):.0f} の n-gram は "
            f"{rival.value:.2f} ビットである。差は {difference.value:+.2f} ({difference.low:+.2f}〜"
            f"{difference.high:+.2f})。",
        ),
        estimates=(
            intervals.estimate("network (bits a character)", own, seeds=seeds),
            intervals.estimate("n-grams (bits a character)", rival, seeds=seeds),
            intervals.estimate("network minus n-grams (bits a character)", difference, seeds=seeds),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Bits a character of both at every seed."""
    from shinso.claims.drawing import dots

    names = ("bits_network", "bits_ngram")
    dots(
        figure.subplots(),
        [Text("LSTM", "LSTM"), Text("Kneser–Ney", "Kneser–Ney")],
        [column(measurements, name) for name in names],
        [column(controls, name) for name in names],
        ylabel=Text("bits a character", "1 文字あたりのビット数"),
    )
