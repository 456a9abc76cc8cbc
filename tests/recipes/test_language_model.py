"""The language-model recipe: texts read, new text written, numbers that can be compared."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from shinso.faults import DataFault, UsageFault
from shinso.models.recurrent_language_model import RecurrentLanguageModel
from shinso.recipes import language_model as recipe
from shinso.recipes.uses.next_tokens import LanguageUse
from shinso.recipes.uses.token_data import read_parts
from shinso.settings import resolve
from shinso.walk.order import place

TEXT = "the cat sat on the mat\nthe dog sat on the log\n"


def use_of(tmp_path: Path, text: str, **settings) -> LanguageUse:
    path = tmp_path / "text"
    path.write_text(text, encoding="utf-8")
    layer = {"min_count": 1, "batch_size": 2, "ngram": 3, "split": "0.6,0.2,0.2", **settings}
    config = resolve(recipe.Config, ("test", layer)).config
    data = read_parts(config, (path,))
    facts = data.facts()
    torch.manual_seed(0)
    model = RecurrentLanguageModel(
        RecurrentLanguageModel.Config(hidden=8), num_tokens=len(data.codec)
    ).eval()
    return LanguageUse(config, facts, model)


@pytest.mark.parametrize("level", ["word", "character"])
@pytest.mark.parametrize("rival", [False, True])
def test_generation_repeats_and_begins_with_the_prompt(tmp_path, level, rival):
    use = use_of(tmp_path, TEXT * 20, level=level)
    settings = recipe.Generation(length=30, rival=rival, seed=4)
    one = "".join(use.generate(settings, "the cat", None))
    assert one == "".join(use.generate(settings, "the cat", None))
    assert one.startswith("the cat")
    assert len(one) > 20
    assert "<unk>" not in one


def test_written_pieces_keep_the_blanks_between_words(tmp_path):
    """What is written token by token is what the tokens are together."""
    use = use_of(tmp_path, TEXT * 20, level="piece", pieces=40)
    settings = recipe.Generation(length=60, rival=True, seed=1)
    written = "".join(use.generate(settings, "", None))
    assert {"the cat", "the dog", "on the"} & {
        f"{one} {two}" for one, two in pairwise(written.split())
    }
    assert use.codec.decode(use.codec.encode(written).tolist()) == written
    assert "<s>" not in written
    assert "".join(use.generate(settings, "the cat", None)).startswith("the cat ")


def test_a_prompt_may_hold_the_sign_of_the_unknown_or_end_with_a_blank(tmp_path):
    use = use_of(tmp_path, TEXT * 20, level="word")
    settings = recipe.Generation(length=4)
    assert "".join(use.generate(settings, "the <unk>", None)).startswith("the <unk>")
    assert "  " not in "".join(use.generate(settings, "the cat ", None))


@pytest.mark.parametrize("wrong", [{"temperature": math.inf}, {"top_k": -1}, {"top_p": 0.0}])
def test_settings_that_choose_nothing_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        recipe.Generation(**wrong)


def test_generation_goes_on_as_the_model_says(tmp_path):
    """The likeliest continuation by generation is the one that reading the whole text gives."""
    use = use_of(tmp_path, TEXT * 20, level="character")
    text = "".join(use.generate(recipe.Generation(length=10, temperature=0), "the ", None))
    ids = [use._first, *use.codec.encode(text).tolist()]
    h, _ = use.model(torch.tensor([ids[:-1]]))
    scores = use.model.scores(h[0])
    scores[:, use.codec.number["<unk>"]] = -math.inf
    assert scores.argmax(-1)[4:].tolist() == ids[5:]


def test_bits_a_character_are_what_the_definition_says(tmp_path):
    use = use_of(tmp_path, TEXT * 20, level="word")
    data = read_parts(use.config, (tmp_path / "text",))
    found = use.evaluate(data, "test").metrics
    tokens, characters = len(data.parts["test"]), data.characters["test"]
    assert found["perplexity"] == pytest.approx(math.exp(found["loss_nats"]))
    assert found["bits_per_char"] == pytest.approx(
        tokens * math.log2(found["perplexity"]) / characters
    )
    nats = use._nats(data.parts["test"])
    assert nats.mean() == pytest.approx(found["loss_nats"], rel=1e-5)


def test_a_text_of_unknown_words_says_so_and_the_conversion_is_stated(tmp_path):
    use = use_of(tmp_path, TEXT * 20, level="word")
    new = tmp_path / "new"
    new.write_text("the zebra sat\n", encoding="utf-8")
    data = use.read_new((new,))
    assert any("25.00%" in note for note in data.notes)
    found = use.evaluate(data, "new").metrics
    (said,) = (note for note in data.notes if "bits_per_char" in note)
    ratio = float(said.split("is ")[1].split(" ×")[0])
    assert found["bits_per_char"] == pytest.approx(ratio * math.log2(found["perplexity"]), rel=1e-3)
    assert use.predict((new,)).notes == data.notes


@pytest.mark.parametrize(
    ("task", "asked", "named"),
    [
        ("language-model", {"pieces": 300}, "pieces"),
        ("language-model", {"level": "piece", "min_count": 3}, "min_count"),
        ("word2vec", {"threshold": 5.0}, "threshold"),
        ("word2vec", {"pieces": 300, "tokens": "spaces"}, "tokens"),
        ("word2vec", {"model": "cbow-tree", "negative": 9}, "negative"),
    ],
)
def test_a_setting_that_nothing_would_read_is_refused(task, asked, named):
    with pytest.raises(UsageFault, match=f"nothing reads {named}"):
        place(task, (), ("flag", asked))


def test_unknown_words_of_a_prompt_are_a_fault(tmp_path):
    use = use_of(tmp_path, TEXT * 20, level="word")
    with pytest.raises(UsageFault) as raised:
        list(use.generate(recipe.Generation(), "the catt", None))
    assert raised.value.code == "WORD-UNKNOWN"
    assert "cat" in raised.value.next_step


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "DATA-EMPTY"),
        ("word " * 500, "DATA-FEW-WORDS"),
        ("one two\n", "DATA-TOO-SHORT"),
    ],
)
def test_texts_with_nothing_to_learn_are_faults(tmp_path, text, code):
    with pytest.raises(DataFault) as raised:
        use_of(tmp_path, text, level="word", batch_size=4)
    assert code in raised.value.text()


def test_a_line_of_a_million_letters_is_read(tmp_path):
    use = use_of(tmp_path, "one two three four " * 60_000, level="word", min_count=2)
    assert use.facts["part_tokens"]["test"] > 1000
