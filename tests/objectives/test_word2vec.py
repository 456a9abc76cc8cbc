"""word2vec's compiled step against the same steps in plain Python with autograd's gradients."""

from __future__ import annotations

import heapq
import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from shinso.data.word_stretches import Stretch, StretchSource
from shinso.faults import RunFault
from shinso.models.count_vectors import ppmi_svd
from shinso.models.word2vec import Word2Vec
from shinso.objectives.word2vec import (
    Word2VecLearner,
    Word2VecLoss,
    alias_table,
    huffman_paths,
    keep_chances,
)

COUNTS = np.array([40, 30, 22, 17, 9, 6, 4, 2])
WORDS = np.array([0, 3, 1, 7, 2, -1, 4, 0, 5, 1, 1, 6, 2, 3, 0, -1, 2, 7, -1], dtype=np.int32)


def learner_of(**settings):
    cores = settings.pop("cores", 1)
    torch.manual_seed(1)
    config = Word2Vec.Config(**{"dim": 12, "window": 3, "negative": 7, "sample": 0.05, **settings})
    model = Word2Vec(config, num_words=len(COUNTS))
    with torch.no_grad():  # larger than at the start, so that every term shows
        model.inputs[:, :12] *= 20
        model.outputs[:, :12].normal_(std=0.5)
    return Word2VecLearner(model, COUNTS, lr=lambda _step: 0.1, peak=0.1, seed=3, cores=cores)


class Random:
    """xorshift64 and what is drawn from it."""

    def __init__(self, state):
        self.state = state

    def next(self):
        state = self.state
        state ^= state << 13 & (1 << 64) - 1
        state ^= state >> 7
        state ^= state << 17 & (1 << 64) - 1
        self.state = state
        return state


def by_autograd(learner):
    """One pass over WORDS: a window at a time, its loss's exact gradient, a step of size lr."""
    config, chances = learner.model.config, learner.chances
    x = learner.model.inputs.double().clone().requires_grad_()
    y = learner.model.outputs.double().clone().requires_grad_()
    # The kernel draws line by line; the words of a line come first, then its windows.
    random, total, rows = Random(learner.random), 0.0, 0
    begin = 0
    for end in np.flatnonzero(WORDS < 0):
        line = [
            word
            for word in WORDS[begin:end].tolist()
            if random_share(random.next() >> 40) < chances.keep[word]
        ]
        begin = end + 1
        for p, centre in enumerate(line):
            reach = 1 + (random.next() >> 33) % config.window
            near = [c for c in range(max(0, p - reach), min(len(line), p + reach + 1)) if c != p]
            if not near:
                continue
            chosen, labels = targets_of(centre, config, chances, random)
            context = x[[line[c] for c in near]]
            if config.cbow:
                context = context.mean(0, keepdim=True)
            signs = torch.tensor(labels, dtype=torch.double) * 2 - 1
            loss = -F.logsigmoid((context @ y[chosen].T) * signs).sum()
            if config.cbow:
                # word2vec adds the mean's gradient to each word, undivided.
                d_mean, d_y = torch.autograd.grad(loss, (context, y))
                d_x = torch.zeros_like(x)
                for c in near:
                    d_x[line[c]] += d_mean[0]
            else:
                d_x, d_y = torch.autograd.grad(loss, (x, y))
            with torch.no_grad():
                x -= 0.1 * d_x
                y -= 0.1 * d_y
            total, rows = total + float(loss.detach()), rows + len(context)
    return x.detach(), y.detach(), total / rows, random.state


def random_share(bits):
    return np.float32(bits) * np.float32(1 / 16777216.0)


def targets_of(centre, config, chances, random):
    if config.tree:
        path = slice(chances.starts[centre], chances.starts[centre + 1])
        return chances.points[path].tolist(), (1 - chances.codes[path]).tolist()
    chosen, labels = [centre], [1]
    for _ in range(config.negative):
        state = random.next()
        place = (state >> 32) * len(COUNTS) >> 32
        kept = random_share(state & 0xFFFFFF) < chances.shares[place]
        drawn = place if kept else int(chances.others[place])
        if drawn != centre:
            chosen.append(drawn)
            labels.append(0)
    return chosen, labels


@pytest.mark.parametrize(("cbow", "tree"), list(itertools.product([False, True], repeat=2)))
def test_step_matches_autograd(cbow, tree):
    learner = learner_of(cbow=cbow, tree=tree)
    x, y, loss, random = by_autograd(learner)
    before = learner.model.inputs.clone()
    found = learner.step(Stretch(torch.from_numpy(WORDS)))
    # σ comes from a table of 4,096 cells: 7e-4 at most in σ, a tenth of that in a step of 0.1.
    torch.testing.assert_close(learner.model.inputs.double(), x, atol=2e-3, rtol=0)
    torch.testing.assert_close(learner.model.outputs.double(), y, atol=2e-3, rtol=0)
    assert float((learner.model.inputs - before).abs().max()) > 0.05
    assert found["loss"] == pytest.approx(loss, rel=2e-3)
    assert learner.random == random


def test_filled_up_columns_stay_zero():
    learner = learner_of()
    for _ in range(5):
        learner.step(Stretch(torch.from_numpy(WORDS)))
    assert learner.model.inputs.shape[1] == 16
    assert not learner.model.inputs[:, 12:].any()
    assert learner.model.vectors.shape == (8, 12)


def test_loss_without_learning_changes_nothing():
    learner = learner_of()
    before, random = learner.model.state_dict(), learner.random
    before = {name: value.clone() for name, value in before.items()}
    Word2VecLoss(learner)(learner.model, Stretch(torch.from_numpy(WORDS)))
    assert learner.random == random
    for name, value in learner.model.state_dict().items():
        torch.testing.assert_close(value, before[name], atol=0, rtol=0)


def test_several_cores_learn_too():
    # Words that always stand together must find each other, in whatever order two cores write.
    first = 2 * np.random.default_rng(0).integers(0, 4, 8000)
    lines = np.stack([first, first + 1, np.full(8000, -1)], 1).ravel().astype(np.int32)
    learner = learner_of(cores=2, sample=0)
    learner.step(Stretch(torch.from_numpy(lines)))
    model = learner.model
    assert model.inputs.isfinite().all()
    scores = model.inputs[:, :12] @ model.outputs[:, :12].T
    partner = torch.tensor([1, 0, 3, 2, 5, 4, 7, 6])
    assert torch.equal(scores.argmax(1), partner)


def test_huffman_codes_match_a_heap():
    counts = np.array([50, 31, 31, 12, 9, 8, 3, 1, 1])
    starts, points, codes = huffman_paths(counts)
    heap = [(int(count), place, (place,)) for place, count in enumerate(counts)]
    heapq.heapify(heap)
    cost, number = 0, len(counts)
    while len(heap) > 1:
        a, b = heapq.heappop(heap), heapq.heappop(heap)
        cost += a[0] + b[0]
        heapq.heappush(heap, (a[0] + b[0], number, a[2] + b[2]))
        number += 1
    lengths = np.diff(starts)
    assert int((lengths * counts).sum()) == cost  # as short as Huffman's can be
    paths = [
        tuple(zip(points[a:b], codes[a:b], strict=True)) for a, b in itertools.pairwise(starts)
    ]
    assert len(set(paths)) == len(counts)
    assert all(path[0][0] == len(counts) - 2 for path in paths)  # all begin at the root
    assert np.isclose(sum(2.0**-length for length in lengths), 1)  # Kraft: nothing is left over


def test_alias_table_has_the_weights():
    weights = np.array([5.0, 1.0, 0.5, 3.5, 0.0])
    shares, others = alias_table(weights)
    found = np.zeros(5)
    for place in range(5):
        found[place] += shares[place] / 5
        found[others[place]] += (1 - shares[place]) / 5
    np.testing.assert_allclose(found, weights / weights.sum(), atol=1e-7)


def test_frequent_words_are_left_out_more():
    kept = keep_chances(np.array([9000, 900, 90, 10]), 1e-2)
    assert (np.diff(kept) >= 0).all()
    assert kept[0] == pytest.approx(np.sqrt(0.01 / 0.9) + 0.01 / 0.9)
    assert kept[-1] == 1
    assert (keep_chances(COUNTS, 0) == 1).all()


def test_stretches_are_whole_lines_and_cover_the_text():
    source = StretchSource(WORDS, 6)
    found = [source.next_batch().words.numpy() for _ in range(3)]
    assert all(part[-1] == -1 for part in found)
    np.testing.assert_array_equal(np.concatenate(found), WORDS)
    assert source.next_batch().words.numpy().tolist() == found[0].tolist()
    with pytest.raises(RunFault, match="RUN-OTHER-DATA"):
        StretchSource(WORDS[:5], 4).load_state_dict(source.state_dict())


def test_counting_finds_words_that_stand_together():
    rng = np.random.default_rng(0)
    groups = [rng.choice(range(begin, begin + 5), 8) for begin in (0, 5) for _ in range(300)]
    text = np.concatenate([np.append(group, -1) for group in groups]).astype(np.int32)
    vectors = ppmi_svd(text, 10, dim=2, window=3, limit=10)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T
    assert cosines[:5, :5].min() > cosines[:5, 5:].max() + 0.5


def test_weights_of_another_vocabulary_are_refused(tmp_path):
    """A run whose data.json is another's: a word would get another word's vector."""
    from shinso.runs.files import read_json
    from shinso.walk import catalogue
    from shinso.walk.order import place
    from shinso.walk.training import train

    brief = catalogue.recipe("word2vec").BRIEF
    short = {"steps": 1, "evaluate_every": 1, "runs": str(tmp_path)}
    run = train(place("word2vec", brief.data, ("test", {**brief.settings, **short})))
    facts = read_json(run.folder.path / "data.json")
    run.folder.write_json("data.json", {**facts, "vocabulary": facts["vocabulary"][:-1]})
    with pytest.raises(RunFault, match="WEIGHTS-MISMATCH"):
        type(run).open(run.folder.path).use()
