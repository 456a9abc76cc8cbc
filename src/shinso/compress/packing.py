"""Weights as they lie in a file: whole numbers of few bits, and only those that are not zero.

Each tensor of a state dict becomes one or several tensors of the file, named ``name|part``; a name
without ``|`` is stored as it is. What is read back is a state dict again, its numbers exactly
those that the whole numbers stand for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from torch import Tensor

from shinso.compress.quantizers import Quantizer
from shinso.faults import RunFault
from shinso.language import _

SIGN = "|"
SPARSE_FROM = 0.4
"""Share of zeros from which the others and a bit for each place take less room."""


def packed(
    state: Mapping[str, Tensor], quantizers: Mapping[str, tuple[Quantizer, int]]
) -> dict[str, Tensor]:
    """The tensors of the file. quantizers: name -> its grid, and bits (8, 4 or 2) a number."""
    file: dict[str, Tensor] = {}
    for name, tensor in state.items():
        tensor = tensor.detach().cpu().contiguous()
        if name in quantizers:
            quantizer, bits = quantizers[name]
            numbers = quantizer.quantize(tensor)
            file[f"{name}{SIGN}scale"] = quantizer.scale.cpu().float()
            if quantizer.zero_point.any():
                file[f"{name}{SIGN}zero"] = quantizer.zero_point.cpu().to(torch.int32)
            _pack_numbers(file, name, numbers, bits)
        elif tensor.is_floating_point() and _pays(tensor):
            _pack_sparse(file, name, tensor)
        else:
            file[name] = tensor.clone()
    return file


def _pays(tensor: Tensor) -> bool:
    return tensor.numel() > 0 and float((tensor == 0).float().mean()) >= SPARSE_FROM


def _pack_numbers(file: dict[str, Tensor], name: str, numbers: Tensor, bits: int) -> None:
    if bits == 8 and _pays(numbers):
        _pack_sparse(file, name, numbers.to(torch.int8))
        return
    if bits == 8:
        file[f"{name}{SIGN}int8"] = numbers.to(torch.int8)
        return
    file[f"{name}{SIGN}int{bits}"] = _in_bytes(numbers.flatten(), bits)
    file[f"{name}{SIGN}shape"] = torch.tensor(numbers.shape, dtype=torch.int64)


def _pack_sparse(file: dict[str, Tensor], name: str, tensor: Tensor) -> None:
    there = tensor != 0
    bits = np.packbits(there.flatten().numpy())
    file[f"{name}{SIGN}places"] = torch.from_numpy(bits)
    file[f"{name}{SIGN}values"] = tensor[there].clone()
    file[f"{name}{SIGN}shape"] = torch.tensor(tensor.shape, dtype=torch.int64)


def _in_bytes(numbers: Tensor, bits: int) -> Tensor:
    """Signed numbers of 4 or 2 bits, two or four in each byte, the first in the lowest bits."""
    each = 8 // bits
    raised = (numbers.numpy() + (1 << (bits - 1))).astype(np.uint8)
    raised = np.pad(raised, (0, -len(raised) % each)).reshape(-1, each)
    shifts = np.arange(each, dtype=np.uint8) * bits
    return torch.from_numpy(np.bitwise_or.reduce(raised << shifts, axis=1).astype(np.uint8))


def _from_bytes(content: Tensor, bits: int, count: int) -> Tensor:
    each = 8 // bits
    shifts = np.arange(each, dtype=np.uint8) * bits
    raised = (content.numpy()[:, None] >> shifts) & ((1 << bits) - 1)
    return torch.from_numpy(raised.reshape(-1)[:count].astype(np.int32) - (1 << (bits - 1)))


def unpacked(file: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of a file; one that was never packed comes back as it is.

    Raises RunFault RUN-WEIGHTS-UNREADABLE where a part is missing.
    """
    try:
        return {name: _tensor(file, name) for name in _names(file)}
    except (KeyError, RuntimeError, ValueError) as error:
        raise RunFault(
            "RUN-WEIGHTS-UNREADABLE",
            place="weights",
            found=f"{type(error).__name__}: {error}",
            why=_("the trained model cannot be read"),
            next_step=_("compress the run again"),
        ) from error


def whole_numbers(file: Mapping[str, Tensor]) -> dict[str, tuple[Tensor, Tensor, Tensor]]:
    """Of each quantized tensor its whole numbers, scales and zero points."""
    found = {}
    for name in _names(file):
        if f"{name}{SIGN}scale" in file:
            numbers, scale, zero = _numbers(file, name)
            found[name] = (numbers, scale, zero)
    return found


def _names(file: Mapping[str, Tensor]) -> Iterable[str]:
    return dict.fromkeys(key.split(SIGN)[0] for key in file if not key.startswith("activation."))


def _tensor(file: Mapping[str, Tensor], name: str) -> Tensor:
    if name in file:
        return file[name]
    if f"{name}{SIGN}scale" in file:
        numbers, scale, zero = _numbers(file, name)
        return Quantizer(scale, zero, -128, 127).dequantize(numbers)
    return _sparse(file, name)


def _numbers(file: Mapping[str, Tensor], name: str) -> tuple[Tensor, Tensor, Tensor]:
    scale = file[f"{name}{SIGN}scale"]
    zero = file.get(f"{name}{SIGN}zero", torch.zeros_like(scale, dtype=torch.int32))
    if f"{name}{SIGN}int8" in file:
        return file[f"{name}{SIGN}int8"].to(torch.int32), scale, zero
    if f"{name}{SIGN}values" in file:
        return _sparse(file, name).to(torch.int32), scale, zero
    shape = file[f"{name}{SIGN}shape"].tolist()
    bits = 4 if f"{name}{SIGN}int4" in file else 2
    count = int(np.prod(shape))
    return _from_bytes(file[f"{name}{SIGN}int{bits}"], bits, count).view(shape), scale, zero


def _sparse(file: Mapping[str, Tensor], name: str) -> Tensor:
    shape = file[f"{name}{SIGN}shape"].tolist()
    values = file[f"{name}{SIGN}values"]
    there = np.unpackbits(file[f"{name}{SIGN}places"].numpy(), count=int(np.prod(shape)))
    tensor = torch.zeros(int(np.prod(shape)), dtype=values.dtype)
    tensor[torch.from_numpy(there.astype(bool))] = values
    return tensor.view(shape)
