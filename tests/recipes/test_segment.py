"""What is special to the recipe of segmentation."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from shinso.data import registry, samples
from shinso.data.samples.regenerate_scenes import archive
from shinso.faults import DataFault, UsageFault
from shinso.models.tiling import reach_px
from shinso.recipes import segment
from shinso.recipes.segment import Config
from shinso.recipes.uses.mask_plots import borders, laid_over
from shinso.recipes.uses.masks import SegmentUse, stretched
from shinso.walk.order import place, preset_layer

SAMPLE = samples.path("digit_scenes.tar.xz")


@pytest.fixture(scope="module")
def data():
    return segment.read(Config(), (SAMPLE,))


def use_of(data, **config) -> SegmentUse:
    from shinso.models.unet import UNet

    torch.manual_seed(0)
    made = Config(**config)
    model = segment.make_model(made, UNet, UNet.Config(depth=2, width=1 / 16), data.facts())
    return segment.use(made, data.facts(), model.eval())


def test_sample_is_what_its_script_makes():
    assert archive() == SAMPLE.read_bytes()


def test_facts_know_classes_and_parts(data):
    facts = data.facts()
    assert facts["class_names"] == ["background", "zero", "one", "two", "three"]
    assert facts["part_samples"] == {"train": 72, "valid": 16, "test": 16}
    assert sum(facts["class_pixels"]) + facts["void_pixels"] == 72 * 48 * 48
    assert facts["split"] == "as the data come"


def test_undivided_data_are_divided_by_shares(tmp_path):
    with tarfile.open(SAMPLE) as tar:
        for member in tar:
            parts = member.name.split("/")
            if len(parts) == 4:
                name = tmp_path / parts[2] / f"{parts[1]}-{parts[3]}"
                name.parent.mkdir(exist_ok=True)
                name.write_bytes(tar.extractfile(member).read())
    found = segment.read(Config(split="0.5,0.25,0.25"), (tmp_path,))
    assert found.facts()["part_samples"] == {"train": 52, "valid": 26, "test": 26}
    assert any("0.5,0.25,0.25" in note for note in found.notes)
    apart = segment.read(Config(valid=(tmp_path,)), (tmp_path,))
    assert apart.facts()["part_samples"] == {"train": 92, "valid": 104, "test": 12}
    (tmp_path / "train" / "images").mkdir(parents=True)
    (tmp_path / "train" / "masks").mkdir()
    for kind in ("images", "masks"):
        file = next((tmp_path / kind).iterdir())
        (tmp_path / "train" / kind / "more.png").write_bytes(file.read_bytes())
    with pytest.raises(DataFault, match="DATA-PART"):
        segment.read(Config(class_names=tuple("abcde")), (tmp_path,))


def test_masks_written_hold_the_training_ids(data, tmp_path):
    use = use_of(data)
    path = tmp_path / "one.png"
    Image.fromarray(data.samples["test"].pixels[0][0]).save(path)
    (_, mask), (_, over) = list(use.pictures([path]))
    found = np.asarray(Image.open(io.BytesIO(mask)))
    assert found.shape == (48, 48)
    assert set(np.unique(found)) <= set(data.facts()["class_ids"])
    answer = next(iter(use.answers(data.samples["test"])))[1]
    assert np.array_equal(found, np.array(data.facts()["class_ids"])[answer])
    assert Image.open(io.BytesIO(over)).size[0] >= 96
    rows = use.predict([path]).rows
    assert rows[0][1:3] == (48, 48)
    assert sum(rows[0][3:]) == pytest.approx(1)


def test_large_images_in_tiles_are_answered_as_in_one_pass(data):
    whole, tiled = use_of(data), use_of(data, tile_px=64, overlap_px=48)
    rng = np.random.default_rng(0)
    test = data.samples["test"]
    kept = test.pixels, test.masks
    test.pixels = [rng.integers(0, 256, (1, 150, 210), dtype=np.uint8)]
    test.masks = [rng.integers(0, 5, (150, 210), dtype=np.uint8)]
    try:
        assert reach_px(tiled.model, channels=1, stride=4) is not None
        assert tiled.tiling.exact
        one, other = (next(iter(use.answers(test)))[1] for use in (whole, tiled))
        assert (one == other).mean() > 0.9999
        first, second = (use.evaluate(data, "test").metrics for use in (whole, tiled))
        assert first == pytest.approx(second, rel=1e-3)
    finally:
        test.pixels, test.masks = kept


def test_baselines_know_places():
    common = np.array([[1, 2], [3, 4]], dtype=np.uint8)
    assert stretched(common, (4, 6))[0].tolist() == [1, 1, 1, 2, 2, 2]
    assert stretched(common, (4, 6))[:, 0].tolist() == [1, 1, 3, 3]


def test_void_is_not_painted():
    pixels = np.full((1, 2, 3), 100, dtype=np.uint8)
    mask = np.array([[0, 0, 255], [0, 0, 255]], dtype=np.uint8)
    picture = laid_over(pixels, mask, np.array([[255, 0, 0]], dtype=np.uint8))
    assert (picture[:, 2] == 100).all()
    assert borders(mask).tolist() == [[False, True, False]] * 2
    assert picture[0, 1].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": "180"}, {"size": "4x4"}, {"crop": "axb"}, {"rescale": 0.5}, {"dice": 2.0},
        {"tile_px": 10}, {"overlap_px": 2000}, {"tone": -1.0}, {"split": "0.5,0.5"},
        {"classes": Path("x"), "class_names": ("a",)},
    ],
)  # fmt: skip
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong)) if len(wrong) == 1 else "both"):
        Config(**wrong)


@pytest.mark.parametrize("preset", segment.PRESETS)
def test_presets_are_orders(preset):
    order = place("segment", [SAMPLE], preset_layer(segment, preset))
    assert order.config.class_names[3] == "road"


@pytest.mark.parametrize(
    "more",
    [
        {"form": "67"}, {"model": "unet", "width": 1}, {"model": "fcn", "stride": "16"},
        {"model": "segnet", "width": 1}, {"model": "dilated", "rates": "6,12"},
    ],
)  # fmt: skip
def test_full_preset_takes_any_network(more):
    order = place("segment", [SAMPLE], preset_layer(segment, "camvid-full"), ("test", more))
    assert order.model == more.get("model", "fc-densenet")


def test_more_than_one_path_is_refused():
    with pytest.raises(UsageFault, match="DATA-FILES"):
        segment.read(Config(), (SAMPLE, SAMPLE))


@pytest.mark.data
def test_camvid_is_read_as_published():
    path = registry.find("camvid/camvid_360x480.tar")
    if path is None:
        pytest.skip("SHINSO_DATA has no camvid")
    order = place("segment", [path], preset_layer(segment, "camvid"), ("test", {"size": "36x48"}))
    facts = segment.read(order.config, order.paths).facts()
    assert facts["part_samples"] == {"train": 367, "valid": 101, "test": 233}
    shares = np.array(facts["class_pixels"]) / sum(facts["class_pixels"])
    assert shares[3] == pytest.approx(0.33, abs=0.01)


def test_weights_begin_a_training(data, tmp_path):
    from shinso.runs.checkpoint import save_weights

    first, second = use_of(data).model, use_of(data).model
    torch.nn.init.normal_(first.head.weight)
    save_weights(tmp_path / "first.safetensors", first)
    config = Config(weights=tmp_path / "first.safetensors")
    segment.begin(config, second)
    assert torch.equal(first.head.weight, second.head.weight)
    with pytest.raises(UsageFault, match="WEIGHTS-NOT-FOUND"):
        segment.read(Config(weights=tmp_path / "none.safetensors"), (SAMPLE,))
