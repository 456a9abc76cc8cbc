"""Segmentation networks against published counts, torch and themselves in tiles."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from shinso.models.dilated_segmenter import DilatedSegmenter
from shinso.models.fc_densenet import FCDenseNet
from shinso.models.fcn import FCN
from shinso.models.resnet_unet import ResNetUNet
from shinso.models.segmenter_parts import enlarging
from shinso.models.segnet import SegNet
from shinso.models.tiling import in_bands, reach_px, tiling_for
from shinso.models.unet import UNet
from shinso.nn.multiply_adds import cost
from shinso.nn.unpooling import MaxPoolingWithPlaces, Unpooling


def made(kind: Any, *, channels: int = 3, classes: int = 11, **settings_: Any) -> Any:
    torch.manual_seed(0)
    config = kind.Config(**settings_)
    return kind(config, num_channels=channels, num_classes=classes, image_px=64)


def parameters(network: nn.Module) -> int:
    return sum(one.numel() for one in network.parameters())


def counted_only(kind: Any, **settings_: Any) -> int:
    """Parameters of a network whose numbers are never made."""
    with torch.device("meta"):
        return parameters(made(kind, **settings_))


@pytest.mark.parametrize(
    ("form", "published"), [("56", 1.5e6), ("67", 3.5e6), ("103", 9.4e6)]
)  # Jégou et al. 2017, table 3, in millions with one digit; 56 counts 1.4 with 11 classes
def test_fc_densenet_has_the_published_parameters(form, published):
    assert counted_only(FCDenseNet, form=form) == pytest.approx(published, rel=0.09)


def test_unet_matches_published_counts_and_shapes():
    # 3 channels, 2 classes, batch normalization: 31,037,698 in the widely used milesial/Pytorch-UNet.
    with torch.device("meta"):
        network = made(UNet, classes=2, width=1)
    assert parameters(network) == 31_037_698
    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    # "In total the network has 23 convolutional layers" (section 2).
    assert sum(isinstance(one, kinds) for one in network.modules()) == 23
    narrow = made(UNet, classes=2, width=1 / 16)
    shapes = []
    for pair in [*narrow.down, *narrow.up]:
        pair.register_forward_hook(lambda _m, _i, out: shapes.append(tuple(out.shape[1:])))
    narrow(torch.zeros(1, 3, 64, 96))
    wide = [(4 * 2**level, 64 >> level, 96 >> level) for level in range(5)]
    assert shapes == [*wide, *wide[-2::-1]]


def test_unet_reaches_what_its_unpadded_form_cuts_off():
    # 572 pixels in, 388 out: 92 are lost on each side (figure 1).
    reach = reach_px(made(UNet, width=1 / 16), channels=3, stride=16)
    assert reach is not None
    assert 92 <= reach < 92 + 16


def test_fcn_and_segnet_have_the_published_sizes():
    assert counted_only(FCN, classes=21, stride=32, width=1) == pytest.approx(134e6, rel=0.02)
    assert counted_only(SegNet, classes=11, width=1) == pytest.approx(29.45e6, rel=0.01)


def test_unpooling_matches_torch():
    torch.manual_seed(0)
    x = torch.randn(2, 3, 8, 12, requires_grad=True)
    pooled, places = MaxPoolingWithPlaces()(x)
    ours, theirs = Unpooling()(pooled, places), F.max_unpool2d(pooled, places, 2)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    slopes = torch.randn_like(ours)
    first, second = (
        torch.autograd.grad((one * slopes).sum(), x, retain_graph=True)[0] for one in (ours, theirs)
    )
    torch.testing.assert_close(first, second)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_enlarging_begins_as_bilinear_interpolation(factor):
    torch.manual_seed(0)
    x = torch.randn(1, 3, 6, 7)
    inner = (slice(None), slice(None), *(slice(factor, -factor),) * 2)  # borders see zeros instead
    wanted = F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
    torch.testing.assert_close(enlarging(3, factor)(x)[inner], wanted[inner])


SMALL = {
    "unet": (UNet, {"width": 1 / 16, "depth": 2}),
    "no skips": (UNet, {"width": 1 / 16, "depth": 2, "skips": False, "up": "bilinear"}),
    "resnet-unet": (ResNetUNet, {"depth": 8, "width": 0.25, "stem": "halved"}),
    "dilated": (DilatedSegmenter, {"depth": 8, "width": 0.125, "rates": (2, 4), "smallest": 4}),
    "segnet": (SegNet, {"width": 1 / 16}),
    "fcn": (FCN, {"width": 1 / 64, "stride": 8}),
    "fc-densenet": (FCDenseNet, {"width": 0.1, "form": "56"}),
}


@pytest.mark.parametrize("name", SMALL)
def test_any_size_is_answered_at_that_size(name):
    kind, given_ = SMALL[name]
    network = made(kind, classes=5, **given_).eval()
    with torch.no_grad():
        for size in ((33, 47), (64, 64), (9, 120)):
            assert network(torch.zeros(1, 3, *size)).shape == (1, 5, *size)
    counted = cost(network, torch.zeros(1, 3, 64, 64))
    assert counted.parameters == parameters(network)
    assert counted.multiply_adds > 64 * 64


def statistics(network: nn.Module) -> None:
    """Running means that are not those of the beginning."""
    with torch.no_grad():
        network.train()
        network(torch.randn(4, 3, 64, 64))
        network.eval()


def window_of(image: Tensor):
    return lambda rows, columns: image[:, :, rows, columns]


@pytest.mark.parametrize("name", ["unet", "no skips", "resnet-unet", "dilated"])
@settings(max_examples=6, deadline=None)
@given(height=st.integers(40, 230), width=st.integers(40, 230), seed=st.integers(0, 99))
def test_tiles_equal_one_pass_for_any_size(name, height, width, seed):
    kind, given_ = SMALL[name]
    network = made(kind, classes=3, **given_)
    statistics(network)
    torch.manual_seed(seed)
    image = torch.randn(1, 3, height, width)
    reach = reach_px(network, channels=3, stride=network.stride)
    assert reach is not None
    tiling = tiling_for(2 * reach + 40, 2 * reach, reach, network.stride)
    assert tiling.exact
    with torch.no_grad():
        whole = network(image)[0]
    tiled = torch.cat(list(in_bands(network, window_of(image), height, width, tiling)), 1)
    torch.testing.assert_close(tiled, whole, rtol=1e-4, atol=1e-5)


def test_tiles_that_share_too_little_are_blended_without_an_edge():
    kind, given_ = SMALL["unet"]
    network = made(kind, classes=3, **given_)
    statistics(network)
    torch.manual_seed(4)
    image = torch.randn(1, 3, 96, 200)
    tiling = tiling_for(64, 16, 22, network.stride)
    assert not tiling.exact
    with torch.no_grad():
        whole = network(image)[0]
    apart = tiling_for(64, 4, 22, network.stride)
    blended, hard = (
        torch.cat(list(in_bands(network, window_of(image), 96, 200, one)), 1)
        for one in (tiling, apart)
    )
    assert (blended - whole).abs().mean() < (hard - whole).abs().mean()
    # Weights of all tiles add up to 1 wherever two share pixels.
    total = torch.zeros(200)
    for begin, end in tiling.spans(200):
        total[begin:end] += tiling.weights(begin, end, 200)
    torch.testing.assert_close(total, torch.ones(200))


def test_reach_is_where_outputs_stop_to_change():
    network = made(UNet, classes=2, width=1 / 16, depth=1)
    statistics(network)
    reach = reach_px(network, channels=3, stride=2)
    torch.manual_seed(0)
    image = torch.randn(1, 3, 2, 200)
    other = image.clone()
    other[..., 100:] = torch.randn(1, 3, 2, 100)
    with torch.no_grad():
        moved = ((network(image) - network(other)).abs().amax((0, 1, 2)) > 0).nonzero()
    assert 100 - int(moved.min()) <= reach <= 100 - int(moved.min()) + 2


def test_one_batch_is_overfitted():
    torch.manual_seed(0)
    network = made(UNet, channels=1, classes=3, width=1 / 8, depth=2)
    images = torch.randn(2, 1, 16, 16)
    masks = torch.randint(0, 3, (2, 16, 16))
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-2)
    for _ in range(60):
        optimizer.zero_grad()
        loss = F.cross_entropy(network(images), masks)
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.1
