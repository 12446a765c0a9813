"""`advisor run` and `rented()` on machines that really run, with a real ssh server."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

pytest.importorskip("uvicorn", reason="the extra 'simulator' is not installed")

import advisor
from advisor.app.jobs import load_job
from advisor.app.plan import rental_context_of
from advisor.base.errors import NothingFitsError, RemoteError, UsageError
from advisor.rental.caps import commitments
from advisor.rental.release import release as end_rental
from advisor.simulator.local import LocalContainers
from advisor.store.database import open_store
from advisor.store.ledger import State
from advisor.store.runs import stored_runs
from tests.rental.conftest import RUN

if missing := LocalContainers.missing():
    pytest.skip(missing, allow_module_level=True)
if shutil.which("rsync") is None:
    pytest.skip("rsync is not installed", allow_module_level=True)

JOB = ("--epochs", "2", "--set", "dataset_gb=1", "--yes")
KEY = "test-key-0123456789abcdef"
LOG_LINE = (
    '{"train_runtime": 100.0, "train_samples_per_second": 1268.0, '
    '"train_steps_per_second": 4.953, "train_loss": 0.3, "epoch": 1.0}'
)
BAR = (
    "Epoch 1:  50%|#####     | 1000/2000 [03:20<03:20,  5.00it/s, loss=6.9]\n"
    "Epoch 1: 100%|##########| 2000/2000 [06:40<00:00,  5.00it/s, loss=5.9]\n"
)


@pytest.fixture
def street(inhabited: Any) -> Any:
    """Return a calm market whose machines are there."""
    return inhabited


def test_a_command_goes_there_and_its_results_come_back(
    street: Any, project: Path
) -> None:
    """Output is shown, results are copied, throughput recorded, the machine released."""
    script = f"mkdir results && cp data.txt results/ && echo '{LOG_LINE}' && pwd"
    done = street.run(project, script, "--job", "mine")
    assert done.exit_code == 0, done.stderr
    assert LOG_LINE in done.stdout
    assert (project / "results" / "data.txt").read_text() == "input"
    assert "got 1,270" in done.stderr
    assert street.instances() == []
    with open_store(street.folder / "here" / "data") as store:
        (kept,) = stored_runs(store)
    assert (kept.run.workload, kept.run.samples_per_s) == ("resnet50", 1268.0)
    assert [one.state for one in street.entries()] == ["released"]


def test_what_takes_long_is_told(street: Any, project: Path) -> None:
    """The market, the machine, what goes and what comes back, in their order."""
    told: list[str] = []

    def progress(
        what: str, done: float = 0.0, of: float | None = None, unit: str = ""
    ) -> None:
        if what and what not in told:
            told.append(what)

    script = "mkdir results && cp data.txt results/"
    context = replace(street.context(), progress=progress)
    line = [*RUN, "--sync", str(project), "--", "sh", "-c", script]
    done = street.run_command(line, context)
    assert done.exit_code == 0, done.stderr
    first, *_ = told
    assert first.startswith("asking 127.0.0.1")
    others = [
        one
        for one in told
        if one.startswith(("waiting for the machine", "seeing", "sending", "copying"))
    ]
    assert others == [
        "waiting for the machine",
        "seeing that the machine has rsync",
        f"sending {project.name}",
        "copying back results",
    ]


@pytest.mark.slow
def test_a_machine_that_answers_at_another_port_is_followed_there(
    street: Any, host: LocalContainers, project: Path, tmp_path: Path
) -> None:
    """Its command goes on meanwhile: it is begun once, and nothing is rented anew."""
    begun, ends = tmp_path / "begun", tmp_path / "ends"

    def move() -> None:
        wait_for(begun.exists)
        at = host.move(street.instances()[0]["id"])
        with street.world.looked_at():
            (contract,) = street.world.rentals.contracts.values()
            contract.endpoint = at
        ends.touch()

    moving = threading.Thread(target=move)
    moving.start()
    script = (
        f"echo begun >>{begun}; until [ -e {ends} ]; do sleep 0.1; done; "
        "mkdir results; echo done >results/out"
    )
    done = street.run(project, script)
    moving.join()
    assert done.exit_code == 0, done.stderr
    assert begun.read_text() == "begun\n"
    assert (project / "results" / "out").read_text() == "done\n"
    assert len(street.entries()) == 1


@pytest.fixture
def printing(street: Any, project: Path) -> Callable[..., Any]:
    """Return what runs a command that prints a text and ends with a code."""

    def start(text: str, *words: str, code: int = 0) -> Any:
        (project / "printed").write_text(text)
        return street.run(project, f"cat printed; exit {code}", *words)

    return start


def records(street: Any) -> list[Any]:
    with open_store(street.folder / "here" / "data") as store:
        return list(stored_runs(store))


@pytest.mark.slow
def test_what_lacks_evidence_is_told_and_not_recorded(
    street: Any, printing: Callable[..., Any]
) -> None:
    """A bar of data, a bar without a batch: seen, said how to record, not believed."""
    done = printing("Converting: 100%|####| 400/400 [03:20<00:00,  2.01it/s]\n")
    assert done.exit_code == 0, done.stderr
    assert "no bar is of a training: there is 'Converting'" in done.stderr
    done = printing(BAR, "--job", "bar")
    assert "tqdm: 2,000 steps in 400 s" in done.stderr
    assert "neither the log nor the setting batch_size states the batch" in done.stderr
    command = done.stderr.partition("this records it: ")[2].splitlines()[0]
    assert command.startswith("advisor record --workload resnet50 --gpu ")
    assert records(street) == []
    words = command.replace("SAMPLES", "128").removeprefix("advisor ")
    kept = street.launch(*shlex.split(words))
    assert kept.exit_code == 0, kept.stderr
    (one,) = records(street)
    assert (one.run.batch_size, one.source) == (128, "tqdm")


@pytest.mark.slow
def test_the_batch_that_was_set_counts(street: Any, printing: Callable[..., Any]) -> None:
    """It is the user's word; that all of several GPUs trained is nobody's."""
    words = ("--set", "batch_size=100", "--num-gpus")
    done = printing(BAR, *words, "2", "--job", "pair")
    assert "nothing shows that all 2 GPUs trained" in done.stderr
    assert records(street) == []
    done = printing(BAR, *words, "1")
    assert done.exit_code == 0, done.stderr
    (one,) = records(street)
    assert one.run.samples_per_s == pytest.approx(500.0)
    assert one.run.batch_size == 100
    assert any(
        part["from"].startswith("the user's batch") for part in one.evidence["parts"]
    )
    assert "record 1: " in done.stderr


def test_a_command_that_died_is_not_measured(
    street: Any, printing: Callable[..., Any]
) -> None:
    """However well its bar looks: it may have stood, or run on half of the machine."""
    done = printing(BAR, "--set", "batch_size=100", code=1)
    assert done.exit_code == 8
    assert "the command failed: no throughput is recorded" in done.stderr
    assert records(street) == []


def test_a_command_that_fails_says_so_and_leaves_no_machine(
    street: Any, project: Path
) -> None:
    """What it wrote comes back all the same."""
    done = street.run(project, "mkdir results && echo half >results/x; exit 9")
    assert done.exit_code == 8
    assert "your command ended with exit code 9; see " in done.stderr.splitlines()[-1]
    assert (project / "results" / "x").read_text() == "half\n"
    assert street.instances() == []


def test_a_program_is_told_how_it_ended(street: Any, project: Path) -> None:
    """JSON alone on stdout, with exit code, signal and log; beside it what it prints."""
    line = ["run", "--workload", "resnet50", *JOB, "--sync", str(project), "--json"]
    done = street.launch(*line, "--job", "short", "sh", "-c", "echo hello; kill -TERM $$")
    assert done.exit_code == 8
    document = done.document
    assert (document["state"], document["job"]) == ("ended", "short")
    assert (document["exit_code"], document["signal"]) == (143, "SIGTERM")
    assert Path(document["log"]).read_text() == "hello\n"
    assert "hello" in done.stderr
    assert "exit code 143 (SIGTERM)" in done.stderr.splitlines()[-1]
    nothing = street.launch(*line, "--gpu", "H100", "--max-price", "0.01", "true")
    assert nothing.exit_code == 3
    assert nothing.document["state"] == "not_ended"
    assert nothing.document["exit_code"] is None


@pytest.mark.slow
def test_a_job_that_has_ended_well_rents_nothing_more(street: Any, project: Path) -> None:
    """Its launcher says so; one that has failed begins again."""
    assert street.run(project, "true", "--job", "good").exit_code == 0
    again = street.launch("run", "--yes", "--resume", "good", "--json")
    assert again.exit_code == 0
    assert "job good has ended well: nothing is rented" in again.stderr
    assert again.document["exit_code"] == 0
    assert street.run(project, "exit 3", "--job", "bad").exit_code == 8
    assert street.launch("run", "--yes", "--resume", "bad").exit_code == 8
    assert [one.job for one in street.entries()] == ["good", "bad", "bad"]


def test_what_is_typed_to_resume_is_told_whole(street: Any, project: Path) -> None:
    """The job keeps the rest, how long its machines wait among it."""
    done = street.run(project, "true", "--job", "mine", "--grace", "2h")
    assert "'advisor run --resume mine --yes' goes on" in done.stderr
    kept, spec = load_job(street.context().data_folder, "mine")
    assert (kept.spec, spec.grace_s) == (spec, 7200.0)


def test_what_arrives_is_what_was_told(street: Any, project: Path) -> None:
    """By the rules of git and ours, and nothing of what is held back."""
    for name in ("data/big", "out/kept", "out/x", "sub/a.py", ".env", "link"):
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text(name)
    (project / "link").unlink()
    (project / "link").symlink_to("sub/a.py")
    (project / ".gitignore").write_text("data/\nout/*\n!out/kept\n")
    line = ["run", "--workload", "resnet50", *JOB, "--sync", str(project)]
    script = ["sh", "-c", "find . ! -type d | sort; cat sub/a.py"]
    dry = street.launch(*line, "--dry-run", "--json", *script)
    done = street.launch(*line, *script)
    assert done.exit_code == 0, done.stderr
    *names, last = done.stdout.splitlines()
    assert last == "sub/a.py"
    told = [one["path"] for one in dry.document["sync"]["files"]]
    assert [name.removeprefix("./") for name in names] == told
    assert told == [".gitignore", "data.txt", "link", "out/kept", "sub/a.py"]
    assert "5 files" in done.stderr
    assert "held back: .env (environment file)" in done.stderr
    assert "ignored, stays here: data, out/x" in done.stderr


@pytest.mark.slow
def test_a_machine_that_is_lost_is_replaced(street: Any, project: Path) -> None:
    """The command starts again beside the checkpoints that had come back.

    Git ignores them, as it mostly does; those of another run stay here.
    """
    first = "mkdir -p checkpoints && echo 7 >checkpoints/epoch && echo saved && sleep 60"
    again = "ls checkpoints; cat checkpoints/epoch"
    script = f"if [ -f checkpoints/epoch ]; then {again}; else {first}; fi"
    (project / ".gitignore").write_text("checkpoints/\n")
    (project / "checkpoints").mkdir()
    (project / "checkpoints" / "of another run").write_text("90")

    machines = street.folder / "machines"

    def lose() -> None:
        wait_for(lambda: any(machines.glob("*/home/work/checkpoints/epoch")))
        wait_for(lambda: street.entries()[0].state == "working")
        for _ in range(5):  # a launcher on a busy computer may look later
            street.sleep(301.0)  # time to fetch checkpoints
            with suppress(AssertionError):
                wait_for((project / "checkpoints" / "epoch").exists, 10.0)
                break
        (number,) = [one["id"] for one in street.instances()]
        with street.world.looked_at():
            contract = street.world.rentals.contracts[number]
            street.world.rentals.fail(contract, "the machine died")
        street.sleep(61.0)

    thief = threading.Thread(target=lose)
    thief.start()
    done = street.run(project, script, "--max-lifetime", "90d")
    thief.join()
    assert done.exit_code == 0, done.stderr
    assert "machine lost" in done.stderr
    assert done.stdout.splitlines()[-2:] == ["epoch", "7"]
    assert "of another run" not in done.stdout
    assert len(street.entries()) == 2
    assert street.instances() == []


@pytest.mark.slow
def test_another_launcher_goes_on_with_a_job(
    street: Any, project: Path, launching: Any
) -> None:
    """The launcher was killed, the command has run on: nothing is started twice."""
    script = (
        "echo begun >>starts; sleep 2; mkdir -p results; cp starts results/; echo end"
    )
    words = ["run", "--workload", "resnet50", *JOB, "--sync", str(project)]
    words += ["--job", "long", "--", "sh", "-c", script]
    folder = street.folder / "here"
    first = launching(street)
    ended: list[Any] = []
    thread = threading.Thread(target=lambda: ended.append(first(*words)))
    thread.start()
    machines = street.folder / "machines"
    wait_for(lambda: any(machines.glob("*/home/work/starts")))
    wait_for(lambda: street.entries()[0].state == "working")
    os.kill(int((folder / "launcher.pid").read_text()), signal.SIGKILL)
    thread.join()
    assert ended[0]["code"] == -signal.SIGKILL
    assert street.launch("reconcile").exit_code == 0
    assert len(street.instances()) == 1
    done = street.launch("run", "--yes", "--resume", "long")
    assert done.exit_code == 0, done.stderr
    assert (project / "results" / "starts").read_text() == "begun\n"
    assert done.stdout.splitlines()[-1] == "end"
    assert street.instances() == []


def test_a_job_that_was_released_gets_no_other_machine(
    street: Any, project: Path
) -> None:
    """Who releases it wants it to end; its launcher says so and ends."""

    def release() -> None:
        machines = street.folder / "machines"
        wait_for(lambda: any(machines.glob("*/home/work/begun")))
        wait_for(lambda: street.entries()[0].state == "working")
        ids = [str(one["id"]) for one in street.instances()]
        # Not by the command: its launcher has the process of this test, and the lock.
        context = street.context()
        rental_context = rental_context_of(context, "vast")
        (entry,) = street.entries()
        assert ids == [str(entry.instance_id)]
        end_rental(rental_context, entry, "you released it")
        street.sleep(61.0)

    thread = threading.Thread(target=release)
    thread.start()
    done = street.run(project, "touch begun; sleep 600")
    thread.join()
    assert done.exit_code == 1
    assert "was released" in done.stderr
    assert len(street.entries()) == 1
    assert street.instances() == []


@pytest.mark.slow
def test_an_interrupted_launcher_rents_nothing_more(
    street: Any, project: Path, launching: Any
) -> None:
    """Ctrl-C while the machine cannot be reached: it is ended, and none takes over."""
    folder = street.folder / "here"
    launcher = launching(street)
    words = ["run", "--workload", "resnet50", *JOB, "--sync", str(project)]
    ended: list[Any] = []
    line = [*words, "--", "sh", "-c", "touch begun; sleep 600"]
    thread = threading.Thread(target=lambda: ended.append(launcher(*line)))
    thread.start()
    machines = street.folder / "machines"
    wait_for(lambda: any(machines.glob("*/home/work/begun")))
    wait_for(lambda: street.entries()[0].state == "working")
    number = street.instances()[0]["id"]
    street.world._host.stop(number)  # the machine runs, says the market; ssh is gone
    os.kill(int((folder / "launcher.pid").read_text()), signal.SIGTERM)
    thread.join(60.0)
    assert ended[0]["code"] != 0
    assert f"instance {number}: released" in ended[0]["stderr"]
    assert len(street.entries()) == 1
    assert street.instances() == []


@pytest.mark.slow
@pytest.mark.skipif(
    "working" not in get_args(State), reason="the ledger has one state for two owners"
)
def test_a_machine_that_was_rented_for_the_user_is_not_taken(
    street: Any, project: Path
) -> None:
    """A job of its name shares its budget, and gets a machine of its own."""
    assert street.rent("--job", "lab").exit_code == 0
    done = street.run(project, "echo hello", "--job", "lab", "--budget", "50")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines() == ["hello"]
    assert len(street.instances()) == 1
    assert [one.state for one in street.entries()] == ["handed", "released"]
    broke = street.run(project, "echo hello", "--job", "lab", "--budget", "0.01")
    assert broke.exit_code == 6


def test_a_job_that_nobody_knows_cannot_be_resumed(street: Any) -> None:
    """The message names those that there are."""
    done = street.launch("run", "--yes", "--resume", "other")
    assert done.exit_code == 2
    assert "there is none" in done.stderr


@pytest.mark.slow
def test_a_resumed_job_takes_other_options_for_its_next_machine(
    street: Any, project: Path
) -> None:
    """A budget that was too small is raised; what the job is cannot be changed."""
    words = ("--job", "poor", "--budget", "0.001")
    assert street.run(project, "echo done", *words).exit_code == 6
    for fixed in (("--epochs", "3"), ("--sync", "."), ("--interruptible",)):
        done = street.launch("run", "--yes", "--resume", "poor", *fixed)
        assert done.exit_code == 2
        assert f"{fixed[0]} cannot be given with it" in done.stderr
    done = street.launch("run", "--yes", "--resume", "poor", "echo")
    assert done.exit_code == 2
    assert "no command is given with it" in done.stderr
    assert street.launch("run", "--yes", "--resume", "poor").exit_code == 6
    done = street.launch("run", "--yes", "--resume", "poor", "--budget", "20")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines() == ["done"]


def rented(street: Any, **options: Any) -> Any:
    return advisor.rented(
        "resnet50",
        epochs=2,
        settings={"dataset_gb": 1},
        context=street.context(),
        **options,
    )


def test_a_machine_is_there_for_a_block_and_gone_after_it(
    street: Any, project: Path, tmp_path: Path
) -> None:
    """Folders go there and back, commands run in between."""
    (project / ".gitignore").write_text("data.*\n")
    (project / ".netrc").write_text("machine example login me")
    with rented(street, max_epoch_usd=5.0, budget_usd=20.0) as machine:
        assert [one["state"] for one in street.instances()] == ["running"]
        for wrong in ({"max_gb": 1e-9}, {"includes": ["no"]}, {"excludes": "data"}):
            with pytest.raises(UsageError):
                machine.put(project, **wrong)
        with pytest.raises(UsageError, match="advisor's own folder"):
            machine.put(street.context().data_folder)
        with pytest.raises(UsageError, match="has your home folder"):
            machine.put(street.context().home)
        machine.put(project, excludes=["nothing"], includes=["data.txt"])
        assert machine.run("ls -A").stdout == b".gitignore\ndata.txt\n"
        assert machine.run("cat data.txt").stdout == b"input"
        machine.run(["sh", "-c", 'mkdir out && echo "$0" >out/x', "it's"])
        machine.get(tmp_path / "out", "out")
        with pytest.raises(RemoteError, match="ended with 3"):
            machine.run("exit 3")
        assert machine.run("exit 3", check=False).code == 3
    assert (tmp_path / "out" / "x").read_text() == "it's\n"
    assert street.instances() == []


def test_the_traffic_of_a_block_counts_after_it(street: Any) -> None:
    """What was used has paid for its data, though it was never handed over."""
    with rented(street, name="shared") as machine:
        predicted = machine.rental.entry.traffic_usd
    (entry,) = street.entries()
    assert predicted > 0
    (spent,) = commitments([entry], [], entry.closed_at or 0.0)
    assert spent.traffic_usd == predicted


def test_an_error_in_the_block_releases_the_machine(street: Any) -> None:
    """And comes out as it was raised."""
    with pytest.raises(KeyError, match="mine"), rented(street, budget_usd=20.0):
        raise KeyError("mine")
    assert street.instances() == []
    assert [one.state for one in street.entries()] == ["released"]


def test_what_does_not_fit_raises_before_the_block(street: Any) -> None:
    """With the error of the reason."""
    with (
        pytest.raises(NothingFitsError),
        rented(street, deadline_s=60.0, budget_usd=20.0),
    ):
        pytest.fail("nothing fits")
    assert street.instances() == []


def test_a_lifetime_ends_in_the_middle_of_a_block(street: Any) -> None:
    """The machine is gone then, whatever the block does."""
    with rented(street, budget_usd=20.0, max_lifetime_s=150.0):
        with street.world.lock:
            left = street.entries()[0].ends_at - street.world.clock.now()
        street.sleep(max(left, 0.0))
        wait_for(lambda: not street.instances())
    assert [one.state for one in street.entries()] == ["released"]


@pytest.mark.slow
def test_several_machines_at_once_by_async_with(street: Any) -> None:
    """Each has its own; all are gone at the end, also where one fails."""

    async def train(number: int) -> bytes:
        async with rented(street, name="sweep", budget_usd=90.0) as machine:
            done = await machine.run(f"echo {number}; exit $(({number} == 1))")
            return bytes(done.stdout)

    async def sweep() -> list[Any]:
        return await asyncio.gather(*map(train, range(2)), return_exceptions=True)

    first, second = asyncio.run(sweep())
    assert first == b"0\n"
    assert isinstance(second, RemoteError)
    assert street.instances() == []
    assert len({one.machine_id for one in street.entries()}) == 2


def test_a_task_that_is_cancelled_while_it_rents_leaves_nothing(street: Any) -> None:
    """What it gets after that is released."""

    async def give_up() -> None:
        async with rented(street, budget_usd=20.0):
            pytest.fail("it was cancelled before")

    async def main() -> None:
        task = asyncio.create_task(give_up())
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert street.instances() == []


@pytest.mark.slow  # a machine waits for a minute at least
def test_the_machine_ends_itself_when_its_launcher_is_gone(
    make_street: Callable[..., Any], host: LocalContainers, launching: Any, project: Path
) -> None:
    """With its own key, when it has heard nobody for as long as it was told to wait."""
    street = make_street(host=host)
    words = ["run", "--workload", "resnet50", *JOB, "--sync", str(project)]
    words += ["--grace", "1m", "--", "sleep", "600"]
    folder = street.folder / "here"
    launcher = launching(street)
    thread = threading.Thread(target=lambda: launcher(*words))
    thread.start()
    wait_for(lambda: [one.state for one in street.entries()] == ["working"])
    os.kill(int((folder / "launcher.pid").read_text()), signal.SIGKILL)
    thread.join()
    assert len(street.instances()) == 1
    wait_for(lambda: not street.instances(), 120.0)


def wait_for(done: Callable[[], bool], within_s: float = 60.0) -> None:
    end = time.monotonic() + within_s
    while not done():
        assert time.monotonic() < end, "it does not come to that"
        time.sleep(0.1)
