"""What is special to the translate recipe: its parts, its faults, its scores, its streams."""

from __future__ import annotations

import dataclasses
import io
import json
import sys
from pathlib import Path

import pytest
import sacrebleu

from shinso.cli.main import main
from shinso.data import samples
from shinso.data.parallel_text import read_pairs
from shinso.faults import UsageFault
from shinso.recipes import translate as recipe
from shinso.recipes.uses.translation_scores import paired_bootstrap, scores, signatures
from shinso.runs.folder import RunFolder
from shinso.walk.order import place
from shinso.walk.run import Run, compare
from shinso.walk.training import train
from tests.data.faults_of import faults_of, written

PAIRS = read_pairs([samples.path("dates.en-ja.tsv")])
SMALL = {
    "vocabulary": 200, "steps": 3, "evaluate_every": 3, "batch_tokens": 400, "warmup": 0,
    "tokenize": "char", "beams": 2, "encoder_layers": 1, "decoder_layers": 1, "model": "luong",
    "hidden": 16, "embedding": 16,
}  # fmt: skip


def tsv(rows, name: str) -> Path:
    return written("".join(f"{s}\t{t}\n" for s, t in rows), name)


def rows(first: int, last: int) -> list[tuple[str, str]]:
    return list(zip(PAIRS.source[first:last], PAIRS.target[first:last], strict=True))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("runs")
    paths = {}
    for name, some in {
        "train": rows(0, 100),
        "valid": rows(100, 120),
        "test": rows(120, 140),
    }.items():
        paths[name] = folder / f"{name}.tsv"
        paths[name].write_text("".join(f"{s}\t{t}\n" for s, t in some), encoding="utf-8")
    settings = {
        **SMALL, "runs": str(folder), "valid": str(paths["valid"]), "test": str(paths["test"]),
    }  # fmt: skip
    return train(place("translate", [paths["train"]], ("test", settings)))


def test_given_parts_are_taken_as_they_are(run):
    facts = run.facts
    assert facts["part_pairs"] == {"train": 100, "valid": 20, "test": 20}
    assert facts["split"] == "given"
    found = run.evaluation().details["translations"]
    assert [(row["source"], row["reference"]) for row in found] == rows(120, 140)


def test_scores_match_sacrebleu(run):
    found = run.evaluation()
    answers = [row["translation"] for row in found.details["translations"]]
    references = [row["reference"] for row in found.details["translations"]]
    bleu = sacrebleu.corpus_bleu(answers, [references], tokenize="char", force=True)
    assert found.metrics["bleu"] == pytest.approx(bleu.score)
    assert found.metrics["chrf"] == pytest.approx(
        sacrebleu.corpus_chrf(answers, [references]).score
    )
    baselines = run.table().as_dict()["rows"]
    assert [row["name"] for row in baselines] == ["copy", "unigram", "luong"]
    assert "tok:char" in signatures("char")
    assert any("tok:char" in note for note in run.facts["notes"])
    assert signatures("char") in run.evaluate(part="valid").notes


def test_lines_are_answered_one_by_one_as_a_file_is(run):
    lines = ["The park opens at 3 o'clock on 4 May.", "", "  ", PAIRS.source[0]]
    path = written("\n".join(lines) + "\n", "new.txt")
    use = run.use()
    asked = []

    def watched():
        for line in lines:
            asked.append(line)
            yield line

    answers = []
    for number, answer in enumerate(use.stream(watched()), 1):
        assert len(asked) == number
        answers.append(answer)
    found = use.predict([path])
    assert found.columns == ("source", "translation")
    assert [row[1] for row in found.rows] == answers
    assert answers[1] == answers[2] == ""


def test_predict_says_its_notes_and_refuses_the_other_direction(run, capsys):
    where, sentence = str(run.folder.path), "公園は 5 月 4 日に開きます。"
    path = written(f"{sentence}\n".encode("cp932"), "new.txt")
    assert main(["predict", where, str(path)]) == 0
    said = capsys.readouterr()
    assert "is read as cp932" in said.err
    assert "cp932" not in said.out
    swapped = tsv([(t, s) for s, t in rows(0, 20)], "swapped.tsv")
    assert main(["predict", where, str(swapped)]) == 3
    assert "DATA-SWAPPED" in capsys.readouterr().err
    some = tsv([*rows(0, 20), rows(20, 21)[0][::-1]], "some.tsv")
    assert main(["predict", where, str(some)]) == 0
    assert "look as if source and target were swapped: line 21" in capsys.readouterr().err
    assert main(["predict", where, str(written("\n \n", "blank.txt"))]) == 3
    said = capsys.readouterr().err
    assert "holds no text" in said
    assert "learn" not in said


def test_run_is_used_with_another_search_than_it_was_trained_with(run, capsys):
    where, path = str(run.folder.path), str(written(f"{PAIRS.source[0]}\n", "new.txt"))
    use = run.use()
    use.config = dataclasses.replace(use.config, beams=1, length_penalty=1.0)
    greedy = use.translate([PAIRS.source[0]])[0]
    use.config = dataclasses.replace(use.config, beams=4, length_penalty=0.0)
    wide = use.translate([PAIRS.source[0]])[0]
    assert len({greedy, wide, run.use().translate([PAIRS.source[0]])[0]}) > 1  # flags can tell
    for flags, answer in (
        (["--beams", "1"], greedy),
        (["--beams", "4", "--length-penalty", "0"], wide),
    ):
        assert main(["predict", *flags, where, path, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)[0]["translation"] == answer
    assert main(["evaluate", where, "--part", "valid", "--beams", "1"]) == 0
    assert "used with beams=1" in capsys.readouterr().out
    assert Run.open(where).order.config.beams == 2
    assert main(["predict", where, path, "--beams", "0"]) == 2
    assert "beams is 0" in capsys.readouterr().err
    assert main(["predict", where, path, "--beams", "1", "--length-penalty", "0"]) == 2
    assert "nothing reads length_penalty" in capsys.readouterr().err
    with pytest.raises(UsageFault, match="SETTING-UNKNOWN"):
        run.with_settings(vocabulary=3)
    with pytest.raises(SystemExit):
        main(["predict", where, "--help"])
    assert "kept while searching; 1: greedy [2]" in capsys.readouterr().out


@pytest.mark.parametrize("errors", ["surrogateescape", "strict"])  # C.UTF-8, any other locale
def test_broken_line_of_standard_input_is_named_and_the_lines_before_are_answered(
    run, monkeypatch, capsys, errors
):
    given = io.BytesIO(f"{PAIRS.source[0]}\r\n\nca".encode() + b"f\xe9\nmore\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(given, encoding="utf-8", errors=errors))
    assert main(["predict", str(run.folder.path), "-"]) == 3
    said = capsys.readouterr()
    assert said.out.splitlines() == run.use().translate([PAIRS.source[0], ""])
    assert "DATA-ENCODING" in said.err
    assert "line 3" in said.err
    assert "0xe9" in said.err


def test_run_needs_nothing_but_its_folder(run, monkeypatch):
    for path in run.folder.path.parent.parent.glob("*.tsv"):
        path.rename(path.with_suffix(".gone"))
    try:
        again = Run.open(run.folder.path)
        assert again.use().translate([PAIRS.source[0]]) == run.use().translate([PAIRS.source[0]])
    finally:
        for path in run.folder.path.parent.parent.glob("*.gone"):
            path.rename(path.with_suffix(".tsv"))


def test_swapped_file_is_refused_for_the_trained_direction(run):
    swapped = tsv([(t, s) for s, t in rows(0, 20)], "swapped.tsv")
    (fault,) = faults_of(lambda: run.use().read_new([swapped]))
    assert fault.code == "DATA-SWAPPED"
    config = recipe.Config(valid=(swapped,), test=(swapped,), vocabulary=200)
    (fault,) = faults_of(lambda: recipe.read(config, [tsv(rows(0, 100), "train.tsv")]))
    assert fault.code == "DATA-SWAPPED"


def test_check_shows_what_people_can_read(capsys):
    path = str(tsv(rows(0, 60), "all.tsv"))
    assert main(["check", "translate", path, "--vocabulary", "200"]) == 0
    shown = {line.split(":")[0] for line in capsys.readouterr().out.splitlines()}
    assert {"part_pairs", "vocabulary_sizes", "length_ratio"} <= shown
    assert not {"subwords", "profiles", "word_table"} & shown
    assert main(["check", "translate", path, "--vocabulary", "200", "--json"]) == 0
    assert "word_table" in json.loads(capsys.readouterr().out)["facts"]  # a program gets all


def test_over_long_train_pairs_are_left_out_aloud_and_others_kept():
    long = (" ".join(PAIRS.source[:20]), " ".join(PAIRS.target[:20]))
    path = tsv([*rows(0, 60), long], "train.tsv")
    config = recipe.Config(
        valid=(tsv([*rows(60, 70), long], "v.tsv"),), test=(tsv(rows(70, 80), "t.tsv"),),
        vocabulary=200, longest=60,
    )  # fmt: skip
    data = recipe.read(config, [path])
    assert any(
        "1 train pairs have more than 60 subwords" in n and "line 61" in n for n in data.notes
    )
    assert len(data.samples("train")) == 60
    assert len(data.samples("valid")) == 11
    assert not any("were asked for" in note for note in data.notes)
    many = recipe.Config(valid=config.valid, test=config.test, vocabulary=5000)
    notes = recipe.read(many, [path]).notes
    assert [note for note in notes if note.endswith("subwords; 5,000 were asked for")]
    tight = recipe.Config(valid=config.valid, test=config.test, vocabulary=200, longest=2)
    (fault,) = faults_of(lambda: recipe.read(tight, [path]))
    assert fault.code == "DATA-TOO-LONG"


LEARNED = {
    **{name: value for name, value in SMALL.items() if name not in ("hidden", "embedding")},
    "model": "transformer", "positions": "learned", "width": 16, "heads": 2, "inner": 16,
}  # fmt: skip
LONG = (" ".join(PAIRS.source[:3]), " ".join(PAIRS.target[:3]))


def test_pairs_beyond_the_learnt_positions_are_named_before_training():
    parts = {"valid": str(tsv(rows(60, 70), "v.tsv")), "test": str(tsv(rows(70, 80), "t.tsv"))}
    short, long = tsv(rows(0, 60), "short.tsv"), tsv([*rows(0, 60), LONG], "long.tsv")
    settings = {**LEARNED, **parts, "capacity": 60}
    (fault, other) = faults_of(lambda: train(place("translate", [long], ("test", settings))))
    assert (fault.code, other.code) == ("DATA-TOO-LONG",) * 2
    assert fault.place == f"{long}:61, column source"
    assert other.place == f"{long}:61, column target"
    assert "--longest 59" in fault.next_step
    (run,) = RunFolder.all_below(Path("runs"))
    assert not run.seeds_done()
    # Each of the two ways out that the fault names.
    train(place("translate", [long], ("test", {**settings, "longest": 59, "steps": 1})))
    enough = int(fault.next_step.split("capacity=")[1].split()[0])
    train(place("translate", [long], ("test", {**settings, "capacity": enough, "steps": 1})))
    cramped = {**settings, "capacity": enough - 1}
    assert faults_of(lambda: train(place("translate", [long], ("test", cramped))))
    tests = tsv([*rows(70, 80), LONG], "tests.tsv")
    (fault, _other) = faults_of(
        lambda: train(place("translate", [short], ("test", {**settings, "test": str(tests)})))
    )
    assert fault.place == f"{tests}:11, column source"
    assert "longest" not in fault.next_step


def test_answers_end_within_the_learnt_positions_and_longer_sources_are_named():
    parts = {"valid": str(tsv(rows(60, 70), "v.tsv")), "test": str(tsv(rows(70, 80), "t.tsv"))}
    order = place(
        "translate", [tsv(rows(0, 60), "a.tsv")], ("test", {**LEARNED, **parts, "capacity": 60})
    )
    use = train(order).use()
    assert use._longest(300) == 60
    fits, beyond = PAIRS.source[0], LONG[0]
    lines = use.stream([fits, beyond])
    assert next(lines) == use.translate([fits])[0]
    (fault,) = faults_of(lambda: next(lines))
    assert (fault.code, fault.place) == ("DATA-TOO-LONG", "line 2")
    path = written(f"{fits}\n{beyond}\n", "new.txt")
    assert [one.place for one in faults_of(lambda: use.predict([path]))] == [f"{path}:2"]
    pairs = tsv([*rows(0, 3), LONG], "pairs.tsv")
    assert [one.place for one in faults_of(lambda: use.read_new([pairs]))] == [
        f"{pairs}:4, column source", f"{pairs}:4, column target",
    ]  # fmt: skip


def test_separate_vocabularies_and_pairs_of_files():
    files = {}
    for part, some in {"train": rows(0, 100), "dev": rows(100, 110)}.items():
        for side, place_ in (("en", 0), ("ja", 1)):
            files[part, side] = written("\n".join(row[place_] for row in some), f"{part}.{side}")
    dev = (files["dev", "en"], files["dev", "ja"])
    config = recipe.Config(valid=dev, test=dev, joint=False, source_vocabulary=90, vocabulary=150)
    data = recipe.read(config, [files["train", "en"], files["train", "ja"]])
    facts = data.facts()
    assert facts["vocabulary_sizes"] == {"source": 90, "target": 150}
    assert facts["subwords"]["target"]
    assert data.parts["valid"].target[0] == PAIRS.target[100]


def test_two_runs_are_compared_sentence_by_sentence(run):
    figures, note = compare([run, run]).notes
    assert figures == signatures("char")
    assert "+0.00 BLEU, p = 1.000" in note
    assert "20 sentences" in note
    references = [*PAIRS.target[:60]]
    worse = [line[: len(line) // 2] for line in references]
    found = paired_bootstrap(worse, references, references, "char", samples=200)
    assert found.second == pytest.approx(100.0)
    assert found.first == pytest.approx(scores(worse, references, "char")["bleu"])
    assert found.p_value < 0.05
    halves = [
        [cut if (place % 2) == odd else line for place, (cut, line) in enumerate(
            zip(worse, references, strict=True)
        )]
        for odd in (0, 1)
    ]  # fmt: skip
    assert paired_bootstrap(*halves, references, "char", samples=200).p_value > 0.05


def test_runs_of_other_train_files_are_paired_where_the_test_part_is_the_same(run):
    files = {
        name: [str(one) for one in getattr(run.order.config, name)] for name in ("valid", "test")
    }
    other = train(
        place("translate", [tsv(rows(20, 100), "other.tsv")], ("test", {**SMALL, **files}))
    )
    differ, _figures, paired = compare([run, other]).notes
    assert differ == "the runs learned from different data; their test part is the same"
    assert "20 sentences" in paired
    files["test"] = [str(tsv(rows(121, 141), "other-test.tsv"))]
    third = train(
        place("translate", [tsv(rows(20, 100), "other.tsv")], ("test", {**SMALL, **files}))
    )
    differ, _figures = compare([run, third]).notes
    assert differ == "the runs were measured on different data or splits"


def test_figures_of_different_tokenizers_are_not_compared_in_silence(run):
    files = {
        name: [str(one) for one in getattr(run.order.config, name)] for name in ("valid", "test")
    }
    settings = {**SMALL, **files, "tokenize": "13a"}
    other = train(place("translate", run.order.paths, ("test", settings)))
    table = compare([run, other])
    (note,) = table.notes  # and no test of a difference
    assert "tok:char" in note
    assert "tok:13a" in note
    assert all(row.learned for row in table.rows)  # the rivals were measured in one of the ways


def test_settings_that_do_not_fit_are_named():
    for settings, text in (
        ({"own_words": 0.5}, "own_words feeds a recurrent decoder"),
        ({"valid": (Path("x"),)}, "valid and test come together"),
        ({"source_vocabulary": 10}, "source_vocabulary is for joint=false"),
        ({"beams": 0}, "beams is 0"),
        ({"label_smoothing": 1.0}, "label_smoothing is 1.0"),
    ):
        with pytest.raises(ValueError, match=text):
            recipe.Config(**settings)
    with pytest.raises(UsageFault, match="own_words"):
        place("translate", ["x"], ("test", {"own_words": 0.5}))


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"optimizer": "sgd", "betas": "0.8,0.9"}, "betas"),
        ({"momentum": 0.5}, "momentum"),
        ({"valid": "v.tsv", "test": "t.tsv", "split": "0.8,0.1,0.1"}, "split"),
        ({"valid": "v.tsv", "test": "t.tsv", "split_seed": 1}, "split_seed"),
        ({"beams": 1, "length_penalty": 0.5}, "length_penalty"),
        ({"capacity": 50}, "capacity"),
    ],
)
def test_setting_that_nothing_reads_is_refused(settings, name):
    with pytest.raises(UsageFault, match=f"nothing reads {name} with"):
        place("translate", ["x"], ("test", settings))


@pytest.mark.parametrize(
    "task", ["dialogue", "language-model", "classify-text", "classify-images", "segment"]
)
def test_shares_beside_given_parts_are_refused_in_every_task_that_takes_both(task):
    given = {"valid": "v", "test": "t"}
    place(task, ["x"], ("test", given))
    with pytest.raises(UsageFault, match="nothing reads split with valid and test"):
        place(task, ["x"], ("test", {**given, "split": "0.6,0.2,0.2"}))


def test_what_was_not_asked_for_is_not_refused():
    sgd = {"optimizer": "sgd", "momentum": 0.5}  # the recipe's own betas are not those of others
    parts = {"valid": "v.tsv", "test": "t.tsv", "split": "0.9,0.05,0.05"}  # the default
    place("translate", ["x"], ("test", {**sgd, **parts, "beams": 1, "length_penalty": 1.0}))
    place("translate", ["x"], ("test", {"positions": "learned", "capacity": 50}))
    place("translate", ["x"], ("run", {"beams": 1, "length_penalty": 0.5}))  # trained earlier


def test_columns_of_two_files_or_the_same_twice_are_refused():
    left, right = (written("\n".join(row[i] for row in rows(0, 60)), f"x.{i}") for i in (0, 1))
    config = recipe.Config(source="en", vocabulary=200)
    with pytest.raises(UsageFault, match="no columns to name"):
        recipe.read(config, [left, right])
    with pytest.raises(ValueError, match="source and target are both 'en'"):
        recipe.Config(source="en", target="en")


def test_own_words_rise_over_the_steps():
    from shinso.data.parallel_batches import ParallelSamples
    from shinso.models.seq2seq import Seq2Seq
    from shinso.objectives.translation import TranslationObjective

    model = Seq2Seq(Seq2Seq.Config(hidden=4, embedding=4), num_source=8, num_target=8)
    forward, shares = model.forward, []

    def watched(*given, own_share=0.0):
        shares.append(own_share)
        return forward(*given, own_share=own_share)

    model.forward = watched
    objective = TranslationObjective(own_words=0.5, steps=10)
    objective.load_state_dict({"step": 8})
    batch = ParallelSamples([[5, 6]], [[7, 5]]).take([0])
    for _ in range(4):
        objective(model, batch)
    assert shares == pytest.approx([0.4, 0.45, 0.5, 0.5])
    assert objective.state_dict() == {"step": 12}
    again = TranslationObjective(own_words=0.0, steps=10)
    again(model, batch)
    assert shares[-1] == 0.0
