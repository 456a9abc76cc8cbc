"""``shinso words neighbours|analogy|similarity|score|save RUN …``: ask word vectors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shinso.cli.parsing import Parser, take_name
from shinso.faults import UsageFault
from shinso.language import Text, _

if TYPE_CHECKING:
    from shinso.data.word_vectors import WordVectors

HELP = "ask word vectors: neighbours, analogies, similarity"

ASKED = {
    "neighbours": Text("WORD …: the nearest words of each", "単語 …: それぞれに最も近い単語"),
    "analogy": Text("A B C: what is to C as B is to A", "A B C: A に対する B は、C に対する何か"),
    "similarity": Text(
        "WORD WORD: the cosine of two words", "単語 単語: 二つの単語のコサイン類似度"
    ),
    "score": Text(
        "FILE: rank correlation with a file of pairs, or accuracy on a file of analogies",
        "ファイル: 単語対のファイルとの順位相関、またはアナロジーのファイルでの正解率",
    ),
    "save": Text(
        "FILE: write the vectors in word2vec's text (.txt, .vec) or binary (.bin) format",
        "ファイル: word2vec のテキスト形式 (.txt, .vec) またはバイナリ形式 (.bin) で保存",
    ),
}


def run(arguments: Sequence[str]) -> int:
    asked, rest = take_name("words", arguments, {name: str(text) for name, text in ASKED.items()})
    parser = Parser(f"words {asked}", str(ASKED[asked]))
    parser.add_argument(
        "run", type=Path, metavar="RUN",
        help=_("a run of word2vec, or a file of vectors in word2vec's text or binary format"),
    )  # fmt: skip
    parser.add_argument("words", nargs="+", metavar="WORD", help=_("words, or a file"))
    parser.add_argument("--count", type=int, default=10, help=_("how many words are shown"))
    parser.add_argument("--which-seed", type=int, help=_("which seed answers; the first without"))
    parser.add_argument("--json", action="store_true", help=_("as JSON"))
    read = parser.read(rest)
    if read.count < 1:
        raise UsageFault(
            "USAGE", place="--count", found=str(read.count), next_step=_("give at least 1")
        )
    rows = _answers(asked, vectors_of(read.run, read.which_seed), read.words, read.count)
    if read.json:
        print(json.dumps(rows, ensure_ascii=False))
    elif rows:
        from shinso.cli.terminal import print_columns

        print_columns([tuple(rows[0]), *[tuple(map(_shown, row.values())) for row in rows]])
    return 0


def vectors_of(path: Path, seed: int | None) -> WordVectors:
    """Vectors of a run's folder or of a file; UsageFault WORDS-REFUSED for another task's run."""
    from shinso.data.word_vectors import read_vectors
    from shinso.walk.run import Run

    if path.is_file():
        return read_vectors(path)
    trained = Run.open(path)
    found = getattr(trained.use(seed), "vectors", None)
    if found is None:
        raise UsageFault(
            "WORDS-REFUSED",
            place=str(path),
            found=_("{task} has no word vectors").format(task=trained.order.task),
            next_step="shinso train word2vec TEXT",
        )
    return found


def _answers(
    asked: str, vectors: WordVectors, words: Sequence[str], count: int
) -> list[dict[str, Any]]:
    if asked == "neighbours":
        return [
            {"word": word, "neighbour": name, "cosine": cosine}
            for word in words
            for name, cosine in vectors.neighbours(word, count)
        ]
    if asked == "analogy":
        _need(3, words, "man king woman")
        found = vectors.analogy(words[0], words[1], words[2], count)
        return [{"word": name, "cosine": cosine} for name, cosine in found]
    if asked == "similarity":
        _need(2, words, "sun moon")
        cosine = vectors.similarity(words[0], words[1])
        return [{"word": words[0], "other": words[1], "cosine": cosine}]
    _need(1, words, "FILE")
    return _score(vectors, Path(words[0])) if asked == "score" else _save(vectors, Path(words[0]))


def _need(number: int, words: Sequence[str], example: str) -> None:
    if len(words) != number:
        raise UsageFault(
            "USAGE",
            place=" ".join(words),
            found=_("{count} words").format(count=len(words)),
            next_step=_("give {number}, for example: {example}").format(
                number=number, example=example
            ),
        )


def _score(vectors: WordVectors, path: Path) -> list[dict[str, Any]]:
    from shinso.data.text import first_bytes, read_bytes
    from shinso.data.word_tests import (
        analogy_accuracy,
        analogy_scores,
        is_number,
        read_pairs,
        read_questions,
        similarity_score,
    )

    read_bytes(path)  # for its fault where there is no such file
    # Four words a line or a colon: analogies. Two words and a number: pairs.
    first = first_bytes(path).decode("utf-8", "replace").lstrip("\ufeff \r\n")
    fields = first.split("\n")[0].split()
    if first.startswith(":") or (len(fields) == 4 and not any(map(is_number, fields))):
        rows = analogy_scores(vectors, read_questions(path))
        if len(rows) > 1:
            sums = {name: sum(row[name] for row in rows) for name in ("known", "questions")}
            rows.append({"kind": "all", "accuracy": analogy_accuracy(rows), **sums})
        return rows
    pairs = read_pairs(path)
    rho, known = similarity_score(vectors, pairs)
    return [{"similarity_rho": rho, "known": known, "pairs": len(pairs)}]


def _save(vectors: WordVectors, path: Path) -> list[dict[str, Any]]:
    from shinso.data.word_vectors import write_vectors

    if path.suffix not in (".txt", ".vec", ".bin"):
        raise UsageFault(
            "WORDS-FORMAT",
            place=str(path),
            found=_("the name ends with {end}").format(end=repr(path.suffix)),
            next_step=_("end it with .txt, .vec (text) or .bin (binary)"),
        )
    write_vectors(vectors, path, binary=path.suffix == ".bin")
    return [{"file": str(path), "words": len(vectors), "dim": vectors.vectors.shape[1]}]


def _shown(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
