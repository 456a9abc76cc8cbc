from __future__ import annotations

from pathlib import Path

import pytest

from shinso.data import registry
from shinso.faults import DataFault


def test_the_variable_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "file.csv").write_text("1")
    monkeypatch.setenv("SHINSO_DATA", str(tmp_path))
    assert registry.find("set/file.csv") == tmp_path / "set" / "file.csv"
    assert registry.require("set/file.csv") == tmp_path / "set" / "file.csv"
    assert registry.find("set/other.csv") is None


def test_the_cache_folder_is_next(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SHINSO_DATA", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert registry.folder() == tmp_path / ".cache" / "shinso" / "data"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert registry.folder() == tmp_path / ".cache" / "shinso" / "data"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert registry.folder() == tmp_path / "x" / "shinso" / "data"


def test_a_missing_set_says_where_to_put_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SHINSO_DATA", str(tmp_path))
    with pytest.raises(DataFault) as raised:
        registry.require("set/file.csv")
    assert raised.value.code == "DATA-NOT-FOUND"
    assert raised.value.place == str(tmp_path / "set" / "file.csv")
    assert "SHINSO_DATA" in raised.value.next_step


@pytest.mark.parametrize("name", ["/etc/hosts", "../x", "a/../../x"])
def test_names_stay_below_the_folder(name: str) -> None:
    with pytest.raises(ValueError, match="below the data folder"):
        registry.find(name)
