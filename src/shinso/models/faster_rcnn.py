"""Faster R-CNN (Ren et al. 2015, https://arxiv.org/abs/1506.01497) on a feature pyramid.

Place in the course: detection in two looks, beside SSD's one. A small network proposes boxes that
may hold anything; a second one looks into each of them, says what it is and moves the box again.

Differs: a top-down pyramid with one proposal network for all levels (Lin et al. 2017, section 4);
default boxes as in SSD; RoIAlign for RoIPool (He et al. 2017), from the level on which a bin is about
as wide as one position, where Lin et al. take two; one corrected box for all classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from shinso.models.feature_pyramid import Backbone, FeaturePyramid, check_levels
from shinso.models.ssd import CENTRE_SCALE, RARE, SIZE_SCALE, Detected, listed, surest
from shinso.nn.boxes import (
    boxes_from,
    clip_to_image,
    cxcywh_from_xyxy,
    non_maximum_suppression,
    xyxy_from_cxcywh,
)
from shinso.nn.conv import Convolution
from shinso.nn.default_boxes import PER_POSITION, default_boxes, level_sizes_px
from shinso.nn.roi_align import roi_align
from shinso.settings import setting

PROPOSAL_CANDIDATES, PROPOSAL_IOU = 300, 0.7
SMALLEST_PX = 1.0


class Proposed(NamedTuple):
    """What the first look says. scores: of every default box that it holds something, before the
    sigmoid. proposals: the boxes that are looked into, of each image, corners in pixels."""

    maps: list[Float[Tensor, "batch channel _ _"]]
    scores: Float[Tensor, "batch default"]
    offsets: Float[Tensor, "batch default 4"]
    proposals: list[Float[Tensor, "proposal 4"]]


class Seen(NamedTuple):
    """What the second look says of each proposal. scores: before softmax; class 0 is background."""

    scores: Float[Tensor, "proposal class_and_background"]
    offsets: Float[Tensor, "proposal 4"]


@final
class FasterRCNN(nn.Module):
    """Pyramid, proposal network, RoIAlign, box head."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings of the network; the sizes of its ends follow from the data."""

        backbone: Backbone = setting("resnet", "network that makes the feature maps")
        width: float = setting(0.5, "what the paper's channels are multiplied with")
        strides: tuple[int, ...] = setting(
            (8, 16, 32), "pixels from one position to the next, for each level"
        )
        top_down: int = setting(64, "channels of the pyramid's maps")
        proposals: int = setting(100, "boxes of an image that are looked into")
        bins: int = setting(5, "side to which what is in a box is brought")
        hidden: int = setting(128, "units of the box head's two layers")

        def __post_init__(self) -> None:
            check_levels(self.width, self.strides)
            for name in ("top_down", "proposals", "bins", "hidden"):
                if getattr(self, name) < 1:
                    raise ValueError(f"{name} is {getattr(self, name)}; give at least 1")

    def __init__(
        self,
        config: Config,
        *,
        num_channels: int,
        num_classes: int,
        size_px: tuple[int, int],
        object_px: tuple[float, float],
    ) -> None:
        """As SSD's."""
        super().__init__()
        self.config = config
        self.num_classes, self.size_px = num_classes, size_px
        self.pyramid = FeaturePyramid(
            config.backbone,
            config.strides,
            num_channels=num_channels,
            width=config.width,
            top_down=config.top_down,
        )
        sizes = level_sizes_px(*object_px, len(config.strides))
        self.defaults: Tensor
        self.register_buffer(
            "defaults", default_boxes(size_px, config.strides, sizes), persistent=False
        )
        channels = config.top_down
        self.propose = nn.Sequential(
            Convolution(channels, channels, 3, bias=True), nn.ReLU(inplace=True)
        )
        self.holds = Convolution(channels, PER_POSITION, 1, bias=True)
        self.moves = Convolution(channels, PER_POSITION * 4, 1, bias=True)
        self.head = nn.Sequential(
            nn.Linear(channels * config.bins**2, config.hidden),
            nn.ReLU(inplace=True),
            nn.Linear(config.hidden, config.hidden),
            nn.ReLU(inplace=True),
        )
        self.classes = nn.Linear(config.hidden, num_classes + 1)
        self.corrections = nn.Linear(config.hidden, 4)
        for layer in self.head:
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)
        for layer in (self.propose[0], self.holds, self.moves, self.classes, self.corrections):
            assert isinstance(layer, nn.Conv2d | nn.Linear)
            assert layer.bias is not None
            nn.init.normal_(layer.weight, 0.0, 0.01)
            nn.init.zeros_(layer.bias)
        assert self.holds.bias is not None
        nn.init.constant_(self.holds.bias, -float(torch.tensor((1 - RARE) / RARE).log()))

    def forward(self, images: Float[Tensor, "batch channel height width"]) -> Proposed:
        """The first look."""
        maps = self.pyramid(images)
        shared = [self.propose(one) for one in maps]
        scores = listed([self.holds(one) for one in shared], 1)[..., 0]
        offsets = listed([self.moves(one) for one in shared], 4)
        return Proposed(maps, scores, offsets, self._proposals(scores, offsets))

    @torch.no_grad()
    def _proposals(self, scores: Tensor, offsets: Tensor) -> list[Float[Tensor, "proposal 4"]]:
        """The likeliest boxes of each image that do not overlap much."""
        found = []
        for own, shift in zip(scores.float(), offsets.float(), strict=True):
            best = own.topk(min(PROPOSAL_CANDIDATES, len(own)))
            boxes = self._moved(shift[best.indices], self.defaults[best.indices])
            large = (boxes[:, 2:] - boxes[:, :2]).amin(1) >= SMALLEST_PX
            boxes, likely = boxes[large], best.values[large]
            kept = non_maximum_suppression(
                boxes, likely, iou_threshold=PROPOSAL_IOU, max_kept=self.config.proposals
            )
            found.append(boxes[kept])
        return found

    def _moved(
        self, offsets: Float[Tensor, "*box 4"], from_cxcywh: Float[Tensor, "*box 4"]
    ) -> Float[Tensor, "*box 4"]:
        found = boxes_from(offsets, from_cxcywh, centre_scale=CENTRE_SCALE, size_scale=SIZE_SCALE)
        return clip_to_image(xyxy_from_cxcywh(found), self.size_px[1], self.size_px[0])

    def look(
        self,
        maps: list[Float[Tensor, "batch channel _ _"]],
        boxes_xyxy_px: Float[Tensor, "proposal 4"],
        images: Int[Tensor, " proposal"],
    ) -> Seen:
        """The second look, into each box. images: to which image each belongs."""
        bins = self.config.bins
        levels = self._levels(boxes_xyxy_px)
        # In half precision each of the many sums of a bin would lose digits.
        inside = boxes_xyxy_px.new_zeros(len(boxes_xyxy_px), maps[0].shape[1], bins, bins)
        for level, (one, stride) in enumerate(zip(maps, self.config.strides, strict=True)):
            own = (levels == level).nonzero()[:, 0]
            found = roi_align(
                one.float(), boxes_xyxy_px[own], images[own], stride=stride, bins=bins
            )
            inside = inside.index_copy(0, own, found)
        hidden = self.head(inside.flatten(1))
        return Seen(self.classes(hidden), self.corrections(hidden))

    def _levels(self, boxes_xyxy_px: Float[Tensor, "proposal 4"]) -> Int[Tensor, " proposal"]:
        """The level on which a box spans as many positions as it has bins (Lin et al. 2017, eq. 1).

        Its default box lies on a coarser one, where the whole object is two positions wide: enough
        to propose it, too blurred to say what it is.
        """
        sides = boxes_xyxy_px[:, 2:] - boxes_xyxy_px[:, :2]
        size = sides.clamp(min=SMALLEST_PX).prod(1).sqrt().log()
        spanned = torch.tensor(self.config.strides, device=size.device) * self.config.bins
        return (size[:, None] - spanned.log()).abs().argmin(1)

    @torch.no_grad()
    def detect(
        self,
        images: Float[Tensor, "batch channel height width"],
        *,
        least_score: float = 0.01,
        iou_threshold: float = 0.45,
        most: int = 100,
    ) -> list[Detected]:
        """As SSD's."""
        first = self(images)
        counts = [len(one) for one in first.proposals]
        proposals = torch.cat(first.proposals)
        belongs = torch.arange(len(counts), device=proposals.device).repeat_interleave(
            torch.tensor(counts, device=proposals.device)
        )
        seen = self.look(first.maps, proposals, belongs)
        boxes = self._moved(seen.offsets.float(), cxcywh_from_xyxy(proposals))
        shares = seen.scores.float().softmax(-1)[:, 1:]
        return [
            surest(one, share, least_score=least_score, iou_threshold=iou_threshold, most=most)
            for one, share in zip(boxes.split(counts), shares.split(counts), strict=True)
        ]
