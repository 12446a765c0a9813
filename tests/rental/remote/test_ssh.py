"""Scripts reach the machine whole or not at all, and failures say whose they are."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from advisor.base.clock import Clock
from advisor.base.errors import RemoteError, UnreachableError, UsageError
from advisor.market.lifecycle import Endpoint
from advisor.rental.remote.ssh import Ssh, ensure_key

CLOSED = Endpoint("127.0.0.1", 1)


def test_a_script_runs_on_the_machine(machine: Any) -> None:
    """In its home, with its output, its complaints and its exit code apart."""
    done = machine.ssh.run('pwd; echo "Grüße" >&2; exit 3')
    assert done.code == 3
    assert done.stdout.decode() == f"{machine.home}\n"
    assert done.reason == "Grüße"


def test_a_big_script_arrives_whole(machine: Any) -> None:
    """More than any pipe holds, while the machine talks back."""
    words = "x" * 300_000
    done = machine.ssh.run(f"printf %s '{words}'; printf %s '{words}' >&2; exit 0")
    assert done.stdout.decode() == words


def test_what_a_login_shell_says_is_no_output(machine: Any) -> None:
    """Images greet their users; that is none of what was asked for."""
    enter = machine.home.parent / "enter"
    text = enter.read_text()
    enter.write_text(text.replace("#!/bin/sh\n", "#!/bin/sh\necho Welcome!\n"))
    try:
        assert machine.ssh.ask("echo 7", "counting") == "7\n"
        assert b"".join(machine.ssh.stream("echo 7")) == b"7\n"
    finally:
        enter.write_text(text)


def test_255_is_a_scripts_own_too(machine: Any) -> None:
    """It is ssh's word for its own failure, so that a script's is told as 254."""
    assert machine.ssh.run("exit 255").code == 254


def test_a_failing_script_is_an_error_where_that_is_said(machine: Any) -> None:
    """The message holds what the machine said, in one plain line."""
    with pytest.raises(RemoteError, match=r"^trying failed on the machine: no \[31mway$"):
        machine.ssh.ask("printf 'first\\nno \\033[31mway\\n' >&2; exit 1", "trying")


def test_the_next_address_is_tried_and_remembered(machine: Any) -> None:
    """The direct one is closed, the proxy lets us in; from then on it comes first."""
    ssh = machine.another("two", CLOSED, machine.ssh.endpoint)
    assert ssh.answers()
    assert ssh.endpoint == machine.ssh.endpoint


def test_where_the_market_shows_the_machine_now_is_learned(machine: Any) -> None:
    """By each way that shares it; what let us in stays first, what is none is left out.

    Where nothing is shown, what is known stays.
    """
    ssh = machine.another("moved", CLOSED)
    shared = ssh.sharing(machine.folder / "no such socket")
    assert not shared.answers()
    at = machine.ssh.endpoint
    ssh.learn([Endpoint("-oProxyCommand=true", 22), CLOSED, at])
    assert shared.answers()
    assert ssh.endpoint == at
    ssh.learn([])
    ssh.learn([CLOSED, at])
    assert shared.endpoint == at
    ssh.learn([Endpoint("127.0.0.1", 2), at])
    assert shared.endpoint == at
    ssh.learn([CLOSED])
    assert shared.endpoint == CLOSED


def test_a_machine_that_does_not_let_us_in_is_an_error_that_says_so(
    machine: Any, tmp_path: Path
) -> None:
    """A closed port, a key that is not known: whose fault, and where."""
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1 port 1: .*refused"):
        machine.another("closed", CLOSED).run("true")
    stranger, _ = ensure_key(tmp_path)
    ssh = Ssh([machine.ssh.endpoint], stranger, tmp_path / "known", Clock())
    with pytest.raises(UnreachableError, match="Permission denied"):
        ssh.run("true")
    assert not ssh.answers()


def test_a_machine_nobody_can_place_does_not_answer(machine: Any) -> None:
    """The market may not say yet where ssh answers."""
    assert not machine.another("none").answers()


def test_an_address_that_is_an_option_is_refused(machine: Any) -> None:
    """The market's answer is no place for orders to our ssh."""
    with pytest.raises(RemoteError, match="address"):
        machine.another("bad", Endpoint("-oProxyCommand=touch /tmp/x", 22))


def test_another_host_key_is_refused(machine: Any, tmp_path: Path) -> None:
    """The first key that a machine shows is the one it must show from then on."""
    at = machine.ssh.endpoint
    other = tmp_path / "other"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(other)], check=True
    )
    kind, body, *_ = other.with_suffix(".pub").read_text().split()
    known = machine.folder / "changed"
    known.write_text(f"[{at.host}]:{at.port} {kind} {body}\n")
    with pytest.raises(UnreachableError, match="Host key verification failed"):
        machine.another("changed", at).run("true")


def test_time_is_limited(machine: Any) -> None:
    """A script that does not end is given up, and ssh with it."""
    began = time.monotonic()
    with pytest.raises(UnreachableError, match="no end after 1 s"):
        machine.ssh.run("sleep 60", timeout_s=0.6)
    assert time.monotonic() - began < 10.0


def test_output_comes_as_it_is_printed(machine: Any) -> None:
    """Also without a line's end, as progress bars print; silence yields nothing."""
    wait = "while [ ! -e heard ]; do sleep 0.05; done"
    pieces, heard = machine.ssh.stream(f"printf 'a\r'; {wait}; printf b; exit 0"), b""
    while not heard:
        heard += next(pieces)
    assert next(pieces) == b""
    (machine.home / "heard").touch()
    assert (heard, b"".join(pieces)) == (b"a\r", b"b")


@pytest.mark.parametrize(
    ("script", "why"), [("echo 1; echo no >&2; exit 3", "no"), ("echo 1; exit 3", "3")]
)
def test_a_stream_that_fails_is_an_error(machine: Any, script: str, why: str) -> None:
    """After what it had to say; with its complaint, or its code."""
    pieces = []
    with pytest.raises(RemoteError, match=f"the machine does not go on: {why}$"):
        pieces.extend(machine.ssh.stream(script))


def test_a_stream_that_is_left_leaves_no_ssh(machine: Any) -> None:
    """Nothing of ours stays behind."""
    pieces = machine.ssh.stream("echo begun; sleep 60")
    while not next(pieces):
        pass
    pieces.close()
    here = f'UserKnownHostsFile="{machine.folder / "hosts" / "known"}"'
    found = [path for path in Path("/proc").glob("[0-9]*/cmdline") if here in _text(path)]
    assert found == []


def test_a_terminals_interrupt_is_not_for_ssh(machine: Any) -> None:
    """It is for advisor, which ends its ssh when it can stand that."""
    pieces = machine.ssh.stream("echo begun; sleep 60")
    while not next(pieces):
        pass
    here = f'UserKnownHostsFile="{machine.folder / "hosts" / "known"}"'
    found = [path for path in Path("/proc").glob("[0-9]*/cmdline") if here in _text(path)]
    sessions = [os.getsid(int(path.parent.name)) for path in found]
    pieces.close()
    assert sessions
    assert os.getsid(0) not in sessions


def test_time_is_limited_also_where_the_machine_takes_no_script(machine: Any) -> None:
    """It says that it listens, and reads nothing."""
    enter = machine.home.parent / "enter"
    before = enter.read_text()
    deaf = 'eval "${SSH_ORIGINAL_COMMAND%%;*}"; exec sleep 30'
    enter.write_text(before.replace('cd "$HOME"', f'cd "$HOME"\n{deaf}'))
    began = time.monotonic()
    try:
        with pytest.raises(UnreachableError, match="no end after 1 s"):
            machine.ssh.run(f": '{'x' * 10_000_000}'", timeout_s=1.0)
    finally:
        enter.write_text(before)
    assert time.monotonic() - began < 20.0


def test_a_dead_connection_is_noticed_in_time(machine: Any) -> None:
    """Before a launcher gives up; nobody is asked for anything."""
    words = machine.ssh.command(machine.ssh.endpoint)
    told = dict(one.removeprefix("-o").split("=", 1) for one in words if "=" in one)
    noticed_s = int(told["ServerAliveInterval"]) * int(told["ServerAliveCountMax"])
    assert noticed_s == 45
    assert told["ConnectTimeout"] == "15"
    assert told["BatchMode"] == "yes"


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def test_a_broken_connection_is_no_end(
    machine: Any, soon: Callable[[Callable[[], bool]], bool]
) -> None:
    """Whatever was printed before, a connection that breaks is an error."""
    ssh, failures = machine.another("cut", machine.ssh.endpoint), []

    def run() -> None:
        try:
            ssh.run("touch begun; sleep 60; exit 0")
        except UnreachableError as error:
            failures.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    assert soon((machine.home / "begun").exists)
    assert machine.cut() >= 1
    thread.join(20.0)
    assert len(failures) == 1


def test_a_machine_that_talks_without_end_is_left(machine: Any) -> None:
    """It cannot fill our memory."""
    with pytest.raises(RemoteError, match="without end"):
        machine.ssh.run("exec cat /dev/zero")
    with pytest.raises(RemoteError, match="without end"):  # a word of it is an object
        machine.ssh.ask("yes | head -c 2000000", "asking")


def test_the_key_is_made_once(tmp_path: Path) -> None:
    """Eight launchers at once get one key, whose file nobody else may read."""
    script = (
        "import sys, pathlib; from advisor.rental.remote.ssh import ensure_key;"
        "print(ensure_key(pathlib.Path(sys.argv[1]))[1])"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "new")]
    launchers = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(8)]
    publics = {launcher.communicate()[0] for launcher in launchers}
    assert len(publics) == 1
    assert publics.pop().startswith(b"ssh-ed25519 AAAA")
    assert stat.S_IMODE((tmp_path / "new" / "id_ed25519").stat().st_mode) == 0o600


def test_a_key_that_others_may_read_is_closed(tmp_path: Path) -> None:
    """Ssh takes none that is open, as a copy of a folder may leave it."""
    path, public = ensure_key(tmp_path)
    path.chmod(0o644)
    assert ensure_key(tmp_path) == (path, public)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_is_no_key_is_told(tmp_path: Path) -> None:
    """It is not overwritten: it may be somebody's."""
    (tmp_path / "id_ed25519").write_text("what is this?")
    with pytest.raises(UsageError, match="move it away"):
        ensure_key(tmp_path)
    assert (tmp_path / "id_ed25519").read_text() == "what is this?"


def test_a_machine_of_ours_without_ssh_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Before anything is rented, with the package to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="openssh-client"):
        ensure_key(tmp_path)


def test_a_key_program_that_could_not_print_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As on a full disk, where it ends as if all were well; nothing is kept of it."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("ssh", "ssh-keygen"):
        (tools / name).write_text('#!/bin/sh\n[ $# -lt 7 ] || : > "$7"\n')
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    with pytest.raises(UsageError, match="make room, and try again"):
        ensure_key(tmp_path / "keys")
    assert not (tmp_path / "keys" / "id_ed25519").exists()
