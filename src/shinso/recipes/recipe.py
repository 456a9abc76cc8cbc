"""The parts of a recipe, as the walk of the data sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from shinso.data import samples

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from shinso.contracts import Learner, Objective, Source
    from shinso.training.loop import Selection

Part = Literal["train", "valid", "test", "new"]


@dataclass(frozen=True)
class ModelChoice:
    """A network by name, without importing it. target: ``module:Class``.

    The class owns a nested ``Config``; ``fixed`` are the settings that make this choice, which
    the user cannot change.
    """

    target: str
    fixed: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Brief:
    """How a report trains the recipe in seconds, on data that ships with shinso.

    sample: of ``shinso.data.samples``, or "" where ``named`` is what a user would type as DATA (an
    environment) or both are empty because the recipe reads nothing. models: each is trained and
    all stand in one table.
    """

    sample: str = ""
    named: str = ""
    models: tuple[str, ...]
    settings: Mapping[str, Any]

    @property
    def data(self) -> tuple[Path, ...]:
        """What stands in the place of DATA."""
        if self.sample:
            return (samples.path(self.sample),)
        return (Path(self.named),) if self.named else ()


def given_parts(config: Any, *names: str) -> dict[str, str]:
    """For a config's ``unread``: the settings of splitting that nothing reads where valid and test
    are both given."""
    return dict.fromkeys(names, "valid and test") if config.valid and config.test else {}


def given_start(config: Any, *names: str) -> dict[str, str]:
    """For a config's ``unread``: what comes with the weights that are begun with, and what means
    nothing without them."""
    return {"anew": "no --start"} if config.start is None else dict.fromkeys(names, "--start")


@runtime_checkable
class Begins(Protocol):
    """A recipe whose training may begin with weights from elsewhere."""

    def begin(self, config: Any, model: Any) -> None:
        """Load them into a network that was just made, where ``config`` names some."""
        ...


@runtime_checkable
class Data(Protocol):
    """What ``read`` gives."""

    @property
    def notes(self) -> Sequence[str]:
        """What was noticed and should be said aloud (gaps, dropped rows, encodings)."""
        ...

    def facts(self) -> dict[str, Any]:
        """JSON-able: all that ``use`` needs later without the data (names, classes,
        vocabulary, scaler) and what proves which data it was (sha256, rows, split). Data
        that is a program of the user's says its source_sha256 too: a run goes on with a mended
        one, and says so."""
        ...


@dataclass(frozen=True, kw_only=True)
class Built:
    """Everything the loop needs for one seed.

    learner: given by a recipe whose system does not learn by gradient; otherwise None, and the
    walk makes a ``GradientLearner`` of model and objective. overfit: the same source limited to
    its first N samples.
    """

    objective: Objective[Any]
    source: Source[Any]
    validate: Callable[[], Mapping[str, float]]
    selection: Selection
    learner: Learner[Any] | None = None
    overfit: Callable[[int], Source[Any]] | None = None


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Metrics of one model (or baseline) on one part.

    metrics: name with unit -> value. details: name -> rows of a table (per horizon, per class).
    """

    metrics: Mapping[str, float]
    details: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Predictions:
    """Rows of a CSV. notes: what was noticed while reading and should be said aloud."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    notes: tuple[str, ...] = ()

    def frame(self) -> Any:
        """The rows as a polars data frame."""
        import polars as pl

        return pl.DataFrame(self.rows, schema=list(self.columns), orient="row")


@runtime_checkable
class Use(Protocol):
    """What a user gets from a trained run. ``model`` is already loaded and in eval mode.

    better: metric name -> "min" or "max", the first being the one that gates and comparisons use.
    """

    better: Mapping[str, Literal["min", "max"]]

    def read_new(self, paths: Sequence[Path]) -> Any:
        """New data in the form of the training data; the run's own scaler and vocabulary."""
        ...

    def evaluate(self, data: Any, part: Part) -> Evaluation: ...

    def baselines(self, data: Any, part: Part) -> dict[str, Evaluation]:
        """The naive rivals, fitted on the train part of the run's own data only."""
        ...

    def predict(self, paths: Sequence[Path]) -> Predictions: ...

    def plots(
        self, data: Any, part: Part
    ) -> dict[str, tuple[Callable[[Figure], None], Predictions]]:
        """name -> (how to draw it, the table behind it)."""
        ...


@runtime_checkable
class CalledInParts(Protocol):
    """A Use whose evaluation calls parts of its network, never the whole that a file of it holds."""

    def call_whole(self, data: Any, part: Part) -> None:
        """Call the network with a few samples."""
        ...


@runtime_checkable
class Retells(Protocol):
    """A Use whose answers can be learnt from as if they were the data's own: sentences."""

    def sources(self, data: Any) -> Sequence[str]:
        """What the train part asks."""
        ...

    def translate(self, sentences: Sequence[str]) -> list[str]:
        """The network's answer to each."""
        ...

    def retold(self, data: Any, answers: Sequence[str]) -> Any:
        """The data with these answers to ``sources`` in its train part."""
        ...


@runtime_checkable
class Streams(Protocol):
    """A Use that answers line by line, as lines come: ``shinso predict RUN -``."""

    def stream(self, lines: Iterable[str]) -> Iterator[str]:
        """One answer for each line, given before the next line is read."""
        ...


@runtime_checkable
class Pictures(Protocol):
    """A Use that draws its predictions over the data: ``shinso predict RUN DATA --pictures DIR``."""

    def pictures(self, paths: Sequence[Path]) -> Iterator[tuple[str, bytes]]:
        """(file name, content) of each picture."""
        ...


@runtime_checkable
class Paired(Protocol):
    """A Use that compares two runs sample by sample, which tells smaller differences apart than two
    means do: ``shinso compare RUN RUN``."""

    def same_samples(self, ours: Evaluation, others: Evaluation) -> bool:
        """Whether both were measured on the same test part, whatever they learned from."""
        ...

    def paired(self, first: str, ours: Evaluation, second: str, others: Evaluation) -> str:
        """What is to be said of two runs, by name, on the same test part."""
        ...


@runtime_checkable
class MeasuredBySettings(Protocol):
    """A Use of whose metrics some can be computed in more than one way, so that only runs that
    agree in it can be compared."""

    def how_measured(self) -> str:
        """Which way it was, in a line that a reader can quote beside the figures."""
        ...


@runtime_checkable
class Generates(Protocol):
    """A Use that makes something new: text, sound, images, games (``shinso generate RUN``).

    Its recipe has a frozen dataclass ``Generation`` beside ``Config``: the settings of generating,
    ``seed`` among them.
    """

    def generate(self, settings: Any, prompt: str, output: Path | None) -> Iterator[str]:
        """Pieces of text, shown as they come. With ``output``, what is not text is written there
        and the pieces say what was written; a recipe that makes no text needs an ``output``.
        Called again with the next prompt of the same session, it may remember the earlier ones.
        """
        ...


@runtime_checkable
class Plays(Protocol):
    """A Use that acts in an environment, episode by episode: ``shinso play RUN``."""

    def play(self, paths: Sequence[Path], number: int, *, window: bool) -> Iterator[str]:
        """Lines that show an episode as it goes, the last one its return."""
        ...

    def animation(self, paths: Sequence[Path], number: int, fps: int) -> bytes:
        """A GIF of an episode."""
        ...
