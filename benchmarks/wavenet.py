"""WaveNet: a training step beside a plain Conv1d module's, and generation three ways.

    python benchmarks/wavenet.py

30 layers (dilations 1 … 512, three times), 64 skips, 256 classes, one thread, float32. The goals
(decided beforehand): a training step takes at most 0.9 of the plain module's time; generation with
kept pasts, sample for sample the same, is at least 1,000 times as fast as recomputing the receptive
field and, with 32 channels, faster than 16,000 samples a second.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from shinso.models.wavenet import WaveNet
from shinso.models.wavenet_sampling import CachedSampler, draw_anew
from timing import in_turn, print_table, ratio

LAYERS, TIME = 30, 4000


class Plain(nn.Module):
    """What one writes first: a Conv1d for each convolution, padded on the left."""

    def __init__(self, model: WaveNet) -> None:
        super().__init__()
        config, stack = model.config, model.stack
        width, skips = config.width, config.skips
        self.embed = nn.Embedding(256, width)
        self.gates = nn.ModuleList(
            nn.Conv1d(width, 2 * width, 2, dilation=dilation) for dilation in stack.dilations
        )
        self.residual = nn.ModuleList(
            nn.Conv1d(width, width, 1, bias=False) for _ in stack.dilations[1:]
        )
        self.skip = nn.ModuleList(
            nn.Conv1d(width, skips, 1, bias=layer == 0) for layer in range(config.layers)
        )
        self.hidden, self.head = nn.Conv1d(skips, skips, 1), nn.Conv1d(skips, 256, 1)
        with torch.no_grad():
            self.embed.weight.copy_(model.embed)
            for layer in range(config.layers):
                taps = torch.stack([stack.past[layer], stack.now[layer]], dim=2)
                self.gates[layer].weight.copy_(taps)
                self.gates[layer].bias.copy_(stack.bias[layer])
                self.skip[layer].weight.copy_(stack.skip[layer].unsqueeze(-1))
                if layer + 1 < config.layers:
                    self.residual[layer].weight.copy_(stack.residual[layer].unsqueeze(-1))
            self.skip[0].bias.copy_(model.skip_bias)
            for own, given in ((self.hidden, model.hidden), (self.head, model.head)):
                own.weight.copy_(given.weight.unsqueeze(-1))
                own.bias.copy_(given.bias)

    def forward(self, samples: Tensor) -> Tensor:
        h = self.embed(samples).transpose(1, 2)
        total = torch.zeros(())
        for layer, (gate, skip) in enumerate(zip(self.gates, self.skip, strict=True)):
            a, b = gate(F.pad(h, (gate.dilation[0], 0))).chunk(2, 1)
            z = torch.tanh(a) * torch.sigmoid(b)
            total = total + skip(z)
            if layer < len(self.residual):
                h = h + self.residual[layer](z)
        return self.head(torch.relu(self.hidden(torch.relu(total))))


def training_steps(model: WaveNet, plain: Plain, batch: int) -> dict[str, Callable[[], object]]:
    samples = torch.randint(0, 256, (batch, TIME // batch + 1))
    before, wanted = samples[:, :-1], samples[:, 1:]

    def own() -> None:
        model.zero_grad(set_to_none=True)
        F.cross_entropy(model.scores(before).flatten(0, 1), wanted.flatten()).backward()

    def theirs() -> None:
        plain.zero_grad(set_to_none=True)
        F.cross_entropy(plain(before), wanted).backward()

    with torch.no_grad():
        deviation = (model.scores(before) - plain(before).transpose(1, 2)).abs().max()
    assert float(deviation) < 1e-3, "the two are not the same network"
    return {"step": own, "plain step": theirs}


class QueueLoop:
    """Kept pasts as well, the layers written in torch."""

    def __init__(self, model: WaveNet) -> None:
        self.model, stack = model, model.stack
        width = model.config.width
        self.past = [one.t().contiguous() for one in stack.past]
        self.now = [one.t().contiguous() for one in stack.now]
        self.residual = [r.t().contiguous() for r in stack.residual]
        self.skip = [s.t().contiguous() for s in stack.skip]
        self.queues = [torch.zeros(d, width) for d in stack.dilations]
        self.place, self.value = 0, 128

    @torch.no_grad()
    def draw(self, chances: np.ndarray) -> None:
        model, stack = self.model, self.model.stack
        for chance in chances[:, 0]:
            h, total = model.embed[self.value : self.value + 1], model.skip_bias[None]
            for layer, queue in enumerate(self.queues):
                here = self.place % len(queue)
                g = torch.addmm(stack.bias[layer], queue[here : here + 1], self.past[layer])
                a, b = g.addmm_(h, self.now[layer]).chunk(2, 1)
                queue[here] = h[0]
                z = torch.tanh(a) * torch.sigmoid(b)
                total = torch.addmm(total, z, self.skip[layer])
                if layer < len(self.residual):
                    h = torch.addmm(h, z, self.residual[layer])
            y = model.head(torch.relu(model.hidden(torch.relu(total))))
            reached = y[0].double().softmax(0).cumsum(0)
            self.value = int((reached <= chance).sum().clamp(max=255))
            self.place += 1


def generation(model: WaveNet, rounds: int) -> tuple[dict[str, float], float]:
    """Samples a second of each way; share of samples on which kept and recomputed agree."""
    rng = np.random.default_rng(0)
    field = model.receptive_field
    chances = rng.random((4000, 2))
    begun = CachedSampler(model).draw(chances[:300])
    agreement = float((begun == draw_anew(model, chances[:300])).mean())
    full = torch.randint(0, 256, (1, field))
    cached, loop = CachedSampler(model), QueueLoop(model)

    @torch.no_grad()
    def recompute() -> None:
        model.scores(full)  # the draw itself costs nothing beside it

    ways: dict[str, tuple[Callable[[], object], int]] = {
        "recomputed": (recompute, 1),
        "kept, torch": (lambda: loop.draw(chances[:50]), 50),
        "kept, compiled": (lambda: cached.draw(chances), len(chances)),
    }
    seconds = in_turn({name: way for name, (way, _) in ways.items()}, rounds=rounds)
    rates = {n: ways[n][1] / statistics.median(taken) for n, taken in seconds.items()}
    return rates, agreement


if __name__ == "__main__":
    torch.set_num_threads(1)
    steps, spoken = [], []
    for width in (32, 64):
        torch.manual_seed(0)
        model = WaveNet(WaveNet.Config(layers=LAYERS, width=width))
        plain = Plain(model)
        for batch in (1, 4):
            seconds = in_turn(training_steps(model, plain, batch), rounds=7)
            value, least, most = ratio(seconds["step"], seconds["plain step"])
            own = statistics.median(seconds["step"])
            steps.append([
                str(width), f"{batch} × {TIME // batch}", f"{value:.2f}", f"{least:.2f} … {most:.2f}",
                f"{TIME / own:,.0f}",
            ])  # fmt: skip
        rates, agreement = generation(model, rounds=7)
        for name, rate in rates.items():
            times = rate / rates["recomputed"]
            spoken.append([str(width), name, f"{rate:,.0f}", f"{times:,.0f}", f"{agreement:.3f}"])
    print_table(["channels", "batch", "of plain", "least … most", "samples/s"], steps)
    print()
    print_table(["channels", "way", "samples/s", "of recomputed", "kept = recomputed"], spoken)
