"""A sweep on machines that really run: each job is done once, all are given back."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from advisor.fleet.controller import Controller, Share
from advisor.fleet.crew import Crew
from advisor.fleet.folders import Folders
from advisor.fleet.launching import Face, Launch
from advisor.market.lifecycle import Endpoint
from advisor.simulator.containers import Container
from advisor.simulator.faults import Fault
from advisor.simulator.local import LocalContainers
from advisor.simulator.networks import Network
from tests.fleet.conftest import MakeRig, Rig
from tests.fleet.furnished import FurnishedBefore, image_in
from tests.rental.conftest import MakeStreet, wait_for

pytestmark = pytest.mark.slow

LEASE_S = 60.0  # the shortest
SAVED = "work/checkpoints/value-1/epoch/1"
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
    assert sorted(one for one in rig.lines if "says" in one) == [
        "value-0: says 0",
        *["value-3: says 3"] * 2,
    ]
    assert {one.exit_code for one in rig.events("job_failed")} == {3}
    assert rig.street.instances() == []


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


class Refusing(FurnishedBefore):
    """Machines of which the first ones start no job: files are where folders should be.

    Attributes
    ----------
    bad : how many
    files : in the home
    """

    bad = 0
    files: Sequence[str] = (".advisor/locks",)

    def start(self, container: Container) -> Endpoint | None:
        if self.bad > 0:
            self.bad -= 1
            for file in self.files:
                place = self.folder / str(container.instance_id) / "home" / file
                place.parent.mkdir(parents=True, exist_ok=True)
                place.touch()
        return super().start(container)


@pytest.fixture
def refusing(
    tmp_path: Path,
    make_street: MakeStreet,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[tuple[Rig, Refusing]]:
    """Yield a sweep of one job, and what plays its machines."""
    if missing := LocalContainers.missing():
        pytest.skip(missing)
    if shutil.which("rsync") is None:
        pytest.skip("rsync is not installed")
    image_in(tmp_path / "image")
    monkeypatch.setenv("PATH", f"{tmp_path / 'image'}:{os.environ['PATH']}")
    host = Refusing(tmp_path / "machines")
    yield Rig(make_street(host=host), project, WRITES, [1], {}), host
    host.close()


def carry_out(rig: Rig) -> list[set[int]]:
    """Carry a sweep out while the time passes; return what plans did without."""
    without = []

    def anew(bad: Collection[int], crews: Sequence[Crew]) -> list[Share]:
        without.append(set(bad))
        return rig.anew(bad, [one for one in crews if not one.is_ending])

    with rig.work() as work:
        controller = Controller(work, anew, lambda: rig.street.sleep(5.0))
        controller.run((), (), [rig.share()])
    return without


@pytest.mark.parametrize(
    ("files", "proof", "says"),
    [
        ((".advisor/locks",), "stopped", "starting the command failed"),
        ((".advisor/jobs",), "destroyed", "starting the command failed"),
        ((".advisor/jobs", SAVED), "destroyed", "copying by rsync failed"),
    ],
)
def test_a_job_that_a_machine_does_not_start_goes_to_another_one(
    refusing: tuple[Rig, Refusing], files: Sequence[str], proof: str, says: str
) -> None:
    """After a few tries, and the machine is given back: it would start no other one.

    The same is not rented again, also where it does not even note that the job is not to
    begin.
    """
    rig, host = refusing
    saved = rig.project / rig.jobs[0].checkpoints / "epoch"
    saved.parent.mkdir(parents=True)
    saved.write_text("7")
    host.bad, host.files = 1, files
    without = carry_out(rig)
    assert rig.result("value-1") == "1\n"
    first, second = rig.street.entries()
    assert [first.state, second.state] == ["released"] * 2
    assert without[-1] == {first.machine_id}
    (moved,) = rig.events("job_moved")
    assert moved.proof == proof
    assert says in moved.reason
    assert rig.street.instances() == []


def test_a_job_that_is_refused_does_not_wait_for_the_others_there(
    refusing: tuple[Rig, Refusing],
) -> None:
    """Another machine is had at once, be it that this one has long to do."""
    rig, host = refusing
    rig.values = [1, 2]
    rig.settings["gpus"] = 1
    out = rig.project / "results" / "value-2" / "out"
    rig.script = (
        f"[ {{value}} = 2 ] || for i in $(seq 60); do [ -e {out} ] || sleep 1; done; "
        f"[ -e {out} ] || [ {{value}} = 2 ] && {WRITES}"
    )
    host.bad, host.files = 1, (".advisor/locks/value-2/1",)
    without = carry_out(rig)
    assert [rig.result(f"value-{one}") for one in (1, 2)] == ["1\n", "2\n"]
    first, second = rig.street.entries()
    assert [first.state, second.state] == ["released"] * 2
    assert without[0] == {first.machine_id}
    assert [one.attempt for one in rig.store.jobs("sweep")] == [1, 2]


def test_a_job_that_no_machine_starts_has_failed(refusing: tuple[Rig, Refusing]) -> None:
    """With the reason: nobody pays for a fourth machine."""
    rig, host = refusing
    host.bad = 9
    carry_out(rig)
    (job,) = rig.store.jobs("sweep")
    assert job.state == "failed"
    assert job.reason.startswith("3 machines refuse: starting the command failed")
    assert [one.state for one in rig.street.entries()] == ["released"] * 3
    assert rig.street.instances() == []


def test_who_is_interrupted_waits_for_a_machine_that_cannot_be_reached(
    make_rig: MakeRig, host: FurnishedBefore, tmp_path: Path
) -> None:
    """It has results that were paid for; it answers at another port a while later."""
    go = tmp_path / "go"
    wait = f"echo >>{tmp_path}/starts; until [ -e {go} ]; do sleep 0.1; done; "
    rig = make_rig(wait + WRITES, [1])
    street, moved = rig.street, threading.Event()

    def show() -> None:
        moved.wait(90.0)
        wait_for(lambda: any("trying again" in one for one in rig.lines), 90.0)
        with street.world.looked_at():
            (contract,) = street.world.rentals.contracts.values()
            contract.endpoint = at[0]

    at: list[Endpoint] = []

    def tick() -> None:
        if (tmp_path / "starts").exists():
            number = street.instances()[0]["id"]
            at.append(host.move(number))
            go.touch()
            jobs = host.folder / str(number) / "home" / ".advisor" / "jobs"
            ends = jobs / "value-1.1" / "exit"
            wait_for(lambda: ends.exists() and bool(ends.read_text().strip()))
            moved.set()
            raise KeyboardInterrupt

    showing = threading.Thread(target=show)
    showing.start()
    with rig.work() as work, pytest.raises(KeyboardInterrupt):
        Controller(work, rig.anew, tick).run((), (), [rig.share()])
    showing.join()
    assert rig.result("value-1") == "1\n"
    assert (tmp_path / "starts").read_text() == "\n"
    assert [one.state for one in rig.store.jobs("sweep")] == ["done"]
    assert any(one.startswith("stopping:") for one in rig.lines)
    assert street.instances() == []


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


ONCE = """\
exec 7>>@PLACE@/lock; flock -n 7 || echo >>@PLACE@/overlaps; \
echo begun >>@PLACE@/starts; \
[ $(wc -l <@PLACE@/starts) -gt 1 ] || sleep 600; \
"""


@pytest.fixture
def cut_off(
    apart: tuple[Rig, LocalContainers], tmp_path: Path
) -> Iterator[Callable[..., None]]:
    """Return what carries a sweep out whose machine is cut off once its job runs.

    That one takes long there, and no time on another machine.
    """
    rig, host = apart
    rig.script = ONCE.replace("@PLACE@", str(tmp_path)) + WRITES
    rig.settings["lease_s"] = LEASE_S

    def carry_out(happens: Callable[[Path], None]) -> None:
        """Call `happens` with the machine's home, then let the time pass."""

        def cut() -> None:
            wait_for((tmp_path / "starts").exists, 120.0)
            (number,) = [one["id"] for one in rig.street.instances()]
            host.cut(number)
            happens(host.folder / str(number) / "home")
            while not rig.events("job_moved"):
                rig.street.sleep(20.0)
                time.sleep(0.2)
            rig.street.world.set_faults()

        breaking = threading.Thread(target=cut)
        breaking.start()
        rig.run(1)
        breaking.join()

    yield carry_out
    host.close()
    assert not (tmp_path / "overlaps").exists()
    assert (tmp_path / "starts").read_text() == "begun\n" * 2
    assert rig.result("value-1") == "1\n"
    assert [one.attempt for one in rig.store.jobs("sweep")] == [2]


def test_a_machine_that_stays_cut_off_is_given_back_and_its_job_goes_elsewhere(
    apart: tuple[Rig, LocalContainers], cut_off: Callable[..., None]
) -> None:
    """The market confirms its end: its copy of the job has ended before the other's."""
    rig, _ = apart
    cut_off(lambda _: None)
    assert [one.proof for one in rig.events("job_moved")] == ["destroyed"]
    assert [one.state for one in rig.street.entries()] == ["released"] * 2
    assert rig.street.instances() == []


def test_a_machine_cut_off_for_its_lease_ends_its_job_which_goes_elsewhere(
    apart: tuple[Rig, LocalContainers], cut_off: Callable[..., None]
) -> None:
    """The market does not show it either: that it heard nothing for so long is proof."""
    rig, host = apart

    def lapse(home: Path) -> None:
        job = home / ".advisor" / "jobs" / "value-1.1"
        wait_for(lambda: (job / "lapsed").exists() and (job / "exit").exists(), 150.0)
        rig.street.world.set_faults(
            Fault("hidden", "stale", operations=("show",), after=True, seconds=1e9),
            Fault("unlisted", "lag", operations=("list",), after=True, seconds=1e9),
        )

    cut_off(lapse)
    assert [one.proof for one in rig.events("job_moved")] == ["lapsed"]
    lost, last = (one.state for one in rig.street.entries())
    assert lost in {"working", "gone"}, "as long as nobody can say that it is"
    assert last == "released"
    (left,) = [one["id"] for one in rig.street.instances()]  # it is shown again
    host.restore(left)
    folders = Folders(rig.context, rig.spec, rig.jobs)
    with ExitStack() as stack:
        Launch(rig.context, rig.spec, rig.jobs, folders, rig.rental, Face()).stop(stack)
    assert rig.street.instances() == []
