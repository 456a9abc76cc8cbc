"""Classification of texts, or of pairs of texts, by BERT.

Place in the course: day 4, BERT. Reads sentences with a label each. ``--start`` names a run of
``bert-pretrain`` or a folder of published weights; without it the same network learns from the labels
alone.

Measured results, with command, time and hardware: docs/results/words.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shinso.language import Text
from shinso.recipes.recipe import Brief, Built, ModelChoice, given_parts, given_start
from shinso.settings import nested, setting
from shinso.training.plan import Training

if TYPE_CHECKING:
    from torch import nn

    from shinso.recipes.uses.text_classes import TextData, TextUse

TITLE = Text("Classification of texts", "テキスト分類")
PLACE = Text("Day 4: BERT, fine-tuning", "4 日目: BERT のファインチューニング")
READS = Text(
    "TSV, CSV or JSON lines with text and label, for pairs also second",
    "text と label の列 (文の対なら second も) をもつ TSV・CSV・JSON Lines",
)
ABOUT = Text(
    "A BERT reads the text, and a linear layer on its first vector names the class. With --start it "
    "begins with pre-trained weights, which matters most where labels are few (--only 100 takes that "
    "many). The commonest class and a logistic regression on the words that occur stand beside it.",
    "BERT がテキストを読み、先頭のベクトルに線形層を載せてクラスを答えます。--start で事前学習済みの重みから"
    "始められ、ラベルが少ないほど効きます (--only 100 で学習ラベルを 100 個に限定)。表には、最多クラスと、"
    "出現単語のロジスティック回帰が並びます。",
)
MODELS = {"bert": ModelChoice("shinso.models.bert:BertClassifier")}
BRIEF = Brief(
    sample="spoken.tsv.gz",
    models=("bert",),
    settings={
        **{"vocabulary": 800, "longest": 32, "steps": 100, "evaluate_every": 25, "batch_size": 16},
        **{"width": 48, "layers": 1, "heads": 2, "inner": 96, "positions": 32, "lr": 1e-3},
    },
)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of ``shinso train classify-text``."""

    start: Path | None = setting(
        None, "a run of bert-pretrain, or a folder with config.json, vocab.txt, model.safetensors"
    )
    anew: bool = setting(
        False, "take only size and vocabulary of --start, no weights: shows what these are worth"
    )
    only: int = setting(0, "labels of the train part to learn from, chosen by split_seed; 0: all")
    longest: int = setting(64, "pieces after which a text is cut, signs included")
    vocabulary: int = setting(4000, "pieces of the vocabulary where none is given by --start")
    lower: bool = setting(True, "whether capitals count as small letters, and accents do not count")
    valid: tuple[Path, ...] = setting((), "the valid part, where the data is split already")
    test: tuple[Path, ...] = setting((), "the test part, where the data is split already")
    split: str = setting("0.8,0.1,0.1", "shares of train, valid and test samples")
    split_seed: int = setting(0, "which samples fall into which part")
    model: str = setting("bert", "which network: " + ", ".join(MODELS))
    training: Training = nested(
        Training, steps=600, batch_size=32, lr=2e-4, schedule="linear", warmup=10,
        weight_decay=0.01, evaluate_every=100,
    )  # fmt: skip

    def __post_init__(self) -> None:
        from shinso.data.stratified import parse_shares

        parse_shares(self.split)
        for name, least in (("only", 0), ("longest", 8), ("vocabulary", 50), ("split_seed", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; give at least {least}")
        if bool(self.valid) != bool(self.test):
            raise ValueError(f"valid is {self.valid}, test is {self.test}; give both or none")

    def unread(self) -> dict[str, str]:
        return {**given_parts(self, "split"), **given_start(self, "vocabulary", "lower")}


def read(config: Config, paths: Sequence[Path]) -> TextData:
    """One file of labelled texts, or three. Raises DataFaults."""
    from shinso.recipes.uses.text_classes import read_parts

    return read_parts(config, paths)


def make_model(
    config: Config, network: Any, network_config: Any, facts: Mapping[str, Any]
) -> nn.Module:
    from shinso.recipes.uses.bert_starts import sized

    return network(
        sized(network_config, facts, config.longest),
        num_pieces=len(facts["pieces"]),
        num_classes=len(facts["class_names"]),
    )


def begin(config: Config, model: nn.Module) -> None:
    from shinso.recipes.uses.bert_starts import begin_with

    if config.start is not None and not config.anew:
        begin_with(model, config.start)


def build(config: Config, data: TextData, model: nn.Module, seed: int) -> Built:
    from shinso.recipes.uses.bert_starts import build_started

    return build_started(config, data, model, use(config, data.facts(), model), seed)


def use(config: Config, facts: Mapping[str, Any], model: nn.Module) -> TextUse:
    from shinso.recipes.uses.text_classes import TextUse

    return TextUse(config, facts, model)
