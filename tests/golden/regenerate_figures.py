"""Writes figures.json: short runs of both course figures. Run it only where a change is meant.

python tests/golden/regenerate_figures.py
"""

import json
from pathlib import Path

from shinso.figures import binary_addition, predict_sin

GOLDEN = Path(__file__).with_name("figures.json")


def short_runs() -> dict[str, dict[str, object]]:
    """Both gradients of both figures: 200 pairs, and 3 epochs; seed 0."""
    runs: dict[str, dict[str, object]] = {}
    for gradient in ("published", "exact"):
        added = binary_addition.train(
            binary_addition.Config(gradient=gradient, pairs=200, record_every=20)
        )
        runs[f"binary-addition {gradient}"] = {
            "losses": added.losses.tolist(),
            "mean_losses": added.mean_losses.tolist(),
            "bit_accuracy": added.bit_accuracy,
            "sum_accuracy": added.sum_accuracy,
            "w_out": added.weights.w_out[:, 0].tolist(),
        }
        sine = predict_sin.train(predict_sin.Config(gradient=gradient, epochs=3, predictions=10))
        runs[f"predict-sin {gradient}"] = {
            "epoch_losses": sine.epoch_losses.tolist(),
            "closed_loop": sine.network.closed_loop.tolist(),
            "one_step_rmse": sine.network.one_step_rmse,
            "closed_loop_rmse": sine.network.closed_loop_rmse,
            "w_out": sine.weights.w_out[:, 0].tolist(),
        }
    return runs


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(short_runs(), indent=1) + "\n", encoding="utf-8")
