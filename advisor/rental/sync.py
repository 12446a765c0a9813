"""Folders go to a rented machine and come back, by rsync over ssh.

What goes is a list that was decided before (`outgoing`), and nothing else: rsync is given
its names, and looks into no folder.

What comes back is from a machine that is not ours: nothing outside the folder that was
named is written, whatever the machine sends. So rsync takes no symbolic link from it and
goes through none that is in the folder; links that stay inside are made here, each after
a look at it.
"""

from __future__ import annotations

import os
import re
import selectors
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from advisor.errors import RemoteError, UsageError
from advisor.rental.interrupts import window
from advisor.rental.outgoing.decide import Outgoing, as_it_is_now
from advisor.rental.ssh import Ssh, find_program
from advisor.rental.talk import last_line, there

EXCLUDED = (
    ".git",
    ".venv",
    "venv",
    "__pycache__",
    "node_modules",
    ".ipynb_checkpoints",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".ssh",
    ".vast_api_key",
    "vast_api_key",
)
"""Names that are never taken from a machine: of no use here, or obeyed here."""

_TRIES = 5
_FIRST_PAUSE_S = 2.0
_SILENCE_S = 60
_LONGEST_LIST_S = 300.0
_INSTALL_S = 600.0
_VANISHED = 24  # files that went away meanwhile: rsync(1), "EXIT VALUES"
_MOST_SAID_BYTES = 1 << 16
_CHUNK_BYTES = 65536
_LOOK_S = 1.0  # a signal that comes just before a wait begins is heard after it
_END_S = 10.0
_MAY_PASS = frozenset({10, 12, 30, 35, 255})
_INSTALL = """\
command -v rsync >/dev/null && exit
command -v apt-get >/dev/null || exit 3
export DEBIAN_FRONTEND=noninteractive
{ apt-get update && apt-get install -y --no-install-recommends rsync; } >&2
"""
_LINKS = """\
cd -- {folder} || exit
find . -type l -exec sh -c \
'for link; do printf "%s\\0%s\\0" "$link" "$(readlink -- "$link")"; done' sh {{}} +
"""


def prepare(ssh: Ssh) -> None:
    """See that the machine has rsync; Debian and Ubuntu images get it.

    Raises
    ------
    RemoteError
        if it has none and gets none, or cannot be reached
    """
    done = ssh.run(_INSTALL, _INSTALL_S)
    if done.code != 0:
        why = f": {done.reason}" if done.reason else ""
        message = (
            f"the machine has no rsync and it cannot be installed there{why}; "
            "take another --image"
        )
        raise RemoteError(message)


def push(ssh: Ssh, outgoing: Outgoing, remote: str) -> None:
    """Copy what was decided to go into a folder on the machine.

    Nothing is deleted there. Symbolic links are sent as such. What has gone since it was
    decided is left out, and so is what may not go any more, see `as_it_is_now`.

    Parameters
    ----------
    remote : there, relative to the home folder; it is made

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
        source = f"{outgoing.folder}/"
        _rsync(ssh, options, lambda there: [source, f"{there}:{remote}/"])


def pull(ssh: Ssh, remote: str, folder: Path) -> None:
    """Copy what is in a folder on the machine into a folder here.

    Nothing is deleted here. Files that are there replace those of the same name here.
    Links are copied if they are relative and lead to a file in the folder; devices and
    the like never, nor what `EXCLUDED` names (a hook of git would be run here), nor what
    would go through a link to a folder that is here.

    Parameters
    ----------
    remote : there, relative to the home folder
    folder : here; it is made

    Raises
    ------
    UsageError
        if there is no rsync here, or too old a one for a folder that has links
    RemoteError
        if it cannot be copied
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()
    target = f"{folder}/"
    links = list(_links_to_folders(folder))
    if links and not _refuses_what_is_excluded():
        message = (
            f"{links[0]} is a link, and this machine's rsync is too old to keep what "
            "comes from going through it: install rsync 3.2.5 or later"
        )
        raise UsageError(message)
    excludes = [*EXCLUDED, *(_pattern(folder, link) for link in links)]
    options = [f"--exclude={name}" for name in excludes]
    options += ["-r", "--executability", "--chmod=u+rwX"]
    ssh.ask(f"cd -- {shlex.quote(remote)}", f"looking for the folder {remote}")
    _rsync(ssh, options, lambda there: [f"{there}:{remote}/", target])
    _make_links(ssh, remote, folder)


def _rsync(
    ssh: Ssh, options: Sequence[str], places: Callable[[str], Sequence[str]]
) -> None:
    """Run rsync; again where that may help, which goes on where it stopped.

    Parameters
    ----------
    places : returns from and to, given the machine's name
    """
    # -s: no shell reads a file name; --partial: what was cut off is kept, to go on with.
    words = [find_program("rsync", "rsync"), "-tzs", "--partial", *options]
    words += [f"--timeout={_SILENCE_S}"]
    pause = _FIRST_PAUSE_S
    for left in reversed(range(_TRIES)):
        shell = " ".join(_shell_word(word) for word in ssh.command(ssh.endpoint))
        host = ssh.endpoint.host
        there = f"{ssh.user}@[{host}]" if ":" in host else f"{ssh.user}@{host}"
        code, said = _run([*words, "-e", shell, "--", *places(there)])
        if code in (0, _VANISHED):
            return
        if b"rsync: command not found" in said or b"rsync: not found" in said:
            message = "the machine has no rsync: take another --image"
            raise RemoteError(message)
        if code not in _MAY_PASS or not left:
            break
        ssh.clock.sleep(pause)
        pause *= 2.0
        ssh.answers()  # finds the address that lets us in by now
    message = f"copying by rsync failed ({code}): {_cause(said)}"
    raise RemoteError(message)


def _run(command: list[str]) -> tuple[int, bytes]:
    """Run a program; return its exit code, and the end of what it complained of."""
    said = b""
    with (
        subprocess.Popen(  # noqa: S603  (our own words, no shell)
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, "LC_ALL": "C"},
            start_new_session=True,  # Ctrl-C is for us; we end it, and its ssh
        ) as process,
        selectors.DefaultSelector() as selector,
    ):
        try:
            stderr = there(process.stderr)
            selector.register(stderr, selectors.EVENT_READ)
            while True:
                with window():
                    ready = selector.select(_LOOK_S)
                if not ready:
                    continue
                if not (chunk := os.read(stderr.fileno(), _CHUNK_BYTES)):
                    break
                said = (said + chunk)[-_MOST_SAID_BYTES:]
            with window():
                return process.wait(), said
        except BaseException:
            _end(process)
            raise


def _end(process: subprocess.Popen[bytes]) -> None:
    """End rsync and its ssh: asked first, so that it keeps what it has of a file."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_END_S)
            return


def _cause(said: bytes) -> str:
    """Return rsync's first complaint that is not about what follows from another."""
    lines = [line for line in said.splitlines() if not line.startswith(b"rsync error:")]
    return last_line(b"\n".join(lines[:1]) or said) or "no reason given"


def _links_to_folders(folder: Path) -> Iterator[Path]:
    for parent, names, _ in os.walk(folder):
        for name in names:
            if (place := Path(parent, name)).is_symlink():
                yield place


def _pattern(folder: Path, link: Path) -> str:
    """Return the pattern of rsync that a link in the folder alone matches."""
    return re.sub(r"([*?[\\])", r"\\\1", f"/{link.relative_to(folder)}")


def _refuses_what_is_excluded() -> bool:
    """Tell whether rsync here refuses what a sender sends against its exclusions."""
    command = [find_program("rsync", "rsync"), "--version"]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603
    found = re.search(rb"version (\d+)\.(\d+)\.(\d+)", done.stdout)
    return found is not None and tuple(map(int, found.groups())) >= (3, 2, 5)


def _make_links(ssh: Ssh, remote: str, folder: Path) -> None:
    """Make the links that the machine has, as far as they lead to files in the folder."""
    done = ssh.run(_LINKS.format(folder=shlex.quote(remote)), _LONGEST_LIST_S)
    fields = [os.fsdecode(field) for field in done.stdout.split(b"\0")]
    for name, target in zip(fields[::2], fields[1::2], strict=False):
        with suppress(OSError):  # names that no file can have
            _make_link(folder, name, target)


def _make_link(folder: Path, name: str, target: str) -> None:
    """Make one link if nothing of it leads out of the folder."""
    link = Path(os.path.normpath(folder / name))
    end = Path(os.path.normpath(link.parent / target))
    within = link.parent.is_relative_to(folder) and end.is_relative_to(folder)
    straight = within and link.parent.resolve() == link.parent and end.resolve() == end
    if straight and end.is_file() and (link.is_symlink() or not link.exists()):
        aside = link.with_name(f".{link.name[:200]}.advisor")
        aside.unlink(missing_ok=True)
        aside.symlink_to(os.path.relpath(end, link.parent))
        aside.replace(link)


def _shell_word(word: str) -> str:
    """Return a word of a command line as rsync reads it."""
    return '"' + word.replace('"', '""') + '"'
