"""The Go board of ``shinso ui`` and ``shinso go play``: what its page asks of the server.

The page holds the game, the server holds none: each question brings all moves, so nothing is lost
when either of them is started anew. What is asked is read by pydantic and then by the rules; a move
that they forbid is answered with its fault.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request

from shinso.faults import UsageFault
from shinso.games.go import Position, Rules
from shinso.games.record import Record, record_of, write_record
from shinso.games.sgf import parse, parse_bytes
from shinso.games.vertices import handicap_points, vertex
from shinso.language import _

HINTS = 6
DEAD_BELOW = -0.4
"""Stones whose points are expected to be the other's by more than this are taken to be dead."""


class Asked(BaseModel):
    """What every question of the page brings."""

    model_config = ConfigDict(extra="forbid", strict=False)


class Game(Asked):
    """A whole game. moves: (colour, action) with Black as 1; black, white: stones set up before."""

    side: int = Field(9, ge=2, le=19)
    komi: float = Field(7.0, ge=-400, le=400, allow_inf_nan=False)
    ko: Literal["positional", "simple"] = "positional"
    black: list[int] = Field(default=[], max_length=361)
    white: list[int] = Field(default=[], max_length=361)
    turn: Literal[1, 2] = 1
    moves: list[tuple[Literal[1, 2], int]] = Field(default=[], max_length=2000)
    result: str = Field(default="", max_length=40)

    def position(self) -> Position:
        """The board after all moves; UsageFault GO-SETUP or GO-ILLEGAL."""
        rules = Rules(side=self.side, komi=self.komi, ko=self.ko)
        position = Position.start(rules, self.black, self.white, self.turn)
        for color, action in self.moves:
            position = position.with_turn(color).play(action)
        return position

    @property
    def actions(self) -> list[int]:
        return [action for _color, action in self.moves]


class Question(Asked):
    """seconds: to think, for those questions that ask for thought."""

    game: Game
    seconds: float = Field(1.0, ge=0.05, le=60, allow_inf_nan=False)


class NewGame(Asked):
    side: int = Field(9, ge=2, le=19)
    komi: float = Field(7.0, ge=-400, le=400, allow_inf_nan=False)
    handicap: int = Field(0, ge=0, le=9)


class SgfFile(Asked):
    """text, or the file's content in base64, whose encoding is then found out."""

    text: str = Field("", max_length=500_000)
    content: Base64Bytes = Field(b"", max_length=700_000)


def state_of(game: Game) -> dict[str, Any]:
    """The board as it stands: stones row by row from the top, whose turn, what is legal."""
    position = game.position()
    stones = position.stones
    black, white = (
        len(setup) + sum(c == color and a < len(stones) for c, a in game.moves)
        for color, setup in ((1, game.black), (2, game.white))
    )
    return {
        "stones": stones.tolist(),
        "turn": position.turn,
        "legal": np.flatnonzero(position.legal()).tolist(),
        "over": position.over,
        "captured": {
            "black": black - int((stones == 1).sum()),
            "white": white - int((stones == 2).sum()),
        },
    }


def new_game(asked: NewGame) -> Game:
    """The start of a game; UsageFault GO-HANDICAP where the board has no such places."""
    if asked.handicap < 2:
        return Game(side=asked.side, komi=asked.komi)
    try:
        black = handicap_points(asked.handicap, asked.side)
    except ValueError as error:
        raise UsageFault(
            "GO-HANDICAP", place=f"{asked.side}×{asked.side}", found=str(asked.handicap),
            why=_("this board has no places for so many stones"),
        ) from error  # fmt: skip
    return Game(side=asked.side, komi=asked.komi, black=black, turn=2)


def read_sgf(given: str | bytes) -> Game:
    """The main line of the first game; DataFault with code and place where the text is damaged."""
    games = parse(given, "SGF") if isinstance(given, str) else parse_bytes(given, "SGF")
    record = record_of(games[0], "SGF")
    first, *_rest = record.positions()  # every move is tried
    return Game(
        side=record.side,
        komi=first.rules.komi,
        ko="simple",
        black=list(record.black),
        white=list(record.white),
        turn=1 if record.turn == 1 else 2,
        moves=[(1 if color == 1 else 2, action) for color, action in record.moves],
        result=record.result[:40],
    )


def write_sgf(game: Game) -> str:
    """The game as a file; UsageFault where it is none."""
    game.position()
    record = Record(
        side=game.side, komi=game.komi, black=tuple(game.black), white=tuple(game.white),
        handicap=0 if game.white else len(game.black), turn=game.turn,
        moves=tuple(game.moves), result=game.result, details={"AP": "shinso"},
    )  # fmt: skip
    return write_record(record)


def move_of(player: Any, asked: Question) -> dict[str, Any]:
    """What the player plays, and Black's chance to win as it sees it."""
    game = asked.game
    position = game.position()
    choice = player.genmove(position, game.actions, asked.seconds)
    found = choice.findings
    wins = None
    if found is not None and found.visits.any():
        wins = _black(float(found.values[choice.action]), position.turn)
    return {"action": choice.action, "resigns": choice.resigns, "black_wins": wins}


def look_of(player: Any, asked: Question) -> dict[str, Any]:
    """The moves that a search finds best, Black's chance to win, and whose points will be."""
    game = asked.game
    position = game.position()
    found = player.look(position, game.actions, asked.seconds)
    lines = player.searching.lines()
    order = np.lexsort((-found.values, -found.visits))[:HINTS]
    total = max(int(found.visits.sum()), 1)
    hints = [
        {
            "action": int(action),
            "name": vertex(int(action), game.side),
            "share": int(found.visits[action]) / total,
            "wins": 0.5 + 0.5 * float(found.values[action]),
            "line": [vertex(a, game.side) for a in (lines[action] if action < len(lines) else [])],
        }
        for action in order
        if found.visits[action]
    ]
    value = float(found.values[found.best]) if found.visits.any() else found.value
    return {
        "hints": hints,
        "black_wins": _black(value, position.turn),
        "owners": player.ownership(position).tolist(),
        "simulations": found.simulations,
    }


def score_of(player: Any, game: Game) -> dict[str, Any]:
    """The final score, stones that will probably be taken counted as dead."""
    position = game.position()
    owners, stones = player.ownership(position), position.stones
    sign = np.array([0, 1, -1])[stones]
    dead = np.flatnonzero((stones > 0) & (owners * sign < DEAD_BELOW)).tolist()
    score = position.score(dead)
    result = "0" if score == 0 else f"{'B' if score > 0 else 'W'}+{abs(score):g}"
    return {"result": result, "dead": dead, "owners": owners.tolist()}


def _black(value: float, turn: int) -> float:
    wins = 0.5 + 0.5 * value
    return wins if turn == 1 else 1 - wins


def add_board(app: Any, site: Any, make_player: Callable[[], Any]) -> None:
    """Put the board's page and its questions into an application.

    site: what the pages have in common (``ui.Site``). make_player: called when a first thought is
    asked for; one thought at a time.
    """
    from starlette.responses import JSONResponse

    from shinso.serve.refusals import misread

    thinking = asyncio.Lock()
    players: list[Any] = []

    async def asked(request: Request, kind: Any) -> Any:
        site.check_token(request)
        return kind.model_validate_json(await request.body())

    async def thought(work: Callable[[Any], Any]) -> Any:
        def run() -> Any:
            if not players:
                players.append(make_player())
            return work(players[0])

        async with thinking:
            return JSONResponse(await asyncio.to_thread(run))

    @app.exception_handler(ValidationError)
    async def wrong(_request: Request, error: ValidationError) -> Any:
        return JSONResponse(misread(error, "POST /go/new"), 422)

    @app.get("/go")
    async def board(request: Request) -> Any:
        return site.page(request, "go.html.j2")

    @app.post("/go/new")
    async def new(request: Request) -> Any:
        return JSONResponse(new_game(await asked(request, NewGame)).model_dump())

    @app.post("/go/state")
    async def state(request: Request) -> Any:
        return JSONResponse(state_of(await asked(request, Game)))

    @app.post("/go/read")
    async def read(request: Request) -> Any:
        file = await asked(request, SgfFile)
        return JSONResponse(read_sgf(file.text or file.content).model_dump())

    @app.post("/go/write")
    async def write(request: Request) -> Any:
        return JSONResponse({"text": write_sgf(await asked(request, Game))})

    @app.post("/go/move")
    async def move(request: Request) -> Any:
        question = await asked(request, Question)
        return await thought(lambda player: move_of(player, question))

    @app.post("/go/look")
    async def look(request: Request) -> Any:
        question = await asked(request, Question)
        return await thought(lambda player: look_of(player, question))

    @app.post("/go/score")
    async def score(request: Request) -> Any:
        game = await asked(request, Game)
        return await thought(lambda player: score_of(player, game))
