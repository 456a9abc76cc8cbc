"""Dialogue: the next turn from the turns before it.

Place in the course: day 3, seq2seq (HRED, VHRED). Reads JSON lines with a list of turns. ``hred``
knows all turns before an answer, ``seq2seq``, with the same parameters, the last one alone; ``vhred``
has a latent variable for each turn.

Measured results, with command, time and hardware: docs/results/dialogue.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shinso.language import Text
from shinso.recipes.recipe import Brief, Built, ModelChoice, given_parts
from shinso.settings import nested, setting
from shinso.training.plan import Training

if TYPE_CHECKING:
    from torch import nn

    from shinso.recipes.uses.talk_data import TalkData
    from shinso.recipes.uses.talks import TalkUse

TITLE = Text("Dialogue with context", "文脈のある対話")
PLACE = Text("Day 3: HRED, VHRED", "3 日目: HRED、VHRED")
READS = Text(
    'JSON lines {"turns": [...]} (or "utterances", "dialogue"); a turn is a text, [speaker, text] or '
    '{"text": ...}',
    'JSON Lines {"turns": [...]} ("utterances"、"dialogue" も可)。ターンはテキスト、[話者, テキスト]、または '
    '{"text": ...}',
)
ABOUT = Text(
    "One recurrent network reads each turn, a second one the turns one after another, a third writes "
    "the answer. Without the second, the same network knows the last turn alone: the fair rival. VHRED "
    "draws a latent variable before each answer, so that it can answer otherwise the next time; its "
    "bound is printed as reconstruction and KL divergence, because a network that leaves its latent "
    "variable unused looks best by the bound alone.",
    "1 つ目の RNN が各ターンを読み、2 つ目がターンの並びを読み、3 つ目が応答を書きます。2 つ目がなければ、同じ"
    "ネットワークは直前のターンしか知りません。これが公平な比較対象です。VHRED は応答の前に潜在変数を引くため、次は"
    "別の応答ができます。潜在変数を使わないネットワークほど下界だけは良く見えるため、再構成と KL を分けて示します。",
)
NETWORK = "shinso.models.hred:HRED"
MODELS = {
    "hred": ModelChoice(NETWORK, {"kind": "hred"}),
    "vhred": ModelChoice(NETWORK, {"kind": "vhred"}),
    "seq2seq": ModelChoice(NETWORK, {"kind": "seq2seq"}),
}
BRIEF = Brief(
    sample="dialogues.jsonl.gz",
    models=("seq2seq", "hred"),
    settings={
        "steps": 150, "evaluate_every": 50, "batch_size": 16, "lr": 5e-3, "min_count": 1,
        "embedding": 24, "hidden": 32, "context": 32, "latent": 8, "estimate_draws": 5,
    },
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of ``shinso train dialogue``."""

    start: Path | None = setting(
        None, "a run of this task to begin as, with its words; a vhred may begin as an hred"
    )
    key: str = setting(
        "auto", "key of the list of turns; auto: turns, utterances, dialogue, dialog"
    )
    min_count: int = setting(3, "words that occur less often in the train part are unknown")
    most_words: int = setting(30, "words of a turn that are read and written", unit="words")
    most_turns: int = setting(
        10, "turns of a piece; longer dialogues are cut into such", unit="turns"
    )
    split: str = setting("0.8,0.1,0.1", "shares of train, valid and test dialogues")
    split_seed: int = setting(0, "which dialogues fall into which part")
    valid: tuple[Path, ...] = setting((), "dialogues to validate on, instead of a share")
    test: tuple[Path, ...] = setting((), "dialogues to test on, instead of a share")
    anneal_steps: int = setting(0, "steps in which the KL divergence's weight rises from 0 (vhred)")
    free_nats: float = setting(
        0.0, "KL divergence of a turn that costs nothing (vhred)", unit="nats"
    )
    look_pieces: int = setting(
        200, "pieces of dialogue of the valid part that a look scores at most"
    )
    estimate_draws: int = setting(20, "draws for the estimate of an answer's likelihood (vhred)")
    model: str = setting("hred", "which network: " + ", ".join(MODELS))
    training: Training = nested(
        Training, steps=2000, batch_size=32, lr=2e-3, evaluate_every=200, patience=5
    )

    def __post_init__(self) -> None:
        from shinso.data.stratified import parse_shares

        parse_shares(self.split)
        for name, least in (
            ("min_count", 1), ("most_words", 1), ("most_turns", 2), ("split_seed", 0),
            ("anneal_steps", 0), ("free_nats", 0), ("look_pieces", 1), ("estimate_draws", 1),
        ):  # fmt: skip
            if not getattr(self, name) >= least:
                raise ValueError(f"{name} is {getattr(self, name)}; give at least {least}")

    def unread(self) -> dict[str, str]:
        found = given_parts(self, "split", "split_seed")
        if self.start is not None:
            found["min_count"] = "--start"
        if self.model != "vhred":
            found |= dict.fromkeys(("anneal_steps", "free_nats"), f"--model {self.model}")
        return found


@dataclass(frozen=True, kw_only=True)
class Generation:
    """Settings of ``shinso generate`` for a run of ``dialogue``: a chat, turn by turn."""

    temperature: float = setting(0.7, "0: the likeliest word each time; 1: as the network says")
    most_words: int = setting(30, "longest answer", unit="words")
    seed: int = setting(0, "seed of the random numbers")

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(f"temperature is {self.temperature}; give 0 or more")
        for name, least in (("most_words", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; give at least {least}")


def read(config: Config, paths: Sequence[Path]) -> TalkData:
    """One file of dialogues. Raises DataFaults; RunFault RUN-NOT-FOUND, RUN-NOT-TRAINED and
    START-REFUSED for a start."""
    from shinso.recipes.uses.talk_data import read_parts

    return read_parts(config, paths)


def make_model(
    config: Config, network: type, network_config: Any, facts: Mapping[str, Any]
) -> nn.Module:
    from shinso.data.dialogues import END
    from shinso.recipes.uses.starting_run import sized_as

    words = facts["vocabulary"]
    size = sized_as(facts.get("start_settings"), network_config, free=["dropout", "word_dropout"])
    return network(size, num_words=len(words), end=words.index(END))


def begin(config: Config, model: Any) -> None:
    from shinso.recipes.uses.starting_run import starting_weights

    if config.start is not None:
        model.begin_as(starting_weights(config.start))


def build(config: Config, data: TalkData, model: Any, seed: int) -> Built:
    from shinso.data.on_device import OnDevice
    from shinso.data.shuffled import ShuffledSource
    from shinso.objectives.dialogue import DialogueObjective
    from shinso.training.loop import Selection

    device = next(model.parameters()).device
    samples = data.samples["train"]
    source = ShuffledSource(samples, config.training.batch_size, seed, lengths=samples.lengths)
    own = use(config, data.facts(), model)

    def validate() -> Mapping[str, float]:
        model.eval()
        return own.scores(data, "valid", most=config.look_pieces)

    return Built(
        objective=DialogueObjective(anneal_steps=config.anneal_steps, free_nats=config.free_nats),
        source=OnDevice(source, device),
        validate=validate,
        selection=Selection("nll_nats_per_word"),
        overfit=lambda number: OnDevice(source.fixed_subset(number), device),
    )


def use(config: Config, facts: Mapping[str, Any], model: nn.Module) -> TalkUse:
    from shinso.recipes.uses.talks import TalkUse

    return TalkUse(config, facts, model)
