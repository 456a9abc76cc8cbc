"""Synthetic sequence problems behind the claims on recurrent networks.

Each function draws ``num`` sequences of ``length`` steps from its own generator and returns
inputs and targets. Where only some steps have a target, the others hold NaN.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

Pair = tuple[Float[Tensor, "batch time channel"], Float[Tensor, "batch ..."]]


def as_tensors(inputs: np.ndarray, targets: np.ndarray) -> Pair:
    """Both as float32."""
    return torch.from_numpy(inputs.astype(np.float32)), torch.from_numpy(targets.astype(np.float32))


def adding_problem(num: int, length: int, rng: np.random.Generator) -> Pair:
    """Two of the numbers are marked; their sum is asked for at the end.

    Hochreiter & Schmidhuber 1997, section 5.4. Channel 0 is uniform on [-1, 1]. Channel 1 marks
    one of the first ten steps and one more of the first length/2 - 1 with 1; the first and the
    last step hold -1. Targets [batch, 1]: 0.5 + (X1 + X2) / 4. A sequence counts as solved when
    the error is below 0.04. Answering 0.5 always has a mean squared error of 1/24 = 0.0417.

    Differs: all sequences have the same length, and a marked first step holds 0 in channel 0, as
    there, but keeps its mark. Raises ValueError for lengths below 10.
    """
    if length < 10:
        raise ValueError(f"length is {length}; give 10 or more")
    values = rng.uniform(-1.0, 1.0, (num, length))
    marks = np.zeros((num, length))
    marks[:, [0, -1]] = -1.0
    early = length // 2 - 1
    every = np.arange(num)
    first = rng.integers(0, min(10, early), num)
    second = rng.integers(0, early - 1, num)
    second += second >= first
    for marked in (first, second):
        marks[every, marked] = 1.0
        values[every, marked] *= marked != 0
    sums = values[every, first] + values[every, second]
    return as_tensors(np.stack([values, marks], axis=2), 0.5 + sums[:, None] / 4.0)


def binary_addition(num: int, length: int, rng: np.random.Generator) -> Pair:
    """Two numbers in binary, the least significant bit first, and their sum.

    Operands are uniform on 0 … 2^(length-1) - 1, so that the sum fits: with 8 bits, 0 … 127.
    Inputs [batch, length, 2], targets [batch, length, 1], all bits 0 or 1. Only the carry has
    to be remembered. Raises ValueError for lengths outside 2 … 62.
    """
    if not 2 <= length <= 62:
        raise ValueError(f"length is {length}; give 2 to 62 bits")
    operands = rng.integers(0, 2 ** (length - 1), (num, 2))
    places = np.arange(length)
    bits = (operands[:, None, :] >> places[:, None]) & 1
    sums = (operands.sum(axis=1)[:, None] >> places) & 1
    return as_tensors(bits, sums[:, :, None])


def continual_sums(
    num: int, length: int, rng: np.random.Generator, *, mean_episode: float = 10.0
) -> Pair:
    """A stream of episodes without a reset from outside: the sum since the last mark.

    After Gers & Schmidhuber 2000, "Neural processing of complex continual input streams", where
    sums over episodes of a continual stream need forget gates; here it is reduced to one sum.
    Channel 0 is uniform on [-1, 1]; channel 1 is 1 where a new episode begins, each step doing so
    with probability 1/mean_episode, the first step always. Target at each step: the sum of
    channel 0 since the episode began, over sqrt(mean_episode). What was summed before a mark must
    be dropped, or the state grows like a random walk.
    """
    values = rng.uniform(-1.0, 1.0, (num, length))
    begins = rng.random((num, length)) < 1.0 / mean_episode
    begins[:, 0] = True
    running = np.cumsum(values, axis=1)
    # The running sum just before the latest mark is what has to go.
    latest = np.maximum.accumulate(np.where(begins, np.arange(length), 0), axis=1)
    before = np.take_along_axis(running - values, latest, axis=1)
    targets = (running - before) / np.sqrt(mean_episode)
    return as_tensors(np.stack([values, begins], axis=2), targets[:, :, None])


REBER_SYMBOLS = "BTPSXVE"
# From each state of the Reber grammar: two ways on, as (symbol, next state); state 5 ends.
REBER = {
    0: (("T", 1), ("P", 2)),
    1: (("S", 1), ("X", 3)),
    2: (("T", 2), ("V", 4)),
    3: (("X", 2), ("S", 5)),
    4: (("P", 3), ("V", 5)),
}


def continual_embedded_reber(num: int, length: int, rng: np.random.Generator) -> Pair:
    """Strings of the embedded Reber grammar one after the other, without a reset.

    Gers, Schmidhuber & Cummins 2000, "Learning to forget", section 4. A string is B, T or P, a
    string of the Reber grammar (B … E), the same T or P again, E. Inputs are one-hot over
    "BTPSXVE"; the target holds 1 for each symbol that may come next. The second-last symbol of a
    string asks for its second one; what earlier strings began with must be dropped.
    """
    inputs = np.zeros((num, length, len(REBER_SYMBOLS)))
    targets = np.zeros_like(inputs)
    for row in range(num):
        symbols: list[str] = []
        following: list[str] = []
        while len(symbols) < length:
            _embedded_reber(symbols, following, rng)
        for time in range(length):
            inputs[row, time, REBER_SYMBOLS.index(symbols[time])] = 1.0
            targets[row, time, [REBER_SYMBOLS.index(one) for one in following[time]]] = 1.0
    return as_tensors(inputs, targets)


def _embedded_reber(symbols: list[str], following: list[str], rng: np.random.Generator) -> None:
    """Append one string, and what may follow each of its symbols."""
    outer = "TP"[rng.integers(2)]
    symbols += ["B", outer, "B"]
    following += ["TP", "B", "TP"]
    state = 0
    while state != 5:
        symbol, state = REBER[state][rng.integers(2)]
        symbols.append(symbol)
        following.append("E" if state == 5 else "".join(one for one, _next in REBER[state]))
    symbols += ["E", outer, "E"]
    following += [outer, "E", "B"]


def spike_intervals(
    num: int, length: int, rng: np.random.Generator, *, shortest: int = 10, longest: int = 20
) -> Pair:
    """Spikes at uneven intervals; at each spike, how long ago was the one before?

    After Gers, Schraudolph & Schmidhuber 2002, "Learning precise timing with LSTM recurrent
    networks" (measuring spike delays). Inputs [batch, length, 1] are 1 at a spike and 0 between.
    Targets [batch, length, 1]: at every spike but the first, the interval mapped from
    shortest … longest to 0 … 1; NaN elsewhere. Intervals are uniform on the whole numbers.

    Raises ValueError unless 1 <= shortest < longest < length.
    """
    if not 1 <= shortest < longest < length:
        raise ValueError(
            f"shortest, longest, length are {shortest}, {longest}, {length}; they must rise from 1"
        )
    most = length // shortest + 1
    gaps = rng.integers(shortest, longest + 1, (num, most))
    start = rng.integers(0, length - longest, num)
    times = start[:, None] + np.concatenate([np.zeros((num, 1), int), gaps.cumsum(axis=1)], axis=1)
    inputs = np.zeros((num, length))
    targets = np.full((num, length), np.nan)
    row, spike = np.nonzero(times < length)
    inputs[row, times[row, spike]] = 1.0
    row, spike = np.nonzero(times[:, 1:] < length)
    measured = (gaps - shortest) / (longest - shortest)
    targets[row, times[row, spike + 1]] = measured[row, spike]
    return as_tensors(inputs[:, :, None], targets[:, :, None])


def spike_spacing(num: int, length: int, rng: np.random.Generator, *, spacing: int = 50) -> Pair:
    """Spikes ``spacing`` or ``spacing`` - 1 steps apart: which of the two?

    Gers, Schraudolph & Schmidhuber 2002: LSTM with peepholes tells spikes 50 steps apart from
    spikes 49 apart, without short examples. Inputs [batch, length, 1]; the first spike falls
    anywhere in the first ``spacing`` steps. Targets [batch, 1]: 1 for the wider spacing, else 0.

    Raises ValueError unless length is at least 2 spacing, so that there are two spikes.
    """
    if not 2 <= spacing <= length // 2:
        raise ValueError(f"spacing is {spacing}; give 2 to length/2 = {length // 2}")
    wider = rng.integers(0, 2, num)
    apart = spacing - 1 + wider
    start = rng.integers(0, spacing, num)
    time = np.arange(length)
    inputs = (time >= start[:, None]) & ((time - start[:, None]) % apart[:, None] == 0)
    return as_tensors(inputs[:, :, None], wider[:, None])


def kept_value(num: int, length: int, rng: np.random.Generator) -> Pair:
    """One marked value must be kept while distractors of the same kind arrive.

    What an input gate is for (Hochreiter & Schmidhuber 1997, section 3, the input weight
    conflict). Channel 0 is uniform on [-1, 1] at all steps; channel 1 is 1 at one step of the
    first quarter. Targets [batch, 1]: the marked value, asked for after the last step. Answering
    0 always has a mean squared error of 1/3. Raises ValueError for lengths below 4.
    """
    if length < 4:
        raise ValueError(f"length is {length}; give 4 or more")
    values = rng.uniform(-1.0, 1.0, (num, length))
    marked = rng.integers(0, length // 4, num)
    marks = np.arange(length) == marked[:, None]
    return as_tensors(np.stack([values, marks], axis=2), values[np.arange(num), marked, None])


def undisturbed_output(num: int, length: int, rng: np.random.Generator) -> Pair:
    """A stored value must not show in the outputs until it is asked for.

    What an output gate is for (Hochreiter & Schmidhuber 1997, section 3, the output weight
    conflict). At step 0, marked in channel 1, channel 0 holds the value to store. At every step
    up to the last but one the target is the present value of channel 0. At the last step channel
    2 is 1, channel 0 is 0, and the target is the stored value. Values are uniform on [-1, 1];
    targets [batch, length, 1]. Raises ValueError for lengths below 3.
    """
    if length < 3:
        raise ValueError(f"length is {length}; give 3 or more")
    inputs = np.zeros((num, length, 3))
    inputs[:, :-1, 0] = rng.uniform(-1.0, 1.0, (num, length - 1))
    inputs[:, 0, 1] = 1.0
    inputs[:, -1, 2] = 1.0
    targets = inputs[:, :, 0].copy()
    targets[:, -1] = inputs[:, 0, 0]
    return as_tensors(inputs, targets[:, :, None])


def later_label(num: int, length: int, rng: np.random.Generator, *, ahead: int = 3) -> Pair:
    """The label of each step is whether the input ``ahead`` steps later is larger.

    Inputs [batch, length, 1] are standard normal, and 0 is taken for what lies behind the end.
    Targets [batch, length, 1] are 0 or 1. Away from the end, whoever does not see the future is
    right in 3/4 of the cases at most, by guessing from the sign of the present value. Raises
    ValueError unless 1 <= ahead < length.
    """
    if not 1 <= ahead < length:
        raise ValueError(f"ahead is {ahead}; give 1 to {length - 1}")
    values = rng.standard_normal((num, length))
    later = np.concatenate([values[:, ahead:], np.zeros((num, ahead))], axis=1)
    return as_tensors(values[:, :, None], (later > values)[:, :, None])


def random_walk(num: int, length: int, rng: np.random.Generator) -> Pair:
    """Sums of standard normal steps; the target of each value is the next one.

    Nothing but the last value helps: repeating it has a mean squared error of 1, and no forecast
    a smaller one.
    """
    walk = rng.standard_normal((num, length + 1)).cumsum(axis=1)
    return as_tensors(walk[:, :-1, None], walk[:, 1:, None])


def ar_series(
    num: int,
    length: int,
    rng: np.random.Generator,
    *,
    coefficients: Sequence[float] = (0.6, -0.3),
    burn_in: int = 200,
) -> Pair:
    """An autoregressive series x_t = Σ a_k x_{t-k} + e_t, e_t standard normal; target: the next.

    No forecast has a mean squared error below 1. The first ``burn_in`` steps, which still know
    of the start at 0, are left out. Raises ValueError where the series would grow without bound:
    a root of z^p - a_1 z^(p-1) - … - a_p on or outside the unit circle.
    """
    roots = np.roots([1.0, *(-np.asarray(coefficients))])
    if roots.size and np.abs(roots).max() >= 1:
        raise ValueError(
            f"coefficients are {tuple(coefficients)}; the largest root is {np.abs(roots).max():.3f}"
            ", give coefficients with all roots below 1"
        )
    order = len(coefficients)
    noise = rng.standard_normal((num, burn_in + length + 1))
    series = np.zeros((num, order + noise.shape[1]))
    for time in range(noise.shape[1]):
        past = series[:, time : time + order][:, ::-1]
        series[:, time + order] = past @ np.asarray(coefficients, float) + noise[:, time]
    series = series[:, order + burn_in :]
    return as_tensors(series[:, :-1, None], series[:, 1:, None])
