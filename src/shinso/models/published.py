"""Weights of a published or own image network, from an explicit safetensors file, to begin with."""

from __future__ import annotations

import re
from pathlib import Path

from torch import Tensor, nn

from shinso.faults import RunFault, UsageFault
from shinso.language import _
from shinso.runs.checkpoint import load_weights

SHOWN = 5


def load_published(network: nn.Module, path: Path) -> list[str]:
    """Load ``path`` into ``network``; returns what was left as it was, to be said aloud.

    Names are timm's. Also taken: a common prefix (``module.``, ``model.``), torchvision's first
    names of DenseNet (``norm.1``), files without ``num_batches_tracked``. The head keeps its own
    weights where the number of classes differs. A first convolution for colours reads grey images
    by the sum of its colours' weights, one for grey reads colours by a third of its weights each.

    Raises RunFault RUN-WEIGHTS-UNREADABLE where the file is missing or damaged, and RunFault
    WEIGHTS-OTHER-NETWORK where names or sizes do not fit.
    """
    own = network.state_dict()
    given = {_modern(name): tensor for name, tensor in _bare(load_weights(path)).items()}
    notes = []
    head = str(network.head)  # pyright: ignore[reportAttributeAccessIssue]
    for part in ("weight", "bias"):
        name = f"{head}.{part}"
        if name in given and given[name].shape != own[name].shape:
            notes.append(
                _("{name} has {given} classes in {file}; it begins anew with {own}").format(
                    name=name, given=len(given[name]), own=len(own[name]), file=path.name
                )
            )
            given[name] = own[name]
    first = next(name for name, tensor in own.items() if tensor.ndim == 4)
    if first in given and given[first].ndim == 4 and given[first].shape != own[first].shape:
        given[first] = _recoloured(given[first], own[first].shape[1])
    counts = {name: t for name, t in own.items() if name.endswith("num_batches_tracked")}
    complete = {**counts, **given}
    wrong = sorted(own.keys() ^ complete.keys())
    wrong += [n for n in own if n in complete and own[n].shape != complete[n].shape]
    if wrong:
        raise RunFault(
            "WEIGHTS-OTHER-NETWORK",
            place=str(path),
            found=", ".join(wrong[:SHOWN]) + (", …" if len(wrong) > SHOWN else ""),
            why=_("these are missing, too many or of another size in the file"),
            next_step=_("give the network of the file: --model and its settings (depth, width, …)"),
        )
    network.load_state_dict(complete)
    return notes


def _bare(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    for prefix in ("module.", "model."):
        if weights and all(name.startswith(prefix) for name in weights):
            return {name.removeprefix(prefix): tensor for name, tensor in weights.items()}
    return weights


def _modern(name: str) -> str:
    return re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12])\.", r"\1\2.", name)


def _recoloured(weight: Tensor, channels: int) -> Tensor:
    if channels == 1:
        return weight.sum(1, keepdim=True)
    if weight.shape[1] == 1:
        return (weight / channels).expand(-1, channels, -1, -1).contiguous()
    return weight


def freeze(network: nn.Module, count: int) -> tuple[nn.Module, ...]:
    """The first ``count`` parts of ``network``, from the pixels on, no longer learn; returned.

    Raises UsageFault SETTING-REFUSED where there are fewer, naming them.
    """
    parts: tuple[str, ...] = network.parts  # pyright: ignore[reportAssignmentType]
    if count > len(parts):
        raise UsageFault(
            "SETTING-REFUSED",
            place="frozen",
            found=_("{count} of {all} parts").format(count=count, all=len(parts)),
            why=", ".join(parts),
            next_step=_("freeze fewer of these"),
        )
    frozen = tuple(network.get_submodule(n) for part in parts[:count] for n in part.split(","))
    for module in frozen:
        module.requires_grad_(False)
    return frozen
