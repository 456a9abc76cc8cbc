"""How good translations are: BLEU and chrF as sacrebleu computes them, and which of two runs is
better."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from shinso.extras import need


@cache
def _bleu(tokenize: str, lowercase: bool) -> Any:
    return _new_bleu(tokenize, lowercase)


def _new_bleu(tokenize: str, lowercase: bool) -> Any:
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


@dataclass(frozen=True)
class PairedTest:
    """Two systems on the same sentences, by paired bootstrap resampling (Koehn 2004).

    first, second: BLEU. p_value: how often chance alone makes a difference as large; 1 where there
    is none.
    """

    first: float
    second: float
    p_value: float


def paired_bootstrap(
    first: Sequence[str],
    second: Sequence[str],
    references: Sequence[str],
    tokenize: str,
    *,
    samples: int = 1000,
) -> PairedTest:
    """As ``sacrebleu --paired-bs`` computes it, with its seed.

    Differs: two systems of one score have p = 1. sacrebleu counts the samples that differ by more
    than the whole does, and where no answer differs none of them does: it gives 1 / (samples + 1).
    """
    need("sacrebleu")
    significance = importlib.import_module("sacrebleu.significance")
    test = significance.PairedTest(
        [("first", list(first)), ("second", list(second))],
        {"bleu": _new_bleu(tokenize, False)},
        [list(references)],
        test_type="bs",
        n_samples=samples,
    )
    _signatures, found = test()
    one, other = found["BLEU"]
    p_value = 1.0 if one.score == other.score else float(other.p_value)
    return PairedTest(float(one.score), float(other.score), p_value)
