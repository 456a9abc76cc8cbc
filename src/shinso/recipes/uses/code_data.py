"""Images or tables as samples without labels, for ``autoencode``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np
import torch
from torch import Tensor

from shinso.data.archives import is_archive
from shinso.data.idx_files import is_idx
from shinso.data.image_decoding import ENDINGS, Target
from shinso.data.labelled_images import read_images
from shinso.data.scaling import Standardizer
from shinso.data.splits import PARTS, SplitPart
from shinso.data.stratified import duplicates_across, parse_shares, random_split
from shinso.data.tables import as_numbers, is_numeric, numbers_of, read_table
from shinso.data.unlabelled import GreyImages, Rows, drawn
from shinso.faults import DataFault, UsageFault
from shinso.language import _
from shinso.recipes.recipe import Part
from shinso.recipes.uses.files import only_one

if TYPE_CHECKING:
    from shinso.recipes.autoencode import Config

SMALLEST_PX = 4  # of a side that convolutions of stride 2 halve twice
LARGEST_PCA = 400_000  # numbers of its components that data.json takes


@dataclass(frozen=True)
class Found:
    """values: bytes of images, or a table's numbers. columns: of a table; empty for images."""

    values: np.ndarray
    names: tuple[str, ...]
    columns: tuple[str, ...]
    about: Mapping[str, Any]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class CodeData:
    """Samples of each part: bytes where pixels are drawn, else numbers."""

    values: Mapping[Part, np.ndarray]
    names: Mapping[Part, Sequence[str]]
    notes: tuple[str, ...]
    extra: Mapping[str, Any] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        return {**self.extra, "notes": list(self.notes)}

    def samples(self, part: Part) -> Any:
        """As training takes them."""
        values = self.values[part]
        return GreyImages(values) if self.extra["binary"] else Rows(values)

    def fixed(self, part: Part, seed: int, most: int = 0) -> Tensor:
        """As scores need them: pixels drawn once, the same for every model; of new images by what
        each of them is. most: of evenly chosen samples; 0 for all."""
        values = self.values[part]
        if most and len(values) > most:
            values = values[np.linspace(0, len(values) - 1, most).astype(int)]
        if not self.extra["binary"]:
            return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
        chances = GreyImages(values).chances
        if part == "new":
            # What is said of an image must not depend on which others came with it.
            each = [np.random.default_rng([seed, crc32(one.tobytes())]) for one in values]
            return torch.stack([drawn(one, rng) for one, rng in zip(chances, each, strict=True)])
        return drawn(chances, np.random.default_rng([seed, len(part), len(values)]))


def read_parts(config: Config, paths: Sequence[Path]) -> CodeData:
    """Read and split; scaler, mean and PCA from the train part."""
    form = form_of(config, paths)
    found = _read(config, paths, form)
    given: dict[SplitPart, Found] = {
        part: _read(config, getattr(config, part), form, like=found)
        for part in PARTS[1:]
        if getattr(config, part)
    }
    rows = _split(config, found, tuple(given), paths[0])
    values: dict[Part, np.ndarray] = {
        part: given[part].values if part in given else found.values[rows[part]] for part in PARTS
    }
    names: dict[Part, Sequence[str]] = {
        part: given[part].names if part in given else [found.names[i] for i in rows[part]]
        for part in PARTS
    }
    notes = [*found.notes, *(note for one in given.values() for note in one.notes)]
    notes += _twice(values)
    extra: dict[str, Any] = {**found.about, "form": form, "columns": list(found.columns)}
    if form == "table":
        scaler, kept, more = _scaled(found.columns, values["train"], paths[0])
        first = dict(zip(found.columns, values["train"][0].tolist(), strict=True))
        constant = {name: first[name] for name in found.columns if name not in scaler.channels}
        extra |= {
            "columns": list(scaler.channels),
            "constant": constant,
            "scaler": scaler.to_dict(),
        }
        values = {part: scaler.apply(one[:, kept]) for part, one in values.items()}
        notes += more
    binary = form == "images" and (
        config.pixels == "binary" or (config.pixels == "auto" and found.values.shape[1] == 1)
    )
    if form == "images" and not binary:
        values = {part: one / np.float32(255) for part, one in values.items()}
    extra |= {
        "binary": binary,
        "shape": list(values["train"].shape[1:]),
        "part_samples": {part: len(one) for part, one in values.items()},
        "split": f"{config.split} seed {config.split_seed}",
        **_moments(values["train"], binary),
    }
    extra["pca"] = _pca(values["train"], binary, config.latent)
    return CodeData(values, names, tuple(notes), extra)


def check_shape(model: str, shape: Sequence[int]) -> None:
    """UsageFault SETTING-REFUSED where a convolutional network is asked for and a sample of this
    shape is no image of at least 4 × 4 pixels."""
    if len(shape) == 3 and min(shape[1:]) >= SMALLEST_PX:
        return
    raise UsageFault(
        "SETTING-REFUSED",
        place=f"--model {model}",
        found=_("images of {size} pixels").format(size=f"{shape[1]} × {shape[2]}")
        if len(shape) == 3
        else _("a table of {count} columns").format(count=shape[0]),
        why=_("this network reads images of at least 4 × 4 pixels"),
        next_step=_("give --model {model}").format(model=model.removeprefix("conv-")),
    )


def form_of(config: Config, paths: Sequence[Path]) -> str:
    """images or table, by the settings or by what the first file is."""
    if config.form != "auto":
        return config.form
    first = paths[0]
    if not first.exists() or first.is_dir() or is_archive(first):
        return "images"
    return "images" if first.suffix.lower() in ENDINGS or is_idx(first) else "table"


def _read(config: Config, paths: Sequence[Path], form: str, like: Found | None = None) -> Found:
    if form == "table":
        columns = like.columns if like else config.columns
        return read_rows(only_one(paths, "autoencode"), columns)
    return read_pictures(paths, config.image_px, like.values.shape[1:] if like else None)


def read_pictures(paths: Sequence[Path], px: int, shape: Sequence[int] | None = None) -> Found:
    """Images as bytes; shape: channels, height and width to which they are brought."""
    like = Target(*map(int, shape)) if shape else None
    images = read_images(paths, px=px, like=like, needs_label=False)
    about = images.facts()
    return Found(images.pixels, images.names, (), about, images.notes)


def read_rows(
    path: Path, columns: Sequence[str], constant: Mapping[str, float] | None = None
) -> Found:
    """The columns of numbers; every cell that is none is a fault. constant: columns that were left
    out because they held this value alone; where they hold another now, that is noted."""
    table = read_table(path)
    for name in columns:
        if name not in table.columns:
            table.findings.missing_column(name, table.columns, role="--columns")
    table.findings.stop()
    chosen = list(columns) or [name for name in table.columns if is_numeric(table.frame[name])]
    left_out = [name for name in table.columns if name not in chosen]
    if not chosen:
        table.findings.fault(
            "DATA-EMPTY",
            found=_("no column of numbers"),
            why=_("there is nothing to learn from"),
            next_step=_("name some with --columns, or give images"),
        )
    elif left_out and not columns:
        table.findings.note(
            _("columns that are not numbers are left out: {columns}").format(
                columns=", ".join(left_out[:10])
            )
        )
    numbers = numbers_of(table, chosen, can_drop=False) if chosen else None
    table.findings.stop()
    assert numbers is not None
    for name, value in (constant or {}).items():
        others = (as_numbers(table.frame[name]) != value).sum() if name in table.columns else 0
        if others:  # an empty cell, and one of text, is another value too
            table.findings.note(
                _(
                    "column {column} was {value} in every row of the train part and is not scored; "
                    "{count:,} rows hold something else"
                ).format(column=name, value=value, count=int(others))
            )
    about = {"file": path.name, "sha256": table.sha256, "samples": table.num_rows}
    names = tuple(table.findings.place(int(line)) for line in table.lines)
    return Found(numbers.values, names, tuple(chosen), about, tuple(table.findings.notes))


def _split(
    config: Config, found: Found, given: Sequence[SplitPart], path: Path
) -> dict[SplitPart, np.ndarray]:
    everything = np.arange(len(found.values))
    missing: list[SplitPart] = [part for part in PARTS[1:] if part not in given]
    if not missing:
        return {"train": everything}
    split = random_split(len(everything), parse_shares(config.split), config.split_seed, path=path)
    taken = np.concatenate([split[part] for part in missing])
    return {"train": np.delete(everything, taken), **{part: split[part] for part in missing}}


def _twice(values: Mapping[Part, np.ndarray]) -> list[str]:
    """Notes on samples of valid and test that stand in the train part too."""
    contents = [blake2b(one.tobytes()).digest() for part in PARTS for one in values[part]]
    ends = np.cumsum([len(values[part]) for part in PARTS])
    places: dict[SplitPart, np.ndarray] = {
        part: np.arange(end - len(values[part]), end) for part, end in zip(PARTS, ends, strict=True)
    }
    return duplicates_across(contents, places)


def _scaled(
    columns: Sequence[str], train: np.ndarray, path: Path
) -> tuple[Standardizer, np.ndarray, list[str]]:
    """The scaler of the columns that are not constant; a constant one says nothing of a row, and
    its likelihood would have no bound."""
    constant = np.ptp(train, axis=0) == 0
    if constant.all():
        raise DataFault(
            "DATA-CONSTANT",
            place=str(path),
            found=_("every column is constant in the train part"),
            why=_("there is nothing to learn from"),
            next_step=_("name other columns with --columns"),
        )
    kept = np.flatnonzero(~constant)
    names = [columns[place] for place in kept.tolist()]
    scaler = Standardizer.fit(names, [train[:, kept]])
    notes = [
        _("DATA-CONSTANT: column {column} is constant in the train part and left out").format(
            column=columns[place]
        )
        for place in np.flatnonzero(constant).tolist()
    ]
    return scaler, kept, notes


def _moments(train: np.ndarray, binary: bool) -> dict[str, list[float]]:
    flat = train.reshape(len(train), -1)
    if binary:
        chance = (flat.sum(axis=0, dtype=np.float64) / 255 + 0.5) / (len(flat) + 1)
        return {"mean": chance.tolist(), "variance": (chance * (1 - chance)).tolist()}
    variance = flat.var(axis=0, dtype=np.float64)
    return {
        "mean": flat.mean(axis=0, dtype=np.float64).tolist(),
        "variance": np.maximum(variance, np.exp(-12)).tolist(),
    }


def _pca(train: np.ndarray, binary: bool, width: int) -> list[list[float]] | None:
    """Components of at most 10,000 samples; None where they are too many numbers, or more than the
    samples have."""
    from sklearn.decomposition import PCA

    some = train[:: max(1, len(train) // 10_000)].reshape(-1, int(np.prod(train.shape[1:])))
    some = some / np.float64(255) if binary else some.astype(np.float64)
    width = min(width, *some.shape)
    if width * some.shape[1] > LARGEST_PCA:
        return None
    solver = "full" if some.shape[1] <= 1000 else "randomized"
    fitted = PCA(width, svd_solver=solver, random_state=0).fit(some)
    return np.round(np.asarray(fitted.components_), 6).tolist()
