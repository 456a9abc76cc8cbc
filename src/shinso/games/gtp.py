"""GTP 2, the text protocol by which programs play Go (Farnebäck 2002): the engine's side.

``name`` and the other questions about the program are answered before anything heavy is loaded: the
player is made at the first command that needs it. Whatever comes in, an answer by the protocol goes
out: ``=`` or ``?``, the id if there was one, and an empty line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, final, runtime_checkable

from shinso.faults import Fault
from shinso.games.vertices import LARGEST, action, handicap_points, vertex

if TYPE_CHECKING:
    from shinso.games.go import Position

Line = Callable[[str], None]


class Clock:
    """What is left of a player's time: main time, then periods of so many stones.

    seconds: left now; stones: still to play in this period, 0 in main time.
    """

    def __init__(self) -> None:
        self.main = self.period = 0.0
        self.stones = 0
        self.left: dict[int, tuple[float, int]] = {}

    def set(self, main: float, period: float, stones: int) -> None:
        self.main, self.period, self.stones = main, period, stones
        self.left = {}

    def tell(self, color: int, seconds: float, stones: int) -> None:
        self.left[color] = (max(seconds, 0.0), stones)

    def budget_s(self, color: int, moves_left: int) -> float | None:
        """Seconds for the next move, a little less than the share that keeps the clock from running
        out; None without a clock. moves_left: own moves that main time must still be enough for."""
        if not self.main and not self.period and color not in self.left:
            return None
        if self.period and not self.stones and not self.left:
            return None  # GTP: byo-yomi time without stones means no limit
        seconds, stones = self.left.get(color, (self.main, 0))
        if not self.left and not self.main:
            seconds, stones = self.period, self.stones
        share = seconds / (stones or max(moves_left, 8))
        if not stones and self.stones:
            share = max(share, min(seconds, self.period / self.stones))
        return max(0.01, 0.9 * share - 0.05)


@runtime_checkable
class Player(Protocol):
    """Who thinks. ``games`` knows none: a search brings one."""

    def genmove(self, position: Position, moves: list[int], seconds: float | None) -> Any:
        """A ``Choice``-like answer: ``action``, ``resigns`` and ``findings``."""
        ...

    def analyze(
        self, position: Position, moves: list[int], seconds: float
    ) -> tuple[Any, list[list[int]]]:
        """Findings after ``seconds`` more, and for each action the best line that begins with it."""
        ...

    def ownership(self, position: Position) -> Any:
        """Chance of each point to be Black's at the end, from −1 to 1."""
        ...


@final
class Engine:
    """One game, spoken to line by line."""

    def __init__(self, make_player: Callable[[], Player], *, version: str, side: int = 9) -> None:
        self.make_player, self.version = make_player, version
        self.side, self.komi = side, 7.0
        self.clock = Clock()
        self.setup: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
        self.moves: list[tuple[int, int]] = []  # (colour, action)
        self._positions: list[Position] = []
        self._player: Player | None = None
        self.done = False
        self._stop: Callable[[], bool] = lambda: True

    # The conversation

    def converse(
        self, lines: Iterable[str], *, waiting: Callable[[], bool] | None = None
    ) -> Iterator[str]:
        """The answer to each line. waiting: whether a next line has come, which ends an analysis."""
        self._stop = waiting or self._stop
        for line in lines:
            yield from self.answer(line)
            if self.done:
                return

    def answer(self, line: str) -> Iterator[str]:
        """Pieces of the answer to one line; nothing for an empty line or a comment."""
        text = re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", line.replace("\t", " ")).split("#")[0]
        words = text.split()
        if not words:
            return
        number = words.pop(0) if words[0].isascii() and words[0].isdigit() else ""
        name = words.pop(0) if words else ""
        run = getattr(self, "do_" + name.replace("-", "_"), None) if name else None
        if run is None or not re.fullmatch(r"[a-z_\-]+", name):
            yield f"?{number} unknown command\n\n"
            return
        try:
            found = run(words)
            if isinstance(found, str):
                yield f"={number}" + (f" {found}" if found else "") + "\n\n"
                return
            yield f"={number}\n"
            yield from found
            yield "\n"
        except Refusal as refusal:
            yield f"?{number} {refusal}\n\n"
        except Fault as fault:
            told = "; ".join(fault.text().split("\n"))
            yield f"?{number} {told}\n\n"
        except Exception as error:  # a bug of ours must not end the game
            yield f"?{number} internal error: {type(error).__name__}: {error}\n\n"

    # About the program

    def do_protocol_version(self, _words: list[str]) -> str:
        return "2"

    def do_name(self, _words: list[str]) -> str:
        return "shinso"

    def do_version(self, _words: list[str]) -> str:
        return self.version

    def do_known_command(self, words: list[str]) -> str:
        return "true" if words and words[0] in self._commands() else "false"

    def do_list_commands(self, _words: list[str]) -> str:
        return "\n".join(self._commands())

    def _commands(self) -> list[str]:
        dashed = {"lz_analyze": "lz-analyze", "kgs_genmove_cleanup": "kgs-genmove_cleanup"}
        names = (name[3:] for name in dir(self) if name.startswith("do_"))
        return sorted(dashed.get(name, name) for name in names)

    def do_quit(self, _words: list[str]) -> str:
        self.done = True
        return ""

    # The game

    def do_boardsize(self, words: list[str]) -> str:
        side = _whole(words, 0)
        if not 2 <= side <= LARGEST:
            raise Refusal("unacceptable size")
        self.side = side
        return self.do_clear_board([])

    def do_clear_board(self, _words: list[str]) -> str:
        self.setup, self.moves, self._positions = ((), ()), [], []
        return ""

    def do_komi(self, words: list[str]) -> str:
        komi = _number(words, 0)
        if not abs(komi) <= 2 * LARGEST**2:
            raise Refusal("syntax error")
        self.komi = komi
        self._positions = [one.with_komi(komi) for one in self._positions]
        return ""

    def do_play(self, words: list[str]) -> str:
        color, point = _color(words, 0), self._action(words, 1)
        position = self.position.with_turn(color)
        if not position.legal()[point]:
            raise Refusal("illegal move")
        self._append(color, point, position)
        return ""

    def do_genmove(self, words: list[str]) -> str:
        return self._genmove(words, played=True)

    def do_reg_genmove(self, words: list[str]) -> str:
        return self._genmove(words, played=False)

    def do_kgs_genmove_cleanup(self, words: list[str]) -> str:
        """Dead stones must go from the board: shinso counts all stones as alive anyway."""
        return self._genmove(words, played=True)

    def do_undo(self, _words: list[str]) -> str:
        if not self.moves:
            raise Refusal("cannot undo")
        self.moves.pop()
        if len(self._positions) > 1:
            self._positions.pop()
        return ""

    def do_fixed_handicap(self, words: list[str]) -> str:
        stones = _whole(words, 0)
        try:
            points = handicap_points(stones, self.side)
        except ValueError:
            raise Refusal("invalid number of stones") from None
        return self._set_handicap(points)

    def do_place_free_handicap(self, words: list[str]) -> str:
        most = 9 if self.side % 2 else 4
        return self.do_fixed_handicap([str(min(_whole(words, 0), most))])

    def do_set_free_handicap(self, words: list[str]) -> str:
        points = [self._action(words, number) for number in range(len(words))]
        if len(points) < 2 or len(set(points)) < len(points) or self.side**2 in points:
            raise Refusal("bad vertex list")
        return self._set_handicap(points)

    def do_time_settings(self, words: list[str]) -> str:
        main, period, stones = _number(words, 0), _number(words, 1), _whole(words, 2)
        if min(main, period, stones) < 0:
            raise Refusal("syntax error")
        self.clock.set(main, period, stones)
        return ""

    def do_time_left(self, words: list[str]) -> str:
        self.clock.tell(_color(words, 0), _number(words, 1), _whole(words, 2))
        return ""

    def do_loadsgf(self, words: list[str]) -> str:
        """Put up the main line of a file, up to before a move if one is named."""
        from shinso.games.record import read_record

        if not words:
            raise Refusal("syntax error")
        upto = _whole(words, 1) if len(words) > 1 else 10**9
        try:
            record = read_record(Path(words[0]))
            positions = list(record.positions(self.komi))[: max(upto, 1)]
        except OSError:
            raise Refusal("cannot load file") from None
        self.side = record.side
        self.komi = positions[0].rules.komi
        self.setup = (record.black, record.white)
        self.moves = list(record.moves[: len(positions) - 1])
        self._positions = [_with_superko(one) for one in positions]
        return ""

    # What is asked of a position

    def do_showboard(self, _words: list[str]) -> str:
        return "\n" + str(self.position)

    def do_final_score(self, _words: list[str]) -> str:
        score = self.position.score(self._dead())
        return "0" if score == 0 else f"{'B' if score > 0 else 'W'}+{abs(score):g}"

    def do_final_status_list(self, words: list[str]) -> str:
        status = words[0].lower() if words else ""
        if status not in ("alive", "dead", "seki"):
            raise Refusal("syntax error")
        dead = self._dead()
        stones = {p for p, color in enumerate(self.position.stones) if color}
        wanted = {"dead": dead, "alive": stones - dead, "seki": set()}[status]
        return " ".join(vertex(p, self.side) for p in sorted(wanted))

    def do_lz_analyze(self, words: list[str]) -> Iterator[str]:
        """``lz-analyze [color] [centiseconds]``: a line of ``info move …`` each interval, until the
        next command comes."""
        color = self.position.turn
        if words and words[0].lower() in ("b", "w", "black", "white"):
            color = _color(words, 0)
            words = words[1:]
        interval = max(_whole(words, 0) / 100, 0.01) if words else 1.0
        return self._analysis(self.position.with_turn(color), interval)

    def _analysis(self, position: Position, interval: float) -> Iterator[str]:
        while True:
            found, lines = self.player.analyze(position, self._actions(), interval)
            order = sorted((-int(n), a) for a, n in enumerate(found.visits) if n)
            pieces = []
            for rank, (visits, one) in enumerate(order):
                pv = " ".join(vertex(a, self.side) for a in lines[one])
                pieces.append(
                    f"info move {vertex(one, self.side)} visits {-visits} "
                    f"winrate {round(5000 * (1 + float(found.values[one])))} "
                    f"prior {round(10000 * float(found.priors[one]))} order {rank} pv {pv}"
                )
            yield " ".join(pieces) + "\n"
            if self._stop():
                return

    # The parts

    @property
    def position(self) -> Position:
        """The board as it stands."""
        if not self._positions:
            from shinso.games.go import Position, Rules

            rules = Rules(side=self.side, komi=self.komi)
            turn = 2 if self.setup[0] else 1
            self._positions = [Position.start(rules, *self.setup, turn=turn)]
        return self._positions[-1]

    @property
    def player(self) -> Player:
        if self._player is None:
            self._player = self.make_player()
        return self._player

    def _actions(self) -> list[int]:
        return [point for _color, point in self.moves]

    def _append(self, color: int, point: int, position: Position) -> None:
        self.moves.append((color, point))
        self._positions.append(position.play_legal(point))

    def _genmove(self, words: list[str], *, played: bool) -> str:
        color = _color(words, 0)
        position = self.position.with_turn(color)
        left = max((self.side**2 - len(self.moves)) // 2, 8)
        budget = self.clock.budget_s(color, left)
        choice = self.player.genmove(position, self._actions(), budget)
        if choice.resigns:
            return "resign"
        if played:
            self._append(color, choice.action, position)
        return vertex(choice.action, self.side)

    def _action(self, words: list[str], at: int) -> int:
        try:
            return action(words[at], self.side)
        except (IndexError, Fault):
            raise Refusal("invalid color or coordinate") from None

    def _set_handicap(self, points: list[int]) -> str:
        if self.moves or any(self.setup):
            raise Refusal("board not empty")
        self.setup, self._positions = (tuple(points), ()), []
        return " ".join(vertex(p, self.side) for p in points)

    def _dead(self) -> set[int]:
        """Stones whose points will probably be the other's."""
        owners, stones = self.player.ownership(self.position), self.position.stones
        sign = {1: 1, 2: -1}
        return {p for p, c in enumerate(stones) if c and owners[p] * sign[int(c)] < -0.4}


class Refusal(Exception):
    """An answer that begins with ``?``."""


def _with_superko(position: Position) -> Position:
    from dataclasses import replace

    from shinso.games.go import Position as Made

    return Made(replace(position.rules, ko="positional"), position.board, position.seen)


def _color(words: list[str], at: int) -> int:
    found = (
        {"b": 1, "black": 1, "w": 2, "white": 2}.get(words[at].lower()) if len(words) > at else None
    )
    if found is None:
        raise Refusal("invalid color or coordinate")
    return found


def _whole(words: list[str], at: int) -> int:
    number = _number(words, at)
    if not number.is_integer():
        raise Refusal("syntax error")
    return int(number)


def _number(words: list[str], at: int) -> float:
    try:
        found = float(words[at])
    except (IndexError, ValueError):
        raise Refusal("syntax error") from None
    if found != found or abs(found) > 1e9:
        raise Refusal("syntax error")
    return found
