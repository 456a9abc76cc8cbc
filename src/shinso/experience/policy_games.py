"""Games between policies, all in one batch and without a search: what REINFORCE learns from.

Policies draw their moves from a softmax over the actions that ``games.go_policy_games_numba`` allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from shinso.games.go import Position, Rules
from shinso.games.go_planes_numba import AGES, LEE_PLANES
from shinso.games.go_policy_games_numba import judge, look, move


@dataclass(frozen=True)
class Kept:
    """The decisions of one policy. game: which of the games each belongs to."""

    planes: Tensor
    allowed: Tensor
    actions: Int[Tensor, " decision"]
    game: Int[np.ndarray, " decision"]


@dataclass(frozen=True)
class PlayedGames:
    """scores: Black's area minus White's and minus komi. moves: the actions of each game."""

    scores: Float[np.ndarray, " game"]
    moves: list[list[int]]
    kept: Kept | None


@final
class UniformPolicy(nn.Module):
    """The same score for every action: a player at random."""

    def forward(
        self, planes: Float[Tensor, "batch plane row column"]
    ) -> Float[Tensor, "batch action"]:
        return torch.zeros(len(planes), planes.shape[2] * planes.shape[3] + 1)


def play_games(
    rules: Rules,
    policies: Sequence[nn.Module],
    seats: Int[np.ndarray, "game 2"],
    rng: np.random.Generator,
    *,
    keep: int | None = None,
) -> PlayedGames:
    """Play a game for each row of ``seats``, which names the policies of Black and of White.

    keep: the policy whose decisions are wanted. Simple ko; a longer repetition ends at 3·side² moves.
    """
    count, side, points = len(seats), rules.side, rules.pass_action
    boards = np.repeat(Position.start(rules).board[None], count, axis=0)
    lasts = np.full((count, AGES), -1, np.int64)
    games = np.arange(count)
    scores = np.zeros(count)
    moves: list[list[int]] = [[] for _ in range(count)]
    kept: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = []
    ply = 0
    while len(games):
        planes = np.empty((len(games), LEE_PLANES, points), np.float32)
        allowed = np.empty((len(games), points + 1), np.uint8)
        look(boards, lasts, planes, allowed)
        drawn = rng.random(count)[games]  # of every game, so that no game changes another's luck
        actions = np.empty(len(games), np.int64)
        turn = seats[games, ply % 2]
        for number in np.unique(turn):
            some = np.flatnonzero(turn == number)
            shaped = torch.from_numpy(planes[some]).view(-1, LEE_PLANES, side, side)
            mask = torch.from_numpy(allowed[some]).bool()
            actions[some] = draw_actions(policies[number], shaped, mask, drawn[some])
            if number == keep:
                kept.append(
                    (planes[some].astype(np.uint8), allowed[some], actions[some], games[some])
                )
        move(boards, lasts, actions)
        for game, action in zip(games, actions, strict=True):
            moves[game].append(int(action))
        areas, over = np.empty(len(games)), np.empty(len(games), np.uint8)
        judge(boards, 3 * points, areas, over)
        scores[games] = areas - rules.komi
        left = over == 0
        boards, lasts, games = boards[left], lasts[left], games[left]
        ply += 1
    return PlayedGames(scores, moves, _joined(kept, side) if keep is not None else None)


@torch.inference_mode()
def draw_actions(
    policy: nn.Module,
    planes: Float[Tensor, "batch plane row column"],
    allowed: Bool[Tensor, "batch action"],
    drawn: Float[np.ndarray, " batch"],
) -> Int[np.ndarray, " batch"]:
    """The action at which the sum of chances first exceeds ``drawn``, a number below 1."""
    policy.eval()
    device = next(policy.parameters(), planes).device
    scores = policy(planes.to(device)).double().cpu().masked_fill(~allowed, -torch.inf)
    sums = scores.softmax(1).cumsum(1).numpy()
    found = (sums <= drawn[:, None] * sums[:, -1:]).sum(1)
    # Rounding may leave the last allowed action's sum a hair below the number drawn.
    last = allowed.shape[1] - 1 - allowed.flip(1).int().argmax(1).numpy()
    return np.minimum(found, last)


def alternating_seats(games: int) -> Int[np.ndarray, "game 2"]:
    """Policy 0 is Black in even games and White in odd ones; policy 1 is the other."""
    first = np.arange(games) % 2
    return np.stack([first, 1 - first], axis=1)


def points_against(
    rules: Rules, policy: nn.Module, rival: nn.Module, games: int, seed: int
) -> float:
    """Points of ``policy`` (a draw counts half) in games of both colours."""
    seats = alternating_seats(games)
    rng = np.random.default_rng([seed, 5])
    played = play_games(rules, [policy, rival], seats, rng)
    return float((0.5 + 0.5 * results_of(played.scores, seats, 0)).sum())


def results_of(
    scores: Float[np.ndarray, " game"], seats: Int[np.ndarray, "game 2"], policy: int
) -> Float[np.ndarray, " game"]:
    """1, 0 or −1 as the policy won, drew or lost; it sits on one side of each game."""
    return np.sign(scores) * np.where(seats[:, 0] == policy, 1.0, -1.0)


def _joined(
    kept: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]], side: int
) -> Kept:
    planes, allowed, actions, games = (np.concatenate(parts) for parts in zip(*kept, strict=True))
    shaped = torch.from_numpy(planes).view(-1, LEE_PLANES, side, side)
    return Kept(shaped, torch.from_numpy(allowed).bool(), torch.from_numpy(actions), games)
