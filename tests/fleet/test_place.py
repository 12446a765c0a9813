"""A place of a cluster: its machine is given back, whatever else goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

pytest.importorskip("distributed", reason="the extra 'fleet' is not installed")

from advisor.base.errors import NothingFitsError, RemoteError
from advisor.fleet.member import Member
from advisor.fleet.place import TRIES, Place


@dataclass
class Machine:
    """A machine that is there at once; what `fails` names raises what it says."""

    fails: dict[str, Exception]
    name: str = "instance 5"
    is_connected: bool = True
    worker_names: tuple[str, ...] = ("five-0",)
    calls: list[str] = field(default_factory=list)

    def __getattr__(self, call: str) -> Any:
        def done(*_: object) -> None:
            self.calls.append(call)
            if call in self.fails:
                raise self.fails[call]

        return done


@dataclass
class Cluster:
    """The owner of one place."""

    fails: dict[str, Exception] = field(default_factory=dict)
    machines: list[Machine] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    may_bill: list[str] = field(default_factory=list)
    refusal: BaseException | None = None

    def rent(self) -> Member:
        self.machines.append(Machine(self.fails))
        return cast("Member", self.machines[-1])

    def notify(self, line: str) -> None:
        self.told.append(line)

    def joined(self) -> Collection[str]:
        return {"five-0"}

    def gave_up(self, place: Place, error: BaseException) -> None:
        self.refusal = error

    def left(self, words: str) -> None:
        self.may_bill.append(words)

    async def retire(self, workers: Collection[str]) -> None:
        if "retire" in self.fails:
            raise self.fails["retire"]


async def opened_and_closed(owner: Cluster) -> None:
    """Open a place, and close it once its worker is there."""
    place = await Place("tls://127.0.0.1:1", "machine-1", owner)
    async with asyncio.timeout(10.0):
        while not place.worker_names:
            await asyncio.sleep(0.01)
    await place.close()


def test_a_scheduler_that_fails_keeps_no_machine() -> None:
    """What a worker cannot hand on is computed anew; the machine bills."""
    owner = Cluster({"retire": OSError("the scheduler is gone")})
    with pytest.raises(OSError, match="scheduler"):
        asyncio.run(opened_and_closed(owner))
    (machine,) = owner.machines
    for _ in range(1000):
        if "release" in machine.calls:
            break
        asyncio.run(asyncio.sleep(0.01))
    assert "release" in machine.calls


@pytest.mark.parametrize(
    ("call", "error", "may_bill"),
    [
        ("disconnect", ValueError("a bug"), []),
        ("release", OSError("a bug"), ["instance 5 may still be there and bill: a bug"]),
    ],
)
def test_whatever_goes_wrong_at_the_end_is_no_silence(
    call: str, error: Exception, may_bill: list[str]
) -> None:
    """The machine is released all the same, or is told as one that may bill."""
    owner = Cluster({call: error})
    asyncio.run(opened_and_closed(owner))
    assert "release" in owner.machines[0].calls
    assert [line.partition("; run")[0] for line in owner.may_bill] == may_bill


def test_machines_that_run_no_worker_are_given_up_after_a_few() -> None:
    """Each is given back; of the last, the reason is told."""
    owner = Cluster({"prepare": RemoteError("its image has no Python")})

    async def opened() -> None:
        await Place("tls://127.0.0.1:1", "machine-1", owner)
        async with asyncio.timeout(10.0):
            while owner.refusal is None:
                await asyncio.sleep(0.01)

    asyncio.run(opened())
    assert isinstance(owner.refusal, NothingFitsError)
    assert "its image has no Python" in str(owner.refusal)
    assert len(owner.machines) == TRIES
    assert all("release" in one.calls for one in owner.machines)
