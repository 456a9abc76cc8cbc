"""AP in the COCO way against pycocotools, in the VOC way against its definition."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shinso.objectives.detection_scores import (
    COCO_AREAS_PX2,
    Answers,
    Truths,
    envelope,
    evaluate_coco,
    evaluate_voc,
)

NUM_CLASSES = 3


def scene(seed: int, images: int, *, crowds: bool) -> tuple[list[Answers], list[Truths]]:
    """Random truths of all sizes; answers near them, doubled, of the wrong class, and anywhere.
    Scores have ties."""
    rng = np.random.default_rng(seed)
    answers, truths = [], []
    for _ in range(images):
        count = int(rng.integers(0, 7))
        corner = rng.uniform(0, 300, (count, 2))
        size = np.exp(rng.uniform(np.log(8), np.log(200), (count, 2)))
        boxes = np.concatenate([corner, corner + size], axis=1)
        classes = rng.integers(0, NUM_CLASSES, count)
        crowd = rng.random(count) < (0.25 if crowds else 0)
        area = size.prod(1) * rng.uniform(0.5, 1, count) if crowds else None
        truths.append(Truths(boxes, classes, crowd=crowd, area_px2=area))
        near = np.repeat(np.arange(count), rng.integers(0, 3, count))
        jitter = rng.normal(0, 0.1, (len(near), 4)) * np.tile(size[near], 2)
        corner = rng.uniform(0, 300, (3, 2))
        anywhere = np.concatenate([corner, corner + rng.uniform(5, 100, (3, 2))], axis=1)
        found = np.concatenate([boxes[near] + jitter, anywhere])
        found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 1)
        kinds = np.concatenate([classes[near], rng.integers(0, NUM_CLASSES, 3)])
        kinds = np.where(rng.random(len(kinds)) < 0.1, (kinds + 1) % NUM_CLASSES, kinds)
        answers.append(Answers(found, np.round(rng.random(len(found)), 1), kinds))
    return answers, truths


def by_pycocotools(answers: list[Answers], truths: list[Truths]) -> np.ndarray:
    """precision [threshold recall class area] of COCOeval with 100 answers, −1 as NaN."""
    coco = pytest.importorskip("pycocotools.coco")
    from pycocotools.cocoeval import COCOeval

    annotations, results = [], []
    for image, (said, true) in enumerate(zip(answers, truths, strict=True), start=1):
        size = true.boxes_xyxy_px[:, 2:] - true.boxes_xyxy_px[:, :2]
        area = size.prod(1) if true.area_px2 is None else true.area_px2
        for i, box in enumerate(true.boxes_xyxy_px):
            annotations.append({
                "id": len(annotations) + 1, "image_id": image, "bbox": [*box[:2], *size[i]],
                "category_id": int(true.classes[i]), "area": float(area[i]),
                "iscrowd": int(true.crowd is not None and true.crowd[i]),
            })  # fmt: skip
        for box, score, kind in zip(said.boxes_xyxy_px, said.scores, said.classes, strict=True):
            results.append({
                "image_id": image, "category_id": int(kind), "score": float(score),
                "bbox": [*box[:2], *(box[2:] - box[:2])],
            })  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        data = coco.COCO()
        data.dataset = {
            "images": [{"id": i + 1} for i in range(len(truths))], "annotations": annotations,
            "categories": [{"id": i} for i in range(NUM_CLASSES)], "info": {},
        }  # fmt: skip
        data.createIndex()
        evaluation = COCOeval(data, data.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, :, :, 2]
    recall = evaluation.eval["recall"][:, :, :, 2]
    return np.where(precision < 0, np.nan, precision).mean(1), np.where(recall < 0, np.nan, recall)


@pytest.mark.parametrize("crowds", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_coco_matches_pycocotools(seed: int, crowds: bool) -> None:
    answers, truths = scene(seed, 25, crowds=crowds)
    precision, recall = by_pycocotools(answers, truths)
    ours = evaluate_coco(answers, truths, NUM_CLASSES)
    for place, size in enumerate(COCO_AREAS_PX2):
        np.testing.assert_allclose(ours.ap[size], precision[:, :, place], atol=1e-9)
        np.testing.assert_allclose(ours.recall[size], recall[:, :, place], atol=1e-9)
    assert ours.mean_ap() == pytest.approx(np.nanmean(precision[:, :, 0]))
    assert ours.mean_ap(iou=0.5) == pytest.approx(np.nanmean(precision[0, :, 0]))
    np.testing.assert_allclose(ours.by_class(0.5), precision[0, :, 0], atol=1e-9)


def test_coco_matches_pycocotools_where_classes_are_missing() -> None:
    empty = Truths(np.zeros((0, 4)), np.zeros(0, int))
    one = Truths(np.array([[0.0, 0, 50, 50]]), np.array([1]))
    nothing = Answers(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))
    said = Answers(
        np.array([[0.0, 0, 50, 45], [0, 0, 9, 9]]), np.array([0.9, 0.8]), np.array([1, 0])
    )
    answers, truths = [nothing, said], [empty, one]
    precision, _recall = by_pycocotools(answers, truths)
    ours = evaluate_coco(answers, truths, NUM_CLASSES)
    np.testing.assert_allclose(ours.ap["all"], precision[:, :, 0], atol=1e-9)
    assert np.isnan(ours.by_class()[0])
    assert ours.mean_ap() == pytest.approx(0.9)  # right up to IoU 0.9
    assert np.isnan(evaluate_coco([nothing], [empty], NUM_CLASSES).mean_ap())


def test_voc_by_hand() -> None:
    """Two truths; right, wrong, double, right: precisions 1, 1/2, 1/3, 1/2 at recalls ½, ½, ½, 1."""
    truths = [Truths(np.array([[0.0, 0, 10, 10], [20, 0, 30, 10]]), np.array([0, 0]))]
    boxes = np.array([[0.0, 0, 10, 9], [50, 50, 60, 60], [0, 0, 10, 10], [20, 0, 30, 10]])
    answers = [Answers(boxes, np.array([0.9, 0.8, 0.7, 0.6]), np.zeros(4, int))]
    found = evaluate_voc(answers, truths, 1)
    np.testing.assert_allclose(found.precision[0], [1, 1 / 2, 1 / 3, 2 / 4])
    np.testing.assert_allclose(found.recall[0], [0.5, 0.5, 0.5, 1])
    assert found.mean_ap == pytest.approx(0.5 * 1 + 0.5 * 0.5)
    elevens = evaluate_voc(answers, truths, 1, way="07").mean_ap
    assert elevens == pytest.approx((6 * 1 + 5 * 0.5) / 11)


def test_voc_difficult_truth_counts_neither_way() -> None:
    truths = [
        Truths(
            np.array([[0.0, 0, 10, 10], [20, 0, 30, 10]]), np.array([0, 0]),
            ignored=np.array([False, True]),
        )
    ]  # fmt: skip
    boxes = np.array([[20.0, 0, 30, 10], [0, 0, 10, 10]])
    answers = [Answers(boxes, np.array([0.9, 0.8]), np.zeros(2, int))]
    assert evaluate_voc(answers, truths, 1).mean_ap == pytest.approx(1.0)


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_better_scores_never_lower_voc_ap(seed: int) -> None:
    """Every right answer moved in front: AP can only rise, and ends at the largest recall."""
    answers, truths = scene(seed, 6, crowds=False)
    before = evaluate_voc(answers, truths, NUM_CLASSES)
    perfect = [
        Answers(true.boxes_xyxy_px, np.ones(len(true.classes)), true.classes) for true in truths
    ]
    joined = [
        Answers(
            np.concatenate([best.boxes_xyxy_px, said.boxes_xyxy_px]),
            np.concatenate([best.scores + 1, said.scores]),
            np.concatenate([best.classes, said.classes]),
        )
        for best, said in zip(perfect, answers, strict=True)
    ]
    after = evaluate_voc(joined, truths, NUM_CLASSES)
    known = ~np.isnan(before.ap)
    assert (after.ap[known] >= before.ap[known] - 1e-12).all()
    np.testing.assert_allclose(after.ap[known], 1.0)


def test_unequal_numbers_of_images_are_refused() -> None:
    for evaluate in (evaluate_coco, evaluate_voc):
        with pytest.raises(ValueError, match="answers are of 0"):
            evaluate([], [Truths(np.zeros((0, 4)), np.zeros(0, int))], 1)


def test_envelope_is_the_best_still_to_come() -> None:
    assert envelope(np.array([0.5, 1.0, 0.3, 0.4])).tolist() == [1.0, 1.0, 0.4, 0.4]
