"""classify-text and tag-text: what is cut off a text is said, nothing that was asked for is ignored."""

from __future__ import annotations

import pytest

from shinso.faults import UsageFault
from shinso.models.bert import BertClassifier
from shinso.recipes import classify_text, tag_text
from shinso.recipes.uses import piece_tags, text_classes
from shinso.recipes.uses.bert_starts import sized
from shinso.settings import resolve
from shinso.walk.order import refuse_unread
from shinso.walk.training import train
from tests.recipes.test_every_recipe import order_of_sample


def test_texts_longer_than_what_is_read_are_counted(tmp_path):
    path = tmp_path / "texts.tsv"
    lines = [f"short text {n}\t{n % 2}" for n in range(30)] + ["long " * 40 + "\t1"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    layer = {"longest": 16, "vocabulary": 100}
    config = resolve(classify_text.Config, ("test", layer)).config
    assert any("1 of 31 texts" in note for note in text_classes.read_parts(config, (path,)).notes)
    config = resolve(classify_text.Config, ("test", {**layer, "longest": 64})).config
    assert not any("texts have" in n for n in text_classes.read_parts(config, (path,)).notes)


def test_tokens_behind_the_cut_are_counted_by_their_pieces(tmp_path):
    """Ten tokens may be twenty pieces: what counts is what was read."""
    path = tmp_path / "tags.conll"
    short = "".join(f"word{n}\tA\nx\tB\n\n" for n in range(30))
    long = "".join(f"{chr(97 + n) * 9}\tA\n" for n in range(10))
    path.write_text(short + long, encoding="utf-8")
    layer = {"longest": 16, "vocabulary": 60}
    config = resolve(tag_text.Config, ("test", layer)).config
    data = piece_tags.read_parts(config, (path,))
    read = sum(sum(one.num_labelled) for one in data.samples.values())
    missing = sum(len(tokens) for tokens in data.sentences.tokens) - read
    assert 0 < missing < 10
    assert any(note.startswith(f"{missing} tokens") for note in data.notes)


@pytest.mark.parametrize("recipe", [classify_text, tag_text])
@pytest.mark.parametrize("asked", [{"vocabulary": 300}, {"lower": False}])
def test_what_comes_with_a_start_is_not_asked_for_beside_it(tmp_path, recipe, asked):
    refuse_unread(resolve(recipe.Config, ("flag", asked)))
    with pytest.raises(UsageFault, match="--start"):
        refuse_unread(resolve(recipe.Config, ("flag", {**asked, "start": tmp_path})))


def test_anew_means_nothing_without_a_start():
    with pytest.raises(UsageFault, match="no --start"):
        refuse_unread(resolve(classify_text.Config, ("flag", {"anew": True})))


def test_a_start_decides_the_size_and_not_the_dropout():
    facts = {"start_size": {"width": 32, "layers": 2, "heads": 2, "positions": 40, "dropout": 0.1}}
    found = sized(BertClassifier.Config(dropout=0.3), facts, 40)
    assert (found.width, found.layers, found.positions, found.dropout) == (32, 2, 40, 0.3)
    with pytest.raises(UsageFault, match="layers"):
        sized(BertClassifier.Config(layers=3), facts, 40)
    with pytest.raises(UsageFault, match="longest"):
        sized(BertClassifier.Config(), facts, 64)


def test_the_first_metric_selects_and_not_how_sure_answers_are(tmp_path):
    """Of few labels learnt by heart, the likelihood of others is best at the start."""
    order = order_of_sample(
        "classify-text",
        "bert",
        tmp_path,
        only=12,
        steps=60,
        evaluate_every=15,
        lr=1e-3,
        schedule="constant",
    )
    run = train(order)
    looks = [row for row in run.folder.seed(0).metrics.rows() if row["part"] == "valid"]
    chosen = next(row for row in looks if row["step"] == run.result(0)["best_step"])
    assert chosen["accuracy"] == max(row["accuracy"] for row in looks)
    assert chosen["loss_nats"] > min(row["loss_nats"] for row in looks)
