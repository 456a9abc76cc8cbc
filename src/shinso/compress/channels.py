"""Channels that really go: smaller weights, fewer multiply–adds, less time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from shinso.compress.calls import Call
from shinso.compress.dependencies import Group, groups
from shinso.nn.recurrent import RecurrentLayers

Gone = dict[tuple[str, int], set[int]]
"""Of each axis of a parameter or buffer the entries that are removed."""


@dataclass(frozen=True)
class Removal:
    """What was removed. channels, removed: how many there were and how many went."""

    channels: int
    removed: int
    gone: Gone


def remove(
    model: nn.Module, call: Call, share: float, *, multiple: int = 1, inside: bool = False
) -> Removal:
    """Remove the least important ``share`` of the channels of every group, in place.

    multiple: as many channels, or a multiple of that, are left of a group of twice as many or
    more: kernels compute 8 or 16 at once, and 23 take the time of 32. inside: only of groups that
    one layer makes, such as those between the two convolutions of a residual block; what shortcuts
    carry on stays whole (Li et al. 2017, section 3.3). Raises ValueError for a share outside 0 to
    below 1, or a network in which no channel can go.
    """
    if not 0 <= share < 1:
        raise ValueError(f"share is {share}; give a share from 0 to below 1")
    found = groups(model, call)
    if inside:
        found = [group for group in found if len(makers(group, model)) == 1]
    if not found:
        which = " inside its blocks" if inside else ""
        raise ValueError(f"{type(model).__name__} has no channels{which} that can be removed")
    state = model.state_dict()
    gone: Gone = {}
    removed = 0
    for group in found:
        for channel in least(group, state, share, multiple=multiple):
            removed += 1
            for name, axis, entry in channel:
                gone.setdefault((name, axis), set()).add(entry)
    shrink(model, cut(state, gone))
    return Removal(sum(len(group.channels) for group in found), removed, gone)


def makers(group: Group, model: nn.Module) -> list[str]:
    """The weights whose rows a group's channels are. A depthwise convolution makes none: it has a
    filter for each channel that it is given."""
    weights = dict(model.named_parameters())
    rows = [name for name, axis in group.axes if axis == 0 and name in weights]
    layers = {name: model.get_submodule(name.rpartition(".")[0]) for name in rows}
    return sorted(
        name for name, layer in layers.items()
        if weights[name].dim() > 1 and getattr(layer, "groups", 1) == 1
    )  # fmt: skip


def cut(state: Mapping[str, Tensor], gone: Gone) -> dict[str, Tensor]:
    """A state dict without what is gone."""
    return {name: _without(one, name, gone) for name, one in state.items()}


def least(
    group: Group, state: Mapping[str, Tensor], share: float, *, multiple: int = 1
) -> list[list[tuple[str, int, int]]]:
    """The channels of a group with the smallest weights, at most all but one."""
    ordered = sorted(group.channels, key=lambda channel: importance(channel, state))
    return ordered[: len(ordered) - left(len(ordered), share, multiple)]


def left(count: int, share: float, multiple: int) -> int:
    """How many of ``count`` channels stay: the multiple next to what ``share`` leaves, and less
    than all where any were to go."""
    if multiple == 1 or count < 2 * multiple or not share:
        return max(1, count - int(share * count))
    stay = max(multiple, round((1 - share) * count / multiple) * multiple)
    return stay if stay < count else count - (count % multiple or multiple)


def importance(channel: Sequence[tuple[str, int, int]], state: Mapping[str, Tensor]) -> float:
    """The length of all weights that go with a channel (Li et al. 2017 take the L1 norm of its
    filter alone; the group norm is that of Fang et al. 2023). Biases and statistics do not count."""
    total = 0.0
    for name, axis, entry in channel:
        tensor = state[name]
        if tensor.dim() > 1:
            total += float(tensor.select(axis, entry).double().square().sum())
    return total**0.5


def _without(tensor: Tensor, name: str, gone: Gone) -> Tensor:
    for axis in range(tensor.dim()):
        lost = gone.get((name, axis))
        if lost:
            kept = [entry for entry in range(tensor.shape[axis]) if entry not in lost]
            tensor = tensor.index_select(axis, torch.tensor(kept, device=tensor.device))
    return tensor.clone()


@torch.no_grad()
def shrink(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Give every parameter and buffer the shape it has in ``state``, and its values; what a layer
    says of its own size follows."""
    for path, module in model.named_modules():
        prefix = f"{path}." if path else ""
        changed = False
        for name, parameter in list(module._parameters.items()):
            if parameter is not None and prefix + name in state:
                new = state[prefix + name]
                if new.shape != parameter.shape:
                    asked = parameter.requires_grad
                    fresh = nn.Parameter(new.to(parameter), requires_grad=asked)
                    module._parameters[name] = fresh
                    changed = True
                else:
                    parameter.copy_(new)
        for name, buffer in list(module._buffers.items()):
            if buffer is not None and prefix + name in state:
                changed |= state[prefix + name].shape != buffer.shape
                module._buffers[name] = state[prefix + name].to(buffer)
        if changed:
            _say_size(module)


def _say_size(module: nn.Module) -> None:
    """The sizes that a layer keeps as numbers, read off its weights."""
    weight = getattr(module, "weight", None)
    if isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        if module.groups > 1:  # depthwise: as many groups as channels are left
            module.groups = module.groups * module.weight.shape[0] // module.out_channels
        module.out_channels = module.weight.shape[0]
        module.in_channels = module.weight.shape[1] * module.groups
    elif isinstance(module, RecurrentLayers):
        module.hidden_size = module.get_parameter("weight_hh_l0").shape[1]
        module.input_size = module.get_parameter("weight_ih_l0").shape[1]
    elif isinstance(module, nn.Embedding):
        module.num_embeddings, module.embedding_dim = module.weight.shape
    elif isinstance(module, nn.LayerNorm):
        module.normalized_shape = tuple(module.weight.shape)
    elif isinstance(weight, Tensor) and hasattr(module, "num_features"):
        module.num_features = len(weight)  # pyright: ignore[reportArgumentType]
    elif isinstance(weight, Tensor) and hasattr(module, "num_channels"):
        module.num_channels = len(weight)  # pyright: ignore[reportArgumentType]
