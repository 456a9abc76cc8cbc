"""Image networks at 224 pixels beside timm's, on one thread, float32, batches of 1 and of 8.

    python benchmarks/images.py                    all networks
    python benchmarks/images.py resnet18 …         some of them
    CLOCK=wall THREADS=2 python benchmarks/images.py

Each network runs in a process of its own, weights shared: timm's in eager mode, ours in eager mode,
ours through ``models.inference.optimized`` (no compiler), and ONNX Runtime on the exported network
where it is installed. Then a probe of bfloat16, and one block of MobileNet beside its twin.

The goals (decided beforehand): ours takes at most 1.05 of timm's time in eager mode; optimized at
most 0.8 of eager.
"""

from __future__ import annotations

import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", os.environ.get("THREADS", "1"))

import torch
from torch import Tensor, nn

from peers import peer
from shinso.models.densenet import DenseNet
from shinso.models.inference import optimized
from shinso.models.mobilenet_v1 import MobileNetV1
from shinso.models.mobilenet_v2 import MobileNetV2
from shinso.models.mobilenet_v3 import MobileNetV3
from shinso.models.precision import bf16_over_fp32
from shinso.models.resnet import ResNet
from shinso.nn.multiply_adds import cost
from timing import in_turn, print_table, ratio

PX, CLASSES = 224, 1000
NETWORKS: dict[str, tuple[type, dict[str, object]]] = {
    "resnet18": (ResNet, {"depth": 18}),
    "mobilenetv1_100": (MobileNetV1, {}),
    "mobilenetv2_100": (MobileNetV2, {}),
    "mobilenetv3_large_100": (MobileNetV3, {}),
    "densenet121": (DenseNet, {"depth": 121}),
}


def made(kind: type, settings: dict[str, object]) -> nn.Module:
    config = kind.Config(**settings)
    return kind(config, num_channels=3, num_classes=CLASSES, image_px=PX).eval()


def of_timm(name: str) -> nn.Module:
    return peer("timm").create_model(name, pretrained=False).eval()


def called(network: nn.Module, images: Tensor) -> Callable[[], object]:
    def run() -> None:
        with torch.inference_mode():
            network(images)

    return run


def onnxruntime_of(network: nn.Module, images: Tensor, folder: str) -> Callable[[], object] | None:
    """The exported network in ONNX Runtime; None where it is not installed."""
    try:
        version("onnxruntime")
        version("onnxscript")
    except PackageNotFoundError:
        return None
    import onnxruntime

    path = Path(folder) / "network.onnx"
    torch.onnx.export(network, (images,), str(path), input_names=["x"], dynamo=True, verbose=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    given = {"x": images.numpy()}
    return lambda: session.run(None, given)


def measure(name: str, batch: int) -> dict[str, object]:
    torch.manual_seed(0)
    theirs, ours = of_timm(name), made(*NETWORKS[name])
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(batch, 3, PX, PX)
    fast = optimized(ours, images)
    functions = {
        "timm": called(theirs, images),
        "eager": called(ours, images),
        "optimized": called(fast, images.contiguous(memory_format=torch.channels_last)),
    }
    with tempfile.TemporaryDirectory() as folder:
        engine = onnxruntime_of(ours, images, folder) if "--no-engine" not in sys.argv else None
        if engine is not None:
            functions["onnxruntime"] = engine
        seconds = in_turn(functions, rounds=9 if batch == 1 else 5)
    return {
        "multiply_adds": cost(ours, images[:1]).multiply_adds,
        "ms": {key: statistics.median(one) * 1e3 for key, one in seconds.items()},
        "over_timm": ratio(seconds["eager"], seconds["timm"]),
        "over_eager": {
            key: ratio(one, seconds["eager"])
            for key, one in seconds.items()
            if key not in ("eager", "timm")
        },
    }


def in_its_own_process(name: str, batch: int) -> dict[str, object] | None:
    """An engine that crashes takes only its own process along; then it is measured without."""
    for more in ([], ["--no-engine"]):
        command = [sys.executable, __file__, "--one", name, str(batch), *more]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            found = json.loads(done.stdout.splitlines()[-1])
            return {**found, "crashed": bool(more)}
        print(f"{name}, batch {batch}: ended with {done.returncode}", file=sys.stderr)
        print(done.stderr[-400:], file=sys.stderr)
    return None


def twin_rows() -> list[list[str]]:
    """MobileNet V1 and its twin of full convolutions: counted and timed."""
    pair = {s: made(MobileNetV1, {"separable": s}) for s in (True, False)}
    rows = []
    for batch in (1, 8):
        images = torch.randn(batch, 3, PX, PX)
        counts = {s: cost(network, images[:1]).multiply_adds for s, network in pair.items()}
        seconds = in_turn(
            {str(s): called(network, images) for s, network in pair.items()}, rounds=5
        )
        fast = in_turn(
            {
                str(s): called(
                    optimized(network, images), images.contiguous(memory_format=torch.channels_last)
                )
                for s, network in pair.items()
            },
            rounds=5,
        )
        rows.append(
            [
                str(batch),
                f"{counts[False] / counts[True]:.2f}",
                f"{1 / ratio(seconds['True'], seconds['False'])[0]:.2f}",
                f"{1 / ratio(fast['True'], fast['False'])[0]:.2f}",
            ]
        )
    return rows


def main(names: list[str]) -> None:
    rows = []
    for name in names or NETWORKS:
        for batch in (1, 8):
            found = in_its_own_process(name, batch)
            if found is None:
                continue
            own, least, most = found["over_timm"]  # type: ignore[misc]
            over = found["over_eager"]
            best = min(found["ms"], key=found["ms"].get)  # type: ignore[union-attr, arg-type]
            engine = over.get("onnxruntime")  # type: ignore[union-attr]
            rows.append(
                [
                    name,
                    str(batch),
                    f"{found['multiply_adds'] / 1e6:.0f} M",  # type: ignore[operator]
                    f"{found['ms']['eager']:.0f}",  # type: ignore[index]
                    f"{own:.2f} ({least:.2f} … {most:.2f})",
                    f"{over['optimized'][0]:.2f}",  # type: ignore[index]
                    f"{engine[0]:.2f}" if engine else "crashed" if found["crashed"] else "—",
                    best,
                ]
            )
    head = ["network", "batch", "multiply-adds", "eager ms", "eager / timm", "optimized / eager"]
    print_table([*head, "onnxruntime / eager", "fastest"], rows)
    print_table(
        ["batch", "twin / MobileNet V1, multiply-adds", "time, eager", "time, optimized"],
        twin_rows(),
    )
    print(f"bfloat16 / float32, a training step: {bf16_over_fp32(torch.device('cpu')):.2f}")


if __name__ == "__main__":
    torch.set_num_threads(int(os.environ.get("THREADS", "1")))
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measure(sys.argv[2], int(sys.argv[3]))))
    else:
        main(sys.argv[1:])
