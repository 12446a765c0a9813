"""A sweep on machines that really run: each job is done once, all are given back."""

from __future__ import annotations

from tests.fleet.conftest import MakeRig

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


def test_a_job_that_fails_is_started_again_and_then_has_failed(make_rig: MakeRig) -> None:
    """One of two fails twice: the other one is done; what it printed is in its logs."""
    script = 'echo says {value}; mkdir -p "$ADVISOR_RESULTS"; exit {value}'
    rig = make_rig(script, [0, 3], retries=1)
    rig.run(1)
    states = {one.name: (one.state, one.attempt) for one in rig.store.jobs("sweep")}
    assert states == {"value-0": ("done", 1), "value-3": ("failed", 2)}
    logs = rig.project.parent / "logs"
    assert "says 3" in (logs / "value-3.2.log").read_text()
    assert {one.exit_code for one in rig.events("job_failed")} == {3}
    assert rig.street.instances() == []


def test_a_job_goes_on_from_what_it_saved_on_another_machine(make_rig: MakeRig) -> None:
    """It fails once it has saved; what it saved is here, and goes to the next one."""
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
