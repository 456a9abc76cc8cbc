"""What a user gets from a trained WaveNet, and its naive rivals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from torch import nn

from shinso.data import mulaw
from shinso.data.recordings import Recordings
from shinso.data.sound_crops import Piece, SoundClips
from shinso.extras import need
from shinso.faults import UsageFault
from shinso.language import _
from shinso.models.sound_rivals import LinearPredictor, level_bounds
from shinso.models.wavenet import WaveNet
from shinso.models.wavenet_sampling import CachedSampler
from shinso.objectives.waveforms import total_nats
from shinso.recipes.recipe import Evaluation, Part, Predictions
from shinso.recipes.uses.files import only_one
from shinso.recipes.uses.sound_data import SoundData, clips_of, read_like

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from shinso.recipes.audio import Config, Generation

AT_ONCE = 32_000  # samples that are scored together
MOST_DRAWN = 40_000  # samples of the picture of a waveform


class SoundUse:
    """A trained WaveNet. Scores are means over all samples of a part."""

    better: Mapping[str, Literal["min", "max"]] = {"nats_per_sample": "min", "nats_16bit": "min"}

    def __init__(self, config: Config, facts: Mapping[str, Any], model: nn.Module) -> None:
        self.config, self.facts, self.model = config, facts, cast(WaveNet, model)
        self.classes: list[str] = facts["class_names"]

    def read_new(self, paths: Sequence[Path]) -> SoundData:
        found = self._read(paths, needs_label=True)
        clips = clips_of(found, np.arange(len(found)), self.classes)
        return SoundData(found, {"new": clips}, {"new": found.names}, found.notes)

    def _read(self, paths: Sequence[Path], *, needs_label: bool) -> Recordings:
        path = only_one(paths, "audio", _("give a folder or an archive of WAV files"))
        rule = self.facts.get("label_rule", self.config.label_from) if self.classes else "none"
        return read_like(self.config, path, rule, self.facts["rate_hz"], needs_label=needs_label)

    def evaluate(self, data: SoundData, part: Part, *, most: int = 0) -> Evaluation:
        """most: samples to score, of pieces from all over the part; 0 scores all."""
        clips = data.clips[part]
        pieces = clips.pieces(AT_ONCE, self.model.receptive_field)
        total = int(clips.lengths.sum())
        if most and total > most:
            count = max(1, int(len(pieces) * most / total))
            chosen = np.linspace(0, len(pieces) - 1, count).astype(int).tolist()
            pieces = [pieces[place] for place in chosen]
        nats, samples = self._nats(clips, pieces)
        metrics = {name: float(one.sum() / samples.sum()) for name, one in nats.items()}
        details = self._by_label(nats["nats_per_sample"], samples, clips.labels)
        return Evaluation(metrics=metrics, details=details)

    def _by_label(
        self, nats: np.ndarray, samples: np.ndarray, labels: np.ndarray | None
    ) -> dict[str, list[dict[str, Any]]]:
        if labels is None:
            return {}
        heard = {
            name: (labels == number) & (samples > 0) for number, name in enumerate(self.classes)
        }
        rows = [
            {
                "label": name,
                "recordings": int(here.sum()),
                "nats_per_sample": float(nats[here].sum() / samples[here].sum()),
            }
            for name, here in heard.items()
            if here.any()
        ]
        return {"by_label": rows}

    def _nats(
        self, clips: SoundClips, pieces: Sequence[Piece]
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Nats of each clip by scale, and how many of its samples were scored."""
        device = next(self.model.parameters()).device
        nats = {name: np.zeros(len(clips)) for name in self.better}
        samples = np.zeros(len(clips), np.int64)
        for rows, batch in clips.batches(pieces, AT_ONCE):
            for name, found in total_nats(self.model, batch.to(device)).items():
                np.add.at(nats[name], rows, found.cpu().numpy())
            np.add.at(samples, rows, batch.counted.sum(1).numpy())
        return nats, samples

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
        """A row for each recording: how surprising it is, in nats a sample, and the label with which
        it was heard: its own if the run knows it, otherwise the one that makes it least surprising.
        """
        found = self._read(paths, needs_label=False)
        surprises, labels = np.empty(len(found)), list(found.labels)
        known = [not self.classes or label in self.classes for label in labels]
        own, others = np.flatnonzero(known), np.flatnonzero(np.logical_not(known))
        notes = list(found.notes)
        surprises[own] = self._surprises(found, own)
        if others.size:
            each = [
                self._surprises(replace(found, labels=(name,) * len(found)), others)
                for name in self.classes
            ]
            surprises[others] = np.min(each, axis=0)
            for row, best in zip(others, np.argmin(each, axis=0), strict=True):
                labels[row] = self.classes[best]
            notes.append(
                _(
                    "{count:,} recordings bear no label of the run; each is heard with the one that "
                    "makes it least surprising"
                ).format(count=len(others))
            )
        seconds = [len(one) / self.facts["rate_hz"] for one in found.samples]
        columns = [found.names, seconds, surprises.tolist()]
        names = ("recording", "seconds", "nats_per_sample")
        if self.classes:
            columns, names = [*columns, labels], (*names, "label")
        return Predictions(names, list(zip(*columns, strict=True)), tuple(notes))

    def _surprises(self, found: Recordings, rows: np.ndarray) -> np.ndarray:
        """Nats a sample of each of ``rows``, heard with its label."""
        clips = clips_of(found, rows, self.classes)
        nats, samples = self._nats(clips, clips.pieces(AT_ONCE, self.model.receptive_field))
        return nats["nats_per_sample"] / samples

    def plots(
        self, data: SoundData, part: Part
    ) -> dict[str, tuple[Callable[[Figure], None], Predictions]]:
        clips = data.clips[part]
        label = None if clips.labels is None else int(clips.labels[0])
        real = clips.values[0][:MOST_DRAWN]
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
