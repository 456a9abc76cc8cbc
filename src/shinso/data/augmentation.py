"""Augmentation of image batches: shift, flip, elastic bending, cut-out, tone and form, mixup.

Every number is drawn from (seed, epoch, index of the image, which number): not from a generator
that moves on. So an image is changed alike whichever thread or process does it, and a resumed run
goes on bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn import functional as F

from shinso.data.image_batches import ImageBatch, ImageSamples

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_ELASTIC = 16
"""The first number that bending draws; it takes two for each of its points."""
POINTS = 5
"""Points a side that bending moves: on 28 pixels they lie about 7 apart, where Simard et al. (2003)
blur a field of noise over σ = 4 pixels."""


def draws(
    seed: int, epoch: int, indices: Int[np.ndarray, " image"], purpose: int
) -> Float[np.ndarray, " image"]:
    """A number from 0 to below 1 for each image: SplitMix64 (Steele et al. 2014) of the key."""
    with np.errstate(over="ignore"):
        key = _mixed(np.uint64(seed) * _GOLDEN + np.uint64(epoch))
        key = _mixed(key * _GOLDEN + np.uint64(purpose))
        values = _mixed(indices.astype(np.uint64) * _GOLDEN + key)
    return np.asarray(values >> np.uint64(11), dtype=np.float64) / 2.0**53


def _mixed(z: np.ndarray | np.uint64) -> np.ndarray | np.uint64:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@final
@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How much images are changed; 0 or False leaves them.

    shift_px: up to so many pixels in each direction, the border repeated as zeros. flip: left and
    right, for half of them. cutout_px: side of a square of the mean colour (DeVries & Taylor 2017).
    mixup: α of the Beta distribution of shares (Zhang et al. 2018). strength: of the randomly
    chosen changes of tone and form, 0 to 10 (after RandAugment, Cubuk et al. 2020). elastic_px: how
    far each point of a coarse grid is moved at most, the image following smoothly.
    """

    shift_px: int = 0
    flip: bool = False
    cutout_px: int = 0
    mixup: float = 0.0
    strength: float = 0.0
    elastic_px: float = 0.0


class AugmentedSamples:
    """Samples that are changed anew in every epoch. ``take_in`` needs to know the epoch."""

    def __init__(self, samples: ImageSamples, augmentation: Augmentation, seed: int) -> None:
        self.samples, self.augmentation, self.seed = samples, augmentation, seed

    def __len__(self) -> int:
        return len(self.samples)

    def take_in(self, indices: Int[np.ndarray, " batch"], epoch: int) -> ImageBatch:
        """The batch of these images as they look in this epoch."""
        how = self.augmentation

        def draw(purpose: int) -> np.ndarray:
            return draws(self.seed, epoch, indices, purpose)

        pixels = self.samples.pixels[torch.from_numpy(indices)]
        if how.flip or how.shift_px:
            left = draw(0) < 0.5 if how.flip else np.zeros(len(indices), dtype=bool)
            pixels = moved(pixels, _offsets(draw(1), how), _offsets(draw(2), how), left)
        images = self.samples.scale.apply(pixels)
        if how.elastic_px:
            moves = np.stack([draw(_ELASTIC + one) for one in range(2 * POINTS**2)], axis=1)
            moves = moves.reshape(-1, 2, POINTS, POINTS)
            images = bent(images, (2 * moves - 1) * how.elastic_px)
        if how.strength:
            images = changed(images, np.stack([draw(3), draw(4), draw(5)]), how.strength)
        if how.cutout_px:
            images = cut_out(images, draw(6), draw(7), how.cutout_px)
        shares = self.samples.shares_of(indices)
        if how.mixup:
            images, shares = mixed(images, shares, draw(8), how.mixup)
        return ImageBatch(images, shares)


def _offsets(uniform: np.ndarray, how: Augmentation) -> np.ndarray:
    return (uniform * (2 * how.shift_px + 1)).astype(np.int64) - how.shift_px


def moved(
    pixels: UInt8[Tensor, "batch channel height width"],
    down: Int[np.ndarray, " batch"],
    right: Int[np.ndarray, " batch"],
    mirrored: np.ndarray,
) -> UInt8[Tensor, "batch channel height width"]:
    """Each image shifted by its own whole number of pixels, zeros coming in; some mirrored."""
    height, width = pixels.shape[2:]
    margin = int(max(np.abs(down).max(), np.abs(right).max()))
    padded = F.pad(pixels, (margin, margin, margin, margin))
    rows = torch.from_numpy(np.arange(height) + margin - down[:, None])
    across = np.arange(width) + margin - right[:, None]
    columns = torch.from_numpy(np.where(mirrored[:, None], across[:, ::-1], across))
    images = torch.arange(len(pixels))
    # (batch, height, width, channel) → channels first again
    taken = padded.permute(0, 2, 3, 1)[images[:, None, None], rows[:, :, None], columns[:, None]]
    return taken.permute(0, 3, 1, 2)


def bent(
    images: Float[Tensor, "batch channel height width"],
    moves_px: Float[np.ndarray, "batch 2 point point"],
) -> Float[Tensor, "batch channel height width"]:
    """Elastic distortion (Simard et al. 2003, section 2): each pixel is read from where a smooth
    field says, (right, down) pixels away; the field is bicubic between the points."""
    height, width = images.shape[2:]
    field = F.interpolate(
        torch.from_numpy(moves_px).float(), size=(height, width), mode="bicubic", align_corners=True
    )
    # grid_sample's units: a side of the image is 2 long.
    field = field.permute(0, 2, 3, 1) * torch.tensor([2 / width, 2 / height])
    still = F.affine_grid(torch.eye(2, 3)[None], [1, 1, height, width], align_corners=False)
    return F.grid_sample(images, still + field, align_corners=False, padding_mode="border")


def changed(
    images: Float[Tensor, "batch channel height width"],
    uniform: Float[np.ndarray, "3 batch"],
    strength: float,
) -> Float[Tensor, "batch channel height width"]:
    """One change each, drawn by the first number: brightness, contrast, rotation, shear, scale, or
    none; the second is its amount, from −strength to strength of 10."""
    kind = (uniform[0] * 6).astype(int)
    amount = torch.from_numpy((2 * uniform[1] - 1) * strength / 10).float()
    zero = torch.zeros_like(amount)

    def of(number: int) -> Tensor:
        return torch.where(torch.from_numpy(kind == number), amount, zero)

    brightness, contrast = of(0).view(-1, 1, 1, 1), 1 + 0.9 * of(1).view(-1, 1, 1, 1)
    angle, shear, scale = of(2) * 0.52, of(3) * 0.3, 1 + 0.3 * of(4)  # 0.52 rad: 30 degrees
    theta = torch.stack(
        [
            torch.stack([angle.cos() * scale, -angle.sin() * scale + shear, zero], 1),
            torch.stack([angle.sin() * scale, angle.cos() * scale, zero], 1),
        ],
        1,
    )
    toned = images.mean((1, 2, 3), keepdim=True) * (1 - contrast) + images * contrast + brightness
    formed = torch.from_numpy(np.isin(kind, (2, 3, 4)))
    if formed.any():
        some = toned[formed]
        grid = F.affine_grid(theta[formed], list(some.shape), align_corners=False)
        toned[formed] = F.grid_sample(some, grid, align_corners=False, padding_mode="border")
    return toned


def cut_out(
    images: Float[Tensor, "batch channel height width"],
    down: Float[np.ndarray, " batch"],
    right: Float[np.ndarray, " batch"],
    side_px: int,
) -> Float[Tensor, "batch channel height width"]:
    """A square around a random pixel becomes 0, the mean; at the border less of it."""
    height, width = images.shape[2:]
    half = side_px / 2

    def near(centre: np.ndarray, length: int) -> Tensor:
        middle = torch.from_numpy(centre * length).floor()[:, None]
        return ((torch.arange(length) - middle).abs() < half).float()

    hole = near(down, height)[:, :, None] * near(right, width)[:, None, :]
    return images * (1 - hole)[:, None]


def mixed(
    images: Float[Tensor, "batch channel height width"],
    shares: Float[Tensor, "batch class"],
    uniform: Float[np.ndarray, " batch"],
    alpha: float,
) -> tuple[Float[Tensor, "batch channel height width"], Float[Tensor, "batch class"]]:
    """Each image with its neighbour in the batch, λ ~ Beta(α, α) by inverting its distribution."""
    from scipy.special import betaincinv

    share = torch.from_numpy(betaincinv(alpha, alpha, uniform)).float()
    wide = share.view(-1, 1, 1, 1)
    one = share.view(-1, 1)
    return (
        images * wide + images.roll(1, 0) * (1 - wide),
        shares * one + shares.roll(1, 0) * (1 - one),
    )
