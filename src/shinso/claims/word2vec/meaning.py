"""Near vectors mean like words: against random vectors, and against counting without learning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column
from shinso.language import Text

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

    from shinso.data.word_corpus import WordCorpus
    from shinso.data.word_vectors import WordVectors

PLACE = Text("Day 3, word2vec: distributed representation", "3 日目 word2vec：分散表現")
SAYS = Text(
    "The vectors that word2vec learns represent meaning: words that people find alike get near vectors.",
    "word2vec の学習するベクトルは意味を表す。人が似ていると感じる単語は、近いベクトルになる。",
)
TRUTH = None
METHOD = Text(
    "Skip-gram with negative sampling reads the bundled novel (117,000 words) 20 times. Sixty frequent "
    "words stand in ten groups that we made by hand beforehand (family, body, numbers, days …); nobody "
    "rated pairs. The score is the rank correlation of the cosine of two words with whether they share a "
    "group. In the full profile, where SHINSO_DATA has books/ and word_vectors/, it reads 10.7 million "
    "words once and the score is the rank correlation with people's ratings of 3,000 pairs (MEN). Beside "
    "it stand random vectors, and PPMI counts with a singular value decomposition.",
    "同梱の小説 (11 万 7 千語) を、負例付き skip-gram で 20 回読む。頻出 60 語を、手作業であらかじめ 10 のグループ (家族、"
    "体、数、時など) に分けておき、2 語のコサイン類似度と、同じグループかどうかとの順位相関をスコアとする (単語対を人が"
    "評価したものではない)。full では、"
    "SHINSO_DATA に books/ と word_vectors/ があれば 1,070 万語を 1 回読み、人による 3,000 対の評価 (MEN) との順位相関を"
    "スコアとする。乱数ベクトル、および共起頻度 (PPMI) と特異値分解 (SVD) によるベクトルと比べる。",
)
CONTROL = Text(
    "The words of the text are shuffled: each still occurs as often, but stands beside no words of its own.",
    "テキストの単語をかき混ぜる。各単語の頻度は同じだが、周りの単語は意味と無関係になる。",
)
RULE = Text(
    "Holds if the 95 % interval of the difference of scores lies above 0 against random vectors and against "
    "counting; holds under a condition if only against random vectors; does not hold if it lies below 0 "
    "against random vectors, or contains 0 there with at least 10 seeds; otherwise undecided.",
    "スコアの差の 95 % 区間が、乱数ベクトルに対しても共起頻度に対しても 0 より上なら成り立つ。乱数ベクトルに対してだけなら"
    "条件つきで成り立つ。乱数ベクトルに対して 0 より下か、10 シード以上で 0 を含むなら成り立たない。"
    "それ以外は判定できない。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 30.0, "full": 300.0}

GROUPS = (
    ("king", "queen", "prince", "knight", "knights", "sir"),
    ("man", "woman", "men", "women", "boy", "girl"),
    ("father", "mother", "brother", "wife", "child", "children"),
    ("head", "face", "hand", "hands", "eyes", "heart"),
    ("one", "two", "three", "four", "five", "hundred"),
    ("day", "night", "morning", "hour", "hours", "minutes"),
    ("good", "great", "fine", "noble", "poor", "bad"),
    ("said", "say", "spoke", "asked", "answered", "told"),
    ("came", "went", "come", "go", "gone", "coming"),
    ("up", "down", "out", "in", "over", "under"),
)
DIM, WINDOW, PASSES, LR = 48, 5, 20, 0.05
RIVALS = {
    "random": Text("random vectors", "乱数ベクトル"),
    "counted": Text("PPMI, SVD", "PPMI と SVD"),
}
YARDSTICKS = {
    "groups": Text("groups made by hand", "手作業で作ったグループ"),
    "ratings": Text("people's ratings (MEN)", "人の評価 (MEN)"),
}
"""What a score is a rank correlation with, by the name in the measurement."""


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import numpy as np

    from shinso.claims.sequence_training import seeded
    from shinso.data.word_vectors import WordVectors
    from shinso.models.count_vectors import ppmi_svd

    with seeded(seed):
        corpus, pairs = _material(profile)
        rng = np.random.default_rng(seed)
        numbers = np.array(corpus.parts["train"])
        if control:
            words = numbers >= 0
            numbers[words] = rng.permutation(numbers[words])
        # Another beginning for every seed, so that counting scatters as well.
        begin = int(rng.choice(np.flatnonzero(numbers < 0))) + 1
        numbers = np.concatenate([numbers[begin:], numbers[:begin]])[: int(0.9 * len(numbers))]
        passes = PASSES if profile == "quick" or len(pairs[0]) == 0 else 1
        learnt = _learn(numbers, corpus.counts, seed, passes)
        counted = ppmi_svd(numbers, len(corpus.words), dim=DIM, window=WINDOW, limit=3000)
        random = rng.standard_normal(learnt.shape).astype(np.float32)
        return {
            "yardstick": "ratings" if pairs[0] else "groups",
            **{
                f"score_{name}": _score(WordVectors(corpus.words, found), pairs)
                for name, found in (("learnt", learnt), ("counted", counted), ("random", random))
            },
        }


def _material(profile: Profile) -> tuple[WordCorpus, tuple[list[Any], list[Any]]]:
    """The text, and rated pairs of words; none rated where the groups are to be used."""
    from shinso.data import registry, samples
    from shinso.data.word_corpus import read_corpus
    from shinso.data.word_tests import read_pairs

    books = registry.find("books/books.txt.xz")
    rated = registry.find("word_vectors/EN-MEN-TR-3k.txt")
    if profile == "full" and books is not None and rated is not None:
        return read_corpus(books, min_count=5, shares=None), (read_pairs(rated), [])
    sample = samples.path("connecticut_yankee.txt.gz")
    return read_corpus(sample, min_count=3, shares=None), ([], list(GROUPS))


def _learn(numbers: np.ndarray, counts: np.ndarray, seed: int, passes: int) -> np.ndarray:
    from shinso.data.word_stretches import StretchSource
    from shinso.models.word2vec import Word2Vec
    from shinso.objectives.word2vec import Word2VecLearner

    source = StretchSource(numbers, 20_000)
    steps = max(1, passes * len(numbers) // 20_000)
    model = Word2Vec(Word2Vec.Config(dim=DIM, window=WINDOW), num_words=len(counts))
    learner = Word2VecLearner(
        model, counts, lr=lambda step: LR * (1 - step / steps), peak=LR, seed=seed
    )
    for _ in range(steps):
        learner.step(source.next_batch())
    return model.vectors.numpy()


def _score(vectors: WordVectors, pairs: tuple[list[Any], list[Any]]) -> float:
    from itertools import combinations

    from shinso.data.word_tests import similarity_score

    rated, groups = pairs
    if not rated:
        words = [(word, place) for place, group in enumerate(groups) for word in group]
        rated = [(one, other, float(a == b)) for (one, a), (other, b) in combinations(words, 2)]
    return similarity_score(vectors, rated)[0]


def _yardstick(measurements: Sequence[Measurement]) -> Text:
    """What all scores are rank correlations with."""
    return YARDSTICKS[str(measurements[0]["yardstick"])]


def holds(measurements: Sequence[Measurement]) -> Finding:
    seeds = len(measurements)
    learnt = column(measurements, "score_learnt")
    gains = {
        name: intervals.paired_difference(learnt, column(measurements, f"score_{name}"))
        for name in RIVALS
    }
    random, counted = gains["random"], gains["counted"]
    condition = None
    if random.above_zero and counted.above_zero:
        verdict = Verdict.HOLDS
    elif random.above_zero:
        verdict = Verdict.CONDITIONALLY
        condition = Text(
            "against random vectors; counting (PPMI), without learning, is not beaten",
            "乱数ベクトルと比べるとき。学習なしの共起頻度 (PPMI) には勝っていない",
        )
    elif random.below_zero or seeds >= 10:
        verdict = Verdict.REFUTED
    else:
        verdict = Verdict.UNDECIDED
    mean = intervals.mean(learnt)
    yardstick = _yardstick(measurements)
    return Finding(
        verdict=verdict,
        condition=condition,
        because=Text(
            f"Rank correlation with {yardstick.en} {mean.value:.3f}; {random.value:+.3f} ({random.low:+.3f} to "
            f"{random.high:+.3f}) against random vectors, {counted.value:+.3f} ({counted.low:+.3f} to "
            f"{counted.high:+.3f}) against counting.",
            f"{yardstick.ja}との順位相関は {mean.value:.3f}。乱数ベクトルとの差は {random.value:+.3f} ({random.low:+.3f}〜"
            f"{random.high:+.3f})、共起頻度 (PPMI) によるベクトルとの差は {counted.value:+.3f} ({counted.low:+.3f}〜"
            f"{counted.high:+.3f}) である。",
        ),
        estimates=(
            intervals.estimate(
                Text("rank correlation, word2vec (1)", "順位相関、word2vec (無次元)"),
                mean,
                seeds=seeds,
            ),
            *(
                intervals.estimate(
                    Text(
                        f"word2vec minus {RIVALS[name].en} (1)",
                        f"word2vec − {RIVALS[name].ja} (無次元)",
                    ),
                    gain,
                    seeds=seeds,
                )
                for name, gain in gains.items()
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """The score of the three kinds of vectors at every seed."""
    from shinso.claims.drawing import dots

    yardstick = _yardstick(measurements)
    names = ["score_learnt", *(f"score_{name}" for name in RIVALS)]
    dots(
        figure.subplots(),
        [Text("word2vec", "word2vec"), *RIVALS.values()],
        [column(measurements, name) for name in names],
        [column(controls, name) for name in names],
        ylabel=Text(f"rank correlation with {yardstick.en}", f"{yardstick.ja}との順位相関"),
    )
