"""An archive becomes a folder on the machine that holds a Python with Dask.

The folder is named after what is in it, and is renamed to that once it is whole: what is
there under that name needs no second copy. Whatever was cut off is begun anew, but the
archive itself goes on where it stopped.
"""

from __future__ import annotations

import importlib.util
import platform
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import version

import msgspec

from advisor.base.errors import RemoteError
from advisor.base.progress import BYTES, Progress, doing
from advisor.fleet.bringing.archive import Archive
from advisor.fleet.bringing.found import ENVIRONMENT, VersionText
from advisor.fleet.bringing.packages import ALSO, PACKAGES
from advisor.rental.remote import sync
from advisor.rental.remote.channel import last_line
from advisor.rental.remote.ssh import Ssh

_WHAT = "sending Python and Dask"
_UNPACK_S = 300.0
_CHECK_S = 240.0
"""Assumption: Dask is imported, and compiled, from a cold, slow disk."""

_ABSENT, _NO_TAR, _NO_ENVIRONMENT = 96, 97, 98
_MOST_LINE = 2_000

# What a worker and a client must have alike, see `distributed.versions`.
_COMPARED = ("dask", "distributed", "msgpack", "cloudpickle", "tornado")

_CHECK = """\
import importlib.util, json, platform, ssl, sys
import distributed, distributed.cli.dask_worker, psutil
from importlib.metadata import version
print(json.dumps(dict(python=platform.python_version(), tag=sys.implementation.cache_tag,
    magic=importlib.util.MAGIC_NUMBER.hex(),
    packages={{name: version(name) for name in {names}}})))
"""

_TRY = """\
[ -e "$HOME/.advisor/{name}/bin/python" ] || exit {absent}
{environment}"$HOME/.advisor/{name}/bin/python" -I -c '{check}' </dev/null
"""

# The image's own packages come after ours. `home` is where its Python is, which is not
# where a virtual environment of the image is.
_ENVIRONMENT_OF = """\
import os, sys
folder = sys.argv[1]
python = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
library = "python%d.%d" % sys.version_info[:2]
with open(os.path.join(folder, "pyvenv.cfg"), "w") as file:
    file.write("home = %s\\n" % os.path.dirname(python))
os.mkdir(os.path.join(folder, "bin"))
os.symlink(python, os.path.join(folder, "bin", "python"))
standard = os.path.dirname(os.__file__)
known = (standard, os.path.join(standard, "lib-dynload"))
theirs = [one for one in sys.path if os.path.isdir(one) and one not in known]
place = os.path.join(folder, "lib", library, "site-packages")
os.makedirs(place)
with open(os.path.join(place, "image.pth"), "w") as file:
    lines = ["../../../@PACKAGES@", *theirs, "../../../@ALSO@"]
    file.write("".join(one + "\\n" for one in lines if "\\n" not in one))
""".replace("@PACKAGES@", PACKAGES).replace("@ALSO@", ALSO)

_UNPACK = """\
umask 077
cd "$HOME/.advisor" || exit 1
{environment}rm -rf {name} {name}.new.*
new="$PWD/{name}.new.$$"
trap 'rm -rf "$new"' EXIT
trap 'exit 1' HUP INT TERM
mkdir "$new" || exit 1
command -v tar >/dev/null || exit {no_tar}
tar -xzf {name}.tar.gz -C "$new" || exit 1
{more}mv "$new" {name} && rm -f {name}.tar.gz
"""


class Versions(msgspec.Struct, frozen=True):
    """What must be alike at both ends.

    Attributes
    ----------
    python : such as ``"3.11.7"``
    tag, magic : see `advisor.fleet.bringing.found.Python`
    packages : name -> version
    """

    python: VersionText
    tag: str
    magic: str
    packages: dict[str, str]


@dataclass(frozen=True, slots=True)
class Way:
    """One way to a Python with Dask on a machine.

    Attributes
    ----------
    archive : is sent
    image_python : word of a shell that starts the image's Python, which is to run what
        is in `archive`; None: the archive has its own
    says : what it is, for people
    """

    archive: Archive
    image_python: str | None
    says: str

    @property
    def name(self) -> str:
        """Name of its folder in ``~/.advisor``."""
        own = self.image_python or ""
        word = "".join(letter if letter.isalnum() else "-" for letter in own)
        return f"python-{self.archive.digest}{word and '-'}{word.strip('-')}"

    @property
    def command(self) -> str:
        """Words of a shell that start it; no variable of the container changes it."""
        return f'"$HOME"/.advisor/{self.name}/bin/python -I'


def here() -> Versions:
    """Return what there is at this end."""
    return Versions(
        python=platform.python_version(),
        tag=str(sys.implementation.cache_tag),
        magic=importlib.util.MAGIC_NUMBER.hex(),
        packages={name: version(name) for name in _COMPARED},
    )


def difference(ours: Versions, theirs: Versions) -> str:
    """Return what keeps a worker from working with us, ``""`` if nothing does.

    Dask itself lets such a worker join, and it hangs or fails strangely then.
    """
    if (ours.tag, ours.magic) != (theirs.tag, theirs.magic):
        return f"its Python is {theirs.python}, and ours is {ours.python}"
    for name, own in ours.packages.items():
        other = theirs.packages.get(name, "missing")
        if other != own:
            return f"its {name} is {last_line(other.encode())}, and ours is {own}"
    return ""


def install(ssh: Ssh, way: Way, progress: Progress) -> tuple[int, str]:
    """See that a machine has a Python with Dask, and that it is like ours.

    Returns
    -------
    bytes that were sent, and why it cannot be used, ``""`` if it can

    Raises
    ------
    UnreachableError
        if the machine cannot be reached
    RemoteError
        if it has no room for it, or no rsync
    """
    with doing(progress, "looking for Python and Dask on the machine"):
        fault = _fault(ssh, way)
    if not fault:
        return 0, ""
    _send(ssh, way, progress)
    with doing(progress, "unpacking Python and Dask on the machine"):
        fault = _unpack(ssh, way) or _fault(ssh, way)
    return len(way.archive.body), fault


def _fault(ssh: Ssh, way: Way) -> str:
    """Return what is wrong with what is there, ``""`` if nothing is."""
    names = repr(_COMPARED).replace("'", '"')
    check = _CHECK.format(names=names)
    script = _TRY.format(
        name=way.name, absent=_ABSENT, environment=ENVIRONMENT, check=check
    )
    done = ssh.run(script, _CHECK_S)
    if done.code == _ABSENT:
        return "it is not there"
    if done.code != 0:
        return done.reason or f"it ends with {done.code}"
    line = done.stdout.rstrip().rpartition(b"\n")[2]
    try:
        versions = msgspec.json.decode(line[:_MOST_LINE], type=Versions)
    except msgspec.MsgspecError:
        return "it does not say what it is"
    return difference(here(), versions)


def _send(ssh: Ssh, way: Way, progress: Progress) -> None:
    """Copy the archive, which goes on where an earlier try was cut off."""
    sync.prepare(ssh, progress)
    of = float(len(way.archive.body))
    with tempfile.NamedTemporaryFile(prefix="advisor-") as file:
        file.write(way.archive.body)
        file.flush()
        target = f".advisor/{way.name}.tar.gz"
        with doing(progress, _WHAT):
            sync.rsync(
                ssh,
                [],
                lambda host: [file.name, f"{host}:{target}"],
                counted=lambda sent: progress(_WHAT, sent, of, BYTES),
            )


def _unpack(ssh: Ssh, way: Way) -> str:
    """Make the folder; return why the image cannot, ``""`` if it can."""
    more = ""
    if way.image_python is not None:
        more = (
            f"{way.image_python} -c '{_ENVIRONMENT_OF}' \"$new\" </dev/null "
            f"|| exit {_NO_ENVIRONMENT}\n"
        )
    script = _UNPACK.format(
        name=way.name, environment=ENVIRONMENT, no_tar=_NO_TAR, more=more
    )
    done = ssh.run(script, _UNPACK_S)
    if done.code == _NO_TAR:
        return "its image has no tar"
    if done.code == _NO_ENVIRONMENT:
        return f"its Python makes no environment: {done.reason}"
    if done.code != 0:
        message = f"unpacking Python failed on the machine: {done.reason or done.code}"
        raise RemoteError(message)
    return ""
