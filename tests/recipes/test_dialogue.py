"""A network of dialogue in use: estimates beside bounds, and a chat at the terminal."""

from __future__ import annotations

import io
import os
import sys

import pytest

from shinso.cli.main import main
from shinso.data import samples
from shinso.faults import RunFault, UsageFault
from shinso.recipes import dialogue
from shinso.recipes.uses import talks
from shinso.walk.order import place
from shinso.walk.training import train

QUICK = {
    "steps": 40, "evaluate_every": 20, "batch_size": 8, "lr": 1e-2, "min_count": 1, "embedding": 8,
    "hidden": 12, "context": 12, "latent": 4, "estimate_draws": 4, "free_nats": 2.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    runs = str(tmp_path_factory.mktemp("runs"))
    settings = {**QUICK, "model": "vhred", "runs": runs}
    return train(place("dialogue", [samples.path("dialogues.jsonl.gz")], ("test", settings)))


def test_estimate_of_some_pieces_stands_for_the_whole_part(run, monkeypatch):
    use = run.use()
    data = dialogue.read(run.order.config, [samples.path("dialogues.jsonl.gz")])
    every = use.evaluate(data, "test").metrics
    monkeypatch.setattr(talks, "ANSWERED", 4)
    few = use.evaluate(data, "test").metrics
    bound, wanted = every["nll_nats_per_word"], every["estimated_nats_per_word"]
    assert few["nll_nats_per_word"] == bound > wanted
    assert bound > few["estimated_nats_per_word"]
    assert few["estimated_nats_per_word"] == pytest.approx(wanted, abs=0.1)
    alone = use._estimated(data, "test", 0.0)  # how far below a bound of 0
    assert few["estimated_nats_per_word"] == pytest.approx(bound + alone)


def test_dialogues_that_are_left_out_are_told(run, tmp_path):
    path = tmp_path / "new.jsonl"
    path.write_text('{"turns": ["hello ."]}\n{"turns": ["hello .", "hi ."]}\n')
    (note,) = run.predict([path]).notes
    assert "1 dialogues of one turn" in note


class Typed(io.TextIOWrapper):
    """Standard input at which someone sits."""

    def isatty(self) -> bool:
        return True


def say(monkeypatch, *lines, typed=True):
    content = io.BytesIO("".join(f"{line}\n" for line in lines).encode())
    monkeypatch.setattr(sys, "stdin", (Typed if typed else io.TextIOWrapper)(content))


def test_empty_line_does_not_end_a_chat(run, monkeypatch, capsys):
    say(monkeypatch, "hello", "", "   ", "goodbye")
    assert main(["generate", str(run.folder.path), "-"]) == 0
    said = capsys.readouterr()
    assert said.out.count("\n") == 2
    assert said.err.count("> ") == 5
    assert "GENERATE-NO-PROMPT" not in said.err
    say(monkeypatch, "hello", "", typed=False)
    assert main(["generate", str(run.folder.path), "-"]) == 2
    assert "GENERATE-NO-PROMPT" in capsys.readouterr().err


def test_what_cannot_be_answered_is_told_and_the_chat_goes_on(run, monkeypatch, capsys):
    def refuse_once(self, settings, prompt, output):
        if prompt == "no":
            raise UsageFault("GENERATE-NO-PROMPT", place="PROMPT", next_step="say more")
        yield f"to {prompt}"

    monkeypatch.setattr(talks.TalkUse, "generate", refuse_once)
    say(monkeypatch, "a", "no", "b")
    assert main(["generate", str(run.folder.path), "-"]) == 0
    said = capsys.readouterr()
    assert said.out == "to a\nto b\n"
    assert "say more" in said.err


def test_text_is_written_anew_where_the_file_exists(run, monkeypatch, tmp_path, capsys):
    out = tmp_path / "talk.txt"
    out.write_text("an old talk\n")
    os.utime(out, (1, 1))
    say(monkeypatch, "hello", "how are you ?")
    assert main(["generate", str(run.folder.path), "-", "-o", str(out)]) == 0
    assert out.read_text() == capsys.readouterr().out


def test_a_chat_that_is_broken_off_is_written(run, monkeypatch, tmp_path):
    def stop_soon(self, settings, prompt, output):
        if prompt == "b":
            raise KeyboardInterrupt
        yield f"to {prompt}"

    monkeypatch.setattr(talks.TalkUse, "generate", stop_soon)
    say(monkeypatch, "a", "b")
    out = tmp_path / "talk.txt"
    assert main(["generate", str(run.folder.path), "-", "-o", str(out)]) == 130
    assert out.read_text() == "to a\n"


def test_settings_that_nothing_reads_are_refused():
    path = samples.path("dialogues.jsonl.gz")
    with pytest.raises(UsageFault, match="SETTING-REFUSED"):
        place("dialogue", [path], ("flag", {"model": "hred", "free_nats": "4"}))


TALKS = samples.path("dialogues.jsonl.gz")


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    """An HRED of a size that is no default."""
    settings = {
        **QUICK, "model": "hred", "min_count": 3, "dropout": 0.1,
        "runs": str(tmp_path_factory.mktemp("runs")),
    }  # fmt: skip
    del settings["free_nats"]
    return train(place("dialogue", [TALKS], ("test", settings)))


def begun(start, folder, **settings):
    order = {"steps": 2, "batch_size": 8, "evaluate_every": 2, "lr": 1e-30, "start": str(start)}
    return train(place("dialogue", [TALKS], ("test", {**order, "runs": str(folder), **settings})))


def test_vhred_begins_as_the_hred_it_names(earlier, tmp_path):
    """After steps too small to matter its reconstruction is what that one says, word for word."""
    second = begun(
        earlier.folder.path, tmp_path, model="vhred", latent=3, dropout=0.4, estimate_draws=2
    )
    model = second.use().model
    assert (model.config.kind, model.config.hidden, model.config.latent) == ("vhred", 12, 3)
    assert model.config.dropout == 0.4
    said = second.result(0)["test"]["metrics"]["reconstruction_nats_per_word"]
    assert said == pytest.approx(
        earlier.result(0)["test"]["metrics"]["nll_nats_per_word"], abs=1e-5
    )
    assert second.use().vocabulary.to_list() == earlier.use().vocabulary.to_list()
    third = begun(second.folder.path, tmp_path, model="vhred", estimate_draws=2)
    assert (third.use().model.config.hidden, third.use().model.config.latent) == (12, 3)


def test_begins_with_the_words_of_its_start_on_other_talks(earlier, tmp_path):
    path = tmp_path / "new.jsonl"
    path.write_text('{"turns": ["hello zyx .", "hi ."]}\n{"turns": ["hi .", "hello ."]}\n' * 8)
    order = {"steps": 1, "batch_size": 4, "evaluate_every": 1, "start": str(earlier.folder.path)}
    own = train(place("dialogue", [path], ("test", {**order, "runs": str(tmp_path)})))
    assert own.facts["vocabulary"] == earlier.facts["vocabulary"]
    assert "zyx" not in own.facts["vocabulary"]


def test_wrong_starts_are_refused(earlier, run, tmp_path):
    with pytest.raises(RunFault, match="START-REFUSED"):
        begun(run.folder.path, tmp_path, model="hred")
    with pytest.raises(RunFault, match="START-REFUSED"):
        begun(earlier.folder.path, tmp_path, model="seq2seq")
    with pytest.raises(UsageFault, match="SETTING-REFUSED"):
        begun(earlier.folder.path, tmp_path, hidden=16)
    with pytest.raises(UsageFault, match="SETTING-REFUSED"):
        begun(run.folder.path, tmp_path, model="vhred", latent=3)
    with pytest.raises(UsageFault, match="min_count"):
        begun(earlier.folder.path, tmp_path, min_count=1)
