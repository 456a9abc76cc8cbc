"""Make the sample of ``segment`` anew: ``python -m shinso.data.samples.regenerate_scenes``."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from shinso.data.digit_scenes import digit_scenes

SEED, SIDE_PX = 20240401, 48
PARTS = {"train": 72, "val": 16, "test": 16}
TABLE = "name,id\nbackground,0\nzero,1\none,2\ntwo,3\nthree,4\n"
PALETTE = (0, 0, 0, 230, 60, 60, 60, 180, 75, 70, 110, 230, 245, 200, 40)


def _png(pixels: np.ndarray, *, indexed: bool) -> bytes:
    image = Image.fromarray(pixels)
    if indexed:
        image = Image.fromarray(pixels, mode="P")
        image.putpalette(PALETTE)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def archive() -> bytes:
    """A tar of images/ and masks/ in train/, val/ and test/, with classes.csv."""
    rng = np.random.default_rng(SEED)
    contents = {"digit_scenes/classes.csv": TABLE.encode()}
    for part, count in PARTS.items():
        pixels, masks = digit_scenes(rng, count, side_px=SIDE_PX, noise=6.0)
        for number, (image, mask) in enumerate(zip(pixels // 4 * 4, masks, strict=True)):
            name = f"digit_scenes/{part}/{{}}/{number:03d}.png"
            contents[name.format("images")] = _png(image, indexed=False)
            contents[name.format("masks")] = _png(mask, indexed=True)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz") as tar:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


if __name__ == "__main__":
    path = Path(__file__).parent / "digit_scenes.tar.xz"
    path.write_bytes(archive())
    print(path, path.stat().st_size)
