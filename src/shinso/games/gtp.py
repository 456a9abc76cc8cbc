"""GTP 2, the text protocol by which programs play Go (Farnebäck 2002): the engine's side.

``name`` and the other questions about the program are answered before anything heavy is loaded: the
player is made at the first command that needs it, or where a clock is set, which must not run while
weights are loaded. Whatever comes in, an answer by the protocol goes out: ``=`` or ``?``, the id if
there was one, and an empty line.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from shinso.faults import Fault
from shinso.games.clock import Clock
from shinso.games.gtp_analysis import AnalysisAsked, Style, analysis_asked, told
from shinso.games.gtp_conversation import Conversation
from shinso.games.gtp_words import Refusal, action_of, color_of, number_of, whole
from shinso.games.player import Player
from shinso.games.vertices import LARGEST, handicap_points, vertex

if TYPE_CHECKING:
    from shinso.games.go import Position


@final
class Engine(Conversation):
    """One game, spoken to line by line."""

    def __init__(self, make_player: Callable[[], Player], *, version: str, side: int = 9) -> None:
        super().__init__(version)
        self.make_player = make_player
        self.side, self.komi = side, 7.0
        self.clock = Clock()
        self.setup: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
        self.moves: list[tuple[int, int]] = []  # (colour, action)
        self._positions: list[Position] = []
        self._player: Player | None = None
        self._found: Any = None  # by the search for the last move

    # The game

    def do_boardsize(self, words: list[str]) -> str:
        side = whole(words, 0)
        if not 2 <= side <= LARGEST:
            raise Refusal("unacceptable size")
        self.side = side
        return self.do_clear_board([])

    def do_clear_board(self, _words: list[str]) -> str:
        self.setup, self.moves, self._positions = ((), ()), [], []
        self.clock.restart()
        return ""

    def do_komi(self, words: list[str]) -> str:
        komi = number_of(words, 0)
        if not abs(komi) <= 2 * LARGEST**2:
            raise Refusal("syntax error")
        self.komi = komi
        self._positions = [one.with_komi(komi) for one in self._positions]
        return ""

    def do_play(self, words: list[str]) -> str:
        color, point = color_of(words, 0), action_of(words, 1, self.side)
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
        stones = whole(words, 0)
        try:
            points = handicap_points(stones, self.side)
        except ValueError:
            raise Refusal("invalid number of stones") from None
        return self._set_handicap(points)

    def do_place_free_handicap(self, words: list[str]) -> str:
        most = 9 if self.side % 2 else 4
        return self.do_fixed_handicap([str(min(whole(words, 0), most))])

    def do_set_free_handicap(self, words: list[str]) -> str:
        points = [action_of(words, number, self.side) for number in range(len(words))]
        if len(points) < 2 or len(set(points)) < len(points) or self.side**2 in points:
            raise Refusal("bad vertex list")
        return self._set_handicap(points)

    def do_time_settings(self, words: list[str]) -> str:
        main, period, stones = number_of(words, 0), number_of(words, 1), whole(words, 2)
        if min(main, period, stones) < 0:
            raise Refusal("syntax error")
        self.clock.set(main, period, stones)
        return self._made_ready()

    def do_kgs_time_settings(self, words: list[str]) -> str:
        """``none``, ``absolute S``, ``canadian S PERIOD STONES`` or ``byoyomi S PERIOD PERIODS``."""
        kind = words[0].lower() if words else ""
        count = {"none": 0, "absolute": 1, "byoyomi": 3, "canadian": 3}.get(kind)
        if count is None:
            raise Refusal("syntax error")
        given = [number_of(words, 1 + n) for n in range(count)] + [0.0] * (3 - count)
        if min(given) < 0 or (count == 3 and (given[1] <= 0 or given[2] < 1)):
            raise Refusal("syntax error")
        self.clock.set(given[0], given[1], int(given[2]), byoyomi=kind == "byoyomi")
        return self._made_ready()

    def _made_ready(self) -> str:
        """Weights are loaded before a clock runs. A fault of theirs is told at the first move."""
        if self.clock.settings.limited:
            with contextlib.suppress(Fault):
                self.player.ready(self.position)
        return ""

    def do_time_left(self, words: list[str]) -> str:
        self.clock.tell(color_of(words, 0), number_of(words, 1), whole(words, 2))
        return ""

    def do_loadsgf(self, words: list[str]) -> str:
        """Put up the main line of a file, up to before a move if one is named."""
        from shinso.games.record import read_record

        if not words:
            raise Refusal("syntax error")
        path, upto = Path(" ".join(words)), 10**9
        # Names with blanks are no GTP, but files have them.
        if len(words) > 1 and not path.exists():
            path, upto = Path(" ".join(words[:-1])), whole(words, len(words) - 1)
        try:
            record = read_record(path)
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

    def do_printsgf(self, _words: list[str]) -> str:
        """The game so far as SGF, as GNU Go gives it."""
        from shinso.games.record import Record, write_record

        (black, white), _last = self.setup, self.position
        return "\n" + write_record(
            Record(
                side=self.side, komi=self.komi, handicap=0 if white else len(black), black=black,
                white=white, turn=self._positions[0].turn,
                moves=tuple(self.moves), details={"AP": f"shinso:{self.version}"},
            )
        ).strip()  # fmt: skip

    def do_lz_analyze(self, words: list[str]) -> Iterator[str]:
        """``lz-analyze [color] [centiseconds]``: a line of ``info move …`` each interval, until the
        next command comes."""
        return self._analysis(analysis_asked(words), "lz")

    def do_kata_analyze(self, words: list[str]) -> Iterator[str]:
        """The same as KataGo tells it, with ``ownership true`` that of every point too."""
        return self._analysis(analysis_asked(words), "kata")

    def do_lz_genmove_analyze(self, words: list[str]) -> Iterator[str]:
        """A move, and what the search found: ``info move …`` and ``play D4``."""
        asked = analysis_asked(words)
        color = asked.color or self.position.turn
        move = self._genmove(["", "b", "w"][color : color + 1], played=True)
        return iter([self._last_told(asked), f"play {move}\n"])

    def _last_told(self, asked: AnalysisAsked) -> str:
        found = self._found
        return "" if found is None else told(found, [], self.side, asked, "lz")

    def _analysis(self, asked: AnalysisAsked, style: Style) -> Iterator[str]:
        position = self.position
        position = position.with_turn(asked.color or position.turn)
        owners = None
        if asked.ownership and style == "kata":
            own = 3 - 2 * position.turn
            owners = [own * float(one) for one in self.player.ownership(position)]
        while True:
            found, lines = self.player.analyze(
                position, self._actions(), asked.interval, stop=self._stop
            )
            yield told(found, lines, self.side, asked, style, owners)
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
        color = color_of(words, 0)
        began = time.perf_counter()
        position, player = self.position.with_turn(color), self.player
        left = (self.side**2 - len(self.moves)) // 2
        budget = self.clock.budget_s(color, left)
        if budget is not None:  # what loading took is gone already
            budget = max(0.01, budget - (time.perf_counter() - began))
        choice = player.genmove(position, self._actions(), budget)
        self._found = choice.findings
        if played:
            # A referee's ``time_left`` says it better; without one this is all that is known.
            self.clock.spend(color, time.perf_counter() - began)
        if choice.resigns:
            return "resign"
        if played:
            self._append(color, choice.action, position)
        return vertex(choice.action, self.side)

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


def _with_superko(position: Position) -> Position:
    from dataclasses import replace

    from shinso.games.go import Position as Made

    return Made(replace(position.rules, ko="positional"), position.board, position.seen)
