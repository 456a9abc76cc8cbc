"""Masked images: every form that is read, and every fault by its place."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shinso.data.mask_decoding import VOID, ClassTable, numbered, read_mask, read_table
from shinso.data.masked_images import Wanted, nearest, read_masked
from shinso.faults import DataFault, ManyDataFaults

RNG = np.random.default_rng(0)


def png(pixels: np.ndarray, palette: list[int] | None = None) -> bytes:
    image = Image.fromarray(pixels, mode="P") if palette else Image.fromarray(pixels)
    if palette:
        image.putpalette(palette)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def put(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def picture(height: int = 9, width: int = 12) -> bytes:
    return png(RNG.integers(0, 256, (height, width, 3), dtype=np.uint8))


def mask(*values: int, height: int = 9, width: int = 12, kind: type = np.uint8) -> np.ndarray:
    """Stripes of the values."""
    return np.resize(np.array(values, dtype=kind), (height, width))


def faults_of(path: Path, **wanted: object) -> list[DataFault]:
    with pytest.raises(DataFault) as caught:
        read_masked(path, Wanted(**wanted))  # type: ignore[arg-type]
    return caught.value.faults if isinstance(caught.value, ManyDataFaults) else [caught.value]


def test_folders_archives_and_lists_give_the_same(tmp_path):
    images = {name: picture() for name in ("a", "b")}
    masks = {name: png(mask(0, 1, 2)) for name in images}
    folder = put(
        tmp_path / "data",
        {
            **{f"images/{name}.png": one for name, one in images.items()},
            **{f"masks/{name}_mask.png": one for name, one in masks.items()},
        },
    )
    (tmp_path / "data" / "list.csv").write_text(
        "image,mask\nimages/a.png,masks/a_mask.png\nimages/b.png,masks/b_mask.png\n"
    )
    archive = tmp_path / "data.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(folder, "data")
    found = [read_masked(one, Wanted()) for one in (folder, archive, folder / "list.csv")]
    for one in found:
        assert one.table.names == ("0", "1", "2")
        assert all(np.array_equal(a, mask(0, 1, 2)) for a in one.masks)
        assert np.array_equal(one.pixels[0], found[0].pixels[0])
    assert "list.csv" in found[0].notes[0]


def test_camvid_form_knows_its_parts(tmp_path):
    files = {}
    for part in ("train", "val", "test"):
        files[f"camvid/{part}/x.jpg"] = picture()
        files[f"camvid/{part}annot/x.png"] = png(mask(0, 1, 11))
    found = read_masked(
        put(tmp_path, files), Wanted(class_names=("sky", "road"), void=("11",), size_px=(18, 24))
    )
    assert sorted(map(str, found.parts)) == ["test", "train", "valid"]
    assert found.table.names == ("sky", "road")
    assert found.table.ids == (0, 1)
    assert found.pixels[0].shape == (3, 18, 24)
    assert set(np.unique(found.masks[0])) == {0, 1, VOID}


def test_every_fault_is_listed_with_its_file(tmp_path):
    files = {
        "images/alone.png": picture(),
        "masks/orphan.png": png(mask(0)),
        "images/good.png": picture(),
        "masks/good.png": png(mask(0, 1)),
    }
    found = faults_of(put(tmp_path / "a", files))
    assert [one.code for one in found] == ["DATA-NO-MASK", "DATA-NO-IMAGE"]
    assert "alone.png" in found[0].place
    files = {
        "images/size.png": picture(),
        "masks/size.png": png(mask(0, 1, height=8)),
        "images/also.png": picture(),
        "masks/also.png": png(mask(0, 1, width=11)),
    }
    found = faults_of(put(tmp_path / "b", files))
    assert [one.code for one in found] == ["DATA-MASK-SIZE"] * 2
    assert "8 × 12" in found[1].found
    files = {"images/x.png": picture(), "masks/x.png": b"no image at all"}
    assert faults_of(put(tmp_path / "c", files))[0].code == "DATA-IMAGE"
    files = {"images/x.png": b"", "masks/x.png": png(mask(0, 1))}
    assert faults_of(put(tmp_path / "d", files))[0].code == "DATA-IMAGE"
    assert faults_of(put(tmp_path / "e", {"readme.txt": b"."}))[0].code == "DATA-EMPTY"
    assert faults_of(tmp_path / "nowhere")[0].code == "DATA-NOT-FOUND"
    (tmp_path / "damaged.tar").write_bytes(b"x" * 700)
    assert faults_of(tmp_path / "damaged.tar")[0].code == "DATA-FORMAT"
    files = {"images/x.png": picture(), "images/x.jpg": picture(), "masks/x.png": png(mask(0, 1))}
    assert faults_of(put(tmp_path / "f", files))[0].code == "DATA-TWICE"


def test_list_faults_name_the_line(tmp_path):
    put(tmp_path, {"a.png": picture(), "m.png": png(mask(0, 1))})
    path = tmp_path / "list.csv"
    path.write_text("image,mask,part\na.png,m.png,train\na.png,,\nb.png,m.png,\na.png,m.png,best\n")
    found = faults_of(path)
    assert [one.code for one in found] == ["DATA-NAN", "DATA-NOT-FOUND", "DATA-PART"]
    assert [one.place.split(":")[1].split(",")[0] for one in found] == ["3", "4", "5"]
    path.write_text("picture,mask\na.png,m.png\n")
    assert faults_of(path)[0].code == "DATA-MISSING-COLUMN"


def test_sixteen_bits_and_their_unknown_ids(tmp_path):
    files = {
        "images/a.png": picture(),
        "masks/a.png": png(mask(0, 700, 1000, kind=np.uint16)),
    }
    path = put(tmp_path, files)
    assert read_masked(path, Wanted()).table.ids == (0, 700, 1000)
    assert set(np.unique(read_masked(path, Wanted()).masks[0])) == {0, 1, 2}
    (tmp_path / "classes.csv").write_text("name,id\nground,0\ncar,700\n")
    (fault,) = faults_of(path)
    assert fault.code == "DATA-UNKNOWN-ID"
    assert "1000 in 36 pixels, the first in row 1, column 3" in fault.found
    assert fault.place.endswith("a.png")
    assert read_masked(path, Wanted(void=("1000",))).table.void_ids == (1000,)


def test_objects_numbered_one_by_one_are_refused(tmp_path):
    numbers = np.arange(300, dtype=np.uint16).reshape(15, 20)
    path = put(tmp_path, {"images/a.png": picture(15, 20), "masks/a.png": png(numbers)})
    assert faults_of(path)[0].code == "DATA-UNKNOWN-ID"
    small = put(tmp_path / "s", {"images/a.png": picture(), "masks/a.png": png(mask(0, 1, 2))})
    assert faults_of(small, class_names=("one", "two"))[0].code == "DATA-UNKNOWN-ID"


def test_colours_need_a_table_and_unknown_ones_are_named(tmp_path):
    colours = np.zeros((9, 12, 3), dtype=np.uint8)
    colours[:, 6:] = (10, 20, 30)
    colours[4, 7] = (9, 9, 9)
    path = put(tmp_path, {"images/a.png": picture(), "masks/a.png": png(colours)})
    (fault,) = faults_of(path)
    assert fault.code == "DATA-NO-CLASS-TABLE"
    assert "#0a141e" in fault.found
    (tmp_path / "classes.txt").write_text("0 0 0 ground\n10 20 30 car\n")
    (fault,) = faults_of(path)
    assert fault.code == "DATA-UNKNOWN-COLOUR"
    assert "#090909 in 1 pixels, the first in row 5, column 8" in fault.found
    found = read_masked(path, Wanted(void=("#090909",)))
    assert found.table.names == ("ground", "car")
    assert np.bincount(found.masks[0].ravel(), minlength=256)[[0, 1, VOID]].tolist() == [54, 53, 1]


def test_palette_is_ids_without_colours_and_colours_with_them():
    content = png(mask(0, 5), [0, 0, 0] + [9, 9, 9] * 4 + [10, 20, 30])
    plain = read_table("t", b"name,id\nground,0\ncar,5\n", ())
    coloured = read_table("t", b"10 20 30 car\n0 0 0 ground\n", ())
    by_id = numbered(read_mask(content, "m", colours=False), plain, "m")
    by_colour = numbered(read_mask(content, "m", colours=True), coloured, "m")
    assert by_id[0, :2].tolist() == [0, 1]
    assert by_colour[0, :2].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("300 0 0 car\n", 1),
        ("name,id\ncar,x\n", 2),
        ("name,colour\ncar,#12\n", 2),
        ("name,id\na,1\n,2\n", 3),
        ("name,id\na,1\na,2\n", 0),
        ("name,id\na,1\nb,1\n", 0),
        ("1 2 3 a\nb\n", 0),
        ("", 0),
    ],
)
def test_wrong_class_tables_name_the_line(text, line):
    with pytest.raises(ManyDataFaults) as caught:
        read_table("classes.txt", text.encode(), ())
    assert caught.value.code == "DATA-CLASS-TABLE"
    assert caught.value.place == (f"classes.txt:{line}" if line else "classes.txt")


def test_void_class_of_a_table_leaves_it():
    table = read_table("t", b"name,id,colour\na,0,#000000\nb,1,#000001\nv,2,#ffffff\n", ("v",))
    assert table == ClassTable(("a", "b"), (0, 1), (0, 1), (2,), (0xFFFFFF,))
    assert ClassTable.of_facts(table.as_facts()) == table


def test_reduced_masks_keep_classes_and_places():
    whole = np.zeros((40, 60), dtype=np.uint8)
    whole[:20, :30] = 7
    half = nearest(whole, (20, 30))
    assert set(np.unique(half)) == {0, 7}
    assert (half[:10, :15] == 7).all()
    assert half.sum() == 7 * 150
    assert nearest(whole, (20, 20)).shape == (20, 20)  # sides of another ratio are cut


def test_a_list_whose_quotes_stay_open_is_refused_with_its_line(tmp_path):
    put(tmp_path, {"a.png": picture(), "m.png": png(mask(0, 1))})
    for more in (1, 20_000):
        path = tmp_path / "list.csv"
        path.write_text('image,mask\na.png,"m.png\n' + "a.png,m.png\n" * more)
        assert [(one.code, one.place) for one in faults_of(path)] == [("DATA-FORMAT", f"{path}:2")]


def test_a_table_of_classes_may_be_cp932_and_it_is_said(tmp_path):
    files = {"images/a.png": picture(), "masks/a.png": png(mask(0, 1))}
    table = "空\n道路\n"
    put(tmp_path, {**files, "classes.txt": table.encode("cp932")})
    for table_file in (None, tmp_path / "classes.txt"):
        found = read_masked(tmp_path, Wanted(table_file=table_file))
        assert found.table.names == ("空", "道路")
        assert any("cp932" in note for note in found.notes)
    put(tmp_path, {"classes.txt": "himmel\nstraße\n".encode("latin-1")})
    assert [one.code for one in faults_of(tmp_path)] == ["DATA-ENCODING"]
