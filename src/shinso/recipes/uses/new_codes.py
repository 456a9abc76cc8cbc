"""Codes drawn, gone through or laid out in a plane, and what is said of them as a file."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from shinso.faults import UsageFault
from shinso.language import _

if TYPE_CHECKING:
    from shinso.recipes.autoencode import Generation

STEPS = 8  # of an interpolation
PLANE = 15  # points along each axis of the latent plane
FAR = 1.5  # deviations from 0 at which a number of the code is asked what it changes


def check_output(output: Path | None, images: bool) -> None:
    """Raises UsageFault GENERATE-NO-FILE where no file is named, or one of another kind than what is
    written: PNG of images, CSV of a table."""
    ending = ".png" if images else ".csv"
    if output is not None and output.suffix.lower() == ending:
        return
    raise UsageFault(
        "GENERATE-NO-FILE",
        place="-o" if output is None else str(output),
        found=_("no file is named")
        if output is None
        else _("its name does not end in {ending}").format(ending=ending),
        why=_("pictures and tables are written to files"),
        next_step=_("name one: -o out.png, or -o out.csv for a table"),
    )


def new_codes(
    settings: Generation, model: Any, latent: int
) -> tuple[Float[Tensor, "code latent"], int, str]:
    """Codes, how many stand in a row of a picture, and what they are, in words."""
    generator = torch.Generator().manual_seed(settings.seed)
    device = next(model.parameters()).device
    if settings.show == "samples":
        codes = torch.randn(settings.count, latent, generator=generator)
        return codes.to(device), math.ceil(math.sqrt(settings.count)), settings.show
    if settings.show == "interpolation":
        ends = torch.randn(2, settings.count, 1, latent, generator=generator)
        along = torch.linspace(0, 1, STEPS)[:, None]
        codes = (ends[0] * (1 - along) + ends[1] * along).flatten(0, 1)
        return codes.to(device), STEPS, settings.show
    across, up = telling_numbers(model, latent)
    # Points that cut N(0, 1) into equal shares, of two numbers; the others are 0.
    shares = (torch.arange(PLANE) + 0.5) / PLANE
    points = torch.distributions.Normal(0.0, 1.0).icdf(shares)
    codes = torch.zeros(PLANE, PLANE, latent)
    codes[..., across] = points
    if up != across:
        codes[..., up] = points.flip(0)[:, None]
    kind = f"{settings.show} z{across + 1}, z{up + 1}"
    return codes.flatten(0, 1).to(device), PLANE, kind


@torch.no_grad()
def telling_numbers(model: Any, latent: int) -> tuple[int, int]:
    """The two numbers of the code that change most of what is said, in ascending order; twice the
    same where there is one. A VAE leaves numbers unused, and a plane of such would show one image
    over and over."""
    device = next(model.parameters()).device
    away = FAR * torch.eye(latent, device=device)
    there, back = (model.mean_of(model.decode(sign * away)) for sign in (1, -1))
    change = ((there - back) ** 2).sum(-1)
    found = sorted(torch.topk(change, min(2, latent)).indices.tolist())
    return found[0], found[-1]


def picture(said: np.ndarray, shape: tuple[int, ...], columns: int) -> bytes:
    """All images side by side, a pixel apart, as PNG."""
    from PIL import Image

    channels, height, width = shape
    rows = -(-len(said) // columns)
    sheet = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1, channels), 255, np.uint8)
    pixels = np.clip(np.round(said.reshape(-1, *shape) * 255), 0, 255).astype(np.uint8)
    for place, image in enumerate(pixels):
        top, left = place // columns * (height + 1), place % columns * (width + 1)
        sheet[top : top + height, left : left + width] = image.transpose(1, 2, 0)
    file = io.BytesIO()
    Image.fromarray(sheet[..., 0] if channels == 1 else sheet).save(file, "PNG")
    return file.getvalue()


def table(columns: Sequence[str], rows: np.ndarray) -> bytes:
    """Rows under their columns, as CSV."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows.tolist())
    return file.getvalue().encode()
