"""A machine of a fleet: rented or picked up, made ready, connected, given back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="the extra 'simulator' is not installed")
pytest.importorskip("distributed", reason="the extra 'fleet' is not installed")

from advisor.app.plan import plan
from advisor.app.rent import RentSpec
from advisor.base.errors import (
    NotShownError,
    OverBudgetError,
    UnreachableError,
    UsageError,
)
from advisor.fleet.member import Member
from advisor.fleet.scheduler import FleetScheduler, SchedulerDoor
from advisor.fleet.shared import Fleet, slots_of
from advisor.rental.presence import MachineLostError
from advisor.simulator.faults import Fault
from tests.fleet.conftest import NAME, TRAINED, MakeRig, Rig


@pytest.fixture
def rig(make_rig: MakeRig) -> Rig:
    """Return a sweep of two jobs."""
    return make_rig("true", range(2))


def fleet_of(rig: Rig, scheduler: FleetScheduler, key_file: Path) -> Fleet:
    return Fleet(rig.context, rig.rental, key_file, scheduler.door, lease_s=3600.0)


@contextmanager
def rented(rig: Rig, scheduler: FleetScheduler, **more: object) -> Iterator[Member]:
    """Yield a machine; give it back in the end, unless that was done."""
    spec = RentSpec(job=TRAINED, name=NAME, lease_s=3600.0, verify=False, **more)  # type: ignore[arg-type]
    planned = plan(rig.context, spec, wait_for_ssh=True)
    member = Member.rented(fleet_of(rig, scheduler, planned.key_file), planned)
    try:
        yield member
    finally:
        if rig.street.instances():
            member.release("the test is over")


@pytest.mark.parametrize(
    ("num_gpus", "gpus", "slots"),
    [
        (4, 1, ((0,), (1,), (2,), (3,))),
        (4, 2, ((0, 1), (2, 3))),
        (3, 2, ((0, 1),)),
        (2, 0, ((0, 1),)),
        (1, 2, ((),)),
    ],
)
def test_a_machine_has_a_slot_for_each_group_of_gpus(
    num_gpus: int, gpus: int, slots: tuple[tuple[int, ...], ...]
) -> None:
    """No GPU is in two of them; one that has too few runs one job all the same."""
    assert slots_of(num_gpus, gpus) == slots


def test_its_workers_join_and_it_is_given_back(
    rig: Rig, scheduler: FleetScheduler
) -> None:
    """It is the launcher's until it is claimed; its end is the market's word."""
    with rented(rig, scheduler) as member:
        assert [one.state for one in rig.street.entries()] == ["held"]
        with pytest.raises(UsageError, match="made ready"):
            member.connect()
        member.prepare()
        member.connect()
        assert scheduler.door.joined(member.worker_names)
        member.claim()
        assert [one.state for one in rig.street.entries()] == ["working"]
        assert member.ssh.run("true").code == 0
        member.release("its work is done")
        assert rig.street.instances() == []
        assert [one.state for one in rig.street.entries()] == ["released"]
        assert member.worker_names == ()


@pytest.mark.slow
def test_who_picks_it_up_connects_it_anew(rig: Rig, scheduler: FleetScheduler) -> None:
    """Nothing is sent again; whoever holds it is its only launcher."""
    with rented(rig, scheduler) as member:
        member.prepare()
        member.claim()
        member.leave()
        entry = rig.street.entries()[0]
        again = Member.picked_up(member.fleet, entry)
        again.prepare()
        assert again.python is not None
        assert again.python.sent_bytes == 0
        again.connect()
        assert scheduler.door.joined(again.worker_names)
        again.release("its work is done")


@pytest.mark.slow
def test_it_is_connected_again_where_a_restart_has_given_it_another_port(
    rig: Rig, scheduler: FleetScheduler
) -> None:
    """The market shows it there: nobody gives it up."""
    street = rig.street
    with rented(rig, scheduler) as member:
        member.prepare()
        member.connect()
        before = member.ssh.endpoint
        with street.world.looked_at():
            (contract,) = street.world.rentals.contracts.values()
            street.world.rentals.reboot(contract)
        street.sleep(61.0)
        assert street.world.settle()
        assert not member.ssh.answers()
        for _ in range(3):  # whoever calls has a turn every few seconds
            member.tell_unreached(UnreachableError("no ssh"))
        assert sum("no ssh; trying again" in one for one in rig.lines) == 1
        member.look()
        assert member.ssh.endpoint != before
        member.connect()
        assert scheduler.door.joined(member.worker_names)
        assert member.ssh.run("true").code == 0


@pytest.mark.slow
def test_one_that_is_not_shown_is_no_reason_to_wait_at_the_end(
    rig: Rig, scheduler: FleetScheduler
) -> None:
    """It is given back all the same: whoever is interrupted waits for no lease."""
    street = rig.street
    with rented(rig, scheduler) as member:
        street.world.set_faults(
            Fault("hidden", "stale", operations=("show",), after=True, seconds=1e9)
        )
        street.sleep(301.0)
        with pytest.raises(NotShownError):
            member.look()
        street.sleep(61.0)
        member.look_at_last()
        street.world.set_faults()


class Stuck:
    """A scheduler's door that lets nobody go, as after a bug in it."""

    def __init__(self, door: SchedulerDoor) -> None:
        self._door, self.is_stuck = door, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._door, name)

    def dismiss(self, names: Sequence[str]) -> None:
        if not self.is_stuck:
            self._door.dismiss(names)
            return
        message = "the scheduler does not answer"
        raise TimeoutError(message)


@pytest.mark.slow
def test_it_is_given_back_although_its_workers_cannot_be_ended(
    rig: Rig, scheduler: FleetScheduler
) -> None:
    """Whatever does not work there: the machine bills."""
    stuck: Any = SimpleNamespace(door=Stuck(scheduler.door))
    with rented(rig, stuck) as member:
        member.prepare()
        member.connect()
        stuck.door.is_stuck = True
        member.release("its work is done")
        assert rig.street.instances() == []
        assert not member.is_connected


@pytest.mark.slow
def test_one_that_does_not_run_any_more_is_not_picked_up(
    rig: Rig, scheduler: FleetScheduler
) -> None:
    """It is released: another one is to be rented."""
    with rented(rig, scheduler) as member:
        member.claim()
        member.leave()
        street = rig.street
        (one,) = street.instances()
        with street.world.looked_at():
            contract = street.world.rentals.contracts[one["id"]]
            street.world.rentals.fail(contract, "the machine died")
        with pytest.raises(MachineLostError):
            Member.picked_up(member.fleet, street.entries()[0])
        assert street.instances() == []


def test_what_cannot_be_had_leaves_nothing(rig: Rig, scheduler: FleetScheduler) -> None:
    """Nothing is written down where no offer is cheap enough."""
    spec = RentSpec(job=TRAINED, name=NAME, lease_s=3600.0, max_epoch_usd=1e-9)
    planned = plan(rig.context, spec, wait_for_ssh=True)
    fleet = fleet_of(rig, scheduler, planned.key_file)
    with pytest.raises(OverBudgetError):
        Member.rented(fleet, planned)
    assert rig.street.entries() == []


def test_a_machine_that_hears_nothing_has_ended_its_jobs_after_its_lease(
    rig: Rig, scheduler: FleetScheduler
) -> None:
    """Not before: the lease, and what a sign of life under way may take, count."""
    with rented(rig, scheduler) as member:
        assert not member.has_lapsed
        member.hush()
        rig.street.sleep(3600.0)
        assert not member.has_lapsed
        rig.street.sleep(301.0)
        assert member.has_lapsed
