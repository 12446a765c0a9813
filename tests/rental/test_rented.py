"""`rented()` releases its machine, whoever interrupts or cancels what, and when."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("uvicorn", reason="the extra 'simulator' is not installed")

import advisor
from advisor.simulator.local import LocalContainers
from tests.rental.conftest import Gateway, wait_for

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
        budget=20.0,
        environment=street.environment(gateway=gateway),
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

    async def rent() -> None:
        async with rented(street, Gateway("PUT", "/asks/", slow, times=1)):
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

    async def rent() -> None:
        async with rented(street):
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


@pytest.mark.parametrize("event", ["call", "line"])
def test_ctrl_c_on_the_way_out_releases_the_machine(
    street: Any, traced: Callable[[Any], None], event: str
) -> None:
    """Before signals are deferred, be it before the first line of it all."""
    blocks = [rented(street)]
    struck: list[str] = []
    leave = advisor.rented.__exit__.__code__

    def strike(frame: FrameType, kind: str, _argument: Any) -> Any:
        if frame.f_code is not leave:
            return None
        if kind == event and not struck:
            struck.append(kind)
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
        return strike

    def train() -> None:
        with blocks.pop():
            assert len(street.instances()) == 1
            traced(strike)

    with pytest.raises(KeyboardInterrupt):
        train()
    traced(None)
    assert struck == [event]
    gc.collect()
    assert street.instances() == []
    assert is_alone()
