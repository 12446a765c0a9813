"""Which computer, and which data folder on it, a rental was written down by.

A data folder may be copied, and then two computers have one ledger each with the same
rentals in it: who wrote a rental knows by its locks whether its launcher is alive, the
other one does not.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from advisor.store.sense import plain_text

_MACHINE_ID = Path("/etc/machine-id")
"""One of each installation, on Linux (machine-id(5)); not to be shown as it is."""


def place_of(folder: Path) -> str:
    """Return the place of a data folder: installation, path, and which folder that is.

    The name of the host is none of it: a container gets another one at each start, a
    laptop in each network. It is as a row of the ledger keeps it, so that the two may be
    compared.
    """
    whole = folder.resolve()
    try:
        number = whole.stat().st_ino
    except OSError:  # it is not made yet
        number = 0
    return plain_text(f"{_computer()}:{number}:{whole}")


@cache
def _computer() -> str:
    try:
        installation = _MACHINE_ID.read_bytes().strip()
    except OSError:  # no Linux, or a container: the folder must do
        installation = b""
    return hashlib.sha256(b"advisor:" + installation).hexdigest()[:12]
