"""Whatever comes in, an answer by the protocol goes out."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shinso.games.gtp import Clock, Engine
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
    waits = iter([False, True])
    (first, *rest) = engine.converse(["lz-analyze b 1"], waiting=lambda: next(waits))
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
