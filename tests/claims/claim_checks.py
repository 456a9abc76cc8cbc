"""What every claim must pass, whatever it measures."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from io import BytesIO
from types import ModuleType

from shinso.claims import catalogue
from shinso.claims.claim import Measurement, Verdict
from shinso.figures import style
from shinso.language import choose

JAPANESE = re.compile("[ぁ-んァ-ン一-龥]")


def check_texts(module: ModuleType, name: str) -> None:
    """All parts are there, in both languages, and the catalogue can read them."""
    claim = catalogue.load(name)
    texts = (claim.place, claim.says, claim.method, claim.control, claim.rule, claim.truth)
    for text in filter(None, texts):
        assert text.en.strip()
        assert JAPANESE.search(text.ja), text.ja
        assert not JAPANESE.search(text.en), text.en
    assert claim.measure is module.measure


def measured_twice(module: ModuleType, *, control: bool = False, seed: int = 3) -> Measurement:
    """A quick measurement that came out the same twice, all of it finite and writable as JSON."""
    first = module.measure(seed, control, "quick")
    assert module.measure(seed, control, "quick") == first
    assert json.loads(json.dumps(first, allow_nan=False)) == first
    assert all(map(math.isfinite, numbers_in(first)))
    return first


def numbers_in(measurement: Mapping[str, object]) -> Iterable[float]:
    """All numbers of a measurement, those of its curves included."""
    waiting = list(measurement.values())
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, (int, float)):
            yield float(value)


def check_drawing(module: ModuleType, measured: Measurement, control: Measurement) -> None:
    """The figure can be drawn in both languages, with and without a control, and has labels."""
    for language in ("en", "ja"):
        choose(language)
        try:
            for controls in ([control], []):
                figure = style.figure(7.2, 3.7)
                module.draw(figure, [measured, measured], controls)
                assert figure.axes
                assert all(axes.get_ylabel() for axes in figure.axes if axes.has_data())
            figure.savefig(BytesIO(), format="svg")
        finally:
            choose(None)


def verdict_of(module: ModuleType, *measurements: Mapping[str, object]) -> Verdict:
    """The verdict of the claim's rule; every estimate lies within its interval."""
    found = module.holds(list(measurements))
    assert found.estimates
    assert found.because.en
    assert JAPANESE.search(found.because.ja)
    for estimate in found.estimates:
        if math.isfinite(estimate.value):
            assert estimate.low <= estimate.value <= estimate.high
    return found.verdict


def seeds_of(**values: float) -> list[dict[str, float]]:
    """Three seeds in which every named number scatters by 1 % around its value."""
    return [
        {name: value * (1 + place / 100) for name, value in values.items()} for place in (-1, 0, 1)
    ]
