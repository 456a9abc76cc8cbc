"""Images as samples and batches: bytes until they are needed, then numbers of mean 0."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, Num, UInt8
from torch import Tensor

from shinso.data.labelled_images import LabelledImages
from shinso.faults import DataFault, ManyDataFaults
from shinso.language import _


class ImageBatch(NamedTuple):
    """images: standardized, channels last in memory. shares: how much of each class an image is;
    one class of 1 unless images were mixed."""

    images: Float[Tensor, "batch channel height width"]
    shares: Float[Tensor, "batch class"]

    def to(self, device: torch.device | str) -> ImageBatch:
        return ImageBatch(*(part.to(device, non_blocking=True) for part in self))


@dataclass(frozen=True)
class PixelScale:
    """Mean and deviation of each channel over the train part, of pixels from 0 to 255."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    @classmethod
    def fit(cls, pixels: UInt8[np.ndarray, "image channel height width"]) -> PixelScale:
        """A channel of one value everywhere gets deviation 1."""
        # Counts of the 256 values are exact and need no copy of the data as floats.
        values = np.arange(256.0)
        counts = [
            np.bincount(pixels[:, channel].ravel(), minlength=256)
            for channel in range(pixels.shape[1])
        ]
        means = [float((count * values).sum() / count.sum()) for count in counts]
        variances = [
            float((count * (values - mean) ** 2).sum() / count.sum())
            for count, mean in zip(counts, means, strict=True)
        ]
        return cls(tuple(means), tuple(variance**0.5 or 1.0 for variance in variances))

    def apply(
        self, pixels: Num[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch channel height width"]:
        """Standardized, channels last in memory: what CPU and GPU convolutions read fastest."""
        shape = (1, -1, 1, 1)
        mean, deviation = (torch.tensor(one).view(shape) for one in (self.mean, self.deviation))
        numbers = (pixels.float() - mean) / deviation
        return numbers.contiguous(memory_format=torch.channels_last)

    def to_dict(self) -> dict[str, list[float]]:
        return {"mean": list(self.mean), "deviation": list(self.deviation)}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> PixelScale:
        return cls(tuple(content["mean"]), tuple(content["deviation"]))


class ImageSamples:
    """Some of the images with their classes as numbers; −1 where a label is missing."""

    def __init__(
        self,
        images: LabelledImages,
        indices: Int[np.ndarray, " sample"] | None,
        scale: PixelScale,
        classes: Sequence[str],
    ) -> None:
        """Raises ManyDataFaults DATA-UNKNOWN-LABEL for labels that are not among ``classes``."""
        chosen = np.arange(len(images)) if indices is None else indices
        number = {"": -1, **{name: place for place, name in enumerate(classes)}}
        _check_known(images, chosen, number)
        self.pixels = torch.from_numpy(np.ascontiguousarray(images.pixels[chosen]))
        self.labels = np.array([number[images.labels[i]] for i in chosen], dtype=np.int64)
        self.names = [images.names[i] for i in chosen]
        self.scale, self.num_classes = scale, len(classes)

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: Int[np.ndarray, " batch"]) -> ImageBatch:
        pixels = self.pixels[torch.from_numpy(indices)]
        return ImageBatch(self.scale.apply(pixels), self.shares_of(indices))

    def shares_of(self, indices: Int[np.ndarray, " batch"]) -> Float[Tensor, "batch class"]:
        shares = torch.zeros(len(indices), self.num_classes)
        labels = torch.from_numpy(self.labels[indices])
        return shares.scatter_(1, labels.clamp(min=0)[:, None], (labels >= 0).float()[:, None])

    def batches(self, batch_size: int) -> Iterator[ImageBatch]:
        """All samples in order, as they are."""
        for begin in range(0, len(self), batch_size):
            yield self.take(np.arange(begin, min(begin + batch_size, len(self))))


def _check_known(
    images: LabelledImages, chosen: Int[np.ndarray, " sample"], known: dict[str, int]
) -> None:
    first = {images.labels[i]: images.names[i] for i in reversed(chosen)}
    faults = [
        DataFault(
            "DATA-UNKNOWN-LABEL",
            place=f"{images.path}: {name}",
            found=label,
            why=_("the train part has only the classes {classes}").format(
                classes=", ".join(filter(None, known))
            ),
            next_step=_("mend the label, or train on data that hold this class"),
        )
        for label, name in sorted(first.items())
        if label not in known
    ]
    if faults:
        raise ManyDataFaults(faults)
