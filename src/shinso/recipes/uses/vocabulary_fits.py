"""A vocabulary and the weights that were learnt for it belong together."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from shinso.faults import RunFault
from shinso.language import _


def check_fits(table: Float[Tensor, "word width"], num_words: int) -> None:
    """RunFault WEIGHTS-MISMATCH where a table has not a row for each word: then a word would get
    another word's vector, and nobody would see it."""
    if len(table) != num_words:
        raise RunFault(
            "WEIGHTS-MISMATCH",
            place="data.json",
            found=_("weights for {given}, a vocabulary for {own}").format(
                given=len(table), own=num_words
            ),
            why=_("a word would get another word's vector"),
            next_step=_("bring back the data.json of this run"),
        )
