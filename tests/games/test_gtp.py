"""Whatever comes in, an answer by the protocol goes out."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shinso.games.clock import Clock, Left
from shinso.games.gtp import Engine
from shinso.games.record import record_of
from shinso.games.sgf import parse
from shinso.search.decision import Choice
from shinso.search.gtp_player import SearchPlayer
from shinso.search.rollout_search import RolloutSearch


def player() -> SearchPlayer:
    return SearchPlayer(RolloutSearch(RolloutSearch.Config(simulations=64, nodes=20_000)))


def never() -> SearchPlayer:
    raise AssertionError("a player was made for a question that needs none")


def spoken(engine: Engine, *lines: str) -> list[str]:
    return ["".join(engine.answer(line)) for line in lines]


def test_questions_about_the_program_need_no_player():
    engine = Engine(never, version="1.2")
    assert spoken(engine, "name", "3 version", "protocol_version", "known_command play") == [
        "= shinso\n\n", "=3 1.2\n\n", "= 2\n\n", "= true\n\n",
    ]  # fmt: skip
    commands = spoken(engine, "list_commands")[0]
    for name in ("genmove", "lz-analyze", "final_score", "loadsgf", "kgs-genmove_cleanup", "undo"):
        assert name in commands.split()
        assert spoken(engine, f"known_command {name}") == ["= true\n\n"]


def test_name_is_answered_before_anything_heavy_is_loaded():
    code = (
        "import sys; from shinso.games.gtp import Engine; e = Engine(lambda: None, version='1');"
        "print(''.join(e.answer('name')).strip(), 'numba' in sys.modules, 'torch' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["=", "shinso", "False", "False"]


def test_whole_game_against_itself_ends_with_a_score():
    engine = Engine(player, version="1", side=5)
    assert spoken(engine, "boardsize 5", "komi 3") == ["=\n\n", "=\n\n"]
    passes, moves = 0, 0
    while passes < 2 and moves < 80:
        (answer,) = spoken(engine, f"genmove {'bw'[moves % 2]}")
        assert answer.startswith("= ")
        if "resign" in answer:
            break
        passes = passes + 1 if "pass" in answer else 0
        moves += 1
    assert moves > 8
    (score,) = spoken(engine, "final_score")
    assert score.startswith(("= B+", "= W+", "= 0"))


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("", ""),
        ("# only a comment", ""),
        ("nonsense", "? unknown command\n\n"),
        ("17 nonsense", "?17 unknown command\n\n"),
        ("play b", "? invalid color or coordinate\n\n"),
        ("play green D4", "? invalid color or coordinate\n\n"),
        ("play b Z99", "? invalid color or coordinate\n\n"),
        ("2 play b i5", "?2 invalid color or coordinate\n\n"),
        ("boardsize 99", "? unacceptable size\n\n"),
        ("boardsize x", "? syntax error\n\n"),
        ("boardsize", "? syntax error\n\n"),
        ("komi many", "? syntax error\n\n"),
        ("komi nan", "? syntax error\n\n"),
        ("undo", "? cannot undo\n\n"),
        ("genmove", "? invalid color or coordinate\n\n"),
        ("loadsgf /no/such/file.sgf", "? cannot load file\n\n"),
        ("fixed_handicap 1", "? invalid number of stones\n\n"),
        ("set_free_handicap D4", "? bad vertex list\n\n"),
        ("time_settings 1", "? syntax error\n\n"),
        ("final_status_list lost", "? syntax error\n\n"),
        ("do_quit", "? unknown command\n\n"),
        ("PLAY b D4", "? unknown command\n\n"),
        ("play b D4 extra words", "=\n\n"),
        ("time_left b -5 0", "=\n\n"),
        ("time_left b many 0", "? syntax error\n\n"),
        ("komi 1e400", "? syntax error\n\n"),
        ("boardsize 9.5", "? syntax error\n\n"),
        ("lz-analyze b x", "? syntax error\n\n"),
        ("lz-analyze b interval", "? syntax error\n\n"),
        ("lz-analyze b avoid b D4 3", "? syntax error\n\n"),
        ("lz_analyze b 1", "? unknown command\n\n"),
        ("kgs-time_settings byoyomi 10", "? syntax error\n\n"),
        ("kgs-time_settings canadian 10 0 5", "? syntax error\n\n"),
        ("kgs-time_settings", "? syntax error\n\n"),
        ("kgs-time_settings none", "=\n\n"),
        ("loadsgf", "? syntax error\n\n"),
        ("\x00\x07name\x7f", "= shinso\n\n"),
    ],
)
def test_wrong_lines_are_answered(line, answer):
    assert spoken(Engine(never, version="1"), line) == [answer]


@given(st.text(max_size=40))
def test_any_line_gets_an_answer_by_the_protocol(line):
    if "genmove" in line or "analyze" in line or "final" in line:
        return
    engine = Engine(never, version="1")
    text = "".join(engine.answer(line))
    assert text == "" or (text[0] in "=?" and text.endswith("\n\n"))
    assert spoken(engine, "name") == ["= shinso\n\n"]


def test_illegal_moves_are_refused_and_change_nothing():
    engine = Engine(never, version="1", side=5)
    assert spoken(engine, "play b A1", "play w A1") == ["=\n\n", "? illegal move\n\n"]
    before = spoken(engine, "showboard")
    spoken(engine, "play w B1", "undo")
    assert spoken(engine, "showboard") == before


def test_damaged_record_is_refused_and_a_good_one_loaded(tmp_path):
    bad, good = tmp_path / "bad.sgf", tmp_path / "good.sgf"
    bad.write_text("(;SZ[5];B[aa")
    good.write_text("(;SZ[5]KM[3.5];B[aa];W[bb];B[cc])")
    engine = Engine(never, version="1")
    assert spoken(engine, f"loadsgf {bad}")[0].startswith("? SGF-SYNTAX")
    assert spoken(engine, f"loadsgf {good} 3") == ["=\n\n"]
    assert (engine.side, engine.komi, len(engine.moves)) == (5, 3.5, 2)


def test_handicap_is_put_up_and_white_moves():
    engine = Engine(never, version="1")
    assert spoken(engine, "boardsize 19", "fixed_handicap 2")[1] == "= D4 Q16\n\n"
    assert engine.position.turn == 2
    assert spoken(engine, "fixed_handicap 2") == ["? board not empty\n\n"]


def test_analysis_stops_when_the_next_command_waits():
    engine = Engine(player, version="1", side=5)
    pieces: list[str] = []
    pieces.extend(engine.converse(["lz-analyze b 1"], waiting=lambda: len(pieces) > 2))
    first, *rest = pieces
    assert first == "=\n"
    assert len(rest) == 3
    assert rest[0].startswith("info move ")
    assert " winrate " in rest[0]
    assert rest[-1] == "\n"


def test_dead_stones_are_named():
    engine = Engine(player, version="1", side=7)
    walls = [f"play b {column}{row}" for row in (2, 4, 6) for column in "ABCDEFG"]
    spoken(engine, "boardsize 7", *walls, "play w D1")
    assert spoken(engine, "final_status_list dead") == ["= D1\n\n"]
    assert spoken(engine, "final_score", "komi 0", "final_score") == [
        "= B+42\n\n",
        "=\n\n",
        "= B+49\n\n",
    ]


def test_clock_leaves_time_for_what_is_to_come():
    clock = Clock()
    assert clock.budget_s(1, 30) is None
    clock.set(300, 0, 0)
    assert 5 < clock.budget_s(1, 30) < 10
    clock.tell(1, 0.5, 0)
    assert clock.budget_s(1, 30) < 0.02
    clock.set(0, 30, 5)
    assert 4 < clock.budget_s(1, 30) < 6
    clock.tell(1, 4, 2)
    assert 1 < clock.budget_s(1, 30) < 2
    clock.tell(1, 0, 0)
    assert 0 < clock.budget_s(1, 30) <= 6


def test_bytes_that_are_no_text_are_answered():
    """As a broken pipe of another program may send them."""
    words = [sys.executable, "-m", "shinso", "go", "gtp"]
    found = subprocess.run(
        words,
        input=b"\xff\xfe\x80 name\n7 name\nplay b \xe9\nquit\n",
        capture_output=True,
        check=True,
    )
    answers = found.stdout.decode().split("\n\n")
    assert answers[0].startswith("?")
    assert answers[1] == "=7 shinso"
    assert answers[2].startswith("?")
    assert answers[3] == "="


def test_a_clock_that_ran_out_still_gets_a_move():
    engine = Engine(player, version="1", side=5)
    spoken(engine, "time_settings 1 0 0", "time_left b 0 0")
    assert spoken(engine, "genmove b")[0].startswith("= ")


def test_a_command_that_came_with_the_analysis_ends_it():
    """Both lines in one packet: the second is in no file descriptor any more, but in a buffer."""
    words = [sys.executable, "-m", "shinso", "go", "gtp", "--network", "none", "--side", "5"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as one:
        assert one.stdin is not None
        assert one.stdout is not None
        one.stdin.write("lz-analyze b 2000\nname\n")
        one.stdin.flush()
        began = time.monotonic()
        said = []
        while not said or "shinso" not in said[-1]:
            said.append(one.stdout.readline())
        assert time.monotonic() - began < 18  # sooner than the first report was due
        assert [line[:9] for line in said] == ["=\n", "info move", "\n", "= shinso\n"]
        one.stdin.write("quit\n")


def test_input_that_a_locale_reads_strictly_is_answered_too():
    found = subprocess.run(
        [sys.executable, "-m", "shinso", "go", "gtp"],
        input=b"1 play b \xe9\n2 name\nquit\n",
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"},
    )
    assert found.stdout.decode().split("\n\n")[:2] == [
        "?1 invalid color or coordinate", "=2 shinso"
    ]  # fmt: skip


@pytest.mark.parametrize("words", ["interval 1", "1", "w interval 1 maxmoves 2", "minmoves 1"])
def test_analysis_is_asked_for_as_boards_do(words):
    engine = Engine(player, version="1", side=5)
    (_sign, said, _end) = engine.converse([f"lz-analyze {words}"], waiting=lambda: True)
    assert said.count("info move") == 2 or "maxmoves" not in words
    assert said.startswith("info move")


def test_analysis_as_katago_tells_it():
    engine = Engine(player, version="1", side=5)
    spoken(engine, *(f"play b {column}{row}" for row in (2, 4) for column in "ABCDE"))
    line = "kata-analyze w 1 ownership true"
    (_sign, said, _end) = engine.converse([line], waiting=lambda: True)
    owners = [float(word) for word in said.split("ownership ")[1].split()]
    assert owners == [-1.0] * 25  # Black's, as White sees it
    assert re.search(r"winrate 0\.\d{4} prior 0\.\d{4} order 0 pv ", said)


def test_a_move_with_its_analysis():
    engine = Engine(player, version="1", side=5)
    answer = "".join(engine.answer("7 lz-genmove_analyze b 50"))
    found = re.fullmatch(r"=7\ninfo move (\w+) .*\nplay (\w+)\n\n", answer)
    assert found is not None
    assert len(engine.moves) == 1
    assert engine.position.stones.sum() == 1


class Thinker:
    """Plays the first legal point and takes all the time that it is given, by a clock that jumps."""

    def __init__(self, now: list[float]) -> None:
        self.now = now
        self.given: list[float] = []

    def ready(self, position):
        self.now[0] += 40.0  # weights are loaded

    def genmove(self, position, moves, seconds):
        self.given.append(seconds)
        self.now[0] += seconds
        return Choice(int(position.legal().argmax()))

    def analyze(self, position, moves, seconds, *, stop):
        raise AssertionError("nobody asked")

    def ownership(self, position):
        raise AssertionError("nobody asked")


@pytest.mark.parametrize(
    ("settings", "main", "period"),
    [("60 0 0", 60, 0), ("60 10 5", 60, 10), ("0 5 1", 0, 5), ("0 30 5", 0, 30)],
)
def test_its_own_clock_never_runs_out_though_no_referee_tells_the_time(
    settings, main, period, monkeypatch
):
    """Sixty moves of a colour, counted as a referee counts: main time, then Canadian periods."""
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    thinker = Thinker(now)
    engine = Engine(lambda: thinker, version="1", side=9)
    spoken(engine, f"time_settings {settings}")
    assert now[0] == 40.0  # before the clock runs
    referee = Clock()
    referee.set(*(int(word) for word in settings.split()))
    for _move in range(60):
        before = now[0]
        assert "".join(engine.answer("genmove b")).startswith("= ")
        assert referee.spend(1, now[0] - before)
        spoken(engine, "play w pass")
    assert sum(thinker.given) > 0.5 * main
    if period:
        stones = int(settings.split()[2])
        assert thinker.given[-1] > 0.7 * period / stones  # overtime is used, not feared
    spoken(engine, "clear_board")
    assert engine.clock.left == {}


def test_a_referees_clock_counts_byo_yomi_and_canadian_time():
    clock = Clock()
    clock.set(10, 5, 3, byoyomi=True)
    assert clock.spend(1, 9)
    assert clock.spend(1, 5)  # one second of main time, four of the first period
    assert clock.of(1) == Left(5, 3)
    assert clock.spend(1, 7)  # a period is gone
    assert clock.of(1) == Left(5, 2)
    assert 4 < (clock.budget_s(1, 30) or 0) < 5
    assert not clock.spend(1, 11)
    clock.set(10, 6, 2)
    assert clock.spend(2, 12)
    assert clock.of(2) == Left(4, 1)
    assert clock.spend(2, 3.9)
    assert clock.of(2) == Left(6, 2)
    assert not clock.spend(2, 6.1)
    clock.set(10, 0, 0)
    assert clock.spend(1, 10)
    assert not clock.spend(1, 0.1)
    clock.set(0, 0, 0)
    assert clock.spend(1, 1e6)
    assert clock.budget_s(1, 30) is None


def test_the_game_is_printed_as_sgf():
    engine = Engine(never, version="1.2")
    spoken(engine, "boardsize 9", "komi 0.5", "fixed_handicap 2", "play w E5", "play b pass")
    (said,) = spoken(engine, "5 printsgf")
    assert said.startswith("=5 \n(\n;")
    assert "\n\n" not in said[:-2]
    record = record_of(parse(said[4:])[0])
    assert (record.komi, record.handicap, record.turn) == (0.5, 2, 2)
    assert record.moves == ((2, 40), (1, 81))


def test_a_file_name_may_have_blanks(tmp_path):
    path = tmp_path / "my game.sgf"
    path.write_text("(;SZ[5];B[aa];W[bb];B[cc])")
    engine = Engine(never, version="1")
    assert spoken(engine, f"loadsgf {path}", f"loadsgf {path} 2") == ["=\n\n", "=\n\n"]
    assert len(engine.moves) == 1


def test_undo_after_passes_and_at_the_end_of_a_game():
    engine = Engine(player, version="1", side=5)
    spoken(engine, "play b C3", "play w pass", "play b pass")
    assert engine.position.over
    assert spoken(engine, "undo") == ["=\n\n"]
    assert (engine.position.passes, engine.position.turn) == (1, 1)
    assert spoken(engine, "undo", "undo", "undo")[-1] == "? cannot undo\n\n"
    assert spoken(engine, "play b C3", "undo", "play b C3") == ["=\n\n"] * 3
