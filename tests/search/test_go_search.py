"""The compiled searches: on small boards whose values are known, and against the plain search."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from shinso.games.go import Go, Position, Rules
from shinso.games.go_planes_numba import ZERO_PLANES
from shinso.games.symmetry import symmetries
from shinso.models.go_inference import FoldedEvaluator
from shinso.recipes.uses.go_agent import shipped_network
from shinso.search import go_puct_numba, gumbel
from shinso.search.contest import RandomMover, RolloutMover, contest
from shinso.search.decision import decide
from shinso.search.evaluator import EvaluationCache, SymmetryAverage
from shinso.search.findings import Findings
from shinso.search.forest import Forest, ForestConfig
from shinso.search.rollout_search import RolloutSearch
from shinso.search.tree import TreeSearch


class SensibleGo:
    """Go as the forest sees it: nothing inside of safe areas, over where all is safe."""

    def __init__(self, rules: Rules, longest: int) -> None:
        self._go = Go(rules, longest=longest)
        self.num_actions = self._go.num_actions
        self.start, self.player, self.play = self._go.start, self._go.player, self._go.play

    def legal(self, state: Position) -> np.ndarray:
        return state.sensible()

    def outcome(self, state: Position) -> float | None:
        safe = state.safe()
        if (safe != 0).all():
            return float(np.sign(safe.sum() - state.rules.komi))
        return self._go.outcome(state)


class Even:
    """Even priors, value 0: what is found then is the search's own."""

    def __init__(self):
        self.asked = []

    def __call__(self, planes):
        self.asked.append(len(planes))
        actions = planes.shape[2] ** 2 + 1
        return np.full((len(planes), actions), 1 / actions, np.float32), np.zeros(len(planes))

    def evaluate(self, states):
        actions = states[0].rules.pass_action + 1
        return np.full((len(states), actions), 1 / actions), np.zeros(len(states))


def line_of_play(position: Position, moves: int, seed: int = 0) -> Position:
    rng = np.random.default_rng(seed)
    for _ in range(moves):
        position = position.play(int(rng.choice(np.flatnonzero(position.legal()[:-1]))))
    return position


@pytest.mark.parametrize(("komi", "value"), [(8.5, 1), (9.5, -1)])
def test_rollout_search_solves_three_by_three(komi, value):
    """Black in the centre owns all nine points (known; also found by exhaustive search)."""
    config = RolloutSearch.Config(simulations=20_000, expand_after=1, fill_eyes=True, nodes=300_000)
    found = RolloutSearch(config, seed=1).search(Position.start(Rules(side=3, komi=komi)))
    assert np.sign(found.value) == value
    if value > 0:
        assert found.best == 4
        assert found.values[4] > 0.4


def test_rollout_search_repeats_and_keeps_its_tree():
    rules = Rules(side=5, komi=3)
    config = RolloutSearch.Config(simulations=500, nodes=20_000)
    one, two = (RolloutSearch(config, seed=3).search(Position.start(rules)) for _ in range(2))
    assert np.array_equal(one.visits, two.visits)
    search = RolloutSearch(config, seed=3)
    position = Position.start(rules)
    first = search.search(position)
    assert first.visits.sum() == 500 - config.expand_after
    following = search.search(position.play(first.best))
    assert following.visits.sum() > 500
    lines = search.lines()
    assert lines[following.best][0] == following.best
    elsewhere = search.search(line_of_play(Position.start(rules), 7))
    assert elsewhere.visits.sum() <= 500


def test_full_tree_ends_a_search_and_breaks_nothing():
    config = RolloutSearch.Config(simulations=50_000, expand_after=1, nodes=1000)
    found = RolloutSearch(config).search(Position.start(Rules(side=5)))
    assert 0 < found.simulations < 50_000
    assert found.visits.sum() <= found.simulations


def test_rollout_search_beats_random_moves():
    rules = Rules(side=5, komi=2.5)
    points, games = contest(rules, RolloutMover(100, 1), RandomMover(2), games=10)
    assert points / games > 0.7


@pytest.mark.parametrize("moves", [0, 3, 8])
def test_forest_matches_the_plain_search(moves):
    """The same visits, node by node of the root, whatever the position."""
    rules = Rules(side=4, komi=1.5)
    start = line_of_play(Position.start(rules), moves)
    config = ForestConfig(simulations=120, explore=1.4, unseen=0.2)
    forest = Forest(rules, 1, Even(), config, longest=48)
    forest.plant(0, start)
    (found,) = forest.search()

    plain = TreeSearch(
        SensibleGo(rules, longest=48), Even(), TreeSearch.Config(simulations=120, explore=1.4)
    )
    plain.plant(start)
    expected = plain.search()
    assert np.array_equal(found.visits, expected.visits)
    assert found.values == pytest.approx(expected.values, abs=1e-5)


def test_many_games_are_searched_as_each_alone():
    rules = Rules(side=5)
    starts = [line_of_play(Position.start(rules), number, number) for number in range(4)]
    config = ForestConfig(simulations=40)
    together = Forest(rules, 4, Even(), config)
    for game, start in enumerate(starts):
        together.plant(game, start)
    for start, found in zip(starts, together.search(), strict=True):
        alone = Forest(rules, 1, Even(), config)
        alone.plant(0, start)
        assert np.array_equal(alone.search()[0].visits, found.visits)


def test_leaves_of_one_tree_are_evaluated_in_batches():
    evaluator = Even()
    forest = Forest(Rules(side=5), 1, evaluator, ForestConfig(simulations=64, leaves=8))
    forest.plant(0, Position.start(Rules(side=5)))
    (found,) = forest.search()
    assert found.visits.sum() == 64
    assert max(evaluator.asked) == 8
    assert len(evaluator.asked) <= 10


def test_subtree_of_a_forest_is_kept():
    rules = Rules(side=5)
    forest = Forest(rules, 1, Even(), ForestConfig(simulations=200))
    position = Position.start(rules)
    forest.plant(0, position)
    (found,) = forest.search()
    assert forest.advance(0, position.play(found.best), found.best, -1)
    (kept,) = forest.search(simulations=1)
    assert kept.visits.sum() >= found.visits[found.best] - 1


def test_forest_sees_superko_in_the_tree():
    """No path of the search may repeat a position: the legal moves of its leaves are the rules'."""
    rules = Rules(side=2, komi=0.5)
    planes_seen = []

    class Watching(Even):
        def __call__(self, planes):
            planes_seen.append(planes.copy())
            return super().__call__(planes)

    forest = Forest(rules, 1, Watching(), ForestConfig(simulations=200), longest=30)
    forest.plant(0, Position.start(rules))
    forest.search()
    forbidden = np.concatenate(planes_seen)[:, 2]
    assert forbidden.any()


@pytest.mark.parametrize("simulations", [1, 5, 16, 33])
@pytest.mark.parametrize("considered", [1, 2, 7, 16])
def test_sequential_halving_spends_all_simulations(considered, simulations):
    order = gumbel.considered_visits(considered, simulations)
    assert len(order) == simulations
    visits = np.zeros(considered, int)
    for wanted in order:
        assert (visits == wanted).any()
        visits[np.flatnonzero(visits == wanted)[0]] += 1
    assert visits.sum() == simulations


def test_improved_policy_golden():
    """Two actions seen, one not: by hand from eqs. 11 and 33."""
    priors = np.array([[0.5, 0.3, 0.2]])
    values, visits = np.array([[0.2, -0.4, 0.0]]), np.array([[3, 1, 0]])
    own = np.array([0.1])
    mixed = (0.1 + 4 * (0.5 * 0.2 + 0.3 * -0.4) / 0.8) / 5
    completed = gumbel.completed_values(priors, values, visits, own)
    assert completed == pytest.approx(np.array([[0.2, -0.4, mixed]]))
    scaled = (completed - -0.4) / 0.6
    scores = np.log(priors) + 5.3 * scaled
    expected = np.exp(scores) / np.exp(scores).sum()
    assert gumbel.improved_policy(priors, values, visits, own) == pytest.approx(expected)


def test_gumbel_root_finds_the_winning_move_with_few_simulations():
    """White to move takes two stones and the game; even priors, sixteen simulations."""
    rules = Rules(side=3, komi=0.5)
    position = Position.start(rules, black=[0, 1, 4], white=[3, 2], turn=2)
    forest = Forest(rules, 1, Even(), ForestConfig(simulations=64, root="gumbel", considered=9))
    forest.plant(0, position)
    (found,) = forest.search()
    assert found.chosen == found.best
    assert found.priors.sum() == pytest.approx(1.0)
    assert found.visits.sum() == 64


def test_symmetry_average_is_the_same_for_turned_boards():
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(ZERO_PLANES * 9, 10)).astype(np.float32)

    def network(planes):
        scores = np.exp(planes.reshape(len(planes), -1) @ weights)
        return scores / scores.sum(1, keepdims=True), scores[:, 0]

    planes = (rng.random((1, ZERO_PLANES, 3, 3)) > 0.5).astype(np.float32)
    averaged = SymmetryAverage(network)
    priors, value = averaged(planes)
    for turn in symmetries(3):
        turned = planes.reshape(1, ZERO_PLANES, 9)[:, :, turn[:-1]].reshape(planes.shape)
        other, same = averaged(np.ascontiguousarray(turned))
        assert other[0] == pytest.approx(priors[0][turn], rel=1e-5)
        assert same == pytest.approx(value, rel=1e-5)


def test_cache_answers_as_the_network_and_asks_once():
    evaluator = Even()
    cache = EvaluationCache(evaluator, size=2)
    planes = np.zeros((3, ZERO_PLANES, 3, 3), np.float32)
    planes[1, 0, 1, 1] = 1
    priors, values = cache(planes)
    assert evaluator.asked == [2]
    assert priors.shape == (3, 10)
    assert values.shape == (3,)
    cache(planes[:1])
    assert (cache.hits, cache.misses) == (2, 2)
    planes[0, 5, 2, 2] = 1
    cache(planes[:1])
    cache.clear()
    cache(planes[:1])
    assert evaluator.asked == [2, 1, 1]


def test_decision_passes_a_won_game_and_resigns_a_lost_one():
    rules = Rules(side=3, komi=0.5)
    won = Position.start(rules, black=[0, 1, 2], turn=2).play(9)
    search = RolloutSearch(RolloutSearch.Config(simulations=50, nodes=5000))
    assert decide(won, search.search(won)).action == 9
    lost = Position.start(Rules(side=5, komi=0.5), black=[10, 11, 12, 13, 14, 7], turn=2)
    found = search.search(lost)
    assert decide(lost, found, resign_below=0.99).resigns
    assert not decide(lost, found).resigns
    rng = np.random.default_rng(0)
    drawn = {decide(lost, found, temperature=1.0, rng=rng).action for _ in range(30)}
    assert len(drawn) > 3


@pytest.mark.parametrize("others", [0, 3, 10])
def test_what_is_under_way_is_no_result_of_anybody(others):
    """A child that was seen and is good goes before one never seen, however many are under way
    through the node, and through the child."""
    nodes = np.zeros((1, 3, 4), np.int32)
    numbers = np.zeros((1, 3, 2), np.float32)
    nodes[0, 0] = [0, 1, 2, 10 + others + 1]
    numbers[0, 0] = [-1.0 - others - 1, 1.0]  # ten visits worth 0.1 to who moves here
    nodes[0, 1] = [0, 0, 0, 10 + others]
    numbers[0, 1] = [1.0 - others, 0.5]
    nodes[0, 2] = [1, 0, 0, 0]
    numbers[0, 2] = [0.0, 0.5]
    under_way = np.array([others, 0])

    def best(unseen: float) -> int:
        return go_puct_numba.best_upper(nodes, numbers, 0, 0, 0.0, unseen, others, under_way)

    assert best(0.2) == 1
    assert best(-0.2) == 2
    # A leaf that is being evaluated is not asked about again, however good it may become.
    nodes[0, 2, 3], numbers[0, 2, 0] = 1, -1.0
    under_way[1] = 1
    assert best(-0.2) == 1


def test_simulations_under_way_are_known_by_their_paths():
    paths = np.array([[0, 4], [0, 5], [0, 4], [0, 4], [0, 0]], np.int32)
    depths, games = np.array([1, 1, 1, 1, 0]), np.array([7, 7, 8, 7, 7])
    under_way = np.ones(3, np.int64)

    def others(depth: int, node: int, first: int) -> tuple[int, list[int]]:
        found = go_puct_numba.count_under_way(
            paths, depths, games, 4, depth, node, first, under_way
        )
        return found, under_way.tolist()

    assert others(0, 0, 4) == (3, [2, 1, 0])
    assert others(1, 4, 9) == (2, [0, 0, 0])
    assert others(1, 6, 9) == (0, [0, 0, 0])


@pytest.mark.slow
def test_many_leaves_at_a_time_find_what_one_at_a_time_finds():
    """With a network that has opinions: virtual losses in the means gave a sixth of the visits to other
    moves. Positions of games that the network plays, from their openings to their ends."""
    evaluator = FoldedEvaluator(shipped_network())
    rules, rng = Rules(side=9, komi=7.0), np.random.default_rng(0)
    position, starts = Position.start(rules), []
    while len(starts) < 8:
        forest = Forest(rules, 1, evaluator, ForestConfig(simulations=16))
        forest.plant(0, position)
        (found,) = forest.search()
        position = position.play_legal(int(rng.choice(82, p=found.visits / found.visits.sum())))
        if position.moves % 4 == 0:
            starts.append(position)
    shares = []
    for leaves in (1, 16):
        config = ForestConfig(simulations=300, leaves=leaves)
        forest = Forest(rules, len(starts), evaluator, config)
        for number, start in enumerate(starts):
            forest.plant(number, start)
        visits = np.array([one.visits for one in forest.search()])
        shares.append(visits / visits.sum(1, keepdims=True))
    assert np.abs(shares[0] - shares[1]).sum(1).mean() / 2 < 0.08


@pytest.mark.parametrize("side", [6, 9, 19])
def test_no_game_is_lost_by_a_pass_in_its_opening(side):
    """Of few simulations each action gets one, and a pass may look best by chance."""
    for turn, stones in ((2, [side + 1]), (1, [])):
        position = Position.start(Rules(side=side), black=stones, turn=turn)
        points = side * side
        visits = np.ones(points + 1, np.int64)
        visits[stones] = 0
        values = np.where(visits > 0, -0.2, 0.0)
        values[-1] = 0.9
        found = Findings(
            visits=visits, values=values, priors=np.zeros(points + 1), value=0.0, simulations=points
        )  # fmt: skip
        assert decide(position, found).action < points
        hopeless = replace(found, values=np.where(values > 0, values, -0.95))
        assert decide(position, hopeless).action == points
    ahead = Position.start(Rules(side=side), black=[side + 1], turn=1)
    assert decide(ahead, found).action == points


@pytest.mark.parametrize("wrong", [{"simulations": 0}, {"mixture": 2.0}, {"leaves": 0}])
def test_wrong_settings_are_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ForestConfig(**wrong)


def test_mixture_with_rollouts_changes_values():
    rules = Rules(side=5, komi=25.5)  # White wins whatever is played
    forest = Forest(rules, 1, Even(), ForestConfig(simulations=50, mixture=1.0))
    forest.plant(0, Position.start(rules))
    (found,) = forest.search()
    assert found.value < -0.9
