"""A vocabulary made from the training text gives words of any length an input of fixed length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column, curve, share
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 3, word2vec: the vocabulary", "3 日目 word2vec：ボキャブラリ")
SAYS = Text(
    "A network cannot take words, which are of any length; a vocabulary made from the training data "
    "gives each word an input of fixed length.",
    "ニューラルネットワークは単語のような可変長の文字列を受け取れない。学習データから作ったボキャブラリにより、"
    "各単語を固定長の入力で表せる。",
)
TRUTH = Text(
    "A network can take a word of any length: a recurrent one that reads it character by character does "
    "(language-model.softmax). A vocabulary makes a word one input. A word that the training data lack "
    "has no place in it: how many of a new text's words do have one is what makes a vocabulary good. "
    "Pieces of words are today's answer.",
    "可変長の文字列も受け取れる。1 文字ずつ読む RNN がそうしている (language-model.softmax)。ボキャブラリは単語を一つの"
    "入力にするためのものである。学習データにない単語は表せない。新しいテキストの単語をどれだけ含むかが、ボキャブラリの良さを決める。"
    "現在は部分語を使うのが普通である。",
)
METHOD = Text(
    "The bundled novel (Mark Twain, 1889; 117,000 words) is cut at a random place; four fifths make the "
    "vocabulary of the most frequent 100, 1,000 and 4,000 words, and the share of the running words of "
    "the other fifth that it covers is counted. Every covered word becomes a row of a table of 48 "
    "columns; the lengths of the words and of the rows are compared.",
    "同梱の小説 (Mark Twain、1889 年、11 万 7 千語) を無作為な位置で切り、5 分の 4 から頻度上位 100、1,000、4,000 語の"
    "ボキャブラリを作る。残り 5 分の 1 に現れる語のうち、含まれるものの割合を数える。含まれる語はすべて 48 列の表の "
    "1 行になる。語の長さと行の長さを比べる。",
)
CONTROL = Text(
    "The vocabulary is not made from the data: the letters of each of its words are shuffled.",
    "ボキャブラリをデータから作らない。各語の文字をかき混ぜたものを使う。",
)
RULE = Text(
    "Holds if, at every seed, all rows have one length while words have at least ten, and the 95 % "
    "interval of the share covered by 4,000 words lies above 0.85; does not hold if it lies below, or "
    "rows differ in length; otherwise undecided.",
    "すべてのシードで、語の長さが 10 種類以上あるのに行の長さは 1 種類であり、4,000 語が含む割合の 95 % 区間が 0.85 より"
    "上なら成り立つ。下であるか、行の長さが異なれば成り立たない。それ以外は判定できない。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 10.0, "full": 30.0}

SIZES, DIM, LEAST = (100, 1000, 4000), 48, 0.85
KEPT = 0.8


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import gzip
    import re
    from collections import Counter

    import numpy as np

    from shinso.data import samples

    text = gzip.decompress(samples.path("connecticut_yankee.txt.gz").read_bytes()).decode()
    words = re.findall(r"[a-z']+", text.lower())
    rng = np.random.default_rng(seed)
    begin = int(rng.integers(len(words)))
    words = words[begin:] + words[:begin]
    end = int(KEPT * len(words))
    frequent = [word for word, _count in Counter(words[:end]).most_common(max(SIZES))]
    if control:
        frequent = ["".join(rng.permutation(list(word))) for word in frequent]
    table = rng.standard_normal((max(SIZES), DIM))
    covered = []
    for size in SIZES:
        number = {word: place for place, word in enumerate(frequent[:size])}
        covered.append(sum(word in number for word in words[end:]) / (len(words) - end))
    number = {word: place for place, word in enumerate(frequent)}
    known = {word for word in words[end:] if word in number}
    return {
        "covered_share": covered[-1],
        "covered_by_size": covered,
        "lengths_of_words": len({len(word) for word in set(words)}),
        "lengths_of_rows": len({len(table[number[word]]) for word in known}),
    }


def holds(measurements: Sequence[Measurement]) -> Finding:
    covered = share(column(measurements, "covered_share"))
    words = min(column(measurements, "lengths_of_words"))
    rows = max(column(measurements, "lengths_of_rows"))
    fixed = rows == 1 and words >= 10
    if fixed and covered.low > LEAST:
        verdict = Verdict.HOLDS
    elif not fixed or covered.high < LEAST:
        verdict = Verdict.REFUTED
    else:
        verdict = Verdict.UNDECIDED
    return Finding(
        verdict=verdict,
        because=Text(
            f"Words have {words:.0f} different lengths, their rows {rows:.0f}. The {max(SIZES):,} words "
            f"cover {covered.value:.1%} ({covered.low:.1%} to {covered.high:.1%}) of an unseen text.",
            f"語の長さは {words:.0f} 種類、行の長さは {rows:.0f} 種類である。{max(SIZES):,} 語で、未知のテキストの "
            f"{covered.value:.1%} ({covered.low:.1%}〜{covered.high:.1%}) を表せる。",
        ),
        estimates=(
            intervals.estimate(
                Text(
                    "words of unseen text covered (share)",
                    "ボキャブラリに含まれる未知テキストの語 (割合)",
                ),
                covered,
                seeds=len(measurements),
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Share covered over the size of the vocabulary."""
    from shinso.claims.drawing import curves

    axes = figure.subplots()
    curves(
        axes,
        SIZES,
        [curve(one, "covered_by_size") for one in measurements],
        [curve(one, "covered_by_size") for one in controls],
        xlabel=Text("words of the vocabulary", "ボキャブラリの語数"),
        ylabel=Text("running words covered (share)", "ボキャブラリに含まれる語の割合"),
    )
    axes.set_xscale("log")
    axes.set_ylim(0, 1)
