"""Python and Dask on a rented machine are those of the launcher, whatever its image has.

A worker whose `distributed` or Python differs joins without an error, and hangs or fails
strangely later. So nothing is installed there from an index: the launcher's own files go
to the machine, and what runs there is asked for its versions before a worker starts.

Two ways, the first that works:

1. A Python of the image that is like the launcher's (same bytecode), with the launcher's
   own Dask before its packages: functions that run there find what the image has.
2. The launcher's own Python with its libraries: any Linux of the same architecture, but
   functions find Python and Dask there, and nothing of the image.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from advisor.base.errors import RemoteError
from advisor.base.progress import Progress, doing, quiet
from advisor.fleet.bringing.archive import Archive, pack
from advisor.fleet.bringing.found import Found, Python, look, this_python
from advisor.fleet.bringing.install import Way, install
from advisor.fleet.bringing.own_python import own_python
from advisor.fleet.bringing.packages import needed_glibc, package_files
from advisor.rental.remote.ssh import Ssh

_PACKING = threading.Lock()
"""Members are prepared in threads of their own: what all are given is packed once."""


class NoPythonError(RemoteError):
    """A machine's image can run no Dask: another image, or another launcher, can."""


@dataclass(frozen=True, slots=True)
class RemotePython:
    """A Python with Dask on a machine.

    Attributes
    ----------
    command : words of a shell there that start it
    version : of Python, such as ``"3.11.7"``
    brought : whether it is the launcher's own; False: the image's, with our Dask
    seconds : that it took
    sent_bytes : that went to the machine, 0 where all was there
    """

    command: str
    version: str
    brought: bool
    seconds: float
    sent_bytes: int


def bring(
    ssh: Ssh,
    notify: Callable[[str], None],
    progress: Progress = quiet,
    also: Sequence[str] = (),
) -> RemotePython:
    """See that a machine has the launcher's Python and Dask, and return how it starts.

    What is there already is not sent again.

    Parameters
    ----------
    notify : takes one line for people
    progress : is told how much was sent
    also : names of packages that functions need there, such as Optuna: they are taken
        from here, with all that they need, where the image has not got them

    Raises
    ------
    NoPythonError
        if its image can run no Dask
    UsageError
        if Dask, or one of those, is not installed here
    UnreachableError
        if the machine cannot be reached
    RemoteError
        if it has no room, or no rsync
    """
    begun = ssh.clock.monotonic()
    with doing(progress, "looking for a Python on the machine"):
        found = look(ssh)
    faults, sent = [], 0
    for way, version in _ways(found, tuple(sorted(also)), progress):
        size, fault = install(ssh, way, progress)
        sent += size
        if not fault:
            seconds = ssh.clock.monotonic() - begun
            brought = way.image_python is None
            return RemotePython(way.command, version, brought, seconds, sent)
        faults.append(f"{way.says}: {fault}")
        notify(f"{way.says} cannot be used: {fault}")
    own = this_python().version
    have = ", ".join(python.version for python in found.pythons.values()) or "none"
    why = "; ".join(faults) or f"its Pythons: {have}; ours: {own}"
    message = (
        f"the machine can run no Dask ({why}): take an image with Python "
        f"{own.rpartition('.')[0]} and psutil"
    )
    raise NoPythonError(message)


def _ways(
    found: Found, also: tuple[str, ...], progress: Progress
) -> Iterator[tuple[Way, str]]:
    """Yield what may work, the best first, each with its version of Python."""
    here = this_python()
    alike = {w: p for w, p in found.pythons.items() if p.runs_bytecode_of(here)}
    for word, python in _once(alike).items():
        with doing(progress, "packing Dask"):
            archive = _packages(_takes_compiled(found, python, also), also)
        yield Way(archive, word, f"the image's Python {python.version}"), python.version
    if found.is_like_this:
        with doing(progress, "packing Python"):
            packed = _python(also)
        if packed is not None:
            yield Way(packed, None, f"the brought Python {here.version}"), here.version


def _once(pythons: dict[str, Python]) -> dict[str, Python]:
    """Leave out words that seem to start the same Python as an earlier one."""
    kept: dict[str, Python] = {}
    for word, python in pythons.items():
        if python not in kept.values():
            kept[word] = python
    return kept


def _takes_compiled(found: Found, python: Python, also: tuple[str, ...]) -> bool:
    """Tell whether an image's Python loads what was compiled for this one."""
    if not found.is_like_this or python.abi != this_python().abi:
        return False
    return python.glibc >= needed_glibc(package_files(compiled=True, also=also))


def _packages(compiled: bool, also: tuple[str, ...]) -> Archive:
    with _PACKING:
        return _packed_packages(compiled, also)


def _python(also: tuple[str, ...]) -> Archive | None:
    with _PACKING:
        return _packed_python(also)


@cache
def _packed_packages(compiled: bool, also: tuple[str, ...]) -> Archive:
    return pack({**package_files(compiled=compiled, also=also)})


@cache
def _packed_python(also: tuple[str, ...]) -> Archive | None:
    files = own_python(also)
    return None if files is None else pack(files)
