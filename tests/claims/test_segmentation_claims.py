"""Claims of the chapter on segmentation."""

from __future__ import annotations

import pytest
import torch

from shinso.claims.claim import Verdict
from shinso.claims.segmentation import dilation, skips, upsampling
from shinso.claims.segmentation_training import scenes
from tests.claims.claim_checks import (
    check_drawing,
    check_texts,
    measured_twice,
    verdict_of,
)

EVERY = {
    "segmentation.skips": skips,
    "segmentation.upsampling": upsampling,
    "segmentation.dilation": dilation,
}
ARMS = {skips: ("with", "without"), upsampling: ("places", "fixed"), dilation: ("dilated", "near")}


@pytest.fixture(autouse=True)
def _short_training(monkeypatch):
    for module in EVERY.values():
        monkeypatch.setitem(module.STEPS, "quick", 2)


@pytest.mark.parametrize("name", EVERY)
def test_texts_stand_in_both_languages(name):
    check_texts(EVERY[name], name)


@pytest.mark.parametrize("name", EVERY)
def test_measurement_repeats_and_is_drawn(name):
    module = EVERY[name]
    check_drawing(module, measured_twice(module), measured_twice(module, control=True))


@pytest.mark.parametrize("module", EVERY.values())
def test_rules_ask_for_a_least_difference(module):
    first, second = (f"iou_{arm}" for arm in ARMS[module])
    counts = {"side_dilated": 32.0, "side_near": 32.0, "weights_dilated": 9.0, "weights_near": 9.0}
    counts |= {"reach_px_dilated": 16.0, "reach_px_near": 5.0}

    def verdict(gap, scatter=0.002, **other):
        return verdict_of(
            module,
            *[
                {first: 0.5 + gap + noise, second: 0.5, **counts, **other}
                for noise in (-scatter, 0.0, scatter)
            ],
        )

    assert verdict(module.LEAST + 0.02) is Verdict.HOLDS
    assert verdict(module.LEAST - 0.02) is Verdict.REFUTED
    assert verdict(module.LEAST, scatter=0.05) is Verdict.UNDECIDED
    if module is dilation:
        assert verdict(0.3, weights_near=8.0) is Verdict.REFUTED
        assert verdict(0.3, reach_px_near=8.0) is Verdict.REFUTED


def test_dilation_sees_further_at_the_same_cost():
    one, other = dilation.measure(1, False, "quick"), dilation.measure(1, True, "quick")
    assert one["weights_dilated"] == one["weights_near"] == other["weights_dilated"]
    assert one["reach_px_dilated"] == 1 + 2 + 4 + 8 + 1
    assert one["reach_px_near"] == other["reach_px_dilated"] == 5


def test_control_of_skips_takes_positions_and_nothing_else():
    torch.manual_seed(0)
    network = skips._network(True)
    skips._forget_positions(network)
    seen = []
    network.up[-1][0].register_forward_hook(lambda _m, given, _o: seen.append(given[0]))
    network(torch.randn(1, 1, 32, 32))
    fine = seen[0][0, : seen[0].shape[1] // 2]
    torch.testing.assert_close(fine[:, :4, :4], fine[:, :1, :1].expand(-1, 4, 4))
    assert not torch.equal(fine[:, 0, 0], fine[:, 0, 4])


def test_random_places_stay_in_their_windows():
    torch.manual_seed(0)
    network = upsampling._network("random")
    found = []
    network.unpool.register_forward_hook(lambda _m, given, _o: found.append(given[1]))
    network(torch.randn(2, 1, 32, 32))
    places = found[-1]
    rows, columns = places // 32, places % 32
    assert torch.equal(rows // 2, torch.arange(16)[:, None].expand_as(rows))
    assert torch.equal(columns // 2, torch.arange(16).expand_as(columns))


def test_scenes_repeat_and_differ_between_seeds():
    one, same, other = (scenes(s, learnt=4, side_px=32, scale=1) for s in (0, 0, 1))
    assert torch.equal(one.images, same.images)
    assert not torch.equal(one.images, other.images)
    assert 0 < (one.masks > 0).float().mean() < 0.5
