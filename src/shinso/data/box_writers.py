"""Images with boxes written as COCO JSON, VOC XML or YOLO text, so that one becomes another.

Images are copied byte by byte. What a format cannot say is told: YOLO knows no crowds and no
difficult objects, VOC no crowds, COCO no split within one file (it gets a file a part).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from xml.sax.saxutils import escape

from shinso.data.box_files import Format
from shinso.data.labelled_boxes import BoxedImage, LabelledBoxes
from shinso.faults import DataFault, UsageFault
from shinso.language import _
from shinso.runs.files import write_atomically

COCO_FOLDERS = {"train": "train", "valid": "val", "test": "test", "": "all"}
VOC_LISTS = {"train": "train", "valid": "val", "test": "test"}
FINEST = 6
"""Digits behind the point that a share or a pixel is written with."""


def write_boxes(boxes: LabelledBoxes, folder: Path, form: Format) -> list[str]:
    """Write into a new or empty folder; returns what was lost on the way, to be said aloud.

    Raises UsageFault OUTPUT-EXISTS where something is in the folder, DataFault DATA-SAME-NAME where
    two images would have one name.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageFault(
            "OUTPUT-EXISTS",
            place=str(folder),
            found=_("there is something already"),
            why=_("files of two sets would be mixed"),
            next_step=_("give a new folder"),
        )
    names = _file_names(boxes)
    writers: Mapping[Format, Callable[[LabelledBoxes, Sequence[str], Path], None]] = {
        "coco": _write_coco,
        "voc": _write_voc,
        "yolo": _write_yolo,
    }
    writers[form](boxes, names, folder)
    return _lost(boxes, form)


def _file_names(boxes: LabelledBoxes) -> list[str]:
    """Of each image, without its folders; formats find boxes by the name without its ending."""
    seen: dict[str, str] = {}
    names = []
    for one in boxes.images:
        path = PurePosixPath(one.name)
        if path.stem in seen and seen[path.stem] != one.name:
            # Folders of a split often number their images anew.
            path = PurePosixPath(f"{one.part or path.parent.name}_{path.name}")
        if path.stem in seen:
            raise DataFault(
                "DATA-SAME-NAME",
                place=one.place,
                found=path.name,
                why=_("{other} would have the same name").format(other=seen[path.stem]),
                next_step=_("rename one of them"),
            )
        seen[path.stem] = one.name
        names.append(path.name)
    return names


def _lost(boxes: LabelledBoxes, form: Format) -> list[str]:
    crowds = sum(int(one.crowd.sum()) for one in boxes.images)
    hidden = sum(int((one.ignored & ~one.crowd).sum()) for one in boxes.images)
    notes = []
    if crowds and form != "coco":
        text = _("{count:,} crowds became {what}; {form} has no crowds")
        what = _("difficult objects") if form == "voc" else _("objects")
        notes.append(text.format(count=crowds, what=what, form=form.upper()))
    if hidden and form == "yolo":
        notes.append(
            _("{count:,} difficult objects became objects; YOLO has no such mark").format(
                count=hidden
            )
        )
    if hidden and form == "coco":
        notes.append(
            _(
                "{count:,} difficult objects have the mark ignore, which not every reader heeds"
            ).format(count=hidden)
        )
    return notes


def _write_coco(boxes: LabelledBoxes, names: Sequence[str], folder: Path) -> None:
    parts = {one.part for one in boxes.images}
    for part in sorted(parts):
        below = COCO_FOLDERS[part]
        images, annotations = [], []
        for number, (one, name) in enumerate(zip(boxes.images, names, strict=True), 1):
            if one.part != part:
                continue
            _copy(one, folder / "images" / name)
            images.append(
                {"id": number, "file_name": name, "width": one.width, "height": one.height}
            )
            for place, (left, top, right, bottom) in enumerate(one.boxes_xyxy_px.tolist()):
                numbers = (left, top, right - left, bottom - top)
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": number,
                        "category_id": int(one.classes[place]) + 1,
                        "bbox": [round(value, FINEST) for value in numbers],
                        "area": round(float(one.area_px2[place]), FINEST),
                        "iscrowd": int(one.crowd[place]),
                        "ignore": int(one.ignored[place]),
                    }
                )
        content = {
            "images": images,
            "categories": [{"id": n, "name": name} for n, name in enumerate(boxes.classes, 1)],
            "annotations": annotations,
        }
        lists = [
            f'"{key}": [\n' + ",\n".join(json.dumps(o, ensure_ascii=False) for o in rows) + "\n]"
            for key, rows in content.items()
        ]
        # An entry a line, so that faults can name the line.
        _write(folder / f"{below}.json", "{" + ",\n".join(lists) + "}\n")


def _write_voc(boxes: LabelledBoxes, names: Sequence[str], folder: Path) -> None:
    lists: dict[str, list[str]] = {}
    for one, name in zip(boxes.images, names, strict=True):
        stem = PurePosixPath(name).stem
        _copy(one, folder / "JPEGImages" / name)
        _write(folder / "Annotations" / f"{stem}.xml", _voc_text(one, name, boxes))
        if one.part:
            lists.setdefault(VOC_LISTS[one.part], []).append(stem)
    for part, stems in lists.items():
        _write(folder / "ImageSets" / "Main" / f"{part}.txt", "".join(s + "\n" for s in stems))


def _voc_text(one: BoxedImage, name: str, boxes: LabelledBoxes) -> str:
    lines = [
        "<annotation>",
        f"  <filename>{escape(name)}</filename>",
        f"  <size><width>{one.width}</width><height>{one.height}</height>"
        f"<depth>{boxes.channels}</depth></size>",
    ]
    for place, edges in enumerate(one.boxes_xyxy_px.tolist()):
        # Pixels are counted from 1, the last one inside: only the first two edges move.
        corners = (edges[0] + 1, edges[1] + 1, edges[2], edges[3])
        inner = "".join(
            f"<{side}>{value:.{FINEST}f}".rstrip("0").rstrip(".") + f"</{side}>"
            for side, value in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True)
        )
        difficult = int(one.ignored[place] or one.crowd[place])
        lines += [
            "  <object>",
            f"    <name>{escape(boxes.classes[one.classes[place]])}</name>",
            f"    <difficult>{difficult}</difficult>",
            f"    <bndbox>{inner}</bndbox>",
            "  </object>",
        ]
    return "\n".join([*lines, "</annotation>", ""])


def _write_yolo(boxes: LabelledBoxes, names: Sequence[str], folder: Path) -> None:
    quoted = "".join(f"  {n}: {json.dumps(name)}\n" for n, name in enumerate(boxes.classes))
    parts = {COCO_FOLDERS[one.part] if one.part else "" for one in boxes.images}
    paths = "".join(f"{part}: images/{part}\n" for part in sorted(parts) if part)
    _write(folder / "data.yaml", f"{paths}names:\n{quoted}")
    for one, name in zip(boxes.images, names, strict=True):
        below = COCO_FOLDERS[one.part] if one.part else ""
        _copy(one, folder / "images" / below / name)
        lines = []
        for place, (left, top, right, bottom) in enumerate(one.boxes_xyxy_px.tolist()):
            shares = (
                (left + right) / 2 / one.width,
                (top + bottom) / 2 / one.height,
                (right - left) / one.width,
                (bottom - top) / one.height,
            )
            numbers = " ".join(f"{value:.{FINEST}f}" for value in shares)
            lines.append(f"{int(one.classes[place])} {numbers}\n")
        if lines:
            _write(folder / "labels" / below / f"{PurePosixPath(name).stem}.txt", "".join(lines))


def _copy(one: BoxedImage, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, one.load())


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text)
