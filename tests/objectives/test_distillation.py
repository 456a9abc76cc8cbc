"""The teacher's part of the loss, by hand and in its limits."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from shinso.data.mask_batches import MaskBatch
from shinso.data.mask_decoding import VOID
from shinso.data.tagged_batches import NO_TAG, TagBatch
from shinso.data.token_windows import Window
from shinso.models.recurrent_language_model import RecurrentLanguageModel
from shinso.models.sequence_tagger import SequenceTagger
from shinso.objectives.classification import TaggingObjective
from shinso.objectives.distillation import DistillationObjective, Hint, distance, last_linear
from shinso.objectives.language_modelling import LanguageModelObjective
from shinso.objectives.segmentation import SegmentationObjective


class Labels:
    def __call__(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        return {"loss": F.cross_entropy(model(batch[0]), batch[1])}

    def state_dict(self) -> dict[str, Any]:
        return {"kept": 1}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        assert state == {"kept": 1}


@pytest.fixture
def parts() -> tuple[nn.Module, nn.Module, tuple[Tensor, Tensor]]:
    torch.manual_seed(0)
    return nn.Linear(4, 3), nn.Linear(4, 3), (torch.randn(8, 4), torch.randint(0, 3, (8,)))


def test_loss_is_the_papers_sum(parts: Any) -> None:
    student, teacher, batch = parts
    found = DistillationObjective(Labels(), teacher, answers="logits", temperature=3.0, share=0.6)(
        student, batch
    )
    p, q = (F.softmax(one(batch[0]) / 3, dim=-1) for one in (teacher, student))
    taught = 9 * (p * (p / q).log()).sum(1).mean()
    task = F.cross_entropy(student(batch[0]), batch[1])
    torch.testing.assert_close(found["loss"], 0.4 * task + 0.6 * taught)
    found["loss"].backward()
    assert student.weight.grad is not None
    assert teacher.weight.grad is None


def test_a_student_that_says_the_same_has_nothing_to_learn(parts: Any) -> None:
    student, teacher, batch = parts
    student.load_state_dict(teacher.state_dict())
    for answers in ("logits", "values"):
        found = DistillationObjective(Labels(), teacher, answers=answers)(student, batch)
        assert float(found["loss_teacher"]) == pytest.approx(0, abs=1e-6)


def test_gradient_keeps_its_size_at_high_temperatures(parts: Any) -> None:
    """Matching logits is the limit: T² KL → ‖z − v‖² / 2N for logits of mean zero (section 2.1)."""
    student, teacher, batch = parts
    z, v = student(batch[0]), teacher(batch[0]).detach()
    found = float(distance(z.detach().double(), v.double(), "logits", 1000.0))
    z, v = z - z.mean(1, keepdim=True), v - v.mean(1, keepdim=True)
    assert found == pytest.approx(float((z - v).square().sum(1).mean() / 6), rel=1e-2)


def test_half_precision_costs_rounding_and_no_more(parts: Any) -> None:
    """A softmax in bfloat16 pushes all scores of a sample the same way in every step, and at high
    temperatures that is most of the gradient."""
    generator = torch.Generator().manual_seed(3)
    whole = 8 * torch.randn(64, 10, generator=generator)
    whole, told = (one.bfloat16().float() for one in (whole, whole + 0.5 * whole.roll(1, 1)))
    gradients = []
    for kind in (torch.float32, torch.bfloat16):
        answer = whole.to(kind, copy=True).requires_grad_()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=kind == torch.bfloat16):
            found = distance(answer, told.to(kind), "logits", 20.0)
        assert found.dtype == torch.float32
        found.backward()
        assert answer.grad is not None
        gradients.append(answer.grad.float())
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-2, atol=1e-5)
    same_for_all = gradients[1].sum(1).abs().max() / gradients[0].abs().sum(1).mean()
    assert float(same_for_all) < 0.01


def test_hint_moves_what_goes_into_the_last_layer() -> None:
    torch.manual_seed(1)
    student = nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 3))
    teacher = nn.Sequential(nn.Linear(4, 9), nn.Linear(9, 3))
    hint = Hint(student, teacher, weight=2.0)
    batch = torch.randn(8, 4), torch.randint(0, 3, (8,))
    objective = DistillationObjective(Labels(), teacher, answers="logits", share=0.0, hint=hint)
    found = objective(student, batch)
    wanted = 2 * F.mse_loss(hint.regressor(student[0](batch[0])), teacher[0](batch[0]))
    task = F.cross_entropy(student(batch[0]), batch[1])
    torch.testing.assert_close(found["loss"], task + wanted)
    found["loss"].backward()
    assert hint.regressor.weight.grad is not None
    assert teacher[0].weight.grad is None
    state = objective.state_dict()
    objective.load_state_dict(state)
    assert last_linear(teacher) is teacher[1]
    with pytest.raises(ValueError, match="no linear layer"):
        last_linear(nn.Conv2d(1, 1, 1))


def test_state_is_divided_as_the_task_s_objective_divides_it() -> None:
    model = nn.Linear(2, 2)
    objective = DistillationObjective(LanguageModelObjective(), model, answers="logits")
    hidden = torch.arange(10.0).view(1, 5, 2)
    words = torch.arange(15).view(5, 3)
    state = {"objective": {"state": [[hidden]]}, "carried": [[2 * hidden, words]]}
    parts = [objective.state_of_part(state, index, 2) for index in range(2)]
    assert torch.equal(parts[1]["objective"]["state"][0][0], hidden[:, 1::2])
    assert torch.equal(parts[1]["carried"][0][0], 2 * hidden[:, 1::2])
    assert torch.equal(parts[1]["carried"][0][1], words[1::2])
    joined = objective.joined_state(parts)
    assert torch.equal(joined["objective"]["state"][0][0], hidden)
    assert all(map(torch.equal, joined["carried"][0], (2 * hidden, words)))


def test_a_teacher_carries_its_own_state() -> None:
    torch.manual_seed(0)

    def writer(hidden: int) -> RecurrentLanguageModel:
        config = RecurrentLanguageModel.Config(hidden=hidden, dropout=0.0)
        return RecurrentLanguageModel(config, num_tokens=7)

    student, teacher = writer(4), writer(6)
    objective = DistillationObjective(LanguageModelObjective(), teacher, answers="logits")
    tokens = torch.randint(0, 7, (2, 8))
    for first, fresh in ((0, True), (4, False)):
        read = tokens[:, first : first + 4]
        found = objective(student, Window(read, read, torch.tensor(fresh)))
    told, said = (one.scores(one(tokens)[0]).detach()[:, 4:] for one in (teacher, student))
    expected = distance(said, told, "logits", 4.0)
    torch.testing.assert_close(found["loss_teacher"].detach(), expected)
    again = DistillationObjective(LanguageModelObjective(), teacher, answers="logits")
    again.load_state_dict(objective.state_dict())
    batch = Window(tokens[:, :4], tokens[:, :4], torch.tensor(False))
    assert float(again(student, batch)["loss"]) == float(objective(student, batch)["loss"])


def test_padding_and_void_teach_nothing() -> None:
    """What the networks say where the task's loss does not look changes nothing."""
    torch.manual_seed(0)
    student, teacher = (
        SequenceTagger(SequenceTagger.Config(hidden=4), num_words=9, num_tags=3).eval()
        for _ in range(2)
    )
    tokens, tags = torch.randint(1, 9, (2, 5)), torch.randint(0, 3, (2, 5))
    tokens[1, 3:], tags[1, 3:] = 0, NO_TAG
    objective = DistillationObjective(TaggingObjective(), teacher, answers="logits")
    together = objective(student, TagBatch(tokens, torch.tensor([5, 3]), tags))
    alone = [
        objective(student, TagBatch(tokens[n : n + 1, :k], torch.tensor([k]), tags[n : n + 1, :k]))
        for n, k in enumerate((5, 3))
    ]
    means = [float(one["loss_teacher"]) for one in alone]
    expected = (5 * means[0] + 3 * means[1]) / 8
    assert float(together["loss_teacher"]) == pytest.approx(expected, rel=1e-5)


def test_pixels_of_void_teach_nothing() -> None:
    torch.manual_seed(0)
    student, teacher = nn.Conv2d(2, 3, 1), nn.Conv2d(2, 3, 1)
    masks = torch.randint(0, 3, (2, 4, 4), dtype=torch.uint8)
    masks[:, 2:] = VOID
    images = torch.randn(2, 2, 4, 4)
    objective = DistillationObjective(SegmentationObjective(), teacher, answers="logits")
    found = objective(student, MaskBatch(images, masks))["loss_teacher"]
    half = images[:, :, :2]
    pixels = [one(half).permute(0, 2, 3, 1).reshape(-1, 3) for one in (student, teacher)]
    torch.testing.assert_close(found, distance(pixels[0], pixels[1], "logits", 4.0))
