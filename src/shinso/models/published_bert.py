"""Published BERT weights from their usual folder: ``config.json``, ``vocab.txt`` and
``model.safetensors``, as Hugging Face's transformers writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from shinso.faults import DataFault
from shinso.language import _
from shinso.models.bert import EPS, Bert, BertSize

SIZES = {
    "width": "hidden_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "inner": "intermediate_size",
    "positions": "max_position_embeddings",
    "dropout": "hidden_dropout_prob",
}
NAMES = {
    "pieces.weight": "embeddings.word_embeddings.weight",
    "positions.weight": "embeddings.position_embeddings.weight",
    "types.weight": "embeddings.token_type_embeddings.weight",
    "norm": "embeddings.LayerNorm",
    "pool": "pooler.dense",
}
BLOCK = {
    "attention.out": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "network.up": "intermediate.dense",
    "network.down": "output.dense",
    "network_norm": "output.LayerNorm",
}
OWN_CUT: dict[str, tuple[Any, ...]] = {
    "tokenizer_class": (None, "BertTokenizer", "BertTokenizerFast"),
    "word_tokenizer_type": (None, "basic"),
    "subword_tokenizer_type": (None, "wordpiece"),
    "do_basic_tokenize": (True,),
    "tokenize_chinese_chars": (True,),
}
OLD = {"gamma": "weight", "beta": "bias"}


def published_size(folder: Path) -> tuple[BertSize, int, int]:
    """The size that ``config.json`` names, the number of pieces and of sentence types.

    Raises DataFault WEIGHTS-MISSING without the file, WEIGHTS-FORMAT for what is no such BERT.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise _missing(path)
    try:
        content = json.loads(path.read_text("utf-8"))
        found = {name: content[key] for name, key in SIZES.items()}
        size = BertSize(**found)
        pieces, types = int(content["vocab_size"]), int(content.get("type_vocab_size", 2))
    except (ValueError, KeyError, TypeError) as error:
        raise _format(path, f"{type(error).__name__}: {error}") from error
    activation = content.get("hidden_act", "gelu")
    kind = content.get("position_embedding_type", "absolute")
    if activation != "gelu" or kind != "absolute":
        raise _format(path, f"hidden_act {activation}, position_embedding_type {kind}")
    if content.get("layer_norm_eps", EPS) != EPS:
        raise _format(path, f"layer_norm_eps {content['layer_norm_eps']}")
    return size, pieces, types


def lower_cased(folder: Path, pieces: Sequence[str]) -> bool:
    """Whether ``tokenizer_config.json`` says so; without it, whether no piece has a capital.

    Raises DataFault VOCABULARY-FORMAT where texts were cut in another way than WordPiece's own, as
    Japanese ones are by MeCab: the pieces would be others, and nobody would see it.
    """
    path = folder / "tokenizer_config.json"
    if not path.is_file():
        return all(piece == piece.lower() for piece in pieces if not piece.startswith("["))
    try:
        content = json.loads(path.read_text("utf-8"))
        lower = bool(content.get("do_lower_case", True))
    except (ValueError, AttributeError) as error:
        raise _format(path, f"{type(error).__name__}: {error}") from error
    own = {**OWN_CUT, "strip_accents": (None, lower)}
    for name, values in own.items():
        if name in content and content[name] not in values:
            raise DataFault(
                "VOCABULARY-FORMAT",
                place=str(path),
                found=f"{name}: {content[name]}",
                why=_("texts were cut in another way than here, so their pieces would be others"),
                next_step=_("give weights whose tokenizer is BertTokenizer as it was published"),
            )
    return lower


def load_published(bert: Bert, folder: Path) -> None:
    """Fill ``bert`` with the weights of ``model.safetensors``.

    Raises DataFault WEIGHTS-MISSING, WEIGHTS-FORMAT for a name that is not there, or
    WEIGHTS-MISMATCH where a shape does not fit the network, such as another vocabulary's.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / "model.safetensors"
    if not path.is_file():
        raise _missing(path)
    try:
        content = load_file(path)
    except SafetensorError as error:
        raise _format(path, str(error)) from error
    fill(bert, content, path)


def fill(bert: Bert, content: Mapping[str, Tensor], path: Path) -> None:
    """Copy the named tensors of a published BERT into ours."""
    there = {_plain(name): tensor for name, tensor in content.items()}
    own = bert.state_dict()
    for name, target in own.items():
        value = _value(name, there, path)
        if value.shape != target.shape:
            raise DataFault(
                "WEIGHTS-MISMATCH",
                place=f"{path}: {name}",
                found=_("the file has {found}, the network {own}").format(
                    found=tuple(value.shape), own=tuple(target.shape)
                ),
                why=_("these weights belong to another size or vocabulary"),
                next_step=_("give the config.json and vocab.txt that came with the weights"),
            )
        with torch.no_grad():
            target.copy_(value)


def _plain(name: str) -> str:
    head, _dot, last = name.removeprefix("bert.").rpartition(".")
    return f"{head}.{OLD.get(last, last)}"


def _value(name: str, there: Mapping[str, Tensor], path: Path) -> Tensor:
    def get(wanted: str) -> Tensor:
        if wanted not in there:
            raise _format(path, _("no tensor is named {name}").format(name=wanted))
        return there[wanted]

    if name in NAMES:
        return get(NAMES[name])
    head, _dot, last = name.rpartition(".")
    if head in NAMES:
        return get(f"{NAMES[head]}.{last}")
    _blocks, number, part = head.split(".", 2)
    layer = f"encoder.layer.{number}"
    if part == "attention.query_key_value":
        names = (f"{layer}.attention.self.{third}.{last}" for third in ("query", "key", "value"))
        return torch.cat([get(one) for one in names])
    return get(f"{layer}.{BLOCK[part]}.{last}")


def _missing(path: Path) -> DataFault:
    files = ", ".join(sorted(one.name for one in path.parent.glob("*"))[:10]) or "—"
    return DataFault(
        "WEIGHTS-MISSING",
        place=str(path),
        found=_("the folder has: {files}").format(files=files),
        why=_("weights are read from config.json, vocab.txt and model.safetensors"),
        next_step=_("save them with transformers: model.save_pretrained(FOLDER)"),
    )


def _format(path: Path, found: str) -> DataFault:
    return DataFault(
        "WEIGHTS-FORMAT",
        place=str(path),
        found=found,
        why=_("these are not the weights of a BERT as it was published"),
        next_step=_("give the folder of a BERT model"),
    )


def settings_of(size: BertSize) -> dict[str, Any]:
    """The size as settings by name."""
    return {name: getattr(size, name) for name in SIZES}
