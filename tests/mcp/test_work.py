"""The work of a call goes on in a thread, asks, and ends with whoever waits for it."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from advisor.base.clock import Clock, interruptible
from advisor.base.errors import AdvisorError
from advisor.mcp import work as work_of
from advisor.mcp.untrusted import Guard
from advisor.mcp.wire import answered
from advisor.mcp.work import Done, Note, Question, Work

Script = Callable[[Work], Awaitable[None]]


def play(do: Callable[[Work], Any], script: Script, undo: Any = None) -> Work:
    """Begin a work, wait for it by a script, and for its thread."""
    made: list[Work] = []

    async def main() -> None:
        made.append(Work(do, undo))
        made[0].begin()
        await script(made[0])

    anyio.run(main)
    assert made[0].join(10.0)
    return made[0]


def test_what_happens_is_told_in_its_order() -> None:
    """Notes, a question with its answer, and the document."""

    def do(work: Work) -> Any:
        work.note("one")
        answer = work.ask("may I?", "Do it")
        work.note(str(answer))
        return {"answer": answer}

    async def script(work: Work) -> None:
        assert await work.next() == Note("one")
        question = await work.next()
        assert isinstance(question, Question)
        assert (question.text, question.verb) == ("may I?", "Do it")
        question.settle(answer=True)
        question.settle(answer=False)  # too late
        assert await work.next() == Note("True")
        assert await work.next() == Done({"answer": True}, None)

    play(do, script)


def test_who_cannot_be_asked_is_told_to_the_work() -> None:
    """The error that the question gets is raised there, and comes of the work."""
    error = AdvisorError("nobody is there")

    async def script(work: Work) -> None:
        question = await work.next()
        assert isinstance(question, Question)
        question.settle(error)
        assert await work.next() == Done(None, error)

    play(lambda work: work.ask("may I?", "Do it"), script)


def test_a_question_waits_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it is no yes, whatever is answered later."""
    monkeypatch.setattr(work_of, "ANSWER_S", 0.1)

    async def script(work: Work) -> None:
        question = await work.next()
        done = await work.next()
        assert isinstance(done, Done)
        assert "nobody answered" in str(done.error)
        assert isinstance(question, Question)
        question.settle(answer=True)
        assert question.answer.result() is False

    play(lambda work: work.ask("may I?", "Do it"), script)


@pytest.mark.parametrize("waits", ["for an answer", "by the clock", "not at all"])
def test_work_that_nobody_waits_for_ends(waits: str) -> None:
    """As by Ctrl-C, wherever it waits; what it has by then is undone."""
    began, undone = threading.Event(), list[Any]()
    clock = interruptible(Clock(sleep=lambda _: threading.Event().wait(0.01)))

    def do(work: Work) -> Any:
        began.set()
        if waits == "for an answer":
            work.ask("may I?", "Do it")
        elif waits == "by the clock":
            clock.sleep(1e6)
        else:
            left.wait(10.0)
        return {"has": 1}

    left = threading.Event()

    async def script(work: Work) -> None:
        await anyio.to_thread.run_sync(began.wait)
        work.leave()
        left.set()
        while not isinstance(done := await work.next(), Done):
            pass
        if waits == "not at all":
            assert done.document == {"has": 1}
        else:
            assert isinstance(done.error, KeyboardInterrupt)

    play(do, script, undone.append)
    assert undone == ([{"has": 1}] if waits == "not at all" else [])


@pytest.mark.parametrize("taken", [True, False])
def test_what_nobody_took_is_undone_afterwards(taken: bool) -> None:
    """A document that was handed on is its taker's; one that was not is undone, once."""
    undone: list[Any] = []

    async def script(work: Work) -> None:
        await work.next()
        if taken:
            work.taken()
        work.leave()
        work.leave()

    play(lambda _: {"has": 1}, script, undone.append)
    assert undone == ([] if taken else [{"has": 1}])


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (AdvisorError("no"), "failed"),
        (KeyboardInterrupt(), "interrupted"),
        (OSError(28, "No space left on device"), "system"),
        (ValueError("a slip of ours"), "internal"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_a_failure_is_told_by_its_code(
    error: BaseException, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the commands tell it; a fault of ours leaves its trace on stderr."""
    result = answered(Guard(["slip"]), None, error, [])
    assert result.is_error
    assert result.structured_content["error"]["code"] == code
    assert "slip" not in result.model_dump_json()
    assert ("ValueError" in capsys.readouterr().err) == (code == "internal")
