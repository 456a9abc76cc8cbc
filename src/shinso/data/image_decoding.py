"""One image file becomes 8-bit pixels, upright, grey or RGB. What had to be changed is counted.

Pillow opens a file by its header first, which is cheap: sizes and kinds of all files are known
before a pixel is decoded, so that one common size can be chosen.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from shinso.data.limits import limits
from shinso.faults import DataFault
from shinso.language import Text, _

if TYPE_CHECKING:
    from PIL.Image import Image

ENDINGS = {
    ".png",
    ".jpg",
    ".jpeg",
    ".bmp",
    ".gif",
    ".tif",
    ".tiff",
    ".webp",
    ".ppm",
    ".pgm",
    ".pbm",
}
GREY = {"1", "L", "I;16", "I;16B", "I;16L", "I"}
ORIENTATION = 0x0112
LARGEST_PX = 224
TURNED = {5, 6, 7, 8}
"""EXIF orientations that swap height and width."""
CHANGES = {
    "turned": Text(
        "{count:,} images were turned upright as their EXIF orientation says",
        "{count:,} 枚の画像を EXIF の向きに従って正立させました",
    ),
    "palette": Text(
        "{count:,} images with a palette became RGB",
        "{count:,} 枚のパレット画像を RGB に変換しました",
    ),
    "alpha": Text(
        "{count:,} transparent images were laid on white",
        "{count:,} 枚の透過画像を白い背景に重ねました",
    ),
    "sixteen": Text(
        "{count:,} images of 16 bits were reduced to 8 (divided by 257)",
        "{count:,} 枚の 16 ビット画像を 8 ビットに変換しました (257 で除算)",
    ),
    "frames": Text(
        "of {count:,} images with several frames the first was read",
        "{count:,} 枚の複数フレーム画像は最初のフレームだけを読みました",
    ),
}


@dataclass(frozen=True)
class Header:
    """What is known before decoding. height and width: of the upright image."""

    height: int
    width: int
    grey: bool
    changes: tuple[str, ...]


@dataclass(frozen=True)
class Target:
    """What every image becomes; one of another size is resized until it covers this one, and cut
    in the middle."""

    channels: int
    height: int
    width: int


def read_header(content: bytes, place: str) -> Header:
    """Raises DataFault DATA-IMAGE where the file is no image that can be read."""
    with opened(content, place) as image:
        height, width = image.height, image.width
        changes = []
        try:  # a PNG may keep its EXIF behind the pixels, so this can read the whole file
            orientation = image.getexif().get(ORIENTATION, 1)
        except (OSError, SyntaxError, ValueError) as error:
            raise _fault(place, str(error)) from error
        if orientation in range(2, 9):
            changes.append("turned")
            if orientation in TURNED:
                height, width = width, height
        if image.mode == "P":
            changes.append("palette")
        if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
            changes.append("alpha")
        if image.mode.startswith("I"):
            changes.append("sixteen")
        if getattr(image, "n_frames", 1) > 1:
            changes.append("frames")
        if image.mode == "F":
            raise _fault(place, _("pixels are floating-point numbers (mode F)"))
        grey = image.mode in GREY or image.mode in ("LA", "La")
        return Header(height, width, grey, tuple(changes))


def decode(content: bytes, place: str, target: Target) -> UInt8[np.ndarray, "channel height width"]:
    """Pixels from 0 to 255. Raises DataFault DATA-IMAGE for a damaged file."""
    from PIL import ImageOps

    with opened(content, place) as found:
        try:
            found.load()
            image = ImageOps.exif_transpose(found)
        except (OSError, SyntaxError, ValueError) as error:
            raise _fault(place, str(error)) from error
        image = _flat(_eight_bits(image, place), target.channels)
        return _as_array(_covering(image, target))


def _as_array(image: Image) -> UInt8[np.ndarray, "channel height width"]:
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def from_array(
    pixels: UInt8[np.ndarray, "channel height width"], target: Target
) -> UInt8[np.ndarray, "new_channel new_height new_width"]:
    """Decoded pixels brought to ``target``."""
    from PIL import Image

    image = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))
    return _as_array(_covering(_flat(image, target.channels), target))


def common_target(headers: Sequence[Header], *, px: int = 0) -> Target:
    """One target for all: RGB where any image has colours; the size of the images where all have
    one, else a square of the commonest shorter side, at most 224 pixels.

    px: the side of the square, where the user decided it; 0: the data do.
    """
    channels = 1 if all(header.grey for header in headers) else 3
    sizes = {(header.height, header.width) for header in headers}
    if not px and len(sizes) == 1 and max(next(iter(sizes))) <= LARGEST_PX:
        return Target(channels, *next(iter(sizes)))
    sides = Counter(min(header.height, header.width) for header in headers)
    side = px or min(sides.most_common(1)[0][0], LARGEST_PX)
    return Target(channels, side, side)


def opened(content: bytes, place: str) -> Image:
    """The image, its header read and no more. DataFault DATA-IMAGE where it is none, or has more
    than ``limits().most_pixels``."""
    from PIL import Image

    try:
        image = Image.open(io.BytesIO(content))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        found = _("an empty file") if not content else f"{type(error).__name__}: {error}"
        raise _fault(place, found.split(" <_io")[0]) from error
    most = limits().most_pixels
    if image.height * image.width > most:
        raise DataFault(
            "DATA-IMAGE",
            place=place,
            found=_("{height} × {width} pixels").format(height=image.height, width=image.width),
            why=_("an image may have {most:,} pixels").format(most=most),
            next_step=_("make it smaller"),
        )
    return image


def _fault(place: str, found: str) -> DataFault:
    return DataFault(
        "DATA-IMAGE",
        place=place,
        found=found,
        why=_("it cannot be read as an image"),
        next_step=_("bring a whole copy of it, convert it to PNG, or take it out"),
    )


def _eight_bits(image: Image, place: str) -> Image:
    from PIL import Image as pillow  # noqa: N813  the module, beside the class of its name

    if not image.mode.startswith("I"):
        return image
    wide = np.asarray(image).astype(np.int64)
    if wide.min() < 0 or wide.max() > 65535:
        raise _fault(place, _("pixels of 32 bits, from {low} to {high}").format(
            low=wide.min(), high=wide.max()
        ))  # fmt: skip
    return pillow.fromarray(((wide + 128) // 257).astype(np.uint8))


def _flat(image: Image, channels: int) -> Image:
    """Grey or RGB, transparent parts on white."""
    from PIL import Image as pillow  # noqa: N813  the module, beside the class of its name

    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        over = image.convert("RGBA")
        white = pillow.new("RGBA", over.size, (255, 255, 255, 255))
        image = pillow.alpha_composite(white, over)
    return image.convert("L" if channels == 1 else "RGB")


def _covering(image: Image, target: Target) -> Image:
    from PIL import Image as pillow  # noqa: N813  the module, beside the class of its name

    if (image.height, image.width) == (target.height, target.width):
        return image
    scale = max(target.height / image.height, target.width / image.width)
    width = max(target.width, round(image.width * scale))
    height = max(target.height, round(image.height * scale))
    image = image.resize((width, height), pillow.Resampling.BILINEAR)
    left, top = (width - target.width) // 2, (height - target.height) // 2
    return image.crop((left, top, left + target.width, top + target.height))


def notes_on(headers: Sequence[Header], target: Target) -> list[str]:
    """What was changed on the way to pixels, counted, to be said aloud."""
    notes = [
        str(text).format(count=count)
        for change, text in CHANGES.items()
        if (count := sum(change in header.changes for header in headers))
    ]
    size = (target.height, target.width)
    resized = sum((header.height, header.width) != size for header in headers)
    if resized:
        notes.append(
            _("{count:,} images of other sizes were resized and cut to {height} × {width}").format(
                count=resized, height=target.height, width=target.width
            )
        )
    return notes
