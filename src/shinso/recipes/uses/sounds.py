"""What a user gets from a trained WaveNet, and its naive rivals."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import torch
from torch import nn

from shinso.data import mulaw
from shinso.data.recordings import Recordings, read_recordings
from shinso.data.sound_crops import SoundClips
from shinso.data.splits import PARTS, SplitPart
from shinso.data.stratified import duplicates_across, parse_shares, stratified_split
from shinso.extras import need
from shinso.faults import DataFault, ManyDataFaults, UsageFault
from shinso.language import _
from shinso.models.sound_rivals import LinearPredictor, class_histogram, level_bounds
from shinso.models.wavenet import WaveNet
from shinso.models.wavenet_sampling import CachedSampler
from shinso.objectives.waveforms import total_nats
from shinso.recipes.recipe import Evaluation, Part, Predictions
from shinso.recipes.uses.files import only_one

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from shinso.recipes.audio import Config, Generation

AT_ONCE = 32_000  # samples that are scored together


@dataclass(frozen=True)
class SoundData:
    """Recordings as clips of each part; names of the clips in the same order."""

    recordings: Recordings
    clips: Mapping[Part, SoundClips]
    names: Mapping[Part, Sequence[str]]
    notes: tuple[str, ...]
    extra: Mapping[str, Any] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        return {**self.recordings.facts(), "notes": list(self.notes), **self.extra}


def read_parts(config: Config, paths: Sequence[Path]) -> SoundData:
    """Read, split; histogram and linear predictor from the train part."""
    path = only_one(paths, "audio", _("give a folder or an archive of WAV files"))
    found = _read(config, path, config.rate_hz)
    given = {
        part: _read(config, only_one(files, "audio"), found.rate_hz)
        for part, files in (("valid", config.valid), ("test", config.test))
        if files
    }
    parts = _split(config, found, tuple(given))
    chosen = {
        part: (given[part], np.arange(len(given[part]))) if part in given else (found, parts[part])
        for part in PARTS
    }
    classes = found.classes
    clips = {part: _clips(*one, classes) for part, one in chosen.items()}
    names = {
        part: [recordings.names[row] for row in rows] for part, (recordings, rows) in chosen.items()
    }
    train = clips["train"]
    extra = {
        "class_names": list(classes),
        "split": _split_text(config),
        "part_recordings": {part: len(one) for part, one in clips.items()},
        "part_samples": {part: int(one.lengths.sum()) for part, one in clips.items()},
        "histogram": class_histogram(train.classes, mulaw.CLASSES).tolist(),
        "linear": LinearPredictor.fit(train.values).to_dict(),
    }
    contents = [one.tobytes() for one in found.samples]
    same = duplicates_across(contents, parts) if not given else []
    notes = [*found.notes, *(note for one in given.values() for note in one.notes), *same]
    return SoundData(found, cast(Any, clips), cast(Any, names), tuple(notes), extra)


def _read(config: Config, path: Path, rate_hz: int) -> Recordings:
    return read_recordings(path, label=config.label_from, rate_hz=rate_hz, silent=config.silent)


def _split_text(config: Config) -> str:
    text = f"{config.split} seed {config.split_seed}"
    if config.test_names:
        text += f", test: {config.test_names}"
    for name in ("valid", "test"):
        if getattr(config, name):
            text += f", {name}: {', '.join(one.name for one in getattr(config, name))}"
    return text


def _split(config: Config, found: Recordings, given: Sequence[str]) -> dict[SplitPart, np.ndarray]:
    """Rows of each part of the recordings; parts given as files of their own have none."""
    shares = parse_shares(config.split)
    rest = np.arange(len(found))
    parts: dict[SplitPart, np.ndarray] = dict.fromkeys(PARTS, rest[:0])
    stems = [PurePosixPath(name).stem for name in found.names]
    if config.test_names:
        is_test = np.array([bool(re.search(config.test_names, stem)) for stem in stems])
        if not is_test.any() or is_test.all():
            raise DataFault(
                "DATA-TOO-SHORT",
                place=str(found.path),
                found=_("{count} of {all} names have {rule}").format(
                    count=int(is_test.sum()), all=len(rest), rule=config.test_names
                ),
                why=_("train and test need one recording each"),
                next_step=_("change --test-names"),
            )
        parts["test"], rest = rest[is_test], rest[~is_test]
    missing: list[SplitPart] = [
        part for part in PARTS[1:] if part not in given and not len(parts[part])
    ]
    if not missing:
        parts["train"] = rest
        return parts
    labels = [found.labels[row] for row in rest]
    split = stratified_split(
        labels, shares, config.split_seed, path=found.path, places=[found.names[i] for i in rest]
    )
    for part in missing:
        parts[part] = rest[split[part]]
    taken = np.concatenate([split[part] for part in missing])
    parts["train"] = np.delete(rest, taken)
    return parts


def _clips(found: Recordings, rows: np.ndarray, classes: Sequence[str]) -> SoundClips:
    samples = [found.samples[row] for row in rows]
    labels = None
    if classes:
        number = {name: place for place, name in enumerate(classes)}
        faults = [
            DataFault(
                "DATA-UNKNOWN-LABEL",
                place=f"{found.path}/{found.names[row]}",
                found=repr(found.labels[row]),
                why=_("the train part has only the classes {classes}").format(
                    classes=", ".join(classes)
                ),
                next_step=_("mend the label, or train on data that hold this class"),
            )
            for row in rows
            if found.labels[row] not in number
        ]
        if faults:
            raise ManyDataFaults(faults)
        labels = [number[found.labels[row]] for row in rows]
    return SoundClips([mulaw.encode(one) for one in samples], samples, labels)


class SoundUse:
    """A trained WaveNet. Scores are means over all samples of a part."""

    better: Mapping[str, Literal["min", "max"]] = {"nats_per_sample": "min", "nats_16bit": "min"}

    def __init__(self, config: Config, facts: Mapping[str, Any], model: nn.Module) -> None:
        self.config, self.facts, self.model = config, facts, cast(WaveNet, model)
        self.classes: list[str] = facts["class_names"]

    def read_new(self, paths: Sequence[Path]) -> SoundData:
        path = only_one(paths, "audio", _("give a folder or an archive of WAV files"))
        found = _read(self.config, path, self.facts["rate_hz"])
        clips = _clips(found, np.arange(len(found)), self.classes)
        return SoundData(found, {"new": clips}, {"new": found.names}, found.notes)

    def evaluate(self, data: SoundData, part: Part, *, most: int = 0) -> Evaluation:
        """most: samples to score, of clips from all over the part; 0 scores all."""
        clips = data.clips[part]
        chosen = None
        if most and clips.lengths.sum() > most:
            count = max(1, int(len(clips) * most / clips.lengths.sum()))
            chosen = np.linspace(0, len(clips) - 1, count).astype(int).tolist()
        nats, samples, labels = self._nats(clips, chosen)
        metrics = {name: float(one.sum() / samples.sum()) for name, one in nats.items()}
        details = self._by_label(nats["nats_per_sample"], samples, labels)
        return Evaluation(metrics=metrics, details=details)

    def _by_label(
        self, nats: np.ndarray, samples: np.ndarray, labels: np.ndarray | None
    ) -> dict[str, list[dict[str, Any]]]:
        if labels is None:
            return {}
        rows = [
            {
                "label": name,
                "recordings": int((labels == number).sum()),
                "nats_per_sample": float(
                    nats[labels == number].sum() / samples[labels == number].sum()
                ),
            }
            for number, name in enumerate(self.classes)
            if (labels == number).any()
        ]
        return {"by_label": rows}

    def _nats(
        self, clips: SoundClips, chosen: Sequence[int] | None = None
    ) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray | None]:
        """Nats of each clip by scale, its samples and its label; the short clips first."""
        device = next(self.model.parameters()).device
        found: dict[str, list[torch.Tensor]] = {}
        samples, labels = [], []
        for batch in clips.whole(AT_ONCE, chosen):
            for name, nats in total_nats(self.model, batch.to(device)).items():
                found.setdefault(name, []).append(nats.cpu())
            samples.append(batch.counted.sum(1))
            labels.append(batch.labels)
        named = None if clips.labels is None else torch.cat(labels).numpy()
        nats = {name: torch.cat(each).numpy() for name, each in found.items()}
        return nats, torch.cat(samples).numpy(), named

    def baselines(self, data: SoundData, part: Part) -> dict[str, Evaluation]:
        clips = data.clips[part]
        total = int(clips.lengths.sum())
        shares = np.log(np.array(self.facts["histogram"]))
        widths = np.log(mulaw.levels_of_classes())
        counts = np.bincount(np.concatenate(clips.classes), minlength=mulaw.CLASSES)
        histogram = {
            "nats_per_sample": float(-(counts @ shares) / total),
            "nats_16bit": float(-(counts @ (shares - widths)) / total),
        }
        linear = LinearPredictor.from_dict(self.facts["linear"])
        ends = np.concatenate([[-np.inf], mulaw.edges() * mulaw.LEVELS, [np.inf]])
        sums = np.zeros(2)
        for classes, values in zip(clips.classes, clips.values, strict=True):
            number = classes.astype(np.int64)
            sums[0] -= linear.log_shares(values, ends[number], ends[number + 1]).sum()
            sums[1] -= linear.log_shares(values, *level_bounds(values)).sum()
        predictor = dict(zip(self.better, (sums / total).tolist(), strict=True))
        return {"histogram": Evaluation(metrics=histogram), "linear": Evaluation(metrics=predictor)}

    def predict(self, paths: Sequence[Path]) -> Predictions:
        """A row for each recording: how surprising it is, in nats a sample."""
        data = self.read_new(paths)
        clips = data.clips["new"]
        nats, samples, _labels = self._nats(clips)
        places = np.argsort(clips.lengths, kind="stable")
        means = np.empty(len(clips))
        means[places] = nats["nats_per_sample"] / samples
        rows = [
            (name, length / self.facts["rate_hz"], float(mean))
            for name, length, mean in zip(
                data.names["new"], clips.lengths.tolist(), means, strict=True
            )
        ]
        return Predictions(("recording", "seconds", "nats_per_sample"), rows)

    def plots(
        self, data: SoundData, part: Part
    ) -> dict[str, tuple[Callable[[Figure], None], Predictions]]:
        clips = data.clips[part]
        label = None if clips.labels is None else int(clips.labels[0])
        real = clips.values[0]
        made = self._speak(label, len(real), 1.0, 0)
        name = data.names[part][0]
        table = Predictions(
            ("sample", f"real: {name}", "generated"),
            [(place, int(a), int(b)) for place, (a, b) in enumerate(zip(real, made, strict=True))],
        )
        return {"waveform": (lambda figure: _draw(figure, table, self.facts["rate_hz"]), table)}

    def generate(self, settings: Generation, prompt: str, output: Path | None) -> Iterator[str]:
        """Writes a WAV file. The prompt is the label, where ``label`` is empty."""
        wanted = settings.label or prompt
        label = self._label(wanted)
        if output is None:
            raise UsageFault(
                "GENERATE-NO-FILE",
                place="-o",
                found=_("no file is named"),
                why=_("sound cannot be printed"),
                next_step=_("name one: -o out.wav"),
            )
        rate = self.facts["rate_hz"]
        samples = self._speak(
            label, max(1, round(settings.seconds * rate)), settings.temperature, settings.seed
        )
        soundfile = need("soundfile")
        try:
            soundfile.write(output, samples, rate, subtype="PCM_16")
        except (soundfile.LibsndfileError, TypeError, ValueError, RuntimeError) as error:
            raise UsageFault(
                "GENERATE-NO-FILE",
                place=str(output),
                found=str(error),
                next_step=_("name a file that ends in .wav, in a folder that exists"),
            ) from error
        yield _("{path}: {seconds:.2f} s at {rate} Hz").format(
            path=output, seconds=len(samples) / rate, rate=rate
        )

    def _label(self, wanted: str) -> int | None:
        if not self.classes and not wanted:
            return None
        if wanted not in self.classes:
            known = ", ".join(self.classes)
            raise UsageFault(
                "GENERATE-LABEL",
                place="--label",
                found=repr(wanted),
                why=_("the run was trained without labels")
                if not self.classes
                else _("the labels are: {labels}").format(labels=known),
                next_step=_("leave --label out") if not self.classes else _("give one of them"),
            )
        return self.classes.index(wanted)

    def _speak(self, label: int | None, samples: int, temperature: float, seed: int) -> np.ndarray:
        chances = np.random.default_rng(seed).random((samples, 2))
        drawn = CachedSampler(self.model, label).draw(chances, temperature)
        if self.model.mixture:
            return np.round(drawn * mulaw.LEVELS).clip(-32768, 32767).astype(np.int16)
        return mulaw.decode(drawn.astype(np.int64))


def _draw(figure: Figure, table: Predictions, rate_hz: int) -> None:
    columns = list(zip(*table.rows, strict=True))
    seconds = np.array(columns[0]) / rate_hz
    both = figure.subplots(2, 1, sharex=True, sharey=True)
    for axes, values, name in zip(both, columns[1:], table.columns[1:], strict=True):
        axes.plot(seconds, values, linewidth=0.5)
        axes.set_title(name, fontsize=9)
        axes.set_ylabel("16-bit sample")
    both[-1].set_xlabel("seconds")
