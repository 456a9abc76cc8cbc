"""What a user gets from a language model: perplexity, bits a character, new text; and its rivals."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from jaxtyping import Int32
from torch import nn

from shinso.data.findings import Findings
from shinso.data.text import read_text
from shinso.data.token_codec import END, TokenCodec
from shinso.data.token_windows import windows_in_order
from shinso.faults import UsageFault
from shinso.language import _
from shinso.models.kneser_ney import KneserNey
from shinso.objectives.language_modelling import nats_of_text
from shinso.objectives.sampling import choose_token
from shinso.recipes.recipe import Evaluation, Part, Predictions
from shinso.recipes.uses.files import only_one
from shinso.recipes.uses.token_data import LanguageData, said_of, unpacked
from shinso.recipes.uses.vocabulary_fits import check_fits

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from shinso.recipes.language_model import Config, Generation

TIME = 256  # tokens evaluated at once


class LanguageUse:
    """A trained language model."""

    better: Mapping[str, Literal["min", "max"]] = {
        "perplexity": "min",
        "bits_per_char": "min",
        "loss_nats": "min",
    }

    def __init__(self, config: Config, facts: Mapping[str, Any], model: nn.Module) -> None:
        self.config, self.facts = config, facts
        self.model: Any = model
        self.codec = TokenCodec.of_facts(facts["codec"])
        check_fits(self.model.embedding.weight, len(self.codec))

    @cached_property
    def rival(self) -> KneserNey:
        """The n-grams of the train part."""
        tokens = unpacked(self.facts["train_tokens"])
        return KneserNey(tokens, len(self.codec), self.config.ngram)

    def read_new(self, paths: Sequence[Path]) -> LanguageData:
        path = only_one(paths, "language-model")
        findings = Findings(path)
        file = read_text(path, findings)
        tokens = self.codec.encode(file.text)
        return LanguageData(
            self.codec, {"new": tokens}, {"new": len(file.text)}, {"new": file.text}, file.sha256,
            np.array(self.facts["counts"]),
            (*findings.notes, *said_of(self.codec, tokens, len(file.text), "new")),
        )  # fmt: skip

    def evaluate(self, data: LanguageData, part: Part) -> Evaluation:
        tokens = data.parts[part]
        windows = windows_in_order(tokens, TIME, self._first)
        nats, count = nats_of_text(self.model, windows, self._device)
        return _scores(nats, count, data.characters[part])

    def baselines(self, data: LanguageData, part: Part) -> dict[str, Evaluation]:
        tokens, characters = data.parts[part], data.characters[part]
        counts = np.array(self.facts["counts"], dtype=float) + 1  # none is impossible
        alone = -np.log(counts / counts.sum())[tokens].sum()
        grams = -self.rival.log_probabilities(tokens, np.array([self._first])).sum()
        return {
            "token frequency": _scores(float(alone), len(tokens), characters),
            f"Kneser-Ney {self.config.ngram}": _scores(float(grams), len(tokens), characters),
        }

    def predict(self, paths: Sequence[Path]) -> Predictions:
        """How likely each line of a text is, after the lines before it."""
        data = self.read_new(paths)
        tokens = data.parts["new"]
        nats = self._nats(tokens)
        lines = data.texts["new"].removesuffix("\n").split("\n")
        sizes = [len(self.codec.encode(line + "\n")) for line in lines]
        ends = np.minimum(np.cumsum(sizes), len(nats))
        rows = []
        for number, (begin, end) in enumerate(zip([0, *ends], ends, strict=False), 1):
            if end > begin:
                mean = float(nats[begin:end].mean())
                rows.append((number, int(end - begin), mean, math.exp(min(mean, 700.0))))
        return Predictions(("line", "tokens", "loss_nats", "perplexity"), rows, data.notes)

    def plots(
        self, data: LanguageData, part: Part
    ) -> dict[str, tuple[Callable[[Figure], None], Predictions]]:
        """Perplexity by how often a token occurs in the train part."""
        tokens = data.parts[part]
        counts = np.array(self.facts["counts"])[tokens]
        own = self._nats(tokens)
        grams = -self.rival.log_probabilities(tokens, np.array([self._first]))
        edges = [0, 1, 10, 100, 1000, 10_000, 10**12]
        rows = []
        for low, high in pairwise(edges):
            mine = (counts >= low) & (counts < high)
            if mine.any():
                rows.append((f"{low:,}+", int(mine.sum()), *_exps(own[mine], grams[mine])))
        table = Predictions(("seen", "tokens", "model_perplexity", "kneser_ney_perplexity"), rows)
        return {"perplexity": (lambda figure: _draw(table, figure), table)}

    def generate(self, settings: Generation, prompt: str, output: Path | None) -> Iterator[str]:
        """The prompt, then one token after another as it is drawn."""
        given = self._prompt(prompt)
        yield prompt
        step = self._step_of_rival(given) if settings.rival else self._step_of_model(given)
        rng = np.random.default_rng(settings.seed)
        forbidden = self.codec.unwritten

        def drawn() -> Iterator[int]:
            number: int | None = None
            for _count in range(settings.length):
                scores = step(number)
                scores[forbidden] = -np.inf
                number = choose_token(
                    scores, rng, temperature=settings.temperature, top_k=settings.top_k,
                    top_p=settings.top_p,
                )  # fmt: skip
                yield number

        begins = not len(given) or prompt.endswith("\n")
        if self.codec.level == "word":
            begins = begins or prompt[-1].isspace()  # a blank typed is no word of its own
        yield from self.codec.pieces_of_text(drawn(), begins=begins)

    def _prompt(self, prompt: str) -> Int32[np.ndarray, " token"]:
        given = self.codec.encode(prompt) if prompt else np.zeros(0, dtype=np.int32)
        if self.codec.level == "word" and prompt and not prompt.endswith("\n"):
            given = given[:-1]  # the line that the prompt begins has not ended
        strange = self.codec.strange(prompt)
        if strange:
            import difflib

            near = difflib.get_close_matches(
                strange[0], self.codec.tokens[:50_000], n=3, cutoff=0.7
            )
            raise UsageFault(
                "WORD-UNKNOWN",
                place=strange[0],
                found=_("the run's {count:,} tokens lack it").format(count=len(self.codec)),
                why=_("it did not occur often enough in the text that was learnt from"),
                next_step=_("did you mean {near}?").format(near=", ".join(near))
                if near
                else _("write the prompt as the text is written"),
            )
        return given

    def _step_of_model(self, given: Int32[np.ndarray, " token"]) -> Callable[[int | None], Any]:
        read = self.model.continuation()
        begin = [self._first, *given.tolist()]

        @torch.no_grad()
        def step(number: int | None) -> np.ndarray:
            new = torch.tensor([begin if number is None else [number]], device=self._device)
            return self.model.scores(read(new)[0]).double().cpu().numpy()

        return step

    def _step_of_rival(self, given: Int32[np.ndarray, " token"]) -> Callable[[int | None], Any]:
        before = [self._first, *given.tolist()]

        def step(number: int | None) -> np.ndarray:
            if number is not None:
                before.append(number)
            seen = np.array(before[-self.config.ngram :])
            return np.log(self.rival.next_probabilities(seen))

        return step

    @torch.no_grad()
    def _nats(self, tokens: Int32[np.ndarray, " token"]) -> np.ndarray:
        """Of every token."""
        state: Any = None
        found = []
        for window, targets in windows_in_order(tokens, TIME, self._first):
            h, state = self.model(window.to(self._device), state)
            logs = self.model.scores(h[0]).log_softmax(-1)
            found.append(-logs.gather(1, targets[0, :, None].to(self._device))[:, 0].cpu())
        return torch.cat(found).double().numpy()

    @property
    def _first(self) -> int:
        """What stands before a text: a line's end, or the likeliest token where there is none."""
        number = self.codec.number
        ends = (number.get(END), number.get("\n"), number.get("</s>"))
        return next((end for end in ends if end is not None), 0)

    @property
    def _device(self) -> torch.device:
        return next(self.model.parameters()).device


def _scores(nats: float, tokens: int, characters: int) -> Evaluation:
    mean = nats / tokens
    return Evaluation(
        metrics={
            # exp(700) is near the largest float; a model that far off is as wrong as can be.
            "perplexity": math.exp(min(mean, 700.0)),
            "bits_per_char": nats / math.log(2) / characters,
            "loss_nats": mean,
        }
    )


def _exps(*nats: np.ndarray) -> list[float]:
    return [float(np.exp(min(one.mean(), 700.0))) for one in nats]


def _draw(table: Predictions, figure: Figure) -> None:
    axes = figure.subplots()
    places = np.arange(len(table.rows))
    for shift, column, name in ((-0.2, 2, _("model")), (0.2, 3, "Kneser–Ney")):
        axes.bar(places + shift, [row[column] for row in table.rows], 0.4, label=name)
    axes.set_xticks(places, [row[0] for row in table.rows])
    axes.set_yscale("log")
    axes.set_xlabel(_("occurrences of the token in the train part"))
    axes.set_ylabel(_("perplexity"))
    axes.legend()
