"""Makes the network that ships with shinso, and the record of its training, of a run of alphago-zero.

python -m tests.golden.regenerate_go_network RUN [mixture] [rollouts]

mixture, rollouts: with which share of how many rollouts it plays best, as matches have shown. The
weights are kept in half precision, which is what it is asked in anyway.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import torch

from shinso.models.go_pooled_network import PooledGoNetwork
from shinso.recipes.uses.go_agent import SHIPPED, WEIGHTS
from shinso.runs.checkpoint import save_weights
from shinso.runs.metrics import MetricsLog
from shinso.walk.run import Run

ENVIRONMENT = ("versions", "processor", "threads")


def record_of(run: Run, model: PooledGoNetwork, play: dict[str, float]) -> dict[str, object]:
    folder = run.folder
    rows = MetricsLog(folder.path / "seed0" / "metrics.jsonl").rows()
    looked = [row for row in rows if row["part"] == "valid"]
    kept = ("step", "elo", "elo_half_width", "points_against_rollouts", "games_played")
    env = folder.read_json("env.json")
    command = (folder.path / "command.txt").read_text("utf-8")
    return {
        "network": {
            "filters": model.config.filters, "blocks": model.config.blocks, "side": model.side
        },
        "play": play,
        "trained": {
            "from": "random weights, by games against itself alone",
            "command": re.sub(r" --runs \S+", "", command.strip()),
            "komi": run.order.config.komi,
            "parameters": sum(one.numel() for one in model.parameters()),
            "looks": [{name: row[name] for name in kept} for row in looked],
            "environment": {name: env[name] for name in ENVIRONMENT if name in env},
        },
    }  # fmt: skip


if __name__ == "__main__":
    run = Run.open(sys.argv[1])
    given = [float(word) for word in sys.argv[2:]]
    play = {
        "mixture": given[0] if given else 0.0,
        "rollouts": int(given[1]) if len(given) > 1 else 1,
    }
    model = getattr(run.use_weights(0), "model", None)
    assert isinstance(model, PooledGoNetwork), "train alphago-zero --model pooled"
    record = record_of(run, model, play)
    WEIGHTS.mkdir(exist_ok=True)
    small = model.half()
    save_weights(WEIGHTS / f"{SHIPPED}.safetensors", small)
    text = json.dumps(record, indent=1, ensure_ascii=False)
    (WEIGHTS / f"{SHIPPED}.json").write_text(text + "\n", encoding="utf-8")
    size = Path(WEIGHTS / f"{SHIPPED}.safetensors").stat().st_size
    print(f"{size:,} bytes, {record['trained']['parameters']:,} parameters")  # type: ignore[index]
    assert torch.isfinite(next(small.parameters())).all()
