"""Games between policies: played by the rules, learnt from as REINFORCE says, resumed bit for bit."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from shinso.data.played_decisions import DecisionBatch
from shinso.experience.policy_games import (
    UniformPolicy,
    alternating_seats,
    draw_actions,
    play_games,
    points_against,
    results_of,
)
from shinso.experience.policy_pool import PoolPlay, advantages_of
from shinso.games.go import Position, Rules
from shinso.games.go_planes_numba import LEE_PLANES, lee_planes_of
from shinso.models.go_policy import ConvolutionalPolicy, WithStart
from shinso.objectives.reinforce import ReinforceObjective
from shinso.training.gradient import GradientLearner
from shinso.training.plan import Training

RULES = Rules(side=4, komi=1.5, ko="simple")


def small_policy(seed: int = 0) -> ConvolutionalPolicy:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ConvolutionalPolicy(ConvolutionalPolicy.Config(filters=4, layers=1), side=4)


def test_games_match_positions_played_one_by_one():
    """Every kept decision against ``Position``: planes, legality, safety; every result its score."""
    seats = np.zeros((12, 2), np.int64)
    played = play_games(RULES, [UniformPolicy()], seats, np.random.default_rng(0), keep=0)
    kept = played.kept
    assert kept is not None
    assert len(kept.actions) == sum(map(len, played.moves))
    for game, moves in enumerate(played.moves):
        position, ended = Position.start(RULES), False
        own = np.flatnonzero(kept.game == game)
        for number, (row, action) in enumerate(zip(own, moves, strict=True)):
            assert not ended
            last = np.array([*reversed(moves[max(number - 4, 0) : number]), -1, -1, -1, -1][:4])
            planes = np.empty((LEE_PLANES, 16), np.float32)
            lee_planes_of(position.board, last, planes)
            assert np.array_equal(planes.reshape(LEE_PLANES, 4, 4), kept.planes[row].numpy())
            worth = position.sensible()[:-1] & (planes[22] == 0)
            allowed = kept.allowed[row].numpy()
            assert np.array_equal(worth, allowed[:-1])
            assert allowed[-1] == (not worth.any() or position.passes > 0)
            assert allowed[action]
            assert kept.actions[row] == action
            position = position.play_legal(action)
            safe = position.safe()
            ended = (safe != 0).all() or position.over or position.moves >= 48
        assert ended
        area = safe.sum() if (safe != 0).all() else position.owners().sum()
        assert played.scores[game] == area - 1.5


def test_moves_are_drawn_by_their_chances_and_never_forbidden_ones():
    scores = torch.tensor([0.0, 1.0, 5.0, -1.0])

    class Fixed(nn.Module):
        def forward(self, planes):
            return scores.expand(len(planes), -1)

    allowed = torch.tensor([True, True, False, True])
    drawn = (np.arange(4000) + 0.5) / 4000
    found = draw_actions(Fixed(), torch.zeros(4000, 1, 1, 3), allowed.expand(4000, -1), drawn)
    shares = np.bincount(found, minlength=4) / 4000
    wanted = scores.masked_fill(~allowed, -torch.inf).softmax(0).numpy()
    assert np.abs(shares - wanted).max() < 1e-3  # the grid of numbers drawn has that step
    edge = draw_actions(Fixed(), torch.zeros(1, 1, 1, 3), allowed[None], np.array([1 - 1e-16]))
    assert edge == [3]


def test_gradient_matches_the_exact_one_of_all_games():
    """A game of two choices among three: every course of it, weighed by its chance, has the gradient of
    the expected result that autograd gives."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3)).double()
    objective = ReinforceObjective()
    first, second = torch.randint(0, 3, (2, 1, 1, 2, 2), dtype=torch.uint8)
    allowed = torch.tensor([[True, True, True], [True, False, True]])
    results = {(a, b): float((3 * a + b) % 4) - 1.5 for a in range(3) for b in (0, 2)}

    def chances(planes, mask):
        return model(planes.double()).masked_fill(~mask, -torch.inf).softmax(1)[0]

    one, two = chances(first, allowed[0]), chances(second, allowed[1])
    expected = sum(one[a] * two[b] * z for (a, b), z in results.items())
    exact = torch.autograd.grad(expected, list(model.parameters()))
    weights = {(a, b): (one[a] * two[b]).item() for a, b in results}
    found = [torch.zeros_like(one) for one in exact]

    class Doubled(nn.Module):
        def forward(self, planes):
            return model(planes.double())

    for choice, z in results.items():
        # The source's convention: advantages are scaled by decisions over games.
        batch = DecisionBatch(
            torch.cat([first, second]), allowed, torch.tensor(choice),
            torch.full((2,), 2 * z, dtype=torch.float64),
        )  # fmt: skip
        loss = objective(Doubled(), batch)["loss"]
        for total, part in zip(
            found, torch.autograd.grad(loss, list(model.parameters())), strict=True
        ):
            total -= weights[choice] * part
    for ours, theirs in zip(found, exact, strict=True):
        # The objective computes scores in float32 before its softmax.
        assert torch.allclose(ours, theirs, atol=1e-6)


def test_baseline_leaves_the_mean_credit_as_it_is():
    """Over all outcomes of three games of a colour: E[advantage of a game | its result] is its result
    less the expected one."""
    chance = 0.3
    sums = {1.0: 0.0, -1.0: 0.0}
    for outcome in itertools.product((1.0, -1.0), repeat=3):
        weight = np.prod([chance if z > 0 else 1 - chance for z in outcome[1:]])
        sums[outcome[0]] += weight * advantages_of(np.array(outcome), np.zeros(3, int))[0]
    mean = 2 * chance - 1
    assert sums[1.0] == pytest.approx(1 - mean)
    assert sums[-1.0] == pytest.approx(-1 - mean)
    two = advantages_of(np.array([1.0, 1.0, -1.0, -1.0]), np.array([0, 0, 1, 1]))
    assert np.array_equal(two, np.zeros(4))


def test_credit_is_a_sum_over_moves_and_a_mean_over_games():
    """Of two games, one of each colour, neither has a baseline: every move is credited with its game's
    result, times moves over games, since the objective takes the mean of moves."""
    source = PoolPlay(RULES, small_policy(), games=2, snapshot_every=5, seed=1)
    batch = source.next_batch()
    scale = len(batch.actions) / 2
    assert set((batch.advantages / scale).tolist()) <= {1.0, -1.0}
    won = (batch.advantages > 0).float()
    games = {0.0: (0.0,), 0.5: (0.0, 1.0), 1.0: (1.0,)}[source.points]
    assert set(won.tolist()) == set(games)


def test_results_are_seen_from_the_seat():
    seats = alternating_seats(4)
    assert seats.tolist() == [[0, 1], [1, 0], [0, 1], [1, 0]]
    assert results_of(np.array([2.5, 2.5, -1.0, 0.0]), seats, 0).tolist() == [1, -1, -1, 0]


def test_pool_grows_and_every_member_is_met(monkeypatch):
    policy = small_policy()
    source = PoolPlay(RULES, policy, games=2, snapshot_every=2, seed=0)
    met = []
    original = source._rival.load_state_dict

    def remember(weights):
        met.append(float(weights["bias"][0]))
        return original(weights)

    monkeypatch.setattr(source._rival, "load_state_dict", remember)
    for number in range(12):
        with torch.no_grad():
            policy.bias[0] = number
        source.next_batch()
        assert len(source.pool) == 1 + number // 2
        assert met[-1] in [float(one["bias"][0]) for one in source.pool]
    # The start, then the policy as it was before the 3rd, 5th … batch.
    assert [float(one["bias"][0]) for one in source.pool] == [0, 2, 4, 6, 8, 10]
    assert len(set(met)) > 3


def test_latest_rival_is_the_policy_itself():
    """Mirrored seats and one policy: the pool is never asked."""
    policy = small_policy()
    source = PoolPlay(RULES, policy, games=2, snapshot_every=1, seed=0, rivals="latest")
    source._rival = None
    assert len(source.next_batch().actions) > 0


def test_stopped_self_play_resumes_bit_for_bit():
    def begun():
        policy = small_policy()
        source = PoolPlay(RULES, policy, games=6, snapshot_every=2, seed=3)
        training = Training(steps=8, lr=1e-2, schedule="constant")
        return source, GradientLearner(policy, ReinforceObjective(), training)

    source, learner = begun()
    for _ in range(3):
        learner.step(source.next_batch())
    kept = source.state_dict(), learner.state_dict()
    kept = torch.load(_saved(kept), weights_only=True)
    other_source, other = begun()
    for _ in range(4):
        learner.step(source.next_batch())
    other_source.load_state_dict(kept[0])
    other.load_state_dict(kept[1])
    for _ in range(4):
        other.step(other_source.next_batch())
    ours, theirs = learner.model.state_dict(), other.model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert source.points == other_source.points
    assert len(source.pool) == len(other_source.pool) == 4


def _saved(state):
    import io

    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return buffer


def test_playing_makes_a_policy_stronger():
    """Thirty batches on 4×4 against its earlier selves; the start is beaten far beyond chance."""
    policy = small_policy()
    model = WithStart(policy)
    source = PoolPlay(RULES, model.policy, games=48, snapshot_every=10, seed=0)
    learner = GradientLearner(
        model, ReinforceObjective(), Training(steps=30, lr=1e-2, schedule="constant")
    )
    for _ in range(30):
        learner.step(source.next_batch())
    assert points_against(RULES, model.policy, model.start, 200, 0) > 120
    fresh = small_policy()
    start = model.start.state_dict()
    assert all(torch.equal(start[name], value) for name, value in fresh.state_dict().items())
