"""Files as one compressed archive, which is the same for the same files."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_HASH_DIGITS = 20
_LEVEL = 4
"""Of compression: 6 takes twice as long for 3 % less, measured."""


@dataclass(frozen=True, slots=True)
class Archive:
    """A ``tar.gz``.

    Attributes
    ----------
    body : its bytes
    digest : of the files in it, hexadecimal
    """

    body: bytes
    digest: str


def pack(files: Mapping[str, Path | bytes]) -> Archive:
    """Return an archive of files.

    Dates, owners and the order of a folder are none of it, so that one content has one
    digest.

    Parameters
    ----------
    files : path in the archive -> file of this machine, or a text that is a program
    """
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, file in sorted(files.items()):
            body = file if isinstance(file, bytes) else file.read_bytes()
            member = tarfile.TarInfo(name)
            member.size = len(body)
            runs = isinstance(file, bytes) or bool(file.stat().st_mode & 0o100)
            member.mode = 0o755 if runs else 0o644
            archive.addfile(member, io.BytesIO(body))
    digest = hashlib.sha256(plain.getbuffer()).hexdigest()[:_HASH_DIGITS]
    return Archive(gzip.compress(plain.getbuffer(), _LEVEL, mtime=0), digest)
