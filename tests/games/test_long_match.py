"""Long matches: side by side, stopped and gone on with, with clocks, and with programs that fail."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest

from shinso.faults import DataFault, UsageFault
from shinso.games.clock import Settings
from shinso.games.go import Rules
from shinso.games.gtp_client import EngineFailed, Program
from shinso.games.match import play_match
from shinso.games.match_game import Terms
from shinso.games.match_kept import Kept
from shinso.games.record import read_record

RULES = Rules(side=5, komi=0.5)
TERMS = Terms(rules=RULES)
PROGRAM = """
import sys, time
log = open(sys.argv[2], "a") if len(sys.argv) > 2 else None
games = 0
for line in sys.stdin:
    words = line.split()
    if log:
        print(line, end="", file=log, flush=True)
    if words[0] == "boardsize":
        games += 1
        moves = {moves!r}
    answer, wait = "", 0
    if words[0] == "known_command":
        answer = "true"
    if words[0] == "genmove":
        answer = moves.pop(0) if moves else "pass"
    if words[0] == "final_status_list":
        answer = {dead!r}
        wait = {late} if games == 1 else 0
    if answer.startswith("slow "):
        wait, answer = float(answer.split()[1]), answer.split()[2]
    if answer == "die":
        sys.exit("no licence")
    time.sleep(wait)
    print("=", answer, end="\\n\\n", flush=True)
    if words[0] == "quit":
        break
"""


def program(tmp_path, name: str, *moves: str, dead: str = "", late: float = 0.0) -> str:
    path = tmp_path / f"{name}.py"
    path.write_text(PROGRAM.format(moves=list(moves), dead=dead, late=late))
    return f"{sys.executable} {path}"


def test_a_player_that_names_dead_stones_too_late_does_not_spoil_the_next_game(tmp_path):
    """Its late answer would be taken for that to ``boardsize``, and all that follow be wrong."""
    late = program(tmp_path, "late", "C3", dead="", late=1.0)
    good = program(tmp_path, "good", "A1")
    standing = play_match((late, good), games=3, terms=TERMS, timeout_s=0.5)
    assert standing.faults == []
    assert "in time" in standing.games[0].doubt
    # Started anew, the program is in its first game again.
    assert [bool(game.doubt) for game in standing.games] == [True, True, True]
    assert [game.moves for game in standing.games] == [(2, 2), (2, 2), (2, 2)]


def test_an_arbiter_that_fails_is_told_and_started_anew(tmp_path):
    players = program(tmp_path, "a", "C3"), program(tmp_path, "b", "A1")
    judge = program(tmp_path, "judge", dead="A1", late=1.0)
    failing = play_match(players, games=2, terms=TERMS, arbiter=judge, timeout_s=0.5)
    assert ["in time" in doubt for doubt in failing.doubts] == [True, True]
    assert failing.games[0].record.result == "W+0.5"  # all stones count as alive
    able = program(tmp_path, "able", dead="A1")
    judged = play_match(players, games=2, terms=TERMS, arbiter=able, timeout_s=5)
    assert (judged.games[0].record.result, judged.doubts) == ("B+24.5", [])


def test_players_that_do_not_agree_are_told(tmp_path):
    players = program(tmp_path, "a", "C3", dead="A1"), program(tmp_path, "b", "A1")
    standing = play_match(players, games=1, terms=TERMS)
    assert standing.doubts == ["the players do not agree which stones are dead"]


def test_an_answer_that_comes_drop_by_drop_has_a_limit_as_a_whole(tmp_path):
    path = tmp_path / "drops.py"
    path.write_text(
        "import sys, time\nsys.stdin.readline()\n"
        "while True:\n    print('thinking', flush=True)\n    time.sleep(0.1)\n"
    )
    with Program(f"{sys.executable} {path}", timeout_s=0.5) as one:
        began = time.monotonic()
        with pytest.raises(EngineFailed, match="in time"):
            one.ask("name")
        assert time.monotonic() - began < 10
        assert not one.running


def test_what_a_program_said_before_it_died_is_in_the_fault(tmp_path):
    good, bad = program(tmp_path, "good", "C3"), program(tmp_path, "bad", "die")
    standing = play_match((good, bad), games=1, terms=TERMS)
    assert standing.faults[0].endswith("gone at 'genmove w' (no licence)")


@pytest.mark.parametrize("bad_is_first", [True, False])
def test_whoever_fails_in_the_opening_loses(tmp_path, bad_is_first):
    path = tmp_path / "bad.py"
    path.write_text(
        "import sys\nfor line in sys.stdin:\n"
        "    print('?' if line.startswith('play') else '=', end='\\n\\n', flush=True)\n"
    )
    both = [f"{sys.executable} {path}", program(tmp_path, "good")]
    first, second = both if bad_is_first else reversed(both)
    standing = play_match(
        (first, second), games=2, terms=Terms(rules=RULES, opening=2), timeout_s=10
    )
    assert [game.points for game in standing.games] == [0.0 if bad_is_first else 1.0] * 2


def test_time_that_runs_out_loses_and_the_time_left_is_told(tmp_path):
    slow = program(tmp_path, "slow", "C3", "slow 3 C4")
    log = tmp_path / "heard.txt"
    quick = program(tmp_path, "quick", "A1", "A3") + f" -- {log}"
    terms = Terms(rules=RULES, clock=Settings(main=1.5, period=0.5, stones=1), lag_s=0.1)
    standing = play_match((quick, slow), games=1, terms=terms)
    assert standing.games[0].record.result == "B+T"
    assert "time ran out" in standing.faults[0]
    heard = log.read_text().splitlines()
    assert "time_settings 1.5 0.5 1" in heard
    # Whole seconds, as the protocol has them: GNU Go refuses others.
    assert [line for line in heard if line.startswith("time_left")] == ["time_left b 1 0"] * 2
    generous = Terms(rules=RULES, clock=Settings(main=60), lag_s=0.1)
    assert play_match((quick, slow), games=1, terms=generous).faults == []


def test_a_program_that_wants_no_clock_is_not_punished_for_it(tmp_path):
    path = tmp_path / "timeless.py"
    path.write_text(
        "import sys\nfor line in sys.stdin:\n"
        "    sign = '?' if 'time' in line and 'known' not in line else '='\n"
        "    answer = 'pass' if 'genmove' in line else ''\n"
        "    print(sign, answer, end='\\n\\n', flush=True)\n"
    )
    terms = Terms(rules=RULES, clock=Settings(main=60))
    standing = play_match(
        (f"{sys.executable} {path}", program(tmp_path, "b")), games=1, terms=terms
    )
    assert standing.faults == []


def test_handicap_stones_are_put_up_for_both_and_the_arbiter(tmp_path):
    log = tmp_path / "heard.txt"
    first = program(tmp_path, "a") + f" -- {log}"
    terms = Terms(rules=Rules(side=9, komi=0.5), handicap=2)
    folder = tmp_path / "kept"
    standing = play_match(
        (first, program(tmp_path, "b")), games=1, terms=terms, arbiter=first, kept=Kept(folder, {})
    )
    assert standing.games[0].record.result == "B+80.5"
    assert log.read_text().count("set_free_handicap C3 G7") == 2
    record = read_record(folder / "001.sgf")
    assert (record.handicap, record.turn, len(record.black)) == (2, 2, 2)
    with pytest.raises(ValueError, match="stones"):
        Terms(rules=RULES, handicap=3)


def test_games_run_side_by_side_and_each_counts_once(tmp_path):
    first, second = program(tmp_path, "a", "slow 0.5 C3"), program(tmp_path, "b", "slow 0.5 C3")
    seen: list[int] = []
    standing = play_match(
        (first, second), games=6, terms=TERMS, parallel=3, kept=Kept(tmp_path / "kept", {}),
        watch=lambda number, _game: seen.append(number),
    )  # fmt: skip
    assert sorted(seen) == list(range(6))
    assert [game.first_is_black for game in standing.games] == [True, False] * 3
    assert [game.points for game in standing.games] == [1.0, 0.0] * 3  # Black has the middle
    assert sorted(Kept(tmp_path / "kept", {}).games()) == list(range(6))


def test_a_fault_of_one_lane_ends_the_others(tmp_path):
    with pytest.raises(UsageFault, match="GO-PROGRAM"):
        play_match((program(tmp_path, "a"), "/no/such"), games=4, terms=TERMS, parallel=2)


def test_a_match_goes_on_where_it_was(tmp_path):
    players = program(tmp_path, "a", "C3"), program(tmp_path, "b")
    folder, agreed = tmp_path / "kept", {"komi": 0.5}
    before = play_match(players, games=2, terms=TERMS, kept=Kept(folder, agreed))
    with (folder / "games.jsonl").open("a") as stream:
        stream.write('{"game": 2, "resu')  # power failed here
    seen: list[int] = []
    after = play_match(
        players, games=4, terms=TERMS, kept=Kept(folder, agreed),
        watch=lambda number, _game: seen.append(number),
    )  # fmt: skip
    assert seen == [2, 3]
    assert len(after.games) == 4
    kept = [(one.points, one.seconds, one.record.moves) for one in after.games[:2]]
    assert kept == [(one.points, one.seconds, one.record.moves) for one in before.games]
    rows = [json.loads(line) for line in (folder / "games.jsonl").read_text().splitlines()]
    assert [row["game"] for row in rows] == [0, 1, 2, 3]
    nothing_left = play_match(
        ("/no/such", "/no/such"), games=4, terms=TERMS, kept=Kept(folder, agreed)
    )
    assert nothing_left.points == after.points


def test_another_match_is_not_mixed_with_it(tmp_path):
    Kept(tmp_path, {"komi": 0.5})
    with pytest.raises(UsageFault, match=r"GO-OTHER-MATCH.*match\.json\n  komi: 0\.5 ≠ 7"):
        Kept(tmp_path, {"komi": 7})
    (tmp_path / "games.jsonl").write_text('{"game": 0}\n')
    with pytest.raises(DataFault, match=r"GO-MATCH-DAMAGED.*games\.jsonl:1"):
        Kept(tmp_path, {"komi": 0.5}).games()


@pytest.mark.slow
def _as_in_a_terminal() -> None:
    """Tests that run in the background hand down that Ctrl-C is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_ends_the_programs_and_says_how_to_go_on(tmp_path):
    slow, quick = program(tmp_path, "slow", "slow 60 C3"), program(tmp_path, "quick", "C3")
    folder = tmp_path / "kept"
    words = ["go", "match", quick, slow, "--games", "4", "--side", "5", "-o", str(folder)]
    with subprocess.Popen(
        [sys.executable, "-m", "shinso", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, preexec_fn=_as_in_a_terminal,
    ) as one:  # fmt: skip
        end = time.monotonic() + 120
        while not (folder / "match.json").exists() and time.monotonic() < end:
            time.sleep(0.1)
        time.sleep(1.0)
        one.send_signal(signal.SIGINT)
        _said, told = one.communicate(timeout=60)
    assert one.returncode == 130
    assert "shinso go match" in told
    assert str(folder) in told
    assert not (folder / "games.jsonl").exists()  # an ended program forfeits nothing
