"""Questions of many threads that are answered together."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from chroma_plugin.toolkit import together
from chroma_plugin.toolkit.together import Together

SECONDS = 30


class Desk:
    """Answers with twice the number, small ones when it is let; refuses negative ones."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.open = threading.Event()
        self.together: Together[int, int] = Together(self.answer)
        self._pool = ThreadPoolExecutor(40)

    def answer(self, questions: Sequence[int]) -> list[int]:
        self.asked.append(list(questions))
        assert max(questions) >= 100 or self.open.wait(SECONDS)
        if min(questions) < 0:
            raise ValueError(f"{min(questions)} is negative")
        return [2 * question for question in questions]

    def ask(self, question: int, kind: str = "any") -> Future[int]:
        return self._pool.submit(self.together.ask, question, kind)

    def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(SECONDS * 1_000):
            if condition():
                return
            threading.Event().wait(0.001)
        raise TimeoutError

    def with_two_at_work(self) -> list[Future[int]]:
        at_work = [self.ask(question) for question in (1, 2)]
        self.until(lambda: len(self.asked) == 2)
        return at_work

    def wait_for_waiting(self, count: int) -> None:
        self.until(lambda: len(self.together._waiting) == count)

    def interrupt_when_waiting(self, count: int) -> None:
        self.wait_for_waiting(count)
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, signal.SIGINT)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_who_waits_is_answered_together_with_others(desk: Desk) -> None:
    at_work = desk.with_two_at_work()
    waiting = [desk.ask(question) for question in range(3, 20)]
    desk.wait_for_waiting(17)

    desk.open.set()

    assert [future.result(SECONDS) for future in at_work + waiting] == [2 * question for question in range(1, 20)]
    assert sorted(map(len, desk.asked)) == [1, 1, 17]


def test_only_questions_of_one_kind_are_asked_together(desk: Desk) -> None:
    desk.with_two_at_work()
    waiting = [desk.ask(question, kind="even" if question % 2 == 0 else "odd") for question in range(10, 20)]
    desk.wait_for_waiting(10)

    desk.open.set()

    assert [future.result(SECONDS) for future in waiting] == [2 * question for question in range(10, 20)]
    assert sorted(sorted(asked) for asked in desk.asked[2:]) == [[10, 12, 14, 16, 18], [11, 13, 15, 17, 19]]


def test_a_question_that_fails_fails_for_no_one_else(desk: Desk) -> None:
    desk.with_two_at_work()
    waiting = {question: desk.ask(question) for question in (3, -4, 5)}
    desk.wait_for_waiting(3)

    desk.open.set()

    assert (waiting[3].result(SECONDS), waiting[5].result(SECONDS)) == (6, 10)
    with pytest.raises(ValueError, match="-4 is negative"):
        waiting[-4].result(SECONDS)
    assert desk.ask(7).result(SECONDS) == 14, "the places are free again"


def test_a_question_that_fails_alone_leaves_its_place(desk: Desk) -> None:
    desk.open.set()

    for _ in range(5):
        with pytest.raises(ValueError, match="negative"):
            desk.ask(-1).result(SECONDS)

    assert desk.ask(7).result(SECONDS) == 14


def test_who_is_interrupted_while_waiting_keeps_nobody_waiting(desk: Desk) -> None:
    """By Ctrl-C."""
    desk.with_two_at_work()
    others = desk.ask(4), desk.ask(5)
    interrupt = threading.Thread(target=desk.interrupt_when_waiting, args=(3,))
    interrupt.start()

    with pytest.raises(KeyboardInterrupt):
        desk.together.ask(3, "any")

    desk.open.set()
    assert [future.result(SECONDS) for future in others] == [8, 10]
    assert desk.ask(7).result(SECONDS) == 14, "the places are free again"
    interrupt.join()


def test_who_has_waited_long_goes_alone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when those at work were interrupted and have left nobody their place."""
    monkeypatch.setattr(together, "_PATIENCE", 0.01)
    desk.with_two_at_work()

    assert desk.ask(100).result(SECONDS) == 200
