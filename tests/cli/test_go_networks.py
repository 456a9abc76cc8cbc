"""Trained networks as players: the one that ships, a run's, at other komis, on other boards, damaged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import shinso
from shinso.cli.main import main
from shinso.faults import RunFault
from shinso.games.go import Position, Rules
from shinso.games.go_planes_numba import ZERO_PLANES, zero_planes_of
from shinso.games.gtp import Engine
from shinso.games.match import play_match
from shinso.games.match_game import Terms
from shinso.games.match_kept import Kept
from shinso.models.go_inference import FoldedEvaluator
from shinso.models.go_network import GoNetwork
from shinso.models.go_pooled_network import PooledGoNetwork
from shinso.recipes.uses import go_agent
from shinso.recipes.uses.go_agent import SHIPPED, Agent
from tests.golden import regenerate_go_network as making


def pooled(side: int = 5) -> PooledGoNetwork:
    torch.manual_seed(0)
    return PooledGoNetwork(PooledGoNetwork.Config(filters=8, blocks=3), side=side).eval()


def spoken(engine: Engine, *lines: str) -> list[str]:
    return ["".join(engine.answer(line)) for line in lines]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of each kind of network, hardly trained."""
    folder = tmp_path_factory.mktemp("runs")
    for model in ("pooled", "residual"):
        shinso.train(
            "alphago-zero", model=model, side=5, komi=3.5, games=4, simulations=2, opponent=4,
            match_games=2, steps=2, batch_size=8, evaluate_every=2, filters=4, blocks=1, warm_up=8,
            window=200, runs=folder,
        )  # fmt: skip
    return folder / "alphago-zero"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["0001-pooled", "0002-residual"])
def test_a_run_of_self_play_plays(runs: Path, name: str, tmp_path: Path, capsys) -> None:
    """Both networks have a part that is called policy, as a run of go-self-play has a network."""
    game = tmp_path / "game.sgf"
    game.write_text("(;SZ[5]KM[3.5];B[cc];W[bb])")
    words = [
        "go",
        "review",
        str(game),
        "--network",
        str(runs / name),
        "--simulations",
        "8",
        "--json",
    ]
    assert main(words) == 0
    said = capsys.readouterr()
    assert [row["played"] for row in json.loads(said.out)["moves"]] == ["C3", "B4"]
    assert said.err == ""
    game.write_text("(;SZ[5]KM[6.5];B[cc];W[bb])")
    assert main(words) == 0
    assert "learnt at komi 3.5: with 6.5" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_that_is_not_finished_plays_and_says_so(runs: Path, tmp_path: Path, capsys) -> None:
    run = shutil.copytree(runs / "0001-pooled", tmp_path / "run")
    (run / "seed0" / "result.json").unlink()
    game = tmp_path / "game.sgf"
    game.write_text("(;SZ[5]KM[3.5];B[cc])")
    words = ["go", "review", str(game), "--network", str(run), "--simulations", "8"]
    assert main(words) == 0
    assert f"{run} is not finished" in capsys.readouterr().err
    (run / "seed0" / "weights" / "best.safetensors").unlink()
    assert main(words) == 3
    assert "RUN-NOT-TRAINED" in capsys.readouterr().err


def test_a_wrong_path_is_told_before_the_first_move(capsys) -> None:
    for flag in ("--network", "--rollouts"):
        assert main(["go", "gtp", flag, "/no/such/run"]) == 3
        assert "RUN-NOT-FOUND" in capsys.readouterr().err


class Shipped:
    """A place for the network that ships, as an installed shinso has it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(go_agent, "WEIGHTS", folder)
        self.weights, self.record = folder / f"{SHIPPED}.safetensors", folder / f"{SHIPPED}.json"
        self.forget()

    def forget(self) -> None:
        go_agent.shipped_record.cache_clear()
        go_agent.shipped_network.cache_clear()


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    model = pooled()
    record = {
        "name": SHIPPED, "license": "MIT", "play": {"mixture": 0.25, "rollouts": 2},
        "network": {"filters": 8, "blocks": 3, "side": 5}, "matches": [],
        "trained": {
            "from": "nothing", "command": "shinso train alphago-zero", "komi": 7.0,
            "parameters": 1, "looks": [{"step": 100, "elo": 12.5}],
            "environment": {"processor": "an abacus"},
        },
    }  # fmt: skip
    made = Shipped(tmp_path / "weights", monkeypatch)
    making.write_network(model, record, tmp_path / "weights")
    yield made
    made.forget()


def test_the_network_that_ships_is_used_on_its_board_and_only_there(shipped: Shipped) -> None:
    told: list[int] = []
    player = Agent(simulations=32, on_other_side=told.append).player()
    found = player.look(Position.start(Rules(side=5)), [])
    assert found.priors.max() > 0  # only a network has an opinion beforehand
    config = player.searching.config
    assert (config.mixture, config.rollouts) == (0.25, 2)
    assert told == []
    assert player.look(Position.start(Rules(side=6)), []).priors.max() == 0
    assert told == [6]
    alone = Agent(simulations=32, shipped=False).player()
    assert alone.look(Position.start(Rules(side=5)), []).priors.max() == 0


def test_half_precision_says_what_was_trained(shipped: Shipped) -> None:
    planes = planes_of(Position.start(Rules(side=5)), [])
    one, other = (
        FoldedEvaluator(m, "fp32")(planes) for m in (pooled(), go_agent.shipped_network())
    )
    np.testing.assert_allclose(one[0], other[0], atol=2e-3)
    np.testing.assert_allclose(one[1], other[1], atol=5e-3)


def test_a_network_that_half_precision_would_change_is_not_written(tmp_path: Path) -> None:
    model = pooled()
    with torch.no_grad():
        model.policy.points.weight.mul_(1e6)
    with pytest.raises(ValueError, match="half precision"):
        making.write_network(model, {"network": {}}, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("damage", ["flipped", "cut", "gone", "record", "other"])
def test_what_ships_damaged_is_named_and_answered_by_the_protocol(shipped: Shipped, damage) -> None:
    content = shipped.weights.read_bytes()
    if damage == "flipped":
        shipped.weights.write_bytes(content[:-1] + bytes([content[-1] ^ 64]))
    elif damage == "cut":
        shipped.weights.write_bytes(content[: len(content) // 2])
    elif damage == "gone":
        shipped.weights.unlink()
    elif damage == "record":
        shipped.record.write_text("{}")
    else:
        record = json.loads(shipped.record.read_text())
        record["network"]["blocks"] = 2
        shipped.record.write_text(json.dumps(record))
    shipped.forget()
    with pytest.raises(RunFault, match="GO-SHIPPED-DAMAGED"):
        Agent().player()
    engine = Engine(lambda: Agent().player(), version="1", side=5)
    assert spoken(engine, "time_settings 5 0 0") == ["=\n\n"]
    assert spoken(engine, "genmove b")[0].startswith("? GO-SHIPPED-DAMAGED")
    assert spoken(engine, "name") == ["= shinso\n\n"]


def test_the_record_can_be_read(shipped: Shipped, tmp_path: Path, capsys) -> None:
    assert main(["go", "network"]) == 0
    said = capsys.readouterr().out
    for words in ("board 5×5, komi 7", "licence MIT", "shinso train alphago-zero", "elo 12.5"):
        assert words in said
    folder = tmp_path / "match"
    play_stub(folder)
    making_record = json.loads(shipped.record.read_text())
    making_record["matches"] = [making.match_of(folder)]
    shipped.record.write_text(json.dumps(making_record))
    shipped.forget()
    assert main(["go", "network", "--json"]) == 0
    (match,) = json.loads(capsys.readouterr().out)["matches"]
    assert (match["games"], match["points"], match["komi"]) == (2, 1.0, 0.5)
    assert main(["go", "network"]) == 0
    assert "1 of 2 points, 50% (9%–91%), against" in capsys.readouterr().out


def play_stub(folder: Path) -> None:
    """A match of two programs that pass: White wins by komi."""
    import sys

    path = folder.parent / "stub.py"
    path.write_text(
        "import sys\nfor line in sys.stdin:\n"
        "    print('= pass' if 'genmove' in line else '=', end='\\n\\n', flush=True)\n"
    )
    command = f"{sys.executable} {path}"
    agreed = {
        "first": command, "second": command, "komi": 0.5, "opening": 0, "time": "", "arbiter": "",
    }  # fmt: skip
    terms = Terms(rules=Rules(side=5, komi=0.5))
    play_match((command, command), games=2, terms=terms, kept=Kept(folder, agreed))


def test_without_a_network_that_ships_it_is_said(tmp_path, monkeypatch, capsys) -> None:
    Shipped(tmp_path, monkeypatch)
    assert main(["go", "network"]) == 2
    assert "GO-NOTHING-SHIPS" in capsys.readouterr().err
    assert Agent(simulations=8).player().look(Position.start(Rules(side=5)), []).simulations == 8


def planes_of(position: Position, moves: list[int]) -> np.ndarray:
    side = position.rules.side
    planes = np.empty((ZERO_PLANES, side * side), np.float32)
    last, before = [*moves[::-1], -1, -1][:2]
    zero_planes_of(position.board, position.legal(), last, before, planes)
    return planes.reshape(1, ZERO_PLANES, side, side)


def test_points_ahead_count_for_whoever_moves() -> None:
    """Black's points more are White's points less; a network of scores alone, so that the sign is known."""
    model = pooled()
    with torch.no_grad():
        for one in (model.value.hidden, model.value.result):
            one.weight.zero_()
            one.bias.zero_()
        model.value.hidden.weight[0, -1] = 1.0  # the score
        model.value.hidden.bias[0] = 50.0  # so that the rectifier is open
        model.value.result.weight[0, 0] = 0.1
        model.value.result.bias[0] = -5.0
    start = Position.start(Rules(side=5))
    black, white = planes_of(start, []), planes_of(start.with_turn(2), [])
    for planes, sign in ((black, 1), (white, -1)):
        even, ahead = (
            FoldedEvaluator(model, "fp32", black_ahead=points)(planes)[1][0] for points in (0, 5)
        )
        assert np.sign(ahead - even) == sign
        assert abs(np.arctanh(ahead) - np.arctanh(even)) == pytest.approx(0.1, abs=1e-3)


def test_at_another_komi_nothing_that_was_remembered_is_used() -> None:
    told: list[tuple[float, float]] = []
    agent = Agent(
        network=pooled(), komi=7.0, simulations=64, on_other_komi=lambda *komi: told.append(komi)
    )
    player = agent.player()

    def value(komi: float) -> float:
        return player.look(Position.start(Rules(side=5, komi=komi)), []).value

    fresh = {
        komi: Agent(network=pooled(), komi=7.0, simulations=64).player() for komi in (7.0, -9.0)
    }
    alone = {
        komi: one.look(Position.start(Rules(side=5, komi=komi)), []).value
        for komi, one in fresh.items()
    }
    assert alone[7.0] != alone[-9.0]
    for komi in (7.0, -9.0, 7.0, -9.0):
        assert value(komi) == pytest.approx(alone[komi])
    assert told == [(7.0, -9.0)]


def test_a_network_without_a_score_gets_rollouts_at_another_komi() -> None:
    torch.manual_seed(0)
    network = GoNetwork(GoNetwork.Config(filters=4, blocks=1), side=5).eval()
    player = Agent(network=network, komi=7.0, simulations=200).player()
    wide = [
        player.look(Position.start(Rules(side=5, komi=komi)), []).value for komi in (30.0, -30.0)
    ]
    assert wide[1] - wide[0] > 0.5  # rollouts know who wins
