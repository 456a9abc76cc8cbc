"""What a user gets from a trained autoencoder, and its naive rivals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from shinso.data.scaling import Standardizer
from shinso.faults import UsageFault
from shinso.language import _
from shinso.objectives.evidence import (
    estimate_and_elbo,
    importance_bound,
    kl_to_prior,
    log_weights,
)
from shinso.recipes.recipe import Evaluation, Part, Predictions
from shinso.recipes.uses.code_data import CodeData, read_parts, read_pictures, read_rows
from shinso.recipes.uses.files import only_one
from shinso.recipes.uses.new_codes import check_output, new_codes, picture, table
from shinso.runs.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from shinso.recipes.autoencode import Config, Generation

__all__ = ["CodeData", "CodeUse", "read_parts"]

AT_ONCE, CODES_AT_ONCE = 500, 20_000
SEED = 20140416  # of the draws behind scores: the same for every model and every look
ACTIVE = (
    0.01  # variance of a code's mean over samples, above which it says something (Burda et al.)
)


class CodeUse:
    """A trained autoencoder. Nats are of a whole sample; ``mse_scaled`` is of one value, in units of
    its column's deviation or of white minus black."""

    def __init__(self, config: Config, facts: Mapping[str, Any], model: nn.Module) -> None:
        self.config, self.facts = config, facts
        self.model: Any = model
        self.better: Mapping[str, Literal["min", "max"]] = {"mse_scaled": "min"}
        self.selects = "reconstruction_nats"
        if self.model.variational:
            self.better = {"log_likelihood_nats": "max", "elbo_nats": "max", **self.better}
            self.selects = "elbo_nats"
        if self.model.kind == "iwae":  # its ELBO may fall while what it learns for rises
            self.better = {**self.better, "iwae_bound_nats": "max"}
            self.selects = "iwae_bound_nats"
        self.better = {**self.better, "reconstruction_nats": "max"}

    def read_new(self, paths: Sequence[Path]) -> CodeData:
        facts = self.facts
        if facts["form"] == "images":
            found = read_pictures(paths, 0, facts["shape"])
            values = found.values if facts["binary"] else found.values / np.float32(255)
        else:
            found = read_rows(
                only_one(paths, "autoencode"), facts["columns"], facts.get("constant")
            )
            values = Standardizer.from_dict(facts["scaler"]).apply(found.values)
        return CodeData({"new": values}, {"new": found.names}, found.notes, facts)

    @torch.no_grad()
    def bounds(self, data: CodeData, part: Part, *, most: int = 0) -> dict[str, float]:
        """ELBO, reconstruction and KL apart, with one code drawn of each sample; of an IWAE the bound
        it learns for too, with as many codes as in a step."""
        generator = torch.Generator().manual_seed(SEED)
        others = torch.Generator().manual_seed(SEED + 1)
        sums: dict[str, float] = {}
        x = data.fixed(part, SEED, most)
        for one in x.split(AT_ONCE):
            found = self._nats(one, generator)
            if self.model.kind == "iwae":
                found["iwae_bound_nats"] = self._bound(one, others)
            for name, nats in found.items():
                sums[name] = sums.get(name, 0.0) + float(nats.double().sum())
        return {name: total / len(x) for name, total in sums.items()}

    def _bound(self, x: Tensor, generator: torch.Generator) -> Tensor:
        codes = max(self.config.codes, 2)
        device = next(self.model.parameters()).device
        several = max(1, CODES_AT_ONCE // codes)
        return torch.cat(
            [
                importance_bound(log_weights(self.model, one.to(device), codes, generator))
                for one in x.split(several)
            ]
        )

    def _nats(self, x: Tensor, generator: torch.Generator | None) -> dict[str, Tensor]:
        """Of each sample; with the code's mean instead of a draw where there is no generator."""
        device = next(self.model.parameters()).device
        x = x.to(device)
        mean, log_variance = self.model.encode(x)
        z = mean
        if generator is not None and self.model.variational:
            noise = torch.randn(mean.shape, generator=generator).to(device)
            z = mean + noise * torch.exp(0.5 * log_variance)
        said = self.model.log_likelihood(x.flatten(1), self.model.decode(z))
        if not self.model.variational:
            return {"reconstruction_nats": said}
        kl = kl_to_prior(mean, log_variance)
        return {"elbo_nats": said - kl, "reconstruction_nats": said, "kl_nats": kl}

    @torch.no_grad()
    def evaluate(self, data: CodeData, part: Part) -> Evaluation:
        bounds = self.bounds(data, part)
        metrics: dict[str, float] = {}
        if self.model.variational:
            metrics["log_likelihood_nats"] = self._likelihood(data, part, bounds["elbo_nats"])
        metrics |= bounds
        codes, errors = self._codes(data, part)
        metrics["mse_scaled"] = float(errors.mean())
        if self.model.variational:
            metrics["active_codes"] = float((codes.var(axis=0) > ACTIVE).sum())
        return Evaluation(metrics=metrics)

    def _likelihood(self, data: CodeData, part: Part, elbo_nats: float) -> float:
        """The estimate of a part's mean log-likelihood, of whose samples at most
        ``estimate_samples`` are estimated.

        Likelihoods of samples differ far more than their distances from the ELBO do, and the ELBO
        is known of all of them. So the mean distance, added to the ELBO of the whole part, says more
        of the part than the mean likelihood of some would, and can stand beside rivals that were
        scored on all of it.
        """
        some = data.fixed(part, SEED, self.config.estimate_samples)
        device = next(self.model.parameters()).device
        codes = self.config.estimate_codes
        found, elbo = estimate_and_elbo(self.model, some.to(device), codes, SEED)
        if len(some) == len(data.values[part]):
            return float(found.double().mean())
        return elbo_nats + float((found - elbo).double().mean())

    def _codes(self, data: CodeData, part: Part) -> tuple[np.ndarray, np.ndarray]:
        """The mean code of each sample, and the mean square error of what is said of it."""
        device = next(self.model.parameters()).device
        codes, errors = [], []
        with torch.no_grad():
            for one in data.fixed(part, SEED).split(AT_ONCE):
                mean, _log_variance, said = self.model(one.to(device))
                codes.append(mean.double().cpu().numpy())
                errors.append(((one.flatten(1) - said.cpu()) ** 2).double().mean(1).numpy())
        return np.concatenate(codes), np.concatenate(errors)

    def baselines(self, data: CodeData, part: Part) -> dict[str, Evaluation]:
        x = data.fixed(part, SEED).flatten(1).double().numpy()
        mean, variance = np.array(self.facts["mean"]), np.array(self.facts["variance"])
        if self.facts["binary"]:
            nats = (x * np.log(mean) + (1 - x) * np.log1p(-mean)).sum(1).mean()
        else:
            nats = -0.5 * ((x - mean) ** 2 / variance + np.log(2 * np.pi * variance)).sum(1).mean()
        alone = {"mse_scaled": float(((x - mean) ** 2).mean())}
        if self.model.variational:
            alone["log_likelihood_nats"] = float(nats)
        found = {"mean": Evaluation(metrics=alone)}
        if self.facts["pca"]:
            axes = np.array(self.facts["pca"])
            said = (x - mean) @ axes.T @ axes + mean
            error = {"mse_scaled": float(((x - said) ** 2).mean())}
            found[f"PCA, {len(axes)} numbers"] = Evaluation(metrics=error)
        return found

    def predict(self, paths: Sequence[Path]) -> Predictions:
        """A row for each sample: how badly it is said again, and its code. ``anomaly_nats`` is
        −ln p(x|z) at the code's mean, plus the KL divergence of a VAE: the larger, the stranger."""
        data = self.read_new(paths)
        codes, errors = self._codes(data, "new")
        strange = []
        with torch.no_grad():
            for one in data.fixed("new", SEED).split(AT_ONCE):
                nats = self._nats(one, None)
                strange += (-nats.get("elbo_nats", nats["reconstruction_nats"])).tolist()
        names = data.names["new"]
        rows = [
            (name, float(nats), float(error), *map(float, code))
            for name, nats, error, code in zip(names, strange, errors, codes, strict=True)
        ]
        head = ("sample", "anomaly_nats", "mse_scaled")
        columns = (*head, *(f"z{n + 1}" for n in range(codes.shape[1])))
        return Predictions(columns, rows, data.notes)

    def plots(
        self, data: CodeData, part: Part
    ) -> dict[str, tuple[Callable[[Figure], None], Predictions]]:
        codes, errors = self._codes(data, part)
        centred = codes - codes.mean(axis=0)
        axes = np.linalg.svd(centred[:5000], full_matrices=False)[2][:2]
        flat = centred @ axes.T
        if flat.shape[1] < 2:
            flat = np.concatenate([flat, np.zeros_like(flat)], axis=1)
        rows = list(zip(flat[:, 0].tolist(), flat[:, 1].tolist(), errors.tolist(), strict=True))
        plane = Predictions(("axis_1", "axis_2", "mse_scaled"), rows)
        found = {"codes": (lambda figure: _scatter(figure, plane), plane)}
        if self.facts["form"] == "images":
            again = self._again(data, part)
            shape = tuple(self.facts["shape"])
            found["again"] = (lambda figure: _pairs(figure, again, shape), again)
        return found

    def _again(self, data: CodeData, part: Part, count: int = 10) -> Predictions:
        """Some samples as they are and as they are said again, a row each."""
        x = data.fixed(part, SEED, count)[:count]
        device = next(self.model.parameters()).device
        with torch.no_grad():
            said = self.model(x.to(device))[2].cpu()
        rows = [
            (kind, number, *(round(v, 4) for v in values))
            for kind, many in (("given", x.flatten(1).tolist()), ("said", said.tolist()))
            for number, values in enumerate(many)
        ]
        pixels = tuple(f"v{place}" for place in range(said.shape[1]))
        return Predictions(("kind", "sample", *pixels), rows)

    def generate(self, settings: Generation, prompt: str, output: Path | None) -> Iterator[str]:
        """Writes a picture (PNG) of images, or rows of a table (CSV)."""
        if not self.model.variational:
            raise UsageFault(
                "GENERATE-REFUSED",
                place="--model autoencoder",
                found=_("the codes of an autoencoder follow no known distribution"),
                why=_("there is nothing to draw new ones from"),
                next_step=_("train with --model vae"),
            )
        images = self.facts["form"] == "images"
        check_output(output, images)
        codes, columns, kind = new_codes(settings, self.model, self.config.latent)
        with torch.no_grad():
            said = self.model.mean_of(self.model.decode(codes)).cpu().numpy()
        if images:
            content = picture(said, tuple(self.facts["shape"]), columns)
        else:
            rows = Standardizer.from_dict(self.facts["scaler"]).undo(said.astype(np.float64))
            content = table(self.facts["columns"], rows)
        assert output is not None
        write_atomically(output, content)
        yield _("{path}: {count} of {kind}").format(path=output, count=len(said), kind=kind)


def _scatter(figure: Figure, table: Predictions) -> None:
    first, second, errors = (np.array(column) for column in zip(*table.rows, strict=True))
    axes = figure.subplots()
    points = axes.scatter(first, second, c=errors, s=6, cmap="viridis")
    axes.set_xlabel("first principal axis of the codes")
    axes.set_ylabel("second principal axis")
    figure.colorbar(points, label="mse_scaled")


def _pairs(figure: Figure, table: Predictions, shape: tuple[int, ...]) -> None:
    """Given above, said below."""
    count = len(table.rows) // 2
    every = figure.subplots(2, count, squeeze=False)
    for place, row in enumerate(table.rows):
        axes = every[place // count][place % count]
        image = np.clip(np.array(row[2:]).reshape(shape).transpose(1, 2, 0), 0, 1)
        axes.imshow(image[..., 0] if shape[0] == 1 else image, cmap="gray", vmin=0, vmax=1)
        axes.axis("off")
        axes.set_title(str(row[0]), fontsize=7)
