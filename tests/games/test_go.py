"""The engine against independent ones, move by move, and what must be true of any game."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sgfmill import boards

from shinso.faults import UsageFault
from shinso.games import go_rules_numba as kernels
from shinso.games.go import BLACK, WHITE, Go, Position, Rules, zobrist_keys
from shinso.games.symmetry import inverses, symmetries
from shinso.games.vertices import action, handicap_points, vertex
from tests.games.plain_go import PlainGo

choices = st.lists(st.integers(0, 10**6), max_size=120)


def played(side: int, numbers: list[int], **rules) -> list[Position]:
    """All positions of the game whose i-th move is the numbers[i]-th legal one (modulo)."""
    positions = [Position.start(Rules(side=side, **rules))]
    for number in numbers:
        legal = np.flatnonzero(positions[-1].legal())
        positions.append(positions[-1].play_legal(int(legal[number % len(legal)])))
    return positions


def diagram(text: str, *, turn: int = BLACK, **rules) -> Position:
    rows = [row.split() for row in text.strip().splitlines()]
    side = len(rows)
    points = [(r * side + c, rows[r][c]) for r in range(side) for c in range(side)]
    stones = [[p for p, sign in points if sign == wanted] for wanted in "XO"]
    return Position.start(Rules(side=side, **rules), *stones, turn=turn)


@pytest.mark.parametrize("suicide", [False, True])
@pytest.mark.parametrize("ko", ["positional", "simple"])
@pytest.mark.parametrize(("side", "games"), [(2, 40), (3, 30), (5, 10), (9, 2)])
def test_game_matches_a_plain_reference(side: int, games: int, ko: str, suicide: bool) -> None:
    """Legal moves, stones and score after each move; small boards repeat often."""
    for seed in range(games):
        rng = random.Random(seed)
        plain = PlainGo(side, superko=ko == "positional", suicide=suicide)
        position = Position.start(Rules(side=side, ko=ko, suicide=suicide, komi=0))
        for _ in range(3 * side * side):
            legal = plain.legal()
            assert np.flatnonzero(position.legal()).tolist() == legal
            chosen = rng.choice(legal)
            plain.play(chosen)
            position = position.play(chosen)
            expected = [plain.stones.get(divmod(p, side), 0) for p in range(side * side)]
            assert position.stones.tolist() == expected
            assert position.score() == plain.area()
            assert position.turn == plain.turn


@pytest.mark.parametrize(("side", "games"), [(9, 4), (19, 1)])
def test_game_matches_sgfmill(side: int, games: int) -> None:
    for seed in range(games):
        rng = random.Random(seed)
        position = Position.start(Rules(side=side, ko="simple", komi=0))
        board, ko = boards.Board(side), None
        for _ in range(2 * side * side):
            legal = np.flatnonzero(position.legal()[:-1]).tolist()
            if ko is not None:
                assert ko not in legal
            if not legal:
                break
            chosen = rng.choice(legal)
            row, column = divmod(chosen, side)
            found = board.play(side - 1 - row, column, "bw"[position.turn - 1])
            ko = None if found is None else (side - 1 - found[0]) * side + found[1]
            position = position.play(chosen)
            stones = np.zeros((side, side), int)
            for color, (r, c) in board.list_occupied_points():
                stones[side - 1 - r, c] = 1 + "bw".index(color)
            assert np.array_equal(position.stones, stones.reshape(-1))
            assert position.score() == board.area_score()


@given(choices, st.integers(2, 7), st.booleans())
def test_every_chain_has_its_liberties_for_any_game(numbers, side, suicide):
    position = played(side, numbers, suicide=suicide)[-1]
    plain = PlainGo(side)
    stones = position.stones
    plain.stones = {divmod(p, side): int(stones[p]) for p in np.flatnonzero(stones)}
    for point, found in enumerate(position.liberties):
        if stones[point]:
            assert found == len(plain.chain(plain.stones, divmod(point, side))[1]) > 0
        else:
            assert found == 0


@given(choices, st.integers(2, 7), st.booleans())
def test_hash_is_that_of_the_stones_for_any_game(numbers, side, suicide):
    positions = played(side, numbers, suicide=suicide)
    for position in positions:
        assert kernels.hash_of(position.board, zobrist_keys(side)) == position.hash
    stones = {position.stones.tobytes() for position in positions}
    assert len({int(position.hash) for position in positions}) == len(stones)


@given(choices, st.integers(2, 6))
def test_no_position_of_stones_comes_back_for_any_game(numbers, side):
    positions = played(side, numbers)
    stones = [p.stones.tobytes() for p in positions]
    assert all(
        now == before or now not in stones[: place + 1]
        for place, (before, now) in enumerate(pairwise(stones))
    )


@given(choices, st.integers(3, 7), st.integers(0, 7))
def test_symmetric_games_stay_symmetric_for_any_game(numbers, side, turn):
    """The same game on a turned board has the same legal moves, stones and score, turned."""
    there, back = symmetries(side)[turn], inverses(side)[turn]
    position = other = Position.start(Rules(side=side))
    for number in numbers:
        legal = np.flatnonzero(position.legal())
        chosen = int(legal[number % len(legal)])
        position, other = position.play_legal(chosen), other.play_legal(int(back[chosen]))
        assert np.array_equal(other.legal(), position.legal()[there])
        assert np.array_equal(other.stones, position.stones[there[:-1]])
    assert other.score() == position.score()


@given(choices, st.integers(4, 6), st.randoms(use_true_random=False))
def test_safe_points_stay_whatever_the_other_plays(numbers, side, rng):
    """Benson's promise: who is safe may pass for ever."""
    position = played(side, numbers)[-1]
    for color, sign in ((BLACK, 1), (WHITE, -1)):
        safe = position.safe() == sign
        stones = safe & (position.stones == color)
        attacked = position
        for _ in range(3 * side * side):
            attacked = attacked.with_turn(3 - color)
            legal = np.flatnonzero(attacked.legal()[:-1])
            if not len(legal):
                break
            attacked = attacked.play_legal(int(rng.choice(legal)))
        assert (attacked.stones[stones] == color).all()
        assert (attacked.safe()[stones] == sign).all()


def test_sending_two_and_returning_one_is_superko():
    """No ko by the simple rule, as two stones were taken, but the stones stand as they stood."""
    text = """
        . X . X .
        O O X X .
        . . . . .
        . . . . .
        . . . . .
    """
    for ko, allowed in (("positional", False), ("simple", True)):
        position = diagram(text, ko=ko)
        start = position.stones
        for name in ("A5", "C5"):
            position = position.play(action(name, 5))
        assert position.stones[[0, 1]].tolist() == [0, 0]
        back = action("B5", 5)
        assert position.legal()[back] == allowed
        if allowed:
            assert np.array_equal(position.play(back).stones, start)
        else:
            with pytest.raises(UsageFault, match="GO-ILLEGAL: B5"):
                position.play(back)


def test_superko_sees_through_a_pass():
    """A ko may not be retaken after both have passed elsewhere: the position is an old one."""
    position = diagram(". X O . \n X . X O \n . X O . \n . . . .", turn=WHITE)
    taken = position.play(action("B3", 4))
    assert not taken.legal()[action("C3", 4)]
    assert not taken.play(16).with_turn(BLACK).legal()[action("C3", 4)]
    moved = taken.play(action("A1", 4)).play(action("D1", 4))
    assert moved.legal()[action("C3", 4)]


def test_single_stone_never_takes_its_own_life():
    position = diagram(". X . \n X . . \n . . .", turn=WHITE, suicide=True)
    assert not position.legal()[0]


def test_safe_area_goldens():
    two_eyes = diagram("""
        . X . X O
        X X X X O
        O O O O O
        . . . . .
        . . . . .
    """)
    assert two_eyes.safe().reshape(5, 5)[:2, :4].all()
    assert not two_eyes.safe().reshape(5, 5)[2:].any()
    one_eye = diagram("""
        . X X O .
        X X X O .
        O O O O .
        . . . . .
        . . . . .
    """)
    assert not one_eye.safe().any()
    assert two_eyes.sensible().sum() == 11 + two_eyes.legal()[[0, 2]].sum() - 2


def test_dead_stones_are_taken_off_for_the_score():
    position = diagram("X X X \n X . O \n X X X", komi=0.5)
    assert position.score() == 5.5
    assert position.score([5]) == 8.5


def test_setup_refuses_what_cannot_stand():
    rules = Rules(side=3)
    for black, white in (([0, 0], []), ([9], []), ([1, 3], [0])):
        with pytest.raises(UsageFault, match="GO-SETUP"):
            Position.start(rules, black, white)
    for wrong in ({"side": 1}, {"side": 20}, {"komi": float("nan")}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Rules(**wrong)


def test_positions_do_not_change():
    position = Position.start(Rules(side=5))
    before = position.board.copy(), position.seen.copy()
    position.play(3).play(4)
    assert np.array_equal(position.board, before[0])
    assert np.array_equal(position.seen, before[1])


@pytest.mark.parametrize("side", [9, 19])
def test_names_and_actions_are_each_others(side):
    for number in range(side * side + 1):
        assert action(vertex(number, side).lower(), side) == number
    assert vertex(0, 9) == "A9"
    assert vertex(80, 9) == "J1"
    for wrong in ("", "I5", "A0", "A10" if side == 9 else "A20", "AA", "5A", "A-1", "A²"):
        with pytest.raises(UsageFault, match="GO-VERTEX"):
            action(wrong, side)


def test_handicap_points_are_those_of_the_protocol():
    """GTP 2, section 4.1.1: two stones stand on D4 and Q16, nine on all corners, sides and middle."""
    names = {n: {vertex(p, 19) for p in handicap_points(n, 19)} for n in range(2, 10)}
    assert names[2] == {"D4", "Q16"}
    assert names[3] == {"D4", "Q16", "D16"}
    assert names[5] - names[4] == {"K10"}
    assert names[6] - names[4] == {"D10", "Q10"}
    assert names[9] == {"D4", "D16", "Q4", "Q16", "D10", "Q10", "K4", "K16", "K10"}
    assert {vertex(p, 9) for p in handicap_points(4, 9)} == {"C3", "C7", "G3", "G7"}
    for stones, side in ((1, 19), (10, 19), (5, 8), (2, 5)):
        with pytest.raises(ValueError, match="stones"):
            handicap_points(stones, side)


def test_game_ends_with_two_passes_or_at_its_limit():
    game = Go(Rules(side=3, komi=0.5), longest=4)
    state = game.start()
    assert game.outcome(state) is None
    assert game.outcome(state.play(9).play(9)) == -1.0
    for number in (4, 9, 1, 9):
        state = game.play(state, number)
    assert game.outcome(state) == 1.0
    assert game.player(state) == 0


GOLDENS = json.loads((Path(__file__).parents[1] / "golden" / "go_superko.json").read_text("utf-8"))


@pytest.mark.parametrize("golden", GOLDENS, ids=range(len(GOLDENS)))
def test_superko_forbids_what_the_goldens_say(golden) -> None:
    """Every game ends where a move is forbidden only because its position was there before."""
    rules = Rules(side=golden["side"])
    position = Position.start(rules)
    for one in golden["moves"]:
        position = position.play(one)
    assert np.flatnonzero(position.legal()).tolist() == golden["legal"]
    simple = Position(replace(rules, ko="simple"), position.board, position.seen).legal()
    assert set(golden["forbidden"]) <= set(np.flatnonzero(simple).tolist())
    for one in golden["forbidden"]:
        with pytest.raises(UsageFault, match="GO-ILLEGAL"):
            position.play(one)
