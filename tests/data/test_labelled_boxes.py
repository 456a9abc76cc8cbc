"""Boxes in each of the three formats, from one into another, and every fault a user may bring."""

from __future__ import annotations

import json
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shinso.data import samples
from shinso.data.box_writers import write_boxes
from shinso.data.labelled_boxes import LabelledBoxes, own_split, read_boxes
from shinso.faults import DataFault, UsageFault
from tests.data.faults_of import codes_and_places, faults_of

WIDTH, HEIGHT = 40, 30


def picture(path: Path, size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (len(path.name) * 7 % 255, 40, 90)).save(path)


def yolo(folder: Path, *lines: str, names: str = "names: [cat, dog]\n") -> Path:
    """One image with these boxes and one without any."""
    picture(folder / "images" / "a.png")
    picture(folder / "images" / "empty.png")
    (folder / "labels").mkdir()
    (folder / "labels" / "a.txt").write_text("".join(line + "\n" for line in lines))
    if names:
        (folder / "data.yaml").write_text(names)
    return folder


def voc(folder: Path, *boxes: tuple[str, int, int, int, int], size=(WIDTH, HEIGHT)) -> Path:
    picture(folder / "JPEGImages" / "a.jpg")
    objects = "".join(
        f"<object>\n<name>{name}</name><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin>"
        f"<xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>\n"
        for name, x0, y0, x1, y1 in boxes
    )
    (folder / "Annotations").mkdir()
    (folder / "Annotations" / "a.xml").write_text(
        f"<annotation><filename>a.jpg</filename>\n<size><width>{size[0]}</width>"
        f"<height>{size[1]}</height></size>\n{objects}</annotation>"
    )
    return folder


def coco(folder: Path, *annotations: dict[str, object]) -> Path:
    picture(folder / "a.png")
    content = {
        "info": {"images": 1},
        "images": [{"id": 7, "file_name": "a.png", "width": WIDTH, "height": HEIGHT}],
        "annotations": list(annotations),
        "categories": [{"id": 3, "name": "dog"}, {"id": 1, "name": "cat"}],
    }
    path = folder / "boxes.json"
    path.write_text(json.dumps(content, indent=1))
    return path


def box(
    category: int = 3, image: int = 7, bbox=(4, 5, 10, 20), **more: object
) -> dict[str, object]:
    return {"image_id": image, "category_id": category, "bbox": list(bbox), **more}


def test_three_formats_say_the_same_of_one_box(tmp_path: Path) -> None:
    found = [
        read_boxes([yolo(tmp_path / "y", "1 0.225 0.5 0.25 0.666667")]),
        read_boxes([voc(tmp_path / "v", ("dog", 5, 6, 14, 25), ("cat", 1, 1, 40, 30))]),
        read_boxes([coco(tmp_path, box(), box(1, bbox=(0, 0, 40, 30), iscrowd=1, area=9.0))]),
    ]
    assert [one.format for one in found] == ["yolo", "voc", "coco"]
    for one in found:
        image = next(image for image in one.images if len(image.classes))
        assert one.classes[image.classes[0]] == "dog"
        np.testing.assert_allclose(image.boxes_xyxy_px[0], [4, 5, 14, 25], atol=1e-4)
        assert (image.width, image.height) == (WIDTH, HEIGHT)
    np.testing.assert_array_equal(found[1].images[0].boxes_xyxy_px[1], [0, 0, 40, 30])
    assert found[2].images[0].crowd.tolist() == [False, True]
    assert found[2].images[0].area_px2.tolist() == [200.0, 9.0]
    # The order of COCO's ids, not that of the file.
    assert found[2].classes == ("cat", "dog")


def test_pixels_may_be_edges(tmp_path: Path) -> None:
    found = read_boxes([voc(tmp_path, ("dog", 5, 6, 14, 25))], counts_from="0")
    np.testing.assert_array_equal(found.images[0].boxes_xyxy_px[0], [5, 6, 14, 25])


def test_images_without_boxes_are_background_and_counted(tmp_path: Path) -> None:
    found = read_boxes([yolo(tmp_path, "0 0.5 0.5 0.2 0.2")])
    assert len(found) == 2
    assert any("1 of 2 images" in note for note in found.notes)
    assert found.facts()["background_images"] == 1


def test_wrong_boxes_of_yolo_are_listed_by_line(tmp_path: Path) -> None:
    folder = yolo(
        tmp_path,
        "0 0.5 0.5 0.2 0.2",
        "7 0.5 0.5 0.2 0.2",
        "0 0.95 0.5 0.4 0.2",
        "1 0.5 0.5 0 0.2",
        "-1 0.5 0.5 0.2 0.2",
        "0 0.5 nan 0.2 0.2",
    )
    found = codes_and_places(lambda: read_boxes([folder]), folder)
    place = "/labels/a.txt:"
    assert found == [
        ("BOX-CLASS", place + "2"),
        ("BOX-OUTSIDE", place + "3"),
        ("BOX-EMPTY", place + "4"),
        ("BOX-CLASS", place + "5"),
        ("BOX-EMPTY", place + "6"),
    ]


def test_wrong_boxes_of_voc_are_listed_by_line(tmp_path: Path) -> None:
    folder = voc(tmp_path, ("dog", 5, 6, 14, 25), ("dog", 5, 5, 5, 5), ("dog", 30, 5, 60, 20))
    found = codes_and_places(lambda: read_boxes([folder]), folder)
    assert found == [
        ("BOX-EMPTY", "/Annotations/a.xml:5"),
        ("BOX-OUTSIDE", "/Annotations/a.xml:7"),
    ]


def test_wrong_boxes_of_coco_are_listed_by_line(tmp_path: Path) -> None:
    path = coco(
        tmp_path, box(), box(9), box(bbox=(30, 5, 30, 10)), box(image=8), box(bbox=(1, 2, 0, 4)),
        box(bbox=(1, 2)),
    )  # fmt: skip
    lines = path.read_text().splitlines()
    starts = [n for n, line in enumerate(lines, 1) if line == "  {"][1:7]
    shown = codes_and_places(lambda: read_boxes([path]), path)
    # What makes the file unreadable is told first, before boxes are judged.
    assert shown == [("DATA-FORMAT", f":{starts[5]}"), ("BOX-NO-IMAGE", f":{starts[3]}")]
    content = json.loads(path.read_text())
    content["annotations"] = [content["annotations"][place] for place in (0, 1, 2, 4)]
    path.write_text(json.dumps(content, indent=1))
    assert codes_and_places(lambda: read_boxes([path]), path) == [
        ("BOX-CLASS", f":{starts[1]}"),
        ("BOX-OUTSIDE", f":{starts[2]}"),
        ("BOX-EMPTY", f":{starts[3]}"),
    ]


def test_wrong_boxes_are_cut_or_left_out_aloud(tmp_path: Path) -> None:
    folder = yolo(tmp_path, "0 0.95 0.5 0.4 0.2", "0 2 2 0.1 0.1", "5 0.5 0.5 0.2 0.2")
    cut = read_boxes([folder], faulty="clip")
    np.testing.assert_allclose(cut.images[0].boxes_xyxy_px, [[30, 12, 40, 18]])
    said = " ".join(cut.notes)
    assert "a.txt:1 (BOX-OUTSIDE" in said
    assert "2 boxes were left out" in said
    assert "a.txt:3 (BOX-CLASS: class 5" in said
    left = read_boxes([folder], faulty="drop")
    assert not len(left.images[0].classes)
    assert "3 boxes were left out" in " ".join(left.notes)


def test_files_that_cannot_be_understood_are_listed(tmp_path: Path) -> None:
    folder = yolo(tmp_path / "y", "0 0.5 0.5 0.2", "cat 0.5 0.5 0.2 0.2", "")
    (folder / "labels" / "lost.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (folder / "images" / "empty.png").write_bytes(b"no picture")
    found = codes_and_places(lambda: read_boxes([folder]), folder)
    assert found == [
        ("DATA-FORMAT", "/labels/a.txt:1"),
        ("DATA-FORMAT", "/labels/a.txt:2"),
        ("DATA-NOT-FOUND", "/labels/lost.txt"),
        ("DATA-IMAGE", "/images/empty.png"),
    ]
    other = voc(tmp_path / "v", ("dog", 5, 6, 14, 25), size=(80, 60))
    assert [f.code for f in faults_of(lambda: read_boxes([other]))] == ["BOX-OTHER-SIZE"]
    (other / "Annotations" / "a.xml").write_text("<annotation><object>")
    assert [f.code for f in faults_of(lambda: read_boxes([other]))] == ["DATA-FORMAT"]
    (other / "Annotations" / "a.xml").write_text(
        '<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>'
    )
    assert "entities" in faults_of(lambda: read_boxes([other]))[0].found
    broken = coco(tmp_path)
    broken.write_text('{"images": [{"id": 1}], "annotations": [')
    assert [f.code for f in faults_of(lambda: read_boxes([broken]))] == ["DATA-FORMAT"]


def test_nothing_there_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "e").mkdir()
    for path, code in (
        (tmp_path / "gone", "DATA-NOT-FOUND"),
        (tmp_path / "e", "DATA-EMPTY"),
        (Path(__file__), "DATA-FORMAT"),
    ):
        assert [f.code for f in faults_of(lambda path=path: read_boxes([path]))] == [code]
    picture(tmp_path / "plain" / "a.png")
    assert faults_of(lambda: read_boxes([tmp_path / "plain"]))[0].code == "DATA-FORMAT"
    assert len(read_boxes([tmp_path / "plain"], needs_boxes=False)) == 1
    (tmp_path / "a.tar").write_bytes(b"no archive")
    assert faults_of(lambda: read_boxes([tmp_path / "a.tar"]))[0].code == "DATA-FORMAT"


def test_image_sets_are_the_split(tmp_path: Path) -> None:
    folder = voc(tmp_path / "v", ("dog", 5, 6, 14, 25))
    for name in "bcd":
        picture(folder / "JPEGImages" / f"{name}.jpg")
        text = (folder / "Annotations" / "a.xml").read_text().replace("a.jpg", f"{name}.jpg")
        (folder / "Annotations" / f"{name}.xml").write_text(text)
    lists = folder / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("a\nb 1\n")
    (lists / "val.txt").write_text("c\n")
    found = read_boxes([folder])
    assert own_split(found) == {"train": 2, "valid": 1}
    assert any("1 images are in no list" in note for note in found.notes)
    archive = tmp_path / "v.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(folder, "set/below")
    assert read_boxes([archive]).facts()["boxes"] == found.facts()["boxes"]
    (lists / "test.txt").write_text("a\nz\n")
    assert [f.code for f in faults_of(lambda: read_boxes([folder]))] == [
        "DATA-SPLIT",
        "DATA-NOT-FOUND",
    ]


def test_classes_of_new_data_must_be_known(tmp_path: Path) -> None:
    folder = voc(tmp_path, ("cow", 5, 6, 14, 25))
    found = faults_of(lambda: read_boxes([folder], classes=("cat", "dog")))
    assert [fault.code for fault in found] == ["BOX-CLASS"]


def same(one: LabelledBoxes, other: LabelledBoxes) -> None:
    assert one.classes == other.classes
    by_content = {image.load(): image for image in other.images}
    assert len(one) == len(other) == len(by_content)
    for image in one.images:
        twin = by_content[image.load()]
        assert image.part == twin.part
        np.testing.assert_array_equal(image.classes, twin.classes)
        np.testing.assert_allclose(image.boxes_xyxy_px, twin.boxes_xyxy_px, atol=1e-3)


def test_one_format_becomes_another_and_back(tmp_path: Path) -> None:
    first = read_boxes([samples.path("scattered_digits.tar.xz")])
    assert own_split(first) == {"train": 120, "valid": 24, "test": 36}
    found = first = replace(first, images=first.images[::10])
    for place, form in enumerate(("coco", "voc", "yolo", "coco")):
        assert write_boxes(found, tmp_path / str(place), form) == []
        found = read_boxes([tmp_path / str(place)])
        assert found.format == form
        same(first, found)
    with pytest.raises(UsageFault, match="OUTPUT-EXISTS"):
        write_boxes(found, tmp_path / "0", "voc")


def test_what_a_format_cannot_say_is_told(tmp_path: Path) -> None:
    crowded = read_boxes([coco(tmp_path, box(iscrowd=1), box(ignore=1), box())])
    said = write_boxes(crowded, tmp_path / "voc", "voc")
    assert "1 crowds became difficult objects" in said[0]
    back = read_boxes([tmp_path / "voc"])
    assert back.images[0].ignored.tolist() == [True, True, False]
    assert len(write_boxes(crowded, tmp_path / "yolo", "yolo")) == 2


def test_two_files_of_one_set_must_tell_their_parts(tmp_path: Path) -> None:
    path = coco(tmp_path, box())
    for name in ("train.json", "instances_val2017.json"):
        (tmp_path / name).write_bytes(path.read_bytes())
    with pytest.raises(DataFault, match="DATA-SPLIT"):
        read_boxes([tmp_path])
    path.unlink()
    assert own_split(read_boxes([tmp_path])) == {"train": 1, "valid": 1}


def xml_of(name: str, label: str) -> str:
    return (
        f"<annotation><filename>{name}</filename><object><name>{label}</name><bndbox>"
        "<xmin>5</xmin><ymin>6</ymin><xmax>14</xmax><ymax>25</ymax></bndbox></object></annotation>"
    )


def put(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = folder / name
        if path.suffix in (".png", ".jpg"):
            picture(path)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
    return folder


@pytest.mark.parametrize(
    ("annotations", "images"),
    [("", ""), ("Annotations/", "JPEGImages/"), ("xml/", "images/"), ("a/b/", "c/d/")],
)
def test_boxes_of_voc_belong_to_the_image_of_their_own_part(
    tmp_path: Path, annotations: str, images: str
) -> None:
    for order in (("{part}/{kind}", "inside"), ("{kind}{part}/", "outside")):
        files = {}
        for part, label in (("train", "cat"), ("valid", "dog")):
            for kind, name in ((annotations, "0001.xml"), (images, "0001.png")):
                files[order[0].format(part=part, kind=kind) + name] = xml_of("0001.png", label)
        found = read_boxes([put(tmp_path / order[1], files)])
        assert len(found) == 2
        for one in found.images:
            assert found.classes[one.classes[0]] == ("cat" if "train" in one.name else "dog")


def test_images_of_voc_are_told_from_masks_and_doubts_are_faults(tmp_path: Path) -> None:
    files = {
        "Annotations/1.xml": xml_of("1.jpg", "cat"),
        "JPEGImages/1.jpg": "", "SegmentationClass/1.png": "",
    }  # fmt: skip
    (found,) = read_boxes([put(tmp_path / "a", files)]).images
    assert found.name == "JPEGImages/1.jpg"
    (fault,) = faults_of(
        lambda: read_boxes([put(tmp_path / "b", {"1.xml": xml_of("x", "c"), "1.jpg": "", "1.png": ""})])
    )  # fmt: skip
    assert (fault.code, fault.found) == ("DATA-TWICE", "x: 1.jpg, 1.png")
    other = put(tmp_path / "c", {"train/1.png": "", "train/1.xml": xml_of("1.png", "cat"),
                                 "valid/1.xml": xml_of("1.png", "dog")})  # fmt: skip
    assert codes_and_places(lambda: read_boxes([other]), other) == [
        ("DATA-NOT-FOUND", "/valid/1.xml")
    ]
    twice = put(tmp_path / "d", {"i/1.png": "", "x/1.xml": xml_of("", "a"),
                                 "y/1.xml": xml_of("", "b")})  # fmt: skip
    assert codes_and_places(lambda: read_boxes([twice]), twice) == [("DATA-TWICE", "/y/1.xml")]


def coco_of(images: list[dict], annotations: list[dict], categories: list[dict]) -> str:
    """An entry a line, so that their places are known: images from line 2 on."""
    lists = {"images": images, "annotations": annotations, "categories": categories}
    rows = [
        f'"{name}": [\n' + ",\n".join(map(json.dumps, entries)) + "\n]"
        for name, entries in lists.items()
    ]
    return "{" + ",\n".join(rows) + "}"


CATEGORIES = [{"id": 3, "name": "dog"}, {"id": 1, "name": "cat"}]


def test_an_image_of_coco_is_the_one_that_is_written(tmp_path: Path) -> None:
    names = ("a/1.png", "images/a/1.png", "b/1.png")
    images = [{"id": n, "file_name": name} for n, name in enumerate(names)]
    files = {**dict.fromkeys(names, ""), "x.json": coco_of(images, [box(image=2)], CATEGORIES)}
    found = read_boxes([put(tmp_path / "a", files)])
    assert [one.name for one in found.images] == list(names)
    assert [len(one.classes) for one in found.images] == [0, 0, 1]
    loose = coco_of([{"id": 7, "file_name": "/home/me/1.png"}], [box()], CATEGORIES)
    path = put(tmp_path / "b", {"a/1.png": "", "b/1.png": "", "x.json": loose}) / "x.json"
    (fault,) = faults_of(lambda: read_boxes([path]))
    assert (fault.code, fault.place) == ("DATA-TWICE", f"{path}:2")
    assert "a/1.png, b/1.png" in fault.found
    (tmp_path / "b" / "b" / "1.png").unlink()
    assert len(read_boxes([path])) == 1


def test_files_of_coco_take_the_images_of_their_part(tmp_path: Path) -> None:
    text = coco_of([{"id": 7, "file_name": "1.png"}], [box()], CATEGORIES)
    files = {f"annotations/instances_{part}2017.json": text for part in ("train", "val")}
    found = read_boxes([put(tmp_path, {**files, "train2017/1.png": "", "val2017/1.png": ""})])
    assert [(one.name, one.part) for one in found.images] == [
        ("train2017/1.png", "train"), ("val2017/1.png", "valid"),
    ]  # fmt: skip


def test_ids_of_coco_are_each_given_once(tmp_path: Path) -> None:
    image = {"id": 7, "file_name": "a.png"}
    folder = put(tmp_path, {"a.png": "", "b.png": ""})
    path = folder / "x.json"
    cases = [
        ([image, {"id": 7, "file_name": "b.png"}], CATEGORIES, ("DATA-TWICE", ":3"), "id 7: b.png"),
        ([image, {"id": 8, "file_name": "a.png"}], CATEGORIES, ("DATA-TWICE", ":3"), "a.png"),
        ([image], [*CATEGORIES, {"id": 1, "name": "cow"}], ("DATA-TWICE", ":10"), "id 1: cow"),
        ([image], [*CATEGORIES, {"id": "1", "name": "x"}], ("DATA-FORMAT", ":10"), "id '1': x"),
        ([{"id": [7], "file_name": "a.png"}, image], CATEGORIES, ("DATA-FORMAT", ":2"), "images"),
    ]
    for images, categories, wanted, shown in cases:
        path.write_text(coco_of(images, [box()], categories))
        (fault,) = faults_of(lambda: read_boxes([path]))
        assert (fault.code, fault.place.removeprefix(str(path))) == wanted
        assert shown in fault.found
        if wanted == ("DATA-TWICE", ":10"):
            assert "line 9 gives this id to cat" in fault.why


def test_numbers_and_depths_beyond_all_bounds_are_faults(tmp_path: Path) -> None:
    path = put(tmp_path, {"a.png": ""}) / "x.json"
    image = {"id": 7, "file_name": "a.png"}
    path.write_text(coco_of([image], [box(bbox=(10**400, 1, 2, 3))], CATEGORIES))
    assert codes_and_places(lambda: read_boxes([path]), path) == [("DATA-FORMAT", ":5")]
    path.write_text('{"images": ' + "[" * 100_000)
    assert codes_and_places(lambda: read_boxes([path]), path) == [("DATA-FORMAT", "")]


def test_names_in_cp932_are_read_and_said(tmp_path: Path) -> None:
    folder = yolo(tmp_path / "y", "1 0.5 0.5 0.2 0.2", names="")
    (folder / "classes.txt").write_bytes("猫\n犬\n".encode("cp932"))
    found = read_boxes([folder])
    assert found.classes == ("猫", "犬")
    assert any("cp932" in note for note in found.notes)
    other = voc(tmp_path / "v", ("dog", 5, 6, 14, 25))
    (other / "JPEGImages" / "a.jpg").rename(other / "JPEGImages" / "写真.jpg")
    (other / "Annotations" / "a.xml").rename(other / "Annotations" / "写真.xml")
    (other / "ImageSets" / "Main").mkdir(parents=True)
    (other / "ImageSets" / "Main" / "train.txt").write_bytes("写真\n".encode("cp932"))
    assert own_split(read_boxes([other])) == {"train": 1}
