"""What of this machine renting needs: programs, a key for ssh, room on its disks."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator

from advisor.app.context import Context
from advisor.app.doctor.finding import Finding, ok, warning, wrong
from advisor.app.doctor.install import numbers_of
from advisor.base.errors import UsageError
from advisor.base.files import nearest
from advisor.base.units import BYTES_PER_GB
from advisor.rental.preflight import LEAST_FREE_BYTES
from advisor.rental.remote.ssh import KEY_NAME

PROGRAM_S = 5.0
"""Seconds within which a program tells its version."""

_LEAST_SSH = (7, 6)
"""Of OpenSSH, whose ``StrictHostKeyChecking=accept-new`` came with it (its release notes,
October 2017)."""

_LEAST_RSYNC = (3, 0)
"""Its option ``-s`` came with it (its NEWS, March 2008)."""

LITTLE_FREE_BYTES = 5e9
"""Less is a warning: a run's results and checkpoints come back; an assumption."""


def ssh(_: Context) -> Iterator[Finding]:
    """Yield whether machines can be reached."""
    for name in ("ssh", "ssh-keygen"):
        if shutil.which(name) is None:
            found = f"{name} is missing: nothing can be rented from here"
            yield wrong("ssh", found, "Install openssh-client.", UsageError)
            return
    told = _told("ssh", "-V")
    version = re.search(r"OpenSSH_(?:for_Windows_)?([\d.]+)", told)
    if version is None:
        found = f"ssh is no OpenSSH that is known: {told or 'it says no version'}"
        yield warning("ssh", found, "Install openssh-client.")
    elif numbers_of(version[1]) < _LEAST_SSH:
        least = ".".join(map(str, _LEAST_SSH))
        found = f"OpenSSH {version[1]} is older than {least}"
        yield wrong("ssh", found, "Update openssh-client.", UsageError)
    else:
        yield ok("ssh", f"OpenSSH {version[1]}")


def ssh_key(context: Context) -> Iterator[Finding]:
    """Yield whether advisor's own key lets in."""
    path = context.ssh_folder / KEY_NAME
    if not path.exists():
        yield ok("ssh_key", "none yet: the first rental makes one")
        return
    away = f"Move {path} away: the next rental makes a new one. Machines that are rented "
    away += "now let in the old one alone."
    if sys.platform != "win32" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        found = f"others may read {path}: ssh refuses such a key"
        yield warning("ssh_key", found, f"Take that from them: chmod 600 {path}")
        return
    if shutil.which("ssh-keygen") is None:
        yield warning("ssh_key", f"{path} is not checked", "Install openssh-client.")
        return
    done = _ran("ssh-keygen", "-y", "-P", "", "-f", str(path))
    if done is None or done.returncode != 0:
        found = f"{path} is no key without a passphrase"
        yield wrong("ssh_key", found, away, UsageError)
    else:
        yield ok("ssh_key", str(path))


def rsync(_: Context) -> Iterator[Finding]:
    """Yield whether folders can be copied to machines and back."""
    if shutil.which("rsync") is None:
        found = "rsync is missing: 'advisor run' copies your folder by it"
        yield wrong("rsync", found, "Install rsync.", UsageError)
        return
    told = _told("rsync")  # its usage begins with its version
    version = re.search(r"rsync\s+version\s+v?([\d.]+)", told)
    least = ".".join(map(str, _LEAST_RSYNC))
    advice = f"Install rsync {least} or newer."
    if version is None:
        found = f"rsync is none that is known: {told or 'it says no version'}"
        yield warning("rsync", found, advice)
    elif numbers_of(version[1]) < _LEAST_RSYNC:
        found = f"rsync {version[1]} is older than {least}"
        yield wrong("rsync", found, advice, UsageError)
    else:
        yield ok("rsync", f"rsync {version[1]}")


def git(_: Context) -> Iterator[Finding]:
    """Yield whether git can say which files of a folder it ignores."""
    if shutil.which("git") is None:
        found = "git is missing: which files it ignores is read from .gitignore alone"
        yield warning("git", found, "Install git.")
        return
    told = _told("git", "version")
    version = re.search(r"git version ([\d.]+\d)", told)
    if version is None:
        yield warning("git", f"git does not work: {told or 'no version'}", "Mend git.")
    else:
        yield ok("git", f"git {version[1]}")


def disk(context: Context) -> Iterator[Finding]:
    """Yield how much room there is where advisor and the runs of a user write."""
    places = {
        "data": context.data_folder,
        "cache": context.cache_folder,
        "this folder": context.folder,
    }
    free = {name: shutil.disk_usage(nearest(path)).free for name, path in places.items()}
    told = ", ".join(f"{name} {one / BYTES_PER_GB:,.1f} GB" for name, one in free.items())
    found = f"free: {told}"
    advice = "Make room: what is rented is written down, and results come back."
    if min(free.values()) < LEAST_FREE_BYTES:
        yield wrong("disk", found, advice)
    elif min(free.values()) < LITTLE_FREE_BYTES:
        yield warning("disk", found, advice)
    else:
        yield ok("disk", found)


def terminal(_: Context) -> Iterator[Finding]:
    """Yield whether what is printed can be read."""
    encoding = getattr(sys.stdout, "encoding", None) or "unknown"
    if encoding.lower().replace("-", "").replace("_", "") == "utf8":
        yield ok("terminal", "UTF-8")
        return
    found = f"the encoding is {encoding}: some names are shown with ? in them"
    mend = "PYTHONUTF8=1" if sys.platform == "win32" else "LC_ALL=C.UTF-8"
    yield warning("terminal", found, f"Set {mend} in the environment.")


def _told(*words: str) -> str:
    """Return the first line that a program says of itself, ``""`` if none."""
    done = _ran(*words)
    if done is None:
        return ""
    lines = (done.stdout or done.stderr).decode(errors="replace").splitlines()
    return lines[0].strip()[:80] if lines else ""


def _ran(*words: str) -> subprocess.CompletedProcess[bytes] | None:
    """Return how a program ended, None where it did not begin or end in time."""
    program = shutil.which(words[0])
    if program is None:
        return None
    try:
        return subprocess.run(  # noqa: S603  (our own words, no shell)
            [program, *words[1:]],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=PROGRAM_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
