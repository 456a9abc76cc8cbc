"""Small data sets in real formats that come with shinso, so that everything runs offline.

prices.csv: daily closing prices and volumes with weekends and holidays left out. Generated, not
observed: ``regenerate.py`` says how. No one ever paid these prices.
digits.jsonl.gz: 1,797 handwritten digits of 8 by 8 pixels as labelled series, a row of pixels
being a time step. UCI "Optical Recognition of Handwritten Digits" (E. Alpaydin and C. Kaynak,
1998; CC BY 4.0), the test set as it comes with scikit-learn.
truecase.conll.gz: the first sentences of Mark Twain, A Connecticut Yankee in King Arthur's Court
(1889, public domain), lower-cased, each word tagged with how it was written.
"""

from __future__ import annotations

from pathlib import Path

NAMES = ("prices.csv", "digits.jsonl.gz", "truecase.conll.gz")


def path(name: str) -> Path:
    """Where a bundled sample lies. ValueError for a name that is not in ``NAMES``."""
    if name not in NAMES:
        raise ValueError(f"sample is {name!r}; choose one of {', '.join(NAMES)}")
    return Path(__file__).parent / name
