"""Word vectors from raw text: a word is what stands around it.

Place in the course: day 3, word2vec. Reads plain text of any length. What a user keeps is the table
of vectors: neighbours, analogies, a file that other programs read (``shinso words``).

Measured results, with command, time and hardware: docs/results/words.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from shinso.language import Text
from shinso.recipes.recipe import Brief, Built, ModelChoice
from shinso.settings import nested, setting
from shinso.training.plan import Training

if TYPE_CHECKING:
    from torch import nn

    from shinso.data.word_corpus import WordCorpus
    from shinso.recipes.uses.word_meanings import WordUse

TITLE = Text("Word vectors", "単語の分散表現")
PLACE = Text("Day 3: word2vec", "3 日目: word2vec")
READS = Text(
    "plain UTF-8 text of any length, gzipped, xz or not; a line is a sentence or a paragraph",
    "UTF-8 のプレーンテキスト (長さは自由、gzip・xz 可)。1 行が 1 文または 1 段落",
)
ABOUT = Text(
    "Each word's vector is learnt so that it predicts the words around it, against words drawn at "
    "random or along a Huffman tree. Words of like meaning get near vectors. Beside it stand random "
    "vectors and a decomposition of word counts (PPMI, SVD), which needs no learning. window_auc is "
    "how often a word from the same window is nearer than any other word of the text; 0.5 is chance. "
    "A step reads batch_size words, so steps × batch_size over the words of the text are the epochs. "
    "For Japanese, give --pieces 8000. --cores 0 uses all cores, but then no two runs are alike.",
    "各単語のベクトルは、周囲の単語を予測できるように学習されます。比較の相手は、無作為に引いた単語か、"
    "ハフマン木の経路です。意味の近い単語はベクトルも近くなります。表には、乱数ベクトルと、学習のいらない"
    "共起頻度の分解 (PPMI と SVD) が並びます。window_auc は、同じ窓の単語が文中の他の単語より近い割合で、"
    "0.5 が偶然です。1 ステップで batch_size 語を読むので、steps × batch_size を語数で割るとエポック数に"
    "なります。日本語には --pieces 8000 を指定してください。--cores 0 で全コアを使いますが、結果は毎回"
    "わずかに変わります。",
)
NETWORK = "shinso.models.word2vec:Word2Vec"
MODELS = {
    "skip-gram": ModelChoice(NETWORK, {"cbow": False, "tree": False}),
    "cbow": ModelChoice(NETWORK, {"cbow": True, "tree": False}),
    "skip-gram-tree": ModelChoice(NETWORK, {"cbow": False, "tree": True}),
    "cbow-tree": ModelChoice(NETWORK, {"cbow": True, "tree": True}),
}
BRIEF = Brief(
    sample="connecticut_yankee.txt.gz",
    models=("skip-gram",),
    settings={
        **{"steps": 60, "batch_size": 20_000, "evaluate_every": 20},
        **{"min_count": 3, "dim": 48, "lr": 0.05, "sample": 1e-3},
    },
)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of ``shinso train word2vec``."""

    tokens: Literal["words", "spaces"] = setting(
        "words", "what a word is: a run of letters and digits, or what stands between blanks"
    )
    lower: bool = setting(True, "whether capitals count as small letters")
    pieces: int = setting(
        0, "above 0: cut the text with sentencepiece into so many kinds of pieces"
    )
    min_count: int = setting(5, "words that occur less often in the train part are left out")
    phrases: int = setting(0, "how often words that belong together are joined (new_york)")
    threshold: float = setting(100.0, "score from which neighbours belong together")
    split: str = setting("0.98,0.01,0.01", "shares of train, valid and test, in the text's order")
    similarity: Path | None = setting(None, "a file of word pairs with people's scores")
    analogies: Path | None = setting(None, "a file of analogies, four words a line")
    cores: int = setting(1, "processor cores; 1 repeats bit for bit, 0 takes all")
    model: str = setting("skip-gram", "which way to learn: " + ", ".join(MODELS))
    training: Training = nested(
        Training, steps=1000, batch_size=50_000, lr=0.025, schedule="linear",
        evaluate_every=100, checkpoint_every=500,
    )  # fmt: skip

    def __post_init__(self) -> None:
        from shinso.data.stratified import parse_shares

        parse_shares(self.split)
        for name, least in (("min_count", 1), ("phrases", 0), ("pieces", 0), ("cores", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; give at least {least}")
        if self.threshold <= 0:
            raise ValueError(f"threshold is {self.threshold}; give more than 0")

    def unread(self) -> dict[str, str]:
        found = {} if self.phrases else {"threshold": "--phrases 0"}
        return {**found, "tokens": "--pieces"} if self.pieces else found


def read(config: Config, paths: Sequence[Path]) -> WordCorpus:
    """One text. Raises DataFaults."""
    from shinso.recipes.uses.word_meanings import read_parts

    return read_parts(config, paths)


def make_model(
    config: Config, network: type, network_config: Any, facts: Mapping[str, Any]
) -> nn.Module:
    return network(network_config, num_words=len(facts["vocabulary"]))


def build(config: Config, data: WordCorpus, model: nn.Module, seed: int) -> Built:
    import os

    from shinso.data.word_stretches import StretchSource
    from shinso.models.word2vec import Word2Vec
    from shinso.objectives.word2vec import Word2VecLearner, Word2VecLoss
    from shinso.training.loop import Selection
    from shinso.training.schedules import lr_factor

    assert isinstance(model, Word2Vec)
    model.cpu()  # the compiled steps run there
    training = config.training
    learner = Word2VecLearner(
        model,
        data.counts,
        lr=lambda step: (
            training.lr * lr_factor(training.schedule, step, training.steps, training.warmup)
        ),
        peak=training.lr,
        seed=seed,
        cores=config.cores or os.cpu_count() or 1,
    )
    source = StretchSource(data.parts["train"], training.batch_size)
    meaning = use(config, data.facts(), model)
    return Built(
        objective=Word2VecLoss(learner),
        source=source,
        validate=lambda: meaning.evaluate(data, "valid").metrics,
        selection=Selection("window_auc", "max"),
        learner=learner,
        overfit=source.first,
    )


def use(config: Config, facts: Mapping[str, Any], model: nn.Module) -> WordUse:
    from shinso.recipes.uses.word_meanings import WordUse

    return WordUse(config, facts, model)
