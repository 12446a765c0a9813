"""A sweep is attacked: machines, launchers, workers and connections die at random.

    python benchmarks/sweep_kills.py                      # 200 jobs, 6 machines
    python benchmarks/sweep_kills.py --jobs 40 --machines 3 --seed 2 --every 5

A simulated market whose machines really run (an ssh server each, real Dask workers) gets
`advisor sweep run`; every few seconds something dies: the launcher by SIGKILL or Ctrl-C
(``advisor sweep resume`` goes on), a machine (the market destroys it, or it restarts),
all Dask workers of one, all ssh connections of one, the supervisor of a job. Each job
takes a lock outside the machines and notes when it begins and ends, so that two that run
at once cannot be missed.

What must hold: every job is done, its results are here once, no two of one job ran at
once, no machine is left, and the market has billed no more than the budget. Exit code 1:
something of that is broken. Needs the extras `simulator` and `fleet`, root and sshd.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from advisor.simulator.clock import SimClock
from advisor.simulator.local import LocalContainers, own_cpu
from advisor.simulator.server import serve
from advisor.simulator.world import World
from advisor.store.sweeps import SweepStore

NAME = "attacked"
KEY = "test-key-0123456789abcdef"
BUDGET_USD = 60.0

_LONGEST_S = 3600.0
_IMAGE = "debian:12"  # the smallest that boots in the seconds that people would wait
_JOB_S = (1.0, 4.0)

_JOB = """\
#!/bin/sh
# A job: it notes when it begins and ends, and that it is alone.
number=$1 seconds=$2 out=$3 aside="{aside}"
exec 8>"$aside/lock-$number"
flock -n 8 || {{ echo "twice $number" >>"$aside/log"; exit 9; }}
echo "begin $number" >>"$aside/log"
sleep "$seconds"
mkdir -p "$out"
echo "$number" >>"$out/value"
echo "end $number" >>"$aside/log"
"""

_SWEEP = """\
name = "{name}"
command = "sh job.sh {{number}} {{seconds}} {{results}}"
market = "vast"
folder = "."
retries = 3
lease_h = 0.25
verify = false

[job]
workload = "resnet50"
epochs = 1
image = "{image}"
settings = {{ samples_per_epoch = {samples}, dataset_gb = 0.001 }}
"""


@dataclass
class Scene:
    """A market with machines, a folder to send, and a launcher there.

    Attributes
    ----------
    folder : of all of it
    deaths : what has died, counted
    """

    world: World
    host: LocalContainers
    url: str
    folder: Path
    draws: random.Random
    deaths: Counter[str] = field(default_factory=Counter)
    launcher: subprocess.Popen[bytes] | None = None

    def launch(self, *words: str) -> None:
        """Start a launcher; its words go into a file."""
        variables = {
            **os.environ,
            "VAST_URL": self.url,
            "VAST_API_KEY": KEY,
            "HOME": str(self.folder),
            "ADVISOR_DATA_DIR": str(self.folder / "data"),
            "ADVISOR_CACHE_DIR": str(self.folder / "cache"),
        }
        with (self.folder / "launchers.log").open("ab") as log:
            log.write(f"--- {' '.join(words)}\n".encode())
            log.flush()
            self.launcher = subprocess.Popen(
                [sys.executable, "-m", "advisor", "sweep", *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=variables,
                cwd=self.folder / "project",
                start_new_session=True,
            )

    def ours(self) -> list[Any]:
        """Return the contracts that exist."""
        with self.world.looked_at():
            return [
                one for one in self.world.rentals.contracts.values() if not one.is_over
            ]

    def kill_something(self) -> None:
        """Let something die that is there."""
        deadly = [
            self.kill_launcher,
            self.interrupt_launcher,
            self.destroy_machine,
            self.restart_machine,
            self.kill_workers,
            self.cut_connections,
            self.kill_supervisor,
        ]
        act = self.draws.choice(deadly)
        if act():
            self.deaths[act.__name__.replace("_", " ")] += 1

    def kill_launcher(self) -> bool:
        """Kill the launcher outright."""
        return self._signal(signal.SIGKILL)

    def interrupt_launcher(self) -> bool:
        """Press Ctrl-C."""
        return self._signal(signal.SIGINT)

    def destroy_machine(self) -> bool:
        """Let the market end a machine."""
        found = self._running()
        if found is None:
            return False
        with self.world.looked_at():
            self.world.rentals.destroy(found, "its host has ended it")
        return True

    def restart_machine(self) -> bool:
        """Let a machine go down and come back, with what was on its disk."""
        found = self._running()
        if found is None:
            return False
        with self.world.looked_at():
            self.world.rentals.machine_down(found.box)
        time.sleep(1.0)
        with self.world.looked_at():
            self.world.rentals.machine_up(found.box)
        return True

    def kill_workers(self) -> bool:
        """Kill all Dask workers of a machine."""
        return self._kill_there("distributed")

    def cut_connections(self) -> bool:
        """Kill what serves the ssh connections of a machine."""
        return self._kill_there("sshd: ")

    def kill_supervisor(self) -> bool:
        """Kill the shell that keeps a job."""
        return self._kill_there("/keeper")

    def _kill_there(self, words: str) -> bool:
        found = self._running()
        if found is None:
            return False
        home = self.host.folder / str(found.instance_id)
        mark = f"ADVISOR_SIMULATED_INSTANCE={home}".encode()
        some = False
        for place in Path("/proc").glob("[0-9]*"):
            try:
                line = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                there = mark in (place / "environ").read_bytes().split(b"\0")
                if not there and words == "sshd: ":
                    there = _is_below(int(place.name), home)
            except (OSError, ValueError):
                continue
            if there and words in line and "-D" not in line.split():
                some = True
                _kill(int(place.name))
        return some

    def _running(self) -> Any:
        """Return a contract that runs, None if none does."""
        running = [one for one in self.ours() if one.status == "running"]
        return self.draws.choice(running) if running else None

    def _signal(self, number: int) -> bool:
        if self.launcher is None or self.launcher.poll() is not None:
            return False
        os.kill(self.launcher.pid, number)
        return True


def _is_below(process: int, home: Path) -> bool:
    """Say whether a process belongs to the ssh server of an instance."""
    for _ in range(4):
        status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
        process = int(status.split("PPid:")[1].split()[0])
        line = Path(f"/proc/{process}/cmdline").read_bytes()
        if f"{home}/sshd_config".encode() in line:
            return True
        if process <= 1:
            return False
    return False


def _kill(process: int) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return


def prepare(folder: Path, jobs: int, samples: int, draws: random.Random) -> Path:
    """Write the folder that is sent, and the sweep; return its file."""
    project, aside = folder / "project", folder / "aside"
    project.mkdir()
    aside.mkdir()
    (project / "job.sh").write_text(_JOB.format(aside=aside), encoding="utf-8")
    lines = [_SWEEP.format(name=NAME, image=_IMAGE, samples=samples)]
    for number in range(jobs):
        seconds = draws.uniform(*_JOB_S)
        lines.append(
            f'[[jobs]]\nname = "job-{number}"\n'
            f"variables = {{ number = {number}, seconds = {seconds:.2f} }}\n"
        )
    file = project / "sweep.toml"
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def play(scene: Scene, plan: Path, every_s: float) -> int:
    """Run a planned sweep to its end while things die; return the launches it took."""
    began = time.monotonic()
    scene.launch("run", str(plan), "--yes", "--json")
    launches = 1
    next_at = time.monotonic() + every_s
    while time.monotonic() - began < _LONGEST_S:
        time.sleep(0.2)
        launcher = scene.launcher
        if launcher is not None and launcher.poll() is not None:
            if launcher.returncode == 0:
                return launches
            scene.launch("resume", NAME, "--yes", "--json")
            launches += 1
        if every_s > 0 and time.monotonic() >= next_at:
            scene.kill_something()
            next_at = time.monotonic() + scene.draws.uniform(0.5, 1.5) * every_s
    return launches


def broken(scene: Scene, jobs: int) -> list[str]:
    """Return what does not hold."""
    found = []
    rows = SweepStore(scene.folder / "data").jobs(NAME)
    states = Counter(one.state for one in rows)
    if states != {"done": jobs}:
        found.append(f"not all jobs are done: {dict(states)}")
    log = (scene.folder / "aside" / "log").read_text(encoding="ascii").splitlines()
    kinds = Counter(line.split()[0] for line in log)
    if kinds["twice"]:
        found.append(f"{kinds['twice']} times a job ran twice at once")
    for number in range(jobs):
        value = scene.folder / f"project/results/job-{number}/value"
        text = value.read_text(encoding="ascii") if value.exists() else ""
        if text.split() != [str(number)]:
            found.append(f"job {number}: its result is {text!r}")
    if left := scene.ours():
        found.append(f"{len(left)} machines are left")
    billed = sum(one["billed_usd"] for one in scene.world.ledger()["instances"])
    if billed > BUDGET_USD:
        found.append(f"${billed:.2f} were billed")
    print(
        f"{jobs} jobs: begun {kinds['begin']} times, ended {kinds['end']} times; "
        f"${billed:.4f} billed of a budget of ${BUDGET_USD:g}, "
        f"{len(scene.world.ledger()['instances'])} machines"
    )
    setups = sorted(one["setup_s"] for one in _told(scene, "machine_ready"))
    if setups:
        print(
            f"from its rental, once ssh answered, to its first job: {setups[0]:.0f} to "
            f"{setups[-1]:.0f} s, median {setups[len(setups) // 2]:.0f} s"
        )
    return found


def _told(scene: Scene, name: str) -> list[dict[str, Any]]:
    """Return the events of one kind that the launchers have told."""
    lines = (scene.folder / "launchers.log").read_text(encoding="utf-8").splitlines()
    start = '{"schema_version": 1, "event": "' + name + '"'
    return [json.loads(line) for line in lines if line.startswith(start)]


def plan_of(scene: Scene, file: Path, machines: int) -> Path:
    """Plan a sweep on so many machines, as far as that pays; return the plan's file."""
    words = ["--budget", f"{BUDGET_USD:g}", "--max-machines", str(machines)]
    points = _planned(scene, file, words)["plan"]["pareto"]
    fit = [one for one in points if one["machines"] <= machines] or points
    best = min(fit, key=lambda one: one["deadline_h"])
    words += ["--deadline", f"{best['deadline_h'] * 60.0:.1f}m"]
    document = _planned(scene, file, words)
    print(
        f"planned: ${document['plan']['usd']:.4f} on {len(document['plan']['machines'])} "
        f"machines, each until it is gone ${document['most_usd']:.4f}"
    )
    plan = file.with_name("plan.json")
    plan.write_text(json.dumps(document), encoding="utf-8")
    return plan


def _planned(scene: Scene, file: Path, words: Sequence[str]) -> dict[str, Any]:
    log = scene.folder / "launchers.log"
    begin = log.stat().st_size if log.exists() else 0
    scene.launch("plan", str(file), *words, "--json")
    if scene.launcher is None or scene.launcher.wait() != 0:
        sys.exit(log.read_text(encoding="utf-8")[begin:])
    text = log.read_text(encoding="utf-8")[begin:]
    found: dict[str, Any] = json.loads(text[text.index("{") : text.rindex("}") + 1])
    return found


def main() -> None:
    """Attack a sweep and say what held."""
    parser = argparse.ArgumentParser(description="Attack a sweep.")
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--machines", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=float, default=8.0, help="seconds; 0: nothing")
    parser.add_argument("--samples", type=int, default=4000, help="that a job trains on")
    parser.add_argument("--keep", action="store_true", help="leave the folder there")
    args = parser.parse_args()
    draws = random.Random(args.seed)  # noqa: S311  (a schedule, no secret)
    folder = Path(tempfile.mkdtemp(prefix="advisor-sweep-"))
    host = LocalContainers(folder / "machines")
    clock = SimClock()
    world = World(200, args.seed, clock, calm=True, host=host, cpu=own_cpu(), key=KEY)
    try:
        with serve(world) as server:
            scene = Scene(world, host, server.url, folder, draws)
            file = prepare(folder, args.jobs, args.samples, draws)
            plan = plan_of(scene, file, args.machines)
            began = time.monotonic()
            launches = play(scene, plan, args.every)
            seconds = time.monotonic() - began
            print(f"{launches} launches in {seconds:.0f} s; deaths: {dict(scene.deaths)}")
            found = broken(scene, args.jobs)
    finally:
        host.close()
        if args.keep:
            print(folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print("\n".join(found) or "all holds")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
