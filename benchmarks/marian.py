"""Hugging Face's Marian with the weights of our Transformer: the same function, their code.

Marian is the post-norm Transformer of the paper with sinusoids, scaled embeddings and a shared
vocabulary, and so is ours with ``norm="post"``.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from shinso.data.subwords import BEGIN, END, PAD
from shinso.models.transformer import Transformer


@torch.no_grad()
def marian_twin(transformers: Any, ours: Transformer, *, longest: int = 512) -> nn.Module:
    """Marian of our sizes and weights. transformers: the library, as the caller imports it."""
    config = ours.config
    if config.norm != "post" or config.positions != "sinusoidal" or not config.tied:
        raise ValueError("Marian is a tied post-norm Transformer with sinusoids; make ours so")
    theirs = transformers.MarianMTModel(
        transformers.MarianConfig(
            vocab_size=ours.output.out_features,
            d_model=config.width,
            encoder_layers=config.encoder_layers,
            decoder_layers=config.decoder_layers,
            encoder_attention_heads=config.heads,
            decoder_attention_heads=config.heads,
            encoder_ffn_dim=config.inner,
            decoder_ffn_dim=config.inner,
            dropout=config.dropout,
            activation_function=config.activation,
            scale_embedding=True,
            pad_token_id=PAD,
            bos_token_id=BEGIN,
            eos_token_id=END,
            forced_eos_token_id=None,
            decoder_start_token_id=BEGIN,
            share_encoder_decoder_embeddings=True,
            max_position_embeddings=longest,
        )
    )
    theirs.model.shared.weight.copy_(ours.target_embedding.weight)
    for own, other in (
        *zip(ours.encoder, theirs.model.encoder.layers, strict=True),
        *zip(ours.decoder, theirs.model.decoder.layers, strict=True),
    ):
        _copy_heads(own.attention, other.self_attn)
        _copy(own.attention_norm, other.self_attn_layer_norm)
        if own.cross is not None:
            _copy_heads(own.cross, other.encoder_attn)
            _copy(own.cross_norm, other.encoder_attn_layer_norm)
        _copy(own.network.up, other.fc1)
        _copy(own.network.down, other.fc2)
        _copy(own.network_norm, other.final_layer_norm)
    return theirs.eval()


def _copy(own: nn.Module, other: nn.Module) -> None:
    other.load_state_dict(own.state_dict())


def _copy_heads(own: Any, other: Any) -> None:
    if hasattr(own, "query_key_value"):
        weights, biases = own.query_key_value.weight, own.query_key_value.bias
    else:
        weights = torch.cat([own.query.weight, own.key_value.weight])
        biases = torch.cat([own.query.bias, own.key_value.bias])
    thirds = zip(("q_proj", "k_proj", "v_proj"), weights.chunk(3), biases.chunk(3), strict=True)
    for name, weight, bias in thirds:
        getattr(other, name).weight.copy_(weight)
        getattr(other, name).bias.copy_(bias)
    _copy(own.out, other.out_proj)
