"""A machine that restarts loses what ran on it, by no fault of the jobs'."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from advisor.fleet.controller import Controller
from tests.fleet.conftest import MakeRig
from tests.rental.conftest import wait_for

pytestmark = pytest.mark.slow

WRITES = 'mkdir -p "$ADVISOR_RESULTS" && echo {value} >"$ADVISOR_RESULTS/out"'


def test_a_job_that_may_not_be_started_again_outlives_a_restart(
    make_rig: MakeRig, tmp_path: Path
) -> None:
    """It begins anew on the same machine: that its end is unknown is no failure of it."""
    starts = tmp_path / "starts"
    once = f"echo >>{starts}; [ $(wc -l <{starts}) -gt 1 ] || sleep 600; "
    rig = make_rig(once + WRITES, [1], retries=0)
    street = rig.street

    def reboot() -> None:
        wait_for(starts.exists, 120.0)
        with street.world.looked_at():
            (contract,) = street.world.rentals.contracts.values()
            street.world.rentals.reboot(contract)

    rebooting = threading.Thread(target=reboot)
    rebooting.start()
    with rig.work() as work:
        Controller(work, rig.anew, lambda: street.sleep(5.0)).run((), (), [rig.share()])
    rebooting.join()
    assert [one.state for one in rig.store.jobs("sweep")] == ["done"]
    assert rig.result("value-1") == "1\n"
    assert starts.read_text() == "\n\n"
    (failed,) = rig.events("job_failed")
    assert failed.again
    assert failed.reason == "nobody knows how it ended, as after a restart"
    assert len(rig.street.entries()) == 1
