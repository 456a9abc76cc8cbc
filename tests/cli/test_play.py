"""``shinso play``, and what a user meets with environments of his own: everything through the command line."""

from __future__ import annotations

import hashlib
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("gymnasium")

from shinso.cli.main import main

WORLDS = "tests.experience.small_worlds"
BRIEFLY = ["--steps", "3", "--evaluate-every", "1", "--valid-episodes", "2", "--test-episodes", "3"]


def train(*arguments: str) -> int:
    return main(["train", "control", *arguments, *BRIEFLY, "--runs", "runs"])


def only_run() -> Path:
    (found,) = Path("runs/control").iterdir()
    return found


def test_trained_agent_is_shown_as_text_and_as_a_gif(capsys):
    assert train("FrozenLake-v1", "--model", "q-learning") == 0
    assert main(["play", str(only_run())]) == 0
    shown = capsys.readouterr().out
    assert "SFFF" in shown
    assert "Q(s,a)" in shown
    assert main(["play", str(only_run()), "-o", "episode.gif"]) == 0
    assert Path("episode.gif").read_bytes().startswith(b"GIF89a")


def test_world_that_does_not_render_is_shown_as_lines(capsys):
    assert train(f"{WORLDS}:Counting", "--model", "dqn", "--random-steps", "16") == 0
    assert main(["play", str(only_run())]) == 0
    assert "return 3 after 3 steps" in capsys.readouterr().out
    assert main(["play", str(only_run()), "-o", "episode.gif"]) == 2
    assert "PLAY-NO-PICTURES" in capsys.readouterr().err


def test_other_spaces_are_refused(capsys):
    assert train("FrozenLake-v1", "--model", "sarsa") == 0
    assert main(["play", str(only_run()), "CartPole-v1"]) == 3
    assert "Box" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "code"), [("Raising", "ENV-RAISED"), ("NotANumber", "ENV-NAN")])
def test_broken_world_leaves_a_run_that_goes_on_once_it_is_mended(name, code, capsys):
    from tests.experience import small_worlds

    world = getattr(small_worlds, name)
    world.lived = 0
    broken = ["--environment-settings", '{"after": 2300}', "--checkpoint-every", "1"]
    assert train(f"{WORLDS}:{name}", "--model", "ppo", *broken) == 3
    said = capsys.readouterr().err
    assert code in said
    assert "episode of seed" in said
    assert json.loads((only_run() / "status.json").read_text())["state"] == "failed"
    assert (only_run() / "seed0/resume.pt").exists()
    world.lived = -1_000_000
    assert main(["train", "--resume", str(only_run())]) == 0
    assert json.loads((only_run() / "status.json").read_text())["state"] == "done"


MENDABLE = """
from tests.experience.small_worlds import Counting

class Env(Counting):
    lived = 0

    def step(self, action):
        Env.lived += 1
        if Env.lived > 2300:
            raise RuntimeError("the motor is broken")
        return super().step(action)
"""


def test_file_that_was_mended_on_disk_goes_on_and_says_so(capsys, monkeypatch):
    monkeypatch.syspath_prepend(Path.cwd())
    Path("mendme.py").write_text(MENDABLE)
    assert train("mendme:Env", "--model", "ppo", "--checkpoint-every", "1") == 3
    assert "--resume" in capsys.readouterr().err
    before = json.loads((only_run() / "data.json").read_text())
    assert before["source_sha256"] == hashlib.sha256(MENDABLE.encode()).hexdigest()
    Path("mendme.py").write_text(MENDABLE.replace("2300", "1_000_000_000"))
    monkeypatch.delitem(sys.modules, "mendme")  # as in a new process
    assert main(["train", "--resume", str(only_run())]) == 0
    assert f"mendme:Env is another than the run began with (sha256 {before['source_sha256']})" in (
        " ".join(capsys.readouterr().err.split())
    )


def test_world_that_breaks_at_once_leaves_no_run(capsys):
    assert train(f"{WORLDS}:Raising", "--model", "ppo") == 3
    assert "the motor is broken" in capsys.readouterr().err
    assert not Path("runs").exists()


def test_agent_that_cannot_act_there_is_refused_before_a_run_is_made(capsys):
    assert train("Pendulum-v1", "--model", "dqn") == 3
    said = capsys.readouterr().err
    assert "ENV-SPACE" in said
    assert "Box(-2.0, 2.0" in said
    assert train("CartPole-v1", "--model", "q-learning") == 3
    assert train(f"{WORLDS}:NoTable", "--model", "value-iteration") == 3
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("model", "flags"),
    [
        ("ppo", ["--optimizer", "sgd"]),
        ("ppo", ["--random-steps", "16"]),
        ("dqn", ["--average", "0.9"]),
        ("dqn", ["--betas", "0.8,0.9"]),
        ("a2c", ["--accumulate", "2"]),
        ("a2c", ["--batch-size", "8"]),
        ("reinforce", ["--weight-decay", "0.1"]),
        ("reinforce", ["--rollout", "5"]),
        ("ppo", ["--momentum", "0.5"]),
        ("dqn", ["--precision", "bf16"]),
        ("q-learning", ["--lr", "0.1"]),
        ("linear", ["--schedule", "constant"]),
        ("value-iteration", ["--environments", "2"]),
    ],
)
def test_setting_that_the_agent_does_not_use_is_refused(model, flags, capsys):
    assert train("FrozenLake-v1", "--model", model, *flags) == 2
    said = capsys.readouterr().err
    assert "SETTING-REFUSED" in said
    assert f"{flags[0][2:].replace('-', '_')} is" in said
    assert f"{model} does not use it" in said


@pytest.mark.parametrize(("model", "most"), [("ppo", 20), ("dqn", 20), ("linear", 2100)])
def test_only_linear_features_cost_steps_of_measuring_before_training(model, most, monkeypatch):
    from shinso.walk.order import place
    from tests.experience.small_worlds import Door

    monkeypatch.setattr(Door, "lived", 0)
    order = place("control", [f"{WORLDS}:Door"], ("test", {"model": model}))
    order.recipe.read(order.config, order.paths)
    assert most // 4 < Door.lived <= most


@pytest.mark.parametrize(
    ("model", "world", "code"),
    [
        ("ppo", {}, 0),
        ("dqn", {}, 0),
        ("linear", {}, 0),
        ("q-learning", {"discrete": True}, 0),
        ("ppo", {"lives": 400}, 3),
        ("ppo", {"lives": 1}, 3),
    ],
)
def test_every_copy_that_was_opened_is_closed(model, world, code, monkeypatch):
    """Also where the world breaks: in the course of training, or at the first look."""
    from tests.experience.small_worlds import Door

    for name in ("made", "closed", "lived"):
        monkeypatch.setattr(Door, name, 0)
    settings = ["--environment-settings", json.dumps(world), "--rollout", "40"]
    assert train(f"{WORLDS}:Door", "--model", model, *settings) == code
    assert Door.closed == Door.made > 1
    if not code:
        assert main(["play", str(only_run())]) == 0
        assert Door.closed == Door.made


def test_table_learns_a_world_without_transitions():
    arguments = ["--model", "q-learning", "--rollout", "2000", "--gamma", "0.9"]
    assert train(f"{WORLDS}:NoTable", *arguments) == 0
    result = json.loads((only_run() / "seed0/result.json").read_text())
    assert result["test"]["metrics"]["return"] == 1.0


def test_bandits_are_named_where_a_user_looks_for_them(capsys):
    assert main(["list", "control"]) == 0
    assert "shinso.experience.bandit:Bandit" in " ".join(capsys.readouterr().out.split())


def test_bandit_is_solved_by_sample_averages():
    arguments = ["--model", "q-learning", "--rollout", "1000", "alpha=1", "alpha_power=1"]
    assert train("shinso.experience.bandit:Bandit", *arguments) == 0
    from safetensors.torch import load_file

    from shinso.experience.bandit import Bandit

    learnt = load_file(only_run() / "seed0/weights/best.safetensors")["q"][0]
    assert int(learnt.argmax()) == int(Bandit().means.argmax())


def as_read_back(state: Any) -> Any:
    """Through a file that may hold plain values and tensors only."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return torch.load(io.BytesIO(buffer.getvalue()), weights_only=True)


@pytest.mark.parametrize("model", ["dqn", "linear", "reinforce", "a2c", "q-learning"])
def test_learners_resume_bit_for_bit(model, tmp_path):
    """The battery resumes the first model; the others carry more: replay, traces, moments."""
    from shinso.contracts import Stateful
    from shinso.walk.order import place
    from shinso.walk.preparing import prepare

    settings: dict[str, Any] = {"model": model, "steps": 20, "valid_episodes": 2,
                                "runs": str(tmp_path)}  # fmt: skip
    if model in ("a2c", "reinforce"):
        settings |= {
            "environments": 2, "normalize_observations": True, "normalize_rewards": True,
        }  # fmt: skip
    if model == "linear":
        settings["rollout"] = 20
    world = "FrozenLake-v1" if model == "q-learning" else "CartPole-v1"
    if model == "dqn":
        settings |= {"environments": 2, "random_steps": 10, "batch_size": 8, "priority": 0.6}
    order = place("control", [world], ("test", settings))
    data = order.recipe.read(order.config, order.paths)
    whole, parts = (prepare(order, data, data.facts(), 0) for _copy in range(2))
    scalars: Any = {}
    for _step in range(3):
        scalars = whole.learner.step(whole.built.source.next_batch())
    assert isinstance(whole.learner, Stateful)
    learner, source, _scalars = as_read_back(
        [whole.learner.state_dict(), whole.built.source.state_dict(), dict(scalars)]
    )
    parts.learner.load_state_dict(learner)
    parts.built.source.load_state_dict(source)
    for _step in range(3):
        expected = whole.learner.step(whole.built.source.next_batch())
        found = parts.learner.step(parts.built.source.next_batch())
        assert str(expected) == str(found)
    for name, value in whole.model.state_dict().items():
        assert value.equal(parts.model.state_dict()[name]), name


@pytest.mark.parametrize(("model", "each"), [("ppo", 16), ("q-learning", 2)])
def test_learning_curve_counts_environment_steps(model, each):
    copies = each // 2
    settings = ["--rollout", "2", *(["--environments", str(copies)] if model == "ppo" else [])]
    assert train("FrozenLake-v1", "--model", model, *settings) == 0
    head, *rows = (only_run() / "plots/training.csv").read_text().splitlines()
    assert head.split(",")[:3] == ["seed", "step", "environment_steps"]
    assert [float(row.split(",")[2]) for row in rows] == [0, each, 2 * each, 3 * each]
