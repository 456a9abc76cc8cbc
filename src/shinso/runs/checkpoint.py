"""Weights (safetensors) and the resume state of a run, read back without unpickling code.

The resume state is a ``torch.save`` archive of tensors, numbers, strings, lists and dicts,
loaded with ``weights_only=True``; its zip checksums are verified first, because a flipped bit
in a tensor would otherwise pass unseen. The state before the last one is kept beside it.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import Tensor, nn

from shinso.faults import RunFault
from shinso.language import _
from shinso.runs.files import write_atomically

RESUME = "resume.pt"
PREVIOUS = "resume.previous.pt"


def save_resume(folder: Path, state: dict[str, Any]) -> None:
    """Write the state of a run that can go on from here; the one before becomes PREVIOUS.

    Killed between the two renames, the folder holds PREVIOUS alone, which ``load_resume`` takes.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    newest = folder / RESUME
    fresh = folder / "resume.fresh.pt"
    write_atomically(fresh, buffer.getvalue())
    if newest.exists():
        newest.replace(folder / PREVIOUS)
    fresh.replace(newest)


def has_resume(folder: Path) -> bool:
    """Whether the folder holds a state to go on from."""
    return (folder / RESUME).exists() or (folder / PREVIOUS).exists()


def load_resume(folder: Path, *, previous: bool = False) -> dict[str, Any]:
    """The newest resume state (or the one before it).

    Raises RunFault RUN-NO-CHECKPOINT or RUN-CHECKPOINT-CORRUPT; nothing is changed on disk.
    """
    path = folder / (PREVIOUS if previous else RESUME)
    if not path.exists() and not previous:
        path = folder / PREVIOUS
    if not path.exists():
        raise RunFault(
            "RUN-NO-CHECKPOINT",
            place=str(path),
            why=_("the run was stopped before its first checkpoint"),
            next_step=_("train again from the start"),
        )
    try:
        content = path.read_bytes()
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            broken = archive.testzip()
        if broken is not None:
            raise zipfile.BadZipFile(f"checksum of {broken}")
        return torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
    except Exception as error:  # a damaged file fails in many ways; each means the same here
        other = folder / PREVIOUS
        mend = (
            _("go on from the checkpoint before it: add --previous-checkpoint")
            if not previous and other.exists() and path != other
            else _("the best weights so far are in {folder}; train again from the start").format(
                folder=folder / "weights"
            )
        )
        raise RunFault(
            "RUN-CHECKPOINT-CORRUPT",
            place=str(path),
            found=f"{type(error).__name__}: {error}",
            why=_("the file is damaged, so the run cannot go on from it bit for bit"),
            next_step=mend,
        ) from error


def save_weights(path: Path, module: nn.Module) -> None:
    """The module's state dict as safetensors; shared (tied) tensors are written once a name."""
    tensors = {
        name: tensor.detach().cpu().contiguous().clone()
        for name, tensor in module.state_dict().items()
    }
    write_atomically(path, save_safetensors(tensors))


def load_weights(path: Path) -> dict[str, Tensor]:
    """A safetensors file as a state dict; RunFault RUN-WEIGHTS-UNREADABLE if it is damaged."""
    try:
        return load_safetensors(path.read_bytes())
    except (OSError, SafetensorError) as error:
        raise RunFault(
            "RUN-WEIGHTS-UNREADABLE",
            place=str(path),
            found=str(error),
            why=_("the trained model cannot be read"),
            next_step=_("resume the run if it has a checkpoint, or train again"),
        ) from error
