"""Training steps of language models beside torch's and Hugging Face's, one thread.

    python benchmarks/language_models.py

* small LSTM (2 × 200, 10,000 words, batch 20, window 35): ours with the whole softmax and with 1,200
  drawn tokens, beside torch.nn.LSTM with torch's linear layer and cross entropy;
* BERT "mini" (4 × 256, 8,000 pieces, batch 8 of 128, 15 % hidden): ours beside BertForMaskedLM, in
  float32 and with bfloat16 where autocast takes it; the first alone for the LSTM.

Forward, backward and an AdamW step each, no dropout. The goal (decided beforehand): not slower.
"""

from __future__ import annotations

import os
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from peers import peer
from shinso.data.piece_batches import NONE, PieceBatch
from shinso.data.token_windows import Window
from shinso.models.bert import BertPretraining
from shinso.models.recurrent_language_model import RecurrentLanguageModel
from shinso.objectives.bert import HiddenPiecesObjective
from shinso.objectives.language_modelling import LanguageModelObjective
from timing import in_turn, print_table, ratio

WORDS, UNITS, BATCH, TIME = 10_000, 200, 20, 35
PIECES, LENGTH, TEXTS = 8_000, 128, 8


def stepper(
    model: nn.Module, loss: Callable[[], torch.Tensor], half: bool = False
) -> Callable[[], None]:
    """half: bfloat16 by autocast."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            value = loss()
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step


class TorchLanguageModel(nn.Module):
    """The same network as torch's example of a word language model builds it."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, UNITS)
        self.layers = nn.LSTM(UNITS, UNITS, 2, batch_first=True)
        self.head = nn.Linear(UNITS, WORDS)
        self.head.weight = self.embedding.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.head(self.layers(self.embedding(tokens))[0])


def recurrent() -> tuple[dict[str, Callable[[], None]], dict[str, str]]:
    tokens, targets = torch.randint(0, WORDS, (2, BATCH, TIME))
    window = Window(tokens, targets, torch.tensor(True))
    functions = {}
    for name, drawn in (("LSTM", 0), ("LSTM, 1,200 drawn", 1200)):
        model = RecurrentLanguageModel(RecurrentLanguageModel.Config(dropout=0.0), num_tokens=WORDS)
        objective = LanguageModelObjective(drawn=drawn, counts=np.arange(WORDS, 0, -1))
        functions[name] = stepper(model, lambda m=model, o=objective: o(m, window)["loss"])
    peer = TorchLanguageModel()
    functions["torch LSTM"] = stepper(
        peer, lambda: F.cross_entropy(peer(tokens).flatten(0, 1), targets.flatten())
    )
    return functions, dict.fromkeys(("LSTM", "LSTM, 1,200 drawn"), "torch LSTM")


def bert() -> tuple[dict[str, Callable[[], None]], dict[str, str]]:
    pieces = torch.randint(5, PIECES, (TEXTS, LENGTH))
    hidden = torch.rand(TEXTS, LENGTH) < 0.15
    labels = torch.where(hidden, pieces, NONE)
    batch = PieceBatch(
        pieces,
        torch.zeros_like(pieces),
        torch.ones_like(hidden),
        labels,
        torch.full((TEXTS,), NONE),
    )
    config = BertPretraining.Config(dropout=0.0)
    own = BertPretraining(config, num_pieces=PIECES, next_sentence=False)
    objective = HiddenPiecesObjective()
    package = peer("transformers")
    theirs = package.BertForMaskedLM(package.BertConfig(
        vocab_size=PIECES, hidden_size=256, num_hidden_layers=4, num_attention_heads=4,
        intermediate_size=1024, max_position_embeddings=128, hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    ))  # fmt: skip
    functions = {}
    for half in (False, True):
        in_half = ", bfloat16" if half else ""
        functions[f"BERT{in_half}"] = stepper(own, lambda: objective(own, batch)["loss"], half)
        functions[f"Hugging Face BERT{in_half}"] = stepper(
            theirs, lambda: theirs(input_ids=pieces, labels=labels).loss, half
        )
    return functions, {
        name: f"Hugging Face {name}" for name in functions if name.startswith("BERT")
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows = []
    for functions, peers in (recurrent(), bert()):
        seconds = in_turn(functions, rounds=7)
        for name, peer in peers.items():
            value, least, most = ratio(seconds[name], seconds[peer])
            milliseconds = 1e3 * float(np.median(seconds[name]))
            rows.append(
                [name, peer, f"{milliseconds:.0f}", f"{value:.2f}", f"{least:.2f} … {most:.2f}"]
            )
    print_table(["ours", "beside", "ms a step", "ratio", "of rounds"], rows)
