"""Makes ``go7.tar.gz``: games of shinso's own rollout search on 7×7, two random moves first.

python -m tests.golden.regenerate_go_sample
"""

from __future__ import annotations

import gzip
import io
import tarfile

import numpy as np

from shinso.data import samples
from shinso.games.go import BLACK, Position, Rules
from shinso.games.record import Record, write_record
from shinso.search.decision import decide
from shinso.search.rollout_search import RolloutSearch

GAMES, SIMULATIONS, LONGEST = 300, 800, 100
RULES = Rules(side=7, komi=5.0)


def game(seed: int) -> Record:
    """One whole game, the same for the same seed."""
    rng = np.random.default_rng(seed)
    search = RolloutSearch(
        RolloutSearch.Config(simulations=SIMULATIONS, nodes=60_000), seed=seed + 1
    )
    position = Position.start(RULES)
    moves: list[tuple[int, int]] = []
    while not position.over and len(moves) < LONGEST:
        if len(moves) < 2:
            inner = [r * 7 + c for r in range(1, 6) for c in range(1, 6)]
            action = int(rng.choice([a for a in inner if position.legal()[a]]))
        else:
            action = decide(position, search.search(position)).action
        moves.append((position.turn, action))
        position = position.play_legal(action)
    score = position.score()
    winner = "0" if score == 0 else f"{'B' if score > 0 else 'W'}+{abs(score):g}"
    return Record(side=7, komi=RULES.komi, turn=BLACK, moves=tuple(moves), result=winner)


def packed(games: int = GAMES) -> bytes:
    """The archive; every tenth game is in valid, the next in test."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as archive,
    ):
        for number in range(games):
            part = {0: "valid", 1: "test"}.get(number % 10, "train")
            content = write_record(game(number)).encode()
            entry = tarfile.TarInfo(f"{part}/{number:03}.sgf")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


if __name__ == "__main__":
    (samples.FOLDER / "go7.tar.gz").write_bytes(packed())
