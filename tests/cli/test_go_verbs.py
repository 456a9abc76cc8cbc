"""``shinso go`` as a user types it, wrong input too."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from shinso.cli.main import main

GAME = "(;SZ[5]KM[2.5];B[cc];W[bb];B[cb];W[bc];B[dd];W[aa])"


def test_gtp_answers_line_by_line(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(
        sys, "stdin", io.StringIO("boardsize 5\nname\n1 play b C3\nbad\nquit\nname\n")
    )
    assert main(["go", "gtp"]) == 0
    assert capsys.readouterr().out == "=\n\n= shinso\n\n=1\n\n? unknown command\n\n=\n\n"


def test_review_lists_every_move(tmp_path: Path, capsys) -> None:
    path = tmp_path / "game.sgf"
    path.write_text(GAME)
    output = tmp_path / "moves.csv"
    given = ["go", "review", str(path), "--simulations", "200", "--json", "-o", str(output)]
    assert main(given) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["played"] for row in found["moves"]] == ["C3", "B4", "C4", "B3", "D2", "A5"]
    assert all(0 <= row["black_wins"] <= 1 for row in found["moves"])
    losses = [row["loss"] for row in found["worst"]]
    assert losses == sorted(losses, reverse=True)
    assert len(output.read_text().splitlines()) == 7


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["go"], 2, "USAGE"),
        (["go", "gpt"], 2, "did you mean gtp?"),
        (["go", "match", "x"], 2, "USAGE"),
        (["go", "match", "/no/such/program", "x"], 2, "GO-PROGRAM"),
        (["go", "match", "a", "b", "--games", "0"], 2, "USAGE"),
        (["go", "match", "a", "b", "--side", "40"], 2, "SETTING-REFUSED"),
        (["go", "review", "missing.sgf"], 3, "DATA-UNREADABLE"),
        (["go", "gtp", "--simulations", "0"], 2, "SETTING-REFUSED"),
        (["go", "gtp", "--threads", "0"], 2, "SETTING-REFUSED"),
        (["go", "play", "--port", "99999"], 2, "SETTING-REFUSED"),
        (["go", "play", "--seconds", "-1"], 2, "SETTING-REFUSED"),
        (["go", "gtp", "--mixture", "0.5", "--network", "none"], 2, "SETTING-REFUSED"),
        (["train", "alphago-zero", "games.sgf"], 2, "DATA-FILES"),
    ],
)
def test_wrong_words_are_named(words: list[str], code: int, said: str, capsys) -> None:
    assert main(words) == code
    assert said in capsys.readouterr().err


def test_damaged_game_is_named(tmp_path: Path, capsys) -> None:
    path = tmp_path / "bad.sgf"
    path.write_text("(;SZ[5];B[zz])")
    assert main(["go", "review", str(path)]) == 3
    assert "SGF-POINT" in capsys.readouterr().err
