import json
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from shinso import lessons
from shinso.language import Text
from shinso.lessons import bptt
from shinso.lessons.blackboard import TOLERANCE, Blackboard, LessonDisagreement

CELLS = pytest.mark.parametrize("cell", bptt.CELLS)
NOTE = Text(en="note", ja="注")


def tensors(lesson):
    """Every quantity of the lesson by name."""
    return {step.name: torch.tensor(step.value, dtype=torch.float64) for step in lesson.steps}


def torch_layer(cell, values, inputs, hidden):
    """torch.nn's layer with the lesson's weights, and which of ours stands where in it."""
    gates = {"rnn": [""], "lstm": list("ifgo"), "gru": list("rzn")}[cell]
    layer = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[cell](inputs, hidden).double()
    names = {"weight_ih_l0": "W_{}", "weight_hh_l0": "U_{}", "bias_ih_l0": "b_{}"}
    if cell == "rnn":
        names = {"weight_ih_l0": "W_in", "weight_hh_l0": "W", "bias_ih_l0": "b"}
    with torch.no_grad():
        for theirs, ours in names.items():
            stacked = torch.cat([values[ours.format(gate)] for gate in gates])
            getattr(layer, theirs).copy_(stacked)
        layer.bias_hh_l0.zero_()
        if cell == "gru":
            layer.bias_hh_l0[2 * hidden :] = values["b_m"]
    return layer, {theirs: [ours.format(gate) for gate in gates] for theirs, ours in names.items()}


@CELLS
def test_numbers_and_gradients_match_torch(cell):
    """The whole network again with torch.nn's own cell; tolerance: float64 rounding."""
    lesson = bptt.teach(bptt.Config(cell=cell, hidden=3, steps=4, inputs=2, seed=5))
    values = tensors(lesson)
    layer, places = torch_layer(cell, values, inputs=2, hidden=3)
    x = torch.stack([values[f"x_{t}"] for t in range(1, 5)])
    d = torch.stack([values[f"d_{t}"] for t in range(1, 5)])
    state = "z" if cell == "rnn" else "h"
    bias = "c" if cell == "rnn" else "b_out"

    states, _ = layer(x)
    w_out, b_out = (values[name].requires_grad_() for name in ("W_out", bias))
    error = ((d - torch.sigmoid(states @ w_out.T + b_out)) ** 2).sum() / 2
    error.backward()

    ours = torch.stack([values[f"{state}_{t}"] for t in range(1, 5)])
    torch.testing.assert_close(ours, states.detach(), rtol=0, atol=1e-14)
    torch.testing.assert_close(values["E"], error.detach(), rtol=0, atol=1e-14)
    for theirs, names in places.items():
        by_hand = torch.cat([values[f"∂E/∂{name}"] for name in names])
        torch.testing.assert_close(by_hand, getattr(layer, theirs).grad, rtol=0, atol=1e-14)
    torch.testing.assert_close(values["∂E/∂W_out"], w_out.grad, rtol=0, atol=1e-14)
    torch.testing.assert_close(values[f"∂E/∂{bias}"], b_out.grad, rtol=0, atol=1e-14)


@given(
    st.sampled_from(bptt.CELLS),
    st.integers(1, 4),
    st.integers(1, 5),
    st.integers(1, 3),
    st.integers(0, 10**6),
)
@settings(max_examples=25, deadline=None)
def test_backward_agrees_with_autograd_holds_for_any_size(cell, hidden, steps, inputs, seed):
    config = bptt.Config(cell=cell, hidden=hidden, steps=steps, inputs=inputs, seed=seed)
    lesson = bptt.teach(config)
    assert lesson.largest_difference <= TOLERANCE
    for step in lesson.steps:
        assert torch.tensor(step.value).shape == step.shape
        checked = step.phase in ("backward", "weights")
        assert (step.autograd is not None) == checked
        assert (step.difference is not None) == checked
        if step.autograd is not None:
            difference = torch.tensor(step.value) - torch.tensor(step.autograd)
            assert difference.abs().max() <= TOLERANCE


@CELLS
def test_every_weight_gets_its_gradient(cell):
    lesson = bptt.teach(bptt.Config(cell=cell))
    weights = [s.name for s in lesson.steps if s.phase == "given" and s.name[0] not in "xd"]
    gradients = [step.name for step in lesson.steps if step.phase == "weights"]
    assert sorted(gradients) == sorted(f"∂E/∂{name}" for name in weights)


def test_shares_of_the_steps_add_up_to_the_gradient_of_w():
    values = tensors(bptt.teach(bptt.Config(cell="rnn", steps=4, hidden=3)))
    shares = sum(values[f"∂E/∂W at {t}"] for t in range(1, 5))
    torch.testing.assert_close(shares, values["∂E/∂W"], rtol=0, atol=1e-15)


@CELLS
def test_same_seed_gives_the_same_lesson(cell):
    config = bptt.Config(cell=cell, seed=3)
    assert bptt.teach(config).steps == bptt.teach(config).steps
    assert bptt.teach(config).steps != bptt.teach(replace(config, seed=4)).steps


def board_with_gradient():
    board = Blackboard()
    w = board.given("w", torch.tensor([1.0, 2.0], dtype=torch.float64).requires_grad_(), NOTE)
    (w**2).sum().backward()
    return board


@pytest.mark.parametrize(
    "wrong", [[2.0, 4.0 + 2e-10], [2.0, float("nan")], [2.0, 4.0, 0.0], [[2.0, 4.0]]]
)
def test_a_wrong_derivative_stops_the_lesson(wrong):
    board = board_with_gradient()
    value = torch.tensor(wrong, dtype=torch.float64)
    with pytest.raises(LessonDisagreement, match="∂E/∂w"):
        board.backward(None, "∂E/∂w", "2 w", value, NOTE, by="w")
    assert [step.name for step in board.steps] == ["w"]


def test_a_derivative_that_autograd_does_not_have_stops_the_lesson():
    board = Blackboard()
    board.given("w", torch.ones(1, dtype=torch.float64).requires_grad_(), NOTE)
    with pytest.raises(LessonDisagreement, match="nothing"):
        board.backward(None, "∂E/∂w", "0", torch.zeros(1, dtype=torch.float64), NOTE, by="w")


def test_a_right_derivative_is_written_with_its_difference():
    board = board_with_gradient()
    value = torch.tensor([2.0, 4.0 + 1e-11], dtype=torch.float64)
    board.backward(None, "∂E/∂w", "2 w", value, NOTE, by="w")
    step = board.steps[-1]
    assert step.autograd == [2.0, 4.0]
    assert step.difference == pytest.approx(1e-11, rel=1e-4)
    assert board.largest_difference == step.difference
    assert step.formula == "∂E/∂w = 2 w"


@CELLS
def test_lesson_is_json_in_both_languages(cell):
    lesson = bptt.teach(bptt.Config(cell=cell))
    read = json.loads(json.dumps(lessons.as_dict(lesson)))
    assert len(read["steps"]) == len(lesson.steps)
    assert read["title"].keys() == {"en", "ja"}
    assert read["steps"][-1]["autograd"] == lesson.steps[-1].autograd


@CELLS
def test_questions_have_one_right_answer_and_a_reason_in_both_languages(cell):
    questions = bptt.teach(bptt.Config(cell=cell)).questions
    assert 3 <= len(questions) <= 5
    assert len({question.correct for question in questions}) > 1
    for question in questions:
        for text in (question.question, question.reason):
            assert text.en
            assert text.ja
            assert text.en != text.ja
        assert len({answer.en for answer in question.answers}) == len(question.answers)
        assert len({answer.ja for answer in question.answers}) == len(question.answers)


@pytest.mark.parametrize(("field", "value"), [("hidden", 0), ("steps", 0), ("inputs", 0)])
def test_config_names_the_field_that_is_wrong(field, value):
    with pytest.raises(ValueError, match=rf"^{field} is {value}; give at least 1"):
        bptt.Config(**{field: value})


def test_config_refuses_an_unknown_cell():
    config = bptt.Config()
    object.__setattr__(config, "cell", "cnn")  # past the tests' check of types
    with pytest.raises(ValueError, match="cell is 'cnn'; choose one of rnn, lstm, gru"):
        config.__post_init__()
