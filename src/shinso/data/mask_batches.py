"""Masked images as samples, and as training batches in which mask and pixels move together.

Every number of an augmentation is drawn from (seed, epoch, index of the image, which number), as
in ``data.augmentation``: an image is changed alike whichever thread does it, and a resumed run goes
on bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn import functional as F

from shinso.data.augmentation import draws
from shinso.data.image_batches import PixelScale
from shinso.data.mask_decoding import VOID
from shinso.data.masked_images import MaskedImages


class MaskBatch(NamedTuple):
    """images: standardized, channels last in memory. masks: class numbers, ``VOID`` where no class
    counts."""

    images: Float[Tensor, "batch channel height width"]
    masks: UInt8[Tensor, "batch height width"]

    def to(self, device: torch.device | str) -> MaskBatch:
        return MaskBatch(*(part.to(device, non_blocking=True) for part in self))


class MaskSamples:
    """Some of the images with their masks; masks may be missing in new data."""

    def __init__(
        self,
        images: MaskedImages,
        indices: Sequence[int] | Int[np.ndarray, " sample"] | None,
        scale: PixelScale,
    ) -> None:
        chosen = range(len(images)) if indices is None else indices
        self.pixels = [images.pixels[i] for i in chosen]
        self.masks = [images.masks[i] for i in chosen] if images.masks else []
        self.names = [images.names[i] for i in chosen]
        self.scale = scale

    def __len__(self) -> int:
        return len(self.pixels)

    def image(self, place: int) -> Float[Tensor, "1 channel height width"]:
        """One image, standardized."""
        return self.scale.apply(torch.from_numpy(self.pixels[place])[None])


@final
@dataclass(frozen=True, kw_only=True)
class MaskAugmentation:
    """crop_px: height and width of every training sample. flip: left and right, for half of them.
    rescale: each is enlarged or reduced by up to this factor before it is cut; 1 leaves them. tone:
    strength of random brightness, contrast and colour, in deviations of the train part."""

    crop_px: tuple[int, int]
    flip: bool = False
    rescale: float = 1.0
    tone: float = 0.0


class AugmentedMasks:
    """Samples that are changed anew in every epoch, all cut to one size."""

    def __init__(self, samples: MaskSamples, how: MaskAugmentation, seed: int) -> None:
        self.samples, self.how, self.seed = samples, how, seed

    def __len__(self) -> int:
        return len(self.samples)

    def take_in(self, indices: Int[np.ndarray, " batch"], epoch: int) -> MaskBatch:
        """The batch of these images as they look in this epoch."""
        uniform = np.stack([draws(self.seed, epoch, indices, number) for number in range(9)], 1)
        cut = [self._cut(int(place), row) for place, row in zip(indices, uniform, strict=True)]
        # Standardized pixels are 0 where nothing was; so the border comes in after the scale.
        images = torch.cat([one for one, _mask in cut])
        if self.how.tone:
            images = toned(images, uniform[:, 4:], self.how.tone)
        images = images.contiguous(memory_format=torch.channels_last)
        return MaskBatch(images, torch.stack([mask for _image, mask in cut]))

    def _cut(self, place: int, uniform: np.ndarray) -> tuple[Tensor, Tensor]:
        """A window of the image and of its mask, at the size of a sample."""
        image, mask = self.samples.image(place), torch.from_numpy(self.samples.masks[place])
        height, width = self.how.crop_px
        factor = self.how.rescale ** (2 * uniform[0] - 1)
        # The window in pixels of the image that becomes the sample: smaller where it is enlarged.
        high, wide = max(1, round(height / factor)), max(1, round(width / factor))
        down = _offset(uniform[1], mask.shape[0], high)
        right = _offset(uniform[2], mask.shape[1], wide)
        image, mask = window(image, mask, down, right, high, wide)
        if (high, wide) != (height, width):
            image = F.interpolate(
                image, (height, width), mode="bilinear", align_corners=False, antialias=factor < 1
            )
            rows, columns = (
                ((torch.arange(n) + 0.5) * m / n).long() for n, m in ((height, high), (width, wide))
            )
            mask = mask[rows[:, None], columns]
        if self.how.flip and uniform[3] < 0.5:
            image, mask = image.flip(3), mask.flip(1)
        return image, mask


def _offset(uniform: float, length: int, wanted: int) -> int:
    """Where a window begins; a larger one than the image lies around it, anywhere."""
    room = length - wanted
    return int(uniform * (abs(room) + 1)) * (1 if room >= 0 else -1)


def window(
    image: Float[Tensor, "1 channel height width"],
    mask: UInt8[Tensor, "height width"],
    down: int,
    right: int,
    high: int,
    wide: int,
) -> tuple[Tensor, Tensor]:
    """Rows from ``down`` and columns from ``right`` on; beyond the image the mean colour and no
    class."""
    height, width = mask.shape
    above, left = max(0, -down), max(0, -right)
    below, beyond = max(0, down + high - height), max(0, right + wide - width)
    rows, columns = slice(max(0, down), down + high), slice(max(0, right), right + wide)
    image, mask = image[:, :, rows, columns], mask[rows, columns]
    if above or left or below or beyond:
        image = F.pad(image, (left, beyond, above, below))
        mask = F.pad(mask, (left, beyond, above, below), value=VOID)
    return image, mask


def toned(
    images: Float[Tensor, "batch channel height width"],
    uniform: Float[np.ndarray, "batch 5"],
    tone: float,
) -> Float[Tensor, "batch channel height width"]:
    """Contrast around each image's mean, brightness, and a shift of each channel by itself."""
    drawn = torch.from_numpy(2 * uniform - 1).float() * tone
    contrast = (0.7 * drawn[:, 0]).exp().view(-1, 1, 1, 1)
    shift = drawn[:, 1, None] + 0.3 * drawn[:, 2:][:, : images.shape[1]]
    mean = images.mean((1, 2, 3), keepdim=True)
    return (images - mean) * contrast + mean + shift[:, :, None, None]
