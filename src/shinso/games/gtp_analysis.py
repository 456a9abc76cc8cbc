"""What an analysis by GTP is asked for and how it is told, as Leela Zero (``lz-``) and KataGo (``kata-``)
do it and as boards such as Sabaki and Lizzie read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from shinso.games.gtp_words import COLORS, Refusal, whole
from shinso.games.vertices import vertex

Style = Literal["lz", "kata"]


@dataclass(frozen=True, kw_only=True)
class AnalysisAsked:
    """What an analysis shall show. color: None for who is to move. interval: seconds between reports.
    least, most: how many moves; ownership: of every point too (KataGo's)."""

    color: int | None = None
    interval: float = 1.0
    least: int = 0
    most: int = 0
    ownership: bool = False


def analysis_asked(words: list[str]) -> AnalysisAsked:
    """``[color] [centiseconds] [interval N] [minmoves N] [maxmoves N] [ownership true|false]``, as
    Leela Zero and KataGo read them; a word that is none of these is refused."""
    rest, color = list(words), None
    if rest and rest[0].lower() in COLORS:
        color = COLORS[rest.pop(0).lower()]
    found: dict[str, float] = {}
    if rest and rest[0] not in ("interval", "minmoves", "maxmoves", "ownership"):
        found["interval"] = whole(rest, 0)
        rest = rest[1:]
    while rest:
        name = rest.pop(0)
        if name == "ownership" and rest and rest[0] in ("true", "false"):
            found[name] = rest.pop(0) == "true"
        elif name in ("interval", "minmoves", "maxmoves"):
            found[name] = whole(rest, 0)
            rest.pop(0)
        else:
            raise Refusal("syntax error")
    return AnalysisAsked(
        color=color,
        interval=max(found.get("interval", 100.0) / 100, 0.01),
        least=int(found.get("minmoves", 0)),
        most=int(found.get("maxmoves", 0)),
        ownership=bool(found.get("ownership", False)),
    )


def told(
    findings: Any,
    lines: Sequence[Sequence[int]],
    side: int,
    asked: AnalysisAsked,
    style: Style,
    owners: Sequence[float] | None = None,
) -> str:
    """One line: ``info move …`` for each action, most visits first.

    findings: a search's, seen by the player to move. lines: the best line of each action. Leela Zero
    counts win rates and priors in ten thousandths, KataGo from 0 to 1. owners: of every point, 1
    where it will be the mover's, row by row from the top.
    """
    order = sorted((-int(n), a) for a, n in enumerate(findings.visits) if n)
    some = order[: max(asked.most, asked.least)] if asked.most else order
    if not some:  # a game that is over: a reader still wants a move
        some = [(0, side * side)]
    pieces = []
    for rank, (visits, one) in enumerate(some):
        wins = 0.5 * (1 + float(findings.values[one]))
        prior = float(findings.priors[one])
        if style == "lz":
            numbers = f"winrate {round(10000 * wins)} prior {round(10000 * prior)}"
        else:
            numbers = f"utility {2 * wins - 1:.4f} winrate {wins:.4f} prior {prior:.4f}"
        line = lines[one] if one < len(lines) and len(lines[one]) else [one]
        pv = " ".join(vertex(a, side) for a in line)
        pieces.append(
            f"info move {vertex(one, side)} visits {-visits} {numbers} order {rank} pv {pv}"
        )
    if owners is not None:
        pieces.append("ownership " + " ".join(f"{one:.3f}" for one in owners))
    return " ".join(pieces) + "\n"
