"""Environments: their spaces, their faults, and that a stopped one is brought back."""

from __future__ import annotations

import sys

import numpy as np
import pytest

pytest.importorskip("gymnasium")

from shinso.experience.acting import Acting, mixed
from shinso.experience.environments import open_environment
from shinso.experience.episodes import play
from shinso.faults import DataFault, ExtraFault, Fault, RunFault, UsageFault

WORLDS = "tests.experience.small_worlds"


def world(name: str, **settings):
    return open_environment(f"{WORLDS}:{name}", settings)


def fault_of(run) -> Fault:
    with pytest.raises(Fault) as caught:
        run()
    return caught.value


def test_successor_of_an_end_is_not_the_next_beginning():
    acting = Acting(world("Counting", length=2), 1, 0)
    acting.step(np.ones((1, 1)))
    found = acting.step(np.ones((1, 1)))
    assert found.successors.tolist() == [[2.0, 1.0]]
    assert acting.seen.tolist() == [[0.0, 0.0]]
    assert found.terminated.tolist() == [True]
    assert found.truncated.tolist() == [False]
    assert acting.take_finished() == [(2.0, 2)]
    assert acting.take_finished() == []


def test_unfinished_episodes_resume_where_they_were():
    rng = np.random.default_rng(0)
    actions = rng.integers(2, size=(7, 3, 1))
    whole, parts = (Acting(world("Noisy", length=5), 3, 4) for _copy in range(2))
    for one in actions[:4]:
        whole.step(one)
        parts.step(one)
    again = Acting(world("Noisy", length=5), 3, 4)
    again.load_state_dict(parts.state_dict())
    assert again.state_dict() == parts.state_dict()
    for one in actions[4:]:
        expected, found = whole.step(one), again.step(one)
        assert np.array_equal(expected.successors, found.successors)
        assert np.array_equal(whole.seen, again.seen)


def test_chance_of_its_own_is_a_fault_on_resume():
    acting = Acting(world("Unrepeatable", length=5), 1, 0)
    acting.step(np.zeros((1, 1)))
    again = Acting(world("Unrepeatable", length=5), 1, 0)
    found = fault_of(lambda: again.load_state_dict(acting.state_dict()))
    assert isinstance(found, RunFault)
    assert found.code == "ENV-NOT-REPRODUCIBLE"


def test_error_of_the_environment_says_when_it_was():
    acting = Acting(world("Raising"), 1, 0)
    acting.step(np.zeros((1, 1)))
    found = fault_of(lambda: acting.step(np.zeros((1, 1))))
    assert isinstance(found, DataFault)
    assert found.code == "ENV-RAISED"
    assert "the motor is broken" in found.found
    assert str(mixed(0, 0, 0)) in found.place
    assert "step 1" in found.place
    assert "observation_space: Box(-10.0, 10.0, (2,), float32); action_space" in found.found


def test_error_of_the_environment_names_the_last_line_of_the_users_own_code(tmp_path, monkeypatch):
    """Not the line of numpy in which it came up, nor that of shinso in which it was caught."""
    (tmp_path / "own_world.py").write_text(
        "import numpy as np\n"
        "from tests.experience.small_worlds import Counting\n"
        "class Env(Counting):\n"
        "    def step(self, action):\n"
        "        return np.stack([np.zeros(2), np.zeros(3)])\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    acting = Acting(open_environment("own_world:Env", {}), 1, 0)
    found = fault_of(lambda: acting.step(np.zeros((1, 1))))
    assert f"{tmp_path / 'own_world.py'}:5, step" in found.found
    (tmp_path / "wrong_world.py").write_text("import numpy\n\nclass Env(:\n")
    found = fault_of(lambda: open_environment("wrong_world:Env", {}))
    assert f"{tmp_path / 'wrong_world.py'}:3" in found.found


def test_error_while_an_episode_is_lived_again_is_the_environments():
    acting = Acting(world("Raising", after=0), 1, 0)
    acting.step(np.zeros((1, 1)))
    state = acting.state_dict()
    state["actions"] = [[0, 0]]
    found = fault_of(lambda: acting.load_state_dict(state))
    assert found.code == "ENV-RAISED"
    assert "step 1" in found.place


def test_nan_is_a_fault_with_the_spaces():
    acting = Acting(world("NotANumber"), 2, 0)
    acting.step(np.zeros((2, 1)))
    found = fault_of(lambda: acting.step(np.zeros((2, 1))))
    assert found.code == "ENV-NAN"
    assert "observation_space: Box" in found.found


@pytest.mark.parametrize(("single", "shape"), [(False, "(3,)"), (True, "()")])
def test_observation_of_another_shape_is_a_fault_with_both_shapes(single, shape):
    """A single number would fit any shape, by broadcasting."""
    acting = Acting(world("Misshapen", single=single), 2, 0)
    acting.step(np.zeros((2, 1)))
    found = fault_of(lambda: acting.step(np.zeros((2, 1))))
    assert found.code == "ENV-SHAPE"
    assert f"shape {shape}" in found.found
    assert "(2,)" in found.why
    assert "observation_space: Box" in found.found
    assert "step 1" in found.place


def test_list_of_numbers_is_an_observation_like_an_array():
    acting = Acting(world("Counting"), 1, 0)
    acting._write([1, 2], acting.seen[0], 0)
    assert acting.seen.tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize(
    ("name", "space"),
    [
        ("Textual", "Text"), ("Unbounded", "Box(-inf, inf"), ("Spaceless", "observation_space: None"),
        ("NoEnvironment", "NoEnvironment"), ("TextualPart", "'said': Text"),
        ("PartOfAnyLength", "Tuple(Sequence"),
    ],
)  # fmt: skip
def test_space_that_no_agent_handles_is_printed(name, space):
    found = fault_of(lambda: world(name))
    assert isinstance(found, DataFault)
    assert found.code == "ENV-SPACE"
    assert space in found.found


def test_parts_are_flattened():
    found = world("ManyParts")
    assert (found.spaces.observation, found.spaces.width) == ("vector", 7)
    assert "Dict('a': Discrete(3), 'b': Box(0.0, 1.0, (2, 2), float32))" in found.spaces.text
    assert "7 numbers" in found.spaces.text
    assert found.notes[0] == found.spaces.text
    aged = open_environment(f"{WORLDS}:ManyParts", {}, time_limit=9, time_aware=True)
    assert "8 numbers" in aged.spaces.text


def test_spaces_that_are_not_flattened_are_printed_as_they_are():
    assert world("Counting").spaces.text == (
        "observation_space: Box(-10.0, 10.0, (2,), float32); action_space: Discrete(2)"
    )


def test_unknown_names_are_usage_faults():
    found = fault_of(lambda: open_environment("CartPol-v1", {}))
    assert isinstance(found, UsageFault)
    assert "CartPole-v1" in found.next_step
    assert fault_of(lambda: open_environment("no_such_module:Env", {})).code == "ENV-UNKNOWN"
    found = fault_of(lambda: world("NoSuchEnv"))
    assert "Counting" in found.next_step


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Gymnasium warns before it refuses
def test_outdated_version_names_the_new_one():
    found = fault_of(lambda: open_environment("Taxi-v3", {}))
    assert isinstance(found, UsageFault)
    assert found.code == "ENV-UNKNOWN"
    assert "Taxi-v4" in found.next_step
    assert "mend" not in found.next_step


@pytest.mark.parametrize("name", ["CartPole-v1", f"{WORLDS}:Counting"])
def test_argument_that_the_environment_lacks_is_a_usage_fault(name):
    found = fault_of(lambda: open_environment(name, {"grav": 3}))
    assert isinstance(found, UsageFault)
    assert "--environment-settings" in found.place
    assert "'grav'" in found.found
    assert "mend" not in found.next_step


def test_argument_that_is_wrong_within_the_environment_is_its_own_error(tmp_path, monkeypatch):
    (tmp_path / "muddled_world.py").write_text(
        "def Env(size=1):\n    return dict.fromkeys(width=1)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert fault_of(lambda: open_environment("muddled_world:Env", {"size": 2})).code == "ENV-RAISED"


def test_missing_package_names_its_install_line(tmp_path, monkeypatch):
    (tmp_path / "needy_world.py").write_text("import surely_not_installed_package\n")
    monkeypatch.syspath_prepend(tmp_path)
    found = fault_of(lambda: open_environment("needy_world:Env", {}))
    assert isinstance(found, ExtraFault)
    assert found.next_step == "pip install surely_not_installed_package"


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ('MuJoCo is not installed, run `pip install "gymnasium[mujoco]"`',
         'pip install "gymnasium[mujoco]"'),
        ('run `pip install swig` followed by `pip install "gymnasium[box2d]"`',
         'pip install swig && pip install "gymnasium[box2d]"'),
        ("pygame is missing", "pip install 'shinso[rl]'"),
    ],
)  # fmt: skip
def test_gymnasiums_own_install_line_is_the_next_step(said, line, tmp_path, monkeypatch):
    (tmp_path / "dependent_world.py").write_text(
        "from gymnasium.error import DependencyNotInstalled\n"
        f"def Env():\n    raise DependencyNotInstalled({said!r})\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "dependent_world", raising=False)
    found = fault_of(lambda: open_environment("dependent_world:Env", {}))
    assert isinstance(found, ExtraFault)
    assert found.next_step == line


def test_unknown_namespace_asks_for_its_package():
    found = fault_of(lambda: open_environment("SurelyNoSuchNamespace/Pong-v5", {}))
    assert isinstance(found, ExtraFault)
    assert "package:SurelyNoSuchNamespace/Pong-v5" in found.next_step


def test_age_is_seen_and_ends_the_episode():
    aware = open_environment(f"{WORLDS}:Counting", {"length": 9}, time_limit=2, time_aware=True)
    acting = Acting(aware, 1, 0)
    acting.step(np.ones((1, 1)))
    assert acting.seen[0].tolist() == [1.0, 1.0, 0.5]
    found = acting.step(np.ones((1, 1)))
    assert found.terminated.tolist() == [True]
    found = fault_of(lambda: open_environment(f"{WORLDS}:Counting", {}, time_aware=True))
    assert found.code == "ENV-NO-LIMIT"


def test_each_episode_is_played_once_whatever_is_side_by_side():
    env = world("Noisy", length=3)
    seen = []

    def policy(x):
        seen.append(x.copy())
        return np.zeros((len(x), 1))

    played = play(env, policy, 70, 100, as_state=False)
    assert played.returns.tolist() == [3.0] * 70
    assert played.steps.tolist() == [3.0] * 70
    assert played.unfinished == 0


def test_seeds_of_training_stay_below_those_of_evaluation():
    found = {
        mixed(seed, place, episode)
        for seed in range(5)
        for place in range(9)
        for episode in range(9)
    }
    assert len(found) == 5 * 81
    assert max(found) < 1 << 30
