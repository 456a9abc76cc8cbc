"""One matrix product in onnxruntime, in float32 or in 8-bit numbers: what whole numbers gain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from shinso.extras import need


def session(width: int, rows: int, *, integers: bool) -> Callable[[], Any]:
    """x (rows, width) · W (width, width), ready to run on one thread of the CPU.

    integers: W is kept as 8-bit numbers and x is rounded on the way in, as in an exported int8 run.
    """
    onnx, runtime = need("onnx"), need("onnxruntime")
    rng = np.random.default_rng(0)
    weight = rng.normal(0, 0.03, (width, width)).astype(np.float32)
    x = rng.normal(0, 1, (rows, width)).astype(np.float32)
    make, array = onnx.helper.make_node, onnx.numpy_helper.from_array
    constants = {"w": weight}
    nodes = [make("MatMul", ["x", "w"], ["y"])]
    if integers:
        scale = np.abs(weight).max(0) / 127
        constants = {
            "q": np.round(weight / scale).astype(np.int8),
            "s": scale.astype(np.float32),
            "x_s": np.array(8 / 255, np.float32),
            "x_z": np.array(128, np.uint8),
        }
        nodes = [
            make("QuantizeLinear", ["x", "x_s", "x_z"], ["x_q"]),
            make("DequantizeLinear", ["x_q", "x_s", "x_z"], ["x_r"]),
            make("DequantizeLinear", ["q", "s"], ["w"], axis=1),
            make("MatMul", ["x_r", "w"], ["y"]),
        ]
    kind = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        nodes, "product",
        [onnx.helper.make_tensor_value_info("x", kind, [rows, width])],
        [onnx.helper.make_tensor_value_info("y", kind, [rows, width])],
        [array(value, name) for name, value in constants.items()],
    )  # fmt: skip
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=9
    )
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    made = runtime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return lambda: made.run(None, {"x": x})
