"""What the driver's own tool, nvidia-smi, says of the GPUs.

It is asked for one line of CSV per GPU. Older drivers refuse fields that they do not know
and name them: those are left out and it is asked again. What a card does not have comes
as ``[N/A]``, ``[Not Supported]`` and the like, and is None here.
"""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

FIELDS = (
    "name",
    "driver_version",
    "compute_cap",
    "pci.bus_id",
    "memory.total",
    "memory.used",
    "mig.mode.current",
    "pcie.link.gen.max",
    "pcie.link.width.max",
    "clocks.max.sm",
    "clocks.max.mem",
    "power.limit",
    "power.default_limit",
    "ecc.mode.current",
    "ecc.errors.uncorrected.volatile.total",
    "retired_pages.pending",
    "remapped_rows.failure",
)

MOVING = (
    "pci.bus_id",
    "pcie.link.gen.current",
    "pcie.link.width.current",
    "clocks.sm",
    "clocks.mem",
    "power.draw",
    "temperature.gpu",
    "clocks_throttle_reasons.active",
)
"""Those that a GPU at rest says nothing of: its clocks and its link are down."""

_RENAMED = {"clocks_throttle_reasons.active": "clocks_event_reasons.active"}
"""What newer drivers call a field (nvidia-smi --help-query-gpu of driver 535 on)."""

_POWER_LIMIT = 0x4
_FAULTS = {
    0x8: "its hardware",
    0x20: "heat",
    0x40: "heat",
    0x80: "the power supply",
}
"""Bits of what holds the clock down (`nvmlClocksEventReasons` in nvml.h): slowdown by the
hardware, thermal slowdown by driver and by hardware, power brake. Left out are idleness,
clocks that were set, sync boost and the display's, which are no faults."""

_TIMEOUT_S = 30.0
"""With eight cards and no persistence daemon a call takes over ten seconds."""

_REFUSED = re.compile(r'Field "([\w.]+)" is not a valid field')
_CUDA = re.compile(r"CUDA (?:UMD )?Version\s*:\s*(\d+)\.(\d+)")
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")
_LONGEST = 200


class HeldDown(NamedTuple):
    """What keeps a clock down.

    Attributes
    ----------
    by_power_limit : as happens to most cards under load
    by_faults : what a sound machine has not
    """

    by_power_limit: bool
    by_faults: tuple[str, ...]


class Card(NamedTuple):
    """What nvidia-smi says of one GPU.

    Attributes
    ----------
    fields : by the names of `FIELDS`, without what the card does not have
    """

    fields: dict[str, str]

    def number(self, field: str) -> float | None:
        """Return a field as a number, without its unit; None if it is none."""
        found = _NUMBER.match(self.fields.get(field, ""))
        return float(found[0]) if found else None

    def on(self, field: str) -> bool | None:
        """Return whether something is enabled; None: the card does not say."""
        return {"Enabled": True, "Disabled": False, "Yes": True, "No": False}.get(
            self.fields.get(field, "")
        )

    @property
    def held_down_by(self) -> HeldDown | None:
        """What keeps its clock down at this moment; None: the card does not say."""
        try:
            bits = int(self.fields["clocks_throttle_reasons.active"], 16)
        except (KeyError, ValueError):
            return None
        faults = {words for bit, words in _FAULTS.items() if bits & bit}
        return HeldDown(bool(bits & _POWER_LIMIT), tuple(sorted(faults)))


class Cards(NamedTuple):
    """What nvidia-smi says of all GPUs.

    Attributes
    ----------
    cards : in the order of the driver
    words : why there is none, in one line; empty if there are
    """

    cards: tuple[Card, ...]
    words: str = ""


def ask_cards(fields: Sequence[str] = FIELDS) -> Cards:
    """Ask nvidia-smi for these fields of all GPUs."""
    asked = {field: field for field in fields}
    while asked:
        query = f"--query-gpu={','.join(asked.values())}"
        status, text = _run(query, "--format=csv,noheader,nounits")
        refused = _REFUSED.search(text)
        if status == 0 and refused is None:
            return _read(text, tuple(asked))
        if refused is None or refused[1] not in asked.values():
            break
        field = next(ours for ours, theirs in asked.items() if theirs == refused[1])
        if _RENAMED.get(field, refused[1]) != refused[1]:
            asked[field] = _RENAMED[field]
        else:
            del asked[field]
    return Cards((), _why(status, text))


def newest_cuda() -> tuple[int, int] | None:
    """Return the newest version of CUDA that the driver runs; None: it does not say."""
    _, text = _run()
    found = _CUDA.search(text)
    return (int(found[1]), int(found[2])) if found else None


def _run(*arguments: str) -> tuple[int, str]:
    """Return nvidia-smi's exit status and what it has printed; -1: it is not there."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return -1, "nvidia-smi is not there"
    try:
        done = subprocess.run(  # noqa: S603  (the driver's tool, with our own arguments)
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return -1, f"nvidia-smi does not answer within {_TIMEOUT_S:.0f} s"
    except OSError as error:
        return -1, f"nvidia-smi does not start: {error.strerror}"
    return done.returncode, done.stdout.decode(errors="replace")


def _read(text: str, fields: tuple[str, ...]) -> Cards:
    rows = csv.reader(text.splitlines(), skipinitialspace=True)
    cards = tuple(
        Card({fields[at]: value.strip() for at, value in enumerate(row) if _is(value)})
        for row in rows
        if len(row) == len(fields)
    )
    return Cards(cards, "" if cards else _why(0, text))


def _is(value: str) -> bool:
    """Return whether a value is one, and not ``[N/A]`` or ``[Unknown Error]``."""
    bare = value.strip()
    return bool(bare) and not bare.startswith("[") and bare != "N/A"


def _why(status: int, text: str) -> str:
    """Return why there is no GPU, in one line."""
    for line in text.splitlines():
        words = "".join(letter for letter in line if letter.isprintable()).strip()
        if words:
            return words[:_LONGEST]
    return f"nvidia-smi ends with status {status}" if status else "nvidia-smi shows none"
