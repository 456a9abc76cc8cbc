"""HRED: what the context knows, a bound that is one, answers word by word."""

from __future__ import annotations

import pytest
import torch

from shinso.models.hred import HRED, Seen
from shinso.objectives.dialogue import DialogueObjective, answer_nats, estimated_nats
from tests.models.batches import talks


def network(kind: str, **more) -> HRED:
    torch.manual_seed(0)
    settings = {"embedding": 5, "hidden": 6, "context": 7, "latent": 3, "dropout": 0.0, **more}
    return HRED(HRED.Config(kind=kind, **settings), num_words=12, end=2)


@pytest.mark.parametrize(("kind", "knows"), [("hred", True), ("seq2seq", False)])
def test_only_hred_knows_the_turns_before_the_last(kind, knows):
    model = network(kind)
    batch = talks()
    before = model.read(*batch).context
    batch.words[0, 0] = 11  # the first turn of the first dialogue
    after = model.read(*batch).context
    changed = (before - after).abs().sum(1) > 0
    assert changed.tolist() == [True, knows, False]


def test_all_kinds_but_vhred_have_the_same_parameters():
    shapes = [
        {name: tuple(p.shape) for name, p in network(kind).named_parameters()}
        for kind in ("hred", "seq2seq")
    ]
    assert shapes[0] == shapes[1]


def test_nats_match_a_word_by_word_walk():
    model = network("hred").eval()
    batch = talks()
    found, kl, words = answer_nats(model, batch)
    assert kl is None
    seen = model.read(*batch)
    for row in range(len(found)):
        state = torch.tanh(model.begin(seen.context[row : row + 1])).unsqueeze(0)
        extra, given, nats = model.inform(seen.context[row : row + 1]), model.end, 0.0
        for word in seen.words[row, : int(words[row])].tolist():
            inputs = model.embed(torch.tensor([given])) + extra
            out, state = model.decoder(inputs.unsqueeze(1), state)
            scores = model.head(out[:, 0] + model.to_output(seen.context[row : row + 1]))
            nats -= float(scores.log_softmax(-1)[0, word].detach())
            given = word
        assert float(found[row].detach()) == pytest.approx(nats, abs=1e-4)


@pytest.mark.parametrize("kind", ["hred", "vhred"])
def test_what_is_learnt_from_is_the_sum_over_answers(kind):
    """Values and gradients; the one keeps the scores of every word, the other does not."""
    model, gradients = network(kind), []
    used = [p for name, p in model.named_parameters() if not name.startswith("prior")]
    for together in (False, True):
        torch.manual_seed(1)
        seen = model.read(*talks())
        z = model.posterior_of(seen).mean if model.latent else None
        nats = model.sum_of_nats(seen, z) if together else model(seen, z).sum()
        gradients.append([nats.detach(), *torch.autograd.grad(nats, used)])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_context_of_a_chat_is_that_of_a_batch():
    for kind in ("hred", "seq2seq"):
        model = network(kind)
        seen = model.read(*talks())
        turns = [[3, 4, 2], [5, 2]]
        torch.testing.assert_close(model.context_of(turns), seen.context[1:2].detach())


@pytest.mark.parametrize("kind", ["hred", "seq2seq"])
def test_words_said_are_the_likeliest_of_what_is_learnt(kind):
    model = network(kind).eval()
    with torch.no_grad():
        for part in (model.to_output, model.head):
            part.weight *= 20
    context = torch.randn(6, 7)
    said = model.say(context, most_words=4, temperature=0.0, generator=torch.Generator())
    assert len({tuple(words) for words in said}) > 1
    for row, words in enumerate(said):
        given = torch.tensor([[*words, model.end]])
        seen = Seen(
            given, torch.tensor([given.shape[1]]), context[row : row + 1], torch.zeros(1, 6)
        )
        scores = model.head(model._states(seen, None)[0].data)
        scores[:, :2] = -torch.inf
        assert scores.argmax(-1).tolist()[: len(words)] == words


def test_estimate_lies_above_the_bound_and_kl_is_positive():
    model = network("vhred").eval()
    batch = talks()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        bounds = [sum(answer_nats(model, batch, generator)[:2]).sum() for _ in range(60)]
        one = torch.stack(bounds).mean()
        many = estimated_nats(model, batch, 60, generator).sum()
        kl = answer_nats(model, batch, generator)[1]
    assert float(many) < float(one)
    assert bool((kl > 0).all())


def test_free_nats_cost_nothing_and_the_weight_resumes():
    model, batch = network("vhred"), talks()
    free = DialogueObjective(free_nats=1000.0)(model, batch)
    words = 9
    excess = float((free["loss"] - free["reconstruction_nats_per_word"]).detach())
    assert excess == pytest.approx(1000.0 * 3 / words)
    rising = DialogueObjective(anneal_steps=2)
    assert rising.kl_weight == 0.0
    rising(model, batch)
    other = DialogueObjective(anneal_steps=2)
    other.load_state_dict(rising.state_dict())
    assert other.kl_weight == 0.5


def test_latent_variable_varies_what_is_said():
    torch.manual_seed(0)
    model = network("vhred").eval()
    with torch.no_grad():
        model.begin.weight *= 20
        model.head.weight *= 10
    context = torch.zeros(40, 7)
    said = model.say(
        context, most_words=4, temperature=0.0, generator=torch.Generator().manual_seed(0)
    )
    assert len({tuple(words) for words in said}) > 1
    flat = (
        network("hred")
        .eval()
        .say(context, most_words=4, temperature=0.0, generator=torch.Generator())
    )
    assert len({tuple(words) for words in flat}) == 1
    assert all(word > 2 for words in flat for word in words)
    with pytest.raises(ValueError, match="z is missing"):
        model(model.read(*talks()), None)
