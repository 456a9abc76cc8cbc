"""Recordings: labels by rule, and every fault of a file."""

from __future__ import annotations

import io
import tarfile
import zipfile

import numpy as np
import pytest
import soundfile

from shinso.data import samples
from shinso.data.recordings import read_recordings
from shinso.data.samples.regenerate_tones import archive
from shinso.faults import DataFault, ManyDataFaults, UsageFault


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "sounds"
    place.mkdir()
    for name in ("a_1", "a_2", "b_1"):
        save(place / f"{name}.wav")
    return place


def save(path, rate=8000, channels=1, seconds=0.05):
    path.parent.mkdir(exist_ok=True)
    rng = np.random.default_rng(len(path.name))
    shape = (int(rate * seconds), channels) if channels > 1 else int(rate * seconds)
    soundfile.write(path, rng.uniform(-0.5, 0.5, shape), rate)


def codes(folder, **settings):
    with pytest.raises(ManyDataFaults) as found:
        read_recordings(folder, **settings)
    return [fault.code for fault in found.value.faults]


def test_samples_match_what_was_written(folder):
    values = np.array([0, 1, -32768, 32767, 5], dtype=np.int16)
    soundfile.write(folder / "c_1.wav", values, 8000, subtype="PCM_16")
    found = read_recordings(folder)
    np.testing.assert_array_equal(found.samples[found.names.index("c_1.wav")], values)
    assert found.rate_hz == 8000


@pytest.mark.parametrize(
    ("rule", "labels"),
    [
        ("auto", ("a", "a", "b")),
        ("none", ("", "", "")),
        (r"_(\d)$", ("1", "2", "1")),
    ],
)
def test_label_is_what_the_rule_finds(folder, rule, labels):
    assert read_recordings(folder, label=rule).labels == labels


def test_sub_folders_are_labels(folder):
    for name in ("dog/x_1.wav", "cat/x_1.wav"):
        save(folder / name)
    (folder / "a_1.wav").unlink(), (folder / "a_2.wav").unlink(), (folder / "b_1.wav").unlink()
    found = read_recordings(folder)
    assert found.labels == ("cat", "dog")
    assert "folder" in found.notes[0]


def test_stereo_and_other_rates_are_mended_aloud(folder):
    save(folder / "d_1.wav", channels=2)
    save(folder / "d_2.wav", rate=16000)
    found = read_recordings(folder)
    assert any("several channels" in note for note in found.notes)
    assert any("16000" in note and "8000" in note for note in found.notes)
    assert all(abs(len(one) - 400) <= 1 for one in found.samples)
    other = read_recordings(folder, rate_hz=4000)
    assert all(abs(len(one) - 200) <= 1 for one in other.samples)


def test_all_faulty_files_are_named_at_once(folder):
    soundfile.write(folder / "e_1.wav", np.zeros(100), 8000)
    soundfile.write(folder / "f_1.wav", np.full(50, np.nan), 8000, subtype="FLOAT")
    soundfile.write(folder / "g_1.wav", np.zeros(0), 8000)
    (folder / "h_1.wav").write_bytes(b"RIFF1234WAVEjunk")
    (folder / "i_1.wav").write_bytes((folder / "a_1.wav").read_bytes()[:30])
    assert codes(folder) == [
        "DATA-SILENT", "DATA-NAN", "DATA-EMPTY", "DATA-FORMAT", "DATA-FORMAT",
    ]  # fmt: skip


def test_silent_files_are_dropped_aloud_or_kept(folder):
    soundfile.write(folder / "e_1.wav", np.zeros(100), 8000)
    dropped = read_recordings(folder, silent="drop")
    assert len(dropped) == 3
    assert any("e_1.wav" in note for note in dropped.notes)
    assert len(read_recordings(folder, silent="keep")) == 4


def test_names_without_a_label_are_faults(folder):
    assert codes(folder, label=r"^(a)_") == ["DATA-NO-LABEL"]
    for rule in ("(", "abc"):
        with pytest.raises(UsageFault, match="LABEL-RULE"):
            read_recordings(folder, label=rule)


def test_what_is_no_sound_is_said(tmp_path):
    with pytest.raises(DataFault, match="DATA-NOT-FOUND"):
        read_recordings(tmp_path / "nothing")
    with pytest.raises(DataFault, match="DATA-EMPTY"):
        read_recordings(tmp_path)
    damaged = tmp_path / "sounds.tar.xz"
    damaged.write_bytes(samples.path("tones.tar.xz").read_bytes()[:5000])
    with pytest.raises(DataFault, match="DATA-FORMAT"):
        read_recordings(damaged)


def test_archive_reads_as_its_folder(tmp_path):
    place = tmp_path / "out"
    with tarfile.open(samples.path("tones.tar.xz")) as tar:
        for one in filter(tarfile.TarInfo.isfile, tar):  # extractall changed within Python 3.11
            (place / one.name).parent.mkdir(parents=True, exist_ok=True)
            (place / one.name).write_bytes(tar.extractfile(one).read())
    packed, plain = read_recordings(samples.path("tones.tar.xz")), read_recordings(place / "tones")
    assert packed.labels == plain.labels
    assert packed.classes == ("fall", "flat", "rise")
    for one, other in zip(packed.samples, plain.samples, strict=True):
        np.testing.assert_array_equal(one, other)


def test_sample_is_what_its_script_makes():
    def contents(packed):
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            return {one.name: tar.extractfile(one).read() for one in tar if one.isfile()}

    assert contents(archive()) == contents(samples.path("tones.tar.xz").read_bytes())


def test_wav_that_is_cut_off_is_a_fault_and_one_from_a_pipe_is_not(folder):
    whole = (folder / "a_1.wav").read_bytes()
    (folder / "c_1.wav").write_bytes(whole[:-100])
    with pytest.raises(ManyDataFaults) as found:
        read_recordings(folder)
    (fault,) = found.value.faults
    assert (fault.code, fault.place) == ("DATA-FORMAT", str(folder / "c_1.wav"))
    assert "100 bytes" in fault.found
    place = whole.index(b"data") + 4
    (folder / "c_1.wav").write_bytes(whole[:place] + b"\xff" * 4 + whole[place + 4 :])
    assert len(read_recordings(folder)) == 4


def test_what_16_bits_cannot_say_is_silent_or_clipped_aloud(folder):
    faint = np.random.default_rng(0).uniform(-1e-6, 1e-6, 100)
    soundfile.write(folder / "c_1.wav", faint, 8000, subtype="FLOAT")
    assert codes(folder) == ["DATA-SILENT"]
    soundfile.write(folder / "c_1.wav", faint * 2e6, 8000, subtype="FLOAT")
    assert any("clipped: c_1.wav" in note for note in read_recordings(folder).notes)


def test_nothing_but_silence_is_not_called_a_folder_without_sound(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(100), 8000)
    with pytest.raises(DataFault, match=r"silent files \(1\)"):
        read_recordings(tmp_path, silent="drop")


def test_folder_of_one_label_is_read_as_the_label(tmp_path):
    for name in ("dog/x.wav", "cat/y.wav"):
        save(tmp_path / name)
    rule = read_recordings(tmp_path).label_rule
    assert rule == "folder"
    for path in (tmp_path / "dog", tmp_path / "dog" / "x.wav"):
        assert read_recordings(path, label=rule, inside=True).labels == ("dog",)
    assert codes(tmp_path / "dog", label=rule) == ["DATA-NO-LABEL"]


def test_zip_reads_as_its_folder_without_what_file_managers_add(folder, tmp_path):
    whole = read_recordings(folder)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("__MACOSX/._a_1.wav", b"x")
        for one in sorted(folder.glob("*.wav")):
            archive.write(one, one.name)
    (folder / "._a_1.wav").write_bytes(b"x")
    for path in (tmp_path / "a.zip", folder):
        found = read_recordings(path)
        assert (found.names, found.sha256) == (whole.names, whole.sha256)
