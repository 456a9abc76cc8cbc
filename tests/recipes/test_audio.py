"""Recordings as a user brings them: long ones, other folders than the first, parts of their own."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
import torch

from shinso.faults import DataFault, ManyDataFaults
from shinso.models.wavenet import WaveNet
from shinso.recipes import audio
from shinso.recipes.uses import sounds
from shinso.walk.order import place
from shinso.walk.training import train

QUICK = {
    "steps": 3, "evaluate_every": 3, "batch_size": 2, "crop": 100, "layers": 4,
    "largest_dilation": 8, "width": 8, "skips": 8,
}  # fmt: skip


def save(path, samples=400, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    soundfile.write(path, rng.uniform(-0.5, 0.5, samples), 8000, subtype="PCM_16")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sounds")
    for first, label in ((0, "cat"), (10, "dog")):
        for number in range(4):
            save(folder / label / f"{number}.wav", 300 + 50 * number, seed=first + number)
    save(folder / "dog" / "long.wav", 2500, seed=99)
    return folder


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    runs = str(tmp_path_factory.mktemp("runs"))
    return train(place("audio", [folder], ("test", {**QUICK, "runs": runs})))


def test_long_recordings_are_scored_in_pieces_to_the_same_nats(run, folder, monkeypatch):
    whole = run.predict([folder]).rows
    evaluated = run.use().evaluate(run.use().read_new([folder]), "new")
    monkeypatch.setattr(sounds, "AT_ONCE", 60)
    pieces = run.predict([folder]).rows
    assert [row[:2] for row in pieces] == [row[:2] for row in whole]
    np.testing.assert_allclose([row[2] for row in pieces], [row[2] for row in whole], rtol=1e-5)
    again = run.use().evaluate(run.use().read_new([folder]), "new")
    assert again.metrics == pytest.approx(dict(evaluated.metrics), rel=1e-5)
    by_label = again.details["by_label"]
    assert [(row["label"], row["recordings"]) for row in by_label] == [("cat", 4), ("dog", 5)]


def test_a_look_scores_no_more_than_it_is_allowed(run, folder, monkeypatch):
    monkeypatch.setattr(sounds, "AT_ONCE", 60)
    use = run.use()
    scored = []
    true = use._nats
    monkeypatch.setattr(use, "_nats", lambda *given: scored.append(true(*given)[1]) or true(*given))
    use.evaluate(use.read_new([folder]), "new", most=500)
    assert 300 <= int(scored[0].sum()) <= 500


def test_picture_of_a_long_recording_shows_its_beginning(run, folder, monkeypatch):
    monkeypatch.setattr(sounds, "MOST_DRAWN", 200)
    _draw, table = run.use().plots(run.use().read_new([folder / "dog" / "long.wav"]), "new")[
        "waveform"
    ]
    assert len(table.rows) == 200


def test_new_files_are_labelled_by_the_rule_that_was_decided_on(run, folder):
    names = [row[0] for row in run.predict([folder / "dog"]).rows]
    assert names == ["0.wav", "1.wav", "2.wav", "3.wav", "long.wav"]
    assert len(run.predict([folder / "cat" / "1.wav"]).rows) == 1
    save(folder.parent / "cow" / "1.wav")
    with pytest.raises(ManyDataFaults) as found:
        run.use().read_new([folder.parent / "cow" / "1.wav"])
    assert found.value.faults[0].place == str(folder.parent / "cow" / "1.wav")


def test_a_new_file_without_a_label_is_heard_with_the_likeliest(run, folder, tmp_path):
    content = (folder / "dog" / "0.wav").read_bytes()
    for label in ("cat", "dog", "new"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "0.wav").write_bytes(content)
    found = run.predict([tmp_path])
    cat, dog, new = found.rows
    assert found.columns[-1] == "label"
    assert (cat[-1], dog[-1]) == ("cat", "dog")
    assert cat[2] != dog[2]
    assert new[2:] == pytest.approx(min(cat, dog, key=lambda row: row[2])[2:])
    assert any("1 recordings bear no label" in note for note in found.notes)
    (tmp_path / "dog" / "0.wav").rename(tmp_path / "0.wav")
    (alone,) = run.predict([tmp_path / "0.wav"]).rows
    assert alone[2:] == pytest.approx(new[2:])


def test_what_had_to_be_changed_in_new_files_is_told(run, folder, tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "dog").mkdir()
    soundfile.write(tmp_path / "dog" / "two.wav", rng.uniform(-0.5, 0.5, (300, 2)), 8000)
    notes = run.predict([tmp_path]).notes
    assert any("several channels" in note for note in notes)


def test_labels_of_a_part_of_its_own_follow_the_first_files(folder, tmp_path):
    for number in range(3):
        save(tmp_path / "dog" / f"{number}.wav", seed=50 + number)
    data = audio.read(audio.Config(test=(tmp_path / "dog",)), [folder])
    assert data.clips["test"].labels.tolist() == [1, 1, 1]
    save(tmp_path / "cow" / "0.wav")
    with pytest.raises(ManyDataFaults, match="DATA-UNKNOWN-LABEL"):
        audio.read(audio.Config(test=(tmp_path / "cow",)), [folder])


def test_recordings_of_a_test_part_that_were_learned_from_are_told(folder):
    data = audio.read(audio.Config(test=(folder,)), [folder])
    assert any("of the test part stand in the train part too" in note for note in data.notes)
    clean = audio.read(audio.Config(), [folder])
    assert not any("stand in the train part" in note for note in clean.notes)


def test_too_few_recordings_are_called_recordings(tmp_path):
    save(tmp_path / "a.wav")
    with pytest.raises(DataFault, match="1 recordings"):
        audio.read(audio.Config(), [tmp_path])


def test_first_counted_sample_of_a_crop_is_scored_as_in_the_whole_recording(folder):
    order = place("audio", [folder], ("test", {**QUICK, "batch_size": 20}))
    data = audio.read(order.config, [folder])
    network = audio.make_model(order.config, WaveNet, order.network_settings.config, data.facts())
    clips = data.clips["train"]
    batch = audio.build(order.config, data, network, 0).source.next_batch()
    found = 0
    for row in range(20):
        counted = batch.counted[row].nonzero().flatten()
        first, values = int(counted[0]), (batch.values[row] * 32768).round().to(torch.int16)
        kept = values[: int(counted[-1]) + 1].numpy()
        if not first:
            continue
        with torch.no_grad():
            crop = network(batch.classes[row : row + 1], batch.labels[row : row + 1])[0, first]
        for number, clip in enumerate(clips.values):
            begin = clip.tobytes().find(kept.tobytes())
            if begin < 0:
                continue
            whole = clips.batch([(number, 0, 0, len(clip))])
            with torch.no_grad():
                wanted = network(whole.classes, whole.labels)[0, begin // 2 + first]
            torch.testing.assert_close(crop, wanted, rtol=1e-5, atol=1e-5)
            found += 1
    assert found > 3
