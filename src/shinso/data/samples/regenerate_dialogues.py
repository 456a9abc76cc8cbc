"""Make ``dialogues.jsonl.gz`` anew: ``python -m shinso.data.samples.regenerate_dialogues``.

Four hundred short talks at a counter, put together by chance from phrases: an answer late in a talk
repeats what was ordered early, and many turns could have been put in several ways. Generated, not
recorded.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np

SEED, TALKS = 20240103, 400
THINGS = (
    "a black coffee", "two tickets to the coast", "a green umbrella", "the red bicycle",
    "a room for one night", "three oranges", "a book about stars", "a pair of boots",
    "some fresh bread", "a map of the old town",
)  # fmt: skip
GREETINGS = ("good morning .", "hello , what can i do for you ?", "hi there .", "welcome .")
ORDERS = (
    "i would like {} , please .",
    "could i have {} ?",
    "i am looking for {} .",
    "{} , please .",
)
ASKED = ("for today ?", "when do you need it ?", "is it a present ?", "shall i wrap it ?")
TIMES = ("yes , please .", "today would be best .", "tomorrow is fine .", "no , it is for me .")
WAITS = ("one moment .", "let me have a look .", "i will see what we have .", "just a second .")
THANKS = ("thank you .", "no hurry .", "i can wait .", "of course .")
READY = ("here is {} .", "so , {} for you .", "we do have {} .", "{} it is .")
ENDS = ("wonderful , goodbye .", "perfect , thank you .", "great .", "have a nice day .")


def talk(rng: np.random.Generator) -> list[str]:
    """Four to eight turns, customer and clerk in turn."""
    thing = THINGS[rng.integers(len(THINGS))]

    def one(phrases: tuple[str, ...]) -> str:
        return phrases[rng.integers(len(phrases))].format(thing)

    turns = [one(GREETINGS), one(ORDERS)]
    if rng.random() < 0.6:
        turns += [one(ASKED), one(TIMES)]
    if rng.random() < 0.6:
        turns += [one(WAITS), one(THANKS)]
    return [*turns, one(READY), one(ENDS)]


def dialogues() -> bytes:
    """All talks, a line each; the same call gives the same bytes."""
    rng = np.random.default_rng(SEED)
    lines = (json.dumps({"turns": talk(rng)}) + "\n" for _ in range(TALKS))
    return gzip.compress("".join(lines).encode(), 9, mtime=0)


if __name__ == "__main__":
    (Path(__file__).parent / "dialogues.jsonl.gz").write_bytes(dialogues())
