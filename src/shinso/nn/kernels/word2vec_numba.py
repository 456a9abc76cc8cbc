"""word2vec over a stream of words: skip-gram and CBOW, negative samples or a Huffman tree.

A *target* is a row of the output vectors with a label: the centre word with 1 and the drawn words
with 0 (Mikolov et al. 2013b, eq. 4), or the nodes on the centre word's path with 1 − its code bits
(ibid., eq. 3). All words of a window meet the same targets, so that a window is one small matrix
product instead of one dot product after another (Ji et al. 2016).
"""

import numpy as np

from shinso.nn.kernels.compile_numba import kernel, part
from shinso.nn.kernels.window_numba import (
    LANES,
    SIX,
    gather_one,
    gather_two,
    scatter_one,
    scatter_two,
    scores,
)

F4, ONE, ZERO, LARGEST = np.float32, np.float32(1), np.float32(0), np.float32(5.999)
CELLS = 4096
LONGEST = 10_000  # words of a line that are learnt from together; a longer line is cut
_SHARE = np.float32(1 / 16777216.0)  # of 24 random bits
_middles = (np.arange(CELLS) + 0.5) / CELLS * 12 - 6
SIGMOID = (1 / (1 + np.exp(-_middles))).astype(np.float32)
LOSS = np.log1p(np.exp(-_middles)).astype(np.float32)
"""σ(x) and −log σ(x) at the middles of CELLS cells from −6 to 6, as in word2vec.c."""


@part
def _next(state):  # pragma: no cover
    """xorshift64 (Marsaglia 2003)."""
    state ^= state << np.uint64(13)
    state ^= state >> np.uint64(7)
    state ^= state << np.uint64(17)
    return state


@part
def _cell(x):  # pragma: no cover
    x = LARGEST if x > LARGEST else x
    x = -LARGEST if x < -LARGEST else x
    return np.int64((x + F4(6)) * F4(CELLS / 12))


@part
def _draw(state, shares, others):  # pragma: no cover
    """A word from the noise distribution by Walker's alias method."""
    place = np.int64(((state >> np.uint64(32)) * np.uint64(shares.shape[0])) >> np.uint64(32))
    chance = F4(state & np.uint64(0xFFFFFF)) * _SHARE
    return place if chance < shares[place] else np.int64(others[place])


@kernel
def _kept_line(words, place, keep, line, state):  # pragma: no cover
    """Words of the line from ``place`` on that pass subsampling; where the next line begins."""
    kept = 0
    while place < words.shape[0]:
        word = words[place]
        place += 1
        if word < 0:
            break
        state = _next(state)
        if F4(state >> np.uint64(40)) * _SHARE < keep[word]:
            line[kept] = word
            kept += 1
            if kept == LONGEST:
                break
    return kept, place, state


@kernel
def _learn_window(xs, errors, count, width, targets, labels, ys, near, g, lr):  # pragma: no cover
    """Rows at xs[:count] against the targets at ys, which change; gradients of xs go to errors.

    targets: how many, filled up to a multiple of six with rows that do not count. near: room for
    the targets' rows. g: room, rows of the length of labels. Returns the summed loss.
    """
    blocks = -(-targets // SIX)
    row, g_row, vectors = 4 * width, 4 * g.shape[1], width // LANES
    y, g_place = near.ctypes.data, g.ctypes.data
    for b in range(blocks):
        for c in range(0, count, 2):
            other = min(c + 1, count - 1)  # the last of an odd number is paired with itself
            to = g_place + 4 * b * SIX
            scores(
                xs[c],
                xs[other],
                y + b * SIX * row,
                row,
                vectors,
                to + c * g_row,
                to + other * g_row,
            )
    loss = ZERO
    for c in range(count):
        for t in range(targets):
            cell = _cell(g[c, t])
            loss += LOSS[cell] if labels[t] > ZERO else LOSS[CELLS - 1 - cell]
            g[c, t] = (labels[t] - SIGMOID[cell]) * lr
        for t in range(targets, SIX * blocks):
            g[c, t] = ZERO
    step = 8 * LANES
    for b in range(blocks):
        to, places = g_place + 4 * b * SIX, ys.ctypes.data + 8 * b * SIX
        for at in range(0, row - step + 4 * LANES, step):
            if at + step <= row:
                gather_two(xs.ctypes.data, count, to, g_row, places, at)
            else:
                gather_one(xs.ctypes.data, count, to, g_row, places, at)
    for b in range(blocks):
        to, start = g_place + 4 * b * SIX, y + b * SIX * row
        for at in range(0, row - step + 4 * LANES, step):
            if at + step <= row:
                scatter_two(errors.ctypes.data, count, to, g_row, start, row, at)
            else:
                scatter_one(errors.ctypes.data, count, to, g_row, start, row, at)
    return loss


@kernel
def learn_words(
    words,
    inputs,
    outputs,
    keep,
    window,
    cbow,
    negative,
    shares,
    others,
    starts,
    points,
    codes,
    lr,
    seed,
):  # pragma: no cover
    """Learn from all lines of ``words`` once; inputs and outputs change.

    keep: chance of each word to stay in its line. negative: drawn words a centre word; 0 takes the
    tree, whose path of word w is points[starts[w]:starts[w+1]] with its codes. shares, others: alias
    table of the noise. Returns centre words, windows' rows times targets, summed loss, next seed.
    """
    width = inputs.shape[1]
    longest = 1 + negative
    for w in range(starts.shape[0] - 1):
        longest = max(longest, starts[w + 1] - starts[w])
    room = SIX * (-(-longest // SIX))
    line = np.empty(LONGEST, np.int32)
    near, spare = np.zeros((room, width), np.float32), np.zeros((3, width), np.float32)
    g, labels = np.zeros((2 * window, room), np.float32), np.zeros(room, np.float32)
    chosen, ys = np.zeros(room, np.int64), np.zeros(room, np.int64)
    xs, one, error = np.zeros(2 * window, np.int64), np.zeros(1, np.int64), np.zeros(1, np.int64)
    x_place, y_place, row = inputs.ctypes.data, outputs.ctypes.data, 4 * width
    one[0], error[0] = spare.ctypes.data, spare.ctypes.data + row
    state, place, centres, met, loss = np.uint64(seed), 0, 0, 0, 0.0
    while place < words.shape[0]:
        kept, place, state = _kept_line(words, place, keep, line, state)
        for p in range(kept):
            state = _next(state)
            reach = 1 + np.int64((state >> np.uint64(33)) % np.uint64(window))
            count = 0
            for c in range(max(0, p - reach), min(kept, p + reach + 1)):
                if c != p:
                    xs[count] = x_place + row * np.int64(line[c])
                    count += 1
            if count == 0:
                continue
            centre, targets = np.int64(line[p]), np.int64(0)
            if negative > 0:
                chosen[0], labels[0], targets = centre, ONE, 1
                for _ in range(negative):
                    state = _next(state)
                    drawn = _draw(state, shares, others)
                    if drawn != centre:
                        chosen[targets], labels[targets] = drawn, ZERO
                        targets += 1
            else:
                for k in range(starts[centre], starts[centre + 1]):
                    chosen[targets], labels[targets] = points[k], ONE - F4(codes[k])
                    targets += 1
            for t in range(targets):
                ys[t] = y_place + row * chosen[t]
                to, source = near[t], outputs[chosen[t]]
                for k in range(width):
                    to[k] = source[k]
            for t in range(targets, SIX * (-(-targets // SIX))):
                ys[t] = spare.ctypes.data + 2 * row
                near[t] = ZERO
            if cbow:
                mean, back = spare[0], spare[1]
                mean[:] = ZERO
                back[:] = ZERO
                for c in range(max(0, p - reach), min(kept, p + reach + 1)):
                    if c != p:
                        source = inputs[line[c]]
                        for k in range(width):
                            mean[k] += source[k]
                share = ONE / F4(count)
                for k in range(width):
                    mean[k] *= share
                loss += _learn_window(one, error, 1, width, targets, labels, ys, near, g, lr)
                for c in range(max(0, p - reach), min(kept, p + reach + 1)):
                    if c != p:
                        source = inputs[line[c]]
                        for k in range(width):
                            source[k] += back[k]
                count = 1
            else:
                loss += _learn_window(xs, xs, count, width, targets, labels, ys, near, g, lr)
            centres += 1
            met += count
    return centres, met, loss, state


@kernel
def count_windows(words, limit, window, counts):  # pragma: no cover
    """counts[a, b] += weight of b near a, both below ``limit``; nearer words weigh more, as in the
    mean over dynamic windows."""
    size = words.shape[0]
    for place in range(size):
        one = words[place]
        if one < 0:
            continue
        for distance in range(1, window + 1):
            if place + distance >= size or words[place + distance] < 0:
                break
            other = words[place + distance]
            if one < limit and other < limit:
                weight = F4(window + 1 - distance) / F4(window)
                counts[one, other] += weight
                counts[other, one] += weight


@kernel
def huffman(counts, parents, bits):  # pragma: no cover
    """Parent and bit of each node of the Huffman tree; words are the first nodes, sorted by
    falling count, inner nodes follow in the order of their making (Huffman 1952, with two queues).
    """
    words = counts.shape[0]
    weights = np.empty(2 * words - 1, np.int64)
    weights[:words] = counts
    leaf, inner = words - 1, words
    for made in range(words, 2 * words - 1):
        for bit in range(2):
            if leaf >= 0 and (inner >= made or weights[leaf] < weights[inner]):
                least = leaf
                leaf -= 1
            else:
                least = inner
                inner += 1
            parents[least], bits[least] = made, bit
            weights[made] = weights[least] if bit == 0 else weights[made] + weights[least]
