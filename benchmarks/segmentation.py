"""Segmentation networks on the CPU: frames a second beside the limit of the processor.

    python benchmarks/segmentation.py             U-Net and the others, 180×240 and 360×480
    CLOCK=wall THREADS=2 python benchmarks/segmentation.py

The limit is what the processor itself does in this process: the multiply–adds a second, in float32,
of a large matrix product or of a large convolution, whichever is faster (the library behind torch's
product may use half of a processor's vectors only), measured in turn with the networks. A network's
share of it says how much is left to gain; normalizations, activations and the movement of memory are
not counted in its multiply–adds.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", os.environ.get("THREADS", "1"))

import torch
from torch import Tensor, nn

from shinso.models.dilated_segmenter import DilatedSegmenter
from shinso.models.fc_densenet import FCDenseNet
from shinso.models.fcn import FCN
from shinso.models.resnet_unet import ResNetUNet
from shinso.models.segnet import SegNet
from shinso.models.unet import UNet
from shinso.nn.multiply_adds import cost
from timing import in_turn, print_table

SIDE, CLASSES = 1024, 11
CHANNELS, PLACES = 256, 48
NETWORKS: dict[str, tuple[type, dict[str, object]]] = {
    "U-Net, width 0.5": (UNet, {"width": 0.5}),
    "ResNet-18 U-Net, width 0.5": (ResNetUNet, {"depth": 18, "width": 0.5}),
    "FCN-8s, width 0.25": (FCN, {"stride": 8, "width": 0.25}),
    "SegNet, width 0.5": (SegNet, {"width": 0.5}),
    "dilated ResNet-18, width 0.5": (DilatedSegmenter, {"depth": 18, "width": 0.5}),
    "FC-DenseNet56": (FCDenseNet, {"form": "56"}),
}
SIZES = ((1, 180, 240), (8, 180, 240), (1, 360, 480))


def made(kind: type, settings: dict[str, object]) -> nn.Module:
    torch.manual_seed(0)
    config = kind.Config(**settings)
    network = kind(config, num_channels=3, num_classes=CLASSES, image_px=180)
    return network.to(memory_format=torch.channels_last).eval()


def called(network: nn.Module, images: Tensor, *, reduced: bool) -> Callable[[], object]:
    def run() -> None:
        with (
            torch.inference_mode(),
            torch.autocast("cpu", dtype=torch.bfloat16, enabled=reduced),
        ):
            network(images)

    return run


def limits() -> dict[str, tuple[Callable[[], object], int]]:
    """Work that reuses every number often, and its multiply–adds."""
    a, b = torch.randn(SIDE, SIDE), torch.randn(SIDE, SIDE)
    layer = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1).to(memory_format=torch.channels_last)
    images = torch.randn(1, CHANNELS, PLACES, PLACES).contiguous(memory_format=torch.channels_last)
    return {
        "product": (lambda: a @ b, SIDE**3),
        "convolution": (
            called(layer, images, reduced=False), 9 * CHANNELS**2 * PLACES**2,
        ),
    }  # fmt: skip


def main(names: list[str]) -> None:
    rows, bounds = [], limits()
    for name in names or NETWORKS:
        network = made(*NETWORKS[name])
        for batch, height, width in SIZES:
            images = torch.randn(batch, 3, height, width)
            images = images.contiguous(memory_format=torch.channels_last)
            adds = cost(network, images[:1]).multiply_adds
            seconds = in_turn(
                {
                    "fp32": called(network, images, reduced=False),
                    "bf16": called(network, images, reduced=True),
                    **{key: work for key, (work, _adds) in bounds.items()},
                },
                rounds=3,
                warm_up=1,
            )
            taken = {key: statistics.median(one) for key, one in seconds.items()}
            limit = max(work / taken[key] for key, (_run, work) in bounds.items()) / adds
            fps = batch / taken["fp32"]
            rows.append(
                [
                    name, f"{batch} × {height} × {width}", f"{adds / 1e9:.2f} G", f"{fps:.1f}",
                    f"{batch / taken['bf16']:.1f}", f"{limit:.1f}", f"{fps / limit:.2f}",
                ]
            )  # fmt: skip
    head = ["network", "batch × size", "multiply-adds", "frames/s", "frames/s bf16", "limit"]
    print_table([*head, "share of the limit"], rows)


if __name__ == "__main__":
    torch.set_num_threads(int(os.environ.get("THREADS", "1")))
    main(sys.argv[1:])
