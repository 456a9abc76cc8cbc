"""The one training loop. It knows no model, no data and no loss, only the contracts.

It draws a batch, lets the learner take a step, logs, validates, keeps the best weights and
saves a state from which the run goes on bit for bit: learner, source, random generators, step,
running means and the best validation value so far.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import torch

from shinso.contracts import Evaluating, Learner, Source
from shinso.faults import RunFault
from shinso.language import _
from shinso.runs.folder import SeedFolder
from shinso.training.crew import Alone, Crew
from shinso.training.plan import Training
from shinso.training.stopping import StepStopped, StopRequest

Ended = Literal["steps", "patience", "budget", "asked"]


@dataclass(frozen=True)
class Selection:
    """Which validation metric decides on the best weights, and in which direction."""

    metric: str
    mode: Literal["min", "max"] = "min"

    def better(self, value: float, best: float | None) -> bool:
        """NaN is never better; the first number always is."""
        if math.isnan(value):
            return False
        if best is None:
            return True
        return value < best if self.mode == "min" else value > best


@runtime_checkable
class Progress(Protocol):
    """Who wants to know how a run goes (a terminal, a web page, a test)."""

    def on_step(self, step: int, steps: int, scalars: Mapping[str, float]) -> None: ...

    def on_validation(self, step: int, metrics: Mapping[str, float], best: bool) -> None: ...


class Silent:
    """Nobody wants to know."""

    def on_step(self, step: int, steps: int, scalars: Mapping[str, float]) -> None:
        pass

    def on_validation(self, step: int, metrics: Mapping[str, float], best: bool) -> None:
        pass


@dataclass
class Position:
    """How far a run is: everything that is the loop's own and not a learner's or source's."""

    step: int = 0
    seconds: float = 0.0
    waited_s: float = 0.0
    best: float | None = None
    best_step: int = 0
    looks_without_gain: int = 0
    sums: dict[str, Any] = field(default_factory=dict)
    summed: int = 0


@dataclass(frozen=True)
class Outcome:
    """How the loop ended. ended: "steps", "patience", "budget" or "asked" (Ctrl-C). waited_s: of
    ``seconds``, how long it waited for the source's next batch."""

    step: int
    best_step: int
    best: float | None
    seconds: float
    waited_s: float
    ended: Ended


def run_loop(
    learner: Learner[Any],
    source: Source[Any],
    training: Training,
    folder: SeedFolder,
    *,
    validate: Callable[[], Mapping[str, float]],
    selection: Selection,
    keep_best: Callable[[], None],
    stop: StopRequest | None = None,
    progress: Progress | None = None,
    resume: bool = False,
    previous_checkpoint: bool = False,
    crew: Crew | None = None,
) -> Outcome:
    """Train until the steps, the patience or the budget end, or until ``stop`` is asked.

    validate: metrics of the validation part; must not draw from the global random generator.
    keep_best: called when the validation metric improved; writes the weights. It is called at
    step 0 too, so an untrained model that nothing improves on is the result.
    crew: the workers that run this loop together; this one alone by default.

    Raises RunFault TRAIN-DIVERGED when the loss is not a number; the last state stays.
    """
    stop = stop or StopRequest()
    progress = progress or Silent()
    crew = crew or Alone()
    position = Position()
    if resume:
        position = _restore(learner, source, folder, crew, previous=previous_checkpoint)
    # Without a checkpoint the rows of an attempt that was killed before its first one go, too.
    folder.metrics.cut_after(position.step if resume else -1)
    started = time.perf_counter() - position.seconds

    def look() -> None:
        with learner.evaluating() if isinstance(learner, Evaluating) else nullcontext():
            metrics = crew.first_says(lambda: dict(validate()))
            best = selection.better(metrics[selection.metric], position.best)
            if best and crew.rank == 0:
                keep_best()
        if best:
            position.best, position.best_step = metrics[selection.metric], position.step
            position.looks_without_gain = 0
        else:
            position.looks_without_gain += 1
        folder.metrics.append({"step": position.step, "part": "valid", **metrics})
        # Whoever shows one metric shows the one that decides.
        first = {selection.metric: metrics[selection.metric]}
        progress.on_validation(position.step, {**first, **metrics}, best)

    def save() -> None:
        position.seconds = time.perf_counter() - started
        state = _state(learner, source, position, crew)
        folder.save_resume(state)

    if not resume:  # every state that is kept comes after the look at step 0
        look()
    ended = _why_ended(position, training, started, stop, crew)
    while ended is None:
        asked = time.perf_counter()
        batch = source.next_batch()
        position.waited_s += time.perf_counter() - asked
        try:
            scalars = learner.step(batch)
        except StepStopped:
            ended = "asked"
            break
        position.step += 1
        _add(position, scalars)
        if position.step % training.evaluate_every == 0 or position.step == training.steps:
            means = {name: float(total) / position.summed for name, total in position.sums.items()}
            _check_finite(position, means, folder)
            folder.metrics.append({"step": position.step, "part": "train", **means})
            position.sums, position.summed = {}, 0
            progress.on_step(position.step, training.steps, means)
            look()
        elif position.step % 10 == 0:
            last = {name: float(value) for name, value in scalars.items()}
            _check_finite(position, last, folder)
            progress.on_step(position.step, training.steps, last)
        ended = _why_ended(position, training, started, stop, crew)
        if ended is None and position.step % training.checkpoint_every == 0:
            save()
    save()
    return Outcome(
        position.step,
        position.best_step,
        position.best,
        position.seconds,
        position.waited_s,
        ended,
    )


REASONS: tuple[Ended | None, ...] = (None, "asked", "budget", "patience", "steps")


def _why_ended(
    position: Position, training: Training, started: float, stop: StopRequest, crew: Crew
) -> Ended | None:
    reason: Ended | None = "asked" if stop.asked else None
    if training.budget_s is not None and time.perf_counter() - started >= training.budget_s:
        reason = "budget"
    if training.patience and position.looks_without_gain >= training.patience:
        reason = "patience"
    if position.step >= training.steps:
        reason = "steps"
    # Clocks and signals differ between workers; all end at the same step.
    return REASONS[crew.largest(REASONS.index(reason))]


def _add(position: Position, scalars: Mapping[str, Any]) -> None:
    # Sums stay tensors: reading a number each step would make an accelerator wait.
    for name, value in scalars.items():
        position.sums[name] = position.sums.get(name, 0.0) + value
    position.summed += 1


def _check_finite(position: Position, scalars: Mapping[str, float], folder: SeedFolder) -> None:
    if not math.isfinite(scalars.get("loss", 0.0)):
        raise RunFault(
            "TRAIN-DIVERGED",
            place=f"{folder.path} step {position.step}",
            found=f"loss = {scalars['loss']}",
            why=_("the weights are no longer numbers; the best ones so far are kept"),
            next_step=_("train with a smaller --lr (find one with --find-lr)"),
        )


def _state(
    learner: Learner[Any], source: Source[Any], position: Position, crew: Crew
) -> dict[str, Any]:
    first, *others = crew.gather(_random())
    return {
        "learner": learner.state_dict(),
        "source": source.state_dict(),
        "position": vars(position).copy(),
        "random": {**first, "others": others},
    }


def _random() -> dict[str, Any]:
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def _restore(
    learner: Learner[Any],
    source: Source[Any],
    folder: SeedFolder,
    crew: Crew,
    *,
    previous: bool,
) -> Position:
    state = crew.first_says(lambda: folder.load_resume(previous=previous))
    learner.load_state_dict(state["learner"])
    source.load_state_dict(state["source"])
    kept = [state["random"], *state["random"].get("others", [])]
    random = kept[crew.rank % len(kept)]
    torch.set_rng_state(random["torch"])
    if torch.cuda.is_available() and random["cuda"]:
        torch.cuda.set_rng_state_all(random["cuda"])
    if crew.rank >= len(kept):  # a worker that was not there before: random numbers of its own
        torch.manual_seed(torch.initial_seed() + int(torch.randint(2**31, ())) + crew.rank)
    return Position(**state["position"])
