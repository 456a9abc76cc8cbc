"""int8 beside its rivals, in one run: shinso's export, onnxruntime's static quantizer, torchao.

    python benchmarks/int8.py RUN [--rivals float32,shinso,onnxruntime,torchao] [--batch 1,16,64]

RUN is a trained run of ``classify-images``. All are made of its weights and calibrated on the same
images of its valid part; every one answers the whole test part, then they answer the same batch in
turn on one thread. Goals, set beforehand: at most 0.3 points of accuracy lost against float32, a file
of a quarter, at least 1.5 times as fast as float32 in onnxruntime, and neither less accurate nor
slower than the others. torchao compiles for minutes and needs a C++ compiler (pip install torchao).
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from onnxruntime import quantization
from torch import Tensor, nn

from shinso.compress import activations, calls, export, pruning, quantizers
from shinso.compress.axes import find
from shinso.compress.folding import folded_norms
from shinso.compress.integers import integer_weights
from shinso.walk.run import Run
from timing import in_turn, shown_interval

CALIBRATED_ON = 8  # calls of the valid part, as shinso compress takes


class Session(nn.Module):
    """A file in onnxruntime that stands for the network it was made of."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        self.session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self.name = self.session.get_inputs()[0].name
        self.place = nn.Parameter(torch.zeros(1))  # says which device images are to be on

    def forward(self, x: Tensor) -> Tensor:
        given = {self.name: x.contiguous().numpy()}
        return torch.from_numpy(self.session.run(None, given)[0])


class Images(quantization.CalibrationDataReader):
    """What the network read, for onnxruntime's quantizer."""

    def __init__(self, name: str, batches: list[Tensor]) -> None:
        self.feeds: Iterator[Any] = iter([{name: x.contiguous().numpy()} for x in batches])

    def get_next(self) -> Any:
        return next(self.feeds, None)


def shinso_file(model: nn.Module, made: list[calls.Call], axes: Any, path: Path) -> None:
    """As ``compress --do int8`` and ``export onnx``, without a run's folder."""
    weights = pruning.prunable(model)
    grids = {name: quantizers.of_weight(one, 8, calibration="mse") for name, one in weights.items()}
    numbers = {n: (g.quantize(weights[n]), g.scale, g.zero_point) for n, g in grids.items()}
    activations.attach(model, activations.calibrate(model, made, calibration="mse"))
    try:
        example = export.example_of(calls.few(made)[0], axes)
        with folded_norms(model, example, numbers) as scaled, integer_weights(model, scaled):
            export.to_onnx(model, export.program(model, example, axes), path, {})
    finally:
        activations.detach(model)


def onnxruntime_file(given: Path, made: list[calls.Call], path: Path) -> None:
    """Their recipe: optimized first, then QDQ, weights per channel, ranges from min to max."""
    from onnxruntime.quantization.shape_inference import quant_pre_process

    ready = path.with_name("ready.onnx")
    quant_pre_process(str(given), str(ready), skip_symbolic_shape=True)
    quantization.quantize_static(
        str(ready),
        str(path),
        Images(Session(given).name, [next(iter(one.inputs.values())) for one in made]),
        quant_format=quantization.QuantFormat.QDQ,
        per_channel=True,
        reduce_range=False,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
    )


def torchao_network(model: nn.Module, made: list[calls.Call]) -> nn.Module:
    """PT2E for x86 through inductor, as torchao's manual has it: weights frozen, so that they are
    packed once, and compiled for each size of a batch."""
    import torchao.quantization.pt2e.quantizer.x86_inductor_quantizer as x86
    from torch._inductor import config
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    batches = [next(iter(one.inputs.values())) for one in made]
    batch = torch.export.Dim("batch")
    program = torch.export.export(model, (batches[0],), dynamic_shapes=({0: batch},)).module()
    quantizer = x86.X86InductorQuantizer()
    quantizer.set_global(x86.get_default_x86_inductor_quantization_config())
    prepared = prepare_pt2e(program, quantizer)
    for x in batches:
        prepared(x)
    config.freezing = True
    return torch.compile(convert_pt2e(prepared), dynamic=False)  # type: ignore[return-value]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("run", type=Path)
    parser.add_argument("--rivals", default="float32,shinso,onnxruntime,torchao")
    parser.add_argument("--batch", default="1,16,64")
    parser.add_argument("--rounds", type=int, default=9)
    read = parser.parse_args()
    torch.set_num_threads(1)
    run = Run.open(read.run)
    order = run.order
    data = order.recipe.read(order.config, order.paths)
    model: nn.Module = run.use().model.eval()  # type: ignore[attr-defined]

    def scored(network: nn.Module, part: str = "test") -> float:
        use = order.recipe.use(order.config, run.facts, network)
        return float(use.evaluate(data, part).metrics["accuracy"])

    with calls.recorded(model, most=CALIBRATED_ON) as made:
        scored(model, "valid")
    axes = find(model, calls.few(made.calls))
    wanted = read.rivals.split(",")
    networks: dict[str, nn.Module] = {}
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        files = {
            name: Path(folder) / f"{name}.onnx" for name in ("float32", "shinso", "onnxruntime")
        }
        example = export.example_of(calls.few(made.calls)[0], axes)
        export.to_onnx(model, export.program(model, example, axes), files["float32"], {})
        if "shinso" in wanted:
            shinso_file(model, made.calls, axes, files["shinso"])
        if "onnxruntime" in wanted:
            onnxruntime_file(files["float32"], made.calls, files["onnxruntime"])
        for name, path in files.items():
            if path.exists():
                networks[name] = Session(path)
        if "torchao" in wanted:
            networks["torchao"] = torchao_network(model, made.calls)
        print(f"{len(made.calls)} calls calibrated on; PyTorch's accuracy {scored(model):.4f}")
        for name, network in networks.items():
            size = f"{files[name].stat().st_size:,} bytes" if name in files else "no file"
            print(f"{name}: accuracy {scored(network):.4f}, {size}", flush=True)
        image = next(iter(made.calls[0].inputs.values()))[:1]
        for batch in map(int, read.batch.split(",")):
            x = image.repeat(batch, 1, 1, 1) + 0.1 * torch.from_numpy(
                np.random.default_rng(0).normal(size=(batch, *image.shape[1:])).astype(np.float32)
            )
            calls_of = {name: lambda n=one, x=x: n(x) for name, one in networks.items()}
            seconds = in_turn(calls_of, rounds=read.rounds, at_least_s=0.01)
            times = {name: statistics.median(one) * 1e3 for name, one in seconds.items()}
            shown = ", ".join(
                f"{name} {ms:.2f} ms ({times['float32'] / ms:.2f} times as fast)"
                for name, ms in times.items()
            )
            print(f"batch {batch}: {shown}", flush=True)
            for name in wanted if "shinso" in wanted else ():
                if name not in ("float32", "shinso"):
                    beside = shown_interval(seconds["shinso"], seconds[name])
                    print(f"  shinso's time / {name}'s: {beside}")


if __name__ == "__main__":
    main()
