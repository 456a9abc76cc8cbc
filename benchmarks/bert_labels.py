"""What pre-training is worth, by the number of labels: SST-2 from 100, 1,000 and all of them.

    python benchmarks/bert_labels.py [--start RUN] [--text FILE] [--pretrain-steps N] [--seeds 20]
                                     [--first-seed 0] [--labels 100,1000,0] [--steps 600]
                                     [--lr 2e-4] [--alone-lr 2e-4] [--pooling mean] [--runs runs]
                                     [--device auto] [--precision fp32] [--threads N]

BERT "mini" (4 × 256) learns from the raw text of WikiText-2 by the preset of that name (or begins at
RUN, trained before), then from so many labels; beside it the same network with the same pieces learns
from the labels alone. The mean of all pieces stands for a text, since nothing asked for the next
sentence; "first" takes the first piece, as in the paper. Each seed draws its own labels, its own start
and its own order of samples, and both networks learn from the same draw; 0 labels are all. Both stand
beside a logistic regression on words from the same draws.

What is trained below --runs is not trained again: stopped, the same command goes on.

The goal (decided beforehand): the gain's 95 % interval over seeds lies above zero at every number.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import shinso
from shinso.data import registry
from shinso.intervals import mean, paired_difference
from shinso.walk.run import Run
from shinso.walk.training import resume
from timing import print_table


def main(given: argparse.Namespace) -> None:
    shared = {"device": given.device, "precision": given.precision, "threads": given.threads}
    start = given.start
    if start is None:
        text = given.text or registry.require("wikitext2/train.txt.gz")
        steps = {} if given.pretrain_steps is None else {"steps": given.pretrain_steps}
        pretrained = {"preset": "wikitext2", "runs": given.runs, **steps, **shared}
        run = shinso.train("bert-pretrain", text, **pretrained)
        print(run.table().markdown(), flush=True)
        start = run.folder.path
    shared |= {"start": start, "pooling": given.pooling, "steps": given.steps}
    rates = {"pre-trained": given.lr, "alone": given.alone_lr}
    rows = []
    for labels in (int(count) for count in given.labels.split(",")):
        runs: dict[str, list[Run]] = {way: [] for way in rates}
        for seed in range(given.first_seed, given.first_seed + given.seeds):
            for way, lr in rates.items():
                folder = given.runs / f"{labels or 'all'}-labels" / way / f"seed-{seed}"
                settings = {"anew": way == "alone", "lr": lr, "only": labels, **shared}
                runs[way].append(fine_tuned(folder, seed, settings))
            print(
                labels, seed, *(f"{accuracy(one[-1])[0]:.3f}" for one in runs.values()), flush=True
            )
        tuned, alone, rival = (
            [accuracy(run)[place] for run in runs[way]]
            for way, place in (("pre-trained", 0), ("alone", 0), ("alone", 1))
        )
        gain = paired_difference(tuned, alone)
        rows.append([
            f"{labels:,}" if labels else "all", str(len(tuned)),
            f"{mean(tuned).value:.3f}", f"{mean(alone).value:.3f}",
            f"{gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})", f"{mean(rival).value:.3f}",
        ])  # fmt: skip
    print_table(
        ["labels", "seeds", "pre-trained", "labels alone", "gain (95 %)", "words counted"], rows
    )


def fine_tuned(folder: Path, seed: int, settings: dict[str, Any]) -> Run:
    """The run of one seed below a folder: as it lies there, gone on with, or trained."""
    for path in folder.glob("classify-text/*"):
        run = Run.open(path)
        return run if run.folder.status()["state"] == "done" else resume(path)
    train, valid, test = (
        registry.require(f"sst2/{part}.tsv.gz") for part in ("train", "dev", "test")
    )
    return shinso.train(
        "classify-text", train, valid=(valid,), test=(test,), runs=folder, seeds=1,
        first_seed=seed, split_seed=seed, **settings,
    )  # fmt: skip


def accuracy(run: Run) -> tuple[float, float]:
    """On the test part: of the network, and of the logistic regression on words beside it."""
    *_majority, words, learned = (row.values["accuracy"].value for row in run.table().rows)
    return learned, words


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--start", type=Path)
    parser.add_argument("--text", type=Path)
    parser.add_argument("--pretrain-steps", type=int)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--labels", default="100,1000,0")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--lr", type=float, default=2e-4)
    parser.add_argument("--alone-lr", type=float, default=2e-4)
    parser.add_argument("--pooling", default="mean", choices=("first", "mean"))
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16"))
    parser.add_argument("--threads", type=int, default=0)
    main(parser.parse_args())
