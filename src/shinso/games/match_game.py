"""One game of two GTP programs before a referee: the rules, the clock, the score, whose fault it was."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shinso.faults import Fault
from shinso.games.clock import Clock, Settings
from shinso.games.go import BLACK, WHITE, Position, Rules
from shinso.games.gtp_client import EngineFailed, Program
from shinso.games.record import Record
from shinso.games.vertices import action, handicap_points, vertex

LAG_S = 0.5
"""A move may take so much longer than the clock allows: the answer has a way to go."""


@dataclass(frozen=True)
class Played:
    """One game of a match. points: of the first program, 1, ½ or 0. fault: why it was forfeited.
    doubt: why the score counts stones as alive that may be dead."""

    record: Record
    first_is_black: bool
    points: float
    seconds: tuple[float, float]
    moves: tuple[int, int]
    fault: str = ""
    doubt: str = ""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What holds for all games of a match.

    opening: random moves off the edge before the programs begin. handicap: stones on the customary
    places, White moves first. clock: each player's time; None: as long as an answer may take.
    """

    rules: Rules
    opening: int = 0
    handicap: int = 0
    clock: Settings | None = None
    lag_s: float = LAG_S

    def __post_init__(self) -> None:
        if self.handicap:
            handicap_points(self.handicap, self.rules.side)

    @property
    def start(self) -> Position:
        """The position before the first move."""
        if not self.handicap:
            return Position.start(self.rules)
        return Position.start(self.rules, handicap_points(self.handicap, self.rules.side), (), 2)

    def opening_moves(self, seed: int) -> list[int]:
        """Random legal moves away from the edge, the same for the same seed."""
        rng = np.random.default_rng(seed)
        position, found, side = self.start, [], self.rules.side
        near = 2 if side >= 9 else 1 if side >= 5 else 0
        inner = [r * side + c for r in range(near, side - near) for c in range(near, side - near)]
        for _move in range(self.opening):
            allowed = position.legal()
            legal = [point for point in inner if allowed[point]]
            if not legal:
                break
            found.append(int(rng.choice(legal)))
            position = position.play_legal(found[-1])
        return found


class _Game:
    """The conversation with both programs; ``asked`` is who was spoken to last, whose fault it is."""

    def __init__(self, programs: Sequence[Program], first_is_black: bool, terms: Terms) -> None:
        self.programs, self.terms = programs, terms
        self.order = (0, 1) if first_is_black else (1, 0)
        self.clock = Clock(terms.clock)
        self.seconds, self.counts = [0.0, 0.0], [0, 0]
        self.position = terms.start
        self.moves: list[tuple[int, int]] = []
        self.asked = 0
        self._tells_time = [False, False]

    def ask(self, which: int, command: str, timeout_s: float | None = None) -> str:
        self.asked = which
        return self.programs[which].ask(command, timeout_s=timeout_s)

    def _offer(self, which: int, command: str) -> bool:
        """Whether a program took what it may refuse. Raises EngineFailed where it is lost."""
        try:
            self.ask(which, command)
        except EngineFailed:
            if not self.programs[which].running:
                raise
            return False
        return True

    def set_up(self) -> None:
        for which, program in enumerate(self.programs):
            self.asked = which
            for command in _set_up(self.terms):
                program.ask(command)
            agreed = self.terms.clock
            if agreed is not None:
                settings = f"time_settings {agreed.main:g} {agreed.period:g} {agreed.stones}"
                self._tells_time[which] = self._offer(which, settings) and program.can("time_left")

    def play(self, opening: Sequence[int]) -> str:
        """The result where it is one before the score: a resignation, or time that ran out."""
        rules = self.terms.rules
        while not self.position.over and len(self.moves) < 4 * rules.pass_action:
            color = self.position.turn
            who = self.order[color - 1]
            if len(self.moves) < len(opening):
                chosen = opening[len(self.moves)]
                self.ask(who, f"play {'?bw'[color]} {vertex(chosen, rules.side)}")
            else:
                answer = self._move(who, color)
                if answer.lower() == "resign":
                    return f"{'?WB'[color]}+R"
                chosen = action(answer, rules.side)
                if not self.position.legal()[chosen]:
                    raise EngineFailed(f"{self.programs[who].command}: illegal move {answer}")
            self.ask(1 - who, f"play {'?bw'[color]} {vertex(chosen, rules.side)}")
            self.moves.append((color, chosen))
            self.position = self.position.play_legal(chosen)
        return ""

    def _move(self, who: int, color: int) -> str:
        """A program's answer to ``genmove``. Raises OutOfTime."""
        limit = None
        if self.terms.clock is not None:
            left = self.clock.of(color)
            if self._tells_time[who]:
                whole = math.floor(left.seconds)  # GTP knows no parts of seconds
                told = f"time_left {'?bw'[color]} {whole} {left.stones}"
                self._tells_time[who] = self._offer(who, told)
            behind = 0.0 if left.stones else self.terms.clock.period
            limit = left.seconds + behind + self.terms.lag_s + 1.0
        began = time.perf_counter()
        answer = self.ask(who, f"genmove {'?bw'[color]}", limit)
        taken = time.perf_counter() - began
        self.seconds[who] += taken
        self.counts[who] += 1
        if self.terms.clock is not None and not self.clock.spend(
            color, max(taken - self.terms.lag_s, 0.0)
        ):
            raise OutOfTime(f"{self.programs[who].command}: time ran out, {taken:.2f} s for a move")
        return answer


class OutOfTime(EngineFailed):
    """The clock of a player ran out."""


def play_game(
    programs: Sequence[Program],
    first_is_black: bool,
    terms: Terms,
    *,
    judge: Program | None = None,
    seed: int = 0,
) -> Played:
    """One game to its end, however it ends. judge: asked for dead stones instead of the players."""
    game = _Game(programs, first_is_black, terms)
    result, fault, doubt = "", "", ""
    try:
        game.set_up()
        result = game.play(terms.opening_moves(seed))
    except (EngineFailed, Fault) as error:
        fault = str(error)
        how = "T" if isinstance(error, OutOfTime) else "F"
        result = f"{'WB'[game.order.index(game.asked)]}+{how}"
    if not result:
        dead, doubt = _dead_stones(game, judge)
        score = game.position.score(dead)
        result = "0" if score == 0 else f"{'B' if score > 0 else 'W'}+{abs(score):g}"
    start = terms.start
    record = Record(
        side=terms.rules.side, komi=terms.rules.komi, moves=tuple(game.moves), result=result,
        handicap=terms.handicap, turn=start.turn,
        black=tuple(int(p) for p in np.flatnonzero(start.stones == BLACK)),
        details={
            "PB": programs[game.order[0]].command, "PW": programs[game.order[1]].command,
            "RU": "Chinese", "AP": "shinso",
        },
    )  # fmt: skip
    black = {BLACK: 1.0, WHITE: 0.0, None: 0.5}[record.winner]
    points = black if first_is_black else 1 - black
    first, second = game.seconds
    return Played(
        record, first_is_black, points, (first, second), (game.counts[0], game.counts[1]), fault,
        doubt,
    )  # fmt: skip


def _set_up(terms: Terms) -> list[str]:
    rules = terms.rules
    commands = [f"boardsize {rules.side}", "clear_board", f"komi {rules.komi:g}"]
    if terms.handicap:
        points = handicap_points(terms.handicap, rules.side)
        commands.append("set_free_handicap " + " ".join(vertex(p, rules.side) for p in points))
    return commands


def _dead_stones(game: _Game, judge: Program | None) -> tuple[set[int], str]:
    """Dead stones as the judge or both players name them, and why none are taken off where no two
    agree or nobody answers."""
    side = game.terms.rules.side
    try:
        if judge is None:
            both = [_dead_by(program, side) for program in game.programs]
            if both[0] == both[1]:
                return both[0], ""
            return set(), "the players do not agree which stones are dead"
        for command in _set_up(game.terms):
            judge.ask(command)
        for color, chosen in game.moves:
            judge.ask(f"play {'?bw'[color]} {vertex(chosen, side)}")
        return _dead_by(judge, side), ""
    except (EngineFailed, Fault) as error:
        return set(), str(error)


def _dead_by(program: Program, side: int) -> set[int]:
    return {action(name, side) for name in program.ask("final_status_list dead").split()}
