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
