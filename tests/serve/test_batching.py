"""Passes that gather what waits, without losing or mixing anything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest

from shinso import language
from shinso.serve.batching import Batcher, QueueFull, Stopped
from shinso.serve.guard import UNTIL, Guard
from shinso.serve.numbers import Numbers


def squares(questions: Sequence[int]) -> list[Any]:
    time.sleep(0.01)
    return [ValueError("odd one") if one == 13 else one * one for one in questions]


def with_batcher(work: Any, **more: Any) -> Any:
    sizes: list[int] = []

    async def run() -> Any:
        given = {"max_batch": 8, "max_wait_ms": 1.0, "max_queue": 100, **more}
        batcher = Batcher(squares, on_batch=lambda size, _s: sizes.append(size), **given)
        batcher.start()
        try:
            return await work(batcher)
        finally:
            await batcher.stop()

    return asyncio.run(run()), sizes


def test_what_comes_together_is_answered_together() -> None:
    async def work(batcher: Batcher) -> Any:
        return await asyncio.gather(*(batcher.ask(n) for n in range(12)))

    answers, sizes = with_batcher(work)
    assert answers == [n * n for n in range(12)]
    assert max(sizes) == 8
    assert sum(sizes) == 12


def test_a_bad_question_costs_no_other_its_answer() -> None:
    async def work(batcher: Batcher) -> Any:
        return await asyncio.gather(*(batcher.ask(n) for n in (12, 13, 14)), return_exceptions=True)

    (first, second, third), _ = with_batcher(work)
    assert (first, third) == (144, 196)
    assert isinstance(second, ValueError)


def test_what_goes_wrong_in_a_pass_is_told_to_all_and_the_next_pass_works() -> None:
    async def work(batcher: Batcher) -> Any:
        broken = await asyncio.gather(*(batcher.ask("x") for _ in range(2)), return_exceptions=True)
        return broken, await batcher.ask(3)

    (broken, fine), _ = with_batcher(work)
    assert all(isinstance(one, TypeError) for one in broken)
    assert fine == 9


def test_a_full_queue_turns_away_and_gone_clients_take_no_place() -> None:
    async def work(batcher: Batcher) -> Any:
        tasks = [asyncio.ensure_future(batcher.ask(n)) for n in range(4)]
        await asyncio.sleep(0)
        with pytest.raises(QueueFull):
            await batcher.ask(9)
        tasks[2].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    found, sizes = with_batcher(work, max_queue=4)
    assert [found[place] for place in (0, 1, 3)] == [0, 1, 9]
    assert isinstance(found[2], asyncio.CancelledError)
    assert sum(sizes) == 3


def test_a_question_that_is_given_up_makes_room_at_once() -> None:
    async def work(batcher: Batcher) -> Any:
        first = asyncio.ensure_future(batcher.ask(2))
        await asyncio.sleep(0.005)  # its pass runs, and the next ones wait for its end
        waiting = [asyncio.ensure_future(batcher.ask(n)) for n in (3, 4)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
        return await asyncio.gather(first, waiting[1], batcher.ask(5))

    found, sizes = with_batcher(work, max_queue=2)
    assert found == [4, 16, 25]
    assert sum(sizes) == 3


def test_stopping_answers_what_waits_and_takes_no_more() -> None:
    async def run() -> Any:
        batcher = Batcher(squares, max_batch=2, max_wait_ms=1, max_queue=50)
        batcher.start()
        tasks = [asyncio.ensure_future(batcher.ask(n)) for n in range(7)]
        await asyncio.sleep(0)
        await batcher.stop()
        with pytest.raises(Stopped):
            await batcher.ask(1)
        return await asyncio.gather(*tasks)

    assert asyncio.run(run()) == [n * n for n in range(7)]


def test_a_body_that_dawdles_is_given_up() -> None:
    said: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("must not be reached")

    async def run() -> None:
        async def receive() -> Any:
            await asyncio.sleep(5)

        async def send(message: Any) -> None:
            said.append(message)

        scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
        await Guard(app, max_body_bytes=9, timeout_s=0.05)(scope, receive, send)

    asyncio.run(run())
    assert said[0]["status"] == 408


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("[::1]", 200), ("[::1]:8000", 200), ("localhost", 200), ("LocalHost:80", 200),
        ("attacker.example", 421), ("[::2]", 421), ("::1", 421), ("", 421),
        ("localhost:80.attacker.example", 421),
    ],
)  # fmt: skip
def test_a_server_goes_by_its_names_with_or_without_a_port(host: str, status: int) -> None:
    said: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})

    async def send(message: Any) -> None:
        said.append(message)

    async def receive() -> Any:
        raise AssertionError("nothing is to be read")

    guard = Guard(app, max_body_bytes=9, timeout_s=1, hosts=("localhost", "::1"))
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"host", host.encode())]}
    asyncio.run(guard(scope, receive, send))
    assert said[0]["status"] == status


def test_reading_and_answering_have_one_time_together() -> None:
    left: list[float] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        left.append(scope[UNTIL] - asyncio.get_running_loop().time())

    async def receive() -> Any:
        await asyncio.sleep(0.2)
        return {"type": "http.request", "body": b"{}"}

    async def send(message: Any) -> None:
        raise AssertionError("nothing is to be sent")

    scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
    asyncio.run(Guard(app, max_body_bytes=9, timeout_s=60)(scope, receive, send))
    assert left[0] <= 59.9


def test_a_question_is_answered_in_the_language_of_the_service() -> None:
    async def run() -> Any:
        def spoken(questions: Sequence[int]) -> list[str]:
            return [language.current() for _ in questions]

        batcher = Batcher(spoken, max_batch=8, max_wait_ms=1.0, max_queue=9)
        batcher.start()
        try:
            return [await batcher.ask(1)]
        finally:
            await batcher.stop()

    found = []
    for one in language.LANGUAGES:
        language.choose(one)
        try:
            found += asyncio.run(run())
        finally:
            language.choose(None)
    assert found == ["en", "ja"]


def test_histograms_count_as_prometheus_does() -> None:
    numbers = Numbers()
    for seconds in (0.001, 0.004, 99.0):
        numbers.request('a"b', 200, seconds)
    text = numbers.text({'a"b': 2})
    assert 'shinso_request_seconds_bucket{run="a\\"b",le="0.001"} 1' in text
    assert 'shinso_request_seconds_bucket{run="a\\"b",le="0.005"} 2' in text
    assert 'shinso_request_seconds_bucket{run="a\\"b",le="+Inf"} 3' in text
    assert 'shinso_queue{run="a\\"b"} 2' in text
