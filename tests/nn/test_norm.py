"""Normalizations: against torch.nn, against their equation, over processes."""

from __future__ import annotations

import pytest
import torch
from torch import multiprocessing as workers
from torch import nn

from shinso.nn.norm import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, standardized

PAIRS = {
    "batch": (lambda: BatchNorm(6), lambda: nn.BatchNorm2d(6)),
    "layer": (lambda: LayerNorm((6, 5, 4)), lambda: nn.LayerNorm((6, 5, 4))),
    "layer last": (lambda: LayerNorm(4), lambda: nn.LayerNorm(4)),
    "instance": (lambda: InstanceNorm(6, affine=True), lambda: nn.InstanceNorm2d(6, affine=True)),
    "group": (lambda: GroupNorm(3, 6), lambda: nn.GroupNorm(3, 6)),
}
AXES = {
    "batch": (0, 2, 3),
    "layer": (1, 2, 3),
    "layer last": (3,),
    "instance": (2, 3),
}


def input_of(seed: int = 0) -> torch.Tensor:
    return torch.randn(7, 6, 5, 4, generator=torch.Generator().manual_seed(seed)).double() * 3 + 2


@pytest.mark.parametrize("name", PAIRS)
def test_norm_matches_torch_in_value_gradient_and_state(name: str) -> None:
    torch.manual_seed(0)
    own, peer = (make().double() for make in PAIRS[name])
    for parameter in peer.parameters():
        nn.init.normal_(parameter)
    own.load_state_dict(peer.state_dict())
    for training in (True, True, False):
        own.train(training)
        peer.train(training)
        x, y = (input_of().requires_grad_() for _ in range(2))
        one, two = own(x), peer(y)
        torch.testing.assert_close(one, two)
        error = torch.randn_like(one)
        one.backward(error)
        two.backward(error)
        torch.testing.assert_close(x.grad, y.grad)
        for a, b in zip(own.parameters(), peer.parameters(), strict=True):
            torch.testing.assert_close(a.grad, b.grad)
    assert own.state_dict().keys() == peer.state_dict().keys()
    for key, value in peer.state_dict().items():
        torch.testing.assert_close(own.state_dict()[key], value)


@pytest.mark.parametrize("name", AXES)
def test_norm_matches_its_equation(name: str) -> None:
    """Gain 1 and bias 0: what the kernel gives is (x − μ) / √(σ² + ε) over the axes it should be."""
    x = input_of(1)
    found = PAIRS[name][0]().double()(x)
    torch.testing.assert_close(found, standardized(x, AXES[name], 1e-5)[0])


def test_group_norm_is_layer_and_instance_norm_at_its_ends() -> None:
    x = input_of(2)
    one, all_ = GroupNorm(1, 6).double(), GroupNorm(6, 6).double()
    torch.testing.assert_close(one(x), standardized(x, (1, 2, 3), 1e-5)[0])
    torch.testing.assert_close(all_(x), standardized(x, (2, 3), 1e-5)[0])


def test_batch_norm_gradcheck() -> None:
    norm = BatchNorm(3).double()
    x = torch.randn(4, 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: norm(x), (x,))


def test_layer_answers_of_an_image_do_not_depend_on_the_batch() -> None:
    x = input_of(3)
    for name in ("layer", "instance", "group"):
        norm = PAIRS[name][0]().double()
        torch.testing.assert_close(norm(x)[:1], norm(x[:1]))
    batch = BatchNorm(6).double()
    assert not torch.allclose(batch(x)[:1], batch(x[:1]))


def _part(rank: int, port: int, x: torch.Tensor, found) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2
    )
    try:
        norm = BatchNorm(3, synchronized=True).double()
        with torch.no_grad():
            norm.weight.copy_(torch.tensor([1.0, 2.0, 0.5]))
        own = x[:3] if rank == 0 else x[3:]  # batches of unequal size
        own = own.clone().requires_grad_()
        y = norm(own)
        (y**3).sum().backward()
        found.put((rank, y.detach().numpy(), own.grad.numpy(), norm.running_var.numpy()))
    finally:
        torch.distributed.destroy_process_group()


def test_synchronized_batch_norm_over_two_processes_matches_one() -> None:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    x = torch.randn(8, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x += 100  # a large mean, which E[x²] − μ² would not survive so well
    context = workers.get_context("fork")
    found = context.SimpleQueue()
    processes = [context.Process(target=_part, args=(r, port, x, found)) for r in range(2)]
    for process in processes:
        process.start()
    parts = sorted(found.get() for _ in processes)
    for process in processes:
        process.join(30)
    whole = BatchNorm(3).double()
    with torch.no_grad():
        whole.weight.copy_(torch.tensor([1.0, 2.0, 0.5]))
    every = x.clone().requires_grad_()
    y = whole(every)
    (y**3).sum().backward()
    for place, wanted in ((1, y.detach()), (2, every.grad)):
        joined = torch.cat([torch.from_numpy(part[place]) for part in parts])
        torch.testing.assert_close(joined, wanted, rtol=1e-9, atol=1e-9)
    for part in parts:
        torch.testing.assert_close(torch.from_numpy(part[3]), whole.running_var)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: BatchNorm(0), "num_channels is 0"),
        (lambda: BatchNorm(3, momentum=2.0), "momentum is 2"),
        (lambda: GroupNorm(4, 6), "divisor of the 6"),
    ],
)
def test_norm_says_what_to_give_instead(make, said) -> None:
    with pytest.raises(ValueError, match=said):
        make()
