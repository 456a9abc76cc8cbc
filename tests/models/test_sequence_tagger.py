"""The tagger: a tag for each token, from what it may see."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from shinso.models.sequence_tagger import SequenceTagger

CELLS = ["rnn", "lstm", "gru"]


def make(seed: int = 0, **settings_: object) -> SequenceTagger:
    torch.manual_seed(seed)
    config = SequenceTagger.Config(  # type: ignore[arg-type]
        **{"hidden": 6, "embedding": 5, "dropout": 0.0, **settings_}
    )
    return SequenceTagger(config, num_words=11, num_tags=4)


def sentences(lengths: list[int], seed: int = 0, extra: int = 0) -> tuple[Tensor, Tensor]:
    """Sentences of these lengths with other words behind their ends."""
    generator = torch.Generator().manual_seed(seed)
    words = [torch.randint(11, (length,), generator=generator) for length in lengths]
    behind = torch.Generator().manual_seed(seed + 1 + extra)
    tokens = torch.randint(11, (len(lengths), max(lengths) + extra), generator=behind)
    for row, one in enumerate(words):
        tokens[row, : len(one)] = one
    return tokens, torch.tensor(lengths)


@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    cell=st.sampled_from(CELLS),
    bidirectional=st.booleans(),
    extra=st.integers(1, 4),
)
@settings(max_examples=50, deadline=None)
def test_padding_changes_nothing_holds_for_any_lengths(
    lengths: list[int], cell: str, bidirectional: bool, extra: int
) -> None:
    model = make(cell=cell, bidirectional=bidirectional)
    tokens, steps = sentences(lengths)
    scores = model(tokens, steps)
    longer = model(*sentences(lengths, extra=extra))
    assert scores.shape == (*tokens.shape, 4)
    assert longer.shape == (len(lengths), max(lengths) + extra, 4)
    for row, length in enumerate(lengths):
        alone = model(tokens[row : row + 1, :length], steps[row : row + 1])[0]
        assert torch.allclose(alone, scores[row, :length], atol=1e-5)
        assert torch.allclose(longer[row, :length], alone, atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_only_a_bidirectional_tagger_sees_the_words_that_follow(cell: str) -> None:
    tokens, steps = sentences([6])
    moved = tokens.clone()
    moved[0, 5] = (moved[0, 5] + 1) % 11
    forward, both = (make(cell=cell, bidirectional=flag) for flag in (False, True))
    assert torch.equal(forward(tokens, steps)[0, :5], forward(moved, steps)[0, :5])
    assert (both(tokens, steps) - both(moved, steps))[0].abs().amax(-1).min() > 0


@pytest.mark.parametrize("cell", CELLS)
def test_every_parameter_gets_a_gradient(cell: str) -> None:
    model = make(cell=cell, layers=2)
    scores = model(*sentences([9, 4, 7]))
    (scores * torch.tensor([1.0, 2.0, -1.0, 0.5])).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("cell", CELLS)
def test_tags_that_depend_on_the_next_word_are_learned_overfits(cell: str) -> None:
    model = make(cell=cell, hidden=24)
    tokens, steps = sentences([8, 8, 8, 8])
    tags = tokens.roll(-1, dims=1) % 4
    tags[:, -1] = 0
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)

    def loss() -> Tensor:
        scores = model(tokens, steps).flatten(0, 1)
        return torch.nn.functional.cross_entropy(scores, tags.flatten())

    for _ in range(150):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    assert loss().item() < 0.05


@pytest.mark.parametrize(
    ("name", "value"), [("hidden", 0), ("embedding", 0), ("layers", 0), ("dropout", -0.1)]
)
def test_settings_that_make_no_sense_are_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        SequenceTagger.Config(**{name: value})  # type: ignore[arg-type]
