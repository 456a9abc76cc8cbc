"""Make the bundled sample of detection anew: ``python -m shinso.data.samples.regenerate_boxes``.

Digits of four kinds scattered over grey canvases, as a YOLO folder in an archive: images and labels,
each with train, val and test, and the names of the classes.
"""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from shinso.data.scattered_digits import Canvas, scattered_digits

SEED, SIDE_PX, MOST, SIZES_PX = 20240102, 64, 5, (9.0, 30.0)
DIGITS = (0, 1, 4, 7)
PARTS = {"train": 120, "val": 24, "test": 36}
EMPTY_EVERY = 20
"""Every twentieth canvas has no digit: background, which a detector has to leave alone."""


def yolo_lines(canvas: Canvas) -> str:
    """A line a box: class number, centre and size in shares."""
    lines = []
    for (left, top, right, bottom), digit in zip(
        canvas.boxes_xyxy_px / SIDE_PX, canvas.digits, strict=True
    ):
        centre = (left + right) / 2, (top + bottom) / 2
        numbers = (*centre, right - left, bottom - top)
        lines.append(f"{DIGITS.index(int(digit))} " + " ".join(f"{one:.6f}" for one in numbers))
    return "".join(line + "\n" for line in lines)


def archive() -> bytes:
    rng = np.random.default_rng(SEED)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz") as tar:

        def add(name: str, content: bytes) -> None:
            member = tarfile.TarInfo(name)  # dated 1970, owned by no one
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))

        names = "".join(f"  {place}: digit {digit}\n" for place, digit in enumerate(DIGITS))
        add("data.yaml", f"names:\n{names}".encode())
        for part, count in PARTS.items():
            for number in range(count):
                empty = number % EMPTY_EVERY == EMPTY_EVERY - 1
                canvas = scattered_digits(
                    rng, side_px=SIDE_PX, digits=DIGITS, most=0 if empty else MOST,
                    least=0 if empty else 1, sizes_px=SIZES_PX, unseen=part != "train",
                )  # fmt: skip
                png = io.BytesIO()
                # Sixteen greys are enough; not compressed here: xz does that better over all.
                grey = (canvas.pixels // 16 * 17).astype(np.uint8)
                Image.fromarray(grey).save(png, "PNG", compress_level=0)
                add(f"images/{part}/{number:03d}.png", png.getvalue())
                if not empty:
                    add(f"labels/{part}/{number:03d}.txt", yolo_lines(canvas).encode())
    return buffer.getvalue()


if __name__ == "__main__":
    (Path(__file__).parent / "scattered_digits.tar.xz").write_bytes(archive())
