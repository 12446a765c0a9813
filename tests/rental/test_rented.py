"""`rented()` releases its machine, whoever interrupts or cancels what, and when.

Blocks are kept by a name here: where nothing refers to one, Python's own collection
closes what it had entered.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("uvicorn", reason="the extra 'simulator' is not installed")

import advisor
from advisor.base.interrupts import deferred
from advisor.simulator.local import LocalContainers
from tests.rental.conftest import KEY, Gateway, wait_for

if TYPE_CHECKING:
    import httpx

if missing := LocalContainers.missing():
    pytest.skip(missing, allow_module_level=True)


@pytest.fixture
def street(inhabited: Any) -> Any:
    """Return a calm market whose machines are there."""
    return inhabited


@pytest.fixture
def traced() -> Iterator[Callable[[Any], None]]:
    """Return what sets the trace of this thread, until the test ends."""
    before = sys.gettrace()
    yield sys.settrace
    sys.settrace(before)


def rented(street: Any, gateway: Any = None) -> Any:
    return advisor.rented(
        "resnet50",
        epochs=2,
        settings={"dataset_gb": 1},
        budget_usd=20.0,
        context=street.context(gateway=gateway),
    )


def is_alone() -> bool:
    """Say whether nothing that was begun for a machine goes on."""
    names = {"rented", "heartbeat", "lease", "lifetime"}
    return not any(one.name in names for one in threading.enumerate())


async def cancel_twice(task: asyncio.Task[None]) -> None:
    """Cancel a task, and once more while it takes its time."""
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0.1)
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.slow
def test_a_task_that_is_cancelled_twice_while_it_rents_leaves_nothing(
    street: Any,
) -> None:
    """A task group that fails and a timeout do so, and Ctrl-C twice."""
    asked, goes_on = threading.Event(), threading.Event()

    def slow(_request: httpx.Request, send: Callable[[], Any]) -> httpx.Response:
        asked.set()
        goes_on.wait(20.0)
        response: httpx.Response = send()
        return response

    block = rented(street, Gateway("PUT", "/asks/", slow, times=1))

    async def rent() -> None:
        async with block:
            pytest.fail("it was cancelled before")

    async def main() -> None:
        task = asyncio.create_task(rent())
        while not asked.is_set():
            await asyncio.sleep(0.01)
        await cancel_twice(task)
        threading.Timer(0.5, goes_on.set).start()

    asyncio.run(main())
    wait_for(lambda: bool(street.entries()) and street.entries()[0].state == "released")
    wait_for(is_alone)
    assert street.instances() == []


def test_a_task_that_is_cancelled_twice_while_it_releases_leaves_nothing(
    street: Any,
) -> None:
    """Also where the event loop's own threads are all taken, and it ends."""
    inside, over = threading.Event(), threading.Event()

    block = rented(street)

    async def rent() -> None:
        async with block:
            loop = asyncio.get_running_loop()
            loop.set_default_executor(ThreadPoolExecutor(1))
            loop.run_in_executor(None, over.wait, 20.0)
            inside.set()
            await asyncio.sleep(0.01)

    async def main() -> None:
        task = asyncio.create_task(rent())
        while not inside.is_set():
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        await cancel_twice(task)
        threading.Timer(0.5, over.set).start()

    asyncio.run(main())
    wait_for(lambda: not street.instances())
    wait_for(is_alone)
    assert [one.state for one in street.entries()] == ["released"]


def test_ctrl_c_on_the_way_out_releases_the_machine(
    street: Any, traced: Callable[[Any], None]
) -> None:
    """At once, though it comes before signals are deferred."""
    block = rented(street)
    struck: list[int] = []
    defer = deferred.__enter__.__code__

    def strike(frame: FrameType, kind: str, _argument: Any) -> Any:
        if frame.f_code is defer and kind == "line" and not struck:
            struck.append(frame.f_lineno)
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
        return strike

    def train() -> None:
        with block:
            assert len(street.instances()) == 1
            traced(strike)

    with pytest.raises(KeyboardInterrupt):
        train()
    traced(None)
    assert struck
    assert street.instances() == []
    assert is_alone()


EXIT = """
import os, signal, sys, time
from datetime import UTC, datetime
from pathlib import Path
import advisor
from advisor.app.context import Context
from advisor.base.clock import Clock

url, home, key, tests = sys.argv[1], Path(sys.argv[2]), *sys.argv[3:]
sys.path.append(tests)
from signaled import MarketTime
market = MarketTime(url)
context = Context(
    variables={"VAST_URL": url, "VAST_API_KEY": key, "ADVISOR_DATA_DIR": str(home)},
    home=home, folder=home,
    clock=Clock(now=market.now, monotonic=market.monotonic, sleep=market.sleep),
)
block = advisor.rented(
    "resnet50", epochs=2, settings={"dataset_gb": 1}, budget_usd=20.0, context=context
)

def strike(frame, kind, argument):
    if frame.f_code is advisor.rented.__exit__.__code__:
        sys.settrace(None)
        print("struck", flush=True)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)

signal.signal(signal.SIGINT, signal.default_int_handler)
with block:
    sys.settrace(strike)
"""


@pytest.mark.slow
def test_ctrl_c_before_the_way_out_releases_the_machine_when_the_program_ends(
    street: Any,
) -> None:
    """Python calls nothing of ours before that."""
    words = [sys.executable, "-c", EXIT, street.url, str(street.folder), KEY]
    words.append(str(Path(__file__).parent))
    done = subprocess.run(words, capture_output=True, check=False, text=True)
    assert done.stdout == "struck\n", done.stderr
    assert "KeyboardInterrupt" in done.stderr
    assert street.instances() == []
