"""Sweeps on a simulated market whose machines really run, with real ssh and real Dask."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="the extra 'simulator' is not installed")
pytest.importorskip("distributed", reason="the extra 'fleet' is not installed")

from advisor.app.context import Context
from advisor.app.job import JobSpec
from advisor.app.listener import Listener
from advisor.app.plan import Plan, plan, rental_context_of
from advisor.app.rent import RentSpec
from advisor.app.sweep import SweepJob, SweepSpec, jobs_of
from advisor.base.clock import Clock
from advisor.fleet.board import Board
from advisor.fleet.controller import Controller, Share
from advisor.fleet.crew import Crew, Work
from advisor.fleet.events import Event
from advisor.fleet.folders import Folders
from advisor.fleet.member import Fleet
from advisor.fleet.scheduler import FleetScheduler, open_scheduler
from advisor.fleet.tasks import submitter
from advisor.rental.context import RentalContext
from advisor.rental.remote.ssh import ensure_key
from advisor.store.ledger import Entry
from advisor.store.sweeps import SweepStore
from tests.rental.conftest import (  # noqa: F401  (fixtures)
    Street,
    host,
    inhabited,
    make_street,
    project,
)

TRAINED = JobSpec("resnet50", epochs=2, settings=(("dataset_gb", 1),))
NAME = "sweep"
SHORTEST_WAIT_S = 0.02


def real_time(context: Context) -> Context:
    """Return a context whose waits pass on the market at once, and take a moment here."""
    clock = context.clock

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        time.sleep(min(seconds, SHORTEST_WAIT_S))

    return replace(context, clock=Clock(clock.now, clock.monotonic, sleep))


@dataclass
class Rig:
    """A sweep of shell scripts on a market.

    Attributes
    ----------
    told : what has happened
    """

    street: Street
    project: Path
    script: str
    values: Sequence[object]
    settings: dict[str, Any]
    told: list[Event] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        context = real_time(self.street.context())
        self.context = replace(context, notify=self.lines.append)

    @property
    def spec(self) -> SweepSpec:
        """What is asked for."""
        return SweepSpec(
            job=TRAINED,
            command=f"sh -c '{self.script}'",
            folder=str(self.project),
            grid=(("value", tuple(self.values)),),
            name=NAME,
            verify=False,
            **self.settings,
        )

    @property
    def jobs(self) -> tuple[SweepJob, ...]:
        """All jobs."""
        return jobs_of(self.spec)

    @property
    def store(self) -> SweepStore:
        """Where they are written down."""
        return SweepStore(self.context.data_folder)

    @property
    def rental(self) -> RentalContext:
        """Where machines are rented."""
        return rental_context_of(self.context, "vast")

    def share(self, *names: str) -> Share:
        """Return a new machine's share."""
        spec = self.spec
        rent = RentSpec(
            job=TRAINED,
            name=NAME,
            verify=False,
            lease_s=spec.lease_s,
            budget_usd=spec.budget_usd,
        )

        def rental() -> Plan:
            return plan(self.context, rent, wait_for_ssh=True, goes_on=True)

        return Share(names, None, rental=rental)

    def anew(self, _without: object, crews: Sequence[Crew]) -> list[Share]:
        """Return a machine for all jobs where none is left."""
        return [Share((), None, crew.key) for crew in crews] or [self.share()]

    @contextmanager
    def work(self) -> Iterator[Work]:
        """Yield what the machines share."""
        rental, spec = self.rental, self.spec
        folders = Folders(self.context, spec, self.jobs)
        names = {one.name for one in self.store.sweeps()}
        folders.check(Listener(), begins=NAME not in names)
        if NAME not in names:
            jobs = [one.name for one in self.jobs]
            self.store.begin(
                NAME, spec.to_document(), {}, jobs, rental.now(), market=rental.account
            )
        key_file, _ = ensure_key(self.context.ssh_folder)
        with open_scheduler(guarded=True) as scheduler:
            fleet = Fleet(
                self.context,
                rental,
                key_file,
                scheduler.door,
                spec.lease_s,
                gpus=spec.gpus,
                outgoing=folders.outgoing,
            )
            board = Board(self.store, NAME, self.jobs, spec.retries, rental.now)
            yield Work(
                fleet=fleet,
                board=board,
                submit=submitter(scheduler.client),
                folder=self.project,
                logs=self.project.parent / "logs",
                incoming=folders.incoming,
                saved=folders.saved,
                variables={"ADVISOR_SWEEP": NAME},
                resuming=f"advisor sweep resume {NAME}",
                told=self.told.append,
            )

    def run(self, machines: int = 1, entries: Sequence[Entry] = ()) -> Controller:
        """Carry it out on so many machines."""
        with self.work() as work:
            controller = Controller(work, self.anew)
            first = [self.share() for _ in range(machines)]
            controller.run(entries, (), first)
        return controller

    def result(self, job: str, name: str = "out") -> str:
        """Return what a job has written."""
        return (self.project / "results" / job / name).read_text()

    def events(self, name: str) -> list[Any]:
        """Return what has happened of one kind."""
        return [one for one in self.told if one.name == name]


MakeRig = Callable[..., Rig]


@pytest.fixture
def make_rig(inhabited: Street, project: Path) -> MakeRig:  # noqa: F811
    """Return a maker of sweeps of one shell script over values."""

    def make(script: str, values: Sequence[object], **settings: Any) -> Rig:
        return Rig(inhabited, project, script, values, settings)

    return make


@pytest.fixture
def scheduler() -> Iterator[FleetScheduler]:
    """Yield a guarded scheduler."""
    with open_scheduler(guarded=True) as opened:
        yield opened
