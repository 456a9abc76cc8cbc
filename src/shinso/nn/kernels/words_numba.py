"""Words of a text as numbers: one pass over its bytes, with a hash table of our own.

A Python dictionary takes about a third of a microsecond a word; reading, hashing and comparing the
bytes themselves takes a tenth of that.
"""

import numpy as np

from shinso.nn.kernels.compile_numba import kernel

SEPARATOR, LETTER, LINE_END, INNER = 0, 1, 2, 3
"""What a byte is: INNER belongs to a word only between two letters (the apostrophe of don't)."""
POSITION, WORDS, USED, FOUND = 0, 1, 2, 3
"""Places in the state of ``number_words``: next byte, words known, bytes of them, numbers given."""
OFFSET, PRIME = np.uint64(14695981039346656037), np.uint64(1099511628211)  # FNV-1a


@kernel
def number_words(text, kinds, table, hashes, starts, spelled, state, out, adds):  # pragma: no cover
    """Numbers of the words of ``text`` from state[POSITION] on, -1 at each line's end.

    table: slots with number + 1, 0 where free, of a length that is a power of two. Word n is
    spelled[starts[n]:starts[n+1]]. adds: whether new words get numbers; otherwise they are left
    out. Returns True when the text is done; False when room must be made first, the state being
    that before the word that found none.
    """
    size, mask = text.shape[0], np.uint64(table.shape[0] - 1)
    place, num_words, used, found = state[POSITION], state[WORDS], state[USED], state[FOUND]
    done = True
    while place < size:
        kind = kinds[text[place]]
        if kind == LINE_END:
            out[found] = -1
            found += 1
        if kind != LETTER:
            place += 1
            continue
        end, code = place, OFFSET
        while end < size:
            kind = kinds[text[end]]
            inside = kind == INNER and end + 1 < size and kinds[text[end + 1]] == LETTER
            if kind != LETTER and not inside:
                break
            code = (code ^ np.uint64(text[end])) * PRIME
            end += 1
        # FNV's low bits mix poorly for short words; the high ones are folded in.
        code = code ^ (code >> np.uint64(29))
        slot = np.int64(code & mask)
        number = np.int64(-1)
        while table[slot] != 0:
            known = np.int64(table[slot] - 1)
            if hashes[known] == code and starts[known + 1] - starts[known] == end - place:
                first, same = starts[known], True
                for k in range(end - place):
                    if spelled[first + k] != text[place + k]:
                        same = False
                        break
                if same:
                    number = known
                    break
            slot = np.int64((np.uint64(slot) + np.uint64(1)) & mask)
        if number < 0 and adds:
            room = num_words + 1 < starts.shape[0] and 2 * (num_words + 1) < table.shape[0]
            if not room or used + end - place > spelled.shape[0]:
                done = False
                break
            number = num_words
            table[slot] = number + 1
            hashes[number] = code
            for k in range(end - place):
                spelled[used + k] = text[place + k]
            used += end - place
            num_words += 1
            starts[num_words] = used
        if number >= 0:
            out[found] = number
            found += 1
        place = end
    state[POSITION], state[WORDS], state[USED], state[FOUND] = place, num_words, used, found
    return done


@kernel
def fill_table(table, hashes, count):  # pragma: no cover
    """Slots of a larger table for the words that are known."""
    mask = np.uint64(table.shape[0] - 1)
    for number in range(count):
        slot = np.int64(hashes[number] & mask)
        while table[slot] != 0:
            slot = np.int64((np.uint64(slot) + np.uint64(1)) & mask)
        table[slot] = number + 1


@kernel
def count_numbers(numbers, counts):  # pragma: no cover
    """counts[n] += how often n occurs."""
    for place in range(numbers.shape[0]):
        if numbers[place] >= 0:
            counts[numbers[place]] += 1


@kernel
def renumber(numbers, new):  # pragma: no cover
    """Each number n becomes new[n] in place; those whose new number is -1 are left out.

    Line ends stay, but no two in a row. Returns how many numbers are left.
    """
    kept, before = 0, -1
    for place in range(numbers.shape[0]):
        number = numbers[place]
        if number >= 0:
            number = new[number]
            if number < 0:
                continue
        elif before < 0:
            continue
        numbers[kept] = number
        kept += 1
        before = number
    return kept


@kernel
def _slot_of(keys, key):  # pragma: no cover
    mask = np.uint64(keys.shape[0] - 1)
    code = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)
    slot = np.int64((code >> np.uint64(20)) & mask)
    while keys[slot] != -1 and keys[slot] != key:
        slot = np.int64((np.uint64(slot) + np.uint64(1)) & mask)
    return slot


@kernel
def count_pairs(numbers, start, keys, counts, used):  # pragma: no cover
    """Counts of neighbours on a line as first · 2³² + second, in open slots.

    Returns where it stopped for want of room (the length when done) and the slots used.
    """
    place = start
    while place + 1 < numbers.shape[0]:
        first, second = numbers[place], numbers[place + 1]
        if first >= 0 and second >= 0:
            key = (np.int64(first) << 32) | np.int64(second)
            slot = _slot_of(keys, key)
            if keys[slot] == -1:
                if 2 * (used + 1) > keys.shape[0]:
                    return place, used
                keys[slot] = key
                used += 1
            counts[slot] += 1
        place += 1
    return numbers.shape[0], used


@kernel
def move_pairs(keys, counts, new_keys, new_counts):  # pragma: no cover
    """The same pairs in a larger table."""
    for slot in range(keys.shape[0]):
        if keys[slot] != -1:
            place = _slot_of(new_keys, keys[slot])
            new_keys[place], new_counts[place] = keys[slot], counts[slot]


@kernel
def join_pairs(numbers, keys, joined):  # pragma: no cover
    """Neighbours that are a phrase become its number, from the left, in place; how many are left.

    joined: the phrase's number at the pair's slot, -1 where the pair is none.
    """
    kept = place = 0
    while place < numbers.shape[0]:
        first = numbers[place]
        second = numbers[place + 1] if place + 1 < numbers.shape[0] else -1
        taken = 1
        if first >= 0 and second >= 0:
            slot = _slot_of(keys, (np.int64(first) << 32) | np.int64(second))
            if keys[slot] != -1 and joined[slot] >= 0:
                first, taken = joined[slot], 2
        numbers[kept] = first
        kept += 1
        place += taken
    return kept
