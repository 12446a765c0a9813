"""Files as one compressed archive, which is the same for the same files."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

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


class _Hashed:
    """Passes on what is written, so that it is nowhere as a whole."""

    def __init__(self, zipped: gzip.GzipFile) -> None:
        self.digest = hashlib.sha256()
        self._zipped = zipped

    def write(self, piece: bytes) -> int:
        """Take the next piece."""
        self.digest.update(piece)
        return self._zipped.write(piece)


def pack(files: Mapping[str, Path | bytes]) -> Archive:
    """Return an archive of files.

    Dates, owners and the order of a folder are none of it, so that one content has one
    digest.

    Parameters
    ----------
    files : path in the archive -> file of this machine, or a text that is a program
    """
    packed = io.BytesIO()
    with gzip.GzipFile("", "wb", _LEVEL, packed, mtime=0) as zipped:
        plain = _Hashed(zipped)
        _write(cast("IO[bytes]", plain), files)
    return Archive(packed.getvalue(), plain.digest.hexdigest()[:_HASH_DIGITS])


def _write(plain: IO[bytes], files: Mapping[str, Path | bytes]) -> None:
    with tarfile.open(fileobj=plain, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for name, file in sorted(files.items()):
            body = file if isinstance(file, bytes) else file.read_bytes()
            member = tarfile.TarInfo(name)
            member.size = len(body)
            runs = isinstance(file, bytes) or bool(file.stat().st_mode & 0o100)
            member.mode = 0o755 if runs else 0o644
            archive.addfile(member, io.BytesIO(body))
