"""Tables and images as a user brings them: constant columns, anomalies, what is generated."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from PIL import Image

from shinso.data import samples
from shinso.faults import DataFault, UsageFault
from shinso.recipes import autoencode
from shinso.walk.order import place
from shinso.walk.training import train

QUICK = {
    "steps": 150, "evaluate_every": 50, "latent": 2, "hidden": "16", "lr": 1e-2,
    "estimate_codes": 20, "estimate_samples": 50,
}  # fmt: skip


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Two numbers that determine a third, one column that is constant, one of words."""
    path = tmp_path_factory.mktemp("table") / "rows.csv"
    rng = np.random.default_rng(0)
    rows = ["a,b,c,same,word"]
    for _ in range(300):
        a, b = rng.normal(size=2)
        rows.append(f"{a},{b},{a - b},7,blue")
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def run(table, tmp_path_factory):
    runs = str(tmp_path_factory.mktemp("runs"))
    return train(place("autoencode", [table], ("test", {**QUICK, "model": "vae", "runs": runs})))


def test_constant_and_text_columns_are_left_out_aloud(run):
    facts = run.folder.read_json("data.json")
    assert facts["columns"] == ["a", "b", "c"]
    assert any("same" in note and "DATA-CONSTANT" in note for note in facts["notes"])
    assert any("word" in note for note in facts["notes"])


def test_anomaly_stands_out(run, tmp_path):
    path = tmp_path / "new.csv"
    path.write_text("a,b,c\n0.5,0.2,0.3\n-1,0.4,-1.4\n1,1,9\n")
    rows = run.predict([path]).rows
    strange = [row[1] for row in rows]
    assert strange[2] > max(strange[:2]) + 3


def test_new_rows_come_in_the_tables_own_units(run, tmp_path):
    use = run.use()
    out = tmp_path / "new.csv"
    for show, count in (("samples", 5), ("interpolation", 16), ("plane", 225)):
        settings = autoencode.Generation(count=5 if show == "samples" else 2, show=show)
        assert str(count) in "".join(use.generate(settings, "", out))
        with out.open() as file:
            found = list(csv.DictReader(file))
        assert len(found) == count
        assert set(found[0]) == {"a", "b", "c"}
    with pytest.raises(UsageFault, match="GENERATE-NO-FILE"):
        list(use.generate(autoencode.Generation(), "", None))


def test_images_are_generated_as_a_picture_and_autoencoders_refuse(tmp_path):
    data = [samples.path("digits.idx.gz")]
    settings = {**QUICK, "steps": 5, "evaluate_every": 5, "runs": str(tmp_path)}
    convolutional = {**settings, "model": "conv-vae", "width": 4}
    del convolutional["hidden"]
    run = train(place("autoencode", data, ("test", convolutional)))
    out = tmp_path / "out.png"
    list(run.use().generate(autoencode.Generation(count=9), "", out))
    assert Image.open(out).size == (26, 26)
    plain = train(place("autoencode", data, ("test", {**settings, "model": "autoencoder"})))
    with pytest.raises(UsageFault, match="GENERATE-REFUSED"):
        list(plain.use().generate(autoencode.Generation(), "", out))


def test_data_that_teach_nothing_are_faults(tmp_path):
    path = tmp_path / "rows.csv"
    config = autoencode.Config()
    for content in ("a,b\n" + "1,2\n" * 20, "a,b\nx,y\nz,w\n"):
        path.write_text(content)
        with pytest.raises(DataFault, match=r"DATA-CONSTANT|DATA-EMPTY"):
            autoencode.read(config, [path])
    image = tmp_path / "images"
    image.mkdir()
    (image / "broken.png").write_bytes(b"\x89PNG junk")
    with pytest.raises(DataFault, match="DATA-IMAGE"):
        autoencode.read(config, [image])


@pytest.mark.parametrize(
    ("name", "value"), [("latent", 0), ("beta", -1.0), ("codes", 0), ("split", "1,0,0")]
)
def test_settings_out_of_range_are_refused(name, value):
    with pytest.raises(ValueError, match=name):
        autoencode.Config(**{name: value})
