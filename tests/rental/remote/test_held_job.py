"""Of a job's attempts one lives at a time, and none for longer than we are heard."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from advisor.base.errors import RemoteError, UsageError
from advisor.rental.remote import held_scripts
from advisor.rental.remote.beats import beat
from advisor.rental.remote.held_job import HeldJob, HeldState, TaskScripts
from tests.living import is_alive
from tests.rental.remote.greps import as_of_busybox

Soon = Callable[..., bool]

SLEEP = "while :; do sleep 600; done"
"""A shell that runs it stays one, with its words."""

DETACHED = "import os, sys; os.setsid(); os.execv('/bin/sh', ['sh', '-c', sys.argv[1]])"
"""Leaves its session, and runs a shell."""

CLEARED = (
    "import os, sys; os.closerange(3, 256);"
    "os.execve('/bin/sh', ['sh', '-c', sys.argv[1]], {'PATH': os.environ['PATH']})"
)
"""Closes its files, clears its variables, and runs a shell in the same session."""

HIDDEN = (
    "import os, sys; os.setsid(); os.execve('/bin/sh', ['sh', '-c', sys.argv[1]],"
    " {'PATH': os.environ['PATH']})"
)
"""Leaves its session and clears its variables; its files stay open."""


LEAVING = pytest.mark.parametrize(
    "leave", [DETACHED, CLEARED, HIDDEN], ids=["detached", "cleared", "hidden"]
)


@dataclass(frozen=True)
class Trial:
    """Attempts at one job on a machine, and what a test does to them."""

    machine: Any
    name: str

    def attempt(self, number: int, lease_s: float = 600.0) -> HeldJob:
        """Return one of them."""
        return HeldJob(self.machine.ssh, f"{self.name}.{number}", self.name, lease_s)

    def begun(self, script: str, number: int = 1, lease_s: float = 600.0) -> HeldJob:
        """Start a shell script as one of them."""
        job = self.attempt(number, lease_s)
        job.start(["sh", "-c", script], folder="work")
        return job

    def folder(self, number: int = 1) -> Path:
        """Where the machine has one of them."""
        return self.machine.home / ".advisor" / "jobs" / f"{self.name}.{number}"

    def keeper(self, number: int = 1) -> int:
        """Return the process that runs one of them."""
        return int((self.folder(number) / "owner").read_text().split()[1])

    def session(self, number: int = 1) -> int:
        """Return the first process of its command, 0 before it begins."""
        file = self.folder(number) / "child"
        words = file.read_text().split() if file.exists() else []
        return int(words[1]) if words else 0

    def wardens(self, number: int = 1) -> list[int]:
        """Return the processes that count for one of them."""
        script = str(self.folder(number) / "warden").encode()
        return [
            process
            for process in _processes()
            if script in _read(process, "cmdline")
            or b"W=" + script + b"\0" in _read(process, "environ")
        ]

    def living(self, word: str) -> list[int]:
        """Return the processes of which a word is an argument."""
        argument = b"\0" + word.encode() + b"\0"
        return [one for one in _processes() if argument in _read(one, "cmdline")]


def _processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _read(process: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{process}/{name}").read_bytes()
    except OSError:
        return b""


@pytest.fixture
def trial(machine: Any, request: pytest.FixtureRequest) -> Iterator[Trial]:
    """Return attempts of a name of their own; whatever lives of them is ended."""
    name = f"t{abs(hash(request.node.name)):x}"
    yield Trial(machine, name)
    for folder in (machine.home / ".advisor" / "jobs").glob(f"{name}.*"):
        HeldJob(machine.ssh, folder.name, name, 600.0).stop()


def test_a_command_runs_to_its_end(trial: Trial) -> None:
    """As one that nobody holds does: its folder, its variables, what it prints."""
    job = trial.attempt(1)
    assert job.state() == HeldState("not_started")
    job.start(["sh", "-c", 'pwd; echo "$V" >&2; exit 7'], folder="work", env={"V": "v"})
    assert b"".join(job.follow()).decode() == f"{trial.machine.home}/work\nv\n"
    assert job.state() == HeldState("ended", 7)
    job.stop()
    assert job.state() == HeldState("ended", 7)


def test_an_attempt_starts_once(trial: Trial) -> None:
    """However many launchers start it, at once or again when it is over."""
    jobs = [
        HeldJob(
            trial.machine.another(f"held-{n}", trial.machine.ssh.endpoint),
            f"{trial.name}.1",
            trial.name,
            600.0,
        )
        for n in range(5)
    ]
    begun = f"echo begun >>../{trial.name}; sleep 0.3"
    threads = [
        threading.Thread(
            target=job.start, args=(["sh", "-c", begun],), kwargs={"folder": "work"}
        )
        for job in jobs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert b"".join(jobs[0].follow()) == b""
    jobs[1].start(["sh", "-c", begun], folder="work")
    assert (trial.machine.home / trial.name).read_text() == "begun\n"
    assert jobs[2].state() == HeldState("ended", 0)


@pytest.mark.slow
def test_of_two_attempts_one_lives(trial: Trial) -> None:
    """The second is refused while the first one lives, and says why; then it begins."""
    first = trial.begun(SLEEP)
    with pytest.raises(RemoteError, match=f"{held_scripts.EARLIER} still runs there"):
        trial.begun("true", 2)
    second = trial.attempt(2)
    assert second.state() == HeldState(
        "not_started", reason="an earlier attempt of it still runs there"
    )
    assert first.state() == HeldState("running")
    first.stop()
    assert first.state() == HeldState("ended", 143)
    trial.begun("true", 2)
    assert b"".join(second.follow()) == b""
    assert second.state() == HeldState("ended", 0)


def test_attempts_that_race_live_one_after_the_other(trial: Trial) -> None:
    """Of four that are started at once one begins; the others can begin when it is over.

    Each looks for another one while it lives, and none finds any.
    """
    lonely = (
        f"mkdir ../{trial.name}.busy || echo both >>../{trial.name}.both; sleep 3;"
        f" rmdir ../{trial.name}.busy"
    )
    outcomes: list[str] = []

    def race(number: int) -> None:
        ssh = trial.machine.another(f"race-{number}", trial.machine.ssh.endpoint)
        job = HeldJob(ssh, f"{trial.name}.{number}", trial.name, 600.0)
        try:
            job.start(["sh", "-c", lonely], folder="work")
        except RemoteError as error:
            outcomes.append(str(error))
        else:
            outcomes.append("begun")

    threads = [threading.Thread(target=race, args=(n,)) for n in range(1, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one == "begun" for one in outcomes) == [False, False, True]
    assert not (trial.machine.home / f"{trial.name}.both").exists()


@LEAVING
def test_whatever_a_command_leaves_behind_is_ended_with_it(
    trial: Trial, soon: Soon, leave: str
) -> None:
    """Its end is told only then: another attempt may begin elsewhere at once."""
    left = f": >../{trial.name}.up; {SLEEP}"
    wait = f"while [ ! -e ../{trial.name}.up ]; do sleep 0.05; done"
    argv = ["sh", "-c", f'"$0" -c "$1" "$2" & {wait}; sleep 0.3; exit 3']
    job = trial.attempt(1)
    job.start([*argv, sys.executable, leave, left], folder="work")
    assert soon(lambda: trial.living(left) != [])
    assert soon(lambda: job.state().phase == "ended")
    assert job.state() == HeldState("ended", 3)
    assert trial.living(left) == []


@pytest.mark.slow
@LEAVING
def test_children_keep_the_lock_when_their_supervisor_was_killed(
    trial: Trial, soon: Soon, leave: str
) -> None:
    """They are told as orphans, keep the next attempt away, and are ended by a stop."""
    script = (
        f'"$0" -c "$1" \': >../{trial.name}.up; while :; do sleep 600; done\' & '
        "while :; do sleep 600; done"
    )
    job = trial.attempt(1)
    job.start(["sh", "-c", script, sys.executable, leave], folder="work")
    assert soon((trial.machine.home / f"{trial.name}.up").exists)
    session = trial.session()
    os.kill(trial.keeper(), signal.SIGKILL)
    os.kill(session, signal.SIGKILL)
    assert soon(lambda: job.state() == HeldState("orphaned"))
    with pytest.raises(RemoteError, match="an earlier attempt"):
        trial.begun("true", 2)
    assert job.state() == HeldState("orphaned")
    job.stop()
    assert job.state() == HeldState("lost")
    assert b"".join(trial.begun("echo up", 2).follow()) == b"up\n"


def test_what_keeps_no_file_open_keeps_the_next_attempt_away(
    trial: Trial, soon: Soon
) -> None:
    """Python closes all files of what it starts: the lock is free, the mark is there."""
    script = (
        "import os, subprocess;"
        "subprocess.Popen(['sleep', '600'], start_new_session=True);"
        f"open('../{trial.name}.up', 'w').close(); os.kill(os.getppid(), 9);"
        "os._exit(0)"
    )
    job = trial.attempt(1)
    job.start([sys.executable, "-c", script], folder="work")
    assert soon((trial.machine.home / f"{trial.name}.up").exists)
    assert soon(lambda: job.state() == HeldState("orphaned"))
    lock = ["flock", "-n", str(trial.machine.home / ".advisor" / "locks" / trial.name)]
    assert soon(lambda: subprocess.run([*lock, "true"], check=False).returncode == 0)
    with pytest.raises(RemoteError, match=f"{held_scripts.EARLIER} started still runs"):
        trial.begun("true", 2)


def test_a_supervisor_that_was_killed_with_all_of_it_is_lost(
    trial: Trial, soon: Soon
) -> None:
    """Nobody knows how it ended; another attempt may begin."""
    job = trial.begun("exec sleep 600")
    assert soon(lambda: trial.session() > 0)
    os.kill(trial.keeper(), signal.SIGKILL)
    os.kill(trial.session(), signal.SIGKILL)
    assert soon(lambda: job.state() == HeldState("lost"))
    assert b"".join(trial.begun("echo up", 2).follow()) == b"up\n"


def test_a_stop_is_for_good(trial: Trial) -> None:
    """What was asked for before, and comes late, does not begin after it."""
    late = trial.attempt(1).task_scripts(["touch", f"../{trial.name}"], folder="work")
    trial.attempt(1).stop()
    assert trial.attempt(1).state() == HeldState("lost")
    assert _run(trial, late) == 0
    trial.attempt(1).start(["touch", f"../{trial.name}"], folder="work")
    assert trial.attempt(1).state() == HeldState("lost")
    assert b"".join(trial.attempt(1).follow()) == b""
    assert not (trial.machine.home / trial.name).exists()


def test_a_stop_beside_a_start_leaves_nothing(trial: Trial, soon: Soon) -> None:
    """Whichever is quicker: once the stop has returned, nothing lives or will."""
    for number in range(1, 4):
        job = trial.attempt(number)
        word = f"{trial.name}-{number}"
        scripts = job.task_scripts(["sh", "-c", SLEEP, word], folder="work")
        thread = threading.Thread(target=_run, args=(trial, scripts))
        thread.start()
        time.sleep(0.02 * number)
        job.stop()
        assert trial.living(word) == []
        thread.join()
        assert trial.living(word) == []
        assert job.state().phase in {"lost", "ended"}


@pytest.mark.slow
def test_what_does_not_listen_is_killed(trial: Trial, soon: Soon) -> None:
    """Asked once, waited for, and killed with all that it has started."""
    script = (
        f"trap 'echo asked >>../{trial.name}.asked' TERM; : >../{trial.name}.up;"
        " while :; do sleep 1; done"
    )
    job = trial.begun(script)
    assert soon((trial.machine.home / f"{trial.name}.up").exists)
    begun = time.monotonic()
    job.stop()
    assert 8.5 < time.monotonic() - begun < 30.0
    assert job.state() == HeldState("ended", 137)
    assert (trial.machine.home / f"{trial.name}.asked").read_text() == "asked\n"


@pytest.mark.slow
def test_a_supervisor_that_hangs_is_killed_last(trial: Trial, soon: Soon) -> None:
    """Its command is ended all the same; nobody will know how."""
    job = trial.begun(SLEEP)
    assert soon(lambda: trial.session() > 0)
    os.kill(trial.keeper(), signal.SIGSTOP)
    job.stop()
    assert job.state() == HeldState("lost")


# Without a launcher


@pytest.mark.slow
def test_a_job_that_hears_nobody_is_ended_by_its_machine(
    trial: Trial, soon: Soon
) -> None:
    """Told as that, with all that it has started, not later than the margin allows."""
    left = f"{SLEEP} # {trial.name}"
    argv = ["sh", "-c", f'"$0" -c "$1" "$2" & {SLEEP}', sys.executable, DETACHED, left]
    job = trial.attempt(1, lease_s=2.0)
    begun = time.monotonic()
    job.start(argv, folder="work")
    assert soon(lambda: trial.living(left) != [])
    assert soon(lambda: job.state() == HeldState("lapsed"))
    assert 2.0 < time.monotonic() - begun < 8.0
    assert trial.living(left) == []
    assert soon(lambda: trial.wardens() == [])
    assert b"".join(trial.begun("echo up", 2).follow()) == b"up\n"


def test_a_disk_that_is_full_does_not_lengthen_a_lease(trial: Trial, soon: Soon) -> None:
    """No file can be made any more; the launcher counts on the end all the same."""
    job = trial.begun(SLEEP, lease_s=1.0)
    assert soon(lambda: trial.session() > 0)
    (trial.folder() / "lapsed").symlink_to("/no/room/for/it")
    assert soon(lambda: job.state() == HeldState("lapsed"))
    assert soon(lambda: not is_alive(trial.session()))


@pytest.mark.slow
def test_all_of_it_is_found_where_grep_is_that_of_busybox(
    trial: Trial, soon: Soon, tmp_path: Path
) -> None:
    """It is known by its variables, whatever reads them."""
    with as_of_busybox(trial.machine.home.parent / "enter", tmp_path):
        script = f'"$0" -c "$1" "{SLEEP}" & {SLEEP}'
        job = trial.attempt(1)
        job.start(["sh", "-c", script, sys.executable, DETACHED], folder="work")
        assert soon(lambda: trial.living(SLEEP) != [])
        job.stop()
        assert trial.living(SLEEP) == []


def test_a_lock_that_cannot_be_had_is_told(trial: Trial) -> None:
    """Such as where something else has its name; nothing is begun."""
    lock = trial.machine.home / ".advisor" / "locks" / trial.name
    lock.mkdir(parents=True)
    with pytest.raises(RemoteError, match="its lock cannot be opened"):
        trial.begun("true")


@pytest.mark.slow
def test_a_job_that_hears_us_goes_on(trial: Trial) -> None:
    """As long as we are heard, and not much longer."""
    job = trial.begun(SLEEP, lease_s=2.0)
    end = time.monotonic() + 3.0
    while time.monotonic() < end:
        beat(trial.machine.ssh)
        assert job.state() == HeldState("running")
        time.sleep(0.3)
    end = time.monotonic() + 6.0
    while job.state() == HeldState("running"):
        assert time.monotonic() < end
        time.sleep(0.2)
    assert job.state() == HeldState("lapsed")


def test_a_job_whose_supervisor_is_gone_is_ended_too(trial: Trial, soon: Soon) -> None:
    """Its children are nobody's, but the warden counts on."""
    job = trial.begun(f"{SLEEP} & {SLEEP}", lease_s=3.0)
    assert soon(lambda: trial.session() > 0)
    os.kill(trial.keeper(), signal.SIGKILL)
    assert job.state() == HeldState("orphaned")
    assert soon(lambda: job.state() == HeldState("lapsed"))


@pytest.mark.slow
@pytest.mark.parametrize("which", [0, 1])
def test_a_warden_that_is_killed_counts_on(trial: Trial, soon: Soon, which: int) -> None:
    """One of its two processes begins the other anew; the count is not begun anew."""
    job = trial.begun(SLEEP, lease_s=3.0)
    begun = time.monotonic()
    assert soon(lambda: len(trial.wardens()) >= 2)
    time.sleep(1.0)
    os.kill(sorted(trial.wardens())[which], signal.SIGKILL)
    assert soon(lambda: job.state() == HeldState("lapsed"), 10.0)
    assert time.monotonic() - begun < 8.0


@pytest.mark.slow
def test_who_comes_late_does_not_begin(trial: Trial) -> None:
    """An attempt that was asked for longer ago than its lease may be elsewhere by now."""
    late = trial.attempt(1, lease_s=1.0).task_scripts(["true"], folder="work")
    time.sleep(3.0)
    assert _run(trial, late) != 0
    assert trial.attempt(1).state() == HeldState(
        "not_started", reason="it was asked for too long ago"
    )
    trial.begun("true")
    assert b"".join(trial.attempt(1).follow()) == b""
    assert trial.attempt(1).state() == HeldState("ended", 0)


@pytest.mark.slow
def test_a_start_late_in_its_lease_has_the_rest_of_it(trial: Trial, soon: Soon) -> None:
    """It counts from when it was asked for: the launcher counts from then, too."""
    scripts = trial.attempt(1, lease_s=4.0).task_scripts(["sleep", "600"], folder="work")
    asked = time.monotonic()
    time.sleep(2.5)
    assert _run(trial, scripts) == 0
    assert soon(lambda: trial.attempt(1).state() == HeldState("lapsed"))
    assert time.monotonic() - asked < 8.5


def test_what_was_asked_for_before_a_restart_does_not_begin(trial: Trial) -> None:
    """Its uptime says nothing then."""
    scripts = trial.attempt(1).task_scripts(["true"], folder="work")
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    other = TaskScripts(scripts.start.replace(boot, "0" + boot[1:]), scripts.state)
    if boot.startswith("0"):
        other = TaskScripts(scripts.start.replace(boot, "1" + boot[1:]), scripts.state)
    assert _run(trial, other) != 0
    assert trial.attempt(1).state().reason == "it was asked for too long ago"


def test_what_ended_before_its_lease_has_ended(trial: Trial, soon: Soon) -> None:
    """Nobody heard of it, and its exit code is told all the same; no warden stays."""
    job = trial.begun("exit 4", lease_s=1.0)
    assert soon(lambda: job.state() == HeldState("ended", 4))
    assert soon(lambda: trial.wardens() == [])
    time.sleep(1.5)
    assert job.state() == HeldState("ended", 4)


def _run(trial: Trial, scripts: TaskScripts) -> int:
    """Run a start on the machine itself, as a task does; return its exit code."""
    enter = [str(trial.machine.home.parent / "enter")]
    done = subprocess.run(
        enter,
        input=f"{{\n{scripts.start}\n}}\n".encode(),
        env={},
        capture_output=True,
        check=False,
    )
    return done.returncode


# What makes no sense


@pytest.mark.parametrize(
    ("name", "lock", "lease_s", "told"),
    [
        ("../x", "x", 9.0, "cannot name"),
        ("x", "a b", 9.0, "cannot name"),
        ("x", "x", 0.0, "a lease of 0 s is none"),
        ("x", "x", float("inf"), "a lease of inf s is none"),
        ("x", "x", float("nan"), "a lease of nan s is none"),
    ],
)
def test_what_cannot_be_held_is_refused(
    machine: Any, name: str, lock: str, lease_s: float, told: str
) -> None:
    """Before the machine is asked."""
    with pytest.raises(UsageError, match=told):
        HeldJob(machine.ssh, name, lock, lease_s)


@pytest.mark.parametrize("code", ["soon", "9" * 5000, "1 2"])
def test_a_machine_that_talks_nonsense_is_an_error(trial: Trial, code: str) -> None:
    """No state is made up."""
    job = trial.begun("true")
    list(job.follow())
    (trial.folder() / "exit").write_text(f"{code}\n")
    with pytest.raises(RemoteError, match="does not say"):
        job.state()


@pytest.mark.parametrize("said", ["", "x", "0-a 1", "0-a 1 x", "$(id) 1 /", "0-a -1 /"])
def test_a_machine_that_does_not_say_how_long_it_is_up_starts_nothing(
    trial: Trial, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    """Nobody could say whether a start comes late."""
    monkeypatch.setattr(held_scripts, "MOMENT", f"echo '{said}'")
    with pytest.raises(RemoteError, match="does not say how long it is up"):
        trial.begun("true")


def test_a_reason_is_short_and_plain(trial: Trial) -> None:
    """It is a stranger's."""
    trial.folder().mkdir(parents=True)
    (trial.folder() / "refused").write_text("\x1b[2Jno " + "x" * 5000)
    reason = trial.attempt(1).state().reason
    assert reason.startswith("[2Jno xxx")
    assert len(reason) <= 200


def test_a_machine_without_locks_is_told(trial: Trial) -> None:
    """Its image lacks the program; nothing is begun."""
    scripts = trial.attempt(1).task_scripts(["true"], folder="work")
    without = 'command() { [ "$2" != flock ]; }\n'
    done = trial.machine.ssh.run(without + scripts.start)
    assert done.code == 1
    assert done.reason == "its image has no flock (Debian: util-linux)"
    assert trial.attempt(1).state() == HeldState("not_started")


def test_scripts_are_for_any_shell() -> None:
    """They hold nothing of one shell's own, and each can be read as a whole."""
    for name in ("START", "STATE", "STOP", "KEEPER", "WARDEN", "ENTER", "MOMENT"):
        text = getattr(held_scripts, name)
        done = subprocess.run(
            ["sh", "-n"], input=text, text=True, capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), name
        assert "[[" not in text
        assert "<<<" not in text
