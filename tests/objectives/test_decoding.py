"""Beam search: as all sentences alone, as without a cache, as trying every translation."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shinso.data.parallel_batches import padded, seen
from shinso.data.subwords import BEGIN, END, PAD, UNKNOWN
from shinso.models.seq2seq import Seq2Seq
from shinso.models.transformer import Transformer
from shinso.objectives.decoding import Search, Writer, Written, _is_done, search

VOCABULARY = 9
MODELS = ["pre", "post", "rotary", "none", "bahdanau", "luong", "lstm"]


def make(kind: str, seed: int = 0) -> Any:
    """A small model of random weights, in float64 so that no tie is decided by rounding."""
    torch.manual_seed(seed)
    sizes = {"num_source": VOCABULARY, "num_target": VOCABULARY}
    if kind in ("pre", "post", "rotary"):
        config = Transformer.Config(
            width=8, heads=2, inner=8, encoder_layers=1, decoder_layers=2,
            norm="post" if kind == "post" else "pre",
            positions="rotary" if kind == "rotary" else "sinusoidal",
        )  # fmt: skip
        model: Any = Transformer(config, **sizes)
    else:
        attention = "luong" if kind == "lstm" else kind
        config = Seq2Seq.Config(
            attention=attention, cell="lstm" if kind == "lstm" else "gru",  # type: ignore[arg-type]
            embedding=8, hidden=6, decoder_layers=2 if kind == "lstm" else 1,
        )  # fmt: skip
        model = Seq2Seq(config, **sizes)
    with torch.no_grad():  # clear preferences, and an end that comes
        model.output.weight.mul_(3)
        model.output.weight[END] += 0.3
    return model.double().eval()


def sources(lengths: list[int], seed: int) -> list[list[int]]:
    generator = torch.Generator().manual_seed(seed)
    return [
        [*torch.randint(4, VOCABULARY, (length,), generator=generator).tolist(), END]
        for length in lengths
    ]


def found(model: Any, sentences: list[list[int]], longest: list[int], **how: Any) -> list[Any]:
    source, lengths = padded(sentences)
    never = (PAD, UNKNOWN, BEGIN)
    wanted = Search(begin=BEGIN, end=END, never=never, **how)
    return search(model, source, seen(lengths, source.shape[1]), longest, wanted)


class Recomputing:
    """The same model without a cache: the decoder reads everything written so far at each step."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def begin(self, source: Any, mask: Any, beams: int, steps: int) -> Writer:
        return _Recomputing(self.model, source, mask, beams)


class _Recomputing:
    def __init__(self, model: Any, source: Any, mask: Any, beams: int) -> None:
        self.model, self.source, self.mask = model, source, mask
        self.history = torch.empty(len(source), beams, 0, dtype=torch.int64)

    def step(self, words: torch.Tensor) -> torch.Tensor:
        self.history = torch.cat([self.history, words.unsqueeze(-1)], -1)
        sentences, beams, steps = self.history.shape
        mask = None if self.mask is None else self.mask.repeat_interleave(beams, 0)
        source = self.source.repeat_interleave(beams, 0)
        hidden = self.model(source, mask, self.history.view(-1, steps))[:, -1]
        return self.model.output(hidden).view(sentences, beams, -1)

    def take(self, sentences: torch.Tensor | None, beams: torch.Tensor) -> None:
        if sentences is not None:
            self.source = self.source[sentences]
            self.mask = None if self.mask is None else self.mask[sentences]
            self.history = self.history[sentences]
        self.history = self.history.gather(
            1, beams.unsqueeze(-1).expand(-1, -1, self.history.shape[-1])
        )


def words_of(results: list[list[Any]]) -> list[list[tuple[tuple[int, ...], bool]]]:
    return [[(one.words, one.ended) for one in some] for some in results]


@given(
    kind=st.sampled_from(MODELS),
    seed=st.integers(0, 10**6),
    lengths=st.lists(st.integers(1, 6), min_size=2, max_size=5),
    beams=st.integers(1, 4),
    penalty=st.sampled_from([0.0, 0.6, 1.0]),
)
@settings(max_examples=35, deadline=None)
def test_a_batch_gives_what_its_sentences_give_alone_holds_for_any_batch(
    kind, seed, lengths, beams, penalty
):
    model, sentences = make(kind, seed), sources(lengths, seed)
    longest = [length + 3 for length in lengths]
    how = {"beams": beams, "length_penalty": penalty}
    together = found(model, sentences, longest, **how)
    alone = [
        found(model, [one], [limit], **how)[0]
        for one, limit in zip(sentences, longest, strict=True)
    ]
    assert words_of(together) == words_of(alone)
    for some, other in zip(together, alone, strict=True):
        assert [one.score for one in some] == pytest.approx([one.score for one in other])


@given(
    kind=st.sampled_from(["pre", "post", "rotary"]),
    seed=st.integers(0, 10**6),
    lengths=st.lists(st.integers(1, 6), min_size=2, max_size=8),
    beams=st.integers(1, 4),
)
@settings(max_examples=35, deadline=None, derandomize=True)
def test_compiled_steps_write_what_plain_ones_do_holds_for_any_batch(kind, seed, lengths, beams):
    """In float32, as users write: a batch, its sentences alone, and without a cache in float64. The
    same examples each time, since rounding decides between words of equal chances."""
    exact, sentences = make(kind, seed), sources(lengths, seed)
    longest = [length + 3 for length in lengths]
    plain = words_of(found(Recomputing(exact), sentences, longest, beams=beams))
    model = exact.float()
    together = words_of(found(model, sentences, longest, beams=beams))
    alone = [
        found(model, [one], [limit], beams=beams)[0]
        for one, limit in zip(sentences, longest, strict=True)
    ]
    assert together == words_of(alone) == plain


@given(
    kind=st.sampled_from(MODELS),
    seed=st.integers(0, 10**6),
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    beams=st.integers(1, 4),
)
@settings(max_examples=35, deadline=None)
def test_the_cache_changes_nothing_holds_for_any_search(kind, seed, lengths, beams):
    model, sentences = make(kind, seed), sources(lengths, seed)
    longest = [8] * len(lengths)
    cached = found(model, sentences, longest, beams=beams)
    plain = found(Recomputing(model), sentences, longest, beams=beams)
    assert words_of(cached) == words_of(plain)


@pytest.mark.parametrize("kind", MODELS)
def test_enough_beams_find_the_best_of_all_translations(kind):
    """Every translation of up to three words, scored with the true words given."""
    model = make(kind, 3).requires_grad_(False)
    source = torch.tensor([[5, 7, END]])
    real = range(4, VOCABULARY)
    every = [(*words, END) for n in range(3) for words in itertools.product(real, repeat=n)]
    best, best_score = (), float("-inf")
    for words in every:
        target = torch.tensor([[BEGIN, *words]])
        scores = model.output(model(source, None, target[:, :-1]))[0]
        scores[:, [PAD, UNKNOWN, BEGIN]] = float("-inf")
        # What may never be written does not share in the probability of the rest.
        log_p = float(scores.log_softmax(-1).gather(1, target[0, 1:, None]).sum())
        score = log_p / ((5 + len(words)) / 6) ** 0.7
        if score > best_score:
            best, best_score = words, score
    # A limit of 3 words cuts off hypotheses that have not ended; they are not among ``every``.
    hypotheses = found(model, [[5, 7, END]], [3], beams=40, length_penalty=0.7)[0]
    ended = [one for one in hypotheses if one.ended]
    assert (*ended[0].words, END) == best
    assert ended[0].score == pytest.approx(best_score)
    assert ended[0].log_p == pytest.approx(best_score * ((5 + len(best)) / 6) ** 0.7)


def test_one_beam_takes_the_likeliest_word_each_time():
    model = make("luong", 1)
    (only,) = found(model, [[5, 6, END]], [6], beams=1)
    words = [BEGIN]
    for _step in range(6):
        scores = model.output(model(torch.tensor([[5, 6, END]]), None, torch.tensor([words])))
        scores[..., [PAD, UNKNOWN, BEGIN]] = float("-inf")
        words.append(int(scores[0, -1].argmax()))
        if words[-1] == END:
            break
    assert only[0].words == tuple(word for word in words[1:] if word != END)


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("kind", ["pre", "luong"])
def test_scores_that_are_no_numbers_are_an_error_and_no_sentences_are_none(kind, beams):
    model = make(kind)
    assert (
        search(model, torch.empty(0, 4, dtype=torch.int64), None, [], Search(begin=2, end=3)) == []
    )
    with torch.no_grad():
        model.output.weight.fill_(float("nan"))
    with pytest.raises(ValueError, match="not numbers"):
        found(model, [[5, END], [6, 7, END]], [4, 4], beams=beams)


def test_longest_cuts_off_and_says_so():
    model = make("pre")
    with torch.no_grad():
        model.output.weight[END] = -50.0 * model.output.weight.abs().max()
    (some,) = found(model, [[5, END]], [4], beams=2)
    assert all(len(one.words) <= 4 for one in some)
    assert not some[0].ended or len(some[0].words) < 4


def test_settings_that_make_no_search_are_refused():
    with pytest.raises(ValueError, match="beams is 0"):
        Search(begin=BEGIN, end=END, beams=0)
    with pytest.raises(ValueError, match="length_penalty is -1"):
        Search(begin=BEGIN, end=END, length_penalty=-1)


def test_a_sentence_is_done_when_no_unfinished_one_would_be_better():
    how = Search(begin=BEGIN, end=END, beams=2, length_penalty=0.0)
    done = [Written((5,), score, score, True) for score in (-1.0, -5.0)]
    assert not _is_done(done, best=-3.0, step=4, how=how)
    assert _is_done(done, best=-6.0, step=4, how=how)
    assert not _is_done(done[:1], best=-6.0, step=4, how=how)
    assert _is_done(done[:1], best=float("-inf"), step=4, how=how)
    penalized = Search(begin=BEGIN, end=END, beams=2, length_penalty=1.0)
    assert not _is_done(done, best=-6.0, step=4, how=penalized)  # −6 / 1.5 = −4
