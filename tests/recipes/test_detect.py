"""What is special to the recipe of detection: scores at a threshold, rivals, splits, overlays."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from shinso.data import samples
from shinso.data.labelled_boxes import read_boxes
from shinso.faults import DataFault, UsageFault
from shinso.objectives.detection_scores import Answers, Truths
from shinso.recipes.uses.box_pictures import overlay, png
from shinso.recipes.uses.box_scores import box_scores, confusion_table, counts_of, surer
from shinso.recipes.uses.prior_boxes import PriorBoxes
from shinso.walk.order import place
from shinso.walk.training import prepare
from tests.data.test_labelled_boxes import voc

SAMPLE = samples.path("scattered_digits.tar.xz")


def order(paths: tuple[Path, ...] = (SAMPLE,), **more: Any):
    settings = {"width": 0.125, "strides": "4,8,16", "steps": 10, "batch_size": 4, **more}
    return place("detect", paths, ("test", {"model": "ssd-vgg", **settings}))


def test_counts_by_hand() -> None:
    truths = Truths(
        np.array([[0.0, 0, 10, 10], [20, 20, 30, 30], [40, 40, 50, 50]]),
        np.array([0, 1, 1]),
        ignored=np.array([False, False, True]),
    )
    answers = Answers(
        np.array([[0.0, 0, 10, 10], [0, 0, 10, 9], [40, 40, 50, 50], [60, 60, 70, 70]]),
        np.array([0.9, 0.8, 0.7, 0.2]),
        np.array([1, 0, 1, 0]),
    )
    # The surest takes the object under a wrong name, the next finds it taken.
    assert counts_of(answers, truths, 2).tolist() == [[0, 1, 0], [0, 0, 1], [2, 0, 0]]
    assert counts_of(surer(answers, 0.75), truths, 2).tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 0]]
    table = confusion_table([answers], [truths], ["a", "b"], 0.75)
    assert table.rows[-1] == ("background", 1, 0, 0)


def test_perfect_answers_score_one_and_classes_without_truths_count_nowhere() -> None:
    boxes = np.array([[0.0, 0, 40, 40], [50, 50, 90, 90]])
    truths = Truths(boxes, np.array([0, 2]))
    answers = Answers(boxes, np.array([0.9, 0.8]), np.array([0, 2]))
    found = box_scores([answers], [truths], ["a", "b", "c"], 0.5)
    assert all(value == pytest.approx(1.0) for value in found.metrics.values())
    assert found.details["by_class"][1]["ap_50"] is None


def test_rivals_answer_what_is_commonest() -> None:
    boxes = read_boxes([SAMPLE])
    train = boxes.of_part("train")
    rivals = PriorBoxes.fit(train, 4, seed=0)
    answers = PriorBoxes.from_dict(rivals.to_dict()).answers(train[0])
    common = answers["commonest-boxes"]
    assert (np.diff(common.scores) <= 0).all()
    assert len(common.scores) <= 100
    assert (common.boxes_xyxy_px <= 64).all()
    tiles = answers["tiled"].boxes_xyxy_px
    # Side by side over the whole image, none upon another.
    assert (tiles[:, 2:] - tiles[:, :2]).prod(1).sum() == pytest.approx(64 * 64)


def test_own_split_is_kept_and_said_aloud(tmp_path: Path) -> None:
    one = order()
    data = one.recipe.read(one.config, one.paths)
    facts = data.facts()
    assert facts["part_samples"] == {"valid": 24, "test": 36, "train": 120}
    assert "valid 24 (as the data say)" in facts["split"]
    assert facts["size_px"] == [64, 64]
    assert any("8 of 180 images have no box" in note for note in data.notes)
    small, large = facts["object_px"]
    assert 5 < small < 12 < 20 < large < 32


def test_parts_are_drawn_where_the_data_tell_none(tmp_path: Path) -> None:
    folder = voc(tmp_path, ("dog", 5, 6, 14, 25))
    one = order((folder,))
    with pytest.raises(DataFault, match="DATA-TOO-SHORT"):
        one.recipe.read(one.config, one.paths)
    for name in "bcdefghij":
        for below, ending in (("JPEGImages", "jpg"), ("Annotations", "xml")):
            content = (folder / below / f"a.{ending}").read_bytes()
            (folder / below / f"{name}.{ending}").write_bytes(content)
    one = order((folder,), split="0.6,0.2,0.2")
    facts = one.recipe.read(one.config, one.paths).facts()
    assert facts["part_samples"] == {"valid": 2, "test": 2, "train": 6}
    assert "drawn with seed 0" in facts["split"]
    assert any("stand in the train part too" in note for note in facts["notes"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"tone": 2}, {"zoom_out": 0.5}, {"smallest_crop": 0}, {"negatives": "some"},
        {"image_px": 8}, {"strides": "8,4"}, {"strides": "5"}, {"gamma": 0},
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    def made() -> None:
        one = order(**wrong)
        data = one.recipe.read(one.config, one.paths)
        prepare(one, data, data.facts(), 0)

    with pytest.raises((UsageFault, ValueError)):
        made()


def test_overlay_draws_answers_in_colour_and_keeps_the_rest() -> None:
    pixels = np.full((1, 64, 64), 100, dtype=np.uint8)
    answers = Answers(np.array([[10.0, 30, 40, 60]]), np.array([0.75]), np.array([0]))
    picture = overlay(pixels, answers, ["digit"], answers)
    assert picture.size == (320, 320)
    drawn = np.asarray(picture)
    assert (drawn[5, 5] == 100).all()
    assert drawn[225, 50].tolist() != [100, 100, 100]  # the left edge of the box
    assert Image.open(io.BytesIO(png(picture))).size == (320, 320)
