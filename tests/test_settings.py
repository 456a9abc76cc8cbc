"""One schema for flags, Python, YAML: conversion, origins, faults."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shinso.faults import UsageFault
from shinso.settings import as_flat, nested, parse_duration, resolve, schema, setting
from shinso.walk.order import place


@dataclass(frozen=True, kw_only=True)
class Inner:
    lr: float = setting(0.1, "learning rate")
    steps: int = setting(10, "steps")

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps is {self.steps}; give at least 1")


@dataclass(frozen=True, kw_only=True)
class Outer:
    target: tuple[str, ...] = setting((), "columns")
    season: int | None = setting(None, "rows of a period")
    loss: Literal["mse", "mae"] = setting("mse", "what is minimized")
    scale: bool = setting(True, "scale the columns")
    inner: Inner = nested(Inner, steps=20)


def test_nested_settings_are_flat_with_replaced_defaults() -> None:
    known = schema(Outer)
    assert list(known) == ["target", "season", "loss", "scale", "lr", "steps"]
    assert known["steps"].default == 20
    assert known["loss"].choices == ("mse", "mae")
    assert known["lr"].flag == "--lr"
    assert resolve(Outer).config == Outer()
    assert Outer().inner.steps == 20


def test_later_layers_win_and_origins_are_kept() -> None:
    found = resolve(Outer, ("preset quick", {"lr": 0.5, "steps": 5}),
                    ("flag", {"lr": "0.25", "target": "a, b", "season": "24", "scale": "no"}))  # fmt: skip
    assert found.config.inner == Inner(lr=0.25, steps=5)
    assert found.config.target == ("a", "b")
    assert (found.config.season, found.config.scale) == (24, False)
    assert found.origins == {"target": "flag", "season": "flag", "loss": "default",
                             "scale": "flag", "lr": "flag", "steps": "preset quick"}  # fmt: skip


@given(
    lr=st.floats(1e-9, 1e9), steps=st.integers(1, 10**6), season=st.none() | st.integers(1, 99),
    target=st.lists(st.text("abcxyz系列", min_size=1), max_size=3), scale=st.booleans(),
)  # fmt: skip
def test_text_of_a_value_reads_back_holds_for_any_value(
    lr: float, steps: int, season: int | None, target: list[str], scale: bool
) -> None:
    given_values = {"lr": lr, "steps": steps, "season": season, "target": target, "scale": scale}
    typed = resolve(Outer, ("python", given_values)).config
    texts = {**given_values, "target": ",".join(target)}
    assert resolve(Outer, ("flag", {k: str(v) for k, v in texts.items()})).config == typed
    assert resolve(Outer, ("file", as_flat(typed))).config == typed


@pytest.mark.parametrize(
    ("name", "value", "code", "says"),
    [
        ("targt", "x", "SETTING-UNKNOWN", "target"),
        ("steps", "many", "SETTING-INVALID", "int"),
        ("steps", 2.5, "SETTING-INVALID", "int"),
        ("steps", True, "SETTING-INVALID", "int"),
        ("steps", "0", "SETTING-REFUSED", "steps is 0"),
        ("loss", "mze", "SETTING-INVALID", "mse"),
        ("lr", "nan", "SETTING-INVALID", "not a number"),
        ("scale", "perhaps", "SETTING-INVALID", "bool"),
    ],
)
def test_wrong_setting_names_place_and_fix(name: str, value: object, code: str, says: str) -> None:
    with pytest.raises(UsageFault) as raised:
        resolve(Outer, ("flag", {name: value}))
    assert raised.value.code == code
    assert says in raised.value.text()
    assert "flag" in raised.value.place
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [("budget", "xyz"), ("threads", -1), ("first_seed", -1), ("worker_timeout", "soon"), ("lr", 0)],
)
def test_a_refusal_names_the_wrong_setting_and_no_other(name: str, value: object) -> None:
    given_values = {"time": "date", "target": ("close",), "threads": 1, name: value}
    with pytest.raises(UsageFault) as raised:
        place("forecast", [Path("prices.csv")], ("flag", given_values))
    assert raised.value.place == f"{name} (flag)"


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1.5h", 5400), ("2h30m", 9000)]
)
def test_duration_reads(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "10 minutes", "-5s", "h"])
def test_wrong_duration_says_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match="write 90s"):
        parse_duration(text)


def test_paths_are_whole_and_read_back() -> None:
    @dataclass(frozen=True, kw_only=True)
    class WithFiles:
        valid: tuple[Path, ...] = setting((), "files of the validation part")
        words: Path | None = setting(None, "a file of words")

    config = resolve(WithFiles, ("flag", {"valid": "a.tsv,b/c.tsv"})).config
    assert config.valid == (Path.cwd() / "a.tsv", Path.cwd() / "b/c.tsv")
    flat = as_flat(config)
    assert flat == {"valid": [str(path) for path in config.valid], "words": None}
    assert resolve(WithFiles, ("file", flat)).config == config
