"""How good translations are: BLEU and chrF as sacrebleu computes them, and which of two runs is
better."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from shinso.extras import need


@cache
def _bleu(tokenize: str, lowercase: bool) -> Any:
    # force: the text may be tokenized already, which sacrebleu would warn of.
    return need("sacrebleu").metrics.BLEU(tokenize=tokenize, lowercase=lowercase, force=True)


@cache
def _chrf() -> Any:
    return need("sacrebleu").metrics.CHRF()


def scores(
    translations: Sequence[str], references: Sequence[str], tokenize: str
) -> dict[str, float]:
    """BLEU (Papineni et al. 2002) and chrF2 (Popović 2015) of a corpus, from 0 to 100."""
    against = [list(references)]
    found = list(translations)
    return {
        "bleu": float(_bleu(tokenize, False).corpus_score(found, against).score),
        "bleu_lowercase": float(_bleu(tokenize, True).corpus_score(found, against).score),
        "chrf": float(_chrf().corpus_score(found, against).score),
    }


def signatures(tokenize: str) -> str:
    """What exactly the two figures are, as sacrebleu spells it."""
    bleu, chrf = _bleu(tokenize, False), _chrf()
    for one in (bleu, chrf):  # the number of references is known once something was scored
        one.corpus_score(["a"], [["a"]])
    return f"BLEU|{bleu.get_signature()} · chrF2|{chrf.get_signature()}"
