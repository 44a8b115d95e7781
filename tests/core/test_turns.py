"""One at a time, for threads and for code on an event loop."""

from __future__ import annotations

import asyncio
import threading

import pytest

from chroma_plugin import greenlets, waiting
from chroma_plugin.sessions.turns import Turns


def test_threads_come_one_at_a_time_and_may_enter_again() -> None:
    """No two threads are inside together; one that is inside gets in again."""
    turns, inside, most = Turns(), 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(200):
            with turns, turns:
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (inside, most) == (0, 1)


async def test_tasks_and_threads_share_the_turns() -> None:
    """Code on the loop that waits for its turn lets the loop go on, and comes in the order of asking."""
    turns, order = Turns(), []

    def work(number: int) -> None:
        with turns:
            waiting.wait(asyncio.sleep(0))
            order.append(number)

    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with turns:
            entered.set()
            leave.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    await asyncio.to_thread(entered.wait)
    tasks = [asyncio.create_task(greenlets.run(work, number)) for number in range(10)]
    await asyncio.sleep(0.01)
    assert order == []
    tasks[3].cancel()
    leave.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    thread.join()

    assert order == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    with turns:
        assert waiting.current() is None


async def test_an_error_leaves_the_turn_to_the_next() -> None:
    """Whatever ends the block, the next one gets in."""
    turns = Turns()

    def fail() -> None:
        with turns:
            waiting.wait(asyncio.sleep(0))
            raise KeyError

    for _ in range(3):
        with pytest.raises(KeyError):
            await greenlets.run(fail)
    with turns:
        pass
