"""A command on the machine lives on, runs once, and loses no byte of what it prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from advisor.base.clock import Clock
from advisor.base.errors import RemoteError, UnreachableError, UsageError
from advisor.market.lifecycle import Endpoint, SelfRelease
from advisor.rental.remote.job import JobState, RemoteJob, command_script
from advisor.rental.remote.ssh import Ssh, ensure_key
from advisor.rental.remote.watchdog import onstart_script
from advisor.simulator.containers import Container
from advisor.simulator.local import LocalContainers
from tests.living import is_alive
from tests.rental.remote.greps import as_of_busybox

_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
_WORD = _TEXT | st.sampled_from(["", "-n", "--", "'", '"', "$HOME", "`id`", "\n", "*"])

SHOW = [
    sys.executable,
    "-c",
    "import json, os, sys; print(json.dumps([sys.argv[1:], os.environ.get('V')]))",
]


def run(machine: Any, name: str, argv: Sequence[str], **more: Any) -> bytes:
    """Run a command to its end and return what it printed."""
    job = RemoteJob(machine.ssh, name)
    job.start(argv, folder="work", **more)
    return b"".join(job.follow())


def test_a_command_runs_to_its_end(machine: Any) -> None:
    """In its folder, with what it prints on either stream, and its exit code."""
    job = RemoteJob(machine.ssh, "plain")
    assert job.state() == JobState("not_started")
    assert b"".join(job.follow()) == b""
    job.start(["sh", "-c", "pwd; echo b >&2; exit 7"], folder="work/deep er")
    assert b"".join(job.follow()).decode() == f"{machine.home}/work/deep er\nb\n"
    assert job.state() == JobState("ended", 7)


def test_what_a_command_has_printed_can_be_looked_at(machine: Any) -> None:
    """While it runs and after: what is new, and the last of it where that is much."""
    job = RemoteJob(machine.ssh, "looked")
    assert job.printed(0, 100) == (0, b"")
    os.mkfifo(f"{machine.home}/go")
    job.start(["sh", "-c", "printf '%s\\n' one two; read x <~/go"], folder="w")
    while job.printed(0, 100)[1].count(b"\n") < 2:  # the suite ends a test that hangs
        pass
    assert job.printed(0, 100) == (0, b"one\ntwo\n")
    assert job.printed(4, 100) == (4, b"two\n")
    assert job.printed(0, 3) == (5, b"wo\n")
    job.stop()
    assert job.printed(8, 100) == (8, b"")


def test_every_exit_code_is_told_as_it_is(machine: Any) -> None:
    """Also the one that ssh has for itself."""
    run(machine, "code", ["sh", "-c", "exit 255"])
    assert RemoteJob(machine.ssh, "code").state() == JobState("ended", 255)


def test_a_command_that_is_not_there_ends_as_a_shell_tells_it(machine: Any) -> None:
    """127, and the log says which."""
    assert b"no-such-program" in run(machine, "none", ["no-such-program"])
    assert RemoteJob(machine.ssh, "none").state() == JobState("ended", 127)


def test_arguments_and_variables_arrive_as_they_are(machine: Any) -> None:
    """Spaces, quotes, newlines, other scripts: nothing is read by a shell."""
    words = ["a b", "'\"$HOME`id`", "\n\n", "", "-x", "Grüße ☃", "*", "\\", "!x"]
    said = run(machine, "words", [*SHOW, *words], env={"V": "it's\n$V"})
    assert json.loads(said) == [words, "it's\n$V"]


def test_any_argument_arrives(machine: Any) -> None:
    """Two hundred drawn command lines, each as the script that runs it, in one job."""
    drawn: list[list[str]] = []

    @settings(max_examples=200, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(_WORD, max_size=5))
    def draw(words: list[str]) -> None:
        drawn.append(words)

    draw()
    assert len(drawn) >= 200
    show = ["/usr/bin/printf", "%s\\0"]
    scripts = [
        command_script([*show, *words, "end"], "work", {"V": "".join(words)})
        for words in drawn
    ]
    together = "".join(
        f"(\n{script}\n)\nprintf '%s\\0' \"$?\"\n".replace(
            "exec /usr", "exec </dev/null /usr"
        )
        for script in scripts
    )
    said = run(machine, "many", ["sh", "-c", together]).decode().split("\0")
    expected = [field for words in drawn for field in (*words, "end", "0")]
    assert said[:-1] == expected


def test_bytes_that_are_no_text_arrive_too(machine: Any) -> None:
    """A file name may be any bytes; Python hands them over as surrogates."""
    assert run(machine, "bytes", ["/usr/bin/printf", "%s", "\udcff"]) == b"\xff"


@pytest.mark.parametrize(
    ("argv", "env"),
    [
        ([], {}),
        ([""], {}),
        (["a\0b"], {}),
        (["a"], {"A B": "1"}),
        (["a"], {"_ADVISOR_JOB": "x"}),
        (["a"], {"A": "\0"}),
    ],
)
def test_what_no_process_can_have_is_refused(
    argv: list[str], env: dict[str, str]
) -> None:
    """Before the machine is asked."""
    with pytest.raises(UsageError):
        command_script(argv, "work", env)


def test_a_name_that_is_a_path_is_refused(machine: Any) -> None:
    """It becomes a folder on the machine."""
    with pytest.raises(UsageError, match="cannot name"):
        RemoteJob(machine.ssh, "../x")


def test_a_command_starts_once(machine: Any) -> None:
    """However many launchers start it, at once or again when it is over."""
    script = "echo begun >>../starts; sleep 0.3"
    jobs = [
        RemoteJob(machine.another(f"starts-{n}", machine.ssh.endpoint), "once")
        for n in range(6)
    ]
    threads = [
        threading.Thread(
            target=job.start, args=(["sh", "-c", script],), kwargs={"folder": "work"}
        )
        for job in jobs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert b"".join(jobs[0].follow()) == b""
    jobs[1].start(["sh", "-c", script], folder="work")
    assert (machine.home / "starts").read_text() == "begun\n"


def test_a_cut_connection_loses_nothing(machine: Any) -> None:
    """Cut four times in the middle: the command goes on, each byte comes once."""
    script = (
        "import os, sys, time\n"
        "for part in range(5):\n"
        "    for n in range(300):\n"
        "        sys.stdout.write(f'{part}:{n}\\r' if n % 3 else f'{part}:{n}\\n')\n"
        "        if n % 50 == 0: time.sleep(0.02)\n"
        "    while not os.path.exists(f'../cut {part}'): time.sleep(0.01)\n"
        "sys.exit(5)"
    )
    pauses: list[float] = []
    clock = Clock(sleep=pauses.append)
    ssh = Ssh([machine.ssh.endpoint], machine.key_file, machine.folder / "c", clock)
    job = RemoteJob(ssh, "cut")
    job.start([sys.executable, "-c", script], folder="work")
    came, cuts = b"", 0
    for piece in job.follow():
        came += piece
        if f"{cuts}:".encode() in came:
            if cuts < 4:
                assert machine.cut() >= 1
            (machine.home / f"cut {cuts}").touch()
            cuts += 1
    assert came.decode() == "".join(
        f"{part}:{n}\r" if n % 3 else f"{part}:{n}\n"
        for part in range(5)
        for n in range(300)
    )
    assert (cuts, len(pauses)) == (5, 4)
    assert job.state() == JobState("ended", 5)


def test_a_log_is_followed_from_where_it_is_known(machine: Any) -> None:
    """A launcher that comes back has the first bytes already."""
    run(machine, "offset", ["printf", "0123456789"])
    job = RemoteJob(machine.ssh, "offset")
    assert [b"".join(job.follow(at)) for at in (0, 4, 10)] == [
        b"0123456789",
        b"456789",
        b"",
    ]


def test_what_is_printed_comes_while_it_runs(machine: Any) -> None:
    """A progress bar too, which ends no line; in silence the caller gets a turn."""
    job = RemoteJob(machine.ssh, "bar")
    wait = "while [ ! -e ../seen ]; do sleep 0.05; done"
    script = f"printf '1%%\\r'; {wait}; printf '2%%\\r'"
    job.start(["sh", "-c", script], folder="work")
    pieces, seen = job.follow(), b""
    while not seen:
        seen += next(pieces)
    assert next(pieces) == b""
    (machine.home / "seen").touch()
    assert (seen, b"".join(pieces)) == (b"1%\r", b"2%\r")


def test_the_launcher_may_die(machine: Any) -> None:
    """Killed while it follows, with its ssh: the command goes on, another follows it."""
    script = (
        "import sys; from pathlib import Path; from advisor.base.clock import Clock;"
        "from advisor.market.lifecycle import Endpoint;"
        "from advisor.rental.remote.ssh import Ssh;"
        "from advisor.rental.remote.job import *;"
        "a = sys.argv;"
        "s = Ssh([Endpoint('127.0.0.1', int(a[1]))], Path(a[2]), Path(a[3]), Clock());"
        "j = RemoteJob(s, 'orphan');"
        "w = 'echo 1; while [ ! -e ../died ]; do sleep 0.05; done; echo 2';"
        "j.start(['sh', '-c', w], folder='work');"
        "[print(p.decode(), end='', flush=True) for p in j.follow()]"
    )
    at = machine.ssh.endpoint
    words = [str(at.port), str(machine.key_file), str(machine.folder / "orphan")]
    with subprocess.Popen(
        [sys.executable, "-c", script, *words], stdout=subprocess.PIPE
    ) as launcher:
        assert launcher.stdout is not None
        assert launcher.stdout.readline() == b"1\n"
        launcher.kill()
    machine.cut()
    job = RemoteJob(machine.ssh, "orphan")
    assert job.state() == JobState("running")
    (machine.home / "died").touch()
    assert b"".join(job.follow(2)) == b"2\n"
    assert job.state() == JobState("ended", 0)


def test_a_command_whose_machine_restarts_is_lost(machine: Any) -> None:
    """All its processes are gone and no exit code is there: nobody knows."""
    job = RemoteJob(machine.ssh, "lost")
    job.start(["sleep", "60"], folder="work")
    owner = machine.home / ".advisor" / "jobs" / "lost" / "owner"
    _, process, _ = owner.read_text().split()
    assert job.state() == JobState("running")
    job.ssh.run(f"kill -9 {process}")
    assert job.state() == JobState("lost")
    assert b"".join(job.follow()) == b""
    job.stop()


def test_another_process_of_that_number_is_not_the_command(machine: Any) -> None:
    """After a restart numbers come again: of another boot, or begun at another time."""
    job = RemoteJob(machine.ssh, "other")
    job.start(["sleep", "60"], folder="work")
    owner = machine.home / ".advisor" / "jobs" / "other" / "owner"
    boot, process, began = owner.read_text().split()
    for words, phase in (
        (["1", process, began], "lost"),
        ([boot, process, "1"], "lost"),
        ([boot, process, began], "running"),
    ):
        owner.write_text(" ".join(words) + "\n")
        assert job.state() == JobState(phase)
    job.stop()


def test_stopping_ends_all_of_it(machine: Any) -> None:
    """Asked first; what does not listen, or has left the session, is killed."""
    script = (
        "import signal, subprocess, sys\n"
        "subprocess.Popen(['sleep', '61'], start_new_session=True)\n"
        "print('up', flush=True)\n"
        "signal.pause()"
    )
    job = RemoteJob(machine.ssh, "stopped")
    job.start([sys.executable, "-c", script], folder="work", env={"ADVISOR_JOB": "x"})
    pieces = job.follow()
    while not next(pieces):
        pass
    job.stop()
    assert b"".join(pieces) == b""
    assert job.state() == JobState("ended", 128 + 15)
    mark = f"_ADVISOR_JOB={machine.home}/.advisor/jobs/stopped/".encode()
    assert [p for p in Path("/proc").glob("[0-9]*/environ") if mark in _bytes(p)] == []
    job.stop()


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_the_containers_own_variables_are_there(machine: Any) -> None:
    """A login by ssh has not got them; the start script keeps them for the command."""
    kept = machine.home / ".advisor" / "environment"
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("export V='of the image'\n")
    try:
        assert json.loads(run(machine, "own", SHOW)) == [[], "of the image"]
    finally:
        kept.unlink()


def test_the_start_script_lets_the_launcher_in(tmp_path: Path, machine: Any) -> None:
    """A new machine that knows no key: its script adds ours, and keeps its variables."""
    _, public = ensure_key(machine.key_file.parent)
    release = SelfRelease("DELETE", "http://127.0.0.1:1/", "{}", "CONTAINER_API_KEY")
    script = onstart_script(
        release, now=0.0, ends_at=3600.0, heartbeat_s=None, public_key=public
    )
    host = LocalContainers(tmp_path)
    env = {"CONTAINER_ID": "9", "CONTAINER_API_KEY": "k", "V": "of the image"}
    try:
        endpoint = host.start(Container(9, "image", script, env, (), 10.0))
        ssh = Ssh([endpoint], machine.key_file, tmp_path / "known", Clock())
        job = RemoteJob(ssh, "first")
        job.start(SHOW, folder="work")
        assert json.loads(b"".join(job.follow())) == [[], "of the image"]
    finally:
        host.close()


def test_a_stop_finds_all_where_grep_is_that_of_busybox(
    machine: Any, tmp_path: Path, soon: Any
) -> None:
    """What a command has started is known by its variables, whatever reads them."""
    with as_of_busybox(machine.home.parent / "enter", tmp_path):
        job = RemoteJob(machine.ssh, "alpine")
        job.start(["sh", "-c", "setsid sleep 600 & echo $! >../sleeps; wait"], folder="w")
        sleeps = machine.home / "sleeps"
        assert soon(lambda: sleeps.exists() and sleeps.read_text().strip() != "")
        job.stop()
    assert job.state().phase == "ended"
    assert soon(lambda: not is_alive(int(sleeps.read_text())))


def test_following_gives_up_in_the_end(machine: Any) -> None:
    """A machine that stays away is not waited for without end; the caller has turns."""
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    clock = Clock(monotonic=lambda: now[0], sleep=sleep)
    closed = Ssh(
        [Endpoint("127.0.0.1", 1)], machine.key_file, machine.folder / "g", clock
    )
    turns = []
    with pytest.raises(UnreachableError):
        turns.extend(RemoteJob(closed, "away").follow())
    assert 300.0 < now[0] < 320.0
    assert set(turns) <= {b""}
    assert len(turns) > 40


def test_a_machine_that_talks_nonsense_is_an_error(machine: Any) -> None:
    """No state is made up."""
    job = RemoteJob(machine.ssh, "nonsense")
    job.start(["true"], folder="work")
    list(job.follow())
    (machine.home / ".advisor" / "jobs" / "nonsense" / "exit").write_text("soon\n")
    with pytest.raises(RemoteError, match="does not say"):
        job.state()


@pytest.mark.parametrize("punches", [True, False])
def test_a_log_without_end_does_not_fill_the_machine(
    machine: Any, tmp_path: Path, soon: Any, punches: bool
) -> None:
    """What was printed long ago is dropped, and told; what is last is there."""
    name = f"flood-{punches}"
    job = RemoteJob(machine.ssh, name, most_log_bytes=1_000_000)
    folder = machine.home / ".advisor" / "jobs" / name
    script = (
        "n=0; while [ ! -e ../over ] || [ $n -lt 30000 ]; do n=$((n+1));"
        " printf '%0100d\n' $n; done; sleep 1.2; echo the end"
    )
    enter = machine.home.parent / "enter"
    before = enter.read_text()
    if not punches:  # as where a file system makes no holes
        (tmp_path / "fallocate").symlink_to("/bin/false")
        line = f'export PATH=\'{tmp_path}\':"$PATH"\ncd "$HOME"'
        enter.write_text(before.replace('cd "$HOME"', line))
    (machine.home / "over").unlink(missing_ok=True)
    try:
        job.start(["sh", "-c", script], folder="work")
    finally:
        enter.write_text(before)
    log = folder / "log"
    assert soon((folder / "gone").exists)
    (machine.home / "over").touch()
    assert soon((folder / "exit").exists)
    assert soon(lambda: log.stat().st_blocks * 512 < 2_000_000 or not punches)
    skipped: list[int] = []
    printed = b"".join(job.follow(0, skipped.append))
    lines = printed.split(b"\n")
    assert sum(skipped) > 0
    assert lines[-1] == b""
    # Without holes a line may lose its beginning where the log begins anew.
    assert lines[-2] == b"the end" if punches else lines[-2].endswith(b"the end")
    assert b"\0" not in printed
    numbers = [int(line) for line in lines[1:-2] if line or punches]
    assert numbers == sorted(numbers) or not punches
    assert (
        sum(skipped) + len(printed) == numbers[-1] * 101 + len("the end\n") or not punches
    )


def test_a_machine_that_drops_without_end_is_looked_after(machine: Any) -> None:
    """Each time the launcher gets a turn; no number of the machine's is too large."""
    job = RemoteJob(machine.ssh, "dropping")
    job.start(["true"], folder="work")
    list(job.follow())
    gone = machine.home / ".advisor" / "jobs" / "dropping" / "gone"
    gone.write_text("1000 0\n")
    skipped: list[int] = []
    pieces = job.follow(0, skipped.append)
    while not skipped:
        assert next(pieces) == b""
    gone.write_text("9" * 5000 + " 0\n")
    assert b"".join(pieces) == b""
    assert skipped == [1000]


def test_an_exit_code_that_is_none_is_an_error(machine: Any) -> None:
    """However many figures it has."""
    job = RemoteJob(machine.ssh, "figures")
    job.start(["true"], folder="work")
    list(job.follow())
    code = machine.home / ".advisor" / "jobs" / "figures" / "exit"
    code.write_text("9" * 5000 + "\n")
    with pytest.raises(RemoteError, match="does not say"):
        job.state()
