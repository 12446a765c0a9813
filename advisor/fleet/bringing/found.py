"""What a machine is, and which Pythons its image has.

Nothing that it says is used to name anything: it is told which words to try, and answers
for each of them.
"""

from __future__ import annotations

import importlib.util
import platform
import sys
import sysconfig
from dataclasses import dataclass
from typing import Annotated

import msgspec

from advisor.base.errors import RemoteError
from advisor.rental.remote.ssh import Ssh

ENVIRONMENT = '[ -r "$HOME/.advisor/environment" ] && . "$HOME/.advisor/environment"\n'
"""The container's own variables, which a login by ssh has not got; see `remote_job`."""

_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"

_WORDS = (
    *("python3", "python", f"python{_VERSION}"),
    *("/venv/main/bin/python", "/opt/conda/bin/python", "/opt/venv/bin/python"),
)
"""Where images have a Python, that of the image's own packages first.

The folders are those of Vast.ai's and PyTorch's images, which a login need not have in
its PATH.
"""

_TIMEOUT_S = 120.0
"""Assumption: to start six Pythons from a cold, slow disk."""

_MOST_LINE = 1_000

# One line each. What a worker cannot do without is imported, so that a Python that lacks
# it does not count.
_FACTS = """\
import ctypes, importlib.util, json, os, platform, select, ssl, sys, sysconfig, zlib
try:
    libc = os.confstr("CS_GNU_LIBC_VERSION").split()[1]
except (AttributeError, IndexError, OSError, ValueError):
    libc = "0.0"
print(json.dumps(dict(version=platform.python_version(), tag=sys.implementation.cache_tag,
    magic=importlib.util.MAGIC_NUMBER.hex(), abi=str(sysconfig.get_config_var("SOABI")),
    glibc=[int(part) for part in libc.split(".")[:2]])))
"""

_LOOK = """\
umask 077
mkdir -p "$HOME/.advisor" || exit 1
{environment}limit=
command -v timeout >/dev/null && limit="timeout -k 5 30"
echo "$(uname -s) $(uname -m)"
for python in {words}; do
  command -v "$python" >/dev/null || {{ echo; continue; }}
  $limit "$python" -I -c '{facts}' 2>/dev/null </dev/null | head -n 1 | grep . || echo
done
"""


VersionText = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Za-z.+-]{1,40}\Z")]
"""What a machine may call a version: it is shown to people."""


class Python(msgspec.Struct, frozen=True):
    """What a Python says of itself.

    Attributes
    ----------
    version : such as ``"3.11.7"``
    tag : of its compiled bytecode, such as ``"cpython-311"``
    magic : first bytes of such a file, hexadecimal
    abi : of its compiled modules, such as ``"cpython-311-x86_64-linux-gnu"``
    glibc : of the GNU C library that it runs with, (0, 0) for another one
    """

    version: VersionText
    tag: str
    magic: str
    abi: str
    glibc: tuple[int, int] = (0, 0)

    def runs_bytecode_of(self, other: Python) -> bool:
        """Tell whether a function may travel from one to the other."""
        return (self.tag, self.magic) == (other.tag, other.magic)


@dataclass(frozen=True, slots=True)
class Found:
    """A machine, as far as programs for it go.

    Attributes
    ----------
    system, architecture : as ``uname`` prints them
    pythons : word of a shell that starts it -> what it is
    """

    system: str
    architecture: str
    pythons: dict[str, Python]

    @property
    def is_like_this(self) -> bool:
        """Tell whether programs of this machine are of the same kind."""
        return (self.system, self.architecture) == (platform.system(), platform.machine())


def this_python() -> Python:
    """Return what the Python is that runs this."""
    return Python(
        version=platform.python_version(),
        tag=str(sys.implementation.cache_tag),
        magic=importlib.util.MAGIC_NUMBER.hex(),
        abi=str(sysconfig.get_config_var("SOABI")),
    )


def look(ssh: Ssh) -> Found:
    """Ask a machine what it is.

    Raises
    ------
    UnreachableError
        if it cannot be reached
    RemoteError
        if it does not answer as a machine does
    """
    script = _LOOK.format(environment=ENVIRONMENT, words=" ".join(_WORDS), facts=_FACTS)
    answer = ssh.ask(script, "looking for a Python", _TIMEOUT_S)
    first, *lines = answer.split("\n")[: len(_WORDS) + 1]
    system, _, architecture = first.strip().partition(" ")
    if not system.isalnum() or not architecture.isidentifier():
        message = "the machine does not say what it is: replace it"
        raise RemoteError(message)
    told = {word: _python(line) for word, line in zip(_WORDS, lines, strict=False)}
    pythons = {word: python for word, python in told.items() if python is not None}
    return Found(system, architecture, pythons)


def _python(line: str) -> Python | None:
    try:
        return msgspec.json.decode(line[:_MOST_LINE], type=Python)
    except msgspec.MsgspecError:
        return None
