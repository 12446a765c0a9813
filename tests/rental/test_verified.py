"""A machine is measured before it is used: a slow one gives way, and is remembered."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="the extra 'simulator' is not installed")

from advisor.base.errors import UsageError
from advisor.simulator.generate.machines import HostCpu
from advisor.simulator.local import LocalContainers, own_cpu
from advisor.simulator.scenarios import SCENARIOS
from advisor.simulator.throttle import make_group, remove_group
from tests.measure.benches import document
from tests.rental.conftest import RENT, Begun, wait_for

pytestmark = pytest.mark.slow

LONG = ("run", "--workload", "resnet50", "--epochs", "90", "--set", "dataset_gb=1")
LONG += ("--yes", "--num-gpus", "1", "--budget", "1000")
SHORT = (*LONG, "--epochs", "1", "--set", "samples_per_epoch=10000")
TOLD = "is measured before it is used: about 90 s, $0.0"

Shows = Callable[..., None]


@pytest.fixture
def street(make_street: Any, host: LocalContainers) -> Any:
    """Return a calm market whose machines list one core of this computer."""
    missing = LocalContainers.missing()
    if not missing and shutil.which("rsync") is None:
        missing = "rsync is not installed"
    if missing:
        pytest.skip(missing)
    return make_street(host=host, cpu=HostCpu(own_cpu().name, 1))


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return what has the machines' bench do something else, by a line of the shell."""
    python, programs = shutil.which("python3"), tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs), prepend=":")

    def instead(line: str) -> None:
        text = f'#!/bin/sh\ncase "$*" in *--mode*) {line} ;; esac\nexec {python} "$@"\n'
        (programs / "python3.new").write_text(text)
        (programs / "python3.new").chmod(0o755)
        (programs / "python3.new").rename(programs / "python3")

    return instead


@pytest.fixture
def shows(bench: Callable[[str], None], tmp_path: Path) -> Shows:
    """Return what has each machine's bench print a result of its own, then the last."""

    def show(*cores: float, **changes: Any) -> None:
        for number, granted in enumerate(cores):
            lines = {"cores.granted": (granted, "cores")}
            found = {**document(lines, gpus=()), **changes}
            (tmp_path / f"printed.{number}").write_text(json.dumps(found))
        at = f"{tmp_path}/printed"
        bench(f"cat {at}.0; [ ! -e {at}.1 ] || mv {at}.1 {at}.0; exit 0")

    return show


def run(street: Any, project: Path, *words: str, of: tuple[str, ...] = LONG) -> Any:
    return street.launch(*of, "--sync", str(project), *words, "--", "sh", "-c", "echo ok")


def blamed(street: Any) -> list[Any]:
    return list(street.launch("hosts", "list", "--json").document["hosts"])


@pytest.mark.slow
def test_a_throttled_host_gives_way_to_the_next(street: Any, project: Path) -> None:
    """By the real bench over a real ssh server, on a host with a tenth of its CPU.

    It is told what was slow and what that cost; the job runs on the next machine, which
    is measured, too, and found to be healthy. Offers list half a core, so that other
    work on this computer leaves what they list.
    """
    try:
        remove_group(make_group("advisor-test", 0.5))
    except UsageError as error:
        pytest.skip(str(error))
    (fault,) = SCENARIOS["slow-host"].faults
    street.world.set_faults(replace(fault, share=0.2 / own_cpu().threads))
    half = "cpu_cores_effective>=0.4 cpu_cores_effective<=0.6"
    done = run(street, project, "--json", "--where", half)
    assert done.exit_code == 0, done.stderr
    slow, healthy = street.entries()
    assert (slow.state, healthy.state) == ("released", "released")
    assert slow.machine_id != healthy.machine_id
    assert " of the offer's threads, where a healthy machine has " in done.stderr
    assert " s, $0.0" in done.stderr
    (rule,) = blamed(street)
    assert rule["id"] == slow.machine_id
    assert "cores.granted 40% of the offer's threads" in rule["reason"]
    measured = done.document["measured"]
    assert measured["kept"] is True
    assert not any(one["fault"] for one in measured["lines"])
    assert street.instances() == []


def test_a_slow_machine_is_told_and_the_next_one_has_the_job(
    street: Any, project: Path, shows: Shows
) -> None:
    """Once each; the command starts once, where the machine is as it should be."""
    shows(0.25, 1.0)
    done = run(street, project)
    assert done.exit_code == 0, done.stderr
    assert done.stderr.count(TOLD) == 2
    assert done.stderr.count("started: ") == 1
    slow, healthy = street.entries()
    assert [one["id"] for one in blamed(street)] == [slow.machine_id]
    assert healthy.machine_id != slow.machine_id
    assert "does what it should: 1 of 1 figures" in done.stderr
    kept = street.launch("records", "list", "--json").document["machines"]
    assert [one["machine_id"] for one in kept] == [slow.machine_id, healthy.machine_id]
    assert street.instances() == []


def test_a_job_of_over_an_hour_is_measured_and_a_short_one_is_not(
    street: Any, project: Path
) -> None:
    """Unless it is asked for, or forbidden; a dry run says what it costs."""
    for of, words, is_measured in (
        (LONG, (), True),
        (LONG, ("--no-verify",), False),
        (SHORT, (), False),
        (SHORT, ("--verify",), True),
    ):
        dry = run(street, project, *words, "--dry-run", "--json", of=of).document
        assert (dry["verify"] is not None) is is_measured
        if is_measured:
            assert dry["verify"]["usd"] == pytest.approx(dry["usd_per_hour"] / 40.0)


def test_a_job_that_is_resumed_is_measured_as_it_is_asked_to_be(
    street: Any, project: Path
) -> None:
    """As it was begun, unless the command line says otherwise."""
    line = (*LONG, "--job", "mine", "--no-verify", "--sync", str(project))
    assert street.launch(*line, "--", "sh", "-c", "exit 1").exit_code == 8
    resume = ("run", "--resume", "mine", "--yes", "--dry-run", "--json")
    for words, is_measured in (
        ((), False),
        (("--verify",), True),
        (("--no-verify",), False),
    ):
        dry = street.launch(*resume, *words)
        assert dry.exit_code == 0, dry.stderr
        assert (dry.document["verify"] is not None) is is_measured, words


def test_rent_measures_where_it_is_asked_to(
    street: Any, shows: Shows, conforms: Callable[[str, Any], None]
) -> None:
    """The document has the figures of each machine, also of one that was given back."""
    shows(0.25, 1.0)
    plain = street.launch(*RENT, "--epochs", "90", "--num-gpus", "1")
    assert plain.document["measured"] is None
    assert TOLD not in plain.stderr
    done = street.launch(*RENT, "--epochs", "90", "--num-gpus", "1", "--verify")
    assert done.exit_code == 0, done.stderr
    conforms("rent", done.document)
    slow, taken = done.document["attempts"]
    assert (slow["outcome"], taken["outcome"]) == ("slow", "rented")
    assert slow["measured"]["kept"] is False
    assert done.document["measured"] == taken["measured"]
    assert [one["id"] for one in street.instances()] == [
        plain.document["instance_id"],
        done.document["instance_id"],
    ]


def test_an_image_that_does_not_fit_marks_no_host(
    street: Any, project: Path, shows: Shows
) -> None:
    """The bench's own step 0 finds it: the job goes where it fits, nobody is blamed."""
    words = "PyTorch has code for sm_80, none for compute capability 12.0"
    check = {"name": "gpu0.architecture", "ok": False, "words": words}
    shows(1.0, checks=[check])
    done = run(street, project, "--attempts", "2")
    assert done.exit_code == 3
    assert words in done.stderr
    assert len(street.entries()) == 2
    assert blamed(street) == []
    assert street.instances() == []


def test_what_cannot_be_measured_is_taken(
    street: Any, project: Path, bench: Callable[[str], None]
) -> None:
    """A machine that prints nonsense says nothing of its speed."""
    bench("echo '<html>'; exit 0")
    done = run(street, project)
    assert done.exit_code == 0, done.stderr
    assert "is not measured, and taken as it is: " in done.stderr
    assert blamed(street) == []


@pytest.fixture
def measuring(
    street: Any, bench: Callable[[str], None], begin: Callable[..., Begun]
) -> Begun:
    """Return a launcher whose machine is being measured, which does not end."""
    begun = street.folder / "measuring"
    bench(f"touch {begun}; exec sleep 300")
    launcher = begin(street, "echo ok", "--verify")
    wait_for(begun.exists)
    return launcher


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_a_machine_is_measured_ends_it(
    street: Any, measuring: Begun, number: int
) -> None:
    """Nothing is left, and nobody is blamed."""
    measuring.signal(number)
    done = measuring.end()
    assert done["code"] == 130, done["stderr"]
    assert street.instances() == []
    assert [one.state for one in street.entries()] == ["released"]
    assert blamed(street) == []


def test_a_launcher_that_is_killed_while_it_measures_leaves_nothing(
    street: Any, measuring: Begun
) -> None:
    """The ledger has the machine as held: whoever looks next ends it, and its bench."""
    measuring.signal(signal.SIGKILL)
    measuring.end()
    assert [one.state for one in street.entries()] == ["held"]
    assert len(street.instances()) == 1
    assert street.launch("reconcile").exit_code == 0
    assert street.instances() == []
    assert [one.state for one in street.entries()] == ["released"]
    mark = str(street.folder / "machines").encode()
    wait_for(lambda: not _processes_with(mark))


def _processes_with(mark: bytes) -> list[str]:
    """Return the processes that have the folder of the machines in a variable."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes():
                found.append(process.name)
        except OSError:
            continue
    return [one for one in found if int(one) != os.getpid()]
