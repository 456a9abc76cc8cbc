"""The Transformer's block against torch.nn's layers, and against itself with a cache."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from shinso.nn.transformer_block import TransformerBlock
from shinso.nn.unpadded import Unpadded

WIDTH, HEADS, INNER = 8, 2, 12


def block(**settings) -> TransformerBlock:
    torch.manual_seed(0)
    made = TransformerBlock(WIDTH, HEADS, INNER, **settings).double()
    for parameter in made.parameters():
        if parameter.dim() == 1:
            nn.init.normal_(parameter, std=0.5)
    return made


def copy_attention(own, theirs: nn.MultiheadAttention) -> None:
    if hasattr(own, "query_key_value"):
        theirs.in_proj_weight.copy_(own.query_key_value.weight)
        theirs.in_proj_bias.copy_(own.query_key_value.bias)
    else:
        theirs.in_proj_weight.copy_(torch.cat([own.query.weight, own.key_value.weight]))
        theirs.in_proj_bias.copy_(torch.cat([own.query.bias, own.key_value.bias]))
    theirs.out_proj.load_state_dict(own.out.state_dict())


@torch.no_grad()
def torch_twin(own: TransformerBlock, activation: str) -> nn.Module:
    layer = nn.TransformerEncoderLayer if own.cross is None else nn.TransformerDecoderLayer
    theirs = layer(
        WIDTH, HEADS, INNER, 0.0, activation, batch_first=True, norm_first=own.norm_first,
        dtype=torch.float64,
    )  # fmt: skip
    copy_attention(own.attention, theirs.self_attn)
    norms = [own.attention_norm, own.network_norm]
    if own.cross is not None:
        copy_attention(own.cross, theirs.multihead_attn)
        norms.insert(1, own.cross_norm)
    for number, norm in enumerate(norms, 1):
        getattr(theirs, f"norm{number}").load_state_dict(norm.state_dict())
    theirs.linear1.load_state_dict(own.network.up.state_dict())
    theirs.linear2.load_state_dict(own.network.down.state_dict())
    return theirs


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_block_matches_torch_encoder_layer(norm, activation):
    own = block(norm=norm, activation=activation)
    x = torch.randn(2, 5, WIDTH, dtype=torch.float64)
    hidden = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
    expected = torch_twin(own, activation)(x, src_key_padding_mask=hidden)
    torch.testing.assert_close(own(x, ~hidden.unsqueeze(1)), expected)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_block_matches_torch_decoder_layer(norm):
    own = block(norm=norm, cross=True)
    x = torch.randn(2, 5, WIDTH, dtype=torch.float64)
    memory = torch.randn(2, 4, WIDTH, dtype=torch.float64)
    hidden = torch.tensor([[False] * 4, [False, False, True, True]])
    later = torch.ones(5, 5, dtype=torch.bool).triu(1)
    expected = torch_twin(own, "relu")(x, memory, later, memory_key_padding_mask=hidden)
    found = own(x, causal=True, memory=memory, memory_mask=~hidden.unsqueeze(1))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("rotary", [False, True])
def test_cached_block_gives_what_the_uncached_gives(norm, rotary):
    own = block(norm=norm, rotary=rotary)
    x = torch.randn(2, 5, WIDTH, dtype=torch.float64)
    cache = own.new_cache(2, 5, x)
    found = [own(step, causal=True, cache=cache) for step in x.split(1, 1)]
    torch.testing.assert_close(torch.cat(found, 1), own(x, causal=True))


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_unpadded_block_gives_what_the_padded_gives(norm):
    own = block(norm=norm).eval()
    x = torch.randn(2, 5, WIDTH, dtype=torch.float64)
    mask = torch.tensor([[True] * 5, [True, True, False, False, False]])
    steps = Unpadded(mask, 2, 5, x.device)
    torch.testing.assert_close(own.unpadded(steps.flat(x), steps), own(x, mask.unsqueeze(1))[mask])


def test_cross_block_asks_for_its_memory():
    with pytest.raises(ValueError, match="give memory"):
        block(cross=True)(torch.zeros(1, 2, WIDTH, dtype=torch.float64))


def test_every_parameter_is_used_and_dropout_drops():
    own = block(cross=True, dropout=0.5).float().train()
    x, memory = torch.randn(2, 5, WIDTH), torch.randn(2, 4, WIDTH)
    own(x, causal=True, memory=memory).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in own.parameters())
    again = (own(x, causal=True, memory=memory) for _ in range(2))
    assert not torch.equal(*again)
    own.eval()
    again = (own(x, causal=True, memory=memory) for _ in range(2))
    assert torch.equal(*again)
