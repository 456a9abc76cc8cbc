"""Optional packages: the message where one is missing, and pyproject.toml as their source."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest

from shinso.extras import EXTRAS, need
from shinso.faults import ExtraFault


def test_extras_are_those_of_the_package() -> None:
    text = (Path(__file__).parent.parent / "pyproject.toml").read_text()
    given = tomllib.loads(text)["project"]["optional-dependencies"]
    for extra, packages in EXTRAS.items():
        named = [re.split(r"[\[>=<]", one)[0] for one in given[extra]]
        assert named == list(packages)


def test_missing_package_names_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(ExtraFault) as fault:
        need("soundfile")
    assert fault.value.exit_code == 5
    assert "pip install 'shinso[audio]'" in fault.value.text()


def test_package_of_no_extra_is_our_mistake() -> None:
    with pytest.raises(ValueError, match="nosuch"):
        need("nosuch")
    assert need("soundfile").__name__ == "soundfile"
