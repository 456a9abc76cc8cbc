"""The steps of compression on one seed: prune, train on, quantize, or teach a smaller network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from shinso.compress import activations, channels, packing, pruning, quantizers
from shinso.compress import calls as calling
from shinso.compress.chain import Step, parse
from shinso.compress.learning_quantized import (
    plain,
    quantizer_of,
    rounded_weights,
    ternary_quantizer,
)
from shinso.compress.quantizers import Quantizer
from shinso.faults import Interrupted, UsageFault
from shinso.language import _
from shinso.objectives.distillation import DistillationObjective, Hint
from shinso.recipes.recipe import Retells
from shinso.runs.checkpoint import has_resume, load_weights
from shinso.runs.folder import COMPRESSION, RunFolder, SeedFolder
from shinso.settings import as_flat, schema
from shinso.training.gradient import GradientLearner
from shinso.training.loop import run_loop
from shinso.training.plan import Training
from shinso.training.stopping import StopRequest
from shinso.walk import catalogue
from shinso.walk.audience import Audience
from shinso.walk.kept_training import KeptTraining
from shinso.walk.network_calls import evaluated
from shinso.walk.order import Order, place
from shinso.walk.preparing import begun
from shinso.walk.retelling import retold

if TYPE_CHECKING:
    from shinso.walk.compression import Compression
    from shinso.walk.run import Run

WIDTHS = ("hidden", "width", "channels", "d_model", "embedding")
"""Settings that stand for a network's size, the first that it has."""
WEIGHTS = ("weights", "frozen")
"""Settings that name a file of a network's weights, and what is kept of it."""
CALIBRATED_ON = 8
"""Calls of the train part, or of the valid part, from which ranges of activations are found."""
LOGITS = {"accuracy", "loss_nats", "bits_per_char", "perplexity", "macro_f1", "map_50"}
"""Metrics of systems whose networks answer with scores before softmax."""


def student_order(order: Order, step: Step) -> Order:
    """The order of the student of a distillation: the run's own but for the network and its size.

    Raises UsageFault COMPRESS-REFUSED, SETTING-UNKNOWN.
    """
    chosen = catalogue.choice(order.recipe, step.model)
    network = catalogue.network_class(chosen)
    known = schema(network.Config)  # pyright: ignore[reportAttributeAccessIssue]
    changes: dict[str, Any] = dict(step.settings)
    if step.size:
        width = next((name for name in WIDTHS if name in known and name not in chosen.fixed), None)
        if width is None:
            raise refused(step, _("{model} has no width").format(model=step.model))
        changes[width] = step.size
    own = dict(order.network_settings.origins)
    kept = {
        name: getattr(order.network_settings.config, name)
        for name, origin in own.items()
        if origin != "default" and name in known and name not in chosen.fixed
        and not origin.startswith("model ")
        and (step.model == order.model or name in getattr(network, "places_by", ()))
    }  # fmt: skip
    carried = {**as_flat(order.run.config), **as_flat(order.config), **kept}
    if step.model != order.model or known.keys() & changes.keys():
        # A file of weights fits one network; another begins with what is drawn.
        carried = {name: value for name, value in carried.items() if name not in WEIGHTS}
    asked = {"model": step.model, **changes}
    return place(order.task, order.paths, ("run", carried), ("distill", asked))


def refused(step: Step, found: str) -> UsageFault:
    """The fault of a step that this run cannot take."""
    return UsageFault(
        "COMPRESS-REFUSED",
        place=f"--do {step.text}",
        found=found,
        why=_("this step does not fit the run"),
        next_step="shinso compress --help",
    )


class Work:
    """One seed on its way through the steps."""

    def __init__(
        self,
        run: Run,
        order: Order,
        data: Any,
        settings: Compression,
        folder: SeedFolder,
        audience: Audience | None,
        stop: StopRequest | None,
        *,
        resume: str = "",
    ) -> None:
        """resume: the command that goes on from here, told to who stops it."""
        self.run, self.order, self.data = run, order, data
        self.settings, self.folder = settings, folder
        self.audience, self.stop, self.resume = audience, stop, resume
        self.seed = folder.seed
        self.model: nn.Module = run.use(self.seed).model  # pyright: ignore[reportAttributeAccessIssue]
        if packing.whole_numbers(load_weights(run.folder.seed(self.seed).best_weights)):
            raise refused(Step(kind="quantize", text="…"), _("the run is quantized already"))
        self.original = deepcopy(self.model) if settings.taught else None
        self.masks: pruning.Masks = {}
        self.removals: list[channels.Removal] = []
        self.grids: dict[str, tuple[Quantizer, int]] = {}
        self.read: dict[str, Quantizer] = {}
        self.trained_steps, self.best_step, self.seconds = 0, 0, 0.0
        self.trainings = 0
        if was_pruned(run.folder):
            self.masks = {
                name: weight.detach() != 0
                for name, weight in pruning.prunable(self.model).items()
                if weight.any()
            }

    def do(self, steps: Sequence[Step]) -> dict[str, Tensor]:
        """All steps in order; the tensors of the weights' file."""
        for step in steps:
            # Every step draws the same numbers, whether or not what came before it was done by
            # this process: another seed, or a chain that was stopped within.
            torch.manual_seed(self.seed)
            getattr(self, f"_{step.kind}")(step)
            if self.stop is not None and self.stop.asked:
                raise Interrupted(self.resume)
        state = {plain(name): one for name, one in self.model.state_dict().items()}
        return {**packing.packed(state, self.grids), **activations.to_file(self.read)}

    def _distill(self, step: Step) -> None:
        teacher, self.masks = self.model, {}
        if self.settings.sequence_level:
            data = self._retold(step)
            self.model = begun(self.order, self.run.facts)
            self._train(self._training(), data=data, anew=True)
            return
        self.model = begun(self.order, self.run.facts)
        hint = self.settings.hint
        try:
            inside = Hint(self.model, teacher, weight=hint) if hint else None
        except ValueError as error:
            raise refused(step, str(error)) from error
        self._train(self._training(), teacher=teacher, hint=inside)

    def _retold(self, step: Step) -> Any:
        """The data with the network's own answers in the place of the train part's."""
        run = self.run
        use = run.order.recipe.use(run.order.config, run.facts, self.model.eval())
        if not isinstance(use, Retells):
            raise refused(step, _("this system writes no sentences that a student could learn"))
        path = self.folder.path / "retold.jsonl"
        return retold(use, self.data, path, self.audience, self.stop, self.resume)

    def _channels(self, step: Step) -> None:
        from shinso.walk.exporting import known_calls

        if self.masks:
            raise refused(step, _("channels go first, then single weights"))
        student = self.order is not self.run.order
        # Of a few rows, as those that are kept: a whole batch is a size like another to the tracer.
        known = calling.few(self._calls()) if student else known_calls(self.run, self.model)
        try:
            removal = channels.remove(
                self.model.eval(), known[0], step.share, multiple=self.settings.multiple,
                inside=step.how == "inside",
            )  # fmt: skip
        except ValueError as error:
            raise refused(step, str(error)) from error
        self.removals.append(removal)
        self._train(self._tuning())

    def _prune(self, step: Step) -> None:
        weights = pruning.prunable(self.model)
        if not weights:
            raise refused(step, _("the network has no weights to prune"))
        tuning = self._tuning()
        if step.n_of_m:
            self.masks = pruning.n_of_m_masks(weights, *step.n_of_m)
        elif step.how != "gradual":
            self.masks = pruning.layer_adaptive_masks(weights, step.share)
        if step.how == "lottery":
            # The tickets that won, drawn again: the weights before the first step, the rest gone
            # (Frankle & Carbin 2019).
            first = begun(self.order, self.run.facts).state_dict()
            for removal in self.removals:
                first = channels.cut(first, removal.gone)
            if any(one.shape != first[n].shape for n, one in self.model.state_dict().items()):
                raise refused(step, _("the run was cut before; train it again from the start"))
            self.model.load_state_dict(first)
            tuning = self._training()
        if step.how == "gradual":
            if tuning.steps < 10:
                raise refused(step, _("growing sparsity needs at least 10 steps of training on"))
            self._train(tuning, growing=step.share)
        else:
            pruning.apply(weights, self.masks)
            self._train(tuning, anew=step.how == "lottery")

    def _quantize(self, step: Step) -> None:
        weights = pruning.prunable(self.model)
        if not weights:
            raise refused(step, _("the network has no weights to quantize"))
        how = self.settings
        if step.bits == 8:
            self.read = activations.calibrate(
                self.model.eval(), self._calls(), calibration=how.calibration
            )
        if step.learning:
            activations.attach(self.model, self.read)
            self._train(self._tuning(), bits=step.bits)
            activations.detach(self.model)
            weights = pruning.prunable(self.model)
            self.grids = {
                name: (quantizer_of(one, step.bits, per_channel=how.per_channel), step.bits)
                for name, one in weights.items()
            }
        elif step.bits == 2:
            self.grids = {name: (ternary_quantizer(one), 2) for name, one in weights.items()}
        else:
            self.grids = {
                name: (
                    quantizers.of_weight(
                        one, step.bits, per_channel=how.per_channel, symmetric=how.symmetric,
                        calibration=how.calibration,
                    ),
                    step.bits,
                )
                for name, one in weights.items()
            }  # fmt: skip

    def _calls(self) -> list[calling.Call]:
        """What the network is given for the valid part, from which ranges are found."""
        use = self.order.recipe.use(self.order.config, self.run.facts, self.model)
        _found, made = evaluated(use, self.model, self.data, "valid", most=CALIBRATED_ON)
        if not made.calls:
            raise refused(
                Step(kind="quantize", text="int8"),
                made.unknown or _("its evaluation calls the network in parts, not as a whole"),
            )
        return made.calls

    def _training(self) -> Training:
        config = self.order.config
        if "training" not in {field.name for field in fields(config)}:  # an agent's follows from it
            raise refused(
                Step(kind="prune", text=self.settings.do),
                _("this system does not learn by gradient steps"),
            )
        return config.training

    def _tuning(self) -> Training:
        """The run's training, shorter and gentler."""
        training, how = self._training(), self.settings
        steps = training.steps // 4 if how.tune_steps < 0 else how.tune_steps
        return replace(
            training,
            steps=max(steps, 1),
            lr=how.tune_lr or training.lr / 3,
            warmup=0,
            patience=0,
            budget="",
            evaluate_every=min(training.evaluate_every, max(steps, 1)),
        )

    def _train(
        self,
        training: Training,
        *,
        teacher: nn.Module | None = None,
        hint: Hint | None = None,
        growing: float = 0.0,
        bits: int = 0,
        anew: bool = False,
        data: Any = None,
    ) -> None:
        """Train the network on, its masked weights zero; it then has the best weights found. anew: it
        begins with weights that were never trained, so that it must be. data: other than the run's."""
        if self.settings.tune_steps == 0 and not (teacher or growing or anew):
            return
        teacher = teacher or self.original
        config = replace(self.order.config, training=training)
        built = self.order.recipe.build(config, data or self.data, self.model, self.seed)
        if built.learner is not None:
            raise refused(
                Step(kind="prune", text=self.settings.do),
                _("this system does not learn by gradient steps"),
            )
        objective: Any = built.objective
        if teacher is not None:
            use = self.order.recipe.use(self.order.config, self.run.facts, self.model)
            answers = "logits" if LOGITS & set(use.better) else "values"
            how = self.settings
            objective = DistillationObjective(
                objective, teacher, answers=answers, temperature=how.temperature,
                share=how.share, hint=hint,
            )  # fmt: skip
        weights = pruning.prunable(self.model)
        rounding = (
            rounded_weights(self.model, weights, bits, per_channel=self.settings.per_channel)
            if bits
            else nullcontext(weights)
        )
        with rounding as behind:
            best = self._loop(training, built, objective, behind, hint, growing)
        self.model.load_state_dict(best)
        self.model.eval()

    def _loop(
        self,
        training: Training,
        built: Any,
        objective: Any,
        weights: Mapping[str, nn.Parameter],
        hint: Hint | None,
        growing: float,
    ) -> dict[str, Tensor]:
        named = list(self.model.named_parameters())
        if hint is not None:
            named += [(f"hint.{name}", one) for name, one in hint.named_parameters()]
        learner: Any = GradientLearner(self.model, objective, training, trained=named)
        if self.masks or growing:
            learner = pruning.MaskedLearner(
                learner, weights, self.masks, final=growing,
                growing=int(0.7 * training.steps) if growing else 0,
            )  # fmt: skip
        self.trainings += 1
        kept = KeptTraining(self.folder, self.trainings)

        def validate() -> Mapping[str, float]:
            found = dict(built.validate())
            settled = getattr(learner, "settled", True)
            # What is not yet as sparse as asked for is no candidate.
            return found if settled else {**found, built.selection.metric: float("nan")}

        if not kept.done:
            outcome = run_loop(
                learner, built.source, training, kept.folder, validate=validate,
                selection=built.selection, keep_best=lambda: kept.keep_best(self.model),
                stop=self.stop, progress=self.audience, resume=has_resume(kept.folder.path),
            )  # fmt: skip
            if outcome.ended == "asked":
                raise Interrupted(self.resume)
            kept.finish(outcome, learner.masks if growing else {})
        result = kept.result()
        self.best_step = self.trained_steps + result["best_step"]
        self.trained_steps += result["step"]
        self.seconds += result["seconds"]
        if growing:
            self.masks = kept.masks()
        return kept.best()


def was_pruned(folder: RunFolder) -> bool:
    """Whether a run, or one that it was made of, lost single weights. Zeros alone do not say so:
    layers may begin with them, and rows of padding keep them."""
    while folder.compressed:
        steps = [parse(text)[0].kind for text in folder.read_json(COMPRESSION)["steps"]]
        if "prune" in steps or "distill" in steps:  # a student is a network of its own
            return "prune" in steps
        folder = RunFolder.open(folder.path.resolve().parent.parent)
    return False
