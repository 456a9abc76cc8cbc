"""A compressed run is a run like any other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shinso.compress.chain import parse
from shinso.faults import Interrupted, RunFault, UsageFault
from shinso.runs.checkpoint import load_weights
from shinso.runs.folder import RunFolder
from shinso.training.stopping import StopRequest
from shinso.walk.audience import NoAudience
from shinso.walk.compress_steps import student_order
from shinso.walk.compressing import compress_run, resume_compression
from shinso.walk.compression import Compression
from shinso.walk.exporting import export_run
from shinso.walk.order import place
from shinso.walk.run import Run
from shinso.walk.training import resume, train
from tests.recipes.test_classify_images import folder_of
from tests.recipes.test_every_recipe import order_of_sample


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("runs")
    more: dict[str, Any] = {"steps": 40, "hidden": 12}
    return train(order_of_sample("classify-series", "gru", folder, **more))


def compressed(run: Run, do: str, **more: Any) -> Run:
    done = compress_run(run, Compression(do=do, tune_steps=4, **more))
    assert [row[0] for row in done.rows()][1] == "accuracy"
    again = Run.open(done.run.folder.path)
    assert again.folder.status()["state"] == "done"
    assert again.predict(run.order.paths).rows
    table = again.table()
    assert again.evaluate(part="test").as_dict()["rows"] == table.as_dict()["rows"]
    for name in ("card.md", "report.html", "compression.json", "env.json"):
        assert (again.folder.path / name).stat().st_size > 0
    multiply_adds = f"{again.folder.read_json('compression.json')['after']['multiply_adds']:,}"
    for page in ("card.md", "report.html"):
        assert multiply_adds in (again.folder.path / page).read_text(encoding="utf-8")
    return again


def test_int8_is_stored_whole_predicts_alike_and_is_exported(trained: Run) -> None:
    run = compressed(trained, "int8")
    file = load_weights(run.folder.seed(0).best_weights)
    assert {"recurrent.weight_ih_l0|int8", "head.weight|int8"} <= set(file)
    assert "activation.head|scale" in file
    before, after = (one.result(0)["test"]["metrics"]["accuracy"] for one in (trained, run))
    assert abs(before - after) < 0.03
    done = export_run(run, "onnx")
    assert done.parity.agrees
    import onnx

    nodes = [node.op_type for node in onnx.load(done.path).graph.node]
    # The recurrent weights are taken apart, the last layer multiplies whole numbers.
    assert nodes.count("DequantizeLinear") == 2
    assert nodes.count("QuantizeLinear") == nodes.count("MatMulInteger") == 1


def test_a_chain_of_three_is_smaller_in_every_way(trained: Run) -> None:
    run = compressed(
        trained, "distill=rnn:8,channels=0.25,prune=0.5:lottery,int4", share=0.9, hint=0.1
    )
    kept = run.folder.read_json("compression.json")
    assert kept["steps"] == ["distill=rnn:8", "channels=0.25", "prune=0.5:lottery", "int4"]
    for name in ("parameters", "file_bytes", "multiply_adds", "memory_bytes", "nonzero"):
        assert kept["after"][name] < kept["before"][name]
    assert run.order.model == "rnn"
    assert run.order.network_settings.config.hidden == 8
    weights = dict(run.use().model.named_parameters())  # type: ignore[attr-defined]
    assert weights["recurrent.weight_hh_l0"].shape == (6, 6)
    zero = sum(int((w == 0).sum()) for w in weights.values() if w.dim() > 1)
    assert zero >= 0.49 * sum(w.numel() for w in weights.values() if w.dim() > 1)


def test_masks_survive_learning_with_rounded_weights(trained: Run) -> None:
    run = compressed(trained, "prune=2:4,qat=int8")
    weight = dict(run.use().model.named_parameters())["recurrent.weight_hh_l0"]  # type: ignore[attr-defined]
    assert ((weight != 0).view(len(weight), -1, 4).sum(2) <= 2).all()


def test_growing_sparsity_is_reached_before_a_network_counts(trained: Run) -> None:
    run = compress_run(trained, Compression(do="prune=0.8:gradual", tune_steps=20)).run
    weights = [w for w in run.use().model.parameters() if w.dim() > 1]  # type: ignore[attr-defined]
    zeros = sum(int((w == 0).sum()) for w in weights) / sum(w.numel() for w in weights)
    assert zeros == pytest.approx(0.8, abs=0.01)
    result = run.result(0)
    assert 14 <= result["best_step"] <= result["steps"] == 20  # it grows for 14 steps
    assert result["seconds"] > 0


def test_network_as_it_was_teaches_while_training_on(trained: Run) -> None:
    run = compressed(trained, "channels=0.5,prune=0.5", taught=True, share=1.0)
    steps, losses = run.folder.seed(0).metrics.curve("loss", "train")
    assert steps
    told = run.folder.seed(0).metrics.curve("loss_teacher", "train")[1]
    assert told == pytest.approx(losses)
    assert min(told) > 1e-3  # the cut network, were it its own teacher, would have 0
    alone = compressed(trained, "channels=0.5,prune=0.5")
    assert alone.folder.seed(0).metrics.curve("loss_teacher", "train") == ([], [])


@pytest.mark.parametrize(
    ("do", "what"),
    [
        ("", "nothing is asked for"),
        ("int7", "no step has this form"),
        ("prune=1.5", "above 0 and below 1"),
        ("prune=4:2", "n stay"),
        ("prune=0.5:often", "none of once"),
        ("channels=0.5:outside", "none of all, inside"),
        ("int8,prune=0.5", "quantizing comes last"),
        ("prune=0.5,distill=gru", "distilling comes first"),
        ("distill=gru:hidden", "no width"),
    ],
)
def test_what_cannot_be_done_is_said(trained: Run, do: str, what: str) -> None:
    if do == "distill=gru:hidden":
        with pytest.raises(UsageFault, match="SETTING-INVALID"):
            compress_run(trained, Compression(do=do))
        return
    with pytest.raises(UsageFault, match="COMPRESS-UNKNOWN") as fault:
        parse(do)
    assert what in fault.value.text()


def test_a_run_without_channels_or_of_other_data_is_refused(trained: Run, tmp_path: Path) -> None:
    for bits in ("int4", "ternary", "int8"):  # only the last rounds what layers read
        run = compressed(trained, bits)
        with pytest.raises(UsageFault, match="quantized already"):
            compress_run(run, Compression(do="prune=0.5"))
    before = sorted((run.folder.path / "compress").glob("*"))
    assert before == []
    facts = run.facts | {"sha256": "0" * 64}
    run.folder.write_json("data.json", facts)
    with pytest.raises(RunFault, match="DATA-CHANGED"):
        compress_run(Run.open(run.folder.path), Compression(do="int4"))


def test_verbs_say_what_was_reached_and_what_is_wrong(
    trained: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    from shinso.cli.main import main

    path = str(trained.folder.path)
    assert main(["compress", path, "--do", "ternary"]) == 0
    said = capsys.readouterr().out
    assert "multiply–adds" in said
    assert "compress/" in said
    assert main(["runs", "list", "--runs", str(trained.folder.path.parent.parent)]) == 0
    assert str(trained.folder.path / "compress") in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["compress", "--help"])
    assert "on the CPU" in capsys.readouterr().out
    assert main(["compress", path, "--do", "half"]) == 2
    assert main(["compress", path, "--calibration", "guess"]) == 2
    assert main(["compress", "/nowhere"]) == 3
    assert main(["export", path, "tflite"]) == 2
    assert main(["export", path, "onnx", "--json"]) == 0
    assert "comparisons" in capsys.readouterr().out


class Impatient(NoAudience):
    """Presses Ctrl-C when so many steps were told."""

    def __init__(self, after: int) -> None:
        self.left, self.stop = after, StopRequest()

    def on_step(self, step: int, steps: int, scalars: Any) -> None:
        self.left -= 1
        if self.left == 0:
            self.stop.ask()


CHAIN = "distill=rnn:8,prune=0.6:gradual,qat=int8"


@pytest.fixture(scope="module")
def two_seeds(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("two")
    more: dict[str, Any] = {"steps": 20, "hidden": 12, "seeds": 2, "dropout": 0.3}
    return train(order_of_sample("classify-series", "gru", folder, **more))


# Each seed tells 4 steps of the student, 2 of growing sparsity and 2 of learning on rounded.
@pytest.mark.parametrize("after", [2, 5, 8, 13])
def test_a_stopped_chain_resumes(two_seeds: Run, after: int) -> None:
    settings = Compression(do=CHAIN, tune_steps=10, hint=0.1, taught=True)
    whole = compress_run(two_seeds, settings).run
    impatient = Impatient(after)
    with pytest.raises(Interrupted) as stopped:
        compress_run(two_seeds, settings, audience=impatient, stop=impatient.stop)
    folder = Path(stopped.value.resume.split()[-1])
    assert stopped.value.resume == f"shinso compress --resume {folder}"
    status = RunFolder(folder).status()
    assert (status["state"], status["resume"]) == ("interrupted", stopped.value.resume)
    again = resume_compression(folder).run
    assert again.folder.path == folder
    told = [line.split("  ", 1)[1] for line in (folder / "log.txt").read_text().splitlines()]
    assert [one for one in told if not one.startswith(("seed ", "step "))] == [
        "running", "interrupted", "running", "done"
    ]  # fmt: skip
    for seed in (0, 1):
        first, second = (load_weights(r.folder.seed(seed).best_weights) for r in (whole, again))
        assert first.keys() == second.keys()
        assert all(first[name].equal(second[name]) for name in first)
        kept = [r.result(seed) for r in (whole, again)]
        for name in ("steps", "best_step", "valid", "test"):
            assert kept[0][name] == kept[1][name]
        rows = [list(r.folder.seed(seed).metrics.rows()) for r in (whole, again)]
        assert rows[0] == rows[1]
        assert sorted(one.name for one in again.folder.seed(seed).path.iterdir()) == [
            "metrics.jsonl", "result.json", "weights"
        ]  # fmt: skip
    steps = whole.folder.seed(0).metrics.curve("loss", "train")[0]
    assert steps[-1] == whole.result(0)["steps"] == 40  # the student's 20, then 10 and 10


def test_training_on_draws_its_own_numbers(two_seeds: Run) -> None:
    import torch

    def weights() -> dict[str, torch.Tensor]:
        run = compress_run(two_seeds, Compression(do="prune=0.5", tune_steps=4)).run
        return load_weights(run.folder.seed(0).best_weights)

    first = weights()
    torch.rand(1)  # whoever calls from Python has drawn some
    assert all(one.equal(first[name]) for name, one in weights().items())


def test_only_a_compression_is_resumed_as_one(two_seeds: Run) -> None:
    with pytest.raises(UsageFault, match="RUN-NOT-COMPRESSED"):
        resume_compression(two_seeds.folder.path)
    run = compressed(two_seeds, "int8")
    card = (run.folder.path / "card.md").read_text(encoding="utf-8")
    with pytest.raises(UsageFault, match="RUN-COMPRESSED") as fault:
        resume(run.folder.path)
    assert f"shinso compress --resume {run.folder.path}" in fault.value.text()
    assert (run.folder.path / "card.md").read_text(encoding="utf-8") == card
    assert resume_compression(run.folder.path).run.table().rows == run.table().rows


def test_a_layer_that_began_with_zeros_was_not_pruned(tmp_path: Path) -> None:
    run = train(order_of_sample("forecast", "gru", tmp_path, steps=2, hidden=12))
    head = run.use().model.head.weight  # type: ignore[attr-defined]
    assert not head.any()  # as untrained it is persistence, on which nothing has improved yet
    smaller = compress_run(run, Compression(do="channels=0.5", tune_steps=0, multiple=1)).run
    pruned = compress_run(smaller, Compression(do="prune=0.5", tune_steps=0)).run
    with pytest.raises(UsageFault, match="channels go first"):
        compress_run(pruned, Compression(do="channels=0.5"))
    rounded = compress_run(pruned, Compression(do="int8")).run
    weight = dict(rounded.use().model.named_parameters())["recurrent.weight_hh_l0"]  # type: ignore[attr-defined]
    assert float((weight == 0).float().mean()) > 0.3
    student = compress_run(pruned, Compression(do="distill=gru:8", tune_steps=0)).run
    compress_run(student, Compression(do="channels=0.5", tune_steps=0, multiple=1))


def test_channels_of_a_student_go_and_words_never_do(tmp_path: Path) -> None:
    run = train(order_of_sample("tag", "bilstm", tmp_path, steps=2))
    do = "distill=bilstm,channels=0.5"
    smaller = compress_run(run, Compression(do=do, tune_steps=2, multiple=1)).run
    weights = [dict(r.use().model.named_parameters()) for r in (run, smaller)]  # type: ignore[attr-defined]
    before, after = (one["recurrent.weight_hh_l0"].shape[1] for one in weights)
    assert after == before // 2
    writer = train(order_of_sample("language-model", "lstm", tmp_path, steps=2))
    with pytest.raises(UsageFault, match="no channels that can be removed"):
        compress_run(writer, Compression(do="channels=0.5"))  # every state is carried on


@pytest.mark.parametrize(
    ("task", "model", "do"),
    [
        ("language-model", "lstm", "distill=lstm:10"),
        ("translate", "luong", "distill=luong:10"),
    ],
)
def test_students_are_told_scores(task: str, model: str, do: str, tmp_path: Path) -> None:
    """Where only the loss makes scores of what a network answers with, widths of states differ."""
    run = train(order_of_sample(task, model, tmp_path, steps=11))
    done = compress_run(run, Compression(do=do))
    assert done.after.parameters < done.before.parameters
    told = done.run.folder.seed(0).metrics.curve("loss_teacher", "train")[1]
    assert told
    assert min(told) > 0


@pytest.fixture(scope="module")
def detectors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    folder = tmp_path_factory.mktemp("detectors")
    return {
        model: train(order_of_sample("detect", model, folder, steps=4))
        for model in ("ssd-resnet", "faster-rcnn")
    }


@pytest.mark.parametrize(
    ("do", "more"),
    [
        ("distill=ssd-resnet:0.125", {}),
        ("distill=ssd-mobilenet-v2:0.25", {}),
        ("prune=0.5", {"taught": True, "tune_steps": 4}),
    ],
)
def test_detectors_are_taught_box_by_box(
    detectors: dict[str, Run], do: str, more: dict[str, Any]
) -> None:
    run = detectors["ssd-resnet"]
    done = compress_run(run, Compression(do=do, **more))
    assert done.after.nonzero < done.before.nonzero
    ours, theirs = (one.use().model for one in (done.run, run))  # type: ignore[attr-defined]
    assert ours.defaults.equal(theirs.defaults)  # whatever network has them
    rows = list(done.run.folder.seed(0).metrics.rows())
    told = [row["loss_teacher"] for row in rows if "loss_teacher" in row]
    assert told
    assert min(told) > 0
    assert done.run.table().rows


@pytest.mark.parametrize(
    ("model", "asked", "why"),
    [
        ("ssd-resnet", {"do": "distill=ssd-resnet:strides=8+width=0.25"}, "default boxes"),
        ("ssd-resnet", {"do": "distill=ssd-resnet", "hint": 0.1}, "no linear layer"),
        ("ssd-resnet", {"do": "distill=faster-rcnn"}, "as many boxes as it finds"),
        ("faster-rcnn", {"do": "distill=faster-rcnn"}, "as many boxes as it finds"),
        ("faster-rcnn", {"do": "distill=ssd-resnet"}, "as many boxes as it finds"),
        ("faster-rcnn", {"do": "prune=0.5", "taught": True}, "as many boxes as it finds"),
    ],
)
def test_detectors_that_say_other_boxes_are_refused_before_they_are_trained(
    detectors: dict[str, Run], model: str, asked: dict[str, Any], why: str
) -> None:
    run = detectors[model]
    before = sorted((run.folder.path / "compress").glob("*"))
    impatient = Impatient(1)
    with pytest.raises(UsageFault, match="COMPRESS-REFUSED") as fault:
        compress_run(run, Compression(tune_steps=2 if "taught" in asked else -1, **asked),
                     audience=impatient)  # fmt: skip
    assert why in fault.value.text()
    assert impatient.left == 1  # not a step was told
    assert sorted((run.folder.path / "compress").glob("*")) == before


def test_what_no_teacher_can_say_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    run = train(order_of_sample("autoencode", "vae", tmp_path, steps=2))
    with pytest.raises(UsageFault, match="COMPRESS-REFUSED"):
        compress_run(run, Compression(do="prune=0.5", taught=True, tune_steps=2))
    assert list((run.folder.path / "compress").glob("*")) == []


def test_an_agent_is_not_trained_on_by_gradient_steps(tmp_path: Path) -> None:
    run = train(order_of_sample("control", "dqn", tmp_path))
    for do in ("prune=0.5", "qat=int8", "distill=dqn"):
        with pytest.raises(UsageFault, match="does not learn by gradient steps"):
            compress_run(run, Compression(do=do))


def test_a_network_that_takes_no_plain_tensors_is_made_smaller_too(tmp_path: Path) -> None:
    run = train(order_of_sample("dialogue", "hred", tmp_path, steps=2))
    done = compress_run(run, Compression(do="prune=0.5,int4", tune_steps=2))
    assert done.after.file_bytes < done.before.file_bytes / 4
    assert done.rows()[-1][1:] == ("—", "—")
    assert done.run.table().rows


def test_a_lottery_ticket_is_trained_whatever_is_trained_on(trained: Run) -> None:
    run = compress_run(trained, Compression(do="prune=0.5:lottery", tune_steps=0)).run
    assert run.result(0)["steps"] == trained.result(0)["steps"]


@pytest.mark.parametrize(
    "asked",
    [
        {"do": "int8", "taught": True},
        {"do": "int8", "tune_steps": 5},
        {"do": "ternary", "calibration": "minmax"},
        {"do": "qat=int8", "symmetric": False},
        {"do": "ternary", "per_channel": False},
        {"do": "prune=0.5", "multiple": 8},
        {"do": "prune=0.5", "temperature": 2.0},
        {"do": "prune=0.5:lottery", "tune_lr": 0.1},
        {"do": "prune=0.5", "sequence_level": True},
        {"do": "distill=gru:4", "sequence_level": True, "hint": 0.1},
    ],
)
def test_a_setting_that_no_step_reads_is_refused(trained: Run, asked: dict[str, Any]) -> None:
    with pytest.raises(UsageFault, match="SETTING-REFUSED") as fault:
        trained.compress(**asked)
    assert list(asked)[-1] in fault.value.text()


def test_a_runs_own_budget_does_not_end_its_training_on(tmp_path: Path) -> None:
    run = train(order_of_sample("classify-series", "gru", tmp_path, steps=20, budget="1h"))
    config = (run.folder.path / "config.yaml").read_text(encoding="utf-8")
    short = config.replace("budget: 1h", "budget: 1s")
    assert short != config
    run.folder.write_text("config.yaml", short)
    done = Run.open(run.folder.path).compress("prune=0.5:gradual", tune_steps=60)
    assert done.result(0)["steps"] == 60


def test_python_makes_it_smaller_and_one_file(trained: Run, tmp_path: Path) -> None:
    run = trained.compress("int8")
    file = run.export(tmp_path / "small.onnx")
    assert file == tmp_path / "small.onnx"
    import onnx

    ours, theirs = (onnx.load(path) for path in (file, run.export()))
    weights, others = (
        sorted(one.raw_data for one in net.graph.initializer) for net in (ours, theirs)
    )
    assert weights == others  # the exporter's own names and order are not the same each time
    assert len(weights) > 3
    assert trained.export(tmp_path / "whole.pt2").stat().st_size > file.stat().st_size
    with pytest.raises(UsageFault, match="SEED-UNKNOWN") as raised:
        trained.use(9)
    assert raised.value.why.endswith("0")
    with pytest.raises(UsageFault, match="OUTPUT-REFUSED"):
        run.export(tmp_path / "small.tflite")
    assert not (tmp_path / "small.tflite").exists()
    with pytest.raises(UsageFault, match="SETTING-UNKNOWN"):
        trained.compress("int8", calibrate="mse")


GENTLE = {"tune_steps": 1, "tune_lr": 1e-9}
"""Training on that leaves a network what it is."""


def measured(run: Run, metric: str) -> float:
    return run.result(0)["test"]["metrics"][metric]


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that began with the weights of a file."""
    folder = tmp_path_factory.mktemp("begun")
    images = folder_of(folder / "images", dark=30, grey=30, light=30)
    short: dict[str, Any] = {"depth": 8, "width": 0.5, "batch_size": 16, "runs": str(folder)}
    short |= {"lr": 0.05, "split": "0.5,0.25,0.25"}

    def trained(steps: int, **more: Any) -> Run:
        settings = {**short, "steps": steps, "evaluate_every": steps, **more}
        return train(place("classify-images", (images,), ("test", settings)))

    first = trained(1)
    run = trained(30, weights=str(first.folder.seed(0).best_weights), frozen=1)
    assert measured(run, "loss_nats") < measured(first, "loss_nats") - 0.2
    return run


def test_training_on_begins_with_what_a_run_learnt_not_with_the_weights_it_began_with(
    begun: Run,
) -> None:
    for do in ("prune=0.01", "qat=int8"):
        after = measured(begun.compress(do, **GENTLE), "loss_nats")
        assert after == pytest.approx(measured(begun, "loss_nats"), abs=0.05)
    narrow = begun.compress("channels=0.3", multiple=1, **GENTLE)
    assert narrow.result(0)["parameters"] < begun.result(0)["parameters"]


def test_a_student_of_another_network_begins_without_the_weights_of_its_teacher(
    begun: Run,
) -> None:
    other = student_order(begun.order, parse("distill=resnet:0.25")[0])
    assert (other.config.weights, other.config.frozen) == (None, 0)
    student = begun.compress("distill=resnet")
    assert student.order.config.frozen == 1
    file = load_weights(student.order.config.weights)
    ours = load_weights(student.folder.seed(0).best_weights)
    assert ours["conv1.weight"].equal(file["conv1.weight"])
    assert not ours["fc.weight"].equal(file["fc.weight"])


def test_what_a_fine_tuned_text_classifier_learnt_stays_while_training_on(tmp_path: Path) -> None:
    first = train(order_of_sample("bert-pretrain", "bert", tmp_path, steps=2, warmup=0))
    own = order_of_sample("classify-text", "bert", tmp_path)
    settings = {
        **own.recipe.BRIEF.settings, "start": str(first.folder.path), "runs": str(tmp_path),
        "only": 200, "steps": 60, "warmup": 0, "evaluate_every": 20, "lr": 5e-3,
    }  # fmt: skip
    del settings["vocabulary"]  # the start has one
    tuned = train(place("classify-text", own.paths, ("test", settings)))
    kept = tuned.compress("prune=0.01", **GENTLE)
    began, learnt, after = (
        load_weights(one.folder.seed(0).best_weights)["bert.pieces.weight"]
        for one in (first, tuned, kept)
    )
    assert not learnt.allclose(began, atol=1e-2)
    assert after.allclose(learnt, atol=2e-3)
    assert measured(kept, "accuracy") == pytest.approx(measured(tuned, "accuracy"), abs=0.02)


def test_a_student_may_have_settings_that_only_its_teacher_read(tmp_path: Path) -> None:
    order = order_of_sample("dialogue", "vhred", tmp_path, anneal_steps=500)
    student = student_order(order, parse("distill=hred")[0])
    assert (student.model, student.config.anneal_steps) == ("hred", 500)
    with pytest.raises(UsageFault, match="SETTING-REFUSED"):
        student_order(order, parse("distill=hred:anneal_steps=400")[0])
