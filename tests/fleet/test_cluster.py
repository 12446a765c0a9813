"""A Dask cluster of rented machines: had, used, lost, replaced, and all given back."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("distributed", reason="the extra 'fleet' is not installed")
pytest.importorskip("uvicorn", reason="the extra 'simulator' is not installed")

from distributed import Client

import advisor
from advisor.app.plan import rental_context_of
from advisor.base.errors import (
    AdvisorError,
    NothingFitsError,
    OverBudgetError,
    RentalStateUnknownError,
    UsageError,
)
from advisor.rental.reconcile import reconcile
from advisor.simulator.faults import Fault
from advisor.simulator.local import LocalContainers
from tests.fleet.furnished import furnished
from tests.rental.conftest import KEY, Street, wait_for

JOB: dict[str, Any] = {
    "workload": "resnet50",
    "epochs": 2,
    "settings": {"dataset_gb": 1},
    "budget_usd": 20.0,
    "deadline_s": 86400.0,
}
WITHIN_S = 60.0

needs_machines = pytest.mark.skipif(
    bool(LocalContainers.missing()), reason=LocalContainers.missing()
)


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    """Return a calm market whose machines are there, where that can be."""
    with furnished(tmp_path_factory.mktemp("fleet")) as opened:
        yield opened


@pytest.fixture
def lines() -> list[str]:
    """Return what takes the lines that people are told."""
    return []


@pytest.fixture
def cluster(
    street: Street, lines: list[str], request: pytest.FixtureRequest
) -> Callable[..., Any]:
    """Return a maker of clusters, each test with a ledger of its own."""

    def make(**more: Any) -> Any:
        context = street.context(request.node.name.partition("[")[0])
        object.__setattr__(context, "notify", lines.append)
        return advisor.Cluster(**{**JOB, "context": context, **more})

    return make


def home() -> str:
    return os.environ["HOME"]


# By what Dask sends a function whole: no machine has this module.
home.__module__ = "__main__"


def together(*homes: str) -> set[str]:
    return set(homes)


together.__module__ = "__main__"


def states(street: Street, test: Any) -> list[str]:
    return [one.state for one in street.entries(test.__name__)]


@needs_machines
@pytest.mark.slow  # the examples have a quick one
def test_it_grows_and_shrinks_with_the_tasks(cluster: Any, street: Street) -> None:
    """A task is worth a machine, which is given back once nothing of it is wanted."""
    with cluster(max_machines=2) as made, Client(made) as client:
        made.adapt(0, 8, interval=0.1, wait_count=2)
        time.sleep(0.3)
        assert street.instances() == []
        futures = [client.submit(home, pure=False) for _ in range(2)]
        wait_for(lambda: len(street.instances()) == 2, WITHIN_S)
        assert all("/machines/" in found for found in client.gather(futures))
        futures.pop().release()
        wait_for(lambda: len(street.instances()) == 1, WITHIN_S)
        futures.pop().release()
        wait_for(lambda: street.instances() == [], WITHIN_S)
    assert states(street, test_it_grows_and_shrinks_with_the_tasks) == ["released"] * 2


@needs_machines
def test_it_can_be_awaited(cluster: Any, street: Street) -> None:
    """In a running event loop, which nothing of it keeps."""
    test = test_it_can_be_awaited

    async def main() -> int:
        beats = 0
        async with cluster(asynchronous=True) as made:
            await made.scale(1)
            while states(street, test) != ["held"]:
                await asyncio.sleep(0.05)
                beats += 1
        return beats

    assert asyncio.run(main()) > 1
    assert states(street, test) == ["released"]
    assert street.instances() == []


@needs_machines
@pytest.mark.slow
def test_functions_run_from_an_event_loop(cluster: Any, street: Street) -> None:
    """With a client that is asynchronous, too; cancelling gives the machine back."""

    async def main() -> None:
        async with (
            cluster(asynchronous=True) as made,
            Client(made, asynchronous=True) as client,
        ):
            await made.scale(1)
            await client.wait_for_workers(1, timeout=WITHIN_S)
            assert "/machines/" in await client.submit(home)
            asyncio.get_running_loop().call_later(0.1, task.cancel)
            await asyncio.sleep(WITHIN_S)

    async def cancelled() -> None:
        nonlocal task
        task = asyncio.create_task(main())
        with pytest.raises(asyncio.CancelledError):
            await task

    task: asyncio.Task[None]
    asyncio.run(cancelled())
    assert states(street, test_functions_run_from_an_event_loop) == ["released"]
    assert street.instances() == []


@needs_machines
def test_closing_it_while_a_machine_starts_leaves_nothing(
    cluster: Any, street: Street
) -> None:
    """What is rented meanwhile is given back."""
    with cluster() as made:
        made.scale(2)
        wait_for(lambda: bool(street.instances()), WITHIN_S)
    test = test_closing_it_while_a_machine_starts_leaves_nothing
    assert set(states(street, test)) <= {"refused", "released"}
    assert street.instances() == []


def test_what_cannot_be_had_is_told_to_who_waits(
    cluster: Any, street: Street, lines: list[str]
) -> None:
    """For machines as for results: nothing hangs; and it may be tried again."""
    with cluster(gpus=["H200"], num_gpus=[7]) as made, Client(made) as client:
        waiting = client.submit(home)
        for _ in range(2):
            made.scale(1)
            with pytest.raises(NothingFitsError):
                client.wait_for_workers(1, timeout=WITHIN_S)
        with pytest.raises(Exception, match="without any running workers"):
            waiting.result(WITHIN_S)
        assert any(line.startswith("one machine fewer: ") for line in lines)
    assert street.instances() == []


def test_adapting_pauses_where_nothing_can_be_had(cluster: Any, lines: list[str]) -> None:
    """The market is asked once in five minutes, not once a second."""
    with cluster(budget_usd=0.001) as made, Client(made) as client:
        made.adapt(0, 2, interval=0.05)
        with pytest.raises(Exception, match="without any running workers"):
            client.submit(home).result(WITHIN_S)
        time.sleep(0.5)
        assert sum(line.startswith("one machine fewer: ") for line in lines) == 1
        with pytest.raises(OverBudgetError):
            client.wait_for_workers(1, timeout=WITHIN_S)


def test_after_the_deadline_nothing_is_rented(cluster: Any, street: Street) -> None:
    """It holds from the moment that the cluster was made."""
    with cluster(deadline_s=7 * 86400.0) as made:
        street.sleep(7 * 86400.0)
        made.scale(1)
        with pytest.raises(NothingFitsError, match="the cluster's deadline has come"):
            made.wait_for_workers(1, timeout=WITHIN_S)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda made: made.scale(9), "a whole number from 1 to 8"),
        (lambda made: made.scale(-1), "a whole number from 1 to 8"),
        (lambda made: made.scale(cores=4), "say how many"),
        (lambda made: made.adapt(0, 8, minimum_cores=4), "say how many"),
        (lambda made: made.adapt(9), "minimum=9: a whole number from 1 to 8"),
        (lambda made: made.adapt(3, 2), "minimum=3: a whole number from 1 to 2"),
        (lambda made: made.adapt(0, 1.5), "maximum=1.5: a whole number"),
    ],
)
def test_a_number_of_machines_that_cannot_be_is_refused(
    cluster: Any, call: Callable[[Any], None], words: str
) -> None:
    """More than there may be, or what no market sells."""
    with cluster() as made, pytest.raises(UsageError, match=words):
        call(made)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"budget": 60}, "budget: .*did you mean budget_usd?"),
        ({"deadline": 60}, "deadline: .*did you mean deadline_s?"),
        ({"max_machine": 3}, "max_machine: .*did you mean max_machines?"),
        ({"deadline_s": None}, "deadline_s is missing"),
        ({"deadline_s": 300.0}, "needs 360 s at least"),
        ({"max_lifetime_s": 300.0}, "needs 360 s at least"),
    ],
)
def test_whoever_asks_otherwise_is_told_how_to(
    cluster: Any, more: dict[str, Any], words: str
) -> None:
    """Arguments have their units in their names."""
    with pytest.raises(UsageError, match=words):
        cluster(**more)


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"max_machines": 0}, UsageError),
        ({"deadline_s": -1}, UsageError),
        ({"lease_s": None}, UsageError),
        ({"workload": "no-such-net"}, UsageError),
        ({"market": "sample"}, AdvisorError),
    ],
)
def test_what_cannot_be_is_refused_at_once(
    cluster: Any, more: dict[str, Any], error: type[AdvisorError]
) -> None:
    """Before anything is rented, and in the words of `advisor.rented`."""
    with pytest.raises(error):
        cluster(**more)


@needs_machines
def test_a_machine_that_may_be_left_is_an_error_of_the_end(
    cluster: Any, street: Street
) -> None:
    """The market says that it released it, and shows it still: `reconcile` goes on."""
    test = test_a_machine_that_may_be_left_is_an_error_of_the_end
    made = cluster()
    try:
        with made:
            made.scale(1)
            wait_for(lambda: states(street, test) == ["held"], WITHIN_S)
            street.world.set_faults(Fault("deaf", "text", ("release",)))
            with pytest.raises(RentalStateUnknownError, match="may still be there"):
                made.close()
    finally:
        street.world.set_faults()
    assert states(street, test) == ["releasing"]
    assert reconciled(street, test) == ["released"]


def reconciled(street: Street, test: Any) -> list[str]:
    """Run `advisor reconcile` for a test's ledger; return the states after it."""
    reconcile(rental_context_of(street.context(test.__name__), "vast"))
    assert street.instances() == []
    return states(street, test)


DYING = """
import asyncio, os, sys, time
from pathlib import Path
import advisor
from advisor.app.context import Context
from advisor.base.clock import Clock
from advisor.store.ledger import Ledger

url, home, key, tests, lease, way = sys.argv[1], Path(sys.argv[2]), *sys.argv[3:]
sys.path.append(tests)
from signaled import MarketTime
market = MarketTime(url)
context = Context(
    variables={"VAST_URL": url, "VAST_API_KEY": key,
               "ADVISOR_DATA_DIR": str(home / "data")},
    home=home, folder=home,
    clock=Clock(now=market.now, monotonic=market.monotonic, sleep=market.sleep),
)
asked = dict(
    workload="resnet50", epochs=2, settings={"dataset_gb": 1}, budget_usd=20.0,
    deadline_s=86400, lease_s=float(lease), context=context,
)

def wait():
    while [one.state for one in Ledger(home / "data").entries()] != ["held"]:
        time.sleep(0.05)
    print("up", flush=True)
    sys.stdin.read()

async def awaited():
    cluster = await advisor.Cluster(**asked, asynchronous=True)
    await cluster.scale(1)
    await asyncio.to_thread(wait)

if __name__ == "__main__":
    if way == "async":
        asyncio.run(awaited())
    else:
        cluster = advisor.Cluster(**asked)
        cluster.scale(1)
        wait()
"""


@contextmanager
def dying(
    street: Street, name: str, lease_s: float = 3600.0, way: str = "plain"
) -> Iterator[subprocess.Popen[str]]:
    """Start a program with a cluster of one machine, which waits once that is rented."""
    folder = street.folder / name
    folder.mkdir()
    tests = Path(__file__).parents[1] / "rental"
    words = [street.url, str(folder), KEY, str(tests), str(lease_s), way]
    with subprocess.Popen(
        [sys.executable, "-c", DYING, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        yield process


@needs_machines
@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("end", "plain"),
        pytest.param("Ctrl-C", "plain", marks=pytest.mark.slow),
        pytest.param("end of a loop", "async", marks=pytest.mark.slow),
        pytest.param("Ctrl-C in a loop", "async", marks=pytest.mark.slow),
    ],
)
def test_a_program_that_forgets_its_cluster_leaves_nothing(
    street: Street, name: str, way: str
) -> None:
    """When it ends, it waits for the market, be the event loop there or gone."""
    with dying(street, name, way=way) as process:
        if name.startswith("Ctrl-C"):
            process.send_signal(signal.SIGINT)
        _, told = process.communicate("")
        assert (process.returncode == 0) is name.startswith("end"), told
    assert [one.state for one in street.entries(name)] == ["released"]
    assert street.instances() == []


@needs_machines
@pytest.mark.slow
def test_what_a_killed_program_leaves_is_ended_by_reconcile(street: Street) -> None:
    """The ledger has it as held by a launcher that is gone."""
    test = test_what_a_killed_program_leaves_is_ended_by_reconcile
    with dying(street, test.__name__) as process:
        process.kill()
    assert states(street, test) == ["held"]
    assert reconciled(street, test) == ["released"]


@needs_machines
@pytest.mark.slow
def test_what_a_killed_program_leaves_ends_itself(tmp_path: Path) -> None:
    """It hears from nobody for as long as its lease, a minute here."""
    with furnished(tmp_path, apart=False) as street:
        with dying(street, "here", 60.0) as process:
            # The market's time passes while the program waits: it boots no machine later.
            turn = "machines/*/home/.advisor/turn"
            wait_for(lambda: any(street.folder.glob(turn)))
            process.kill()
        wait_for(lambda: street.instances() == [], 240.0)
        assert [one.state for one in street.entries()] == ["held"]


@dataclass
class Shared:
    """A cluster of two machines that several tests use, in order.

    Attributes
    ----------
    cluster, client : of Dask
    street : its market
    lines : that people were told
    """

    cluster: Any
    client: Client
    street: Street
    lines: list[str]

    @property
    def numbers(self) -> set[int]:
        """The machines that there are."""
        return {int(one["id"]) for one in self.street.instances()}

    def await_told(self, words: str) -> None:
        """Wait until people are told something."""
        wait_for(lambda: any(words in line for line in self.lines), WITHIN_S)

    def homes(self) -> set[str]:
        """Return the home of the machine of each worker."""
        workers = list(self.client.scheduler_info(n_workers=-1)["workers"])
        made = [self.client.submit(home, workers=[one], pure=False) for one in workers]
        return set(self.client.gather(made))


@pytest.fixture(scope="module")
def shared(street: Street) -> Iterator[Shared]:
    """Return a cluster of two machines, each of which is given back in the end."""
    if missing := LocalContainers.missing():
        pytest.skip(missing)
    context, lines = street.context("shared"), []
    object.__setattr__(context, "notify", lines.append)
    with (
        advisor.Cluster(**{**JOB, "name": "learn", "context": context}) as cluster,
        Client(cluster) as client,
    ):
        assert cluster.name == "learn"
        cluster.scale(2)
        client.wait_for_workers(2, timeout=WITHIN_S)
        yield Shared(cluster, client, street, lines)
    entries = street.entries("shared")
    assert len(entries) >= 2
    assert {(one.job, one.state) for one in entries} == {("learn", "released")}
    assert street.instances() == []


def fail(value: int) -> None:
    raise ValueError(value)


fail.__module__ = "__main__"


@pytest.mark.slow
def test_functions_run_on_rented_machines(shared: Shared) -> None:
    """Each on a machine of its own, and what one returns goes to the other."""
    assert len(shared.numbers) == 2
    here, there = shared.client.scheduler_info()["workers"]
    first = shared.client.submit(home, workers=[here], pure=False)
    other = shared.client.submit(home, workers=[there], pure=False)
    both = shared.client.submit(together, first, other).result(WITHIN_S)
    assert len(both) == 2
    assert str(Path.home()) not in both


def test_what_a_function_raises_is_raised_here(shared: Shared) -> None:
    """As with every cluster of Dask; nothing of it ends the machine."""
    with pytest.raises(ValueError, match="7"):
        shared.client.submit(fail, 7).result(WITHIN_S)
    assert len(shared.homes()) == 2


def processes(*words: str) -> list[int]:
    """Return the processes whose command line has all of some words."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if all(word in line for word in words):
                found.append(int(path.parent.name))
    return found


def workers_of(street: Street, instance: int) -> list[int]:
    """Return the processes of an instance's Dask workers."""
    home = street.folder / "machines" / str(instance) / "home"
    return processes("at_work.py", f"{home}/.advisor/workers/")


def connections_of(street: Street) -> list[int]:
    """Return the processes that keep a connection to a machine."""
    return processes("ssh", "ControlMaster=yes", f"{street.folder}/")


@pytest.mark.parametrize("way", ["worker", "connection"])
def test_a_worker_that_ends_is_started_again_on_its_machine(
    shared: Shared, way: str
) -> None:
    """And so it is where the connection breaks: nothing is rented for that."""
    before = shared.numbers
    workers = [process for one in before for process in workers_of(shared.street, one)]
    if way == "worker":
        os.kill(workers[0], signal.SIGKILL)
        shared.await_told("its Dask worker has died")
    else:
        os.kill(connections_of(shared.street)[0], signal.SIGKILL)
        shared.await_told("the connection broke")
    shared.client.wait_for_workers(2, timeout=WITHIN_S)
    wait_for(lambda: len(shared.homes()) == 2, WITHIN_S)
    now = [process for one in before for process in workers_of(shared.street, one)]
    assert len(now) == 2
    assert now != workers
    assert shared.numbers == before


@pytest.mark.slow
def test_a_machine_that_is_lost_is_replaced(shared: Shared) -> None:
    """What was to be done there is done on the next one."""
    before = shared.numbers
    lost = min(before)
    with shared.street.world.looked_at():
        contract = shared.street.world.rentals.contracts[lost]
        shared.street.world.rentals.fail(contract, "the machine died")
    shared.street.sleep(61.0)
    shared.await_told("is lost")
    wait_for(lambda: len(shared.numbers - before) == 1, WITHIN_S)
    wait_for(lambda: len(shared.homes()) == 2, WITHIN_S)
    assert not any(f"/{lost}/" in home for home in shared.homes())
