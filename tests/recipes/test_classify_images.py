"""What is special to ``classify-images``: parts given apart, weights to begin with, its pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from shinso.data import samples
from shinso.faults import DataFault, RunFault, UsageFault
from shinso.models.pixel_baselines import PixelBaselines
from shinso.models.published import load_published
from shinso.models.resnet import ResNet
from shinso.recipes import classify_images
from shinso.recipes.recipe import Pictures
from shinso.recipes.uses import image_training
from shinso.runs.checkpoint import load_weights, save_weights
from shinso.walk.order import place
from shinso.walk.preparing import prepare
from shinso.walk.training import train

DIGITS = samples.path("digits.tar.xz")
SMALL = {"depth": 8, "width": 0.5, "steps": 6, "evaluate_every": 3, "batch_size": 16}


def order_of(*paths: Path, **settings: Any):
    return place("classify-images", paths, ("test", {**SMALL, **settings}))


def folder_of(path: Path, **counts: int) -> Path:
    """A folder per class of 8×8 images of one class's grey."""
    rng = np.random.default_rng(len(counts))
    for number, (name, count) in enumerate(counts.items()):
        (path / name).mkdir(parents=True)
        for one in range(count):
            grey = 60 + 80 * number + rng.integers(-9, 10, (8, 8))
            Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(path / name / f"{one}.png")
    return path


def test_parts_given_apart_are_used_whole(tmp_path: Path) -> None:
    own = folder_of(tmp_path / "train", a=6, b=5, lone=1)
    test = folder_of(tmp_path / "test", a=2, b=1)
    valid = folder_of(tmp_path / "valid", a=1, b=1)
    order = order_of(own, test=[str(test)], valid=[str(valid)])
    data = order.recipe.read(order.config, order.paths)
    counts = {part: len(found) for part, found in data.samples.items()}
    assert counts == {"train": 12, "valid": 2, "test": 3}
    said = " ".join(data.notes)
    assert "the valid part has no image of lone" in said
    assert "the test part has no image of lone" in said
    assert "one image to learn from: lone" in said
    assert (
        data.facts()["sha256"]
        != order_of(own)
        .recipe.read(order_of(own, test=[str(test)]).config, order.paths)
        .facts()["sha256"]
    )


def test_a_class_of_one_image_cannot_be_split_in_three(tmp_path: Path) -> None:
    own = folder_of(tmp_path / "train", a=6, lone=1)
    order = order_of(own)
    with pytest.raises(DataFault) as caught:
        order.recipe.read(order.config, order.paths)
    assert caught.value.code == "DATA-RARE-CLASS"
    assert "lone" in caught.value.found
    # With a test part given, it stays in the train part and that is said.
    order = order_of(own, test=[str(folder_of(tmp_path / "test", a=2))])
    data = order.recipe.read(order.config, order.paths)
    assert any("one image to learn from: lone" in note for note in data.notes)


def test_unknown_classes_and_a_single_class_are_refused(tmp_path: Path) -> None:
    own = folder_of(tmp_path / "train", a=6, b=5)
    order = order_of(own, test=[str(folder_of(tmp_path / "test", c=2))])
    with pytest.raises(DataFault, match="DATA-UNKNOWN-LABEL"):
        order.recipe.read(order.config, order.paths)
    order = order_of(folder_of(tmp_path / "one", a=9))
    with pytest.raises(DataFault, match="DATA-ONE-CLASS"):
        order.recipe.read(order.config, order.paths)


def test_the_same_images_in_two_parts_are_said(tmp_path: Path) -> None:
    own = folder_of(tmp_path / "train", a=6, b=5)
    order = order_of(own, test=[str(own)])
    data = order.recipe.read(order.config, order.paths)
    assert any("of the test part stand in the train part too" in note for note in data.notes)


def test_training_begins_with_given_weights_and_frozen_parts_stay(tmp_path: Path) -> None:
    torch.manual_seed(0)
    other = ResNet(ResNet.Config(depth=8, width=0.5), num_channels=3, num_classes=7, image_px=32)
    for module in other.modules():
        if hasattr(module, "running_mean"):
            module.running_mean.normal_()
    weights = tmp_path / "published.safetensors"
    save_weights(weights, other)
    order = order_of(DIGITS, weights=str(weights), frozen=2, runs=str(tmp_path / "runs"))
    data = order.recipe.read(order.config, order.paths)
    ready = prepare(order, data, data.facts(), 0)
    began = {name: one.clone() for name, one in ready.model.state_dict().items()}
    published = load_weights(weights)
    torch.testing.assert_close(
        began["conv1.weight"], published["conv1.weight"].sum(1, keepdim=True)
    )
    torch.testing.assert_close(began["layer3.0.conv1.weight"], published["layer3.0.conv1.weight"])
    assert began["fc.weight"].shape == (10, published["fc.weight"].shape[1])
    for _ in range(3):
        ready.learner.step(ready.built.source.next_batch())
    moved = {n for n, one in ready.model.state_dict().items() if not torch.equal(one, began[n])}
    assert "layer2.0.conv1.weight" in moved
    assert "layer3.0.bn1.running_mean" in moved
    assert not {name for name in moved if name.startswith(("conv1", "bn1", "layer1"))}


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    network = ResNet(ResNet.Config(depth=8), num_channels=1, num_classes=2, image_px=8)
    wide = ResNet(ResNet.Config(depth=8, width=2.0), num_channels=1, num_classes=2, image_px=8)
    save_weights(tmp_path / "wide.safetensors", wide)
    with pytest.raises(RunFault, match="WEIGHTS-OTHER-NETWORK"):
        load_published(network, tmp_path / "wide.safetensors")
    order = order_of(DIGITS, weights=str(tmp_path / "none.safetensors"))
    with pytest.raises(UsageFault, match="WEIGHTS-NOT-FOUND"):
        order.recipe.read(order.config, order.paths)
    (tmp_path / "torn.safetensors").write_bytes(b"torn")
    with pytest.raises(RunFault, match="RUN-WEIGHTS-UNREADABLE"):
        load_published(network, tmp_path / "torn.safetensors")
    with pytest.raises(UsageFault, match="without weights"):
        order_of(DIGITS, frozen=1)
    save_weights(tmp_path / "own.safetensors", network)
    order = order_of(DIGITS, width=1.0, weights=str(tmp_path / "own.safetensors"), frozen=9)
    data = order.recipe.read(order.config, order.paths)
    with pytest.raises(UsageFault, match="9 of 4 parts"):
        prepare(order, data, data.facts(), 0)


def test_first_published_names_of_densenet_are_understood(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    from shinso.models.densenet import DenseNet

    network = DenseNet(
        DenseNet.Config(depth=16, bottleneck=True), num_channels=3, num_classes=2, image_px=8
    )
    old = {
        "module." + name.replace(".norm1.", ".norm.1.").replace(".conv2.", ".conv.2."): one + 1
        for name, one in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    save_file(old, tmp_path / "old.safetensors")
    kept = {name: one.clone() for name, one in network.state_dict().items()}
    assert load_published(network, tmp_path / "old.safetensors") == []
    now = network.state_dict()
    assert all(torch.equal(now[name], kept[name] + 1) for name in kept if "num_batches" not in name)


def test_a_slow_precision_is_refused_and_a_fast_one_said(monkeypatch) -> None:
    monkeypatch.setattr(image_training, "bf16_over_fp32", lambda _device: 31.0)
    order = order_of(DIGITS, precision="bf16")
    with pytest.raises(UsageFault) as caught:
        order.recipe.read(order.config, order.paths)
    assert caught.value.code == "PRECISION-SLOW"
    assert "31.0 times as long" in caught.value.found
    monkeypatch.setattr(image_training, "bf16_over_fp32", lambda _device: 0.5)
    assert "0.50 of the time" in image_training.check_precision("bf16")[0]
    assert image_training.check_precision("fp32") == []


def test_run_shows_where_it_was_wrong_and_where_it_looked(tmp_path: Path) -> None:
    run = train(order_of(DIGITS, runs=str(tmp_path)))
    table = run.table()
    rivals = {row.name for row in table.rows if not row.learned}
    assert rivals == {"majority", "nearest class mean", "logistic regression"}
    assert "calibration_error" in table.metrics
    assert table.best("calibration_error") is None
    for name in ("confusion", "reliability", "worst", "training"):
        with Image.open(run.folder.path / "plots" / f"{name}.png") as picture:
            assert min(picture.size) > 200
    worst = (run.folder.path / "plots" / "worst.csv").read_text().splitlines()
    own = [float(line.split(",")[-1]) for line in worst[1:]]
    assert own == sorted(own)
    result = json.loads((run.folder.path / "seed0" / "result.json").read_text())
    assert 0 <= result["waited_for_data_s"] <= result["seconds"]
    assert "waiting for data" in (run.folder.path / "card.md").read_text()
    new = folder_of(tmp_path / "new", x=2)
    Image.new("RGBA", (30, 20), (200, 0, 0, 90)).save(new / "colours.png")
    found = run.predict([new])
    assert [row[0] for row in found.rows] == ["colours.png", "x/0.png", "x/1.png"]
    assert all(abs(sum(row[2:]) - 1) < 1e-9 for row in found.rows)
    use = run.use()
    assert isinstance(use, Pictures)
    pictures = dict(use.pictures([new]))
    assert len(pictures) == 3
    assert all(content.startswith(b"\x89PNG") for content in pictures.values())
    assert run.evaluate([folder_of(tmp_path / "more", **{"1": 2, "7": 2})]).rows


def test_pixel_baselines_beat_chance_and_read_back() -> None:
    order = order_of(DIGITS)
    data = order.recipe.read(order.config, order.paths)
    test = data.samples["test"]
    rivals = PixelBaselines.from_dict(data.facts()["rivals"])
    for name, chances in rivals.answers(test.pixels).items():
        assert (chances.argmax(1) == test.labels).mean() > 0.8, name
        np.testing.assert_allclose(chances.sum(1), 1)
    # A class that is not in the train part is never answered.
    some = PixelBaselines.fit(test.pixels[test.labels < 2], test.labels[test.labels < 2], 3, seed=0)
    for chances in PixelBaselines.from_dict(some.to_dict()).answers(test.pixels).values():
        assert (chances[:, 2] == 0).all()


@pytest.mark.parametrize("preset", classify_images.PRESETS)
def test_every_preset_takes_a_step(preset: str) -> None:
    settings = classify_images.PRESETS[preset]
    order = place("classify-images", [DIGITS], ("preset", settings), ("test", {"batch_size": 4}))
    data = order.recipe.read(order.config, order.paths)
    ready = prepare(order, data, data.facts(), 0)
    scalars = ready.learner.step(ready.built.source.next_batch())
    assert torch.isfinite(torch.as_tensor(scalars["loss"]))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"strength": 11}, "strength is 11"),
        ({"mixup": -1}, "mixup is -1"),
        ({"label_smoothing": 1}, "label_smoothing is 1"),
        ({"split": "1,1,1"}, "add up to 1"),
    ],
)
def test_settings_say_what_to_give_instead(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageFault, match=said):
        order_of(DIGITS, **settings)
