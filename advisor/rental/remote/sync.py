"""Folders go to a rented machine by rsync over ssh, and come back by it (`incoming`).

What goes is a list that was decided before (`outgoing`), and nothing else: rsync is given
its names, and looks into no folder.
"""

from __future__ import annotations

import os
import re
import selectors
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import PurePosixPath

from advisor.base.errors import RemoteError
from advisor.base.interrupts import window
from advisor.base.progress import BYTES, Progress, doing, quiet
from advisor.rental.incoming.names import original
from advisor.rental.outgoing.decide import Outgoing, as_it_is_now
from advisor.rental.remote.channel import last_line, there
from advisor.rental.remote.ssh import Ssh, find_program

_TRIES = 5
_FIRST_PAUSE_S = 2.0
_SILENCE_S = 60
_WATCH_EVERY_S = 0.1
_ENDS_WITHIN_S = 10.0
_INSTALL_S = 600.0
_VANISHED = 24  # files that went away meanwhile: rsync(1), "EXIT VALUES"
_MOST_SAID_BYTES = 1 << 16
_MOST_COUNT_BYTES = 1 << 10
_COUNT = re.compile(rb"\r *(\d+) +\d+%")
"""Bytes in a line of rsync's ``--info=progress2``, see its ``progress.c``."""

_MAY_PASS = frozenset({10, 12, 30, 35, 255})
_INSTALL = """\
command -v rsync >/dev/null && exit
command -v apt-get >/dev/null || exit 3
export DEBIAN_FRONTEND=noninteractive
{ apt-get update && apt-get install -y --no-install-recommends rsync; } >&2
"""


def prepare(ssh: Ssh, progress: Progress = quiet) -> None:
    """See that the machine has rsync; Debian and Ubuntu images get it.

    Parameters
    ----------
    progress : is told meanwhile

    Raises
    ------
    RemoteError
        if it has none and gets none, or cannot be reached
    """
    with doing(progress, "seeing that the machine has rsync"):
        done = ssh.run(_INSTALL, _INSTALL_S)
    if done.code != 0:
        why = f": {done.reason}" if done.reason else ""
        message = (
            f"the machine has no rsync and it cannot be installed there{why}; "
            "take another image"
        )
        raise RemoteError(message)


def push(
    ssh: Ssh,
    outgoing: Outgoing,
    remote: str,
    meanwhile: Callable[[], None] = lambda: None,
    progress: Progress = quiet,
) -> None:
    """Copy what was decided to go into a folder on the machine.

    Nothing is deleted there. Symbolic links are sent as such. What has gone since it was
    decided is left out, and so is what may not go any more, see `as_it_is_now`. What was
    renamed when it came from a machine has its own name on this one.

    Parameters
    ----------
    remote : there, relative to the home folder; it is made
    meanwhile : called while files go; if it raises, copying is ended
    progress : is told how many bytes have gone

    Raises
    ------
    UsageError
        if there is no rsync here, or a file cannot be read
    RemoteError
        if it cannot be copied
    """
    ssh.ask(f"mkdir -p -- {shlex.quote(remote)}", f"making the folder {remote}")
    outgoing = as_it_is_now(outgoing)
    names = (*outgoing.folders, *outgoing.files)
    with tempfile.NamedTemporaryFile(prefix="advisor-") as listed:
        # Each begins with ./, since rsync takes one that begins with # for a remark.
        listed.write(b"".join(b"./%b\0" % os.fsencode(name) for name in names))
        listed.flush()
        options = ["-lp", "--from0", f"--files-from={listed.name}"]
        options.append("--ignore-missing-args")
        source, what = f"{outgoing.folder}/", f"sending {outgoing.folder.name}"
        with doing(progress, what):
            rsync(
                ssh,
                options,
                lambda host: [source, f"{host}:{remote}/"],
                lambda _: meanwhile(),
                lambda sent: progress(what, sent, outgoing.bytes, BYTES),
            )
    if script := "".join(_renamings(names)):
        ssh.ask(f"cd -- {shlex.quote(remote)} || exit\n{script}", "naming files back")


def _renamings(names: Iterable[str]) -> Iterator[str]:
    """Yield shell commands that give to what was renamed the names that it had."""
    paths = {
        path
        for name in names
        for path in (PurePosixPath(name), *PurePosixPath(name).parents)
        if original(path.name) is not None
    }
    # The innermost first; of several that have one name the last that came is the last.
    for path in sorted(paths, key=lambda one: (-len(one.parts), str(one))):
        target = path.parent / str(original(path.name))
        source, place = (shlex.quote(f"./{one}") for one in (path, target))
        yield f"[ -d {place} ] || mv -f {source} {place}\n"


def rsync(
    ssh: Ssh,
    options: Sequence[str],
    places: Callable[[str], Sequence[str]],
    watch: Callable[[int], None] = lambda _: None,
    counted: Callable[[int], None] | None = None,
) -> None:
    """Run rsync; again where that may help, which goes on where it stopped.

    Parameters
    ----------
    places : returns from and to, given the machine's name
    watch : called ten times a second with rsync's process, which is ended if it raises
    counted : called about once a second with the bytes of files that rsync here has
        counted; only where it sends, since else the machine has a say in what it prints

    Raises
    ------
    UsageError
        if there is no rsync here
    RemoteError
        if it does not end well
    """
    # -s: no shell reads a file name; --partial: what was cut off is kept, to go on with.
    words = [find_program("rsync", "rsync"), "-tzs", "--partial", *options]
    words += [f"--timeout={_SILENCE_S}"]
    if counted is not None:
        words += ["--info=progress2", "--no-human-readable"]
    pause = _FIRST_PAUSE_S
    for left in reversed(range(_TRIES)):
        shell = " ".join(_shell_word(word) for word in ssh.command(ssh.endpoint))
        name = ssh.endpoint.host
        host = f"{ssh.user}@[{name}]" if ":" in name else f"{ssh.user}@{name}"
        command = [*words, "-e", shell, "--", *places(host)]
        code, output = _run(command, watch, counted)
        if code in (0, _VANISHED):
            return
        if b"rsync: command not found" in output or b"rsync: not found" in output:
            message = "the machine has no rsync: take another image"
            raise RemoteError(message)
        if code not in _MAY_PASS or not left:
            break
        ssh.clock.sleep(pause)
        pause *= 2.0
        ssh.answers()  # finds the address that lets us in by now
    message = f"copying by rsync failed ({code}): {_cause(output)}"
    raise RemoteError(message)


def _run(
    command: list[str],
    watch: Callable[[int], None],
    counted: Callable[[int], None] | None,
) -> tuple[int, bytes]:
    """Run a program; return its exit code, and the end of what it complained of."""
    with (
        subprocess.Popen(  # noqa: S603  (our own words, no shell)
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if counted is None else subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env={**os.environ, "LC_ALL": "C"},
            start_new_session=True,  # Ctrl-C is for us; we end it, and its ssh
        ) as process,
        selectors.DefaultSelector() as selector,
    ):
        output, count = b"", b""
        try:
            watch(process.pid)
            selector.register(there(process.stderr), selectors.EVENT_READ)
            if counted is not None:
                selector.register(there(process.stdout), selectors.EVENT_READ, counted)
            while selector.get_map():
                with window():
                    ready = selector.select(_WATCH_EVERY_S)
                for key, _ in ready:
                    if not (chunk := os.read(key.fd, _MOST_SAID_BYTES)):
                        selector.unregister(key.fileobj)
                    if key.data is None:
                        output = (output + chunk)[-_MOST_SAID_BYTES:]
                        continue
                    count = (count + chunk)[-_MOST_COUNT_BYTES:]
                    if numbers := _COUNT.findall(count):
                        key.data(int(numbers[-1]))
                watch(process.pid)
            while process.poll() is None:
                with window(), suppress(subprocess.TimeoutExpired):
                    process.wait(_WATCH_EVERY_S)
                watch(process.pid)
        except BaseException:
            _end(process)
            raise
        return process.returncode, output


def _end(process: subprocess.Popen[bytes]) -> None:
    """End rsync and its ssh: asked first, so that it keeps what it has of a file."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_ENDS_WITHIN_S)
            return


def _cause(output: bytes) -> str:
    """Return rsync's first complaint that is not about what follows from another."""
    lines = [line for line in output.splitlines() if not line.startswith(b"rsync error:")]
    return last_line(b"\n".join(lines[:1]) or output) or "no reason given"


def _shell_word(word: str) -> str:
    """Return a word of a command line as rsync reads it."""
    return '"' + word.replace('"', '""') + '"'
