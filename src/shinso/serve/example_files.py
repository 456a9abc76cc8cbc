"""A small file that a run can answer, for tasks that are asked by a file: what a page shows first."""

from __future__ import annotations

import io
import json
import math
import struct
import tarfile
import wave
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

from shinso.data.recording_labels import labels_of, rule_of
from shinso.serve.asked_files import shows_images

SIDE_PX = 64
NAMINGS = ("{}_tone", "{}", "{}-tone", "tone_{}", "tone-{}", "0_{}_0", "0-{}-0")
"""How recordings are called whose label stands in their name."""


def example_file(task: str, facts: Mapping[str, Any]) -> tuple[str, bytes]:
    """Name and content. facts: what the run found in its data."""
    if task == "audio":
        return _recording(_tone(int(facts["rate_hz"])), facts)
    if task == "dialogue":
        line = json.dumps({"turns": ["hello", "how are you ?", "thank you ."]})
        return "dialogue.jsonl", f"{line}\n".encode()
    if "side" in facts:  # of a Go board
        return "game.sgf", f"(;GM[1]FF[4]SZ[{facts['side']}]RE[B+1];B[aa];W[bb])".encode()
    if shows_images(task, facts):
        channels, height, width = facts.get("shape", (facts.get("channels", 3), SIDE_PX, SIDE_PX))
        return "images.zip", _zipped("image.png", _grey(channels, height, width))
    if facts.get("columns"):
        columns = list(map(str, facts["columns"]))
        return "data.csv", f"{','.join(columns)}\n{','.join('0' for _ in columns)}\n".encode()
    return "text.txt", b"a line of text\n"


def _recording(content: bytes, facts: Mapping[str, Any]) -> tuple[str, bytes]:
    """A sound file; where the run knows labels, one in an archive, in the folder or under the name
    that gives it a label."""
    classes: Sequence[str] = facts["class_names"]
    rule = str(facts.get("label_rule", "none"))
    if not classes or rule in ("none", "auto"):
        return "tone.wav", content
    names = [f"{naming.format(classes[0])}.wav" for naming in NAMINGS]
    if rule == "folder":
        names = [f"{classes[0]}/tone.wav"]
    labels, _where = labels_of(names, rule, rule_of(rule), "")
    name = names[labels.index(classes[0])] if classes[0] in labels else names[0]
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return "tones.tar", packed.getvalue()


def _tone(rate_hz: int) -> bytes:
    """Half a second of 440 Hz."""
    samples = [round(9000 * math.sin(math.tau * 440 * n / rate_hz)) for n in range(rate_hz // 2)]
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples))
    return content.getvalue()


def _grey(channels: int, height: int, width: int) -> bytes:
    from PIL import Image

    content = io.BytesIO()
    mode, colour = ("L", 128) if channels == 1 else ("RGB", (128, 128, 128))
    Image.new(mode, (width, height), colour).save(content, "PNG")
    return content.getvalue()


def _zipped(name: str, content: bytes) -> bytes:
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w") as archive:
        archive.writestr(name, content)
    return found.getvalue()
