"""From what a search found to the move that is played: passing, resigning, never undoing a won end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shinso.games.go import BLACK, Position
from shinso.search.findings import Findings

HOPELESS = -0.9
"""Mean result under which it makes no difference how a game is lost."""


@dataclass(frozen=True)
class Choice:
    """action: what to play; resigns: give up instead; findings: what the search said, if asked."""

    action: int
    resigns: bool = False
    findings: Findings | None = None


def wins_by_passing(position: Position) -> bool:
    """Whether a pass ends the game and the player to move has won, every stone counted as alive."""
    score = position.score()
    return position.passes == 1 and (score > 0 if position.turn == BLACK else score < 0)


def _lost_by_passing(position: Position) -> bool:
    """Whether two passes now would lose for the player to move, every stone counted as alive.

    A search of few simulations looks at the answer to a pass too seldom to see it.
    """
    score = position.score()
    return score < 0 if position.turn == BLACK else score > 0


def decide(
    position: Position,
    findings: Findings,
    *,
    resign_below: float = -1.0,
    temperature: float = 0.0,
    rng: np.random.Generator | None = None,
) -> Choice:
    """The action visited most among those outside of safe areas; a pass where that ends a won game, and
    none that the other player may answer with a pass and win by, as long as a move promises more.

    resign_below: resign where the expected result (−1 … 1) of the best action is lower. temperature:
    draw an action with chances in proportion to visits^(1/temperature); 0 takes the most visited.
    """
    if wins_by_passing(position):
        return Choice(position.rules.pass_action, findings=findings)
    visits = np.where(position.sensible(), findings.visits, 0).astype(float)
    if visits.sum() == 0:
        return Choice(position.rules.pass_action, findings=findings)
    promising = findings.values[:-1][visits[:-1] > 0]
    if _lost_by_passing(position) and (promising > HOPELESS).any():
        visits[-1] = 0
    if temperature > 0 and rng is not None:
        chances = (visits / visits.max()) ** (1 / temperature)
        action = int(rng.choice(len(chances), p=chances / chances.sum()))
    else:
        action = int(np.lexsort((findings.values, visits))[-1])
    hopeless = float(findings.values[action]) < resign_below
    return Choice(action, resigns=hopeless, findings=findings)
