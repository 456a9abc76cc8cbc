from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from shinso.data import sequence_tasks as tasks
from shinso.data.sequence_tasks import Pair


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


TASKS: dict[str, Callable[[np.random.Generator], Pair]] = {
    "adding": lambda g: tasks.adding_problem(5, 20, g),
    "addition": lambda g: tasks.binary_addition(5, 20, g),
    "sums": lambda g: tasks.continual_sums(5, 20, g),
    "intervals": lambda g: tasks.spike_intervals(5, 20, g, shortest=3, longest=6),
    "kept": lambda g: tasks.kept_value(5, 20, g),
    "undisturbed": lambda g: tasks.undisturbed_output(5, 20, g),
    "later": lambda g: tasks.later_label(5, 20, g),
    "walk": lambda g: tasks.random_walk(5, 20, g),
}


@pytest.mark.parametrize("name", TASKS)
def test_tasks_hold_their_shape_and_seed(name: str) -> None:
    inputs, targets = TASKS[name](rng(1))
    again = TASKS[name](rng(1))
    other = TASKS[name](rng(2))
    assert inputs.shape[:2] == (5, 20)
    assert len(targets) == 5
    assert inputs.dtype == targets.dtype == torch.float32
    assert torch.equal(inputs, again[0])
    assert torch.equal(targets.nan_to_num(9), again[1].nan_to_num(9))
    assert not torch.equal(inputs, other[0])


@given(st.integers(10, 60), st.integers(0, 99))
def test_adding_problem_holds_for_any_length(length: int, seed: int) -> None:
    inputs, targets = tasks.adding_problem(20, length, rng(seed))
    values, marks = inputs.unbind(2)
    marked = marks == 1
    assert (marked.sum(1) == 2).all()
    # One of the first ten at least, both in the first half, and never the last step.
    assert marked[:, :10].any(1).all()
    assert not marked[:, length // 2 - 1 :].any()
    assert (marks[:, -1] == -1).all()
    assert ((marks[:, 0] == -1) | (values[:, 0] == 0)).all()
    torch.testing.assert_close(targets[:, 0], 0.5 + (values * marked).sum(1) / 4)


def test_adding_problem_variance_matches_the_docstring() -> None:
    _, targets = tasks.adding_problem(40_000, 200, rng())
    # Slightly below 1/24: one sequence in about twelve has a marked first step, which holds 0.
    assert abs(float(((targets - 0.5) ** 2).mean()) - 1 / 24) < 0.004


@given(st.integers(2, 62), st.integers(0, 99))
def test_binary_addition_holds_for_any_length(length: int, seed: int) -> None:
    inputs, targets = tasks.binary_addition(10, length, rng(seed))
    for bits, sums in zip(inputs.int().tolist(), targets.int().tolist(), strict=True):
        numbers = [sum(bit[n] << place for place, bit in enumerate(bits)) for n in (0, 1)]
        assert max(numbers) < 2 ** (length - 1)
        assert sum(bit[0] << place for place, bit in enumerate(sums)) == sum(numbers)


def test_binary_addition_reaches_all_operands() -> None:
    inputs, _ = tasks.binary_addition(5000, 8, rng())
    operands = (inputs[:, :, 0].long() << torch.arange(8)).sum(1)
    assert operands.unique().tolist() == list(range(128))


@given(st.integers(1, 40), st.integers(0, 99))
def test_continual_sums_hold_for_any_stream(length: int, seed: int) -> None:
    inputs, targets = tasks.continual_sums(3, length, rng(seed), mean_episode=4.0)
    for stream, wanted in zip(inputs.tolist(), targets.tolist(), strict=True):
        total = 0.0
        assert stream[0][1] == 1
        for (value, begins), (target,) in zip(stream, wanted, strict=True):
            total = value if begins else total + value
            assert abs(target - total / 2) < 1e-5


@given(st.integers(1, 6), st.integers(1, 8), st.integers(16, 60), st.integers(0, 99))
def test_spike_intervals_hold_for_any_range(
    shortest: int, more: int, length: int, seed: int
) -> None:
    longest = shortest + more
    inputs, targets = tasks.spike_intervals(
        8, length, rng(seed), shortest=shortest, longest=longest
    )
    for stream, wanted in zip(inputs[:, :, 0], targets[:, :, 0], strict=True):
        times = stream.nonzero()[:, 0]
        gaps = times.diff()
        assert (gaps >= shortest).all()
        assert (gaps <= longest).all()
        assert wanted.isfinite().nonzero()[:, 0].tolist() == times[1:].tolist()
        torch.testing.assert_close(wanted[times[1:]], (gaps - shortest).float() / more)
        assert length - times[-1] <= longest  # the stream is spiked to its end


def test_kept_value_is_the_marked_one() -> None:
    inputs, targets = tasks.kept_value(300, 12, rng())
    values, marks = inputs.unbind(2)
    assert (marks.sum(1) == 1).all()
    assert not marks[:, 3:].any()
    assert torch.equal((values * marks).sum(1), targets[:, 0])


def test_undisturbed_output_asks_for_the_first_value_at_the_end() -> None:
    inputs, targets = tasks.undisturbed_output(50, 9, rng())
    assert torch.equal(targets[:, -1, 0], inputs[:, 0, 0])
    assert torch.equal(targets[:, :-1, 0], inputs[:, :-1, 0])
    assert inputs[:, :, 1].sum() == inputs[:, 0, 1].sum() == 50
    assert inputs[:, :, 2].sum() == inputs[:, -1, 2].sum() == 50
    assert not inputs[:, -1, 0].any()


def test_later_label_is_three_quarters_known_from_the_present() -> None:
    inputs, targets = tasks.later_label(100, 200, rng(), ahead=4)
    x, y = inputs[:, :, 0], targets[:, :, 0]
    assert torch.equal(y[:, :-4].bool(), x[:, 4:] > x[:, :-4])
    assert torch.equal(y[:, -4:].bool(), x[:, -4:] < 0)
    assert abs(float(((x < 0) == y.bool())[:, :-4].float().mean()) - 0.75) < 0.01


def test_random_walk_targets_are_the_next_inputs() -> None:
    inputs, targets = tasks.random_walk(200, 50, rng())
    assert torch.equal(inputs[:, 1:], targets[:, :-1])
    assert abs(float((targets - inputs).var()) - 1) < 0.05


@pytest.mark.parametrize(
    "draw",
    [
        lambda: tasks.adding_problem(1, 9, rng()),
        lambda: tasks.binary_addition(1, 63, rng()),
        lambda: tasks.spike_intervals(1, 20, rng(), shortest=5, longest=5),
        lambda: tasks.kept_value(1, 3, rng()),
        lambda: tasks.undisturbed_output(1, 2, rng()),
        lambda: tasks.later_label(1, 5, rng(), ahead=5),
    ],
)
def test_impossible_sizes_are_refused(draw: Callable[[], Pair]) -> None:
    with pytest.raises(ValueError, match=r"give|must"):
        draw()
