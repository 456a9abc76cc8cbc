"""The same stack as a forecaster, and as a classifier of series."""

from __future__ import annotations

import pytest
import torch

from shinso.models.wavenet_classifier import WaveNetClassifier
from shinso.models.wavenet_forecaster import WaveNetForecaster


def test_untrained_forecaster_is_persistence():
    past = torch.randn(3, 20, 4)
    sizes = {"lookback": 20, "horizon": 5, "num_channels": 4, "num_targets": 2}
    found = WaveNetForecaster(WaveNetForecaster.Config(), **sizes)(past)
    torch.testing.assert_close(found, past[:, -1:, :2].expand(-1, 5, -1))
    quantiles = WaveNetForecaster(WaveNetForecaster.Config(), **sizes, num_quantiles=3)
    spread = torch.tensor([-1.0, 0.0, 1.0]).expand(5, 2, 3)
    quantiles.start_spread(spread)
    torch.testing.assert_close(quantiles(past)[..., 2], found + 1)
    with pytest.raises(ValueError, match="num_quantiles is 0"):
        WaveNetForecaster(WaveNetForecaster.Config(), **sizes).start_spread(spread)


@pytest.mark.parametrize("lookback", [1, 2, 3, 31, 32, 33])
def test_forecaster_has_the_layers_its_look_back_has_use_for(lookback):
    model = WaveNetForecaster(
        WaveNetForecaster.Config(), lookback=lookback, horizon=1, num_channels=1, num_targets=1
    )
    reach = model.stack.receptive_field
    assert reach <= max(lookback, 2)
    assert 2 * reach > lookback
    assert model(torch.randn(2, lookback, 1)).shape == (2, 1, 1)


def test_classifier_never_reads_behind_a_series():
    torch.manual_seed(0)
    model = WaveNetClassifier(WaveNetClassifier.Config(), num_channels=2, num_classes=3).eval()
    values, lengths = torch.randn(2, 30, 2), torch.tensor([30, 12])
    found = model(values, lengths)
    values[1, 12:] = 1e3
    torch.testing.assert_close(model(values, lengths), found, rtol=0, atol=0)
    alone = model(values[1:, :12], lengths[1:])
    torch.testing.assert_close(alone, found[1:], rtol=1e-5, atol=1e-6)
