"""Images of every form and fault that a user may bring."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shinso.data.image_batches import ImageSamples, PixelScale
from shinso.data.image_decoding import Target
from shinso.data.labelled_images import read_images
from shinso.faults import DataFault
from tests.data.faults_of import codes_and_places

RNG = np.random.default_rng(0)


def picture(mode: str = "L", size=(6, 5)) -> Image.Image:
    return Image.fromarray(RNG.integers(0, 256, (size[1], size[0]), dtype=np.uint8)).convert(mode)


def folder_of(path: Path, classes: dict[str, list[Image.Image]]) -> Path:
    for name, pictures in classes.items():
        (path / name).mkdir(parents=True)
        for number, one in enumerate(pictures):
            one.save(path / name / f"{number}.png")
    return path


def two_classes(path: Path, **more: list[Image.Image]) -> Path:
    return folder_of(path, {"cat": [picture(), picture()], "dog": [picture()], **more})


def test_a_folder_of_folders_is_read_as_classes(tmp_path: Path) -> None:
    found = read_images([two_classes(tmp_path / "d")])
    assert found.pixels.shape == (3, 1, 5, 6)
    assert found.labels == ("cat", "cat", "dog")
    assert found.names[0] == "cat/0.png"
    again = read_images([tmp_path / "d"])
    assert again.sha256 == found.sha256
    picture().save(tmp_path / "d" / "dog" / "0.png")
    assert read_images([tmp_path / "d"]).sha256 != found.sha256


@pytest.mark.parametrize("ending", ["tar", "tar.gz", "tar.xz", "zip"])
def test_an_archive_is_read_like_the_folder_in_it(tmp_path: Path, ending: str) -> None:
    folder = two_classes(tmp_path / "d")
    archive = tmp_path / f"a.{ending}"
    if ending == "zip":
        with zipfile.ZipFile(archive, "w") as file:
            for one in sorted(folder.rglob("*.png")):
                file.write(one, "data/train/" + one.relative_to(folder).as_posix())
    else:
        with tarfile.open(archive, "w:" + ending.removeprefix("tar").removeprefix(".")) as file:
            file.add(folder, "data/train")
    found, wanted = read_images([archive]), read_images([folder])
    assert np.array_equal(found.pixels, wanted.pixels)
    assert (found.labels, found.names) == (wanted.labels, wanted.names)


def test_csv_names_files_and_labels(tmp_path: Path) -> None:
    two_classes(tmp_path / "d")
    (tmp_path / "list.csv").write_text("label,path\nb,d/cat/0.png\na,d/dog/0.png\n")
    found = read_images([tmp_path / "list.csv"])
    assert found.labels == ("b", "a")
    assert found.classes == ("a", "b")


def idx(path: Path, numbers: np.ndarray) -> Path:
    head = bytes((0, 0, 8, numbers.ndim)) + struct.pack(f">{numbers.ndim}I", *numbers.shape)
    path.write_bytes(gzip.compress(head + numbers.tobytes()))
    return path


def test_idx_finds_its_labels_by_name_or_takes_them_second(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 256, (4, 3, 2), dtype=np.uint8)
    labels = np.array([10, 9, 10, 2], dtype=np.uint8)
    images = idx(tmp_path / "t-images-idx3-ubyte.gz", pixels)
    beside = idx(tmp_path / "t-labels-idx1-ubyte.gz", labels)
    other = idx(tmp_path / "other.gz", labels[::-1].copy())
    found = read_images([images])
    assert np.array_equal(found.pixels[:, 0], pixels)
    assert found.labels == ("10", "9", "10", "2")
    assert found.classes == ("2", "9", "10")
    assert read_images([images, other]).labels == ("2", "10", "9", "10")
    beside.unlink()
    with pytest.raises(DataFault, match="its labels are another file"):
        read_images([images])
    with pytest.raises(DataFault, match="3 labels for 4 images"):
        read_images([images, idx(tmp_path / "few.gz", labels[:3])])


def test_labels_that_are_no_idx_file_are_refused(tmp_path: Path) -> None:
    images = idx(tmp_path / "i.gz", RNG.integers(0, 256, (4, 3, 2), dtype=np.uint8))
    for content in (b"", b"0,1,1,0"):
        (tmp_path / "labels.csv").write_bytes(content)
        with pytest.raises(DataFault, match="no IDX file"):
            read_images([images, tmp_path / "labels.csv"])


def test_a_cut_idx_file_is_refused(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 256, (4, 3, 2), dtype=np.uint8)
    path = idx(tmp_path / "t-images-idx3-ubyte.gz", pixels)
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-1]))
    with pytest.raises(DataFault, match="23 bytes of numbers, 24 announced"):
        read_images([path])
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataFault, match="compressed file is damaged"):
        read_images([path])


@pytest.mark.parametrize("label_bytes", [1, 2])
def test_cifar_records_are_read(tmp_path: Path, label_bytes: int) -> None:
    pixels = RNG.integers(0, 256, (3, 3072), dtype=np.uint8)
    labels = np.array([[7, 1], [7, 0], [7, 1]], dtype=np.uint8)[:, -label_bytes:]
    path = tmp_path / "data_batch_1.bin"
    path.write_bytes(np.concatenate([labels, pixels], 1).tobytes())
    found = read_images([path, path])
    assert found.pixels.shape == (6, 3, 32, 32)
    assert np.array_equal(found.pixels[0].ravel(), pixels[0])
    assert found.labels[:3] == ("1", "0", "1")


def saved(image: Image.Image, path: Path, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


def test_kinds_of_images_become_eight_bits_and_are_said(tmp_path: Path) -> None:
    red = Image.new("RGB", (4, 4), (255, 0, 0))
    palette = red.quantize(4)
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    wide = Image.fromarray(np.full((4, 4), 65535 // 2, dtype=np.uint16))
    saved(palette, tmp_path / "a" / "palette.png")
    saved(clear, tmp_path / "a" / "transparent.png")
    saved(wide, tmp_path / "b" / "sixteen.png")
    saved(Image.new("LA", (4, 4), (10, 255)), tmp_path / "b" / "grey_alpha.png")
    saved(Image.new("1", (4, 4), 1), tmp_path / "b" / "bits.png")
    saved(Image.new("CMYK", (4, 4)), tmp_path / "b" / "cmyk.jpg")
    found = read_images([tmp_path])
    by_name = {
        name.split("/")[1].split(".")[0]: one
        for name, one in zip(found.names, found.pixels, strict=True)
    }
    assert by_name["palette"][:, 0, 0].tolist() == [255, 0, 0]
    assert by_name["transparent"][:, 0, 0].tolist() == [255, 255, 255]
    assert by_name["sixteen"][:, 0, 0].tolist() == [127, 127, 127]
    assert by_name["grey_alpha"][:, 0, 0].tolist() == [10, 10, 10]
    assert by_name["bits"][:, 0, 0].tolist() == [255, 255, 255]
    assert by_name["cmyk"][:, 0, 0].tolist() == [255, 255, 255]
    said = " ".join(found.notes)
    for word in ("palette", "transparent", "16 bits"):
        assert word in said


def test_an_image_is_turned_as_its_exif_says(tmp_path: Path) -> None:
    upright = Image.fromarray(np.array([[0, 0, 0], [0, 0, 255]], dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side: turn a quarter clockwise
    lying = upright.rotate(90, expand=True)
    saved(upright, tmp_path / "a" / "0.png")
    saved(lying, tmp_path / "b" / "0.png", exif=exif)
    found = read_images([tmp_path])
    assert np.array_equal(found.pixels[0], found.pixels[1])
    assert any("EXIF" in note for note in found.notes)


def test_images_of_several_sizes_become_one(tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path,
        {"a": [picture(size=(9, 12)), picture(size=(9, 30))], "b": [picture(size=(40, 20))]},
    )
    found = read_images([folder])
    assert found.pixels.shape == (3, 1, 9, 9)
    assert any("3 images of other sizes" in note for note in found.notes)
    assert read_images([folder], px=16).size_px == (16, 16)
    assert read_images([folder], like=Target(3, 7, 8)).pixels.shape == (3, 3, 7, 8)


def test_every_damaged_image_is_named_at_once(tmp_path: Path) -> None:
    folder = two_classes(tmp_path / "d")
    whole = io.BytesIO()
    picture(size=(40, 40)).save(whole, "PNG")
    (folder / "cat" / "cut.png").write_bytes(whole.getvalue()[:-300])
    (folder / "dog" / "empty.png").write_bytes(b"")
    (folder / "dog" / "text.jpg").write_text("no image")
    with pytest.raises(DataFault) as caught:
        read_images([folder])
    faults = caught.value.faults
    assert {fault.code for fault in faults} == {"DATA-IMAGE"}
    places = " ".join(fault.place for fault in faults)
    for name in ("cut.png", "empty.png", "text.jpg"):
        assert name in places


def test_an_empty_class_folder_is_refused_and_strays_are_said(tmp_path: Path) -> None:
    folder = two_classes(tmp_path / "d", bird=[])
    (folder / ".DS_Store").write_text("x")
    with pytest.raises(DataFault) as caught:
        read_images([folder])
    assert caught.value.code == "DATA-EMPTY"
    assert "bird" in caught.value.place
    (folder / "bird").rmdir()
    (folder / "notes.txt").write_text("x")
    picture().save(folder / "stray.png")
    found = read_images([folder])
    assert len(found) == 3
    assert "2 files are no images of a class" in found.notes[0]
    new = read_images([folder], needs_label=False)
    assert len(new) == 4


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("file,label\na.png,x\n", "DATA-MISSING-COLUMN"),
        ("path,label\na.png,x\n", "DATA-NOT-FOUND"),
        ("path,label\nd/cat/0.png,\n", "DATA-NAN"),
        ("path,label\n", "DATA-EMPTY"),
    ],
)
def test_csv_faults_name_their_line(tmp_path: Path, content: str, code: str) -> None:
    two_classes(tmp_path / "d")
    path = tmp_path / "list.csv"
    path.write_text(content)
    with pytest.raises(DataFault) as caught:
        read_images([path])
    assert caught.value.code == code
    assert "list.csv" in caught.value.place


def test_what_is_no_form_of_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFault, match="DATA-NOT-FOUND"):
        read_images([tmp_path / "nothing"])
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(DataFault, match="DATA-FORMAT"):
        read_images([tmp_path / "a.txt"])
    (tmp_path / "a.tar.xz").write_bytes(b"no archive at all")
    with pytest.raises(DataFault, match="archive is damaged"):
        read_images([tmp_path / "a.tar.xz"])
    with pytest.raises(DataFault, match="DATA-IMAGE"):
        read_images([tmp_path / "a.txt"], needs_label=False)


def test_images_that_would_fill_the_memory_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFault, match="DATA-TOO-LARGE"):
        read_images([two_classes(tmp_path / "d")], px=2_000_000)


def test_pixel_scale_matches_numpy_and_unknown_labels_are_named(tmp_path: Path) -> None:
    images = read_images([two_classes(tmp_path / "d")])
    scale = PixelScale.fit(images.pixels)
    assert scale.mean[0] == pytest.approx(images.pixels.mean())
    assert scale.deviation[0] == pytest.approx(images.pixels.std())
    samples = ImageSamples(images, None, scale, images.classes)
    batch = next(samples.batches(10))
    assert float(batch.images.mean()) == pytest.approx(0, abs=1e-5)
    assert batch.shares.tolist() == [[1, 0], [1, 0], [0, 1]]
    with pytest.raises(DataFault, match="DATA-UNKNOWN-LABEL"):
        ImageSamples(images, None, scale, ("cat",))


def test_a_folder_of_a_file_manager_is_no_class(tmp_path: Path) -> None:
    folder = two_classes(tmp_path / "d")
    (folder / ".ipynb_checkpoints").mkdir()
    picture().save(folder / ".ipynb_checkpoints" / "0.png")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("__MACOSX/", b"")
        file.writestr("__MACOSX/._cat", b"x")
        for one in sorted(folder.rglob("*.png")):
            file.write(one, one.relative_to(folder).as_posix())
    for path in (folder, tmp_path / "a.zip"):
        found = read_images([path])
        assert (found.labels, found.notes) == (("cat", "cat", "dog"), ())


def test_an_idx_file_cut_within_its_head_is_refused(tmp_path: Path) -> None:
    for size in (6, 10, 14):
        (tmp_path / "i").write_bytes(bytes((0, 0, 8, 3)) + bytes(size - 4))
        with pytest.raises(DataFault, match=f"{size} bytes, 16 announced"):
            read_images([tmp_path / "i"])


def test_a_cut_file_of_cifar_is_refused_beside_a_whole_one(tmp_path: Path) -> None:
    for name, size in (("a.bin", 2 * 3073), ("b.bin", 3073 + 100)):
        (tmp_path / name).write_bytes(bytes(size))
    with pytest.raises(DataFault, match=r"b\.bin\n  100 bytes behind"):
        read_images([tmp_path / "a.bin", tmp_path / "b.bin"])


def test_a_list_whose_quotes_stay_open_is_refused_with_its_line(tmp_path: Path) -> None:
    two_classes(tmp_path / "d")
    path = tmp_path / "list.csv"
    for more in (1, 20_000):  # within what the csv module takes for one cell, and beyond it
        path.write_text('path,label\nd/cat/0.png,a\nd/dog/0.png,"b\n' + "d/cat/1.png,c\n" * more)
        found = codes_and_places(lambda: read_images([path]), path)
        assert found == [("DATA-FORMAT", ":3")]


def test_a_list_with_tabs_may_end_in_capitals(tmp_path: Path) -> None:
    two_classes(tmp_path / "d")
    (tmp_path / "list.TSV").write_text("path\tlabel\nd/cat/0.png\ta, b\n")
    assert read_images([tmp_path / "list.TSV"]).labels == ("a, b",)
