"""The series classifier: it reads a series to its end, and nothing behind that."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from shinso.models.sequence_classifier import SequenceClassifier

CELLS = ["rnn", "lstm", "gru"]
POOLS = ["last", "mean", "max"]


def make(seed: int = 0, **settings_: object) -> SequenceClassifier:
    torch.manual_seed(seed)
    config = SequenceClassifier.Config(**{"hidden": 6, "dropout": 0.0, **settings_})  # type: ignore[arg-type]
    return SequenceClassifier(config, num_channels=2, num_classes=3)


def padded(lengths: list[int], seed: int = 0, extra: int = 0) -> tuple[Tensor, Tensor]:
    """Series of these lengths; behind each end stands rubbish, not zeros."""
    generator = torch.Generator().manual_seed(seed)
    series = [torch.randn(length, 2, generator=generator) for length in lengths]
    behind = torch.Generator().manual_seed(seed + 1 + extra)
    values = 100 * torch.randn(len(lengths), max(lengths) + extra, 2, generator=behind)
    for row, one in enumerate(series):
        values[row, : len(one)] = one
    return values, torch.tensor(lengths)


@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    cell=st.sampled_from(CELLS),
    pool=st.sampled_from(POOLS),
    bidirectional=st.booleans(),
    layers=st.integers(1, 2),
    extra=st.integers(1, 4),
)
@settings(max_examples=60, deadline=None)
def test_padding_changes_nothing_holds_for_any_lengths(
    lengths: list[int], cell: str, pool: str, bidirectional: bool, layers: int, extra: int
) -> None:
    """Alone, in a batch, and with more and other padding: the same scores."""
    model = make(cell=cell, pool=pool, bidirectional=bidirectional, layers=layers)
    values, steps = padded(lengths)
    scores = model(values, steps)
    assert scores.shape == (len(lengths), 3)
    assert torch.allclose(model(*padded(lengths, extra=extra)), scores, atol=1e-6)
    for row, length in enumerate(lengths):
        alone = model(values[row : row + 1, :length], steps[row : row + 1])
        assert torch.allclose(alone[0], scores[row], atol=1e-5)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_pools_match_torch_layers(cell: str, bidirectional: bool) -> None:
    kinds = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
    layer = kinds[cell](2, 6, 2, batch_first=True, bidirectional=bidirectional)
    model = make(cell=cell, bidirectional=bidirectional, layers=2)
    layer.load_state_dict(model.recurrent.state_dict())
    values, steps = padded([5, 5, 5])
    states, _ = layer(values)
    ends = [states[:, -1, :6], states[:, 0, 6:]] if bidirectional else [states[:, -1]]
    expected = {"last": torch.cat(ends, -1), "mean": states.mean(1), "max": states.amax(1)}
    for pool, pooled in expected.items():
        other = make(cell=cell, bidirectional=bidirectional, layers=2, pool=pool)
        assert torch.allclose(other(values, steps), other.head(pooled), atol=1e-5)


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("cell", CELLS)
def test_every_parameter_gets_a_gradient(cell: str, pool: str) -> None:
    model = make(cell=cell, pool=pool, bidirectional=True, layers=2)
    values, steps = padded([4, 7, 2])
    (model(values, steps) * torch.tensor([1.0, 2.0, -1.0])).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("cell", CELLS)
def test_labels_of_a_batch_are_learned_overfits(cell: str) -> None:
    model = make(cell=cell, bidirectional=True, hidden=16)
    values, steps = padded([6, 3, 8, 5, 7, 4])
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    for _ in range(120):
        loss = torch.nn.functional.cross_entropy(model(values, steps), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert torch.nn.functional.cross_entropy(model(values, steps), labels) < 0.05


def test_a_reader_from_both_ends_sees_the_end_at_its_first_step() -> None:
    """Its mean-pooled state at step 0 alone depends on the last value; a forward one's cannot."""
    values, _ = padded([6])
    moved = values.clone()
    moved[0, 5] += 1
    both, forward = (make(bidirectional=both_ends).recurrent for both_ends in (True, False))
    assert not torch.allclose(both(values)[0][:, 0], both(moved)[0][:, 0])
    assert torch.equal(forward(values)[0][:, 0], forward(moved)[0][:, 0])


@pytest.mark.parametrize(("name", "value"), [("hidden", 0), ("layers", 0), ("dropout", 1.0)])
def test_settings_that_make_no_sense_are_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        SequenceClassifier.Config(**{name: value})  # type: ignore[arg-type]
