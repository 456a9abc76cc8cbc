"""Training batches of sound: random crops with what a network has to hear before them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from shinso.data.same_run import check_same_run

Piece = tuple[int, int, int, int]
"""Of a clip: its number, the first sample that is heard, the first that is counted, the end."""


class SoundBatch(NamedTuple):
    """classes: µ-law. values: from −1 to 1. counted: which samples a loss is about; the others
    are padding, or only heard. labels: None where there are none."""

    classes: Int[Tensor, "batch time"]
    values: Float[Tensor, "batch time"]
    counted: Bool[Tensor, "batch time"]
    labels: Int[Tensor, " batch"] | None

    def to(self, device: torch.device | str) -> SoundBatch:
        return SoundBatch(*(None if part is None else part.to(device) for part in self))  # type: ignore[arg-type]


class SoundClips:
    """Clips as µ-law classes and 16-bit values, with labels as numbers or none."""

    def __init__(
        self,
        classes: Sequence[np.ndarray],
        values: Sequence[np.ndarray],
        labels: Sequence[int] | None,
    ) -> None:
        self.classes, self.values = list(classes), list(values)
        self.labels = None if labels is None else np.asarray(labels, dtype=np.int64)
        self.lengths = np.array([len(one) for one in self.classes], dtype=np.int64)

    def __len__(self) -> int:
        return len(self.classes)

    def batch(self, parts: Sequence[Piece]) -> SoundBatch:
        """parts: one for each row."""
        longest = max(end - begin for _clip, begin, _counted, end in parts)
        classes = np.full((len(parts), longest), 128, dtype=np.int64)
        values = np.zeros((len(parts), longest), dtype=np.float32)
        counted = np.zeros((len(parts), longest), dtype=bool)
        for row, (clip, begin, first, end) in enumerate(parts):
            classes[row, : end - begin] = self.classes[clip][begin:end]
            values[row, : end - begin] = self.values[clip][begin:end] / np.float32(32768)
            counted[row, first - begin : end - begin] = True
        labels = None
        if self.labels is not None:
            labels = torch.from_numpy(self.labels[[clip for clip, *_rest in parts]])
        return SoundBatch(
            torch.from_numpy(classes), torch.from_numpy(values), torch.from_numpy(counted), labels
        )

    def pieces(self, longest: int, context: int) -> list[Piece]:
        """All samples, each counted once: whole clips, and those of more than ``longest`` samples in
        pieces, before which ``context`` samples are heard, so that memory does not grow with a clip.
        """
        return [
            (clip, max(first - context, 0), first, min(first + longest, length))
            for clip, length in enumerate(self.lengths.tolist())
            for first in range(0, length, longest)
        ]

    def batches(
        self, pieces: Sequence[Piece], most: int
    ) -> Iterator[tuple[Int[np.ndarray, " row"], SoundBatch]]:
        """The clip of each row, and the rows: pieces of like length together, about ``most`` samples
        at a time."""
        lengths = np.array([end - begin for _clip, begin, _first, end in pieces])
        waiting: list[Piece] = []
        for place in np.argsort(lengths, kind="stable").tolist():
            if waiting and (len(waiting) + 1) * lengths[place] > most:
                yield np.array([clip for clip, *_rest in waiting]), self.batch(waiting)
                waiting = []
            waiting.append(pieces[place])
        if waiting:
            yield np.array([clip for clip, *_rest in waiting]), self.batch(waiting)


class SoundCrops:
    """Crops of clips of like length. Batch n comes from its own generator, seeded with (seed, n),
    so n alone is the state.

    A clip is drawn as often as it holds crops; a crop begins anywhere in it, and ``context``
    samples before it, as far as the clip has them, are heard and not counted.
    """

    def __init__(
        self,
        clips: SoundClips,
        *,
        batch_size: int,
        crop: int,
        context: int,
        seed: int,
        only: Sequence[int] | None = None,
    ) -> None:
        """only: the clips to use, all by default. Raises ValueError where there is no clip."""
        chosen = np.arange(len(clips)) if only is None else np.asarray(only)
        if not chosen.size:
            raise ValueError("there are no clips; give at least one")
        self.clips, self.batch_size, self.crop, self.context = clips, batch_size, crop, context
        self.seed, self.step = seed, 0
        self._order = chosen[np.argsort(clips.lengths[chosen], kind="stable")]
        weights = np.maximum(1.0, clips.lengths[self._order] / crop)
        self._cumulated = np.cumsum(weights) / weights.sum()

    def next_batch(self) -> SoundBatch:
        rng = np.random.default_rng([self.seed, self.step])
        self.step += 1
        # One place among the clips by length, then clips from around it: little is padding.
        around = rng.random() + rng.uniform(-0.05, 0.05, self.batch_size)
        around = np.abs(around)  # beyond either end, it comes back
        around = np.where(around > 1, 2 - around, around)
        found = np.searchsorted(self._cumulated, around).clip(max=len(self._order) - 1)
        return self.clips.batch([self._crop(int(clip), rng) for clip in self._order[found]])

    def _crop(self, clip: int, rng: np.random.Generator) -> Piece:
        length = int(self.clips.lengths[clip])
        first = int(rng.integers(0, max(length - self.crop, 0) + 1))
        return clip, max(first - self.context, 0), first, min(first + self.crop, length)

    def fixed_subset(self, num_clips: int) -> SoundCrops:
        """A source of ``num_clips`` clips of this seed, the same however far this one is.

        Raises ValueError where num_clips is below 1.
        """
        if num_clips < 1:
            raise ValueError(f"num_samples is {num_clips}; give 1 or more")
        some = np.random.default_rng(self.seed).permutation(np.sort(self._order))[:num_clips]
        return SoundCrops(
            self.clips, batch_size=self.batch_size, crop=self.crop, context=self.context,
            seed=self.seed, only=some.tolist(),
        )  # fmt: skip

    def state_dict(self) -> dict[str, Any]:
        return {"step": self.step, "seed": self.seed, "clips": len(self._order)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """RunFault RUN-OTHER-DATA where the state is another seed's or other data's."""
        check_same_run(state, clips=len(self._order), seed=self.seed)
        self.step = state["step"]
