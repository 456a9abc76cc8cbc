"""One call of a value network against the average of many rollouts: error and time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column, curve
from shinso.language import Text

if TYPE_CHECKING:
    import numpy as np
    import torch
    from matplotlib.figure import Figure

    from shinso.experience.policy_games import PlayedGames

PLACE = Text("Day 4, AlphaGo: value network", "4 日目 AlphaGo：価値ネットワーク")
SAYS = Text(
    "One call of the value network says who will win about as well as the average of many rollouts, in "
    "less time.",
    "価値ネットワークの 1 回の評価は、多数のロールアウトの平均と同程度に勝敗を予測し、より短い時間で済む。",
)
TRUTH = Text(
    "The rule below asks for more than “about as well”: a lower error than that of 16 rollouts. Where the two "
    "are alike, it is undecided.",
    "以下の判定規則は「同程度」よりも厳しく、16 回のロールアウトより小さい誤差を求める。両者が同程度であれば、"
    "判定できない。",
)
METHOD = Text(
    "On 5×5 (komi 2.5) a player at random makes games. A value network (16 filters, 1 block) learns the "
    "result from one position of each of 4,000 (quick) or 20,000 (full), 250 or 2,500 steps of 64 positions. On "
    "one position of each of 400 or 2,000 new games, its squared error of the result (1 or −1) stands beside that "
    "of the mean of 1, 4, 16, 64 and 256 random rollouts. Seconds are the processor's, for one position; both the "
    "network and the rollouts take one position at a time, as a search asks them.",
    "5 路盤 (コミ 2.5 目) で無作為に着手する対局を作る。価値ネットワーク (16 フィルター・1 ブロック) は 4,000 (quick) "
    "または 20,000 (full) 局の各 1 局面から結果を学習する (64 局面ずつ、250 または 2,500 ステップ)。400 または 2,000 局の"
    "新しい対局の 1 局面ずつについて、結果 (1 か −1) との二乗誤差を、無作為なロールアウト 1、4、16、64、256 回の平均と"
    "比べる。時間は 1 局面あたりのプロセッサ時間で、探索のときと同じく、ネットワークもロールアウトも 1 局面ずつ評価する。",
)
CONTROL = Text(
    "The network learns results that were shuffled among the games.",
    "結果を対局間でかき混ぜてからネットワークに学習させる。",
)
RULE = Text(
    "Holds if the 95 % interval over seeds of the network's error less that of 16 rollouts lies below 0 "
    "and it takes less time than 16 rollouts at every seed; holds under a condition if only the error is "
    "smaller; does not hold if the interval lies above 0; otherwise undecided.",
    "ネットワークの誤差から 16 回のロールアウトの誤差を引いた差の、シードにわたる 95 % 区間が 0 より下で、かつ"
    "どのシードでも 16 回のロールアウトより短時間なら成り立つ。誤差だけが小さければ条件つきで成り立つ。区間が 0 より"
    "上なら成り立たない。それ以外は判定できない。",
)
SEEDS = {"quick": 3, "full": 6}
BUDGET_S = {"quick": 40.0, "full": 240.0}

SIDE, KOMI = 5, 2.5
COUNTS = (1, 4, 16, 64, 256)
COMPARED = COUNTS.index(16)
LEARNT_GAMES = {"quick": 4000, "full": 20_000}
ASKED_GAMES = {"quick": 400, "full": 2000}
STEPS = {"quick": 250, "full": 2500}


class Positions(NamedTuple):
    """One position of each game: the network's planes, the result and the board."""

    planes: torch.Tensor
    results: torch.Tensor
    plies: np.ndarray


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import time

    import torch

    from shinso.claims.sequence_training import seeded
    from shinso.data.go_results import ResultBatch
    from shinso.games.symmetry import symmetries
    from shinso.models.go_value import ValueNetwork
    from shinso.objectives.game_results import GameResultObjective
    from shinso.training.gradient import GradientLearner
    from shinso.training.plan import Training

    with seeded(seed) as generator:
        learnt = _positions(_games(LEARNT_GAMES[profile], seed), seed)
        played = _games(ASKED_GAMES[profile], seed + 10_000)
        asked = _positions(played, seed + 10_000)
        results = learnt.results
        if control:
            results = results[torch.randperm(len(results), generator=generator)]
        model = ValueNetwork(ValueNetwork.Config(filters=16, blocks=1, hidden=32), side=SIDE)
        steps = STEPS[profile]
        training = Training(steps=steps, lr=5e-3, schedule="one-cycle", weight_decay=1e-3)
        learner = GradientLearner(model, GameResultObjective(), training)
        for _ in range(steps):
            chosen = torch.randint(len(results), (64,), generator=generator)
            turn = symmetries(SIDE)[int(torch.randint(8, (), generator=generator)), :-1]
            planes = learnt.planes[chosen].flatten(2)[:, :, torch.from_numpy(turn)]
            learner.step(ResultBatch(planes.view(64, -1, SIDE, SIDE), results[chosen]))
        model.eval()
        with torch.no_grad():
            values = model(asked.planes)
            model(asked.planes[:1])
            began = time.process_time()
            for place in range(len(values)):
                model(asked.planes[place : place + 1])
            seconds = (time.process_time() - began) / len(values)
            of_train = float((model(learnt.planes) - results).square().mean())
        errors, times = _rollouts(played, asked, seed)
    return {
        "network_mse": float((values - asked.results).square().mean()),
        "network_train_mse": of_train,
        "rollouts_mse": errors,
        "seconds_network": seconds,
        "seconds_rollouts": times,
    }


def _games(count: int, seed: int) -> PlayedGames:
    import numpy as np

    from shinso.experience.policy_games import UniformPolicy, play_games
    from shinso.games.go import Rules

    rules = Rules(side=SIDE, komi=KOMI, ko="simple")
    rng = np.random.default_rng([seed, 17])
    # One policy on both sides: every decision of a game is kept, in the order of its moves.
    return play_games(rules, [UniformPolicy()], np.zeros((count, 2), np.int64), rng, keep=0)


def _positions(played: PlayedGames, seed: int) -> Positions:
    """A position drawn from each game."""
    import numpy as np
    import torch

    kept = played.kept
    assert kept is not None
    lengths = np.array([len(moves) for moves in played.moves])
    plies = np.random.default_rng([seed, 18]).integers(lengths)
    begins = np.cumsum(lengths) - lengths
    chosen = torch.from_numpy(np.argsort(kept.game, kind="stable")[begins + plies])
    black = torch.from_numpy((plies % 2 == 0).astype(np.float32))
    last = black[:, None, None, None].expand(-1, 1, SIDE, SIDE)
    planes = torch.cat([kept.planes[chosen].float(), last], dim=1)
    results = torch.from_numpy(np.sign(played.scores)).float() * (2 * black - 1)
    return Positions(planes, results, plies)


def _rollouts(played: PlayedGames, asked: Positions, seed: int) -> tuple[list[float], list[float]]:
    """Error of the mean result of so many rollouts, and the seconds that they take for a position."""
    import time

    import numpy as np

    from shinso.games.go import Position, Rules
    from shinso.games.go_playouts_numba import playouts

    start = Position.start(Rules(side=SIDE, komi=KOMI, ko="simple"))
    boards, signs = [], []
    for moves, ply in zip(played.moves, asked.plies, strict=True):
        position = start
        for action in moves[:ply]:
            position = position.play_legal(action)
        boards.append(position.board)
        signs.append(1.0 if ply % 2 == 0 else -1.0)
    results = asked.results.numpy()
    playouts(boards[0], 1, 1, KOMI)
    errors, times = [], []
    for count in COUNTS:
        began = time.process_time()
        wins = [playouts(board, count, seed + n, KOMI)[0] for n, board in enumerate(boards)]
        times.append((time.process_time() - began) / len(boards))
        values = np.array(signs) * (2 * np.array(wins) / count - 1)
        errors.append(float(((values - results) ** 2).mean()))
    return errors, times


def holds(measurements: Sequence[Measurement]) -> Finding:

    network = column(measurements, "network_mse")
    rollouts = [curve(one, "rollouts_mse")[COMPARED] for one in measurements]
    less = intervals.paired_difference(network, rollouts)
    seconds = column(measurements, "seconds_network")
    times = [curve(one, "seconds_rollouts")[COMPARED] for one in measurements]
    ratios = [a / b for a, b in zip(seconds, times, strict=True)]
    condition = None
    if less.high < 0 and max(ratios) < 1:
        verdict = Verdict.HOLDS
    elif less.high < 0:
        verdict = Verdict.CONDITIONALLY
        condition = Text(
            "for the error only: on so small a board the network is not at every seed quicker than 16 rollouts",
            "誤差についてのみ。これほど小さい盤では、すべてのシードでネットワークのほうが速いわけではない",
        )
    elif less.low > 0:
        verdict = Verdict.REFUTED
    else:
        verdict = Verdict.UNDECIDED
    count = len(measurements)
    errors = [sum(curve(one, "rollouts_mse")[n] for one in measurements) / count for n in range(5)]
    beside = sum(network) / count
    several = ", ".join(f"{n}: {error:.2f}" for n, error in zip(COUNTS, errors, strict=True))
    several_ja = "、".join(f"{n} 回 {error:.2f}" for n, error in zip(COUNTS, errors, strict=True))
    ratio = intervals.geometric_mean(ratios)
    return Finding(
        verdict=verdict,
        condition=condition,
        because=Text(
            f"Mean squared error: one call {beside:.2f}, averages of rollouts {several}; a call takes "
            f"{ratio.value:.1f} times ({ratio.low:.1f} to {ratio.high:.1f}) as long as {COUNTS[COMPARED]} rollouts.",
            f"平均二乗誤差は 1 回の評価で {beside:.2f}、ロールアウトの平均で {several_ja} である。1 回の評価の時間は "
            f"{COUNTS[COMPARED]} 回のロールアウトの {ratio.value:.1f} 倍 ({ratio.low:.1f}〜{ratio.high:.1f}) である。",
        ),
        estimates=(
            intervals.estimate(
                Text(
                    "error of one call less that of 16 rollouts (mse)",
                    "誤差の差、1 回の評価 − ロールアウト 16 回 (二乗誤差)",
                ),
                less,
                seeds=count,
            ),
            intervals.estimate(
                Text(
                    "time of one call over 16 rollouts (ratio)",
                    "時間の比、1 回の評価 ÷ ロールアウト 16 回 (倍)",
                ),
                ratio,
                seeds=count,
            ),
        ),
    )  # fmt: skip


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Error by the number of rollouts, the network's as a level line."""
    from shinso.claims.drawing import curves, legend, spoken

    axes = figure.subplots()
    axes.set_xscale("log")
    curves(
        axes,
        list(COUNTS),
        [[value] * len(COUNTS) for value in column(measurements, "network_mse")],
        [[value] * len(COUNTS) for value in column(controls, "network_mse")],
        xlabel=Text("rollouts averaged", "平均するロールアウトの回数"),
        ylabel=Text("mean squared error", "平均二乗誤差"),
    )
    for number, one in enumerate(measurements):
        label = spoken(Text("rollouts", "ロールアウト")) if number == 0 else None
        axes.plot(COUNTS, curve(one, "rollouts_mse"), "k.:", label=label)
    legend(axes)
