import json
from pathlib import Path

import numpy as np
import pytest

from shinso.figures import binary_addition, predict_sin

GOLDEN = json.loads(
    (Path(__file__).parent.parent / "golden" / "figures.json").read_text(encoding="utf-8")
)
# Other BLAS libraries add in other orders: rounding, grown through some hundred updates.
CLOSE = {"rtol": 1e-9, "atol": 1e-12}


@pytest.mark.parametrize("gradient", ["published", "exact"])
def test_binary_addition_golden(gradient):
    golden = GOLDEN[f"binary-addition {gradient}"]
    config = binary_addition.Config(gradient=gradient, pairs=200, record_every=20)
    result = binary_addition.train(config)
    np.testing.assert_allclose(result.losses, golden["losses"], **CLOSE)
    np.testing.assert_allclose(result.mean_losses, golden["mean_losses"], **CLOSE)
    np.testing.assert_allclose(result.weights.w_out[:, 0], golden["w_out"], **CLOSE)
    assert result.bit_accuracy == golden["bit_accuracy"]
    assert result.sum_accuracy == golden["sum_accuracy"]


@pytest.mark.parametrize("gradient", ["published", "exact"])
def test_predict_sin_golden(gradient):
    golden = GOLDEN[f"predict-sin {gradient}"]
    result = predict_sin.train(predict_sin.Config(gradient=gradient, epochs=3, predictions=10))
    np.testing.assert_allclose(result.epoch_losses, golden["epoch_losses"], **CLOSE)
    np.testing.assert_allclose(result.network.closed_loop, golden["closed_loop"], **CLOSE)
    np.testing.assert_allclose(result.weights.w_out[:, 0], golden["w_out"], **CLOSE)
    assert result.network.one_step_rmse == pytest.approx(golden["one_step_rmse"], rel=1e-9)
    assert result.network.closed_loop_rmse == pytest.approx(golden["closed_loop_rmse"], rel=1e-9)
