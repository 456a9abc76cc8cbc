"""Formulas of the lessons as mathematics on a page."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from shinso.lessons import load
from shinso.lessons.mathml import mathml
from shinso.settings import resolve


def text_of(markup: str) -> str:
    return "".join(ElementTree.fromstring(markup).itertext())


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_every_formula_of_the_lessons_is_whole(cell: str) -> None:
    """Well-formed, and each sign of it is there in its order; what a fraction's bar stands for is not
    written."""
    module = load("bptt")
    steps = module.teach(
        resolve(module.Config, ("test", {"cell": cell, "steps": "2"})).config
    ).steps
    assert len(steps) > 20
    for one in steps:
        wanted = re.sub(r"(?<=∂E)/(?=∂)", "", re.sub(r"[\s_{}]", "", one.formula))
        wanted = wanted.replace("²", "2").replace("ᵀ", "T").replace("Σ", "∑")
        assert text_of(mathml(one.formula)) == wanted


def test_scripts_and_fractions_stand_where_they_belong() -> None:
    found = mathml("δi_t = ∂E/∂c_1 ⊙ h_{t−1}ᵀ (1 − f²) / 2")
    root = ElementTree.fromstring(found)
    assert root.get("display") == "block"
    fraction = root.find("mfrac")
    assert fraction is not None
    assert ["".join(one.itertext()) for one in fraction] == ["∂E", "∂c1"]
    both = root.find("msubsup")
    assert both is not None
    assert [one.text for one in both] == ["h", "t−1", "T"]
    # Only derivatives are fractions: the last one is a sign.
    assert [one.text for one in root.findall("mo")][-1] == "/"
    assert "<msub><mi>i</mi><mi>t</mi></msub>" in found
    assert mathml("a < b").count("&lt;") == 1
