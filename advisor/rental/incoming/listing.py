"""What a machine says that a folder of its has: its size, its files, its links.

It is the machine's word. It saves work and tells people early; what is written here is
bounded whatever was said.
"""

from __future__ import annotations

import os
import posixpath
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from advisor.base.errors import RemoteError, UnreachableError
from advisor.rental.incoming.names import USELESS
from advisor.rental.remote.ssh import Ssh

_LONGEST_S = 300.0
_SIZE = re.compile(r"[0-9]{1,18}")
_LISTING = """\
cd -- @FOLDER@ || exit
some() { find . \\( @USELESS@ \\) -prune -o "$@"; }
some -type f -exec stat -c %s {} + | awk '{ s += $1 } END { printf "%.0f", s }'
printf '\\0'
some -type f -print0
printf '\\0'
some -type l -exec sh -c \\
'for link; do printf "%s\\0%s\\0" "$link" "$(readlink -- "$link")"; done' sh {} +
exit 0
"""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a machine says of a folder.

    Attributes
    ----------
    size : bytes of all files; None: it does not say
    files : their paths in the folder, with ``/``
    links : path of a link -> path of the file in the folder that it leads to, by name
    other_links : paths of links that lead elsewhere
    """

    size: int | None = None
    files: frozenset[str] = frozenset()
    links: Mapping[str, str] = field(default_factory=dict)
    other_links: tuple[str, ...] = ()


def ask_for(ssh: Ssh, remote: str) -> Listing:
    """Return what a machine says of a folder, relative to its home folder.

    Raises
    ------
    UnreachableError
        if it cannot be reached
    RemoteError
        if there is no such folder
    """
    useless = " -o ".join(f"-name {name}" for name in USELESS)
    script = _LISTING.replace("@USELESS@", useless)
    try:
        done = ssh.run(script.replace("@FOLDER@", shlex.quote(remote)), _LONGEST_S)
    except UnreachableError:
        raise
    except RemoteError:  # more than is listened to: it is copied without this
        return Listing()
    if done.code != 0:
        message = f"looking for the folder {remote} failed on the machine: {done.reason}"
        raise RemoteError(message)
    return _read(done.stdout)


def _read(output: bytes) -> Listing:
    total, *fields = (os.fsdecode(one) for one in output.split(b"\0"))
    end = fields.index("") if "" in fields else len(fields)
    files = frozenset(filter(_is_inside, map(posixpath.normpath, fields[:end])))
    links, others, rest = dict[str, str](), list[str](), fields[end + 1 :]
    for name, target in zip(rest[::2], rest[1::2], strict=False):
        link = posixpath.normpath(name)
        leads_to = posixpath.normpath(posixpath.join(posixpath.dirname(link), target))
        if leads_to in files and _is_inside(link):
            links[link] = leads_to
        else:
            others.append(link)
    size = int(total) if _SIZE.fullmatch(total) else None
    return Listing(size, files, links, tuple(others))


def _is_inside(path: str) -> bool:
    return not path.startswith(("/", "../")) and path not in (".", "..")
