"""Errors of the GPUs that the driver has written to the kernel's log: Xid.

Only who may read that log sees them, which a container mostly may not.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter

from advisor.measure.probe.lines import Check, Line

HARDWARE = frozenset({48, 54, 62, 64, 74, 79, 92, 94, 95, 119, 120, 140})
"""Those that no program causes: errors of memory that ECC does not correct or that come
too often, rows that could not be replaced, links, power, cards that have fallen off the
bus, the card's own processors (NVIDIA, "Xid errors"). Others may be a program's fault."""

_XID = re.compile(
    r"NVRM: Xid \(PCI:([0-9a-f]+):([0-9a-f]+):[0-9a-f]+\): (\d+)", re.IGNORECASE
)
_TIMEOUT_S = 10.0


def read_xids() -> dict[tuple[int, int], dict[int, int]] | None:
    """Read the errors that the kernel's log has, since the machine was started.

    Returns
    -------
    Domain and bus of the card -> number of the error -> how often; None if the log cannot
    be read.
    """
    program = shutil.which("dmesg")
    if program is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603  (the system's own tool)
            [program],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    # Some kernels show an empty one to whom may not read it.
    if done.returncode != 0 or not done.stdout.strip():
        return None
    found: dict[tuple[int, int], Counter[int]] = {}
    for domain, bus, number in _XID.findall(done.stdout.decode(errors="replace")):
        place = (int(domain, 16), int(bus, 16))
        found.setdefault(place, Counter())[int(number)] += 1
    return {place: dict(counted) for place, counted in found.items()}


def xid_lines(name: str, counted: dict[int, int]) -> tuple[Line, Check]:
    """Return how many errors a GPU has shown, and whether any is of its hardware.

    Parameters
    ----------
    name : of the GPU, such as ``gpu0``
    counted : number of the error -> how often
    """
    kinds = ", ".join(f"Xid {kind}: {times}" for kind, times in sorted(counted.items()))
    line = Line(f"{name}.xid", sum(counted.values()), "errors", note=kinds)
    bad = sorted(HARDWARE.intersection(counted))
    if not bad:
        return line, Check(f"{name}.xid", True, kinds or "none since the last start")
    words = f"errors of its hardware since the last start ({kinds}): take another machine"
    return line, Check(f"{name}.xid", False, words)
