"""word2vec beside gensim: equal text, settings, seeds' number and cores; speed and quality.

    python benchmarks/word2vec.py                 books and WikiText-2 of SHINSO_DATA, 3 seeds
    python benchmarks/word2vec.py --seeds 1 --corpus wikitext2
    CLOCK=wall python benchmarks/word2vec.py --cores 2

Skip-gram, 100 numbers, window 5, 5 drawn words, subsampling 1e-3, min count 5, one epoch, learning
rate 0.025 falling to 0. Ours draws the words once a window, gensim once a pair. Both read the same
file of lower-cased words, one line a paragraph. "training" is the epoch alone, "end to end" also
reads the file, counts and numbers its words. The goals (decided beforehand): training at least 4
times gensim's words a second, end to end at least 3 times, quality within its scatter over seeds.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from gensim.models import Word2Vec as Peer

from shinso.data import registry
from shinso.data.word_corpus import num_words, read_corpus
from shinso.data.word_numbers import TextPieces
from shinso.data.word_stretches import StretchSource
from shinso.data.word_tests import (
    analogy_accuracy,
    analogy_scores,
    read_pairs,
    read_questions,
    similarity_score,
)
from shinso.data.word_vectors import WordVectors
from shinso.models.word2vec import Word2Vec
from shinso.objectives.word2vec import Word2VecLearner
from timing import clock, print_table

CORPORA = {"books": "books/books.txt.xz", "wikitext2": "wikitext2/train.txt.gz"}
DIM, WINDOW, NEGATIVE, SAMPLE, MIN_COUNT, LR, STRETCH = 100, 5, 5, 1e-3, 5, 0.025, 50_000


def write_words(source: Path, target: Path) -> None:
    """The text as lower-case words between blanks, which both read."""
    import re

    with target.open("w", encoding="utf-8") as file:
        for text in TextPieces(source):
            for line in text.lower().split("\n"):
                words = re.findall(r"[a-z0-9_]+(?:'[a-z0-9_]+)*", line)
                if words:
                    file.write(" ".join(words) + "\n")


def ours(path: Path, seed: int, cores: int) -> tuple[WordVectors, float, float, int]:
    """Vectors, seconds of reading and of training, words."""
    began = clock()
    corpus = read_corpus(path, tokens="spaces", lower=False, min_count=MIN_COUNT, shares=None)
    reading = clock() - began
    began = clock()
    numbers = corpus.parts["train"]
    torch.manual_seed(seed)
    model = Word2Vec(Word2Vec.Config(dim=DIM, window=WINDOW, negative=NEGATIVE, sample=SAMPLE),
                     num_words=len(corpus.words))  # fmt: skip
    source = StretchSource(numbers, STRETCH)
    learner = Word2VecLearner(
        model, corpus.counts, lr=lambda _step: LR * (1 - source.position / len(numbers)),
        peak=LR, seed=seed, cores=cores,
    )  # fmt: skip
    while source.position < len(numbers):
        learner.step(source.next_batch())
    training = clock() - began
    return (
        WordVectors(corpus.words, model.vectors.numpy().copy()),
        reading, training, num_words(numbers),
    )  # fmt: skip


def theirs(path: Path, seed: int, cores: int) -> tuple[WordVectors, float, float, int]:
    peer = Peer(
        vector_size=DIM, window=WINDOW, negative=NEGATIVE, sample=SAMPLE, min_count=MIN_COUNT, sg=1,
        hs=0, alpha=LR, min_alpha=LR * 1e-4, workers=cores, epochs=1, seed=seed + 1,
    )  # fmt: skip
    began = clock()
    peer.build_vocab(corpus_file=str(path))
    reading = clock() - began
    began = clock()
    peer.train(corpus_file=str(path), total_words=peer.corpus_total_words, epochs=1)
    training = clock() - began
    words = sum(peer.wv.get_vecattr(word, "count") for word in peer.wv.index_to_key)
    vectors = WordVectors(tuple(peer.wv.index_to_key), peer.wv.vectors)
    return vectors, reading, training, words


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--corpus", choices=CORPORA, action="append")
    read = parser.parse_args()
    pairs = read_pairs(registry.require("word_vectors/EN-MEN-TR-3k.txt"))
    questions = read_questions(registry.require("word_vectors/questions-words.txt.gz"))
    with tempfile.TemporaryDirectory() as folder:
        for name in read.corpus or CORPORA:
            path = Path(folder) / f"{name}.txt"
            write_words(registry.require(CORPORA[name]), path)
            seeds = range(read.first_seed, read.first_seed + read.seeds)
            compare(name, path, seeds, read.cores, pairs, questions)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"largest memory of the process, both programs and the tests: {peak:.0f} MB")


def compare(name, path, seeds, cores, pairs, questions) -> None:
    small = path.with_suffix(".small")
    small.write_text("a b c d e a b c d e\n" * 20)
    ours(small, 0, cores)  # compiles
    found: dict[str, list[tuple[float, float, float, float]]] = {"ours": [], "gensim": []}
    words = 0
    for seed in seeds:
        for who, run in (("ours", ours), ("gensim", theirs)):
            vectors, reading, training, words = run(path, seed, cores)
            rho, known = similarity_score(vectors, pairs)
            accuracy = analogy_accuracy(analogy_scores(vectors, questions))
            found[who].append((reading, training, rho, accuracy))
            tables = 2 * vectors.vectors.nbytes / 1e6
            print(f"  {name} {who} seed {seed}: {reading:.1f} s, {training:.1f} s, rho {rho:.3f} "
                  f"({known} pairs), analogies {accuracy:.3f}", flush=True)  # fmt: skip
    median = {
        who: [statistics.median(column) for column in zip(*rows, strict=True)]
        for who, rows in found.items()
    }
    rows = []
    for who, (reading, training, _rho, _accuracy) in median.items():
        whole = [one[0] + one[1] for one in found[who]]
        peers = [one[0] + one[1] for one in found["gensim"]]
        rhos, accuracies = (np.array([one[i] for one in found[who]]) for i in (2, 3))
        rows.append([
            name, who, f"{reading:.1f}", f"{training:.1f}", f"{words / training / 1e3:.0f} k",
            f"{median['gensim'][1] / training:.2f}",
            f"{statistics.median(peers) / statistics.median(whole):.2f}",
            f"{rhos.mean():.3f} ± {rhos.std(ddof=1) if len(seeds) > 1 else 0:.3f}",
            f"{accuracies.mean():.3f} ± {accuracies.std(ddof=1) if len(seeds) > 1 else 0:.3f}",
        ])  # fmt: skip
    print(f"{name}: {words:,} words, two tables of {tables:.0f} MB together, {cores} core(s)")
    print_table(
        ["text", "who", "reading s", "training s", "words/s", "x gensim", "x end to end",
         "MEN rho", "analogies"],
        rows,
    )  # fmt: skip


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
