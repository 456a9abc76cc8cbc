"""A vocabulary of word pieces that is learnt from the user's own text."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from shinso.data.wordpiece import WordPieces
from shinso.faults import DataFault
from shinso.language import _


def learnt_pieces(texts: Iterable[str], size: int, *, lower: bool, path: Path) -> WordPieces:
    """``size`` pieces of the texts in a file; DataFault DATA-FEW-WORDS where signs and letters alone
    are more than that."""
    try:
        return WordPieces.learn(texts, size, lower=lower)
    except ValueError as error:
        raise DataFault(
            "DATA-FEW-WORDS",
            place=str(path),
            found=str(error),
            why=_("every letter of the text is a piece by itself"),
            next_step=_("give a larger --vocabulary"),
        ) from error
