"""One model cut among workers: the same outputs and gradients, fewer parameters, the right bubble."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.nn import functional as F

from shinso.faults import UsageFault
from shinso.models.transformer import Transformer
from shinso.nn import GRU
from shinso.nn.transformer_block import TransformerBlock
from shinso.training.parallel.joined import JoinedCrew
from shinso.training.parallel.measuring import parts_of_model
from shinso.training.parallel.pipeline import Pipeline, recurrent_layers, stages_of
from shinso.training.parallel.planner import Link, Measured, Mesh, Part, idle_share, plan, scaling
from shinso.training.parallel.shapes import bubble, even_cuts
from shinso.training.parallel.tensor import cut, held, whole
from shinso.training.parallel.together import run_together

BOUND = 1e-5


def translator(heads: int = 4) -> Transformer:
    torch.manual_seed(3)
    config = Transformer.Config(
        width=16, heads=heads, inner=24, encoder_layers=2, decoder_layers=2, dropout=0.0
    )
    return Transformer(config, num_source=11, num_target=13)


def translated(model: Transformer) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    source = torch.randint(0, 11, (5, 6), generator=generator)
    target = torch.randint(0, 13, (5, 4), generator=generator)
    mask = torch.arange(6) < torch.tensor([6, 5, 3, 6, 2]).unsqueeze(1)
    return model.output(model(source, mask, target))


def by_tensor(crew: JoinedCrew) -> dict[str, Any]:
    """Output and gradients of the product's Transformer, cut; and what is held."""
    model = translator()
    mesh = init_device_mesh("cpu", (crew.size,))
    before = {name: one.detach().clone() for name, one in model.named_parameters()}
    names = cut(model, mesh)
    output = translated(model)
    output.square().mean().backward()
    back = whole(model, mesh)
    return {
        "output": output.detach().numpy(),
        "gradients": {n: g.numpy() for n, g in whole(model, mesh, gradients=True).items()},
        "restored": max(float((back[name] - one).abs().max()) for name, one in before.items()),
        "held": held(model),
        "names": names,
    }


def test_cut_transformer_equals_the_whole_one() -> None:
    """Encoder and decoder, masks and attention from one to the other included."""
    model = translator()
    output = translated(model)
    output.square().mean().backward()
    total = held(model)
    for size in (2, 4):
        for found in run_together(by_tensor, size):
            assert np.abs(found["output"] - output.detach().numpy()).max() <= BOUND
            for name, one in model.named_parameters():
                assert one.grad is not None
                assert np.abs(found["gradients"][name] - one.grad.numpy()).max() <= BOUND, name
            assert found["restored"] == 0.0
            assert len(found["names"]) == 2 * 2 + 2 * 3
            assert found["held"] < total * (0.65 if size == 2 else 0.5)


def sharded(crew: JoinedCrew) -> dict[str, Any]:
    """Output and gradients where each worker learns some samples and holds a share of all weights."""
    from shinso.training.parallel.sharded import gathered, shard

    torch.manual_seed(3)
    blocks = nn.Sequential(*(TransformerBlock(16, 4, 24) for _ in range(2)))
    shard(blocks, init_device_mesh("cpu", (crew.size,)))
    x = _uneven(crew.rank, crew.size)
    weight = len(x) * crew.size / len(_uneven(0, 1))
    (blocks(x).square().mean() * weight).backward()
    found = {n: g.numpy() for n, g in gathered(blocks, gradients=True).items()}
    return {"gradients": found, "held": held(blocks)}


def _uneven(index: int, of: int) -> Tensor:
    return torch.randn(5, 6, 16, generator=torch.Generator().manual_seed(1))[index::of]


def test_sharded_blocks_learn_as_whole_ones() -> None:
    torch.manual_seed(3)
    blocks = nn.Sequential(*(TransformerBlock(16, 4, 24) for _ in range(2)))
    blocks(_uneven(0, 1)).square().mean().backward()
    for found in run_together(sharded, 2):
        assert found["held"] == pytest.approx(held(blocks) / 2, rel=0.01)
        for name, one in blocks.named_parameters():
            assert one.grad is not None
            assert np.abs(found["gradients"][name] - one.grad.numpy()).max() <= 1e-6, name


def test_what_does_not_divide_is_a_fault() -> None:
    for function, code in ((cut_unevenly, "CUT-UNEVEN"), (cut_nothing, "NOTHING-TO-CUT")):
        assert run_together(function, 2) == [code, code]


def cut_unevenly(crew: JoinedCrew) -> str:
    return _code(translator(heads=1), crew)


def cut_nothing(crew: JoinedCrew) -> str:
    return _code(GRU(3, 4), crew)


def _code(model: nn.Module, crew: JoinedCrew) -> str:
    try:
        cut(model, init_device_mesh("cpu", (crew.size,)))
    except UsageFault as fault:
        return fault.code
    return ""


def on_a_mesh(crew: JoinedCrew) -> dict[str, Any]:
    """Two data-parallel pipelines of two stages: gradients are averaged between equal stages."""
    mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("data", "pipeline"))
    torch.manual_seed(0)
    layers = recurrent_layers(GRU(6, 6, 4, batch_first=True))
    row, stage = crew.rank // 2, crew.rank % 2
    own = stages_of(layers, 2)[stage]
    x, target = _sequences()
    pipeline = Pipeline(
        own, F.mse_loss, micro_batches=2, schedule="1f1b", group=mesh["pipeline"].get_group()
    )
    pipeline.step(x[row::2].contiguous(), target[row::2].contiguous())
    found = {}
    for name, one in own.named_parameters():
        assert one.grad is not None
        torch.distributed.all_reduce(one.grad, group=mesh["data"].get_group())
        number, rest = name.split(".", 1)
        found[f"{int(number) + 2 * stage}.{rest}"] = (one.grad / 2).numpy()
    return found


def _sequences() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(8, 5, 6, generator=generator), torch.randn(8, 5, 6, generator=generator)


def test_pipelines_with_data_parallelism_equal_one_process() -> None:
    torch.manual_seed(0)
    stack = GRU(6, 6, 4, batch_first=True)
    x, target = _sequences()
    F.mse_loss(stack(x)[0], target).backward()
    workers = run_together(on_a_mesh, 4)
    found = {name: value for worker in workers for name, value in worker.items()}
    assert len(found) == len(list(stack.parameters()))
    for name, one in stack.named_parameters():
        layer = name[-1]
        ours = found[f"{layer}.layer.{name[:-1]}0"]
        assert one.grad is not None
        assert np.abs(ours - one.grad.numpy()).max() <= BOUND, name


@given(
    stages=st.integers(1, 7),
    micro_batches=st.integers(1, 12),
    schedule=st.sampled_from(["gpipe", "1f1b"]),
)
def test_played_schedule_has_the_formula_s_bubble(
    stages: int, micro_batches: int, schedule: Any
) -> None:
    share = idle_share(stages, micro_batches, 1.0, 2.0, schedule)
    assert share == pytest.approx(bubble(stages, micro_batches), abs=1e-12)


@given(sizes=st.lists(st.integers(0, 50), min_size=1, max_size=8), data=st.data())
def test_cuts_are_as_even_as_any(sizes: list[int], data: Any) -> None:
    from itertools import combinations, pairwise

    count = data.draw(st.integers(1, len(sizes)))
    cuts = even_cuts(sizes, count)
    assert [begin for begin, _end in cuts] == [0, *(end for _begin, end in cuts[:-1])]
    assert cuts[-1][1] == len(sizes)
    assert all(begin < end for begin, end in cuts)
    largest = max(sum(sizes[begin:end]) for begin, end in cuts)
    for inner in combinations(range(1, len(sizes)), count - 1):
        edges = [0, *inner, len(sizes)]
        other = max(sum(sizes[a:b]) for a, b in pairwise(edges))
        assert largest <= other


def test_more_stages_than_layers_is_a_fault() -> None:
    with pytest.raises(UsageFault, match="STAGES-TOO-MANY"):
        stages_of([nn.Linear(2, 2)], 2)


PARTS = tuple(
    Part(name=str(n), parameters=1000, divisible=800, passed_bytes=4000, sums=4) for n in range(4)
)
MEASURED = Measured(parts=PARTS, batch_size=4096, step_s=0.8, kept_bytes=64_000)
LINK = Link(bandwidth_bytes_s=1e6, latency_s=1e-3)


def test_plan_by_hand() -> None:
    alone = plan(MEASURED, Mesh(), LINK)
    assert (alone.parameters, alone.sent_bytes, alone.step_s) == (4000, 0, 0.8)
    assert alone.state_bytes == 4000 * 16
    data = plan(MEASURED, Mesh(data=4), LINK)
    assert data.parameters == 4000
    assert data.all_reduce_s == pytest.approx(2 * 3 * (1e-3 + 16_000 / 4e6))
    assert data.sent_bytes == 24_000
    assert data.compute_s == pytest.approx(0.2)
    shared = plan(MEASURED, Mesh(data=4, shard=True), LINK)
    assert (shared.parameters, shared.state_bytes) == (1000, 16_000)
    assert shared.all_reduce_s == pytest.approx(
        1.5 * data.all_reduce_s
    )  # three rings instead of two
    assert shared.sent_bytes == 36_000
    tensor = plan(MEASURED, Mesh(tensor=2), LINK)
    assert tensor.parameters == 4 * (200 + 400)
    assert tensor.exchange_s == pytest.approx(16 * 2 * (1e-3 + 4000 / 2e6))
    pipe = plan(MEASURED, Mesh(pipeline=4, micro_batches=8), LINK)
    assert pipe.parameters == 1000
    assert pipe.bubble_s / (pipe.compute_s + pipe.bubble_s) == pytest.approx(bubble(4, 8))
    assert pipe.exchange_s == pytest.approx(2 * 8 * (1e-3 + 500 / 1e6))
    tied = dataclasses.replace(MEASURED, tied=500)  # in the first part and in the last
    assert plan(tied, Mesh(), LINK).parameters == 3500
    two = plan(tied, Mesh(pipeline=2, micro_batches=2), LINK)
    assert two.parameters == 2000
    assert two.exchange_s - LINK.all_reduce_s(2000, 2) == pytest.approx(2 * 2 * (1e-3 + 2000 / 1e6))
    with pytest.raises(ValueError, match="pipeline is 5"):
        plan(MEASURED, Mesh(pipeline=5), LINK)


def test_plan_refuses_what_cut_refuses() -> None:
    """The same meshes, of the same models, as ``tensor.cut``."""
    for model, tensor, says in (
        (translator(), 3, "do not divide"), (GRU(3, 4), 2, "no attention"),
    ):  # fmt: skip
        measured = Measured(
            parts=tuple(parts_of_model(model)), batch_size=8, step_s=1.0, kept_bytes=1
        )
        with pytest.raises(ValueError, match=f"tensor is {tensor}.*{says}"):
            plan(measured, Mesh(tensor=tensor), LINK)
        assert plan(measured, Mesh(), LINK).step_s == 1.0
    plan(
        Measured(parts=tuple(parts_of_model(translator())), batch_size=8, step_s=1.0, kept_bytes=1),
        Mesh(tensor=4),
        LINK,
    )


def test_no_worker_is_planned_with_less_than_a_sample() -> None:
    measured = dataclasses.replace(MEASURED, batch_size=50)
    assert [one.mesh.data for one in scaling(measured, LINK, [1, 16, 64])] == [1, 16]
    for mesh in (Mesh(data=51), Mesh(data=2, pipeline=2, micro_batches=26)):
        with pytest.raises(ValueError, match="less than one sample"):
            plan(measured, mesh, LINK)


def test_thousands_of_workers_are_planned() -> None:
    plans = scaling(MEASURED, LINK, [1, 16, 256, 4096])
    times = [one.all_reduce_s for one in plans]
    assert times == sorted(times)
    assert plans[-1].mesh.workers == 4096
    assert plans[-1].step_s > plans[1].step_s  # latency wins in the end


def test_predicted_all_reduce_is_what_is_measured() -> None:
    """Sizes that were not fitted, on a machine that others may keep busy: within a factor of three."""
    from shinso.training.parallel.measuring import measure_link

    _link, rows = measure_link()
    assert len(rows) == 3
    for size, found, predicted in rows:
        assert 1 / 3 < predicted / found < 3, size


@pytest.mark.parametrize("task", ["translate", "tag", "classify-images"])
def test_plan_counts_every_parameter(task: str, capsys: pytest.CaptureFixture[str]) -> None:
    from shinso.cli.main import main
    from shinso.walk import catalogue

    brief = catalogue.recipe(task).BRIEF
    settings = {k: v for k, v in brief.settings.items() if k not in ("encoder_layers", "decoder_layers", "width")}  # fmt: skip
    model = "transformer" if task == "translate" else brief.models[0]
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
    words = ["plan", task, str(brief.data[0]), *flags, "--model", model, "--json", "--data", "2"]
    assert main([*words, "--bandwidth", "1e9", "--latency", "1e-5"]) == 0
    found = json.loads(capsys.readouterr().out)
    alone, both = found["plans"]
    assert alone["parameters"] == sum(one["parameters"] for one in found["measured"]["parts"])
    assert both["parameters"] == alone["parameters"] > 0
    assert found["measured"]["kept_bytes"] > 0
    assert both["sent_bytes"] == pytest.approx(4 * alone["parameters"], rel=0.01)
    assert main([*words, "--pipeline", "99", "--bandwidth", "1e9", "--latency", "1e-5"]) == 2
    assert "MESH-REFUSED" in capsys.readouterr().err
