"""Synthetic sequence problems behind the claims on recurrent networks.

Each function draws ``num`` sequences of ``length`` steps from its own generator and returns
inputs and targets. Where only some steps have a target, the others hold NaN.
"""

from __future__ import annotations

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
