"""Which weights go, and that what is traced together really belongs together."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from shinso.compress import pruning
from shinso.compress.calls import Call
from shinso.compress.channels import remove
from shinso.compress.dependencies import groups
from shinso.models.dense_classifier import DenseClassifier
from shinso.models.recurrent_forecaster import RecurrentForecaster
from shinso.models.resnet import ResNet
from shinso.models.sequence_classifier import SequenceClassifier
from shinso.models.sequence_tagger import SequenceTagger


def test_global_masks_match_torch() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 30), nn.Linear(30, 5))
    masks = pruning.magnitude_masks(pruning.prunable(model), 0.7)
    layers = [(model[0], "weight"), (model[1], "weight")]
    prune.global_unstructured(layers, pruning_method=prune.L1Unstructured, amount=0.7)  # type: ignore[arg-type]
    assert torch.equal(masks["0.weight"], model[0].weight_mask.bool())
    assert torch.equal(masks["1.weight"], model[1].weight_mask.bool())


def test_no_layer_is_lost_whose_weights_are_small_altogether() -> None:
    weights = {"a": torch.randn(30, 30), "b": torch.randn(5, 30) * 1e-3}
    assert not pruning.magnitude_masks(weights, 0.9)["b"].any()
    masks = pruning.layer_adaptive_masks(weights, 0.9)
    assert masks["b"].sum() > 5
    assert pruning.sparsity(masks.values()) == pytest.approx(0.9, abs=1e-3)
    kept, gone = (weights["a"].abs()[mask] for mask in (masks["a"], ~masks["a"]))
    assert kept.min() >= gone.max()
    square = torch.tensor([[1.0, 2.0], [3.0, 0.5]])
    scores = pruning._adapted(square)
    assert float(scores[1, 0]) == 1
    assert float(scores[0, 1]) == pytest.approx(4 / 13)


def test_a_layer_that_has_learnt_nothing_yet_stays_whole() -> None:
    weights = {"body": torch.randn(20, 20), "head": torch.zeros(5, 20)}
    masks = pruning.layer_adaptive_masks(weights, 0.5)
    assert masks["head"].all()
    assert pruning.sparsity(masks.values()) == pytest.approx(0.5)


def test_equal_weights_are_pruned_by_number() -> None:
    masks = pruning.magnitude_masks({"w": torch.ones(10, 10)}, 0.25)
    assert int(masks["w"].sum()) == 75


def test_two_of_four_neighbours_stay() -> None:
    weight = torch.randn(6, 10, generator=torch.Generator().manual_seed(1))
    mask = pruning.n_of_m_masks({"w": weight}, 2, 4)["w"]
    assert (mask[:, :8].reshape(6, 2, 4).sum(2) == 2).all()
    assert (mask[:, 8:].sum(1) == 1).all()
    kept = weight.abs()[:, :4][mask[:, :4]].view(6, 2)
    gone = weight.abs()[:, :4][~mask[:, :4]].view(6, 2)
    assert (kept.amin(1) >= gone.amax(1)).all()
    with pytest.raises(ValueError, match="0 < n < m"):
        pruning.n_of_m_masks({"w": weight}, 4, 4)


def test_growing_sparsity_follows_its_equation() -> None:
    assert pruning.sparsity_at(0, 100, 0.9) == 0
    assert pruning.sparsity_at(50, 100, 0.9) == pytest.approx(0.9 * (1 - 0.125))
    assert pruning.sparsity_at(200, 100, 0.9) == pytest.approx(0.9)


def test_masked_weights_stay_zero_while_others_learn() -> None:
    from shinso.training.gradient import GradientLearner
    from shinso.training.plan import Training

    torch.manual_seed(0)
    model = nn.Linear(8, 4)
    weights = pruning.prunable(model)
    masks = pruning.magnitude_masks(weights, 0.5)

    class Squares:
        def __call__(self, model: nn.Module, batch: Tensor) -> dict[str, Tensor]:
            return {"loss": model(batch).square().mean()}

        def state_dict(self) -> dict[str, object]:
            return {}

        def load_state_dict(self, state: dict[str, object], /) -> None:
            pass

    before = model.weight.detach().clone()
    learner = pruning.MaskedLearner(
        GradientLearner(model, Squares(), Training(lr=0.1, weight_decay=0.1)), weights, masks
    )
    for _ in range(3):
        learner.step(torch.randn(16, 8))
    assert (model.weight[~masks["weight"]] == 0).all()
    assert (model.weight[masks["weight"]] != before[masks["weight"]]).all()
    assert learner.state_dict()["step_number"] == 3


IMAGES = Call({"x": torch.randn(2, 1, 16, 16)})
LENGTHS = torch.tensor([7, 3, 5])


class Separable(nn.Module):
    """A depthwise convolution between two others, added to a shortcut, and a concatenation."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 6, 3)
        self.norm = nn.BatchNorm2d(6)
        self.depthwise = nn.Conv2d(6, 6, 3, padding=1, groups=6)
        self.point = nn.Conv2d(6, 6, 1)
        self.grown = nn.Conv2d(6, 4, 1)
        self.head = nn.Linear(10 * 7 * 7, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.first(x)).relu()
        x = x + self.point(self.depthwise(x))
        x = torch.cat([x, self.grown(x)], dim=1)
        return self.head(nn.functional.max_pool2d(x, 2).flatten(1))


def classifier(cell: str, *, both: bool, pool: str) -> tuple[nn.Module, Call]:
    config = SequenceClassifier.Config(
        cell=cell,
        bidirectional=both,
        hidden=8,
        layers=2,
        pool=pool,  # type: ignore[arg-type]
    )
    model = SequenceClassifier(config, num_channels=3, num_classes=4)
    return model, Call({"values": torch.randn(3, 7, 3), "lengths": LENGTHS})


def network(name: str) -> tuple[nn.Module, Call]:
    torch.manual_seed(5)
    if name == "dense":
        config = DenseClassifier.Config(hidden=12)
        made = DenseClassifier(config, num_channels=1, num_classes=3, image_px=16)
        return made, Call({"images": IMAGES.inputs["x"]})
    if name.startswith("resnet"):
        made = ResNet(
            ResNet.Config(depth=int(name[6:])), num_channels=1, num_classes=3, image_px=16
        )
        return made, IMAGES
    if name == "separable":
        return Separable(), IMAGES
    if name == "tagger":
        tagger = SequenceTagger(
            SequenceTagger.Config(hidden=6, embedding=8), num_words=9, num_tags=3
        )
        return tagger, Call({"tokens": torch.randint(0, 9, (3, 7)), "lengths": LENGTHS})
    if name == "forecaster":
        config = RecurrentForecaster.Config(hidden=12)
        made = RecurrentForecaster(config, lookback=32, horizon=5, num_channels=2, num_targets=1)
        nn.init.normal_(made.head.weight)
        return made, Call({"past": torch.randn(3, 32, 2)})
    cell, both, pool = name.split("-")
    return classifier(cell, both=both == "both", pool=pool)


NETWORKS = ["dense", "resnet8", "resnet18", "separable", "tagger", "forecaster",
            "rnn-one-last", "gru-both-mean", "lstm-both-last"]  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_channels_of_zeros_go_without_a_trace(name: str) -> None:
    """Where all weights of some channels are zero, removing them must not change any answer:
    a channel that was traced wrongly would take something else with it."""
    model, call = network(name)
    model.eval()
    state = model.state_dict()
    found = groups(model, call)
    assert found
    before = sum(p.numel() for p in model.parameters())
    with torch.no_grad():
        for group in found:
            for channel in group.channels[: len(group.channels) // 2]:
                for given, axis, entry in channel:
                    if not given.endswith("running_var"):
                        state[given].select(axis, entry).zero_()
        wanted = call.of(model)
        counts = remove(model, call, 0.5)
        got = call.of(model)
    assert counts.removed == sum(len(group.channels) // 2 for group in found)
    assert sum(p.numel() for p in model.parameters()) < 0.75 * before
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("tied", [False, True])
def test_words_stay_that_a_layer_outside_the_call_scores(tied: bool) -> None:
    class Writer(nn.Module):
        """Answers with states; ``head`` is asked by its loss."""

        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(10, 6)
            self.inner, self.outer = nn.Linear(6, 12), nn.Linear(12, 6)
            self.head = nn.Linear(6, 10)
            if tied:
                self.head.weight = self.embedding.weight

        def forward(self, words: Tensor) -> Tensor:
            return self.outer(self.inner(self.embedding(words)))

    found = groups(Writer(), Call({"words": torch.arange(4).view(2, 2)}))
    free = {frozenset(name for name, _axis in group.axes): len(group.channels) for group in found}
    inside = frozenset({"inner.weight", "inner.bias", "outer.weight"})
    words = frozenset({"embedding.weight", "inner.weight"})
    assert free == ({inside: 12} if tied else {inside: 12, words: 6})


def test_half_the_channels_are_a_quarter_of_the_products() -> None:
    from shinso.compress.measure import multiply_adds

    model, call = network("resnet18")
    before = multiply_adds(model.eval(), call)
    remove(model, call, 0.5)
    assert 0.24 < multiply_adds(model, call) / before < 0.28


def test_channels_inside_blocks_go_and_what_shortcuts_carry_stays() -> None:
    model, call = network("resnet18")
    before = {name: one.shape for name, one in model.state_dict().items()}
    remove(model.eval(), call, 0.5, inside=True)
    state = model.state_dict()
    for name, shape in before.items():
        if "layer" not in name or "downsample" in name or name.endswith("bn2.weight"):
            assert state[name].shape == shape, name
        if name.endswith("conv1.weight") and "layer" in name:
            assert state[name].shape == (shape[0] // 2, *shape[1:])
        if name.endswith("conv2.weight"):
            assert state[name].shape == (shape[0], shape[1] // 2, *shape[2:])
    call.of(model)


def test_a_depthwise_convolution_makes_no_channels() -> None:
    class Inverted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.up = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 8, 1)
            self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
            self.down, self.head = nn.Conv2d(8, 4, 1), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            x = self.stem(x)
            x = x + self.down(self.depthwise(self.up(x)).relu())
            return self.head(x.mean((2, 3)))

    model = Inverted().eval()
    remove(model, IMAGES, 0.5, inside=True)
    assert model.stem.out_channels == model.down.out_channels == 4
    assert model.up.out_channels == model.depthwise.groups == model.down.in_channels == 4
    IMAGES.of(model)
    with pytest.raises(ValueError, match="inside its blocks"):
        remove(
            nn.Sequential(nn.Flatten(), nn.Linear(256, 2)),
            Call({"input": torch.randn(3, 16, 16)}),
            0.5,
            inside=True,
        )


def test_smaller_convolutions_are_a_whole_network_again() -> None:
    model, call = network("separable")
    remove(model.eval(), call, 0.4)
    assert model.depthwise.groups == model.depthwise.in_channels == model.first.out_channels  # type: ignore[union-attr]
    assert model.first.out_channels == 4  # type: ignore[union-attr]
    call.of(model).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_what_flows_into_the_unknown_is_held() -> None:
    class Attending(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(4, 8), nn.Linear(8, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.b(torch.cumsum(self.a(x), dim=-1))

    model = Attending()
    call = Call({"x": torch.randn(3, 4)})
    assert groups(model, call) == []
    with pytest.raises(ValueError, match="no channels that can be removed"):
        remove(model, call, 0.5)


def test_channels_are_left_in_multiples_that_kernels_compute_at_once() -> None:
    from shinso.compress.channels import left

    assert [left(32, share, 16) for share in (0, 0.1, 0.3, 0.5, 0.9)] == [32, 16, 16, 16, 16]
    assert [left(128, share, 16) for share in (0.01, 0.3, 0.5)] == [112, 96, 64]
    assert left(40, 0.01, 16) == 32
    assert left(20, 0.3, 16) == 14  # too few to be cut by sixteen
    assert left(64, 0.3, 1) == 45
    assert left(3, 0.99, 1) == 1
