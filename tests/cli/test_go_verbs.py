"""``shinso go`` as a user types it, wrong input too."""

from __future__ import annotations

import io
import json
import subprocess
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


def test_review_of_a_handicap_game_says_which_komi_it_counts_with(tmp_path: Path, capsys) -> None:
    """White to move after two stones, at half a point; a game with none is told too."""
    path = tmp_path / "game.sgf"
    words = ["go", "review", str(path), "--simulations", "300", "--network", "none", "--json"]
    path.write_text("(;SZ[9]HA[2]AB[cc][gg];W[gc];B[cg];W[ee];B[fe])")
    assert main(words) == 0
    said = capsys.readouterr()
    moves = json.loads(said.out)["moves"]
    assert [row["color"] for row in moves] == ["W", "B", "W", "B"]
    assert "counted with 0.5" in said.err
    path.write_text("(;SZ[9]KM[5.5]HA[2]AB[cc][gg];W[gc];B[cg])")
    assert main(words) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--time", "soon"], 2, "SETTING-REFUSED: --time"),
        (["--time", "0"], 2, "SETTING-REFUSED: --time"),
        (["--time", "-5+3"], 2, "USAGE"),
        (["--handicap", "1"], 2, "SETTING-REFUSED"),
        (["--handicap", "-2"], 2, "USAGE"),
        (["--handicap", "9", "--side", "5"], 2, "SETTING-REFUSED"),
        (["--parallel", "0"], 2, "USAGE"),
        (["--timeout", "nan"], 2, "USAGE"),
    ],
)
def test_wrong_terms_of_a_match_are_named(words: list[str], code: int, said: str, capsys) -> None:
    assert main(["go", "match", "a", "b", *words]) == code
    assert said in capsys.readouterr().err


def test_a_match_says_how_it_stands_and_goes_on(tmp_path: Path, capsys) -> None:
    path = tmp_path / "stub.py"
    path.write_text(
        "import sys\nfor line in sys.stdin:\n"
        "    print('= pass' if 'genmove' in line else '=', end='\\n\\n', flush=True)\n"
    )
    command = f"{sys.executable} {path}"
    words = [
        "go",
        "match",
        command,
        command,
        "--side",
        "5",
        "--komi",
        "0",
        "-o",
        str(tmp_path / "m"),
    ]
    assert main([*words, "--games", "2"]) == 0
    said = capsys.readouterr().out
    assert "A 0.5/1\n" in said
    assert "A 1 of 2 points, 50%" in said
    assert main([*words, "--games", "3", "--parallel", "2"]) == 0
    said = capsys.readouterr().out
    assert "2 games are there already" in said
    assert "A 1.5/3\n" in said
    assert main([*words, "--seed", "1"]) == 2
    assert "GO-OTHER-MATCH" in capsys.readouterr().err


def test_two_matches_do_not_write_into_one_folder(tmp_path: Path, capsys) -> None:
    words = ["go", "match", "true", "true", "-o", str(tmp_path)]
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    (tmp_path / "playing.pid").write_text(f"{other.pid}\n")
    try:
        assert main(words) == 2
        assert f"process {other.pid}" in capsys.readouterr().err
    finally:
        other.communicate(b"\n")
    # One that is gone is no reason to wait, and nothing is left behind.
    main([*words, "--games", "1"])
    assert "GO-MATCH-IN-USE" not in capsys.readouterr().err
    assert not (tmp_path / "playing.pid").exists()
