"""Small batches that several tests of models read."""

from __future__ import annotations

import torch

from shinso.data.dialogues import DialogueBatch


def talks() -> DialogueBatch:
    """A dialogue of three turns and one of two; 2 ends a turn, words are 3 to 11."""
    words = torch.tensor([[3, 4, 2, 0], [5, 2, 0, 0], [6, 7, 8, 2], [9, 2, 0, 0], [10, 3, 2, 0]])
    return DialogueBatch(words, torch.tensor([3, 2, 4, 2, 3]), torch.tensor([3, 2]))
