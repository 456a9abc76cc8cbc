"""Tagging of tokens by BERT: one tag for each token of a sentence, begun with pre-training or not.

Place in the course: day 4, BERT. Reads what ``tag`` reads. A token's tag is read off the vector of its
first piece (Devlin et al. 2019, section 5.3).

Measured results, with command, time and hardware: docs/results/words.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shinso.language import Text
from shinso.recipes.recipe import Brief, Built, ModelChoice, given_start
from shinso.settings import nested, setting
from shinso.training.plan import Training

if TYPE_CHECKING:
    from torch import nn

    from shinso.recipes.uses.piece_tags import PieceTagData, PieceTagUse

TITLE = Text("Tagging of tokens by BERT", "BERT によるトークンのタグ付け")
PLACE = Text("Day 4: BERT, fine-tuning", "4 日目: BERT のファインチューニング")
READS = Text(
    "text of two columns, token TAB tag, a blank line between sentences; JSON lines "
    '{"tokens": [...], "tags": [...]}',
    "2 列のテキスト (トークン TAB タグ、文の間は空行)、または JSON Lines "
    '{"tokens": [...], "tags": [...]}',
)
ABOUT = Text(
    "A BERT reads the pieces of a sentence's words, and a linear layer on each word's first piece names "
    "its tag. --start begins with pre-trained weights. The commonest tag, and each word's commonest tag, "
    "stand beside it.",
    "BERT が文の単語を部分語として読み、各単語の先頭の部分語に線形層を載せてタグを答えます。--start で事前学習済みの"
    "重みから始められます。表には、最多のタグと「語ごとの最多タグ」が並びます。",
)
MODELS = {"bert": ModelChoice("shinso.models.bert:BertTagger")}
BRIEF = Brief(
    sample="truecase.conll.gz",
    models=("bert",),
    settings={
        **{"vocabulary": 800, "longest": 48, "steps": 60, "evaluate_every": 20, "batch_size": 16},
        **{"width": 48, "layers": 1, "heads": 2, "inner": 96, "positions": 48, "lr": 2e-3},
    },
)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of ``shinso train tag-text``."""

    start: Path | None = setting(
        None, "a run of bert-pretrain, or a folder with config.json, vocab.txt, model.safetensors"
    )
    anew: bool = setting(
        False, "take only size and vocabulary of --start, no weights: shows what these are worth"
    )
    longest: int = setting(128, "pieces after which a text is cut, signs included")
    vocabulary: int = setting(4000, "pieces of the vocabulary where none is given by --start")
    lower: bool = setting(True, "whether capitals count as small letters, and accents do not count")
    split: str = setting("0.8,0.1,0.1", "shares of train, valid and test sentences")
    split_seed: int = setting(0, "which sentences fall into which part")
    model: str = setting("bert", "which network: " + ", ".join(MODELS))
    training: Training = nested(
        Training, steps=600, batch_size=32, lr=2e-4, schedule="linear", warmup=10,
        weight_decay=0.01, evaluate_every=100,
    )  # fmt: skip

    def __post_init__(self) -> None:
        from shinso.data.stratified import parse_shares

        parse_shares(self.split)
        for name, least in (("longest", 8), ("vocabulary", 50), ("split_seed", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; give at least {least}")

    def unread(self) -> dict[str, str]:
        return given_start(self, "vocabulary", "lower")


def read(config: Config, paths: Sequence[Path]) -> PieceTagData:
    """One file of tagged sentences. Raises DataFaults."""
    from shinso.recipes.uses.piece_tags import read_parts

    return read_parts(config, paths)


def make_model(
    config: Config, network: Any, network_config: Any, facts: Mapping[str, Any]
) -> nn.Module:
    from shinso.recipes.uses.bert_starts import sized

    return network(
        sized(network_config, facts, config.longest),
        num_pieces=len(facts["pieces"]),
        num_tags=len(facts["class_names"]),
    )


def begin(config: Config, model: nn.Module) -> None:
    from shinso.recipes.uses.bert_starts import begin_with

    if config.start is not None and not config.anew:
        begin_with(model, config.start)


def build(config: Config, data: PieceTagData, model: nn.Module, seed: int) -> Built:
    from shinso.recipes.uses.bert_starts import build_started

    return build_started(config, data, model, use(config, data.facts(), model), seed)


def use(config: Config, facts: Mapping[str, Any], model: nn.Module) -> PieceTagUse:
    from shinso.recipes.uses.piece_tags import PieceTagUse

    return PieceTagUse(config, facts, model)
