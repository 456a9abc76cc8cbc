"""Matches of two GTP programs: colours alternate, games run side by side, each is kept as it ends, and
a match that was stopped goes on where it was."""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import final

from shinso.games.elo import elo_of
from shinso.games.gtp_client import Program
from shinso.games.match_game import Played, Terms, play_game
from shinso.games.match_kept import Kept
from shinso.intervals import Interval, proportion


@dataclass
class Standing:
    """How a match stands, from the first program's side. games: those that were played, in order."""

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

    @property
    def doubts(self) -> list[str]:
        return [game.doubt for game in self.games if game.doubt]

    def seconds_a_move(self, which: int) -> float:
        total = sum(game.moves[which] for game in self.games)
        return sum(game.seconds[which] for game in self.games) / max(total, 1)


def play_match(
    commands: tuple[str, str],
    *,
    games: int,
    terms: Terms,
    arbiter: str = "",
    seed: int = 0,
    timeout_s: float = 120.0,
    parallel: int = 1,
    kept: Kept | None = None,
    watch: Callable[[int, Played], None] | None = None,
) -> Standing:
    """Play ``games`` games, colours alternating, pairs of games from the same opening.

    commands: ``{seed}`` in them is replaced by the game's number, and the program is then started
    anew for each game. arbiter: a program that is asked which stones are dead; without it the two
    players are, and where they disagree or do not know, all stones count as alive. parallel: games at
    a time, each with programs of its own. kept: where games are kept; those that are there already
    count and are not played again. watch: told of each game that ends, by its number.

    A program that plays an illegal move, gives no answer, dies or oversteps its time loses that game
    and is started anew. Raises UsageFault where a command cannot be started at all.
    """
    done = {} if kept is None else {n: one for n, one in kept.games().items() if n < games}
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(games):
        if number not in done:
            waiting.put(number)
    lanes = [
        _Lane(commands, terms, arbiter, seed, timeout_s)
        for _lane in range(max(1, min(parallel, waiting.qsize())))
    ]
    lock = threading.Lock()

    def run(lane: _Lane) -> None:
        while not lane.stopped.is_set():
            try:
                number = waiting.get_nowait()
            except queue.Empty:
                return
            played = lane.play(number)
            if lane.stopped.is_set():
                return  # its programs were ended: no game, nobody's fault
            with lock:
                done[number] = played
                if kept is not None:
                    kept.add(number, played)
                if watch is not None:
                    watch(number, played)

    threads = ThreadPoolExecutor(len(lanes))
    running = [threads.submit(run, lane) for lane in lanes]
    try:
        wait(running, return_when=FIRST_EXCEPTION)
    finally:
        for lane in lanes:
            lane.close(at_once=not all(one.done() for one in running))
        threads.shutdown()
    for one in running:
        one.result()
    return Standing([done[number] for number in sorted(done)])


@final
class _Lane:
    """Programs that play one game after another."""

    def __init__(
        self,
        commands: tuple[str, str],
        terms: Terms,
        arbiter: str,
        seed: int,
        timeout_s: float,
    ) -> None:
        self.commands = (*commands, arbiter)
        self.terms, self.seed, self.timeout_s = terms, seed, timeout_s
        self.stopped = threading.Event()
        self._running: list[Program | None] = [None, None, None]

    def play(self, number: int) -> Played:
        first, second, judge = (self._program(which, number) for which in range(3))
        assert first is not None
        assert second is not None
        played = play_game(
            (first, second), number % 2 == 0, self.terms, judge=judge, seed=self.seed + number // 2
        )
        if played.fault and not self.stopped.is_set():
            self.close()
        return played

    def _program(self, which: int, number: int) -> Program | None:
        """The program of a seat, started anew where it has to be. None: there is no arbiter."""
        command = self.commands[which]
        if not command:
            return None
        one = self._running[which]
        if one is not None and one.running and "{seed}" not in command:
            return one
        if one is not None:
            one.close()
        command = command.replace("{seed}", str(self.seed + number))
        fresh = self._running[which] = Program(command, timeout_s=self.timeout_s)
        if self.stopped.is_set():  # meanwhile, by another thread
            fresh.kill()
        return fresh

    def close(self, *, at_once: bool = False) -> None:
        """End the programs. at_once: from another thread, in the middle of a game."""
        if at_once:
            self.stopped.set()
        for which, one in enumerate(self._running):
            if one is not None and at_once:
                one.kill()
            elif one is not None:
                one.close()
                self._running[which] = None
