"""The recurrent translators: one step at a time as all at once, and what attention sees."""

from __future__ import annotations

import pytest
import torch

from shinso.data.subwords import BEGIN, END
from shinso.models.seq2seq import Seq2Seq

KINDS = ["none", "bahdanau", "luong"]
SOURCE = torch.tensor([[5, 6, 7, END, 0], [8, 9, 10, 11, END]])
MASK = torch.tensor([[True] * 4 + [False], [True] * 5])
TARGET = torch.tensor([[BEGIN, 5, 9, 4], [BEGIN, 12, 7, 6]])


def make(attention: str, **settings) -> Seq2Seq:
    torch.manual_seed(0)
    small = {"embedding": 8, "hidden": 6, "dropout": 0.0}
    config = Seq2Seq.Config(**{**small, "attention": attention, **settings})
    return Seq2Seq(config, num_source=15, num_target=15, shared=True)


@pytest.mark.parametrize("attention", KINDS)
@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("layers", [1, 2])
def test_steps_give_what_the_whole_target_gives(attention, cell, layers):
    model = make(attention, cell=cell, encoder_layers=layers, decoder_layers=layers)
    model.double().eval()
    whole = model.output(model(SOURCE, MASK, TARGET))
    writer = model.begin(SOURCE, MASK, 1, 4)
    for place in range(4):
        step = writer.step(TARGET[:, place : place + 1])[:, 0]
        torch.testing.assert_close(step, whole[:, place])


@pytest.mark.parametrize("attention", KINDS)
def test_padding_and_later_words_change_nothing(attention):
    model = make(attention).double().eval()
    whole = model(SOURCE, MASK, TARGET)
    alone = model(SOURCE[:1, :4], None, TARGET[:1, :3])
    torch.testing.assert_close(whole[:1, :3], alone)


@pytest.mark.parametrize("attention", KINDS)
def test_model_overfits_one_batch(attention):
    model = make(attention, embedding=16, hidden=24).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _step in range(80):
        scores = model.output(model(SOURCE, MASK, TARGET[:, :-1]))
        loss = torch.nn.functional.cross_entropy(scores.flatten(0, 1), TARGET[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.05


def test_alignment_shares_out_one_look_among_real_words():
    for attention in ("bahdanau", "luong"):
        weights = make(attention).eval().alignment(SOURCE, MASK, TARGET)
        torch.testing.assert_close(weights.sum(-1), torch.ones(2, 4))
        assert not weights[0, :, 4].any()
    assert make("none").alignment(SOURCE, MASK, TARGET) is None


@pytest.mark.parametrize("attention", KINDS)
def test_own_words_are_read_in_place_of_the_true_ones(attention):
    model = make(attention).double().eval()
    given = model(SOURCE, MASK, TARGET)
    torch.testing.assert_close(model(SOURCE, MASK, TARGET, own_share=1e-12), given)
    own = model(SOURCE, MASK, TARGET, own_share=1.0)
    guesses = model.output(own).argmax(-1)
    # What was written under its own words is what those words, given as true, lead to.
    read = torch.cat([TARGET[:, :1], guesses[:, :-1]], 1)
    torch.testing.assert_close(model(SOURCE, MASK, read), own)


def test_fixed_vector_is_all_that_a_model_without_attention_sees():
    """Two sources with the same summary would be the same to it; not so with attention."""
    model = make("none").eval()
    seen = model.encode(SOURCE, MASK)
    before = model._written(seen, TARGET, 0.0)[0]
    seen.memory = torch.randn_like(seen.memory)
    assert torch.equal(model._written(seen, TARGET, 0.0)[0], before)


def test_settings_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="hidden is 0"):
        Seq2Seq.Config(hidden=0)
    with pytest.raises(ValueError, match="a shared vocabulary has one size"):
        Seq2Seq(Seq2Seq.Config(), num_source=7, num_target=9, shared=True)
