"""``export``: a run as a file that other programs run, compared with PyTorch before it counts."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from shinso.compress import calls as calling
from shinso.compress import examples, export
from shinso.compress.activations import attached
from shinso.compress.axes import Axes, answers, unseen
from shinso.compress.axes import find as find_axes
from shinso.compress.calls import Call
from shinso.compress.folding import folded_norms
from shinso.compress.integers import integer_weights
from shinso.compress.packing import whole_numbers
from shinso.faults import RunFault
from shinso.language import _
from shinso.nn import recurrent_op
from shinso.runs.checkpoint import load_weights
from shinso.runs.files import write_atomically, write_json
from shinso.walk.network_calls import evaluated
from shinso.walk.run import Run

Form = Literal["onnx", "torch"]
FILES: Mapping[Form, str] = {"onnx": "model.onnx", "torch": "model.pt2"}
DESCRIBES = ("class_names", "targets", "past", "channels", "scaler", "lookback", "horizon")
"""Facts and settings of a task that a user of the file needs; they become its metadata."""


@dataclass(frozen=True)
class Exported:
    """A file that passed, and how it was compared."""

    path: Path
    parity: export.Parity
    axes: Axes


def export_run(
    run: Run, form: Form, *, folder: Path | None = None, seed: int | None = None
) -> Exported:
    """Write ``run`` below its own ``export/`` (or ``folder``): the file, ``parity.json``,
    ``example.py`` and ``example.npz``.

    Raises RunFault EXPORT-REFUSED for a network that cannot be exported and EXPORT-DIFFERS where
    the file does not agree with PyTorch at sizes the export never saw; then no file is left.
    """
    model = run.use(seed).model.cpu().eval()  # pyright: ignore[reportAttributeAccessIssue]
    target = (folder or run.folder.path / "export") / form
    path = target / FILES[form]
    axes, example, test = ready_calls(run, model)
    about = _about(run, axes)
    numbers = whole_numbers(load_weights(run.folder.seed(_seed(run, seed)).best_weights))
    unproven = path.with_name(f"unproven-{path.name}")
    if form == "onnx":
        # Where all is whole numbers, nothing may stand between a convolution and the next rounding.
        folding = folded_norms(model, example, numbers) if attached(model) else nullcontext(numbers)
        with folding as scaled, integer_weights(model, scaled):
            program = export.program(model, example, axes)
        names = export.names_of(model, example)
        export.to_onnx(model, program, unproven, export.about_text(about), axes, names)
        runner: Callable[..., Any] = export.run_onnx
    else:
        program = export.program(model, example, axes)
        _save_archive(program, unproven)
        runner = export.run_archive
    tolerance = export.INTEGER_TOLERANCE if attached(model) else export.TOLERANCE
    sizes = axes.sizes(example)
    tests = [(s, axes.resized(test, s)) for s in unseen(axes, sizes)]
    try:
        parity = export.compare(model, tests, runner(unproven), sizes, tolerance=tolerance)
        check_parity(model, parity, path)
        unproven.replace(path)
    finally:
        unproven.unlink(missing_ok=True)
    write_json(target / "parity.json", {**about, **parity.as_dict()})
    _lay_beside(target, form, model, last_answered(model, tests), program, tolerance)
    return Exported(path, parity, axes)


def _seed(run: Run, seed: int | None) -> int:
    return run.seeds[0] if seed is None else seed


def ready_calls(run: Run, model: nn.Module) -> tuple[Axes, Call, Call]:
    """The free axes, the call to export with, and the call from which tests are made."""
    known = known_calls(run, model)
    axes = find_axes(model, known)
    return axes, export.example_of(known[0], axes), known[-1]


def last_answered(model: nn.Module, tests: Sequence[tuple[Mapping[str, int], Call]]) -> Call:
    """The last call that the network takes. One that is longer than its learnt positions allow was
    left out of the comparison, too."""
    return next(call for _sizes, call in reversed(tests) if answers(model, call))


def known_calls(run: Run, model: nn.Module) -> list[Call]:
    """A few real calls of the run's network: those kept in the run, else from its data.

    Raises RunFault EXPORT-NO-CALLS where the network is never called or takes no plain tensors.
    """
    found = calling.kept(run.folder.path / "assets")
    if found:
        return found
    order = run.order
    use = order.recipe.use(order.config, run.facts, model)
    data = order.recipe.read(order.config, order.paths)
    _found, made = evaluated(use, model, data, "valid")
    if not made.calls:
        in_parts = _("its evaluation calls the network in parts, not as a whole")
        raise no_calls(model, made.unknown or in_parts)
    return calling.few(made.calls)


def no_calls(model: nn.Module, found: str) -> RunFault:
    return RunFault(
        "EXPORT-NO-CALLS",
        place=type(model).__name__,
        found=found,
        why=_("a file has fixed inputs: tensors that go in at once"),
        next_step=_("use the run with shinso predict or shinso serve"),
    )


def check_parity(model: nn.Module, parity: export.Parity, path: Path) -> None:
    """Raise RunFault EXPORT-DIFFERS unless every comparison agrees, and there is one."""
    if parity.agrees:
        return
    wrong = parity.wrong
    found = "; ".join(
        f"{dict(one.sizes)}: {one.error or f'difference {one.difference:.1e}'}" for one in wrong[:3]
    )
    raise RunFault(
        "EXPORT-DIFFERS",
        place=f"{type(model).__name__} → {path.name}",
        found=found or _("the network answered at no other size"),
        why=_("the file would give other answers than the run at sizes it was not exported with"),
        next_step=_("use the run with shinso predict or shinso serve"),
    )


def _about(run: Run, axes: Axes) -> dict[str, Any]:
    settings = vars(run.order.config)
    known = {**settings, **run.facts}
    return {
        "task": run.order.task,
        "model": run.order.model,
        "run": run.folder.path.name,
        "data_sha256": run.facts.get("sha256", ""),
        "axes": {name: list(axes.names[name]) for name in axes.names},
        "torch": torch.__version__,
        **{name: known[name] for name in DESCRIBES if name in known},
    }


def _save_archive(program: torch.export.ExportedProgram, path: Path) -> None:
    import io

    content = io.BytesIO()
    torch.export.save(program, content)
    write_atomically(path, content.getvalue())


def _lay_beside(
    target: Path,
    form: Form,
    model: nn.Module,
    call: Call,
    program: torch.export.ExportedProgram,
    tolerance: float,
) -> None:
    """An example with its right answers, and the program that checks them without shinso."""
    import io

    with torch.no_grad():
        answers = export.told(model, call.of(model))
    content = io.BytesIO()
    arrays: dict[str, Any] = {name: one.numpy() for name, one in call.inputs.items()}
    arrays |= {f"expected_{number}": one.numpy() for number, one in enumerate(answers)}
    np.savez(content, **arrays)
    write_atomically(target / "example.npz", content.getvalue())
    operator = any("shinso.recurrent" in str(node.target) for node in program.graph.nodes)
    text = examples.ONNX if form == "onnx" else examples.ARCHIVE
    about = f"Exported by shinso from a {type(model).__name__}."
    write_atomically(
        target / "example.py",
        text.format(
            file=FILES[form],
            about=about,
            tolerance=tolerance,
            operator=examples.OPERATOR if operator else "",
        ),
    )
    if form == "torch" and operator:
        write_atomically(target / "recurrent_op.py", inspect.getsource(recurrent_op))
