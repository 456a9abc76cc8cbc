"""Positions of games as a network and as the rollout policy see them."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shinso.data import samples
from shinso.data.drawn_positions import DrawnPositions
from shinso.data.go_files import GoGames, read_games
from shinso.data.go_positions import MoveSamples, pattern_forms
from shinso.games.go import Position, Rules
from shinso.games.go_patterns_numba import (
    FEATURES,
    OFFSETS,
    PATTERNS,
    RESPONSES,
    TABLE,
    rows_of_position,
)
from shinso.games.go_planes_numba import LEE_PLANES, ZERO_PLANES, lee_planes_of, zero_planes_of
from shinso.games.symmetry import inverses, symmetries
from shinso.models.go_policy import ConvolutionalPolicy, RolloutPolicy
from shinso.objectives.move_prediction import MovePredictionObjective
from shinso.training.gradient import GradientLearner
from shinso.training.plan import Training


def games() -> GoGames:
    return read_games([samples.path("go7.tar.gz")])


def position(numbers: list[int], side: int = 5) -> tuple[Position, list[int]]:
    found, moves = Position.start(Rules(side=side, ko="simple")), []
    for number in numbers:
        legal = np.flatnonzero(found.legal())
        moves.append(int(legal[number % len(legal)]))
        found = found.play_legal(moves[-1])
    return found, moves


def lee(found: Position, moves: list[int]) -> np.ndarray:
    last = np.array([*reversed(moves[-4:]), -1, -1, -1, -1][:4])
    planes = np.empty((LEE_PLANES, found.rules.pass_action), np.float32)
    lee_planes_of(found.board, last, planes)
    return planes


numbers = st.lists(st.integers(0, 10**6), max_size=60)


@settings(max_examples=30)
@given(numbers)
def test_planes_say_what_the_board_says_for_any_game(numbers):
    """Against positions that are really played: liberties, captures, legality."""
    found, moves = position(numbers)
    planes, stones, liberties = lee(found, moves), found.stones, found.liberties
    for color, first in ((found.turn, 0), (3 - found.turn, 4)):
        for count in range(1, 5):
            wanted = (stones == color) & (np.minimum(liberties, 4) == count)
            assert np.array_equal(planes[first + count - 1] == 1, wanted)
    legal = found.legal()[:-1]
    assert np.array_equal(planes[8] == 1, stones == 0)
    assert np.array_equal(planes[14] == 1, (stones == 0) & ~legal)
    for point in np.flatnonzero(legal):
        after = found.play_legal(int(point))
        taken = int((stones == 3 - found.turn).sum() - (after.stones == 3 - found.turn).sum())
        assert planes[15:18, point].sum() == (taken > 0)
        if taken:
            assert planes[14 + min(taken, 3), point] == 1
        assert planes[17 + min(int(after.liberties[point]), 4), point] == 1
        assert planes[18:22, point].sum() == 1
    for age, move in enumerate(reversed(moves[-4:])):
        assert planes[10 + age].sum() == (move < 25)


@given(numbers)
def test_raw_planes_for_any_game(numbers):
    found, moves = position(numbers)
    planes = np.empty((ZERO_PLANES, 25), np.float32)
    last = moves[-1] if moves else -1
    zero_planes_of(found.board, found.legal(), last, -1, planes)
    assert np.array_equal(planes[0] == 1, found.stones == found.turn)
    assert np.array_equal(planes[1] == 1, found.stones == 3 - found.turn)
    assert np.array_equal(planes[2] == 1, (found.stones == 0) & ~found.legal()[:-1])
    assert planes[3].sum() == (0 <= last < 25)
    assert planes[4].sum() == 0
    assert (planes[6] == (found.turn == 1)).all()


@given(numbers, st.integers(0, 7))
def test_patterns_do_not_change_when_the_board_is_turned(numbers, turn):
    """All but the response pattern, whose rows know directions."""
    there, back = symmetries(5)[turn], inverses(5)[turn]
    plain, moves = position(numbers)
    turned = Position.start(Rules(side=5, ko="simple"))
    for move in moves:
        turned = turned.play_legal(int(back[move]))
    rows = []
    for found, played in ((plain, moves), (turned, [int(back[move]) for move in moves])):
        last = [-1, -1, *played][-2:]
        one = np.empty((25, FEATURES), np.int32)
        rows_of_position(found.board, last[1], last[0], pattern_forms(), one)
        assert np.array_equal(one[:, 1] > 0, found.legal()[:-1])
        assert one.max() < TABLE
        rows.append(one)
    for feature in (0, 1, 3, 4):
        assert np.array_equal(rows[1][:, feature], rows[0][there[:-1], feature])


def test_tables_are_as_large_as_they_say():
    forms = pattern_forms()
    assert forms.max() + 1 == PATTERNS
    assert TABLE == PATTERNS + 2 * OFFSETS + RESPONSES + 64


def test_sample_is_the_position_before_its_move():
    found = games()
    one = MoveSamples(found, np.array([3], np.int64), "planes")
    batch = one.take(np.arange(len(one)))
    replayed = Position.start(Rules(side=7, ko="simple"))
    for number, action in enumerate(batch.actions.tolist()):
        stones = replayed.stones.reshape(7, 7)
        own = batch.inputs[number, :4].sum(0).numpy()
        assert np.array_equal(own == 1, stones == replayed.turn)
        assert batch.inputs[number, 14].flatten()[action] == 0 if action < 49 else True
        replayed = replayed.play(action)


def test_turned_samples_are_the_same_moves():
    found = games()
    one = MoveSamples(found, np.array([0], np.int64), "planes")
    plain = one.take(np.full(8, 20))
    turned = one.take(np.full(8, 20), np.arange(8))
    for number in range(8):
        there = torch.from_numpy(symmetries(7)[number])
        expected = plain.inputs[number].flatten(1)[:, there[:-1]]
        assert torch.equal(turned.inputs[number].flatten(1), expected)
        assert there[turned.actions[number]] == plain.actions[number]


def test_drawn_batches_follow_from_their_number():
    one = MoveSamples(games(), np.arange(5, dtype=np.int64), "patterns")
    first, second = DrawnPositions(one, 8, 3), DrawnPositions(one, 8, 3)
    for _ in range(3):
        first.next_batch()
    second.load_state_dict(first.state_dict())
    assert torch.equal(first.next_batch().inputs, second.next_batch().inputs)
    assert not torch.equal(
        first.next_batch().actions, DrawnPositions(one, 8, 4).next_batch().actions
    )


def test_policies_overfit():
    """A few positions are learnt by heart by both, the pass among them."""
    found = games()
    chosen = np.arange(2, dtype=np.int64)
    for model, lr, steps in (
        (RolloutPolicy(RolloutPolicy.Config(), side=7), 0.3, 120),
        (ConvolutionalPolicy(ConvolutionalPolicy.Config(filters=24, layers=3), side=7), 1e-2, 120),
    ):
        torch.manual_seed(0)
        source = DrawnPositions(MoveSamples(found, chosen, model.reads), 24, 0, only=12)
        learner = GradientLearner(
            model, MovePredictionObjective(), Training(steps=steps, lr=lr, schedule="one-cycle")
        )
        losses = [float(learner.step(source.next_batch())["loss"]) for _ in range(steps)]
        assert losses[-1] < 0.15 < losses[0]


def test_rollout_policy_forbids_what_the_rules_forbid():
    model = RolloutPolicy(RolloutPolicy.Config(), side=7)
    batch = MoveSamples(games(), np.arange(3, dtype=np.int64), "patterns").take(np.arange(60))
    chances = model(batch.inputs).softmax(-1)
    assert torch.equal(chances[:, :-1] > 0, batch.inputs[..., 1] > 0)
    assert (model.weights() == 1).all()


def test_bundled_games_golden():
    """The first game of the sample is the one that its script plays."""
    import io
    import tarfile

    from tests.golden.regenerate_go_sample import packed

    with (
        tarfile.open(samples.path("go7.tar.gz")) as kept,
        tarfile.open(fileobj=io.BytesIO(packed(1))) as made,
    ):
        name = made.getnames()[0]
        assert kept.extractfile(name).read() == made.extractfile(name).read()
