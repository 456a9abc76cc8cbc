"""The Transformer against Hugging Face's Marian, and what its settings do."""

from __future__ import annotations

import copy

import pytest
import torch
from benchmarks.marian import marian_twin

from shinso.data.parallel_batches import ParallelSamples, seen
from shinso.data.subwords import BEGIN, END, PAD
from shinso.models.transformer import Transformer
from shinso.nn import threads
from shinso.objectives.decoding import Search, search
from shinso.objectives.translation import TranslationObjective
from shinso.training.gradient import GradientLearner
from shinso.training.plan import Training
from tests.peers import peer


def make(**settings) -> Transformer:
    torch.manual_seed(0)
    small = {"width": 8, "heads": 2, "inner": 12, "encoder_layers": 2, "decoder_layers": 2}
    config = Transformer.Config(**{**small, "dropout": 0.0, **settings})
    model = Transformer(config, num_source=15, num_target=15, shared=True)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.normal_(std=0.3)
    return model


SOURCE = torch.tensor([[5, 6, 7, 3, 0], [8, 9, 10, 11, 3]])
MASK = torch.tensor([[True] * 4 + [False], [True] * 5])
TARGET = torch.tensor([[2, 5, 9, 4], [2, 12, 7, 6]])


def test_post_norm_transformer_matches_marian():
    pytest.importorskip("transformers")
    ours = make(norm="post").eval()
    theirs = marian_twin(peer("transformers"), ours)
    expected = theirs(input_ids=SOURCE, attention_mask=MASK.long(), decoder_input_ids=TARGET).logits
    # Marian leaves out nothing but adds a bias to the scores, which begins at zero.
    found = ours.output(ours(SOURCE, MASK, TARGET))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("beams", [1, 4])
def test_search_matches_generate(beams):
    """The rule that ends a sentence is Hugging Face's, so every word is. A little training makes
    sentences end, and leaves the model unsure enough that beams matter."""
    pytest.importorskip("transformers")
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(2, 7, (40,), generator=generator).tolist()
    words = [torch.randint(4, 15, (n,), generator=generator).tolist() for n in lengths]
    pairs = ParallelSamples(words, [one[::-1] for one in words])
    ours = make(norm="post", width=16, decoder_layers=1)
    plan = Training(steps=120, lr=5e-3, schedule="constant")
    learner = GradientLearner(ours, TranslationObjective(), plan)
    for _step in range(120):
        learner.step(pairs.take(range(40)))
    ours = ours.double().eval()
    batch = pairs.take(range(12))
    mask = seen(batch.source_lengths, batch.source.shape[1])
    how = Search(begin=BEGIN, end=END, beams=beams, length_penalty=0.0, never=(PAD,))
    found = search(ours, batch.source, mask, [12] * 12, how)
    expected = marian_twin(peer("transformers"), ours).double().generate(
        input_ids=batch.source, attention_mask=mask.long(), num_beams=beams, do_sample=False,
        max_new_tokens=12, length_penalty=0.0, early_stopping=False, bad_words_ids=[[PAD]],
    )  # fmt: skip
    rows = [row[1:].tolist() for row in expected]
    cut = [tuple(row[: row.index(END)] if END in row else row) for row in rows]
    assert [some[0].words for some in found] == cut
    assert len({len(words) for words in cut}) > 2


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "rotary"])
def test_padding_and_later_words_change_nothing(norm, positions):
    model = make(norm=norm, positions=positions, capacity=16).double().eval()
    whole = model(SOURCE, MASK, TARGET)
    alone = model(SOURCE[:1, :4], None, TARGET[:1, :3])
    torch.testing.assert_close(whole[:1, :3], alone)
    other = model(SOURCE.flip(1), MASK, TARGET)
    assert not torch.allclose(whole[1], other[1])


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "rotary"])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("sentences", [1, 5])
def test_compiled_writing_gives_what_the_decoder_gives(norm, positions, activation, sentences):
    """In float32 with compiled calls, for few rows and for packed ones, and in float64 without; while
    sentences leave and beams take each other's places."""
    settings = {"norm": norm, "positions": positions, "activation": activation, "width": 20}
    model = make(**settings, capacity=16, inner=24).eval()
    generator = torch.Generator().manual_seed(sentences)
    source = torch.randint(4, 15, (sentences, 6), generator=generator)
    lengths = torch.randint(1, 7, (sentences,), generator=generator)
    mask = torch.arange(6) < lengths.unsqueeze(1)
    beams, kept = 2, torch.arange(sentences)
    with torch.inference_mode():
        writers = [one.begin(source, mask, beams, 8) for one in (model, make_double(model))]
        history = torch.empty(sentences, beams, 0, dtype=torch.int64)
        for step in range(8):
            words = torch.randint(4, 15, history.shape[:2], generator=generator)
            history = torch.cat([history, words.unsqueeze(-1)], -1)
            flat = history.flatten(0, 1)
            memory, seen_words = (
                part.repeat_interleave(beams, 0)
                for part in (model.encode(source, mask)[kept], mask[kept])
            )
            expected = model.output(model.decode(flat, memory, seen_words)[:, -1])
            for writer in writers:
                found = writer.step(words).flatten(0, 1).float()
                torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
            parents = torch.randint(0, beams, history.shape[:2], generator=generator)
            going = torch.arange(1, len(kept)) if step == 4 and sentences > 1 else None
            if going is not None:
                parents, kept, history = parents[going], kept[going], history[going]
            history = history.gather(1, parents.unsqueeze(-1).expand_as(history))
            for writer in writers:
                writer.take(going, parents)
    assert writers[0].blocks.compiled
    assert not writers[1].blocks.compiled


def round_inputs(model):
    """As an 8-bit network does."""
    for block in model.decoder:
        block.network.up.register_forward_pre_hook(lambda _, given: (given[0].mul(8).round() / 8,))


def change_eps(model):
    model.decoder[1].cross_norm.eps = 0.5


def leave_out_gain(model):
    model.decoder[0].network_norm = torch.nn.LayerNorm(8, elementwise_affine=False)


def activate_otherwise(model):
    model.decoder[1].network.activation = torch.tanh


def look_with_other_heads(model):
    model.decoder[1].attention.heads = 4


@pytest.mark.parametrize(
    "change",
    [
        round_inputs,
        change_eps,
        leave_out_gain,
        activate_otherwise,
        look_with_other_heads,
    ],
)
def test_a_changed_network_writes_as_it_decodes(change):
    """Gradients may be on; nothing needs them."""
    model = make(norm="pre").eval()
    change(model)
    words = torch.tensor([[5], [9]])
    found = model.begin(SOURCE, MASK, 1, 2).step(words).flatten(0, 1)
    expected = model.output(model.decode(words, model.encode(SOURCE, MASK), MASK)[:, -1])
    torch.testing.assert_close(found, expected.detach(), rtol=1e-4, atol=1e-5)
    assert not found.requires_grad


def test_a_network_in_training_does_not_write():
    with pytest.raises(ValueError, match="in training; call eval"):
        make(dropout=0.1).train().begin(SOURCE, MASK, 1, 2)


@pytest.mark.parametrize("beams", [1, 3])
def test_rows_shared_among_threads_are_written_alike(monkeypatch, beams):
    model = make(width=16).eval()
    source = torch.randint(4, 15, (11, 6), generator=torch.Generator().manual_seed(0))
    how = Search(begin=BEGIN, end=END, beams=beams, never=(PAD,))
    alone = words_of(search(model, source, None, [8] * 11, how))
    monkeypatch.setattr(threads, "_SMALLEST", 1)
    monkeypatch.setattr(threads, "_GRAIN", 3)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        assert words_of(search(model, source, None, [8] * 11, how)) == alone
    finally:
        torch.set_num_threads(before)


def words_of(found):
    return [[one.words for one in some] for some in found]


def make_double(model: Transformer) -> Transformer:
    return copy.deepcopy(model).double()


def test_transformer_overfits_one_batch():
    model = make(width=32, inner=64).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _step in range(150):
        scores = model.output(model(SOURCE, MASK, TARGET[:, :-1]))
        loss = torch.nn.functional.cross_entropy(scores.flatten(0, 1), TARGET[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.05


def test_tied_and_shared_embeddings_are_one_matrix():
    model = make()
    assert model.output.weight is model.source_embedding.weight is model.target_embedding.weight
    apart = Transformer(Transformer.Config(tied=False), num_source=7, num_target=9)
    weights = {apart.output.weight, apart.source_embedding.weight, apart.target_embedding.weight}
    assert len(weights) == 3
    with pytest.raises(ValueError, match="a shared vocabulary has one size; got 7, 9"):
        Transformer(Transformer.Config(), num_source=7, num_target=9, shared=True)


def test_alignment_shares_out_one_look_among_real_words():
    model = make().eval()
    weights = model.alignment(SOURCE, MASK, TARGET)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 4))
    assert not weights[0, :, 4].any()


def test_settings_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="heads is 3; give a divisor of width, 128"):
        Transformer.Config(heads=3)
    with pytest.raises(ValueError, match=r"heads is 4; rotary .* half the width, 18"):
        Transformer.Config(heads=4, width=36, positions="rotary")
    Transformer.Config(heads=4, width=36)  # nothing turns
    with pytest.raises(ValueError, match="dropout is 1"):
        Transformer.Config(dropout=1.0)
