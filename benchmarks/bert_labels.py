"""What pre-training is worth, by the number of labels: SST-2 from 100, 1,000 and all of them.

    python benchmarks/bert_labels.py [--start RUN] [--text FILE] [--pretrain-steps N] [--seeds 5]
                                     [--labels 100,1000,0] [--steps 600] [--pooling mean] [--runs runs]
                                     [--device auto] [--precision fp32]

BERT "mini" (4 × 256) learns from the raw text of WikiText-2 by the preset of that name (or begins at
RUN, trained before), then from so many labels; beside it the same network with the same pieces learns
from the labels alone. The mean of all pieces stands for a text, since nothing asked for the next
sentence; "first" takes the first piece, as in the paper. Each seed is one start and one order of the
samples; all seeds and both networks see the same labels, and the seeds of the two are paired. 0 labels
are all. Both stand beside a logistic regression on words.

The goal (decided beforehand): the gain's 95 % interval over seeds lies above zero at every number.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import shinso
from shinso.data import registry
from shinso.intervals import mean, paired_difference
from shinso.walk.run import Run
from timing import print_table


def main(given: argparse.Namespace) -> None:
    shared = {"runs": given.runs, "device": given.device, "precision": given.precision}
    start = given.start
    if start is None:
        text = given.text or registry.require("wikitext2/train.txt.gz")
        steps = {} if given.pretrain_steps is None else {"steps": given.pretrain_steps}
        run = shinso.train("bert-pretrain", text, preset="wikitext2", **steps, **shared)
        print(run.table().markdown(), flush=True)
        start = run.folder.path
    train, valid, test = (
        registry.require(f"sst2/{part}.tsv.gz") for part in ("train", "dev", "test")
    )
    rows = []
    for labels in (int(count) for count in given.labels.split(",")):
        runs = [
            shinso.train(
                "classify-text", train, valid=(valid,), test=(test,), start=start, anew=anew,
                pooling=given.pooling, only=labels, seeds=given.seeds, steps=given.steps, **shared,
            )
            for anew in (False, True)
        ]  # fmt: skip
        tuned, alone = map(accuracies, runs)
        gain = paired_difference(tuned, alone)
        rivals = {row.name: row.values["accuracy"].value for row in runs[0].table().rows[:-1]}
        rows.append([
            f"{labels:,}" if labels else "all",
            f"{mean(tuned).value:.3f}", f"{mean(alone).value:.3f}",
            f"{gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})",
            *(f"{value:.3f}" for value in rivals.values()),
        ])  # fmt: skip
        print(*rows[-1], flush=True)
    print_table(["labels", "pre-trained", "labels alone", "gain (95 %)", *rivals], rows)


def accuracies(run: Run) -> list[float]:
    """Of each seed on the test part."""
    return [run.result(seed)["test"]["metrics"]["accuracy"] for seed in run.seeds]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--start", type=Path)
    parser.add_argument("--text", type=Path)
    parser.add_argument("--pretrain-steps", type=int)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--labels", default="100,1000,0")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--pooling", default="mean", choices=("first", "mean"))
    parser.add_argument("--runs", default="runs")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16"))
    main(parser.parse_args())
