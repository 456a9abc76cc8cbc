"""Tagging: one tag for each token of a sentence.

Place in the course: day 3, bidirectional recurrent networks, which belong where a label depends on
what comes later. Reads two-column text (token, tag) or JSON lines. The vocabulary is that of the
train part.

Measured results, with command, time and hardware: docs/results/labels.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shinso.language import Text
from shinso.recipes.recipe import Brief, Built, ModelChoice
from shinso.settings import nested, setting
from shinso.training.plan import Training

if TYPE_CHECKING:
    from torch import nn

    from shinso.recipes.uses.token_tags import TagData, TagUse

TITLE = Text("Tagging of tokens", "トークンのタグ付け")
PLACE = Text("Day 3: bidirectional networks", "3 日目: 双方向 RNN")
READS = Text(
    "text of two columns, token TAB tag, a blank line between sentences; JSON lines "
    '{"tokens": [...], "tags": [...]}',
    "2 列のテキスト (トークン TAB タグ、文の間は空行)、または JSON Lines "
    '{"tokens": [...], "tags": [...]}',
)
ABOUT = Text(
    "A recurrent network reads a sentence and gives each token a tag; a bidirectional one has read "
    "the words that follow too. The commonest tag, and each word's commonest tag, stand beside it "
    "in every table: the second is hard to beat where a word nearly always has one tag.",
    "再帰型ネットワークが文を読み、各トークンにタグを付けます。双方向では後に続く語も読んでいます。"
    "どの表にも、最多のタグと「語ごとの最多タグ」が並びます。語のタグがほぼ一つに決まるデータでは、"
    "後者に勝つことは簡単ではありません。",
)
NETWORK = "shinso.models.sequence_tagger:SequenceTagger"
MODELS = {
    "bilstm": ModelChoice(NETWORK, {"cell": "lstm", "bidirectional": True}),
    "bigru": ModelChoice(NETWORK, {"cell": "gru", "bidirectional": True}),
    "birnn": ModelChoice(NETWORK, {"cell": "rnn", "bidirectional": True}),
    "lstm": ModelChoice(NETWORK, {"cell": "lstm", "bidirectional": False}),
    "gru": ModelChoice(NETWORK, {"cell": "gru", "bidirectional": False}),
    "rnn": ModelChoice(NETWORK, {"cell": "rnn", "bidirectional": False}),
}
BRIEF = Brief(
    sample="truecase.conll.gz",
    models=("lstm", "bilstm"),
    settings={"steps": 200, "evaluate_every": 40},
)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of ``shinso train tag``."""

    min_count: int = setting(2, "words that occur less often in the train part are unknown")
    split: str = setting("0.8,0.1,0.1", "shares of train, valid and test sentences")
    split_seed: int = setting(0, "which sentences fall into which part")
    model: str = setting("bilstm", "which network: " + ", ".join(MODELS))
    training: Training = nested(
        Training, steps=1000, batch_size=32, lr=3e-3, patience=5, evaluate_every=100
    )

    def __post_init__(self) -> None:
        from shinso.data.stratified import parse_shares

        parse_shares(self.split)
        for name, least in (("min_count", 1), ("split_seed", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; give at least {least}")


def read(config: Config, paths: Sequence[Path]) -> TagData:
    """One file of tagged sentences. Raises DataFaults."""
    from shinso.recipes.uses.token_tags import read_parts

    return read_parts(config, paths)


def make_model(
    config: Config, network: type, network_config: Any, facts: Mapping[str, Any]
) -> nn.Module:
    return network(
        network_config, num_words=len(facts["vocabulary"]), num_tags=len(facts["class_names"])
    )


def build(config: Config, data: TagData, model: nn.Module, seed: int) -> Built:
    from shinso.objectives.classification import TaggingObjective
    from shinso.recipes.uses.label_training import build_labelled

    return build_labelled(
        data.samples["train"],
        data,
        model,
        use(config, data.facts(), model),
        TaggingObjective(),
        batch_size=config.training.batch_size,
        seed=seed,
    )


def use(config: Config, facts: Mapping[str, Any], model: nn.Module) -> TagUse:
    from shinso.recipes.uses.token_tags import TagUse

    return TagUse(config, facts, model)
