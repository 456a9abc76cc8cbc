"""The bert-pretrain recipe: texts that are long in one line, that repeat one word, or are unknown."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shinso.data.stratified import parse_shares
from shinso.data.text_parts import text_in_parts
from shinso.faults import DataFault, UsageFault
from shinso.models.bert import BertPretraining
from shinso.recipes import bert_pretrain as recipe
from shinso.recipes.uses.hidden_data import HiddenData, read_parts
from shinso.recipes.uses.hidden_pieces import HiddenUse
from shinso.settings import resolve
from shinso.walk.order import refuse_unread

WORDS = "one two three four five six seven eight nine ten "


def data_of(tmp_path: Path, text: str, **settings) -> HiddenData:
    path = tmp_path / "text"
    path.write_text(text, encoding="utf-8")
    layer = {"vocabulary": 100, "length": 16, "split": "0.8,0.1,0.1", **settings}
    return read_parts(resolve(recipe.Config, ("test", layer)).config, (path,))


@given(st.text(st.sampled_from("ab \n"), max_size=80))
def test_parts_join_to_the_text_for_any_text(text):
    assert "".join(text_in_parts(text, parse_shares("0.6,0.2,0.2"))) == text


def test_a_line_of_a_million_letters_is_split_between_words(tmp_path):
    data = data_of(tmp_path, WORDS * 20_000)
    assert all(len(data.parts[part]) > 1000 for part in ("valid", "test"))
    whole = set(WORDS.split())
    assert {
        piece for text in text_in_parts(WORDS * 5, parse_shares("0.5,0.3,0.2")) for piece in text.split()
    } == whole  # fmt: skip


@pytest.mark.parametrize("text", ["hello " * 3000, "x" * 100_000, "hello\n" * 3000])
def test_a_text_of_one_word_is_a_fault_whatever_its_length(tmp_path, text):
    with pytest.raises(DataFault, match="DATA-FEW-WORDS"):
        data_of(tmp_path, text)


def test_unknown_words_of_a_new_text_are_said(tmp_path):
    data = data_of(tmp_path, WORDS * 200)
    config = resolve(recipe.Config, ("test", {"length": 16})).config
    size = BertPretraining.Config(width=16, layers=1, heads=2, inner=16, positions=16)
    model = BertPretraining(size, num_pieces=len(data.pieces), next_sentence=False).eval()
    use = HiddenUse(config, data.facts(), model)
    new = tmp_path / "new"
    new.write_text("one two 日 four " * 30, encoding="utf-8")
    assert "25.00%" in use.read_new((new,)).notes[0]
    new.write_text("one two four " * 30, encoding="utf-8")
    assert not use.read_new((new,)).notes


def test_a_size_beside_a_vocabulary_file_is_refused(tmp_path):
    layer = {"vocabulary": 100, "vocabulary_file": tmp_path / "vocab.txt"}
    with pytest.raises(UsageFault, match="vocabulary"):
        refuse_unread(resolve(recipe.Config, ("flag", layer)))
