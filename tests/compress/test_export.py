"""Exported files against PyTorch, at sizes the export never saw."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from shinso.compress import examples, export
from shinso.compress.axes import answers, find, unseen
from shinso.compress.calls import Call, few, keep, kept, recorded
from shinso.faults import RunFault
from shinso.models.ssd import SSD, surest
from shinso.nn import GRU, LSTM, RNN
from shinso.nn.portable import portable
from shinso.walk.exporting import check_parity, export_run, last_answered
from shinso.walk.order import place
from tests.recipes.test_every_recipe import order_of_sample

CELLS = [
    ("rnn", lambda **more: RNN(3, 5, 2, batch_first=True, **more)),
    ("relu", lambda **more: RNN(3, 5, 2, "relu", bias=False, batch_first=True, **more)),
    ("gru", lambda **more: GRU(3, 5, 2, batch_first=True, **more)),
    ("lstm", lambda **more: LSTM(3, 5, 2, batch_first=True, **more)),
    ("peephole", lambda **more: LSTM(3, 5, 2, batch_first=True, peephole=True, **more)),
    (
        "no-forget-gate",
        lambda **more: LSTM(3, 5, batch_first=True, forget_gate=False, peephole=True, **more),
    ),
]


class Packing(nn.Module):
    """Packs, reads, unpacks, and answers with the final states too."""

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        y, state = self.layers(packed)
        state = state if isinstance(state, tuple) else (state,)
        return pad_packed_sequence(y, batch_first=True, total_length=x.shape[1])[0], *state


class Positioned(nn.Module):
    """Reads as many numbers as it has positions, and no more."""

    def __init__(self, positions: int) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.randn(positions, 3))

    def forward(self, x: Tensor) -> Tensor:
        time = x.shape[1]
        if time > len(self.positions):
            raise ValueError("too long")
        return (x + self.positions[:time]).sum(1)


def test_an_axis_as_long_as_the_positions_is_free_and_one_of_features_is_not() -> None:
    for positions in (6, 20):
        found = find(Positioned(positions), [Call({"x": torch.randn(4, 6, 3)})])
        assert found.names == {"x": ("batch", "size_1", None)}


def test_the_example_beside_a_file_is_one_that_the_network_takes() -> None:
    model, call = Positioned(6), Call({"x": torch.randn(4, 6, 3)})
    axes = find(model, [call])
    tests = [(sizes, axes.resized(call, sizes)) for sizes in unseen(axes, axes.sizes(call))]
    assert not answers(model, tests[-1][1])
    assert answers(model, last_answered(model, tests))


@pytest.mark.parametrize("both_ways", [False, True])
@pytest.mark.parametrize(("name", "make"), CELLS)
def test_portable_layers_match_the_packed_ones(name: str, make: object, both_ways: bool) -> None:
    torch.manual_seed(3)
    model = Packing(make(bidirectional=both_ways))  # type: ignore[operator]
    x, lengths = torch.randn(4, 6, 3), torch.tensor([2, 6, 1, 5])
    with torch.no_grad():
        wanted = model(x, lengths)
        with portable():
            got = model(x, lengths)
    for one, other in zip(got, wanted, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)


def test_a_detectors_file_says_where_without_its_default_boxes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = SSD(
        SSD.Config(width=0.125, strides=(8, 16)),
        num_channels=1, num_classes=2, size_px=(32, 32), object_px=(6.0, 20.0),
    ).eval()  # fmt: skip
    call = Call({"images": torch.randn(3, 1, 32, 32)})
    names = export.names_of(model, call)
    assert names == ["probabilities", "boxes_xyxy_px"]
    path = tmp_path / "m.onnx"
    axes = find(model, [call])
    export.to_onnx(model, export.program(model, call, axes), path, {}, axes, names)
    assert [one.name for one in onnx.load(path).graph.output] == names
    images = torch.randn(5, 1, 32, 32)
    probabilities, boxes = map(torch.from_numpy, export.run_onnx(path)(Call({"images": images})))
    limits: dict[str, Any] = {"least_score": 0.005, "iou_threshold": 0.45, "most": 20}
    for row, wanted in enumerate(model.detect(images, **limits)):
        found = surest(boxes[row], probabilities[row, :, 1:], **limits)
        assert len(wanted.scores) > 0
        torch.testing.assert_close(found.boxes_xyxy_px, wanted.boxes_xyxy_px, atol=1e-3, rtol=1e-4)
        assert found.classes.equal(wanted.classes)


@pytest.mark.parametrize(("name", "make"), [CELLS[0], CELLS[2], CELLS[5]])
def test_onnx_matches_pytorch_at_unseen_sizes(name: str, make: object, tmp_path: Path) -> None:
    torch.manual_seed(4)
    model = Packing(make(bidirectional=True)).eval()  # type: ignore[operator]
    call = Call({"x": torch.randn(4, 6, 3), "lengths": torch.tensor([2, 6, 1, 5])})
    axes = find(model, [call])
    assert axes.names == {"x": ("batch", "size_1", None), "lengths": ("batch",)}
    example = export.example_of(call, axes)
    path = tmp_path / "m.onnx"
    export.to_onnx(model, export.program(model, example, axes), path, {"shinso.a": "b"})
    seen = axes.sizes(example)
    tests = [(sizes, axes.resized(call, sizes)) for sizes in unseen(axes, seen)]
    assert all(sizes != seen for sizes, _ in tests)
    parity = export.compare(model, tests, export.run_onnx(path), seen)
    assert len(parity.comparisons) >= 5
    assert parity.agrees, parity
    assert {p.key: p.value for p in onnx.load(path).metadata_props}["shinso.a"] == "b"
    assert b".py" not in path.read_bytes(), "no file of this machine is named"


def test_a_frozen_axis_is_found_and_named(tmp_path: Path) -> None:
    """torch.nn.RNN is unrolled by the exporter; its time axis must not pass in silence."""

    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.RNN(3, 5, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.layers(x)[0]

    model = Plain().eval()
    call = Call({"x": torch.randn(4, 6, 3)})
    axes = find(model, [call])
    assert axes.names["x"] == ("batch", "size_1", None)
    example = export.example_of(call, axes)
    path = tmp_path / "m.onnx"
    export.to_onnx(model, export.program(model, example, axes), path, {})
    tests = [(sizes, axes.resized(call, sizes)) for sizes in unseen(axes, axes.sizes(example))]
    parity = export.compare(model, tests, export.run_onnx(path), axes.sizes(example))
    with pytest.raises(RunFault, match="EXPORT-DIFFERS") as fault:
        check_parity(model, parity, path)
    assert "size_1" in fault.value.found


def test_what_cannot_be_exported_says_its_name() -> None:
    class Deciding(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * 2 if float(x.sum()) > 0 else x

    call = Call({"x": torch.randn(4, 3)})
    model = Deciding()
    with pytest.raises(RunFault, match="EXPORT-REFUSED: Deciding"):
        export.program(model, call, find(model, [call]))


def test_layers_that_change_what_they_read_do_not_while_exported(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU6(inplace=True), nn.ReLU()).eval()
    call = Call({"input": torch.randn(4, 2, 8, 8)})
    axes = find(model, [call])
    traced = export.program(model, export.example_of(call, axes), axes)
    assert "hardtanh_" not in traced.graph_module.code
    assert "hardtanh" in traced.graph_module.code
    assert [one.inplace for one in model[1:]] == [True, False]  # type: ignore[union-attr]


def test_wrong_weights_in_the_file_are_found(tmp_path: Path) -> None:
    model = nn.Linear(3, 2).eval()
    call = Call({"input": torch.randn(4, 3)})
    axes = find(model, [call])
    path = tmp_path / "m.onnx"
    export.to_onnx(model, export.program(model, call, axes), path, {})
    with torch.no_grad():
        model.weight[0, 0] += 0.01
    parity = export.compare(model, [({}, call)], export.run_onnx(path), {})
    assert not parity.agrees


def test_calls_are_kept_with_their_longest_row(tmp_path: Path) -> None:
    model = Packing(GRU(3, 5, batch_first=True))
    lengths = torch.cat([torch.full((19,), 2), torch.tensor([7])])
    with recorded(model) as made:
        model(torch.randn(20, 7, 3), lengths)
        model(torch.randn(2, 3, 3), lengths=torch.tensor([3, 1]))
    keep(tmp_path, made.calls)
    first, second = kept(tmp_path)
    assert int(first.inputs["lengths"].max()) == 7
    assert first.rows == 8
    assert torch.equal(second.inputs["x"], made.calls[1].inputs["x"])
    assert len(few(made.calls)) == 2
    assert kept(tmp_path / "elsewhere") == []


@pytest.mark.parametrize("form", ["onnx", "torch"])
def test_a_run_is_exported_without_its_data_and_runs_without_shinso(
    form: str, tmp_path: Path
) -> None:
    from shinso.walk.training import train

    run = train(order_of_sample("tag", "bilstm", tmp_path, steps=5))
    run.folder.write_text("config.yaml", _without_data(run.folder.path / "config.yaml"))
    done = export_run(run, form)  # type: ignore[arg-type]
    assert done.parity.agrees
    assert done.axes.names == {"tokens": ("batch", "size_1"), "lengths": ("batch",)}
    parity = json.loads((done.path.parent / "parity.json").read_text())
    assert parity["task"] == "tag"
    if form == "onnx":
        graph = onnx.load(done.path).graph
        sizes = {
            one.name: [size.dim_param or size.dim_value for size in one.type.tensor_type.shape.dim]
            for one in (*graph.input, *graph.output)
        }
        tags = sizes.pop(graph.output[0].name)
        assert sizes == {"tokens": ["batch", "size_1"], "lengths": ["batch"]}
        assert tags[:2] == ["batch", "size_1"]
    assert len(parity["comparisons"]) >= 5
    blocker = tmp_path / "blocked" / "shinso.py"
    blocker.parent.mkdir()
    blocker.write_text("raise ImportError('the example must not need shinso')")
    result = subprocess.run(
        [sys.executable, str(done.path.parent / "example.py")],
        env={"PYTHONPATH": str(blocker.parent), "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "largest difference" in result.stdout


@pytest.mark.parametrize("form", ["onnx", "torch"])
def test_a_tagger_of_few_words_answers_for_many_sentences(form: str, tmp_path: Path) -> None:
    from shinso.walk.training import train

    path = tmp_path / "short.tsv"
    path.write_text("".join(f"{'ab'[n % 2]}\t{'XY'[n % 2]}\n" + "\n" * (n % 3) for n in range(99)))
    order = place("tag", [path], ("test", {"steps": 2, "warmup": 0, "runs": str(tmp_path)}))
    done = export_run(train(order), form)  # type: ignore[arg-type]
    assert done.parity.agrees
    assert any(one.sizes["batch"] > one.sizes["size_1"] + 2 for one in done.parity.comparisons)


class Masked(nn.Module):
    """Some of its answers are no numbers but −∞, as of moves that are not allowed."""

    def forward(self, x: Tensor) -> tuple[Tensor]:
        return ((2 * x).masked_fill(x < 0, -torch.inf),)


@pytest.mark.parametrize("form", ["onnx", "torch"])
def test_the_example_compares_infinite_answers(form: str, tmp_path: Path) -> None:
    x = torch.tensor([[1.0, -2.0], [-0.5, 3.0]])
    program = torch.export.export(Masked(), (), {"x": x})
    if form == "onnx":
        export.to_onnx(Masked(), program, tmp_path / "model.onnx", {})
        text, file = examples.ONNX, "model.onnx"
    else:
        torch.export.save(program, tmp_path / "model.pt2")
        text, file = examples.ARCHIVE, "model.pt2"
    script = tmp_path / "example.py"
    script.write_text(text.format(file=file, about="", tolerance=1e-4, operator=""))
    # With a wrong first number, then a wrong mask, then right.
    for expected in ([[9, -2], [-1, 6]], [[2, 1], [-1, 6]], [[2, -torch.inf], [-torch.inf, 6]]):
        right = torch.tensor(expected, dtype=torch.float32)
        np.savez(tmp_path / "example.npz", x=x.numpy(), expected_0=right.numpy())
        done = subprocess.run([sys.executable, str(script)], capture_output=True, check=False)
        assert (done.returncode == 0) == torch.equal(right, Masked()(x)[0]), done.stderr
        assert b"Warning" not in done.stderr


def _without_data(path: Path) -> str:
    """The run's data has moved away."""
    lines = path.read_text().splitlines()
    return "\n".join("- /nowhere/at-all" if line.startswith("- ") else line for line in lines)
