"""``shinso boxes convert DATA FOLDER --to coco|voc|yolo``: labelled boxes in another format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from shinso.cli.parsing import Parser, take_name
from shinso.language import Text, _

HELP = "convert labelled boxes between COCO, VOC and YOLO"

ASKED = {
    "convert": Text(
        "DATA FOLDER: read COCO, VOC or YOLO, write one of them",
        "DATA FOLDER: COCO、VOC、YOLO のいずれかを読み、いずれかで書き出す",
    ),
}


def run(arguments: Sequence[str]) -> int:
    asked, rest = take_name("boxes", arguments, {name: str(text) for name, text in ASKED.items()})
    parser = Parser(f"boxes {asked}", str(ASKED[asked]))
    parser.add_argument(
        "data", type=Path, metavar="DATA", help=_("a folder, an archive, or COCO's JSON file")
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help=_("a new folder"))
    parser.add_argument("--to", choices=("coco", "voc", "yolo"), required=True)
    parser.add_argument(
        "--faulty", choices=("fail", "clip", "drop"), default="fail",
        help=_("boxes that cannot be right: fail, cut to the image, or leave out; all are listed"),
    )  # fmt: skip
    parser.add_argument(
        "--counts-from", choices=("0", "1"), default="1",
        help=_("VOC's pixels: from 1, the last one inside (1), or edges (0)"),
    )  # fmt: skip
    read = parser.read(rest)
    from shinso.data.box_writers import write_boxes
    from shinso.data.labelled_boxes import read_boxes

    boxes = read_boxes([read.data], faulty=read.faulty, counts_from=read.counts_from)
    lost = write_boxes(boxes, read.folder, read.to)
    for note in (*boxes.notes, *lost):
        print(_("note: {note}").format(note=note))
    count = sum(len(one.classes) for one in boxes.images)
    print(
        _("{images:,} images with {boxes:,} boxes, {old} → {new}: {folder}").format(
            images=len(boxes), boxes=count, old=boxes.format, new=read.to, folder=read.folder
        )
    )
    return 0
