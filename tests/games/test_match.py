"""Matches of programs, Elo from their results."""

from __future__ import annotations

import math
import shutil
import sys

import pytest

from shinso.faults import UsageFault
from shinso.games.elo import elo_of, ratings
from shinso.games.go import Rules
from shinso.games.match import play_match
from shinso.games.match_game import Terms
from shinso.games.match_kept import Kept
from shinso.games.record import read_record

PROGRAM = """
import sys
moves, size = {moves!r}, 5
for line in sys.stdin:
    word = line.split()[0] if line.split() else ""
    if word == "genmove":
        answer = moves.pop(0) if moves else "pass"
        if answer == "die":
            sys.exit(1)
        print("=", answer, end="\\n\\n", flush=True)
    elif word == "final_status_list":
        print("= " + {dead!r}, end="\\n\\n", flush=True)
    elif word == "quit":
        break
    else:
        print("noise before the answer\\n=", end="\\n\\n", flush=True)
"""


def program(tmp_path, name: str, *moves: str, dead: str = "") -> str:
    path = tmp_path / f"{name}.py"
    path.write_text(PROGRAM.format(moves=list(moves), dead=dead))
    return f"{sys.executable} {path}"


TERMS = Terms(rules=Rules(side=5, komi=0.5))


def test_colours_alternate_and_games_are_kept(tmp_path):
    first = program(tmp_path, "first", "C3")
    second = program(tmp_path, "second")
    standing = play_match((first, second), games=2, terms=TERMS, kept=Kept(tmp_path / "sgf", {}))
    assert [game.first_is_black for game in standing.games] == [True, False]
    assert standing.games[0].record.result == "B+24.5"
    assert standing.games[1].record.result == "W+0.5"  # it plays C3 once only
    assert standing.points == 2
    record = read_record(tmp_path / "sgf" / "001.sgf")
    assert record.moves[0] == (1, 12)
    assert record.result == "B+24.5"


def test_dead_stones_are_taken_off_where_both_agree(tmp_path):
    moves = ("C3",), ("A1",)
    agreed = [program(tmp_path, f"a{i}", *moves[i], dead="A1") for i in (0, 1)]
    standing = play_match((agreed[0], agreed[1]), games=1, terms=TERMS)
    assert standing.games[0].record.result == "B+24.5"
    other = program(tmp_path, "other", "A1")
    standing = play_match((agreed[0], other), games=1, terms=TERMS)
    assert standing.games[0].record.result == "W+0.5"
    judged = play_match((agreed[0], other), games=1, terms=TERMS, arbiter=agreed[0])
    assert judged.games[0].record.result == "B+24.5"


def test_illegal_move_and_death_lose_the_game_and_nothing_else(tmp_path):
    good = program(tmp_path, "good", "C3")
    for name, wrong in (("illegal", "C3"), ("nonsense", "Q99"), ("dead", "die")):
        bad = program(tmp_path, name, wrong)
        standing = play_match((good, bad), games=1, terms=TERMS)
        assert standing.games[0].record.result == "B+F"
        assert standing.points == 1
        assert len(standing.faults) == 1


def test_resignation_ends_a_game(tmp_path):
    standing = play_match(
        (program(tmp_path, "a", "resign"), program(tmp_path, "b")), games=1, terms=TERMS
    )
    assert standing.games[0].record.result == "W+R"
    assert standing.points == 0


def test_command_that_cannot_start_is_a_fault():
    with pytest.raises(UsageFault, match="GO-PROGRAM"):
        play_match(("/no/such/program", "x"), games=1, terms=TERMS)


def test_elo_of_a_share():
    assert elo_of(5, 10).value == pytest.approx(0)
    assert elo_of(75, 100).value == pytest.approx(190.8, abs=0.1)
    found = elo_of(10, 10)
    assert found.value == math.inf
    assert 0 < found.low < math.inf
    assert elo_of(6, 10).low < 0 < elo_of(6, 10).high


def test_ratings_recover_known_strengths():
    """Expected results of players 200 Elo apart, without chance: the prior alone pulls them together."""
    names = ["a", "b", "c"]
    true = {"a": 0.0, "b": 200.0, "c": 400.0}
    results = {}
    for one, two in (("a", "b"), ("b", "c"), ("a", "c")):
        share = 1 / (1 + 10 ** ((true[two] - true[one]) / 400))
        results[one, two] = (1000 * share, 1000 * (1 - share))
    found = ratings(names, results)
    assert found["a"] == (0.0, 0.0)
    for name in ("b", "c"):
        assert found[name][0] == pytest.approx(true[name], abs=3)
        assert 5 < found[name][1] < 40
    assert ratings(["x"], {}) == {"x": (0.0, 0.0)}
    assert math.isfinite(ratings(["x", "y"], {("x", "y"): (0, 20)})["y"][0])


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("gnugo", path="/usr/games:/usr/bin") is None, reason="no GNU Go here"
)
def test_gnugo_plays_a_whole_game_without_a_protocol_error():
    gnugo = shutil.which("gnugo", path="/usr/games:/usr/bin")
    own = f"{sys.executable} -m shinso go gtp --simulations 200 --no-resign"
    standing = play_match(
        (own, f"{gnugo} --mode gtp --level 1 --chinese-rules"),
        games=2, terms=Terms(rules=Rules(side=5, komi=7, ko="simple")), arbiter=f"{gnugo} --mode gtp",
    )  # fmt: skip
    assert standing.faults == []
    assert all(len(game.record.moves) > 4 for game in standing.games)


def test_a_program_that_is_silent_or_says_nonsense_forfeits_one_game(tmp_path):
    good = program(tmp_path, "good", "C3")
    silent = tmp_path / "silent.py"
    silent.write_text("import sys\nfor line in sys.stdin:\n    pass\n")
    standing = play_match((good, f"{sys.executable} {silent}"), games=2, terms=TERMS, timeout_s=0.5)
    assert [game.points for game in standing.games] == [1, 1]
    assert all("in time" in fault for fault in standing.faults)
