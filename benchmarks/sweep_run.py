"""A sweep on simulated machines, with real ssh and Dask: under kills, and its overhead.

``python benchmarks/sweep_run.py kills`` carries out 200 jobs of a second, while launchers
are killed (`SIGKILL`) and machines fail, at random. It tells whether each job's result is
here once, whether a job ran twice at a time, which machines are left, and what the
simulator has billed beside plan and budget.

``python benchmarks/sweep_run.py overhead`` carries out 1,000 jobs of a second without
kills: seconds per job beside the job itself, and the launcher's memory.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from advisor.simulator.clock import SimClock
from advisor.simulator.local import LocalContainers
from advisor.simulator.server import serve
from advisor.simulator.world import World
from advisor.store.ledger import Ledger

KEY = "test-key-0123456789abcdef"
LAUNCHER = Path(__file__).parents[1] / "tests" / "fleet" / "launcher.py"

_START = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
_LONGEST_S = 3600.0

_SWEEP = """\
name = "bench"
command = "sh job.sh {{value}}"
verify = false
retries = 0
gpus = 1
budget_usd = {budget}
deadline_h = {deadline}
max_machines = {machines}
[offers]
num_gpus = [1]
[job]
workload = "resnet50"
epochs = 1
settings = {{ dataset_gb = 1 }}
[grid]
value = {values}
"""

_JOB = """\
value=$1 place={place}
exec 8>>$place/$value.lock
flock -n 8 || echo $value >>$place/overlaps
echo begun >>$place/$value.starts
sleep {seconds}
mkdir -p "$ADVISOR_RESULTS" && echo $value >>"$ADVISOR_RESULTS/out"
"""


@dataclass
class Bench:
    """One sweep on one market.

    Attributes
    ----------
    world, url : the market
    folder : of all files
    jobs : how many
    """

    world: World
    url: str
    folder: Path
    jobs: int
    launches: int = 0
    killed: int = 0
    failed: int = 0
    _said: list[Path] = field(default_factory=list)

    def write(self, seconds: float, machines: int, deadline_h: float, usd: float) -> None:
        """Write what is asked for."""
        project, noted = self.folder / "project", self.folder / "noted"
        project.mkdir()
        noted.mkdir()
        (project / "job.sh").write_text(_JOB.format(place=noted, seconds=seconds))
        values = list(range(self.jobs))
        text = _SWEEP.format(
            budget=usd, deadline=deadline_h, machines=machines, values=values
        )
        (project / "sweep.toml").write_text(text)

    def launch(self) -> subprocess.Popen[bytes]:
        """Begin the sweep, or go on with it."""
        home = self.folder / "here"
        home.mkdir(exist_ok=True)
        file = str(self.folder / "project" / "sweep.toml")
        words = ["run", file] if not self.is_begun else ["resume", "bench"]
        said = self.folder / f"said-{self.launches}"
        self.launches += 1
        self._said.append(said)
        line = [sys.executable, str(LAUNCHER), self.url, KEY, str(home), "sweep"]
        with said.open("wb") as stream:
            return subprocess.Popen(
                [*line, *words, "--yes"],
                stdout=stream,
                stderr=stream,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": str(LAUNCHER.parents[2])},
                start_new_session=True,
            )

    @property
    def is_begun(self) -> bool:
        """Whether the sweep was written down."""
        return any("sweep bench begins" in one.read_text() for one in self._said)

    @property
    def said(self) -> str:
        """What the last launcher has said."""
        return self._said[-1].read_text()

    @property
    def home(self) -> int:
        """How many results are here."""
        return len(list((self.folder / "project" / "results").glob("*/out")))

    def fail_one(self, chance: random.Random) -> None:
        """Have one machine that runs die."""
        living = [one for one in self.world.ledger()["instances"] if not one["destroyed"]]
        if living:
            number = chance.choice(living)["id"]
            with self.world.looked_at():
                contract = self.world.rentals.contracts[number]
                self.world.rentals.fail(contract, "the machine died")
            self.failed += 1
            for _ in range(3):
                self.world.advance(61.0)

    def check(self) -> Iterator[str]:
        """Yield what is wrong."""
        project, noted = self.folder / "project", self.folder / "noted"
        if (noted / "overlaps").exists():
            yield f"ran twice at a time: {(noted / 'overlaps').read_text().split()}"
        for value in range(self.jobs):
            out = project / "results" / f"value-{value}" / "out"
            if not out.exists() or out.read_text() != f"{value}\n":
                yield f"the result of job {value} is not here once"
        left = [
            one["id"] for one in self.world.ledger()["instances"] if not one["destroyed"]
        ]
        if left:
            yield f"machines are left: {left}"

    @property
    def starts(self) -> int:
        """How often jobs have begun, all together."""
        files = (self.folder / "noted").glob("*.starts")
        return sum(len(one.read_text().splitlines()) for one in files)

    @property
    def billed_usd(self) -> float:
        """What the simulator has billed, $."""
        return self.world.spent_usd(self.world.account(KEY).account_id)


@contextmanager
def bench(jobs: int) -> Iterator[Bench]:
    """Yield a market with machines that really run."""
    with tempfile.TemporaryDirectory(prefix="sweep-") as place:
        folder = Path(place)
        host = LocalContainers(folder / "machines")
        clock = SimClock.manual(_START.timestamp())
        world = World(offers=60, seed=3, clock=clock, calm=True, host=host)
        try:
            with serve(world) as running:
                yield Bench(world, running.url, folder, jobs)
        finally:
            host.close()


def kills(jobs: int, machines: int, count: int, seed: int, deadline_h: float) -> int:
    """Carry out a sweep under so many kills; return how much is wrong."""
    chance = random.Random(seed)  # noqa: S311  (no secret)
    with bench(jobs) as one:
        one.write(1.0, machines, deadline_h, usd=60.0)
        begun = time.monotonic()
        process = one.launch()
        done = 0
        while time.monotonic() - begun < _LONGEST_S:
            time.sleep(0.5)
            code = process.poll()
            if code == 0:
                break
            if code is not None:
                print(f"launcher {one.launches} ended with {code}: {one.said[-500:]}")
                process = one.launch()
                continue
            every = jobs / (count + 1)
            if one.killed + one.failed < count and one.home >= (done + 1) * every:
                done += 1
                if chance.random() < 0.5:
                    os.kill(process.pid, signal.SIGKILL)
                    process.wait()
                    one.killed += 1
                    process = one.launch()
                else:
                    one.fail_one(chance)
        wrong = list(one.check())
        planned = re.search(r"for \$([\d.]+)", (one.folder / "said-0").read_text())
        rented = len(Ledger(one.folder / "here" / "data").entries())
        print(
            f"{jobs} jobs, {rented} machines rented ({machines} at once at most), "
            f"{one.killed} launchers killed, {one.failed} machines failed: "
            f"{one.home} results here, {one.starts} starts, "
            f"{time.monotonic() - begun:.0f} s"
        )
        print(
            f"billed ${one.billed_usd:.3f}, planned ${planned[1] if planned else '?'}, "
            "budget $60"
        )
        for line in wrong:
            print(f"WRONG: {line}")
        return len(wrong)


def overhead(jobs: int, machines: int, deadline_h: float) -> int:
    """Carry out jobs of a second; tell what they take beside that."""
    with bench(jobs) as one:
        one.write(1.0, machines, deadline_h, usd=600.0)
        process = one.launch()
        first, most = 0.0, 0
        while process.poll() is None:
            time.sleep(0.5)
            if not first and one.starts:
                first = time.monotonic()
            most = max(most, _memory_bytes(process.pid))
        seconds = time.monotonic() - first
        rented = len(Ledger(one.folder / "here" / "data").entries())
        print(
            f"{jobs} jobs of 1 s on {rented} machines: {seconds:.0f} s from the first "
            f"start, {seconds * rented / jobs - 1.0:.2f} s per job and machine beside "
            f"the job, {seconds / jobs:.3f} s per job; launcher {most / 1e6:.0f} MB"
        )
        wrong = list(one.check())
        for line in wrong:
            print(f"WRONG: {line}")
        return len(wrong)


def _memory_bytes(process: int) -> int:
    """Return the most memory that a process has had so far."""
    try:
        text = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", text)
    return int(found[1]) * 1024 if found else 0


def main(words: Sequence[str] | None = None) -> int:
    """Run one of the two."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("kills", "overhead"))
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--machines", type=int, default=6)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--deadline-h", type=float, default=24.0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(words)
    if given.what == "overhead":
        return overhead(given.jobs or 1000, given.machines, given.deadline_h)
    jobs = given.jobs or 200
    return kills(jobs, given.machines, given.kills, given.seed, given.deadline_h)


if __name__ == "__main__":
    sys.exit(main())
