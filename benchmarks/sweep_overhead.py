"""What a sweep takes beside its jobs, on simulated machines with real ssh and Dask.

    python benchmarks/sweep_overhead.py            # 1,000 jobs of a second on 6 machines
    python benchmarks/sweep_overhead.py --jobs 200

Tells the seconds per job beside the job itself, and the launcher's memory. All machines
run here: with few cores these bound it. The market's time passes where the launcher
waits. Exit code 1: a result is not here once, a job ran twice at a time, or a machine is
left.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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
        """Begin the sweep."""
        home = self.folder / "here"
        home.mkdir()
        file = str(self.folder / "project" / "sweep.toml")
        line = [sys.executable, str(LAUNCHER), self.url, KEY, str(home), "sweep", "run"]
        with (self.folder / "said").open("wb") as stream:
            return subprocess.Popen(
                [*line, file, "--yes", "--json"],
                stdout=stream,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": str(LAUNCHER.parents[2])},
                start_new_session=True,
            )

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
    """Carry the sweep out and tell what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--machines", type=int, default=6)
    parser.add_argument("--deadline-h", type=float, default=100.0)
    given = parser.parse_args(words)
    return overhead(given.jobs, given.machines, given.deadline_h)


if __name__ == "__main__":
    sys.exit(main())
