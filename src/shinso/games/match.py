"""Matches of two GTP programs: colours alternate, the referee keeps the rules, every game is kept."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from shinso.faults import Fault
from shinso.games.elo import elo_of
from shinso.games.go import BLACK, WHITE, Position, Rules
from shinso.games.gtp_client import EngineFailed, Program
from shinso.games.record import Record, write_record
from shinso.games.vertices import action, vertex
from shinso.intervals import Interval, proportion


@dataclass(frozen=True)
class Played:
    """One game of a match. points: of the first program, 1, ½ or 0. fault: why it was forfeited."""

    record: Record
    first_is_black: bool
    points: float
    seconds: tuple[float, float]
    moves: tuple[int, int]
    fault: str = ""


@dataclass
class Standing:
    """How a match stands, from the first program's side."""

    games: list[Played] = field(default_factory=list)

    @property
    def points(self) -> float:
        return sum(game.points for game in self.games)

    @property
    def share(self) -> Interval:
        """Share of points with Wilson's interval; a draw is half a win."""
        count = len(self.games)
        low = proportion(math.floor(self.points), count).low
        return Interval(self.points / count, low, proportion(math.ceil(self.points), count).high)

    @property
    def elo(self) -> Interval:
        return elo_of(self.points, len(self.games))

    @property
    def faults(self) -> list[str]:
        return [game.fault for game in self.games if game.fault]

    def seconds_a_move(self, which: int) -> float:
        total = sum(game.moves[which] for game in self.games)
        return sum(game.seconds[which] for game in self.games) / max(total, 1)


def play_match(
    commands: tuple[str, str],
    *,
    games: int,
    rules: Rules,
    arbiter: str = "",
    opening: int = 0,
    seed: int = 0,
    timeout_s: float = 120.0,
    folder: Path | None = None,
    watch: Callable[[int, Played], None] | None = None,
) -> Standing:
    """Play ``games`` games, colours alternating, pairs of games from the same opening.

    commands: ``{seed}`` in them is replaced by the game's number, and the program is then started
    anew for each game. arbiter: a program that is asked which stones are dead; without it the two
    players are, and where they disagree or do not know, all stones count as alive. opening: random
    moves off the edge before the programs begin.

    A program that plays an illegal move, gives no answer or dies forfeits that game and is started
    anew. Raises UsageFault where a command cannot be started at all.
    """
    standing = Standing()
    running: list[Program | None] = [None, None]
    judge = Program(arbiter, timeout_s=timeout_s) if arbiter else None
    try:
        for number in range(games):
            for side in (0, 1):
                one = running[side]
                if one is None or "{seed}" in commands[side] or not one.running:
                    if one is not None:
                        one.close()
                    command = commands[side].replace("{seed}", str(seed + number))
                    running[side] = Program(command, timeout_s=timeout_s)
            first_is_black = number % 2 == 0
            both = [one for one in running if one is not None]
            start = _opening(rules, opening, seed + number // 2)
            played = _game(both, first_is_black, rules, start, judge)
            standing.games.append(played)
            if played.fault:
                for side in (0, 1):
                    both[side].close()
                    running[side] = None
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
                text = write_record(played.record)
                (folder / f"{number + 1:03}.sgf").write_text(text, encoding="utf-8")
            if watch is not None:
                watch(number, played)
    finally:
        for one in (*running, judge):
            if one is not None:
                one.close()
    return standing


def _opening(rules: Rules, moves: int, seed: int) -> list[int]:
    """Random legal moves away from the edge, the same for the same seed."""
    rng = np.random.default_rng(seed)
    position, found = Position.start(rules), []
    near = 2 if rules.side >= 9 else 1 if rules.side >= 5 else 0
    inner = [
        r * rules.side + c
        for r in range(near, rules.side - near)
        for c in range(near, rules.side - near)
    ]
    for _ in range(moves):
        legal = [point for point in inner if position.legal()[point]]
        if not legal:
            break
        found.append(int(rng.choice(legal)))
        position = position.play_legal(found[-1])
    return found


def _game(
    programs: Sequence[Program],
    first_is_black: bool,
    rules: Rules,
    opening: Sequence[int],
    judge: Program | None,
) -> Played:
    """One game to its end, however it ends."""
    order = (0, 1) if first_is_black else (1, 0)
    seconds, counts = [0.0, 0.0], [0, 0]
    position = Position.start(rules)
    moves: list[tuple[int, int]] = []
    result, fault = "", ""

    def tell(command: str, but: int | None = None) -> None:
        for side, program in enumerate(programs):
            if side != but:
                program.ask(command)

    who = 0
    try:
        for who in (0, 1):
            for command in (f"boardsize {rules.side}", "clear_board", f"komi {rules.komi:g}"):
                programs[who].ask(command)
        while not position.over and len(moves) < 4 * rules.pass_action:
            color = position.turn
            who = order[color - 1]
            if len(moves) < len(opening):
                chosen = opening[len(moves)]
                tell(f"play {'?bw'[color]} {vertex(chosen, rules.side)}")
            else:
                began = time.perf_counter()
                answer = programs[who].ask(f"genmove {'?bw'[color]}")
                seconds[who] += time.perf_counter() - began
                counts[who] += 1
                if answer.lower() == "resign":
                    result = f"{'?WB'[color]}+R"
                    break
                chosen = action(answer, rules.side)
                if not position.legal()[chosen]:
                    raise EngineFailed(f"{programs[who].command}: illegal move {answer}")
                who = 1 - who  # from here on a fault is the other one's
                tell(f"play {'?bw'[color]} {answer}", but=1 - who)
            moves.append((color, chosen))
            position = position.play_legal(chosen)
    except (EngineFailed, Fault) as error:
        fault = str(error)
        result = f"{'WB'[order.index(who)]}+F"
    if not result:
        result = _result(position, programs, judge, moves)
    names = ["", ""]
    for side, program in enumerate(programs):
        names[order.index(side)] = program.command
    record = Record(
        side=rules.side, komi=rules.komi, moves=tuple(moves), result=result,
        details={"PB": names[0], "PW": names[1], "RU": "Chinese"},
    )  # fmt: skip
    black = {BLACK: 1.0, WHITE: 0.0, None: 0.5}[record.winner]
    points = black if first_is_black else 1 - black
    return Played(
        record, first_is_black, points, (seconds[0], seconds[1]), (counts[0], counts[1]), fault
    )


def _result(
    position: Position,
    programs: Sequence[Program],
    judge: Program | None,
    moves: Sequence[tuple[int, int]],
) -> str:
    """Area score after dead stones are taken off, as the judge or both players name them."""
    rules = position.rules
    dead: set[int] = set()
    try:
        if judge is not None:
            for command in (f"boardsize {rules.side}", "clear_board", f"komi {rules.komi:g}"):
                judge.ask(command)
            for color, chosen in moves:
                judge.ask(f"play {'?bw'[color]} {vertex(chosen, rules.side)}")
            dead = _dead_by(judge, rules.side)
        else:
            both = [_dead_by(program, rules.side) for program in programs]
            dead = both[0] if both[0] == both[1] else set()
    except (EngineFailed, Fault):
        dead = set()
    score = position.score(dead)
    return "0" if score == 0 else f"{'B' if score > 0 else 'W'}+{abs(score):g}"


def _dead_by(program: Program, side: int) -> set[int]:
    return {action(name, side) for name in program.ask("final_status_list dead").split()}
