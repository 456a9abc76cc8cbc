"""Suppression and COCO scores beside pycocotools and suppression in torch operations, one thread.

    python benchmarks/boxes.py

The goal (decided beforehand): not slower than either.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torch import Tensor

from shinso.nn.boxes import non_maximum_suppression, pairwise_iou
from shinso.objectives.detection_scores import Answers, Truths, evaluate_coco
from timing import in_turn, print_table, ratio

IMAGES, CLASSES = 200, 10


def in_torch(boxes: Tensor, scores: Tensor, threshold: float) -> Tensor:
    """Greedy suppression with one vectorised overlap for each box that stays."""
    order = scores.argsort(descending=True)
    kept = []
    while order.numel():
        kept.append(order[0])
        overlap = pairwise_iou(boxes[order[:1]], boxes[order[1:]])[0]
        order = order[1:][overlap <= threshold]
    return torch.stack(kept)


def drawn(count: int, rng: np.random.Generator, spread: float) -> np.ndarray:
    corner = rng.uniform(0, spread, (count, 2))
    return np.concatenate([corner, corner + rng.uniform(10, 80, (count, 2))], axis=1)


def dataset(rng: np.random.Generator) -> tuple[list[Answers], list[Truths]]:
    truths = [Truths(drawn(12, rng, 500), rng.integers(0, CLASSES, 12)) for _ in range(IMAGES)]
    answers = [
        Answers(
            np.concatenate([one.boxes_xyxy_px + rng.normal(0, 3, (12, 4)), drawn(60, rng, 500)]),
            rng.random(72),
            np.concatenate([one.classes, rng.integers(0, CLASSES, 60)]),
        )
        for one in truths
    ]
    return answers, truths


def as_coco(answers: list[Answers], truths: list[Truths]) -> tuple[COCO, COCO]:
    def rows(parts: list, *, scored: bool) -> list[dict]:
        found = []
        for image, one in enumerate(parts, start=1):
            for i, (x0, y0, x1, y1) in enumerate(one.boxes_xyxy_px.tolist()):
                row = {"image_id": image, "category_id": int(one.classes[i]), "iscrowd": 0,
                       "id": len(found) + 1, "bbox": [x0, y0, x1 - x0, y1 - y0],
                       "area": (x1 - x0) * (y1 - y0)}  # fmt: skip
                found.append({**row, "score": float(one.scores[i])} if scored else row)
        return found

    coco = COCO()
    coco.dataset = {
        "images": [{"id": i + 1} for i in range(IMAGES)], "info": {},
        "annotations": rows(truths, scored=False), "categories": [{"id": i} for i in range(CLASSES)],
    }  # fmt: skip
    coco.createIndex()
    return coco, coco.loadRes(rows(answers, scored=True))


def quietly(function: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            function()

    return run


def main() -> None:
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    functions: dict[str, Callable[[], object]] = {}
    peers: dict[str, str] = {}
    for count, spread in ((1000, 300.0), (8732, 3000.0)):
        boxes = torch.from_numpy(drawn(count, rng, spread)).float()
        scores = torch.from_numpy(rng.random(count)).float()
        ours, peer = f"suppression of {count} boxes", f"torch operations, {count} boxes"
        functions[ours] = lambda b=boxes, s=scores: non_maximum_suppression(
            b, s, iou_threshold=0.45
        )
        functions[peer] = lambda b=boxes, s=scores: in_torch(b, s, 0.45)
        assert functions[ours]().tolist() == functions[peer]().tolist()  # type: ignore[attr-defined]
        peers[ours] = peer
    answers, truths = dataset(rng)
    with contextlib.redirect_stdout(io.StringIO()):
        coco, results = as_coco(answers, truths)

    def theirs() -> float:
        evaluation = COCOeval(coco, results, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        precision = evaluation.eval["precision"][:, :, :, 0, 2]
        return float(precision[precision > -1].mean())

    with contextlib.redirect_stdout(io.StringIO()):
        difference = abs(theirs() - evaluate_coco(answers, truths, CLASSES).mean_ap())
    assert difference < 1e-9, difference
    functions["COCO scores"] = lambda: evaluate_coco(answers, truths, CLASSES)
    functions["pycocotools"] = quietly(theirs)
    peers["COCO scores"] = "pycocotools"
    seconds = in_turn(functions, rounds=5)
    rows = []
    for name, peer in peers.items():
        value, least, most = ratio(seconds[name], seconds[peer])
        rows.append([name, peer, f"{value:.3f}", f"{least:.3f} … {most:.3f}"])
    print_table(["ours", "beside", "ratio", "of rounds"], rows)


if __name__ == "__main__":
    main()
