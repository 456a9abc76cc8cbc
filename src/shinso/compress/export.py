"""A network as ONNX or as a ``torch.export`` archive, and whether the file says what it says.

The file passes only when it agrees with PyTorch at sizes that the export never saw: exporters are
known to freeze an axis in silence (a plain RNN's time, for one).
"""

from __future__ import annotations

import inspect
import json
import logging
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils import _pytree

from shinso.compress import onnx_operators
from shinso.compress.axes import Axes, answers
from shinso.compress.calls import Call
from shinso.contracts import AnswersInFull
from shinso.extras import need
from shinso.faults import RunFault
from shinso.language import _
from shinso.nn.portable import portable
from shinso.runs.files import write_atomically

TOLERANCE = 1e-4
"""Largest difference of float32 answers, relative to the largest answer (at least 1): sums taken
in another order, through many layers."""
INTEGER_TOLERANCE = 0.02
"""The same where numbers are rounded on the way: one that lies between two steps of a grid falls to
either side in either program, and what follows differs by a step."""


class Flat(nn.Module):
    """The network with its answers as a flat tuple of tensors, whatever they are packed in."""

    def __init__(self, model: nn.Module, call: Call) -> None:
        super().__init__()
        self.model = model

        def forward(*given: Tensor, **named: Tensor) -> tuple[Tensor, ...]:
            inputs = dict(zip(call.inputs, given, strict=False)) | named
            found = told(model, model(**inputs, **call.constants))
            # An exporter confuses the two where an answer is one of the inputs.
            own = {id(one) for one in inputs.values()}
            return tuple(one.clone() if id(one) in own else one for one in found)

        # The exporter names a file's inputs after the parameters that it finds here.
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        names = [inspect.Parameter(name, kind) for name in call.inputs]
        forward.__signature__ = inspect.Signature(names)  # pyright: ignore[reportFunctionMemberAccess]
        self.forward = forward


def told(model: nn.Module, answer: Any) -> tuple[Tensor, ...]:
    """What a file tells of a network's answer: its tensors, in order."""
    return flat(in_full(model, answer))


def in_full(model: nn.Module, answer: Any) -> Any:
    return model.in_full(answer) if isinstance(model, AnswersInFull) else answer


def names_of(model: nn.Module, call: Call) -> list[str]:
    """A name for each tensor of an answer: those of its fields where it has them."""
    with torch.no_grad():
        answer = in_full(model, call.of(model))
    fields = getattr(answer, "_fields", None) or getattr(answer, "__dataclass_fields__", ())
    if fields and all(isinstance(getattr(answer, name), Tensor) for name in fields):
        return [f"{name}_out" if name in call.inputs else name for name in fields]
    return [f"answer_{number}" for number in range(len(flat(answer)))]


def flat(answer: Any) -> tuple[Tensor, ...]:
    """All tensors of an answer, in order."""
    if hasattr(answer, "__dataclass_fields__"):
        answer = [getattr(answer, name) for name in answer.__dataclass_fields__]
    leaves = _pytree.tree_leaves(answer)
    return tuple(
        one
        for leaf in leaves
        for one in (flat(leaf) if hasattr(leaf, "__dataclass_fields__") else [leaf])
        if isinstance(one, Tensor)
    )


@dataclass(frozen=True)
class Comparison:
    """One call answered twice. sizes: of the free axes; difference: largest, relative to the
    largest answer (at least 1); error: why there was no answer, or one of another shape."""

    sizes: Mapping[str, int]
    difference: float | None
    error: str = ""

    def agrees(self, tolerance: float) -> bool:
        return self.difference is not None and self.difference <= tolerance


@dataclass(frozen=True)
class Parity:
    """How a file was compared with PyTorch: sizes that it was exported with, and each comparison."""

    exported_with: Mapping[str, int]
    comparisons: tuple[Comparison, ...]
    tolerance: float = TOLERANCE

    @property
    def agrees(self) -> bool:
        return bool(self.comparisons) and not self.wrong

    @property
    def wrong(self) -> list[Comparison]:
        return [one for one in self.comparisons if not one.agrees(self.tolerance)]

    def as_dict(self) -> dict[str, Any]:
        return {
            "exported_with": dict(self.exported_with),
            "tolerance": self.tolerance,
            "comparisons": [asdict(one) for one in self.comparisons],
        }


def program(model: nn.Module, call: Call, axes: Axes) -> torch.export.ExportedProgram:
    """The network as torch's exported program, its free axes free.

    Raises RunFault EXPORT-REFUSED that names the network and what torch could not follow.
    """
    wrapped = Flat(model, call).eval()
    kind = torch.export.Dim
    shapes = {
        name: tuple(kind.AUTO if axis else kind.STATIC for axis in axes.names[name])
        for name in call.inputs
    }
    try:
        with portable(), _not_in_place(model), torch.no_grad(), _quietly():
            return torch.export.export(
                wrapped,
                (),
                kwargs=dict(call.inputs),
                dynamic_shapes=shapes,
                prefer_deferred_runtime_asserts_over_guards=True,
            )
    except Exception as error:  # torch raises many kinds; each means that it could not follow
        raise refused(model, error) from error


@contextmanager
def _not_in_place(model: nn.Module) -> Iterator[None]:
    """With layers that leave what they read as it is: exporters rewrite those that change it."""
    found: list[Any] = [one for one in model.modules() if getattr(one, "inplace", False) is True]
    try:
        for one in found:
            one.inplace = False
        yield
    finally:
        for one in found:
            one.inplace = True


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the exporters' talk about their own insides."""
    talkers = [logging.getLogger(name) for name in ("torch", "onnxscript", "onnx_ir")]
    levels = [one.level for one in talkers]
    try:
        for one in talkers:
            one.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for one, level in zip(talkers, levels, strict=True):
            one.setLevel(level)


def refused(model: nn.Module, error: Exception) -> RunFault:
    """The fault of a network that cannot be exported, with the first line of the reason."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return RunFault(
        "EXPORT-REFUSED",
        place=type(model).__name__,
        found=f"{type(error).__name__}: {lines[0] if lines else ''}",
        why=_("the network's course depends on what it reads, which a fixed graph cannot"),
        next_step=_("use the run with shinso predict or shinso serve"),
    )


def example_of(call: Call, axes: Axes) -> Call:
    """The call to export with: at least three of everything free, since sizes of 0 and 1 are
    special to an exporter."""
    sizes = {name: max(3, size) for name, size in axes.sizes(call).items()}
    return axes.resized(call, sizes)


def compare(
    model: nn.Module,
    calls: Sequence[tuple[Mapping[str, int], Call]],
    other: Callable[[Call], Sequence[np.ndarray]],
    exported_with: Mapping[str, int],
    *,
    tolerance: float = TOLERANCE,
) -> Parity:
    """``model`` and ``other`` on the same calls. A call that the model itself refuses says
    nothing and is left out."""
    found = []
    for sizes, call in calls:
        if not answers(model, call):
            continue
        with torch.no_grad():
            wanted = [one.cpu().numpy() for one in told(model, call.of(model))]
        found.append(_comparison(sizes, wanted, lambda call=call: other(call)))
    return Parity(exported_with, tuple(found), tolerance)


def _comparison(
    sizes: Mapping[str, int], wanted: Sequence[np.ndarray], answer: Callable[[], Sequence[Any]]
) -> Comparison:
    try:
        got = [np.asarray(one) for one in answer()]
    except Exception as error:  # whatever a runtime raises, it did not answer
        return Comparison(sizes, None, str(error).splitlines()[0][:300])
    shapes = [one.shape for one in got], [one.shape for one in wanted]
    if shapes[0] != shapes[1]:
        return Comparison(sizes, None, f"shapes {shapes[0]}, PyTorch has {shapes[1]}")
    return Comparison(sizes, max(map(_difference, got, wanted), default=0.0))


def _difference(got: np.ndarray, wanted: np.ndarray) -> float:
    if wanted.size == 0:
        return 0.0
    got, wanted = got.astype(np.float64), wanted.astype(np.float64)
    finite = np.isfinite(wanted)
    if not np.array_equal(got[~finite], wanted[~finite], equal_nan=True):
        return float("inf")
    scale = max(1.0, float(np.abs(wanted[finite]).max(initial=0.0)))
    return float(np.abs(got[finite] - wanted[finite]).max(initial=0.0)) / scale


def to_onnx(
    model: nn.Module,
    exported: torch.export.ExportedProgram,
    path: Path,
    about: Mapping[str, str],
    axes: Axes | None = None,
    names: Sequence[str] = (),
) -> None:
    """Write an exported program as ONNX, with ``about`` as its metadata, whole or not at all. axes:
    names of its sizes, which stand in its shapes then. names: of its answers.

    Raises RunFault EXPORT-REFUSED, ExtraFault EXTRA-MISSING.
    """
    for package in ("onnx", "onnxscript", "onnxruntime"):
        need(package)
    import io

    try:
        with portable(), _quietly():
            found = torch.onnx.export(
                exported,
                dynamo=True,
                optimize=True,
                verbose=False,
                opset_version=onnx_operators.OPSET,
                output_names=names or None,
                custom_translation_table=onnx_operators.table(),
            )
    except Exception as error:
        raise refused(model, error) from error
    assert found is not None
    found.model.metadata_props.update(about)
    found.model.producer_name = "shinso"
    content = io.BytesIO()
    proto = _without_traces(found.model_proto)
    if axes is not None:
        _name_sizes(proto.graph, axes)
    need("onnx").save(proto, content)
    write_atomically(path, content.getvalue())


def _without_traces(model: Any) -> Any:
    """An ONNX model without what the exporter notes beside each node, and without its shapes in between,
    which runtimes find themselves. The notes name files of this machine, and with them a file of
    8-bit weights is a fifth larger."""
    graph = model.graph
    graph.ClearField("value_info")
    for one in (graph, *graph.node, *graph.initializer, *graph.input, *graph.output):
        one.ClearField("metadata_props")
    return model


def _name_sizes(graph: Any, axes: Axes) -> None:
    """Say ``batch`` and its like where the exporter says s27, in formulas of the answers too."""

    def free(value: Any) -> list[Any]:
        return [one for one in value.type.tensor_type.shape.dim if one.HasField("dim_param")]

    known = {
        size.dim_param: name
        for value in graph.input
        for size, name in zip(value.type.tensor_type.shape.dim, axes.names[value.name], strict=True)
        if name and size.HasField("dim_param")
    }
    for size in (one for value in (*graph.input, *graph.output) for one in free(value)):
        size.dim_param = re.sub(r"\w+", lambda word: known.get(word[0], word[0]), size.dim_param)


def run_onnx(path: Path) -> Callable[[Call], Sequence[np.ndarray]]:
    """The file in onnxruntime on the CPU, as something that answers calls."""
    runtime = need("onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    session = runtime.InferenceSession(
        path.read_bytes(), options, providers=["CPUExecutionProvider"]
    )
    names = {one.name for one in session.get_inputs()}

    def run(call: Call) -> Sequence[np.ndarray]:
        return session.run(None, {n: v.numpy() for n, v in call.inputs.items() if n in names})

    return run


def run_archive(path: Path) -> Callable[[Call], Sequence[np.ndarray]]:
    """A ``torch.export`` archive, as something that answers calls."""
    module = torch.export.load(path).module()

    def run(call: Call) -> Sequence[np.ndarray]:
        with torch.no_grad():
            return [one.numpy() for one in module(**call.inputs)]

    return run


def about_text(facts: Mapping[str, Any]) -> dict[str, str]:
    """Facts as the text values that ONNX metadata holds."""
    return {
        f"shinso.{key}": value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for key, value in facts.items()
    }
