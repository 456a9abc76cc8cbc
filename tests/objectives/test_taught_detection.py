"""What a teacher tells a detector, by hand; which places count; who cannot be told anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from shinso.data.boxed_batches import BoxBatch
from shinso.faults import UsageFault
from shinso.models.faster_rcnn import FasterRCNN
from shinso.models.ssd import SSD, Raw
from shinso.nn.boxes import xyxy_from_cxcywh
from shinso.objectives.detection import NO_CLASS, SSDObjective, box_losses, targets_of
from shinso.objectives.distillation import DistillationObjective, distance
from shinso.objectives.two_stage_detection import TwoStageObjective

ENDS: dict[str, Any] = {
    "num_channels": 1, "num_classes": 2, "size_px": (32, 32), "object_px": (6.0, 20.0)
}  # fmt: skip


def network(width: float, strides: tuple[int, ...] = (8, 16)) -> SSD:
    return SSD(SSD.Config(width=width, strides=strides), **ENDS).eval()


@pytest.fixture
def batch() -> BoxBatch:
    torch.manual_seed(0)
    passed = xyxy_from_cxcywh(network(0.125).defaults)[-1].tolist()
    boxes = [[[4, 5, 12, 13], passed], [[10, 9, 22, 20], [0, 0, 0, 0]]]
    return BoxBatch(
        torch.randn(2, 1, 32, 32),
        torch.tensor(boxes).float(),
        torch.tensor([[0, 1], [1, -1]]),
        torch.tensor([[False, True], [False, False]]),
    )


@pytest.fixture
def answers(batch: BoxBatch) -> tuple[SSD, Raw, Raw]:
    """A network and answers as of a student and a teacher that say something at every box."""
    model = network(0.125)
    shape = (2, len(model.defaults))
    return model, *(  # type: ignore[return-value]
        Raw(2 * torch.randn(*shape, 3), torch.randn(*shape, 4)) for _ in range(2)
    )


def test_loss_is_the_sum_written_out(
    batch: BoxBatch, monkeypatch: pytest.MonkeyPatch, answers: tuple[SSD, Raw, Raw]
) -> None:
    student, teacher = network(0.125), network(0.25)
    leaves = tuple(Raw(*(part.requires_grad_() for part in one)) for one in answers[1:])
    for model, answer in zip((student, teacher), leaves, strict=True):
        monkeypatch.setattr(model, "forward", lambda _, its=answer: Raw(*(2 * x for x in its)))
    task = SSDObjective(ratio=2)
    found = DistillationObjective(task, teacher, answers="logits", temperature=3.0, share=0.6)(
        student, batch
    )
    said, told = (Raw(*(2 * part.detach() for part in one)) for one in leaves)
    targets = targets_of(batch, student.defaults, 0.5)
    assert {NO_CLASS, 0, 1, 2} == set(targets.classes.flatten().tolist())
    apart = boxes_apart = 0.0
    objects = matched = 0
    for row in range(2):
        named = targets.classes[row].tolist()
        p, q = (F.softmax(one.scores[row] / 3, -1) for one in (told, said))
        sure = F.softmax(told.scores[row], -1)[:, 0]
        hard = [
            (float(F.cross_entropy(said.scores[row, k], torch.tensor(0))), k)
            for k, name in enumerate(named)
            if name == 0
        ]
        on = {k for k, name in enumerate(named) if name > 0}
        counted = on | {k for k, name in enumerate(named) if name == 0 and sure[k] < 0.5}
        objects, matched = objects + len(counted), matched + len(on)
        counted |= {k for _loss, k in sorted(hard)[-2 * len(on) :]}
        assert len(counted) < len(named) - named.count(NO_CLASS)
        apart += sum(float((p[k] * (p[k] / q[k]).log()).sum()) for k in counted)
        for k in on:
            ours, theirs = (
                float(
                    box_losses(
                        one.offsets[row, k][None], student.defaults[k][None],
                        targets.boxes_xyxy_px[row, k][None], "smooth-l1",
                    )
                )
                for one in (said, told)
            )  # fmt: skip
            boxes_apart += ours if ours > theirs else 0.0
    taught = 9 * apart / objects + boxes_apart / matched
    assert float(found["loss_teacher"].detach()) == pytest.approx(taught, rel=1e-5)
    own = float(task(student, batch)["loss"].detach())
    assert float(found["loss"].detach()) == pytest.approx(0.4 * own + 0.6 * taught, rel=1e-5)
    found["loss"].backward()
    assert all(part.grad is not None for part in leaves[0])
    assert all(part.grad is None for part in leaves[1])


def told_to(answers: tuple[SSD, Raw, Raw], batch: BoxBatch) -> Callable[[Raw, Raw], float]:
    """What the teacher's part of the loss is for two answers."""
    model = answers[0]

    def found(said: Raw, told: Raw) -> float:
        one = SSDObjective().comparison(model, model)(batch, said, told)
        assert one.of is not None
        assert one.beside is not None
        return float(distance(one.said, one.told, "logits", 4.0, of=one.of) + one.beside)

    return found


def test_nothing_is_left_to_learn_from_oneself_and_from_a_worse_box(
    batch: BoxBatch, answers: tuple[SSD, Raw, Raw]
) -> None:
    _model, said, told = answers
    found = told_to(answers, batch)
    assert found(said, said) == pytest.approx(0, abs=1e-6)
    worse = said._replace(offsets=said.offsets + 100)
    assert found(said, worse) == pytest.approx(0, abs=1e-6)
    assert found(worse, said) > 100
    assert found(said, told) > 0


def test_ignored_objects_teach_nothing_and_background_does_not_drown(
    batch: BoxBatch, answers: tuple[SSD, Raw, Raw]
) -> None:
    model, said, told = answers
    classes = targets_of(batch, model.defaults, 0.5).classes
    plain = torch.tensor([9.0, 0, 0])  # what a teacher says of background
    quiet = told._replace(scores=torch.where(classes[..., None] > 0, told.scores, plain))
    found = told_to(answers, batch)
    loud = quiet.scores.clone()
    loud[classes == NO_CLASS] = torch.tensor([-9.0, 9, 0])
    assert found(said, quiet) == found(said, quiet._replace(scores=loud))
    some = SSDObjective().comparison(model, model)(batch, said, quiet)
    assert len(some.said) == 4 * int((classes > 0).sum())  # each matched one and three beside it
    seen = quiet.scores.clone()
    place = tuple((classes == 0).nonzero()[0])
    seen[place] = torch.tensor([0.0, 3, 0])
    more = SSDObjective().comparison(model, model)(batch, said, quiet._replace(scores=seen))
    assert some.of is not None
    assert more.of == some.of + 1


def test_an_image_without_objects_is_taught_too(answers: tuple[SSD, Raw, Raw]) -> None:
    model, said, told = answers
    none = torch.zeros(2, 1, dtype=torch.bool)
    empty = BoxBatch(torch.zeros(2, 1, 32, 32), torch.zeros(2, 1, 4), none.long() - 1, none)
    quiet = told._replace(scores=told.scores + torch.tensor([20.0, 0, 0]))
    found = SSDObjective().comparison(model, model)(empty, said, quiet)
    assert len(found.said) == 2 * 3
    assert float(distance(found.said, found.told, "logits", 4.0, of=found.of)) > 0
    assert found.beside == 0


def two_looks() -> FasterRCNN:
    return FasterRCNN(FasterRCNN.Config(width=0.125, strides=(8, 16), top_down=8), **ENDS)


def test_detectors_that_answer_of_other_places_are_refused(batch: BoxBatch) -> None:
    ssd = network(0.125)
    cases = [
        (SSDObjective(), ssd, network(0.125, (8,)), "strides=8,16"),
        (SSDObjective(), ssd, two_looks(), "as many boxes as it finds"),
        (TwoStageObjective(), two_looks(), ssd, "as many boxes as it finds"),
        (TwoStageObjective(), two_looks(), two_looks(), "as many boxes as it finds"),
    ]
    for task, student, teacher, why in cases:
        with pytest.raises(UsageFault, match="COMPRESS-REFUSED") as fault:
            DistillationObjective(task, teacher, answers="logits")(student, batch)
        assert why in fault.value.text()


def test_as_many_boxes_elsewhere_are_other_boxes(batch: BoxBatch) -> None:
    other = SSD(SSD.Config(width=0.125, strides=(8, 16)), **{**ENDS, "object_px": (8.0, 20.0)})
    with pytest.raises(UsageFault, match="default boxes"):
        SSDObjective().comparison(network(0.125), other)
