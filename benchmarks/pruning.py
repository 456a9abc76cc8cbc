"""What removed channels save in time, beside what masked ones do not.

    python benchmarks/pruning.py [--run RUN | --depth 14 --width 4 --px 32 --stem pixels]
        [--share 0.3] [--inside]

A residual network, of a run or untrained (its time does not depend on what it has learnt), loses a
share of its channels; another has as many weights set to zero instead. All in channels-last, on one
thread, in turn: as they are, and folded and packed by ``models.inference.optimized``. The goal, set
beforehand: the ratio of times is at most that of multiply-adds plus 0.05.
"""

from __future__ import annotations

import argparse
import copy
import statistics
from pathlib import Path
from typing import Any

import torch

from shinso.compress import channels, measure, pruning
from shinso.compress.calls import Call
from shinso.models.inference import optimized
from shinso.models.resnet import ResNet
from timing import in_turn, print_table, shown_interval


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--run", type=Path)
    parser.add_argument("--depth", type=int, default=14)
    parser.add_argument("--width", type=float, default=4)
    parser.add_argument("--px", type=int, default=32)
    parser.add_argument("--stem", default="pixels")
    parser.add_argument("--share", type=float, default=0.3)
    parser.add_argument("--inside", action="store_true", help="spare what shortcuts carry on")
    parser.add_argument("--multiple", type=int, default=16)
    parser.add_argument("--batch", default="1,16")
    parser.add_argument("--rounds", type=int, default=9)
    read = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if read.run is None:
        config = ResNet.Config(depth=read.depth, width=read.width, stem=read.stem)
        dense: Any = ResNet(config, num_channels=3, num_classes=10, image_px=read.px)
        image = torch.randn(1, 3, read.px, read.px)
    else:
        from shinso.walk.exporting import known_calls
        from shinso.walk.run import Run

        run = Run.open(read.run)
        dense = run.use().model  # type: ignore[attr-defined]
        image = next(iter(known_calls(run, dense)[0].inputs.values()))[:1]
    dense = dense.eval().to(memory_format=torch.channels_last)
    smaller, masked = copy.deepcopy(dense), copy.deepcopy(dense)
    call = Call({"x": image})
    removal = channels.remove(smaller, call, read.share, multiple=read.multiple, inside=read.inside)
    weights = pruning.prunable(masked)
    pruning.apply(weights, pruning.layer_adaptive_masks(weights, read.share))
    smaller = smaller.eval().to(memory_format=torch.channels_last)
    products = [measure.multiply_adds(one, call) for one in (dense, smaller, masked)]
    print(f"{removal.removed} of {removal.channels} channels removed")
    rows = []
    with torch.no_grad():
        for batch in map(int, read.batch.split(",")):
            x = image.repeat(batch, 1, 1, 1).contiguous(memory_format=torch.channels_last)
            named = {"all": dense, "removed": smaller, "masked": masked}
            packed = {f"{name}, optimized": optimized(one, x) for name, one in named.items()}
            every = {**named, **packed}
            functions = {name: lambda n=one, x=x: n(x) for name, one in every.items()}
            seconds = in_turn(functions, rounds=read.rounds, at_least_s=0.02)
            for (name, _), count in zip(named.items(), products, strict=True):
                rows.append(
                    [
                        str(batch),
                        name,
                        f"{count / products[0]:.2f}",
                        shown_interval(seconds[name], seconds["all"]),
                        shown_interval(seconds[f"{name}, optimized"], seconds["all, optimized"]),
                        f"{statistics.median(seconds[f'{name}, optimized']) * 1e3:.2f}",
                    ]
                )
    head = ["batch", "channels", "multiply-adds", "time", "time, optimized", "optimized, ms"]
    print_table(head, rows)


if __name__ == "__main__":
    main()
