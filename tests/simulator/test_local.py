"""Local containers: a real ssh server each, and nothing left when they end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from advisor.base.errors import UsageError
from advisor.market.lifecycle import Endpoint
from advisor.measure.probe.cores import granted_cores
from advisor.simulator import local
from advisor.simulator.clock import SimClock
from advisor.simulator.containers import Container
from advisor.simulator.local import LocalContainers, own_cpu
from advisor.simulator.throttle import make_group, remove_group
from advisor.simulator.world import World

ROOT = Path(__file__).parents[2]

if missing := LocalContainers.missing():
    pytest.skip(missing, allow_module_level=True)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[LocalContainers]:
    made = LocalContainers(tmp_path / "containers")
    yield made
    made.close()


def keys(folder: Path) -> tuple[Path, str]:
    path = folder / "key"
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
    subprocess.run(command, check=True)
    return path, path.with_suffix(".pub").read_text().strip()


def container(number: int, public: str, onstart: str = "") -> Container:
    env = {"CONTAINER_ID": str(number), "CONTAINER_API_KEY": "it's restricted"}
    return Container(number, "image", onstart, env, (public,), 10.0)


def ssh(endpoint: Endpoint, key: Path, command: str) -> str:
    options = ["-F", "/dev/null", "-i", str(key), "-p", str(endpoint.port)]
    options += ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    options += ["-o", "BatchMode=yes", "-o", "LogLevel=ERROR"]
    line = ["ssh", *options, f"root@{endpoint.host}", command]
    done = subprocess.run(line, capture_output=True, text=True, timeout=20, check=True)
    return done.stdout


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o703])
def test_a_folder_that_others_may_write_to_is_refused(tmp_path: Path, mode: int) -> None:
    """They could let themselves in as root."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(mode)
    with pytest.raises(UsageError, match="other users may write there"):
        LocalContainers(shared)
    shared.chmod(0o755)
    LocalContainers(shared)
    LocalContainers(tmp_path / "new")
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    """Whatever its mode is: they may change that."""
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o700)
    os.chown(theirs, 65534, 65534)
    with pytest.raises(UsageError, match="other users may write there"):
        LocalContainers(theirs)


def test_an_instance_answers_and_has_a_home_of_its_own(
    host: LocalContainers, tmp_path: Path
) -> None:
    """Two of them do not meet; each has its variables; its script has run."""
    key, public = keys(tmp_path)
    ends = [host.start(container(n, public, "echo $CONTAINER_ID >ran")) for n in (1, 2)]
    for number, endpoint in enumerate(ends, 1):
        assert endpoint is not None
        said = ssh(endpoint, key, 'cat ran; pwd; echo "$HOME $CONTAINER_API_KEY"')
        home = tmp_path / "containers" / str(number) / "home"
        assert said == f"{number}\n{home}\n{home} it's restricted\n"


def test_nothing_runs_on_an_instance_that_was_stopped(
    host: LocalContainers, tmp_path: Path
) -> None:
    """Also what had left its session; what it wrote is there when it starts again."""
    key, public = keys(tmp_path)
    endpoint = host.start(container(3, public))
    assert endpoint is not None
    loop = "while :; do echo x >>beat; sleep 0.05; done"
    ssh(endpoint, key, f"setsid nohup sh -c '{loop}' >/dev/null 2>&1 & sleep 0.3")
    host.stop(3)
    beat = tmp_path / "containers" / "3" / "home" / "beat"
    size = beat.stat().st_size
    time.sleep(0.3)
    assert size > 0
    assert beat.stat().st_size == size
    again = host.start(container(3, public))
    assert again is not None
    assert ssh(again, key, "cat beat | wc -c") == f"{size}\n"


def test_a_port_that_another_program_takes_is_left_to_it(
    host: LocalContainers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each endpoint is the instance's own, whoever came first to a port."""
    key, public = keys(tmp_path)
    first = host.start(container(5, public, "echo $CONTAINER_ID >ran"))
    assert first is not None
    ports = iter([first.port, first.port])
    free = local._free_port
    monkeypatch.setattr(local, "_free_port", lambda: next(ports, None) or free())
    second = host.start(container(6, public, "echo $CONTAINER_ID >ran"))
    assert second is not None
    assert [ssh(end, key, "cat ran") for end in (first, second)] == ["5\n", "6\n"]


def test_an_instance_that_moves_answers_elsewhere_alone_and_what_runs_goes_on(
    host: LocalContainers, tmp_path: Path
) -> None:
    """Its ssh server of after that ends with it, too."""
    key, public = keys(tmp_path)
    first = host.start(container(7, public))
    assert first is not None
    loop = "while :; do echo x >>beat; sleep 0.05; done"
    ssh(first, key, f"setsid nohup sh -c '{loop}' >/dev/null 2>&1 & sleep 0.1")
    second = host.move(7)
    with pytest.raises(subprocess.CalledProcessError):
        ssh(first, key, "true")
    size = int(ssh(second, key, "wc -c <beat"))
    time.sleep(0.2)
    assert int(ssh(second, key, "wc -c <beat")) > size > 0
    host.stop(7)
    with pytest.raises(subprocess.CalledProcessError):
        ssh(second, key, "true")


CORES = "import advisor.measure.probe.cores as at; print(at.granted_cores().granted)"


def test_a_container_gets_the_share_of_the_cpu_that_its_host_gives(
    host: LocalContainers, tmp_path: Path
) -> None:
    """It sees its quota as on any host; nothing of the group is left at the end."""
    try:
        remove_group(make_group("advisor-test", 0.5))
    except UsageError as error:
        pytest.skip(str(error))
    key, public = keys(tmp_path)
    asked = f"PYTHONPATH={ROOT} {sys.executable} -c '{CORES}'; cat /proc/self/cgroup"
    said = []
    for number, share in ((7, 0.25), (8, 1.0)):
        endpoint = host.start(replace(container(number, public), cpu_share=share))
        assert endpoint is not None
        said.append(ssh(endpoint, key, asked))
    usual = granted_cores().granted
    assert float(said[0].split()[0]) == pytest.approx(0.25 * usual, rel=0.01)
    assert float(said[1].split()[0]) == usual
    (group,) = {
        line.rpartition(":")[2]
        for line in said[0].splitlines()
        if "advisor-simulated" in line
    }
    host.stop(7)
    assert not list(Path("/sys/fs/cgroup").glob(f"**{group}"))
    assert host.start(replace(container(7, public), cpu_share=0.25)) is not None


def test_a_market_of_this_machine_lists_its_cpu() -> None:
    """Every machine has it, split among the GPUs; its name and threads are what is."""
    cpu = own_cpu()
    assert cpu.threads == granted_cores().workers
    world = World(40, clock=SimClock.manual(1_795_262_400.0), calm=True, cpu=cpu)
    with world.looked_at():
        records = [record for _, record in world.fleet.offers(world.now)]
    assert {one["cpu_name"] for one in records} == {cpu.name}
    assert {one["cpu_cores"] for one in records} == {cpu.threads}
    assert all(0 < one["cpu_cores_effective"] <= cpu.threads for one in records)


def test_nothing_outlives_a_simulator_that_is_killed(tmp_path: Path) -> None:
    """Neither an ssh server nor what an instance runs."""
    script = (
        "import os, pathlib, sys;"
        "from advisor.simulator.containers import Container;"
        "from advisor.simulator.local import LocalContainers;"
        "host = LocalContainers(pathlib.Path(sys.argv[1]));"
        "run = 'setsid sleep 63 >/dev/null 2>&1 & echo begun';"
        "host.start(Container(1, 'image', run, {}, (), 10.0));"
        "os.kill(os.getpid(), 9)"
    )
    folder = tmp_path / "killed"
    subprocess.run([sys.executable, "-c", script, str(folder)], check=False)
    assert (folder / "1" / "onstart.log").read_text() == "begun\n"
    end = time.monotonic() + 10.0
    while left := [p for p in Path("/proc").glob("[0-9]*") if _is_of(p, folder)]:
        assert time.monotonic() < end, left
        time.sleep(0.05)


def _is_of(process: Path, folder: Path) -> bool:
    try:
        shown = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
    except OSError:
        return False
    return str(folder).encode() in shown
