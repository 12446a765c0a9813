"""A sweep on machines that really run: each job is done once, all are given back."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

import pytest

from advisor.simulator.local import LocalContainers
from advisor.simulator.networks import Network
from tests.fleet.conftest import MakeRig, Rig
from tests.rental.conftest import MakeStreet, wait_for

pytestmark = pytest.mark.slow

WRITES = 'mkdir -p "$ADVISOR_RESULTS" && echo {value} >"$ADVISOR_RESULTS/out"'


def test_each_job_is_done_once_and_its_result_comes_home(make_rig: MakeRig) -> None:
    """Two machines share eight jobs; all results are here, all machines given back."""
    rig = make_rig(WRITES, range(8))
    rig.run(2)
    for number, job in enumerate(rig.jobs):
        assert rig.result(job.name) == f"{number}\n"
    assert {one.state for one in rig.store.jobs("sweep")} == {"done"}
    assert {one.attempt for one in rig.store.jobs("sweep")} == {1}
    assert rig.street.instances() == []
    assert {one.state for one in rig.street.entries()} == {"released"}


@pytest.mark.slow
def test_a_job_that_fails_is_started_again_and_then_has_failed(make_rig: MakeRig) -> None:
    """One of two fails twice: the other one is done; what it printed is in its logs."""
    script = 'echo says {value}; mkdir -p "$ADVISOR_RESULTS"; exit {value}'
    rig = make_rig(script, [0, 3], retries=1)
    rig.run(1)
    states = {one.name: (one.state, one.attempt) for one in rig.store.jobs("sweep")}
    assert states == {"value-0": ("done", 1), "value-3": ("failed", 2)}
    logs = rig.project.parent / "logs"
    assert "says 3" in (logs / "value-3.2.log").read_text()
    assert sorted(one for one in rig.lines if "says" in one) == [
        "value-0: says 0",
        *["value-3: says 3"] * 2,
    ]
    assert {one.exit_code for one in rig.events("job_failed")} == {3}
    assert rig.street.instances() == []


@pytest.mark.slow
def test_a_job_that_is_started_again_goes_on_from_what_it_saved(
    make_rig: MakeRig,
) -> None:
    """It fails once it has saved; what it saved is here, too."""
    script = (
        'd=$ADVISOR_CHECKPOINTS; mkdir -p "$d" "$ADVISOR_RESULTS"; '
        'if [ -e "$d/saved" ]; then cat "$d/saved" >"$ADVISOR_RESULTS/out"; '
        'else echo {value} >"$d/saved"; exit 1; fi'
    )
    rig = make_rig(script, [7], retries=1)
    rig.run(1)
    assert rig.result("value-7") == "7\n"
    saved = rig.project / "checkpoints" / "value-7" / "saved"
    assert saved.read_text() == "7\n"


@pytest.fixture
def apart(
    tmp_path: Path, make_street: MakeStreet, project: Path
) -> tuple[Rig, LocalContainers]:
    """Return a sweep whose machines have networks of their own, which can be cut."""
    if missing := LocalContainers.missing() or Network.missing():
        pytest.skip(missing)
    if shutil.which("rsync") is None:
        pytest.skip("rsync is not installed")
    host = LocalContainers(tmp_path / "machines", apart=True)
    script = (
        'echo begun >>@PLACE@/starts; sleep 25; mkdir -p "$ADVISOR_RESULTS"; '
        'echo {value} >"$ADVISOR_RESULTS/out"'
    ).replace("@PLACE@", str(tmp_path))
    return Rig(make_street(host=host), project, script, [1], {}), host


@pytest.mark.slow
def test_a_job_outlives_a_connection_that_breaks_for_twenty_seconds(
    apart: tuple[Rig, LocalContainers], tmp_path: Path
) -> None:
    """It is begun once, and its result comes home."""
    rig, host = apart
    starts = tmp_path / "starts"

    def cut() -> None:
        wait_for(starts.exists, 90.0)
        (number,) = [one["id"] for one in rig.street.instances()]
        host.cut(number)
        time.sleep(20.0)
        host.restore(number)

    breaking = threading.Thread(target=cut)
    breaking.start()
    try:
        rig.run(1)
    finally:
        breaking.join()
        host.close()
    assert rig.result("value-1") == "1\n"
    assert starts.read_text() == "begun\n"
    assert rig.street.instances() == []
    assert len(rig.street.entries()) == 1


@pytest.mark.slow
def test_a_machine_that_stays_cut_off_is_given_back_and_its_job_goes_elsewhere(
    apart: tuple[Rig, LocalContainers], tmp_path: Path
) -> None:
    """Its own copy of the job has ended with it before the other one begins."""
    rig, host = apart
    starts = tmp_path / "starts"

    def cut() -> None:
        wait_for(starts.exists, 90.0)
        (number,) = [one["id"] for one in rig.street.instances()]
        host.cut(number)

    breaking = threading.Thread(target=cut)
    breaking.start()
    try:
        rig.run(1)
    finally:
        breaking.join()
        host.close()
    assert rig.result("value-1") == "1\n"
    assert starts.read_text() == "begun\n" * 2
    (moved,) = rig.events("job_moved")
    assert moved.proof == "destroyed"
    assert [one.state for one in rig.street.entries()] == ["released"] * 2
    assert rig.street.instances() == []
