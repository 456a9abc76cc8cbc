"""Make the sample of translations anew: ``python -m shinso.data.samples.regenerate_dates``.

Sentences about what happens when, in English and Japanese, put together by rule: the two languages
put date, time, place and deed in different orders, so that a translator must move them.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np

from shinso.data.samples.regenerate import write

SEED = 20240101
NUM_PAIRS = 600
FIRST_DAY, NUM_DAYS = date(1950, 1, 1), 36_500
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
DAYS_JA = "月火水木金土日"
WHO = {
    "the museum": "博物館", "the library": "図書館", "the school": "学校", "the bank": "銀行",
    "the shop": "店", "the station": "駅", "the park": "公園", "the hotel": "ホテル",
}  # fmt: skip
OPENS = {"opens": "開きます", "closes": "閉まります", "is crowded": "混みます"}
PEOPLE = {
    "my sister": "姉", "my brother": "兄", "the teacher": "先生", "my friend": "友達",
    "the doctor": "医者", "my mother": "母",
}  # fmt: skip
DEEDS = {
    "buys {} apples": "リンゴを{}個買います", "reads {} books": "本を{}冊読みます",
    "writes {} letters": "手紙を{}通書きます", "sees {} films": "映画を{}本見ます",
}  # fmt: skip
PLACES = {"in Tokyo": "東京", "in Kyoto": "京都", "in London": "ロンドン", "at home": "家"}
NUMBERS = ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


def pair(rng: np.random.Generator) -> tuple[str, str]:
    """An English sentence and its Japanese translation."""

    def one(of: dict[str, str]) -> tuple[str, str]:
        return list(of.items())[int(rng.integers(len(of)))]

    day = FIRST_DAY + timedelta(days=int(rng.integers(NUM_DAYS)))
    when, when_ja = f"on {day.day} {MONTHS[day.month - 1]}", f"{day.month}月{day.day}日"
    if rng.random() < 0.6:
        when, when_ja = f"{when} {day.year}", f"{day.year}年{when_ja}"
    if rng.random() < 0.4:
        when = when.replace("on ", f"on {DAYS[day.weekday()]}, ", 1)
        when_ja += f"{DAYS_JA[day.weekday()]}曜日"
    hour, half = int(rng.integers(1, 13)), rng.random() < 0.5
    clock = f"at half past {hour}" if half else f"at {hour} o'clock"
    clock_ja = f"{hour}時{'半' if half else ''}に"
    if rng.random() < 0.5:
        (who, who_ja), (deed, deed_ja) = one(WHO), one(OPENS)
        return (
            f"{who.capitalize()} {deed} {clock} {when}.",
            f"{when_ja}、{who_ja}は{clock_ja}{deed_ja}。",
        )
    (who, who_ja), (deed, deed_ja), (place, place_ja) = one(PEOPLE), one(DEEDS), one(PLACES)
    number = int(rng.integers(len(NUMBERS)))
    deed, deed_ja = deed.format(NUMBERS[number]), deed_ja.format(number + 2)
    if rng.random() < 0.5:
        return (
            f"{who.capitalize()} {deed} {place} {when}.",
            f"{who_ja}は{when_ja}に{place_ja}で{deed_ja}。",
        )
    return (
        f"{when[0].upper()}{when[1:]}, {who} {deed} {place} {clock}.",
        f"{when_ja}の{clock_ja}{who_ja}は{place_ja}で{deed_ja}。",
    )


def dates(seed: int = SEED, pairs: int = NUM_PAIRS) -> str:
    """So many different pairs as TSV, English first."""
    rng = np.random.default_rng(seed)
    found: dict[tuple[str, str], None] = {}
    while len(found) < pairs:
        found[pair(rng)] = None
    return "".join(f"{english}\t{japanese}\n" for english, japanese in found)


if __name__ == "__main__":
    write(Path(__file__).parent / "dates.en-ja.tsv", dates())
