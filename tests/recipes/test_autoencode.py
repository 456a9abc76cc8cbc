"""Tables and images as a user brings them: constant columns, anomalies, what is generated."""

from __future__ import annotations

import csv
import gzip
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from shinso.data import samples
from shinso.faults import DataFault, UsageFault
from shinso.objectives.evidence import estimate
from shinso.recipes import autoencode
from shinso.recipes.uses import codes
from shinso.walk.order import place
from shinso.walk.training import train

QUICK = {
    "steps": 150, "evaluate_every": 50, "latent": 2, "hidden": "16", "lr": 1e-2,
    "estimate_codes": 20, "estimate_samples": 50,
}  # fmt: skip


def idx_images(path):
    content = gzip.decompress(path.read_bytes())
    shape = [int.from_bytes(content[4 * n : 4 * n + 4], "big") for n in (1, 2, 3)]
    return np.frombuffer(content, np.uint8, offset=16).reshape(shape)


def write_idx(path, pixels):
    sizes = b"".join(size.to_bytes(4, "big") for size in pixels.shape)
    path.write_bytes(b"\0\0\x08\x03" + sizes + pixels.tobytes())


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


def test_column_that_was_constant_and_is_no_more_is_told(run, tmp_path):
    path = tmp_path / "new.csv"
    path.write_text("a,b,c,same\n0.5,0.2,0.3,7\n-1,0.4,-1.4,8\n0,0,0,\n")
    (note,) = run.predict([path]).notes
    assert "column same was 7.0" in note
    assert "2 rows" in note
    path.write_text("a,b,c,same\n0.5,0.2,0.3,7\n")
    assert run.predict([path]).notes == ()


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


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Runs on the bundled digits, by model; 20 samples of a part are estimated."""
    runs = str(tmp_path_factory.mktemp("digits"))
    more = {"iwae": {"codes": 4}, "vae": {"latent": 5}}
    return {
        name: train(
            place(
                "autoencode",
                [samples.path("digits.idx.gz")],
                (
                    "test",
                    {**QUICK, "estimate_samples": 20, "model": name, "runs": runs, **more[name]},
                ),
            )
        )
        for name in more
    }


def test_likelihood_of_some_samples_stands_for_the_whole_part(digits):
    run = digits["vae"]
    data = autoencode.read(run.order.config, [samples.path("digits.idx.gz")])
    few = run.use().evaluate(data, "test").metrics
    use = run.use()
    use.config = replace(use.config, estimate_samples=10_000)
    every = use.evaluate(data, "test").metrics
    assert few["elbo_nats"] == every["elbo_nats"] < few["log_likelihood_nats"]
    own = abs(few["log_likelihood_nats"] - every["log_likelihood_nats"])
    some = data.fixed("test", codes.SEED, 20)
    plain = estimate(use.model, some, 20, codes.SEED).mean()
    assert own < 0.3 < abs(float(plain) - every["log_likelihood_nats"])


def test_iwae_is_chosen_by_the_bound_it_learns_for(digits):
    run = digits["iwae"]
    metrics = run.result(0)["valid"]["metrics"]
    assert run.use().selects == "iwae_bound_nats"
    assert metrics["iwae_bound_nats"] > metrics["elbo_nats"]
    looks = [json.loads(line) for line in (run.folder.path / "seed0/metrics.jsonl").open()]
    seen = [look["iwae_bound_nats"] for look in looks if look["part"] == "valid"]
    assert run.result(0)["best_step"] == 50 * int(np.argmax(seen))


def test_score_of_an_image_does_not_depend_on_its_neighbours(digits, tmp_path):
    pixels = idx_images(samples.path("digits.idx.gz"))
    for name, some in (("all", pixels[:9]), ("one", pixels[4:5])):
        write_idx(tmp_path / name, some)
    every, alone = (digits["vae"].predict([tmp_path / name]).rows for name in ("all", "one"))
    assert alone[0][1:] == pytest.approx(every[4][1:])


def test_latent_plane_is_of_the_numbers_that_tell_most(digits, tmp_path):
    use = digits["vae"].use()
    with torch.no_grad():
        use.model.decoder[0].weight[:, [0, 2, 3]] = 0
    (said,) = use.generate(autoencode.Generation(show="plane"), "", tmp_path / "out.png")
    assert "z2, z5" in said
    picture = np.asarray(Image.open(tmp_path / "out.png"))
    corners = [picture[:8, :8], picture[:8, -8:], picture[-8:, :8], picture[-8:, -8:]]
    assert len({corner.tobytes() for corner in corners}) == 4


def test_a_file_is_of_the_kind_its_name_says(run, digits, tmp_path):
    for use, name in ((run.use(), "out.png"), (digits["vae"].use(), "out.csv")):
        with pytest.raises(UsageFault, match="GENERATE-NO-FILE"):
            list(use.generate(autoencode.Generation(), "", tmp_path / name))
        assert not (tmp_path / name).exists()


def test_network_for_images_refuses_what_is_none(table, tmp_path):
    with pytest.raises(UsageFault, match="SETTING-REFUSED"):
        autoencode.read(autoencode.Config(model="conv-vae"), [table])
    write_idx(tmp_path / "small", np.zeros((9, 3, 8), np.uint8))
    with pytest.raises(UsageFault, match="3 × 8"):
        autoencode.read(autoencode.Config(model="conv-vae"), [tmp_path / "small"])


def test_settings_that_nothing_reads_are_refused(table):
    with pytest.raises(UsageFault, match="SETTING-REFUSED"):
        place("autoencode", [table], ("flag", {"model": "autoencoder", "beta": "4"}))


def test_samples_of_a_test_part_that_were_learned_from_are_told(table):
    data = autoencode.read(autoencode.Config(test=(table,)), [table])
    assert any("of the test part stand in the train part too" in note for note in data.notes)
    clean = autoencode.read(autoencode.Config(), [table])
    assert not any("stand in the train part" in note for note in clean.notes)
