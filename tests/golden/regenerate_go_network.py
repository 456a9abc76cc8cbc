"""Makes the network that ships with shinso, and the record of its training, of a run of alphago-zero.

python -m tests.golden.regenerate_go_network RUN [--mixture M] [--rollouts N]
python -m tests.golden.regenerate_go_network --match FOLDER [--match FOLDER …]

mixture, rollouts: with which share of how many rollouts it plays best, as matches have shown. The
weights are kept in half precision, which is what it is asked in anyway. The second form writes into
the record what matches of it have shown (folders of ``shinso go match … -o FOLDER`` whose first
program it was).
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from shinso.games.go import Go, Position, Rules
from shinso.games.go_planes_numba import ZERO_PLANES, zero_planes_of
from shinso.games.match import Standing
from shinso.games.match_kept import AGREED, Kept
from shinso.models.go_network import NetworkEvaluator
from shinso.models.go_pooled_network import PooledGoNetwork
from shinso.recipes.uses.go_agent import SHIPPED, WEIGHTS
from shinso.runs.checkpoint import save_weights
from shinso.runs.metrics import MetricsLog
from shinso.walk.run import Run

ENVIRONMENT = ("versions", "platform", "processor", "device", "threads", "git_commit")
LOOKED_AT = ("step", "elo", "elo_half_width", "points_against_rollouts", "games_played")


def record_of(run: Run, model: PooledGoNetwork, play: dict[str, float]) -> dict[str, Any]:
    """What the record says before matches; ``write_network`` adds the weights' sum."""
    env = run.folder.read_json("env.json")
    *before, last = stages_of(run)
    return {
        "name": SHIPPED,
        "license": "MIT",
        "network": {
            "filters": model.config.filters, "blocks": model.config.blocks, "side": model.side
        },
        "play": play,
        "trained": {
            "from": "random weights, by games against itself alone",
            "before": before,
            **last,
            "komi": run.facts["komi"],
            "rules": "area scoring, positional superko, no suicide",
            "parameters": sum(one.numel() for one in model.parameters()),
            "environment": {name: env[name] for name in ENVIRONMENT if name in env},
        },
        "matches": [],
    }  # fmt: skip


def stages_of(run: Run) -> list[dict[str, Any]]:
    """Command and looks of the run, after those of the run that it began as."""
    folder, start = run.folder, run.order.config.start  # pyright: ignore[reportAttributeAccessIssue]
    rows = MetricsLog(folder.path / "seed0" / "metrics.jsonl").rows()
    looked = [row for row in rows if row["part"] == "valid"]
    command = (folder.path / "command.txt").read_text("utf-8").strip()
    command = re.sub(r" --runs \S+", "", command)
    own = {
        "command": re.sub(r" --start \S+", " --start RUN", command),
        "looks": [{name: row[name] for name in LOOKED_AT if name in row} for row in looked],
    }
    return [*([] if start is None else stages_of(Run.open(start))), own]


def write_network(model: PooledGoNetwork, record: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Weights in half precision and their record; the record as it was written.

    ValueError where half precision changes what the network says by more than a twentieth.
    """
    small = copy.deepcopy(model).half()
    if not all(torch.isfinite(one).all() for one in small.state_dict().values()):
        raise ValueError("a weight is too large for half precision")
    apart = _furthest(model, copy.deepcopy(small).float())
    if apart > 0.05:
        raise ValueError(f"half precision changes the network's answers by {apart:.3f}")
    folder.mkdir(exist_ok=True)
    path = folder / f"{SHIPPED}.safetensors"
    save_weights(path, small)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    found = {**record, "network": {**record["network"], "sha256": digest, "half_precision": apart}}
    _write_record(found, folder)
    return found


def _write_record(record: dict[str, Any], folder: Path) -> None:
    text = json.dumps(record, indent=1, ensure_ascii=False)
    (folder / f"{SHIPPED}.json").write_text(text + "\n", encoding="utf-8")


def _furthest(one: PooledGoNetwork, other: PooledGoNetwork) -> float:
    """The largest difference of chances and values over the positions of some random games."""
    rng, game = np.random.default_rng(0), Go(Rules(side=one.side))
    planes = []
    for _game in range(4):
        position: Position = game.start()
        moves = [-1, -1]
        while game.outcome(position) is None and len(moves) < 2 * one.side**2:
            row = np.empty((ZERO_PLANES, one.side**2), np.float32)
            zero_planes_of(position.board, position.legal(), moves[-1], moves[-2], row)
            planes.append(row.reshape(ZERO_PLANES, one.side, one.side))
            moves.append(int(rng.choice(np.flatnonzero(position.legal()))))
            position = position.play_legal(moves[-1])
    seen = np.array(planes)
    said = [NetworkEvaluator(model.eval())(seen) for model in (one, other)]
    return float(max(np.abs(a - b).max() for a, b in zip(*said, strict=True)))


def match_of(folder: Path) -> dict[str, Any]:
    """What a match has shown, from the side of its first program."""
    agreed = json.loads((folder / AGREED).read_text("utf-8"))
    games = Kept(folder, agreed).games()
    standing = Standing([games[number] for number in sorted(games)])
    share = standing.share
    # Where a run lay on the machine that played is nobody's business.
    who = [
        re.sub(r"--(network|rollouts) (?!none\b)\S+", r"--\1 RUN", agreed[one])
        for one in ("first", "second")
    ]
    terms = {name: agreed[name] for name in ("komi", "opening", "time", "arbiter") if agreed[name]}
    return {
        "with": who[0], "against": who[1], "games": len(standing.games),
        "points": standing.points, "share": [round(one, 4) for one in (share.value, share.low, share.high)],
        "seconds_a_move": [round(standing.seconds_a_move(which), 2) for which in (0, 1)],
        "forfeited": len(standing.faults), **terms,
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("run", nargs="?")
    parser.add_argument("--mixture", type=float, default=0.0)
    parser.add_argument("--rollouts", type=int, default=1)
    parser.add_argument("--match", type=Path, action="append", default=[])
    read = parser.parse_args(arguments)
    if read.run is not None:
        run = Run.open(read.run)
        model = getattr(run.use_weights(0), "model", None)
        assert isinstance(model, PooledGoNetwork), "train alphago-zero --model pooled"
        play = {"mixture": read.mixture, "rollouts": read.rollouts}
        record = write_network(model, record_of(run, model, play), WEIGHTS)
        size = (WEIGHTS / f"{SHIPPED}.safetensors").stat().st_size
        print(f"{size:,} bytes, {record['trained']['parameters']:,} parameters")
    if read.match:
        record = json.loads((WEIGHTS / f"{SHIPPED}.json").read_text("utf-8"))
        _write_record({**record, "matches": [match_of(one) for one in read.match]}, WEIGHTS)


if __name__ == "__main__":
    main()
