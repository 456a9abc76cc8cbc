"""Dialogues: every form of a turn, every fault with its line, pieces that share a turn."""

from __future__ import annotations

import json

import pytest

from shinso.data import samples
from shinso.data.dialogues import DialogueSamples, read_dialogues, text_of, words_of
from shinso.data.samples.regenerate_dialogues import dialogues
from shinso.data.vocabulary import Vocabulary
from shinso.faults import ManyDataFaults


def written(tmp_path, *lines):
    path = tmp_path / "talks.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.mark.parametrize(
    "line",
    [
        {"turns": ["Hi there.", "Hello!"]},
        {"utterances": ["Hi there.", "Hello!"], "act": [1, 1]},
        {"turns": [["A", "Hi there.", "x"], ["B", "Hello!", "y"]]},
        {"dialogue": [{"text": "Hi there."}, {"text": "Hello!"}]},
    ],
)
def test_every_form_of_a_turn_is_read(tmp_path, line):
    found = read_dialogues(written(tmp_path, line))
    assert found.turns == ((("hi", "there", "."), ("hello", "!")),)


def test_words_keep_their_apostrophes():
    assert words_of("I don't KNOW, really?") == ["i", "don't", "know", ",", "really", "?"]


def test_letters_of_languages_without_spaces_are_words():
    words = words_of("東京タワーは、333mです。OK?")
    assert words == [*"東京タワーは、", "333m", *"です。", "ok", "?"]
    assert text_of(words) == "東京タワーは、 333m です。 ok ?"
    assert text_of(["i", "see", "。", "はい"]) == "i see 。はい"
    assert text_of([*"はい。"]) == "はい。"


def test_line_that_is_no_object_is_shown_how_one_looks(tmp_path):
    path = tmp_path / "talks.jsonl"
    path.write_text("hello\n")
    with pytest.raises(ManyDataFaults, match=r'\{"turns": \["…", "…"\]\}'):
        read_dialogues(path)


def test_dialogue_of_one_turn_is_left_out_aloud(tmp_path):
    found = read_dialogues(written(tmp_path, {"turns": ["alone"]}, {"turns": ["a", "b"]}))
    assert len(found) == 1
    assert "1 dialogues of one turn" in found.notes[0]


def test_all_faulty_lines_are_named_at_once(tmp_path):
    path = written(
        tmp_path, {"turns": ["a", "b"]}, {"turns": "a"}, {"turns": ["a", "  "]}, {"other": []},
        {"turns": [["A"], "b"]},
    )  # fmt: skip
    path.write_text(path.read_text() + "no json\n")
    with pytest.raises(ManyDataFaults) as found:
        read_dialogues(path)
    codes = [fault.code for fault in found.value.faults]
    assert codes == [
        "DATA-FORMAT", "DATA-EMPTY", "DATA-MISSING-COLUMN", "DATA-EMPTY", "DATA-FORMAT",
    ]  # fmt: skip
    with pytest.raises(ManyDataFaults, match="DATA-EMPTY"):
        read_dialogues(written(tmp_path, {"turns": ["alone"]}))


def test_every_answer_stands_in_one_piece():
    talk = [[f"w{n}"] for n in range(7)]
    vocabulary = Vocabulary.build([f"w{n}" for n in range(7)] + ["</s>"])
    some = DialogueSamples([talk, talk[:2]], vocabulary, most_turns=3, most_words=5)
    assert some.origins == [(0, 0), (0, 2), (0, 4), (1, 0)]
    batch = some.take([0, 1, 2, 3])
    assert batch.turns.tolist() == [3, 3, 3, 2]
    assert int((batch.turns - 1).sum()) == 6 + 1
    assert batch.lengths.tolist() == [2] * 11


def test_sample_is_what_its_script_makes():
    assert dialogues() == samples.path("dialogues.jsonl.gz").read_bytes()
