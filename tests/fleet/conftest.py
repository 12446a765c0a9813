"""Sweeps on a simulated market whose machines really run, with real ssh and real Dask."""

from __future__ import annotations

import os
import subprocess
import sys
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
from advisor.fleet.scheduler import FleetScheduler, open_scheduler
from advisor.fleet.shared import Fleet
from advisor.fleet.tasks import submitter
from advisor.rental.context import RentalContext
from advisor.rental.remote.ssh import ensure_key
from advisor.store.ledger import Entry
from advisor.store.sweeps import SweepStore
from tests.fleet.furnished import FurnishedBefore, image_in
from tests.rental.conftest import (  # noqa: F401  (fixtures)
    KEY,
    Street,
    inhabited,
    make_street,
    project,
    wait_for,
)

TRAINED = JobSpec("resnet50", epochs=2, settings=(("dataset_gb", 1),))
NAME = "sweep"
SHORTEST_WAIT_S = 0.02


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FurnishedBefore]:
    """Return what plays the machines of a market here: Dask is brought to one of them."""
    image_in(tmp_path / "image")
    monkeypatch.setenv("PATH", f"{tmp_path / 'image'}:{os.environ['PATH']}")
    made = FurnishedBefore(tmp_path / "machines")
    yield made
    made.close()


def real_time(context: Context, moment_s: float = SHORTEST_WAIT_S) -> Context:
    """Return a context whose waits pass on the market at once, and take a moment here."""
    clock = context.clock

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        time.sleep(min(seconds, moment_s))

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


SWEEP = """\
name = "sweep"
command = "sh {script} {{value}}"
verify = false
{more}
[job]
workload = "resnet50"
epochs = 2
settings = {{ dataset_gb = 1 }}
[grid]
value = {values}
"""

JOB = """\
value=$1 place=@PLACE@
exec 8>>$place/$value.lock
flock -n 8 || echo $value >>$place/overlaps
echo $(hostname) >>$place/$value.starts
@SCRIPT@
mkdir -p "$ADVISOR_RESULTS" && echo $value >>"$ADVISOR_RESULTS/out"
echo $value >>$place/ends
"""


@dataclass
class Begun:
    """A launcher that is a process of its own.

    Attributes
    ----------
    said : file of what it says
    """

    process: subprocess.Popen[bytes]
    said: Path

    @property
    def text(self) -> str:
        """What it has said so far."""
        return self.said.read_text()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.process.pid, number)

    def end(self, within_s: float = 180.0) -> int:
        """Wait for its end; return its exit code."""
        code = self.process.wait(within_s)
        assert "Traceback" not in self.text, self.text
        return code


@dataclass
class Sweeps:
    """Sweeps of shell scripts, whose launchers are processes of their own.

    Attributes
    ----------
    place : folder in which the jobs note what they do, on whatever machine
    """

    street: Street
    project: Path
    place: Path
    begun: list[Begun] = field(default_factory=list)

    def write(self, script: str, values: Sequence[int], more: str = "") -> None:
        """Write the file of a sweep, and the script of its jobs."""
        body = JOB.replace("@PLACE@", str(self.place)).replace("@SCRIPT@", script)
        (self.project / "job.sh").write_text(body)
        text = SWEEP.format(script="job.sh", values=list(values), more=more)
        (self.project / "sweep.toml").write_text(text)

    def launch(self, *words: str, **variables: str) -> Begun:
        """Begin a command of ``advisor sweep``."""
        home = self.street.folder / "here"
        home.mkdir(exist_ok=True)
        said = self.street.folder / f"said-{len(self.begun)}"
        script = Path(__file__).with_name("launcher.py")
        line = [sys.executable, str(script), self.street.url, KEY]
        with said.open("wb") as stream:
            process = subprocess.Popen(
                [*line, str(home), "sweep", *words],
                stdout=stream,
                stderr=stream,
                stdin=subprocess.DEVNULL,
                env={
                    **os.environ,
                    "PYTHONPATH": str(Path(__file__).parents[2]),
                    **variables,
                },
                start_new_session=True,
            )
        self.begun.append(Begun(process, said))
        return self.begun[-1]

    def run(self, *words: str, **variables: str) -> Begun:
        """Begin the sweep."""
        file = str(self.project / "sweep.toml")
        return self.launch("run", file, "--yes", *words, **variables)

    def wait_for_job(self, begun: Begun, values: Sequence[int]) -> None:
        """Wait until a job has begun; fail if the launcher ends before that."""

        def has_begun() -> bool:
            assert begun.process.poll() is None, begun.text
            return any(self.starts(one) for one in values)

        wait_for(has_begun, 90.0)

    def starts(self, value: int) -> int:
        """Return how often a job has begun."""
        file = self.place / f"{value}.starts"
        return len(file.read_text().splitlines()) if file.exists() else 0

    def check(self, values: Sequence[int]) -> None:
        """Fail unless each result is here once, and no machine is."""
        assert not (self.place / "overlaps").exists(), "a job ran twice at a time"
        for value in values:
            out = self.project / "results" / f"value-{value}" / "out"
            assert out.read_text() == f"{value}\n"
        assert self.street.instances() == []
        assert {one.state for one in self.street.entries()} <= {"released", "refused"}


@pytest.fixture
def sweeps(inhabited: Street, project: Path) -> Iterator[Sweeps]:  # noqa: F811
    """Yield sweeps whose launchers are ended with the test."""
    place = inhabited.folder / "noted"
    place.mkdir()
    made = Sweeps(inhabited, project, place)
    yield made
    for one in made.begun:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()
