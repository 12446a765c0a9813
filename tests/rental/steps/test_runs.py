"""A command is followed on a machine to its end, and what it wrote is never lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

import advisor
from advisor.app.job import JobSpec
from advisor.app.rent import RentSpec
from advisor.app.run import RunSpec
from advisor.base.clock import Clock
from advisor.base.errors import (
    AdvisorError,
    Given,
    LeaseLostError,
    MachineLeftError,
    MarketError,
    NothingFitsError,
    OverBudgetError,
    RemoteError,
    ResultsLeftError,
    UnreachableError,
)
from advisor.market.lifecycle import Endpoint
from advisor.market.types import Query
from advisor.rental.caps import Caps
from advisor.rental.carry_out import carry_out
from advisor.rental.hold import Hold
from advisor.rental.jobs import JobRecord, job_file
from advisor.rental.launch import Launch
from advisor.rental.misfits import Misfits
from advisor.rental.presence import MachineLostError, Presence
from advisor.rental.remote.ssh import Completed
from advisor.rental.request import RentRequest
from advisor.rental.run import Run
from advisor.store.ledger import Entry
from tests.rental.steps.conftest import HOUR_S, NOW, Shop

GRACE_S = 1800.0
END = "2026-11-20 16:00 UTC"


@dataclass
class Machine:
    """A machine that says what it is told to, as `advisor.rental.remote.ssh.Ssh`.

    Attributes
    ----------
    says : what it answers, by what is asked; an error is raised
    prints : pieces that the command prints, errors, and calls
    asked : what was asked, in order
    brings : what happens where a folder is copied from it
    """

    clock: Clock
    says: dict[str, Any] = field(default_factory=dict)
    prints: list[Any] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    brings: Callable[[str], None] = lambda _: None
    heard_at: float = NOW

    def ask(self, _script: str, what: str, _timeout_s: float = 60.0) -> str:
        self.asked.append(what)
        said = self.says.get(what, "")
        if isinstance(said, Exception):
            raise said
        return str(said)

    def learn(self, _endpoints: Sequence[Endpoint]) -> None:
        """Be where it is."""

    def run(self, script: str, _timeout_s: float = 60.0) -> Completed:
        return Completed(0, self.ask(script, "running").encode(), b"")

    def stream(self, _script: str) -> Iterator[bytes]:
        for one in self.prints:
            if isinstance(one, BaseException):
                raise one
            yield one() if callable(one) else one

    def pull(
        self, _ssh: Any, remote: str, _folder: Path, meanwhile: Callable[[], None]
    ) -> None:
        """Copy from it, as `advisor.rental.incoming.copying.Incoming`."""
        self.asked.append(f"copying {remote}")
        meanwhile()
        self.brings(remote)
        meanwhile()


@dataclass
class Lab:
    """A job, its machine, and what it prints here."""

    shop: Shop
    machine: Machine
    launch: Launch
    job: JobRecord
    entry: Entry
    printed: list[bytes]
    misfits: list[tuple[str, str]]

    def run(self) -> Run:
        hold = Hold(self.shop.context, self.entry.label)
        hold.succeed(self.shop.ledger.entry(self.entry.label))
        presence = Presence(self.shop.context, self.entry, hold)
        shown = self.shop.market.shown[7]
        return Run.on(self.launch, self.job, presence, shown)

    def breaks(self, error: BaseException) -> None:
        """Have the launcher be ended by an error while it follows the command."""
        self.machine.prints.append(error)

    def copies(self, error: BaseException) -> None:
        """Have the copying of what is there fail."""

        def fail(_: str) -> None:
            raise error

        self.machine.brings = fail


@pytest.fixture
def lab(shop: Shop, tmp_path: Path) -> Lab:
    """Return a job whose command runs on a machine that has both of its folders."""
    entry = shop.write("working", ends_at=NOW + HOUR_S)
    shop.market.show(entry.label)
    machine = Machine(shop.time.clock)
    machine.says["asking how the command does"] = "running"
    for name in ("results", "checkpoints"):
        machine.says[f"looking for {name}"] = "yes\n"
    printed: list[bytes] = []
    misfits: list[tuple[str, str]] = []

    class Seen:
        """What was seen not to run."""

        def add_machine(self, misfit: str, entry: Entry) -> None:
            misfits.append((misfit, entry.label))

    class Request:
        """What is rented next."""

        query = None
        misfits = Seen()

    launch = Launch(
        context=shop.context,
        request=Request(),  # type: ignore[arg-type]
        confirm=None,
        ssh_to=lambda _: machine,  # type: ignore[arg-type,return-value]
        predicted=lambda _: {},
        output=printed.append,
        grace_s=GRACE_S,
        outgoing=lambda _: None,  # type: ignore[arg-type,return-value]
        resuming="go on",
        incoming=machine,  # type: ignore[arg-type]
    )
    rent = RentSpec(JobSpec("resnet50"))
    spec = RunSpec(
        rent,
        argv=("true",),
        folder=str(tmp_path),
        results="results",
        checkpoints="checkpoints",
    )
    job = JobRecord("job", spec)
    (shop.context.folder / "jobs" / "job").mkdir(parents=True)
    return Lab(shop, machine, launch, job, entry, printed, misfits)


def end(lab: Lab, code: int = 0) -> None:
    """Have the command end while it is followed."""
    lab.machine.says["asking how the command does"] = f"ended {code}"


def asked(lab: Lab) -> list[str]:
    """Return what was asked of the machine after the command had begun."""
    beats = ("renewing the lease", "asking how the command does")
    return [one for one in lab.machine.asked if one not in beats]


BOTH = [
    *("looking for checkpoints", "copying work/checkpoints"),
    *("looking for results", "copying work/results"),
]


def test_a_command_is_followed_to_its_end(lab: Lab) -> None:
    """What it prints is handed on and kept; its results come, and how it ended is."""
    lab.machine.prints = [b"one\n", b"", b"two\n"]
    end(lab)
    ended = lab.run().to_its_end()
    assert lab.printed == [b"one\n", b"two\n"]
    assert ended.log.read_bytes() == b"one\ntwo\n"
    assert (ended.job.exit_code, ended.symptom) == (0, None)
    assert asked(lab)[-5:] == [*BOTH, "letting the machine go"]
    document = json.loads(job_file(lab.shop.context.folder, "job").read_text())
    assert document["exit_code"] == 0


@pytest.mark.parametrize("said", ["no\n", "", "zzz"])
def test_a_folder_that_the_machine_has_not_is_not_copied(lab: Lab, said: str) -> None:
    """Only where it says that it has it."""
    end(lab)
    lab.machine.says["looking for checkpoints"] = said
    lab.run().to_its_end()
    assert asked(lab)[-4:] == [BOTH[0], *BOTH[2:], "letting the machine go"]


def test_checkpoints_come_every_five_minutes(lab: Lab) -> None:
    """Counted from the last time; what is left comes at the end."""

    def passes(seconds: float) -> Callable[[], bytes]:
        def wait() -> bytes:
            lab.shop.time.sleep(seconds)
            return b""

        return wait

    lab.machine.prints = [passes(299.0), passes(1.0), passes(299.0), passes(1.0)]
    end(lab)
    lab.run().to_its_end()
    assert lab.machine.asked.count("copying work/checkpoints") == 3
    assert lab.machine.asked.count("copying work/results") == 1


def test_checkpoints_that_cannot_come_are_told(lab: Lab) -> None:
    """The command goes on: they may come the next time."""

    def late() -> bytes:
        lab.shop.time.sleep(300.0)
        end(lab)
        return b""

    def once(_: str) -> None:
        lab.machine.brings = lambda _: None
        raise RemoteError("not now")

    lab.machine.prints, lab.machine.brings = [late], once
    assert lab.run().to_its_end().job.exit_code == 0
    assert lab.shop.said == ["no checkpoints this time: not now"]


def test_who_interrupts_gets_what_there_is(lab: Lab) -> None:
    """The command is ended, and both folders come before the machine goes."""
    lab.breaks(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        lab.run().to_its_end()
    assert asked(lab) == ["ending the command", *BOTH]


def test_a_command_that_cannot_be_ended_is_told(lab: Lab) -> None:
    """What it has written comes all the same."""
    lab.breaks(KeyboardInterrupt())
    lab.machine.says["ending the command"] = RemoteError("no")
    with pytest.raises(KeyboardInterrupt):
        lab.run().to_its_end()
    assert asked(lab)[1:] == BOTH
    assert lab.shop.said == ["the command could not be ended: no"]


@pytest.mark.parametrize(
    ("keeps", "until"),
    [("", f"its end at {END}"), (RemoteError("no"), "2026-11-20 15:30 UTC, when it")],
)
def test_what_cannot_be_copied_stays_there(lab: Lab, keeps: Any, until: str) -> None:
    """The machine answers, and has the only copy: it is kept, or waits for a launcher."""
    lab.breaks(KeyboardInterrupt())
    lab.copies(RemoteError("the disk is full"))
    lab.machine.says["keeping the machine"] = keeps
    with pytest.raises(ResultsLeftError) as caught:
        lab.run().to_its_end()
    said = str(caught.value)
    assert said.startswith(
        "what the command wrote could not be copied back: the disk is full; they stay on "
        f"instance 7, which bills, until {until}"
    )
    assert said.endswith(": mend it and 'go on'")
    assert asked(lab)[-1] == "keeping the machine"


@pytest.mark.parametrize("error", [UnreachableError("gone"), OverBudgetError("late")])
def test_what_a_machine_has_that_is_gone_is_lost_and_told(
    lab: Lab, error: AdvisorError
) -> None:
    """Nothing would be there later: it is not kept."""
    lab.breaks(KeyboardInterrupt())
    lab.copies(error)
    with pytest.raises(KeyboardInterrupt):
        lab.run().to_its_end()
    said = f"what the command wrote could not be copied back: {error}"
    assert lab.shop.said == [said]
    assert "keeping the machine" not in lab.machine.asked


def test_a_broken_machine_is_replaced_with_what_it_has(lab: Lab) -> None:
    """What does not come from it is told; another one goes on."""
    lab.breaks(RemoteError("the log is torn"))
    lab.copies(RemoteError("no"))
    with pytest.raises(MachineLostError, match="the log is torn"):
        lab.run().to_its_end()
    assert lab.shop.said == ["what the command wrote could not be copied back: no"]
    assert "keeping the machine" not in lab.machine.asked


@pytest.mark.parametrize("has_ended", [True, False])
def test_who_interrupts_the_copying_leaves_it_there(lab: Lab, has_ended: bool) -> None:
    """What to type is told, to go on and to give up."""
    if has_ended:
        end(lab)
    else:
        lab.breaks(KeyboardInterrupt())
    lab.copies(KeyboardInterrupt())
    with pytest.raises(ResultsLeftError) as caught:
        lab.run().to_its_end()
    assert str(caught.value) == (
        "interrupted before the command's results were here; they stay on instance 7, "
        f"which bills, until its end at {END}: 'go on' goes on, 'advisor release 7' "
        "gives them up"
    )


@pytest.mark.parametrize("error", [RemoteError("no"), OSError("no")])
def test_results_that_cannot_be_copied_stay(lab: Lab, error: Exception) -> None:
    """How the command ended is not written down: who goes on asks for it again."""
    end(lab)
    lab.copies(error)
    with pytest.raises(ResultsLeftError, match="has ended, but its results cannot be"):
        lab.run().to_its_end()
    assert not job_file(lab.shop.context.folder, "job").exists()


def test_results_come_until_the_lifetime_is_over(lab: Lab) -> None:
    """A machine may send without end."""
    lab.shop.time.sleep(HOUR_S - 301.0)
    end(lab)
    lab.machine.brings = lambda _: lab.shop.time.sleep(301.0)
    words = "lifetime is over before its results are here"
    with pytest.raises(OverBudgetError, match=words):
        lab.run().to_its_end()
    assert "keeping the machine" not in lab.machine.asked


def test_who_copies_keeps_its_hold(lab: Lab) -> None:
    """Nobody succeeds a launcher for that its results take long."""
    end(lab)
    lab.machine.brings = lambda _: lab.shop.time.sleep(60.0)
    lab.run().to_its_end()
    after = lab.shop.ledger.entry(lab.entry.label)
    assert after.lease_until == NOW + 2 * 60.0 + 600.0


def test_who_has_lost_its_lease_ends_no_command(lab: Lab) -> None:
    """It is another launcher's by now."""
    run = lab.run()

    def lose() -> bytes:
        lab.shop.time.sleep(60.0)
        Hold(lab.shop.context, lab.entry.label).succeed(
            lab.shop.ledger.entry(lab.entry.label)
        )
        raise KeyboardInterrupt

    lab.machine.prints = [lose]
    with pytest.raises(LeaseLostError):
        run.to_its_end()
    assert asked(lab) == []


def test_a_command_that_was_lost_is_told_as_that(lab: Lab) -> None:
    """Nobody knows how it ended; what it wrote comes."""
    lab.machine.says["asking how the command does"] = "lost"
    with pytest.raises(MachineLostError, match="the command is lost"):
        lab.run().to_its_end()
    assert asked(lab)[-5:] == ["ending the command", *BOTH]


def test_a_machine_is_another_computers_until_it_is_silent(lab: Lab) -> None:
    """For three beats; then this launcher goes on with it."""
    shop = lab.shop
    elsewhere = shop.write("working", ends_at=NOW + HOUR_S, place="another", job="far")
    shop.market.show(elsewhere.label)
    job = JobRecord("far", lab.job.spec)
    end(lab)
    lab.machine.says["running"] = "179"
    with pytest.raises(MachineLeftError, match="is followed from another computer: end"):
        carry_out(lab.launch, job)
    assert shop.state(elsewhere) == "working"
    assert any(
        "is left as it is: it may bill until its end at" in one for one in shop.said
    )


@pytest.mark.parametrize("silence", ["180", "no figure"])
def test_a_silent_machine_is_picked_up_and_ended(lab: Lab, silence: str) -> None:
    """So is one that does not say how long it has been silent."""
    shop = lab.shop
    elsewhere = shop.write("working", ends_at=NOW + HOUR_S, place="another", job="far")
    shop.market.show(elsewhere.label)
    end(lab)
    lab.machine.says["running"] = silence
    ended = carry_out(lab.launch, JobRecord("far", lab.job.spec))
    assert ended.job.exit_code == 0
    assert shop.state(elsewhere) == "released"
    assert "instance 7: picked up again" in shop.said


def test_a_machine_that_could_not_run_it_is_remembered(lab: Lab) -> None:
    """Where nothing else fits, that is how the job ended."""
    end(lab, 1)
    lab.machine.prints = [b"RuntimeError: CUDA error: no kernel image is available\n"]
    lab.machine.says["asking who was killed"] = "2"
    small = NothingFitsError("all are too small; ", Given("settings"), " mends it")
    lab.shop.market.answers["search"] = [small]
    context = replace(lab.launch.context, words=lambda one: one.worded(lambda _: "--set"))
    assert carry_out(replace(lab.launch, context=context), lab.job).job.exit_code == 1
    told = "there is no other machine for it: all are too small; --set mends it"
    assert lab.shop.said[-1] == told
    assert lab.misfits == [("host_ram_too_small", lab.entry.label)]
    assert lab.shop.state(lab.entry) == "released"


def test_what_a_job_has_beside_its_machine_is_ended_with_it(lab: Lab) -> None:
    """One that the market shows again; another computer's, or none, is not."""
    shop = lab.shop
    again = shop.write("working", instance_id=8)
    unseen = shop.write("working", instance_id=9)
    far = shop.write("working", instance_id=10, place="another")
    other = shop.write("working", instance_id=11, job="other")
    for entry in (again, unseen, far, other):
        shop.ledger.advance(entry.label, "gone", shop.time.at, "not shown")
    for entry in (again, far, other):
        shop.market.show(entry.label, entry.instance_id)
    end(lab)
    carry_out(lab.launch, lab.job)
    assert shop.market.ended == [7, 8]
    assert shop.state(again) == "released"


def test_a_market_that_cannot_be_asked_at_the_end_is_told(lab: Lab) -> None:
    """The job has ended all the same; what is left is `reconcile`'s."""
    shop = lab.shop
    lost = shop.write("working", instance_id=8)
    shop.ledger.advance(lost.label, "gone", shop.time.at, "not shown")
    end(lab)
    released = shop.market.release

    def last(number: int) -> None:
        released(number)
        shop.market.answers["instances"] = [None, MarketError("not now")]

    shop.market.release = last  # type: ignore[method-assign]
    assert carry_out(lab.launch, lab.job).job.exit_code == 0
    assert shop.said[-1] == "not now; run 'advisor reconcile'"


def test_who_goes_on_knows_what_was_predicted_of_the_machine(lab: Lab) -> None:
    """It is written down before the command begins."""
    lab.shop.market.number, lab.shop.market.usd_per_hour = 8, 0.01
    offers = advisor.rank("resnet50", market="sample", epochs=2)[:1]
    request = RentRequest(
        job="new",
        query=Query(),
        rank=lambda _: offers,
        disk_gb=40.0,
        onstart=lambda *_: "",
        caps=Caps(),
        misfits=Misfits("plain", "new", lambda: NOW, lambda _: None),
        lifetime_s=HOUR_S,
    )
    launch = replace(
        lab.launch, request=request, predicted=lambda _: {"samples_per_s": 5.0}
    )
    lab.breaks(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        carry_out(launch, JobRecord("new", lab.job.spec))
    document = json.loads(job_file(lab.shop.context.folder, "new").read_text())
    assert document["predicted"] == {"samples_per_s": 5.0}
    assert document["exit_code"] is None
    assert lab.shop.market.ended == [8]
