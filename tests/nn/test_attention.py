"""Attention against torch.nn.MultiheadAttention, its own equations, and itself with a cache."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from shinso.nn.attention import (
    AdditiveAttention,
    CrossAttention,
    KeyValueCache,
    MultiplicativeAttention,
    SelfAttention,
    attend,
    attend_places,
    attention_weights,
    causal_mask,
    join_heads,
    split_heads,
)
from shinso.nn.unpadded import Unpadded

WIDTH, HEADS, BATCH, TIME = 12, 3, 2, 5


def seen_up_to(*lengths: int, time: int = TIME) -> torch.Tensor:
    return torch.arange(time) < torch.tensor(lengths).unsqueeze(1)


def torch_twin(ours: SelfAttention | CrossAttention) -> nn.MultiheadAttention:
    """torch's layer with the same weights."""
    twin = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True, dtype=torch.float64)
    if isinstance(ours, SelfAttention):
        weight, bias = ours.query_key_value.weight, ours.query_key_value.bias
    else:
        weight = torch.cat([ours.query.weight, ours.key_value.weight])
        bias = torch.cat([ours.query.bias, ours.key_value.bias])
    with torch.no_grad():
        twin.in_proj_weight.copy_(weight)
        twin.in_proj_bias.copy_(bias)
        twin.out_proj.weight.copy_(ours.out.weight)
        twin.out_proj.bias.copy_(ours.out.bias)
    return twin


def with_biases(layer):
    """Biases begin at zero, where a forgotten one would not be seen."""
    for name, parameter in layer.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(parameter)
    return layer.double()


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("lengths", [(), (5, 3)])
def test_self_attention_matches_torch(causal, lengths):
    torch.manual_seed(0)
    ours = with_biases(SelfAttention(WIDTH, HEADS))
    x = torch.randn(BATCH, TIME, WIDTH, dtype=torch.float64)
    mask = seen_up_to(*lengths) if lengths else None
    theirs, weights = torch_twin(ours)(
        x, x, x,
        key_padding_mask=None if mask is None else ~mask,
        attn_mask=~causal_mask(TIME, TIME) if causal else None,
        average_attn_weights=False,
    )  # fmt: skip
    keys = None if mask is None else mask.unsqueeze(1)
    torch.testing.assert_close(ours(x, keys, causal=causal), theirs)
    torch.testing.assert_close(ours.weights(x, keys, causal=causal), weights)


def test_cross_attention_matches_torch():
    torch.manual_seed(0)
    ours = with_biases(CrossAttention(WIDTH, HEADS))
    x = torch.randn(BATCH, 4, WIDTH, dtype=torch.float64)
    memory = torch.randn(BATCH, TIME, WIDTH, dtype=torch.float64)
    mask = seen_up_to(2, 5)
    theirs, weights = torch_twin(ours)(
        x, memory, memory, key_padding_mask=~mask, average_attn_weights=False
    )
    known = ours.keys_and_values(memory)
    torch.testing.assert_close(ours(x, known, mask.unsqueeze(1)), theirs)
    torch.testing.assert_close(ours.weights(x, known, mask.unsqueeze(1)), weights)


def test_starts_as_torch_does_in_spread():
    torch.manual_seed(0)
    ours, theirs = SelfAttention(64, 4), nn.MultiheadAttention(64, 4)
    for third, other in zip(
        ours.query_key_value.weight.chunk(3), theirs.in_proj_weight.chunk(3), strict=True
    ):
        # torch draws the three as one matrix, we each as what it is.
        assert 1.0 < float(third.detach().std() / other.detach().std()) < 1.6


@pytest.mark.parametrize("rotary", [False, True])
@pytest.mark.parametrize("pieces", [(1, 1, 1, 1, 1), (3, 2), (1, 4)])
def test_cache_gives_what_the_whole_sequence_gives(rotary, pieces):
    torch.manual_seed(0)
    layer = with_biases(SelfAttention(WIDTH, HEADS, rotary=rotary))
    x = torch.randn(BATCH, TIME, WIDTH, dtype=torch.float64)
    cache = KeyValueCache.empty(BATCH, HEADS, TIME, WIDTH // HEADS, x)
    found = [layer(piece, causal=True, cache=cache) for piece in x.split(pieces, 1)]
    torch.testing.assert_close(torch.cat(found, 1), layer(x, causal=True))
    with pytest.raises(ValueError, match="holds 5 steps; 6 are needed"):
        layer(x[:, :1], causal=True, cache=cache)


def test_attention_to_places_is_attention_to_what_lies_there():
    """A row looks at its own list, in any order, with others' places in between; at none it gets 0."""
    torch.manual_seed(0)
    query = torch.randn(3, WIDTH, dtype=torch.float64)
    memory = torch.randn(9, 2 * WIDTH, dtype=torch.float64)
    places = torch.tensor([[8, 0, 3, 3], [5, 99, 99, 99], [99, 99, 99, 99]])
    counts = torch.tensor([4, 1, 0])
    found = attend_places(query, memory, places, counts, HEADS)
    for row, count in enumerate(counts.tolist()):
        keys, values = memory[places[row, :count]].chunk(2, -1)
        by_head = (
            split_heads(one.unsqueeze(0), HEADS) for one in (query[row : row + 1], keys, values)
        )
        expected = join_heads(attend(*by_head))[0, 0] if count else torch.zeros(WIDTH).double()
        torch.testing.assert_close(found[row], expected)


@pytest.mark.parametrize("rotary", [False, True])
def test_unpadded_gives_what_the_padded_batch_gives(rotary):
    torch.manual_seed(0)
    layer = with_biases(SelfAttention(WIDTH, HEADS, rotary=rotary))
    x = torch.randn(3, TIME, WIDTH, dtype=torch.float64)
    mask = torch.arange(TIME) < torch.tensor([2, TIME, 1]).unsqueeze(1)
    steps = Unpadded(mask, 3, TIME, x.device)
    found = layer.unpadded(steps.flat(x), steps)
    torch.testing.assert_close(found, layer(x, mask.unsqueeze(1))[mask])
    whole = Unpadded(None, 3, TIME, x.device)
    torch.testing.assert_close(layer.unpadded(whole.flat(x), whole), layer(x).flatten(0, 1))
    assert steps.lengths.tolist() == [2, TIME, 1]
    assert whole.lengths.tolist() == [TIME] * 3


def test_causal_looks_at_nothing_that_comes_later():
    torch.manual_seed(0)
    layer = SelfAttention(WIDTH, HEADS)
    x = torch.randn(1, TIME, WIDTH)
    later = x.clone()
    later[:, 3:] = 9.0
    before, after = layer(x, causal=True), layer(later, causal=True)
    assert torch.equal(before[:, :3], after[:, :3])
    assert not torch.allclose(before[:, 3:], after[:, 3:])


def test_query_that_may_look_nowhere_gets_zeros():
    x = torch.randn(1, 2, 3, 4)
    mask = torch.tensor([[True, False, True], [False, False, False], [True, True, True]])
    assert torch.equal(attend(x, x, x, mask)[..., 1, :], torch.zeros(1, 2, 4))
    assert torch.equal(attention_weights(x, x, mask)[..., 1, :], torch.zeros(1, 2, 3))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("automatic", [False, True])
def test_few_keys_in_half_precision_are_float32_between_roundings(causal, automatic):
    torch.manual_seed(0)
    halves = [torch.randn(2, 3, TIME, 8).bfloat16().requires_grad_() for _ in range(3)]
    wholes = [half.detach().float().requires_grad_() for half in halves]
    mask = None if causal else seen_up_to(5, 3)[:, None, None]
    with torch.autocast("cpu", torch.bfloat16, enabled=automatic):
        out = attend(*halves, mask, causal=causal)
    expected = attend(*wholes, mask, causal=causal)
    assert out.dtype == torch.bfloat16
    assert torch.equal(out, expected.bfloat16())
    error = torch.randn_like(out)
    out.backward(error)
    expected.backward(error.float())
    for half, whole in zip(halves, wholes, strict=True):
        assert half.grad is not None
        assert whole.grad is not None
        assert torch.equal(half.grad, whole.grad.bfloat16())


def test_additive_attention_follows_its_equation():
    torch.manual_seed(0)
    layer = AdditiveAttention(3, 4, 5).double()
    query = torch.randn(2, 2, 3, dtype=torch.float64)
    memory = torch.randn(2, 6, 4, dtype=torch.float64)
    mask = seen_up_to(6, 2, time=6).unsqueeze(1)
    context, weights = layer(query, layer.keys(memory), memory, mask)
    for b, length in ((0, 6), (1, 2)):
        for i in range(2):
            energies = torch.stack(
                [
                    layer.energy.weight[0]
                    @ torch.tanh(
                        layer.query.weight @ query[b, i]
                        + layer.key.weight @ memory[b, j]
                        + layer.key.bias
                    )
                    for j in range(length)
                ]
            )
            shares = energies.exp() / energies.exp().sum()
            torch.testing.assert_close(weights[b, i, :length], shares)
            torch.testing.assert_close(context[b, i], shares @ memory[b, :length])
    assert not weights[1, :, 2:].any()


@pytest.mark.parametrize("score", ["general", "dot"])
def test_multiplicative_attention_follows_its_equation(score):
    torch.manual_seed(0)
    layer = MultiplicativeAttention(4, 4, score).double()
    query = torch.randn(2, 3, 4, dtype=torch.float64)
    memory = torch.randn(2, 5, 4, dtype=torch.float64)
    context, weights = layer(query, layer.keys(memory), memory)
    turned = memory @ layer.key.weight.t() if score == "general" else memory
    expected = torch.einsum("bid,bjd->bij", query, turned).softmax(-1)
    torch.testing.assert_close(weights, expected)
    torch.testing.assert_close(context, torch.einsum("bij,bjd->bid", expected, memory))


def test_attention_gradcheck():
    torch.manual_seed(0)
    x = torch.randn(1, 3, 4, dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[[True, True, False]]])
    own = SelfAttention(4, 2, rotary=True).double()
    additive = AdditiveAttention(4, 4, 3).double()
    assert torch.autograd.gradcheck(lambda x: own(x, mask, causal=True), x)
    assert torch.autograd.gradcheck(lambda x: additive(x, additive.keys(x), x, mask)[0], x)


def test_sizes_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="heads is 5; give a divisor of the width, 12"):
        SelfAttention(WIDTH, 5)
    with pytest.raises(ValueError, match="choose general"):
        MultiplicativeAttention(3, 4, "dot")
