"""Frames per second of SSD on MobileNet beside the limit of the machine's floating-point units.

    python benchmarks/detection.py
    CLOCK=wall THREADS=2 python benchmarks/detection.py

The limit: two operations for each multiply–add of the network, at the rate that a large matrix
product reaches in the same run. "detect" is the network, its boxes and suppression class by class;
"optimized" the same with its layers fused for answers (``models.inference``). Images are noise and
the network is untrained, so that the least score is put where 400 boxes an image are suppressed:
more than a trained network leaves.
"""

from __future__ import annotations

import os
import statistics

os.environ.setdefault("OMP_NUM_THREADS", os.environ.get("THREADS", "1"))

import torch
from torch import Tensor, nn

from shinso.models.inference import optimized
from shinso.models.ssd import SSD
from shinso.nn.multiply_adds import cost
from timing import in_turn, print_table

SIZE_PX, OBJECT_PX, CLASSES = (300, 300), (24.0, 240.0), 20
STRIDES = (16, 32, 64, 128)
NETWORKS = {
    "mobilenet-v1": {"width": 1.0},
    "mobilenet-v2": {"width": 1.0},
    "resnet": {"width": 0.5},
}
PRODUCT = 1024


class Joined(nn.Module):
    """SSD whose answers are one tensor, as ``optimized`` compares them."""

    def __init__(self, detector: SSD) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat(self.detector(images), -1)


def measure(backbone: str, width: float, batch: int) -> list[str]:
    torch.manual_seed(0)
    config = SSD.Config(backbone=backbone, width=width, strides=STRIDES)
    model = SSD(
        config, num_channels=3, num_classes=CLASSES, size_px=SIZE_PX, object_px=OBJECT_PX
    ).eval()
    model.to(memory_format=torch.channels_last)
    images = torch.randn(batch, 3, *SIZE_PX).contiguous(memory_format=torch.channels_last)
    fast = optimized(Joined(model), images)
    quick = fast.get_submodule("detector")
    assert isinstance(quick, SSD)
    square = torch.randn(PRODUCT, PRODUCT)

    def network() -> None:
        with torch.inference_mode():
            model(images)

    seconds = in_turn(
        {
            "product": lambda: square @ square,
            "network": network,
            "detect": lambda: model.detect(images, least_score=0.0),
            "optimized": lambda: quick.detect(images, least_score=0.0),
        },
        rounds=7,
    )
    took = {name: statistics.median(one) for name, one in seconds.items()}
    rate = 2 * PRODUCT**3 / took["product"]
    count = cost(model, images[:1]).multiply_adds
    limit = rate / (2 * count)
    rates = {name: batch / took[name] for name in ("network", "detect", "optimized")}
    return [
        f"ssd {backbone} × {width:g}",
        str(batch),
        f"{SIZE_PX[0]} × {SIZE_PX[1]}",
        f"{count / 1e6:.0f} M",
        f"{rate / 1e9:.0f}",
        f"{limit:.0f}",
        *(f"{rates[name]:.1f}" for name in rates),
        f"{rates['optimized'] / limit:.2f}",
    ]


def main() -> None:
    torch.set_num_threads(int(os.environ.get("THREADS", "1")))
    rows = [
        measure(backbone, settings["width"], batch)
        for backbone, settings in NETWORKS.items()
        for batch in (1, 8)
    ]
    head = ["detector", "batch", "height × width", "multiply-adds", "GFLOP/s of a product"]
    head += ["limit, images/s", "network", "detect", "optimized detect", "optimized / limit"]
    print_table(head, rows)


if __name__ == "__main__":
    main()
