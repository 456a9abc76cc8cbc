"""BERT against transformers' BERT with the same random weights, and the files it comes in."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from shinso.data.piece_batches import NONE, PieceSamples, Stretches, hide, joined
from shinso.data.wordpiece import SIGNS, WordPieces
from shinso.faults import DataFault, RunFault
from shinso.models.bert import Bert, BertClassifier, BertPretraining
from shinso.models.published_bert import load_published, published_size
from shinso.objectives.bert import HiddenPiecesObjective
from shinso.recipes.uses.bert_starts import begin_with, pieces_of
from tests.peers import peer as other

LETTERS = [chr(97 + n) for n in range(26)]
PIECES = (*SIGNS, *LETTERS, *(f"##{letter}" for letter in LETTERS), "the", "##ing", "un", "##able")


@pytest.fixture(scope="session")
def peer():
    return other("transformers")


@pytest.fixture(scope="module")
def twin(tmp_path_factory, peer):
    """A tiny random BERT of transformers, saved as it saves its own."""

    torch.manual_seed(0)
    config = peer.BertConfig(
        vocab_size=len(PIECES), hidden_size=24, num_hidden_layers=3, num_attention_heads=4,
        intermediate_size=40, max_position_embeddings=32,
    )  # fmt: skip
    model = peer.BertModel(config).eval()
    with torch.no_grad():  # norms and biases that are not 1 and 0
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    folder = tmp_path_factory.mktemp("bert")
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(PIECES) + "\n", encoding="utf-8")
    return folder, model


@torch.no_grad()
def test_mean_of_a_text_is_that_of_its_real_pieces():
    torch.manual_seed(0)
    size = {"width": 16, "layers": 2, "heads": 2, "inner": 32, "positions": 12}
    model = BertClassifier(
        BertClassifier.Config(**size, pooling="mean"), num_pieces=20, num_classes=3
    ).eval()
    pieces, types = torch.randint(5, 20, (1, 9)), torch.zeros(1, 12, dtype=torch.long)
    longer = torch.cat([pieces, torch.randint(5, 20, (1, 3))], 1)
    there = torch.arange(12)[None] < 9
    states = model.bert(pieces, types[:, :9], there[:, :9])
    expected = model.head(states.mean(1))
    torch.testing.assert_close(model(pieces, types[:, :9], there[:, :9]), expected)
    torch.testing.assert_close(model(longer, types, there), expected)


@torch.no_grad()
def test_outputs_match_transformers(twin):
    folder, theirs = twin
    size, num_pieces, types = published_size(folder)
    ours = Bert(size, num_pieces=num_pieces, num_types=types).eval()
    load_published(ours, folder)
    pieces = torch.randint(5, num_pieces, (3, 14))
    types = (torch.arange(14) >= 7).long().expand(3, 14)
    there = torch.arange(14) < torch.tensor([14, 9, 4])[:, None]
    expected = theirs(input_ids=pieces, token_type_ids=types, attention_mask=there.long())
    states = ours(pieces, types, there)
    torch.testing.assert_close(
        states[there], expected.last_hidden_state[there], atol=2e-5, rtol=1e-4
    )
    torch.testing.assert_close(ours.whole(states), expected.pooler_output, atol=2e-5, rtol=1e-4)


def test_names_of_old_files_are_known(twin):
    from safetensors.torch import load_file

    from shinso.models.published_bert import fill

    folder, _theirs = twin
    size, num_pieces, _types = published_size(folder)
    content = {
        "bert." + name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
        for name, value in load_file(folder / "model.safetensors").items()
    }  # fmt: skip
    one, two = (Bert(size, num_pieces=num_pieces) for _ in range(2))
    fill(one, content, folder)
    load_published(two, folder)
    for name, value in one.state_dict().items():
        assert torch.equal(value, two.state_dict()[name])


def copied(twin, tmp_path, **changed):
    folder, _theirs = twin
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    for name, content in changed.items():
        target = tmp_path / name.replace("_", ".")
        if content is None:
            target.unlink()
        else:
            target.write_bytes(content)
    return tmp_path


def test_missing_and_strange_files_are_faults(twin, tmp_path):
    cases = [
        ({"config_json": None}, "WEIGHTS-MISSING"),
        ({"config_json": b"{}"}, "WEIGHTS-FORMAT"),
        ({"vocab_txt": b"a\nb\n"}, "VOCABULARY-FORMAT"),
        ({"vocab_txt": "\n".join([*PIECES, *(f"new{n}" for n in range(9))]).encode()}, "WEIGHTS-MISMATCH"),
    ]  # fmt: skip
    for number, (changed, code) in enumerate(cases):
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.raises(DataFault) as raised:
            pieces_of(copied(twin, folder, **changed))
        assert raised.value.code == code
    with pytest.raises(DataFault, match="WEIGHTS-MISSING"):
        pieces_of(tmp_path / "nowhere")
    broken = tmp_path / "broken"
    broken.mkdir()
    folder = copied(twin, broken, model_safetensors=b"no tensors")
    with pytest.raises(DataFault, match="WEIGHTS-FORMAT"):
        load_published(Bert(published_size(folder)[0], num_pieces=len(PIECES)), folder)


def test_weights_of_another_vocabulary_are_refused(twin):
    folder, _theirs = twin
    size, num_pieces, _types = published_size(folder)
    with pytest.raises(DataFault, match="WEIGHTS-MISMATCH"):
        load_published(Bert(size, num_pieces=num_pieces + 1), folder)


def test_smaller_vocabulary_leaves_rows_without_a_piece(twin, tmp_path):
    folder = copied(twin, tmp_path, vocab_txt="\n".join(PIECES[:-2]).encode())
    pieces, size = pieces_of(folder)
    assert len(pieces) == len(PIECES)
    assert size["width"] == 24


def test_other_activations_are_refused(twin, tmp_path):
    content = json.loads((twin[0] / "config.json").read_text())
    folder = copied(
        twin, tmp_path, config_json=json.dumps({**content, "hidden_act": "relu"}).encode()
    )
    with pytest.raises(DataFault, match="relu"):
        published_size(folder)


def test_another_epsilon_is_refused(twin, tmp_path):
    content = json.loads((twin[0] / "config.json").read_text())
    strange = json.dumps({**content, "layer_norm_eps": 1e-5}).encode()
    with pytest.raises(DataFault, match="layer_norm_eps"):
        published_size(copied(twin, tmp_path, config_json=strange))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"tokenizer_class": "BertJapaneseTokenizer", "word_tokenizer_type": "mecab"}, "Japanese"),
        ({"do_lower_case": True, "strip_accents": False}, "strip_accents"),
        ({"tokenize_chinese_chars": False}, "chinese"),
        (["no object"], "AttributeError"),
    ],
)
def test_texts_cut_in_another_way_are_refused(twin, tmp_path, content, says):
    folder = copied(twin, tmp_path)
    (folder / "tokenizer_config.json").write_text(json.dumps(content))
    with pytest.raises(DataFault, match=says):
        pieces_of(folder)


def test_capitals_count_as_the_files_say(twin, tmp_path):
    folder = copied(twin, tmp_path)
    assert pieces_of(folder)[0].lower
    (folder / "vocab.txt").write_text("\n".join([*PIECES[:-1], "The"]) + "\n")
    assert not pieces_of(folder)[0].lower
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": true, "strip_accents": null}')
    assert pieces_of(folder)[0].lower


def pieces():
    return WordPieces(PIECES)


def test_pairs_are_joined_and_cut_from_the_longer():
    number = pieces().number
    found, types = joined([7, 8, 9, 10], [11, 12], pieces(), 8)
    assert found == [number["[CLS]"], 7, 8, 9, number["[SEP]"], 11, 12, number["[SEP]"]]
    assert types == [0] * 5 + [1] * 3
    assert joined([7], [], pieces(), 8)[0] == [number["[CLS]"], 7, number["[SEP]"]]


def stretches(pairs):
    rng = np.random.default_rng(0)
    numbers = rng.integers(5, len(PIECES), 3000)
    begins = rng.random(3000) < 0.6
    return Stretches(numbers, begins, pieces(), 31, pairs=pairs)


def test_hidden_share_and_whole_words():
    found = stretches(False)
    rng = np.random.default_rng(1)
    batch, begins = found.cut(np.arange(len(found)), rng)
    for whole in (True, False):
        hidden = hide(batch, begins, pieces(), rng, share=0.15, whole_words=whole)
        there = (hidden.labels != NONE).numpy()
        assert there.mean() == pytest.approx(0.15 * 29 / 31, abs=0.02)
        assert torch.equal(hidden.labels[there], batch.pieces[there])
        unchanged = (hidden.pieces == batch.pieces).numpy()
        assert unchanged[~there].all()
        masked = (hidden.pieces == pieces().number["[MASK]"]).numpy()
        assert masked[there].mean() == pytest.approx(0.8, abs=0.06)
        # Within a word all pieces share their fate; across its first piece they need not.
        # A stretch may begin within a word, whose first piece is then [CLS] and never hidden.
        inside = ~begins[:, 2:]
        alike = (there[:, 2:] == there[:, 1:-1])[inside].mean()
        assert alike == 1.0 if whole else alike < 0.9


def test_second_halves_follow_half_of_the_time():
    found = stretches(True)
    batch, _begins = found.cut(np.arange(len(found)), np.random.default_rng(2))
    follows = batch.follows.numpy()
    assert 0.3 < follows.mean() < 0.7
    half = found.room // 2
    own = torch.from_numpy(found.numbers[:, half:])
    assert bool(((batch.pieces[:, 2 + half : -1] == own).all(1).numpy() == (follows == 1)).all())
    assert batch.types[0].tolist() == [0] * (2 + half) + [1] * (31 - 2 - half)


def test_pretraining_learns_a_text_by_heart():
    torch.manual_seed(0)
    config = BertPretraining.Config(
        width=32, layers=1, heads=2, inner=64, positions=31, dropout=0.0
    )
    model = BertPretraining(config, num_pieces=len(PIECES), next_sentence=False)
    found = stretches(False)
    rng = np.random.default_rng(3)
    batch = hide(*found.cut(np.arange(4), rng), pieces(), rng, share=0.15, whole_words=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    objective = HiddenPiecesObjective()
    for _ in range(60):
        optimizer.zero_grad()
        loss = objective(model, batch)["loss"]
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.05


def test_the_whole_network_scores_every_place_as_hidden_ones_are_scored():
    torch.manual_seed(3)
    config = BertPretraining.Config(width=16, layers=1, heads=2, inner=32, positions=12)
    pieces, types = torch.randint(0, len(PIECES), (3, 9)), torch.zeros(3, 9, dtype=torch.long)
    there = torch.ones(3, 9, dtype=torch.bool)
    for next_sentence in (False, True):
        model = BertPretraining(config, num_pieces=len(PIECES), next_sentence=next_sentence).eval()
        scores, *follows = model(pieces, types, there)
        states = model.bert(pieces, types, there)
        nll, _ = model.hidden_loss(states[:, 4], pieces[:, 4])
        wanted = torch.nn.functional.cross_entropy(scores[:, 4], pieces[:, 4])
        torch.testing.assert_close(nll, wanted)
        assert len(follows) == next_sentence
        if follows:
            assert torch.equal(follows[0], model.follows(model.bert.whole(states)))


def test_samples_are_padded_and_padding_changes_nothing():
    torch.manual_seed(0)
    config = BertPretraining.Config(
        width=16, layers=2, heads=2, inner=32, positions=16, dropout=0.0
    )
    model = BertPretraining(config, num_pieces=len(PIECES), next_sentence=True).eval()
    samples = PieceSamples([([7, 8, 9], []), ([7] * 9, [8])], [1, 0], pieces(), 16)
    both, alone = samples.take([0, 1]), samples.take([0])
    assert both.labels.tolist() == [1, 0]
    with torch.no_grad():
        one = model.bert(*both[:3])[0, :5]
        two = model.bert(*alone[:3])[0]
    torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-4)


def test_runs_of_other_tasks_are_no_start(tmp_path):
    (tmp_path / "status.json").write_text("{}")
    (tmp_path / "config.yaml").write_text("task: tag\nmodel_settings: {}\n")
    with pytest.raises(RunFault, match="START-REFUSED"):
        pieces_of(tmp_path)


@pytest.mark.slow
def test_fine_tuning_begins_with_the_weights_of_a_run(tmp_path):
    from shinso.walk import catalogue
    from shinso.walk.order import place
    from shinso.walk.preparing import prepare
    from shinso.walk.training import train

    brief = catalogue.recipe("bert-pretrain").BRIEF
    short = {"steps": 4, "evaluate_every": 2, "batch_size": 4, "warmup": 0, "runs": str(tmp_path)}
    run = train(place("bert-pretrain", brief.data, ("test", {**brief.settings, **short})))
    own = catalogue.recipe("classify-text").BRIEF
    settings = {**own.settings, **short, "start": str(run.folder.path), "only": 40}
    del settings["vocabulary"]  # the start has one
    order = place("classify-text", own.data, ("test", settings))
    data = order.recipe.read(order.config, order.paths)
    assert sum(data.facts()["classes"].values()) == 40
    ready = prepare(order, data, data.facts(), 0)
    kept = run.use().model.bert.state_dict()
    own = ready.model.bert.state_dict()
    for name, value in own.items():
        torch.testing.assert_close(value, kept[name], atol=0, rtol=0)
    begin_with(ready.model, run.folder.path)  # again, as a resume does
    anew = place("classify-text", order.paths, ("test", {**settings, "anew": True}))
    fresh = prepare(anew, data, data.facts(), 0).model.bert.state_dict()
    assert not torch.equal(fresh["pieces.weight"], kept["pieces.weight"])
    assert fresh.keys() == own.keys()
    tuned = train(order)
    assert tuned.table().rows[-1].learned
