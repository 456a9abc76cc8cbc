"""Language models: windows that go on, losses against torch, generation, and texts that are none."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from shinso.data.token_codec import TokenCodec
from shinso.data.token_windows import WindowSource
from shinso.faults import DataFault
from shinso.models.recurrent_language_model import RecurrentLanguageModel
from shinso.models.transformer_language_model import TransformerLanguageModel
from shinso.nn.sampled_loss import sampled_cross_entropy
from shinso.objectives.language_modelling import LanguageModelObjective
from shinso.objectives.sampling import choose_token
from shinso.recipes import language_model as recipe
from shinso.recipes.uses.token_data import packed, unpacked

TEXT = "the cat sat on the mat\nthe dog sat on the log\n"


def recurrent(**settings):
    torch.manual_seed(0)
    config = RecurrentLanguageModel.Config(**{"hidden": 12, "dropout": 0.0, **settings})
    return RecurrentLanguageModel(config, num_tokens=9)


def test_sampled_loss_is_the_whole_loss_where_many_are_drawn():
    torch.manual_seed(0)
    h, weight, bias = torch.randn(20, 6), torch.randn(11, 6), torch.randn(11)
    target, shares = torch.randint(0, 11, (20,)), torch.rand(11) + 0.2
    shares /= shares.sum()
    whole = F.cross_entropy(F.linear(h, weight, bias), target)
    drawn = torch.multinomial(shares, 200_000, replacement=True)
    found = sampled_cross_entropy(h, weight, bias, target, drawn, shares)
    assert float(found) == pytest.approx(float(whole), abs=0.02)
    few = [
        float(sampled_cross_entropy(h, weight, bias, target, torch.multinomial(shares, 3), shares))
        for _ in range(300)
    ]
    assert np.mean(few) < float(whole)  # the logarithm of an estimated sum lies below


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@torch.no_grad()
def test_state_goes_on_where_a_window_ended(cell):
    model = recurrent(cell=cell).eval()
    tokens = torch.randint(0, 9, (2, 10))
    whole, _ = model(tokens)
    first, state = model(tokens[:, :4])
    second, _ = model(tokens[:, 4:], state)
    torch.testing.assert_close(torch.cat([first, second], 1), whole)


@torch.no_grad()
def test_transformer_goes_on_and_sees_no_future():
    torch.manual_seed(0)
    config = TransformerLanguageModel.Config(width=16, layers=2, heads=2, inner=32, dropout=0.0)
    model = TransformerLanguageModel(config, num_tokens=9).eval()
    tokens = torch.randint(0, 9, (2, 10))
    whole, _ = model(tokens)
    first, state = model(tokens[:, :4])
    second, _ = model(tokens[:, 4:], state)
    torch.testing.assert_close(torch.cat([first, second], 1), whole)
    other = tokens.clone()
    other[:, 7:] = (other[:, 7:] + 1) % 9
    torch.testing.assert_close(model(other)[0][:, :7], whole[:, :7])
    assert not torch.allclose(model(other)[0][:, 7:], whole[:, 7:])


@torch.no_grad()
def test_text_read_bit_by_bit_is_the_text_read_at_once():
    torch.manual_seed(0)
    tokens = torch.randint(0, 9, (2, 300))
    config = TransformerLanguageModel.Config(width=16, layers=2, heads=2, inner=32, context=40)
    transformer = TransformerLanguageModel(config, num_tokens=9).eval()
    for model in (transformer, recurrent().eval()):
        read, ends = model.continuation(), [3, 4, 5, *range(11, 41)]
        for begin, end in pairwise([0, *ends]):
            h = read(tokens[:, begin:end])
            torch.testing.assert_close(h, model(tokens[:, :end])[0][:, -1])
    # Past its context, a token sees so many before it and at most 64 more.
    read, found = transformer.continuation(), []
    for end in range(1, 300):
        h = read(tokens[:, end - 1 : end])
        if end > 150 and end % 7 == 0:
            windows = {size: tokens[:, end - size : end] for size in range(2, 140)}
            apart = {n: (h - transformer(x)[0][:, -1]).abs().max() for n, x in windows.items()}
            nearest = min(apart, key=lambda size: float(apart[size]))
            assert apart[nearest] < 1e-5
            found.append(nearest)
    assert 41 <= min(found) < 60
    assert 85 < max(found) <= 105


def test_objective_carries_the_state_and_cuts_its_gradient():
    model, objective = recurrent(), LanguageModelObjective()
    source = WindowSource(np.arange(200) % 9, batch_size=2, time=5, seed=0)
    objective(model, source.next_batch())
    assert all(not part.requires_grad for parts in objective.state for part in parts)
    batch = source.next_batch()
    carried = float(objective(model, batch)["loss"].detach())
    objective.state = None
    assert float(objective(model, batch)["loss"].detach()) != carried
    expected = F.cross_entropy(
        model.scores(model(batch.tokens)[0]).flatten(0, 1), batch.targets.flatten()
    )
    assert float(LanguageModelObjective()(model, batch)["loss"]) == pytest.approx(
        float(expected), rel=1e-5
    )


def test_dropout_masks_stay_for_a_window_where_asked():
    torch.manual_seed(0)
    for variational, same in ((True, True), (False, False)):
        model = recurrent(dropout=0.5, variational=variational).train()
        dropped = model._drop(torch.ones(3, 50, 12)) == 0
        assert bool((dropped == dropped[:, :1]).all()) is same
    model = recurrent(dropout_weight=0.5, dropout_token=0.5).train()
    tokens = torch.randint(0, 9, (2, 6))
    assert not torch.equal(model(tokens)[0], model(tokens)[0])
    model.eval()
    assert torch.equal(model(tokens)[0], model(tokens)[0])


def test_tied_weights_are_one_matrix():
    model = recurrent(tied=True, embed=7)
    assert model.head.weight is model.embedding.weight
    assert model.layers[-1].hidden_size == 7
    assert recurrent(tied=False).head.weight is not recurrent(tied=False).embedding.weight


def test_windows_cover_the_text_in_order():
    source = WindowSource(np.arange(101), batch_size=4, time=6, seed=0)
    windows = [source.next_batch() for _ in range(5)]
    streams = torch.cat([w.tokens for w in windows], 1)
    targets = torch.cat([w.targets for w in windows], 1)
    assert streams.shape == (4, 25)
    assert bool(((streams + 1) % 101 == targets).all())
    assert [bool(w.fresh) for w in windows] == [True, False, False, False, False]
    assert bool(source.next_batch().fresh)


@pytest.mark.parametrize("level", ["word", "character"])
def test_text_comes_back_from_its_tokens(level):
    codec = TokenCodec.learn(level, TEXT, min_count=1, size=0)
    assert codec.decode(codec.encode(TEXT).tolist()) == TEXT
    again = TokenCodec.of_facts(codec.facts())
    assert again.encode(TEXT).tolist() == codec.encode(TEXT).tolist()
    assert codec.unknown_share(codec.encode("zebra!")) > 0


def test_pieces_come_back_to_the_text():
    pytest.importorskip("sentencepiece")
    codec = TokenCodec.learn("piece", TEXT * 5, min_count=1, size=40)
    assert codec.decode(codec.encode(TEXT).tolist()) == TEXT
    assert TokenCodec.of_facts(codec.facts()).encode(TEXT).tolist() == codec.encode(TEXT).tolist()
    with pytest.raises(DataFault, match="DATA-FEW-WORDS"):
        TokenCodec.learn("piece", TEXT, min_count=1, size=5000)


def test_token_numbers_pack_and_unpack():
    tokens = np.array([0, 5, 70_000, 3], dtype=np.int32)
    assert unpacked(packed(tokens)).tolist() == tokens.tolist()


def test_choice_follows_temperature_and_cuts():
    scores = np.log(np.array([0.5, 0.3, 0.15, 0.05]))

    def shares(**settings):
        rng = np.random.default_rng(0)
        drawn = [choose_token(scores, rng, **settings) for _ in range(4000)]
        return np.bincount(drawn, minlength=4) / 4000

    np.testing.assert_allclose(shares(), np.exp(scores), atol=0.03)
    assert shares(temperature=0)[0] == 1
    np.testing.assert_allclose(shares(top_k=2), [0.625, 0.375, 0, 0], atol=0.03)
    # 0.5 is not enough for 0.6, so the second stays; the third begins behind it.
    np.testing.assert_allclose(shares(top_p=0.6), [0.625, 0.375, 0, 0], atol=0.03)
    cold, hot = shares(temperature=0.5), shares(temperature=2.0)
    assert cold[0] > 0.6 > 0.5 > hot[0]


def test_awd_preset_takes_a_step():
    """Its full size needs an accelerator; here every part of it works on a smaller network."""
    preset = recipe.PRESETS["ptb-awd"]
    model = recurrent(hidden=20, layers=3, embed=10, **{
        name: preset[name] for name in ("dropout", "dropout_token", "dropout_weight")
    })  # fmt: skip
    objective = LanguageModelObjective(activity=preset["activity"], slowness=preset["slowness"])
    source = WindowSource(np.arange(500) % 9, batch_size=4, time=10, seed=0)
    model.train()
    for _ in range(2):
        found = objective(model, source.next_batch())
        found["loss"].backward()
    assert float(found["loss"]) > float(found["loss_nats"])
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    full = RecurrentLanguageModel(
        RecurrentLanguageModel.Config(hidden=1150, layers=3, embed=400), num_tokens=10_000
    )
    assert sum(p.numel() for p in full.parameters()) == pytest.approx(24e6, rel=0.03)
