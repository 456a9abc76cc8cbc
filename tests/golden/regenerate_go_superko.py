"""Makes ``go_superko.json``: random games on small boards up to a position where positional superko, and
not the simple rule of ko, forbids a move. Found by the plain reference alone, never by the engine.

python -m tests.golden.regenerate_go_superko
"""

from __future__ import annotations

import json
import random
from pathlib import Path

from tests.games.plain_go import PlainGo

PATH = Path(__file__).with_name("go_superko.json")
GAMES, LONGEST = 40, 60


def one_game(seed: int) -> dict[str, object] | None:
    rng = random.Random(seed)
    side = rng.choice([2, 3, 3, 4, 4])
    game = PlainGo(side)
    moves: list[int] = []
    while len(moves) < LONGEST:
        legal = game.legal()
        simple = PlainGo(side, superko=False)
        simple.stones, simple.turn, simple.ko = game.stones, game.turn, game.ko
        forbidden = sorted(set(simple.legal()) - set(legal))
        if forbidden:
            return {"side": side, "moves": moves, "forbidden": forbidden, "legal": legal}
        # A pass now and then: superko sees through it.
        stones = [one for one in legal if one != side * side]
        action = rng.choice(stones) if stones and rng.random() < 0.9 else side * side
        game.play(action)
        moves.append(action)
    return None


if __name__ == "__main__":
    found = [one for seed in range(3 * GAMES) if (one := one_game(seed))][:GAMES]
    PATH.write_text("[\n" + ",\n".join(map(json.dumps, found)) + "\n]\n", encoding="utf-8")
    print(len(found), PATH.name)
