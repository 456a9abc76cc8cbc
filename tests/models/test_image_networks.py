"""The image networks of the course: beside timm, at all sizes, frugal and optimized."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from shinso.models.densenet import DenseNet
from shinso.models.image_parts import divisible, halvings_for
from shinso.models.inference import FusedConvolution, optimized
from shinso.models.mobilenet_v1 import MobileNetV1
from shinso.models.mobilenet_v2 import MobileNetV2
from shinso.models.mobilenet_v3 import MobileNetV3
from shinso.models.precision import bf16_over_fp32
from shinso.models.resnet import ResNet
from shinso.models.saliency import grad_cam
from shinso.nn.multiply_adds import cost
from shinso.nn.norm import BatchNorm
from tests.peers import peer as other

PEERS = {
    "resnet18": (ResNet, {"depth": 18}),
    "resnet50": (ResNet, {"depth": 50}),
    "mobilenetv1_100": (MobileNetV1, {}),
    "mobilenetv2_050": (MobileNetV2, {"width": 0.5}),
    "mobilenetv3_large_100": (MobileNetV3, {}),
    "mobilenetv3_small_075": (MobileNetV3, {"size": "small", "width": 0.75}),
    "densenet121": (DenseNet, {"depth": 121}),
}
SMALL = {
    "resnet8": (ResNet, {"depth": 8, "width": 0.5}),
    "resnet18": (ResNet, {"depth": 18, "width": 0.125}),
    "resnet50": (ResNet, {"depth": 50, "width": 0.125}),
    "v1": (MobileNetV1, {"width": 0.25}),
    "twin": (MobileNetV1, {"width": 0.25, "separable": False}),
    "v2": (MobileNetV2, {"width": 0.25}),
    "v3": (MobileNetV3, {"size": "small", "width": 0.5}),
    "dense22": (DenseNet, {"depth": 22}),
    "dense22bc": (DenseNet, {"depth": 22, "bottleneck": True}),
}


def made(kind: type, settings: dict, *, channels=3, classes=10, px=32) -> nn.Module:
    return kind(kind.Config(**settings), num_channels=channels, num_classes=classes, image_px=px)


def unsettled(network: nn.Module) -> nn.Module:
    """Give every normalization statistics and gains as training would leave them."""
    for module in network.modules():
        if hasattr(module, "running_var"):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    return network


@pytest.mark.parametrize("name", PEERS)
def test_network_matches_timm_on_shared_random_weights(name: str) -> None:
    """Names and sizes of all weights are timm's; kernels are the same, so scores are equal but for
    the order of sums."""
    kind, settings = PEERS[name]
    torch.manual_seed(0)
    peer = unsettled(other("timm").create_model(name, pretrained=False)).eval()
    own = made(kind, settings, classes=1000, px=224).eval()
    own.load_state_dict(peer.state_dict())
    assert own.state_dict().keys() == peer.state_dict().keys()
    images = torch.randn(1, 3, 96, 96)
    with torch.no_grad():
        torch.testing.assert_close(own(images), peer(images), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", SMALL)
def test_scores_have_the_shape_of_classes_and_saliency_that_of_images(name: str) -> None:
    torch.manual_seed(0)
    network = unsettled(made(*SMALL[name], channels=1, px=28)).eval()
    images = torch.randn(2, 1, 28, 28)
    assert network(images).shape == (2, 10)
    salient, chances = grad_cam(network, images)
    assert salient.shape == (2, 28, 28)
    assert salient.min() >= 0
    assert salient.max() <= 1
    torch.testing.assert_close(chances.sum(1), torch.ones(2))
    assert network.get_submodule(network.head).out_features == 10
    for part in network.parts:
        for one in part.split(","):
            assert (
                any(True for _ in network.get_submodule(one).parameters())
                or "pool" in one
                or ("relu" in one)
            )


def test_saliency_finds_the_only_bright_place() -> None:
    class Bright(nn.Module):
        def features(self, x):
            return x

        def answer(self, maps):
            total = maps.sum((2, 3))
            return torch.cat([total, -total], 1)

    images = torch.zeros(1, 1, 8, 8)
    images[0, 0, 2, 5] = 3.0
    salient, _chances = grad_cam(Bright(), images)
    assert salient[0].argmax() == 2 * 8 + 5
    assert salient[0, 7, 0] == 0


@pytest.mark.parametrize("name", SMALL)
def test_optimized_network_matches_itself(name: str) -> None:
    """Also for another batch and image size than it was packed for."""
    torch.manual_seed(1)
    network = unsettled(made(*SMALL[name])).eval()
    fast = optimized(network, torch.randn(2, 3, 32, 32))
    assert any(isinstance(module, FusedConvolution) for module in fast.modules())
    followed = [m for m in fast.modules() if isinstance(m, BatchNorm)]
    assert len(followed) <= (0 if "dense" not in name else 3)  # what no convolution precedes
    for images in (torch.randn(3, 3, 32, 32), torch.randn(1, 3, 48, 40)):
        with torch.inference_mode():
            torch.testing.assert_close(fast(images), network(images), rtol=1e-3, atol=1e-4)


def test_optimizing_refuses_what_it_would_change() -> None:
    class Crooked(nn.Module):
        """Layers registered in another order than they are called."""

        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)
            self.norm = unsettled(BatchNorm(4))

        def forward(self, x):
            return (self.norm(self.conv(x).relu())).mean((2, 3))

    torch.manual_seed(0)
    with pytest.raises(ArithmeticError, match="deviates"):
        optimized(Crooked(), torch.randn(1, 3, 8, 8))


def test_frugal_densenet_learns_as_the_plain_one() -> None:
    """Gradients and running means are the same although parts are computed twice."""
    torch.manual_seed(0)
    plain = made(DenseNet, {"depth": 22, "bottleneck": True})
    frugal = made(DenseNet, {"depth": 22, "bottleneck": True, "frugal": True})
    frugal.load_state_dict(copy.deepcopy(plain.state_dict()))
    images = torch.randn(4, 3, 16, 16)
    for network in (plain, frugal):
        network.train()
        network(images).square().sum().backward()
    for (name, one), two in zip(plain.named_parameters(), frugal.parameters(), strict=True):
        torch.testing.assert_close(one.grad, two.grad, msg=name)
    for (name, one), two in zip(plain.named_buffers(), frugal.buffers(), strict=True):
        torch.testing.assert_close(one, two, msg=name)


@pytest.mark.parametrize(
    ("kind", "settings", "parameters"),
    [
        (ResNet, {"depth": 20}, 0.27e6),  # He et al., table 6
        (ResNet, {"depth": 56}, 0.85e6),
        (ResNet, {"depth": 110}, 1.7e6),
        (DenseNet, {"depth": 40}, 1.0e6),  # Huang et al., table 2
        (DenseNet, {"depth": 100, "bottleneck": True}, 0.8e6),
    ],
)
def test_networks_have_the_published_number_of_parameters(kind, settings, parameters) -> None:
    own = sum(p.numel() for p in made(kind, settings).parameters())
    assert abs(own / parameters - 1) < 0.06


def test_mobilenet_needs_the_published_multiply_adds() -> None:
    """569 and 4,866 million at 224 pixels (table 4): counted at 64, where all but the last layer
    costs a sixteenth and a bit of it."""
    found = {}
    for separable in (True, False):
        network = made(MobileNetV1, {"separable": separable}, classes=1000, px=224)
        counts = cost(network, torch.zeros(1, 3, 64, 64))
        last = counts.layers[-1].multiply_adds
        found[separable] = (counts.multiply_adds - last) * (224 / 64) ** 2 + last
    assert abs(found[True] / 569e6 - 1) < 0.01
    assert abs(found[False] / 4866e6 - 1) < 0.01


def test_small_images_are_halved_as_long_as_four_pixels_remain() -> None:
    assert [halvings_for(px, 5) for px in (4, 8, 28, 32, 64, 224)] == [0, 1, 3, 3, 4, 5]
    assert [divisible(n) for n in (1, 11, 12, 18, 90)] == [8, 16, 16, 24, 88]


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        (ResNet, {"depth": 21}, "6n \\+ 2"),
        (DenseNet, {"depth": 41}, "3n \\+ 4"),
        (DenseNet, {"depth": 43, "bottleneck": True}, "6n \\+ 4"),
        (MobileNetV1, {"width": 0.0}, "width is 0"),
        (MobileNetV2, {"halvings": 6}, "halvings is 6"),
        (MobileNetV3, {"width": -1.0}, "width is -1"),
    ],
)
def test_config_says_what_to_give_instead(kind, settings, said) -> None:
    with pytest.raises(ValueError, match=said):
        kind.Config(**settings)


def test_precision_probe_measures_and_leaves_random_numbers_alone() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    assert 0 < bf16_over_fp32(torch.device("cpu")) < 1000
    assert torch.equal(torch.get_rng_state(), before)
