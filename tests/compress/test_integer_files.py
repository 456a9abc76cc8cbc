"""Files of 8-bit networks: integer kernels where onnxruntime has them, and PyTorch's numbers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from shinso.compress import activations, export, pruning, quantizers
from shinso.compress.axes import find
from shinso.compress.calls import Call
from shinso.compress.folding import folded_norms
from shinso.compress.integers import integer_weights
from shinso.models.resnet import ResNet
from shinso.nn.dense import Dense


def integer_file(model: nn.Module, call: Call, path: Path) -> None:
    """``model``, from here on reading rounded numbers with rounded weights, and its file."""
    weights = pruning.prunable(model)
    grids = {name: quantizers.of_weight(one, 8) for name, one in weights.items()}
    numbers = {n: (g.quantize(weights[n]), g.scale, g.zero_point) for n, g in grids.items()}
    activations.attach(model, activations.calibrate(model, [call]))
    with torch.no_grad():
        for name, one in weights.items():
            one.copy_(grids[name].rounded(one))
    axes = find(model, [call])
    example = export.example_of(call, axes)
    with folded_norms(model, example, numbers) as scaled, integer_weights(model, scaled):
        export.to_onnx(model, export.program(model, example, axes), path, {})


def kernels(path: Path) -> Counter[str]:
    """What onnxruntime makes of a file."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(path.with_suffix(".optimized"))
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return Counter(one.op_type for one in onnx.load(path.with_suffix(".optimized")).graph.node)


def test_a_residual_network_computes_in_whole_numbers_throughout(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = ResNet(ResNet.Config(depth=8, stem="pixels"), num_channels=3, num_classes=4, image_px=8)
    with torch.no_grad():  # no branch is silent, no normalization the identity
        for name, one in model.named_parameters():
            if "bn" in name:
                one.add_(torch.rand_like(one) + 0.2)
    model.eval()
    call = Call({"x": torch.randn(16, 3, 8, 8)})
    path = tmp_path / "net.onnx"
    integer_file(model, call, path)
    found = kernels(path)
    assert found["QLinearConv"] == 7
    assert found["QLinearAdd"] == 3
    assert found["QLinearGlobalAveragePool"] == 1
    assert found["MatMulInteger"] == 1
    # Pictures are rounded once, and all is whole until the last layer has multiplied.
    assert found["QuantizeLinear"] == 1
    assert found["DequantizeLinear"] == 0
    assert not {"Conv", "FusedConv", "Gemm", "FusedGemm", "MatMul", "Relu"} & set(found), found
    with torch.no_grad():
        wanted = model(call.inputs["x"])
    answer = torch.from_numpy(export.run_onnx(path)(call)[0])
    assert (answer - wanted).abs().max() <= export.INTEGER_TOLERANCE * wanted.abs().max()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(5, 12), (5, 3, 12)])
def test_linear_layers_read_and_multiply_whole_numbers(
    bias: bool, shape: tuple[int, ...], tmp_path: Path
) -> None:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(12, 7, bias=bias), nn.ReLU(), Dense(7, 4, bias=bias)).eval()
    before = dict(model.named_parameters())
    call = Call({"input": torch.randn(shape)})
    path = tmp_path / "net.onnx"
    integer_file(model, call, path)
    found = kernels(path)
    assert found["MatMulInteger"] == 2
    assert not {"Gemm", "FusedGemm", "MatMul", "FusedMatMul"} & set(found), found
    # The network is what it was: its parameters, its classes, its roundings.
    assert all(one is before[name] for name, one in model.named_parameters())
    assert [type(one) for one in model] == [nn.Linear, nn.ReLU, Dense]
    assert set(activations.attached(model)) == {"0", "2"}
    with torch.no_grad():
        wanted = model(call.inputs["input"])
    answer = torch.from_numpy(export.run_onnx(path)(call)[0])
    torch.testing.assert_close(answer, wanted, rtol=1e-5, atol=1e-5)


class Tied(nn.Module):
    """A layer whose weight is read by the network itself as well."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) + x @ self.layer.weight


def test_a_weight_that_is_read_in_two_ways_is_the_same_in_both(tmp_path: Path) -> None:
    torch.manual_seed(2)
    model, call = Tied().eval(), Call({"x": torch.randn(5, 6)})
    integer_file(model, call, tmp_path / "net.onnx")
    with torch.no_grad():
        wanted = model(call.inputs["x"])
    answer = torch.from_numpy(export.run_onnx(tmp_path / "net.onnx")(call)[0])
    torch.testing.assert_close(answer, wanted, rtol=1e-5, atol=1e-5)
