"""Whatever is killed, each result is here once, nothing ran twice, no machine is left."""

from __future__ import annotations

import signal
import threading

import pytest

from tests.fleet.conftest import Sweeps
from tests.rental.conftest import wait_for

pytestmark = pytest.mark.slow


def test_another_launcher_goes_on_with_the_machines_and_their_jobs(
    sweeps: Sweeps,
) -> None:
    """The first one was killed: jobs run on, are picked up, and begin once each."""
    sweeps.write("sleep 4", range(4), "max_machines = 2")
    first = sweeps.run()
    sweeps.wait_for_job(first, range(4))
    first.signal(signal.SIGKILL)
    first.process.wait()
    left = len(sweeps.street.instances())
    assert left
    second = sweeps.launch("resume", "sweep", "--yes")
    assert second.end() == 0, second.text
    assert "picked up" in second.text
    sweeps.check(range(4))
    assert [sweeps.starts(one) for one in range(4)] == [1, 1, 1, 1]


def test_who_is_interrupted_stops_all_and_another_one_goes_on(sweeps: Sweeps) -> None:
    """Ctrl-C ends the jobs, gives the machines back; what was saved is gone on with."""
    script = (
        'mkdir -p "$ADVISOR_CHECKPOINTS"; cd "$ADVISOR_CHECKPOINTS"\n'
        "[ -e saved ] || { echo $value >saved; : >$place/$value.saved; sleep 600; }\n"
        "cd - >/dev/null"
    )
    sweeps.write(script, range(2))
    first = sweeps.run()
    sweeps.wait_for_job(first, range(2))
    saved = [sweeps.place / f"{one}.saved" for one in range(2)]
    wait_for(lambda: all(one.exists() for one in saved), 60.0)
    first.signal(signal.SIGINT)
    assert first.end() == 130, first.text
    assert sweeps.street.instances() == []
    second = sweeps.launch("resume", "sweep", "--yes")
    assert second.end() == 0, second.text
    sweeps.check(range(2))


def test_a_sweep_whose_launcher_is_gone_is_stopped(sweeps: Sweeps) -> None:
    """Its jobs are ended, its machines given back; it can be gone on with."""
    sweeps.write("[ $(wc -l <$place/$value.starts) -gt 1 ] || sleep 60", range(2))
    first = sweeps.run()
    sweeps.wait_for_job(first, range(2))
    first.signal(signal.SIGKILL)
    first.process.wait()
    stopped = sweeps.launch("stop", "sweep")
    assert stopped.end() == 0, stopped.text
    assert sweeps.street.instances() == []
    second = sweeps.launch("resume", "sweep", "--yes")
    assert second.end() == 0, second.text
    sweeps.check(range(2))


def test_the_jobs_of_a_machine_that_is_lost_go_elsewhere(sweeps: Sweeps) -> None:
    """The market has ended it: what it had begins anew on another one."""
    script = "[ $(wc -l <$place/$value.starts) -gt 1 ] || sleep 60"
    sweeps.write(script, range(2))
    first = sweeps.run()
    sweeps.wait_for_job(first, range(2))
    street = sweeps.street

    def lose() -> None:
        for one in street.instances():
            with street.world.looked_at():
                contract = street.world.rentals.contracts[one["id"]]
                street.world.rentals.fail(contract, "the machine died")
        for _ in range(3):
            street.sleep(61.0)

    threading.Thread(target=lose).start()
    assert first.end() == 0, first.text
    sweeps.check(range(2))
