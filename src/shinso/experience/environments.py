"""Opening an environment by name, and what its spaces mean to an agent.

A name is a Gymnasium id (``CartPole-v1``) or ``module:Env``, where the module is found from the
current folder too and Env is a class, a function that makes an environment, or an id which that
module registers.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from shinso import extras
from shinso.experience.environment_faults import missing_package, not_made, raised, space_fault
from shinso.faults import Fault, UsageFault
from shinso.language import _

MOST_INPUTS = 20_000
"""Numbers in a flattened observation beyond which a perceptron is the wrong network."""


@dataclass(frozen=True)
class Spaces:
    """What an agent sees and does.

    observation: "discrete" (a number of ``num_states``) or "vector" (``width`` numbers).
    action: "discrete" (``num_actions`` to choose from) or "continuous" (``num_actions`` numbers
    between ``low`` and ``high``).
    """

    observation: Literal["discrete", "vector"]
    width: int
    num_states: int
    first_state: int
    action: Literal["discrete", "continuous"]
    num_actions: int
    first_action: int
    low: np.ndarray = field(repr=False)
    high: np.ndarray = field(repr=False)
    text: str = ""


@dataclass(frozen=True)
class Environment:
    """An environment by name, checked once. ``make`` opens another copy of it.

    sha256: of all that a run which goes on must find again. source_sha256: of the file that
    defines the environment, "" where that is Gymnasium's; a mended file may go on.
    """

    name: str
    make: Callable[[], Any]
    spaces: Spaces
    sha256: str
    time_limit: int | None
    time_aware: bool = False
    notes: tuple[str, ...] = ()
    source_sha256: str = ""

    def facts(self) -> dict[str, Any]:
        """What a trained agent must know without the environment; JSON-able."""
        spaces = self.spaces
        return {
            "environment": self.name,
            "sha256": self.sha256,
            "source_sha256": self.source_sha256,
            "spaces": spaces.text,
            "observation": spaces.observation,
            "width": spaces.width,
            "num_states": spaces.num_states,
            "action": spaces.action,
            "num_actions": spaces.num_actions,
            "time_limit": self.time_limit,
        }


def open_environment(
    name: str,
    settings: Mapping[str, Any],
    *,
    time_limit: int = 0,
    time_aware: bool = False,
    render: str | None = None,
) -> Environment:
    """Look an environment up, open it once and read its spaces.

    settings: arguments of the environment. time_limit: steps after which an episode is cut off;
    0 leaves it to the environment. time_aware: the agent sees how old the episode is, and for it
    the time limit is an end like any other (Pardo et al. 2018, arXiv:1712.00378). Raises ExtraFault, UsageFault ENV-UNKNOWN, DataFault ENV-SPACE
    or ENV-RAISED.
    """
    gym = extras.need("gymnasium")
    maker, source = _maker(gym, name, dict(settings), render)

    def make() -> Any:
        made = _opened(maker, name, settings)
        try:
            return shaped(made)
        except BaseException:
            if isinstance(made, gym.Env):
                made.close()
            raise

    def shaped(made: Any) -> Any:
        _check_spaces(gym, made, name)
        if time_limit:
            made = gym.wrappers.TimeLimit(_without_limit(gym, made), time_limit)
        if _needs_flattening(gym, made.observation_space):
            made = gym.wrappers.FlattenObservation(made)
        return _with_age(gym, made, _limit_of(made, name)) if time_aware else made

    with closing(make()) as one:
        spaces = _spaces(gym, one, name, _text_of_shaped(gym, one.env if time_aware else one, one))
        limit = time_limit or getattr(one.spec, "max_episode_steps", None)
    proof = json.dumps(
        [name, dict(settings), time_limit, time_aware, spaces.text, gym.__version__],
        sort_keys=True,
    )
    notes = [spaces.text]
    if limit is None:
        notes.append(
            _("no time limit: an episode may never end; set --time-limit where it may not")
        )
    return Environment(
        name, make, spaces, hashlib.sha256(proof.encode()).hexdigest(), limit, time_aware,
        tuple(notes), source,
    )  # fmt: skip


def _limit_of(env: Any, name: str) -> int:
    limit = getattr(env.spec, "max_episode_steps", None)
    inner = env
    while limit is None and hasattr(inner, "env"):
        limit, inner = getattr(inner, "_max_episode_steps", None), inner.env
    if limit is None:
        raise UsageFault(
            "ENV-NO-LIMIT",
            place=f"{name}: --time-aware",
            found=_("the environment has no time limit"),
            next_step=_("give one with --time-limit"),
        )
    return int(limit)


def _with_age(gym: Any, env: Any, limit: int) -> Any:
    """The environment with the age of the episode in what is seen: state + states × age, or the
    share of the time limit that has passed as one more number."""
    spaces = gym.spaces
    discrete = isinstance(env.observation_space, spaces.Discrete)

    class WithAge(gym.Wrapper):
        def __init__(self) -> None:
            super().__init__(env)
            self.age = 0
            old = env.observation_space
            if discrete:
                self.observation_space = spaces.Discrete(int(old.n) * (limit + 1), start=old.start)
            else:
                self.observation_space = spaces.Box(
                    np.append(old.low, 0).astype(np.float32),
                    np.append(old.high, 1).astype(np.float32),
                )

        def seen(self, seen: Any) -> Any:
            if discrete:
                return int(seen) + int(env.observation_space.n) * self.age
            return np.append(seen, self.age / limit).astype(np.float32)

        def reset(self, **more: Any) -> Any:
            self.age = 0
            seen, info = env.reset(**more)
            return self.seen(seen), info

        def step(self, action: Any) -> Any:
            self.age += 1
            seen, reward, terminated, truncated, info = env.step(action)
            return self.seen(seen), reward, terminated or truncated, False, info

    return WithAge()


def _maker(
    gym: Any, name: str, settings: dict[str, Any], render: str | None
) -> tuple[Callable[[], Any], str]:
    """How to open the environment, and the hash of its source where it is the user's own."""
    more = {**settings, **({"render_mode": render} if render else {})}
    module_name, colon, inner = name.partition(":")
    if not colon:
        return lambda: gym.make(name, disable_env_checker=True, **more), ""
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name.split(".")[0] and error.name != module_name:
            raise missing_package(name, error) from error
        raise UsageFault(
            "ENV-UNKNOWN",
            place=name,
            found=str(error),
            why=_("the module is neither installed nor in this folder"),
            next_step=_("check the name before the colon, or go to the module's folder"),
        ) from error
    except Exception as error:
        raise raised(name, _("import of its module"), error) from error
    made = getattr(module, inner, None)
    file = getattr(module, "__file__", None)
    source = hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""
    if made is None:
        if inner in gym.registry:
            return lambda: gym.make(inner, disable_env_checker=True, **more), source
        near = [n for n, v in vars(module).items() if inspect.isclass(v) and issubclass(v, gym.Env)]
        raise UsageFault(
            "ENV-UNKNOWN",
            place=name,
            found=_("the module has no {name}").format(name=inner),
            next_step=_("environments in it: {all}").format(all=", ".join(near) or "—"),
        )
    return lambda: made(**more), source


def _opened(maker: Callable[[], Any], name: str, settings: Mapping[str, Any]) -> Any:
    gym = extras.need("gymnasium")
    try:
        return maker()
    except Fault:
        raise
    except Exception as error:
        raise not_made(gym, name, settings, error) from error


def _without_limit(gym: Any, made: Any) -> Any:
    """The environment without the time limit that it came with."""
    return made.env if isinstance(made, gym.wrappers.TimeLimit) else made


def _check_spaces(gym: Any, made: Any, name: str) -> None:
    """DataFault ENV-SPACE where it is no environment or does not say its spaces."""
    if not isinstance(made, gym.Env):
        raise space_fault(
            name,
            type(made).__name__,
            _("it is no gymnasium.Env"),
            _("derive it from gymnasium.Env"),
        )
    for which in ("observation_space", "action_space"):
        try:
            space = getattr(made, which, None)
        except Exception as error:
            raise raised(name, which, error) from error
        if not isinstance(space, gym.spaces.Space):
            raise space_fault(
                name, f"{which}: {space}", _("an agent must know what it sees and can do"),
                _("set observation_space and action_space, each a gymnasium.spaces.Space"),
            )  # fmt: skip
    if not _has_numbers_only(gym, made.observation_space):
        raise space_fault(name, _text(made), _("no agent reads such observations"))


def _has_numbers_only(gym: Any, space: Any) -> bool:
    """Whether it is, or can be flattened to, a fixed number of numbers that mean something.
    Gymnasium flattens Text too, to places in a list of characters."""
    kinds = gym.spaces
    if isinstance(space, kinds.Dict | kinds.Tuple):
        parts = space.spaces.values() if isinstance(space, kinds.Dict) else space.spaces
        return all(_has_numbers_only(gym, part) for part in parts)
    return isinstance(space, kinds.Box | kinds.Discrete | kinds.MultiDiscrete | kinds.MultiBinary)


def _needs_flattening(gym: Any, space: Any) -> bool:
    kinds = gym.spaces
    return isinstance(space, (kinds.Dict, kinds.Tuple, kinds.MultiDiscrete, kinds.MultiBinary)) or (
        isinstance(space, kinds.Box) and len(space.shape) != 1
    )


def _spaces(gym: Any, env: Any, name: str, text: str) -> Spaces:
    seen, done = env.observation_space, env.action_space
    if isinstance(seen, gym.spaces.Discrete):
        observation, width, states, first = "discrete", int(seen.n), int(seen.n), int(seen.start)
    else:
        observation, width, states, first = "vector", int(seen.shape[0]), 0, 0
    if width > MOST_INPUTS and observation == "vector":
        why = _("{count} numbers an observation are too many for a perceptron").format(count=width)
        raise space_fault(name, text, why)
    if isinstance(done, gym.spaces.Discrete):
        return Spaces(
            observation, width, states, first, "discrete", int(done.n), int(done.start),
            np.zeros(0), np.zeros(0), text,
        )  # fmt: skip
    if isinstance(done, gym.spaces.Box) and len(done.shape) == 1:
        if not (np.isfinite(done.low).all() and np.isfinite(done.high).all()):
            raise space_fault(name, text, _("continuous actions need bounds"))
        return Spaces(
            observation, width, states, first, "continuous", int(done.shape[0]), 0,
            done.low.astype(float), done.high.astype(float), text,
        )  # fmt: skip
    raise space_fault(name, text, _("no agent acts in such a space"))


def _text_of_shaped(gym: Any, inner: Any, env: Any) -> str:
    """The spaces as the environment itself says them; English, because run folders keep it.
    inner: ``env`` without its age."""
    if not isinstance(inner, gym.wrappers.FlattenObservation):
        return _text(env)
    return _text(inner.env, f" (flattened: {env.observation_space.shape[0]} numbers)")


def _text(env: Any, more: str = "") -> str:
    return (
        f"observation_space: {_short(env.observation_space)}{more}; "
        f"action_space: {_short(env.action_space)}"
    )


def _short(space: Any) -> str:
    text = " ".join(str(space).split())
    return text if len(text) < 300 else text[:297] + "…"
