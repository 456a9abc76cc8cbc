"""SSD: Single Shot MultiBox Detector (Liu et al. 2016, https://arxiv.org/abs/1512.02325).

Place in the course: detection in one look. Every position of several feature maps says, for each of
its default boxes, which class is there (or none) and how the box must move to fit.

Differs: backbones of the course with batch normalization; sizes of default boxes follow from the
boxes of the train part; four boxes at every position; a top-down way through the maps on demand.
MobileNets predict with separable convolutions (SSDLite, Sandler et al. 2018, section 6.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple, final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from shinso.models.feature_pyramid import Backbone, FeaturePyramid, check_levels
from shinso.models.image_parts import initialize
from shinso.nn.boxes import boxes_from, clip_to_image, non_maximum_suppression, xyxy_from_cxcywh
from shinso.nn.conv import Convolution, DepthwiseSeparable
from shinso.nn.default_boxes import PER_POSITION, default_boxes, level_sizes_px
from shinso.settings import setting

CENTRE_SCALE, SIZE_SCALE = 0.1, 0.2
RARE = 0.01
"""How likely an object is at a default box, to begin with (Lin et al. 2017, section 3.3)."""
MOST_CANDIDATES = 400


class Detected(NamedTuple):
    """Answers on one image, the surest first."""

    boxes_xyxy_px: Float[Tensor, "answer 4"]
    scores: Float[Tensor, " answer"]
    classes: Int[Tensor, " answer"]


class Raw(NamedTuple):
    """What the network says of every default box. scores: before softmax; class 0 is background."""

    scores: Float[Tensor, "batch default class_and_background"]
    offsets: Float[Tensor, "batch default 4"]


class Located(NamedTuple):
    """What an exported file says of every default box, before suppression. probabilities: class 0
    is background."""

    probabilities: Float[Tensor, "batch default class_and_background"]
    boxes_xyxy_px: Float[Tensor, "batch default 4"]


@final
class SSD(nn.Module):
    """A feature pyramid and, on each of its maps, one convolution for classes and one for boxes."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings of the network; the sizes of its ends follow from the data."""

        backbone: Backbone = setting("resnet", "network that makes the feature maps")
        width: float = setting(0.5, "what the paper's channels are multiplied with")
        strides: tuple[int, ...] = setting(
            (8, 16, 32, 64), "pixels from one position to the next, for each level"
        )
        top_down: int = setting(
            0, "channels of a top-down way that lends fine levels what coarse ones know; 0: none"
        )

        def __post_init__(self) -> None:
            check_levels(self.width, self.strides)
            if self.top_down < 0:
                raise ValueError(f"top_down is {self.top_down}; give 0 or more channels")

    places_by: ClassVar[tuple[str, ...]] = ("strides",)
    """Settings by which it has its default boxes; a student takes them from its teacher."""

    def __init__(
        self,
        config: Config,
        *,
        num_channels: int,
        num_classes: int,
        size_px: tuple[int, int],
        object_px: tuple[float, float],
    ) -> None:
        """num_classes: without the background. size_px: height and width of the images. object_px:
        the least and the largest √(width · height) of the objects to be found."""
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
        light = config.backbone.startswith("mobilenet")
        self.class_heads = nn.ModuleList(
            _head(channels, PER_POSITION * (num_classes + 1), light=light)
            for channels in self.pyramid.channels
        )
        self.box_heads = nn.ModuleList(
            _head(channels, PER_POSITION * 4, light=light) for channels in self.pyramid.channels
        )
        for head in self.class_heads:
            begin_rare(last_convolution(head), num_classes)

    def forward(self, images: Float[Tensor, "batch channel height width"]) -> Raw:
        """Raises ValueError for images of another size than the default boxes are for."""
        if tuple(images.shape[-2:]) != tuple(self.size_px):
            raise ValueError(
                f"images are {tuple(images.shape[-2:])}; the default boxes are for {self.size_px} px"
            )
        maps = self.pyramid(images)
        scores = [head(one) for head, one in zip(self.class_heads, maps, strict=True)]
        offsets = [head(one) for head, one in zip(self.box_heads, maps, strict=True)]
        return Raw(listed(scores, self.num_classes + 1), listed(offsets, 4))

    def boxes(self, offsets: Float[Tensor, "batch default 4"]) -> Float[Tensor, "batch default 4"]:
        """Corners in pixels."""
        found = boxes_from(
            offsets,
            self.defaults.expand(offsets.shape[0], -1, -1),
            centre_scale=CENTRE_SCALE,
            size_scale=SIZE_SCALE,
        )
        return clip_to_image(xyxy_from_cxcywh(found), self.size_px[1], self.size_px[0])

    def in_full(self, answer: Raw) -> Located:
        """Probabilities, and boxes that were moved from their defaults (``AnswersInFull``)."""
        return Located(answer.scores.float().softmax(-1), self.boxes(answer.offsets.float()))

    @torch.no_grad()
    def detect(
        self,
        images: Float[Tensor, "batch channel height width"],
        *,
        least_score: float = 0.01,
        iou_threshold: float = 0.45,
        most: int = 100,
    ) -> list[Detected]:
        """The boxes that remain of each image after suppression, class by class.

        iou_threshold: 1 or more suppresses nothing.
        """
        found = self.in_full(self(images))
        return [
            surest(boxes, shares, least_score=least_score, iou_threshold=iou_threshold, most=most)
            for boxes, shares in zip(found.boxes_xyxy_px, found.probabilities[..., 1:], strict=True)
        ]


def surest(
    boxes: Float[Tensor, "box 4"],
    scores: Float[Tensor, "box class"],
    *,
    least_score: float,
    iou_threshold: float,
    most: int,
) -> Detected:
    """Each box with each class it may be, suppressed within the class; the ``most`` surest."""
    places = (scores > least_score).nonzero()
    candidates = scores[places[:, 0], places[:, 1]]
    if len(candidates) > MOST_CANDIDATES:
        chosen = candidates.topk(MOST_CANDIDATES).indices
        places, candidates = places[chosen], candidates[chosen]
    found = boxes[places[:, 0]]
    kept = non_maximum_suppression(
        found, candidates, places[:, 1], iou_threshold=iou_threshold, max_kept=most
    )
    return Detected(found[kept], candidates[kept], places[kept, 1])


def _head(channels: int, out: int, *, light: bool) -> nn.Module:
    if not light:
        head: nn.Module = Convolution(channels, out, 3, bias=True)
    else:
        head = nn.Sequential(
            DepthwiseSeparable(channels, channels, act=nn.ReLU6),
            Convolution(channels, out, 1, bias=True),
        )
        initialize(head)
    last = last_convolution(head)
    nn.init.normal_(last.weight, 0.0, 0.01)
    assert last.bias is not None
    nn.init.zeros_(last.bias)
    return head


def last_convolution(head: nn.Module) -> nn.Conv2d:
    return [one for one in head.modules() if isinstance(one, nn.Conv2d)][-1]


@torch.no_grad()
def begin_rare(layer: nn.Conv2d | nn.Linear, num_classes: int) -> None:
    """Bias so that softmax begins with RARE for all classes together: the flood of background would
    otherwise fill the first steps' loss."""
    assert layer.bias is not None
    layer.bias.view(-1, num_classes + 1)[:, 0] = torch.tensor(num_classes * (1 - RARE) / RARE).log()


def listed(maps: list[Tensor], size: int) -> Float[Tensor, "batch default size"]:
    """The answers of all levels one after another, in the order of the default boxes."""
    rows = [one.permute(0, 2, 3, 1).reshape(one.shape[0], -1, size) for one in maps]
    return torch.cat(rows, dim=1)
