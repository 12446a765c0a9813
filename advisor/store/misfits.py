"""Machines that could not run a job: the next launch does not pay for them again."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

from advisor.base.units import SECONDS_PER_DAY
from advisor.software.misfit import MISFITS, Misfit
from advisor.store.database import transaction
from advisor.store.sense import is_amount, is_id, is_name, is_time, or_none


@dataclass(frozen=True, slots=True)
class MisfitRecord:
    """A machine that could not run a job, and what it had.

    Attributes
    ----------
    market : name of the market that the machine's id is of
    job : that it could not run
    misfit : why
    machine_id : the market's id of it; -1 if it has none
    image : that it was rented with; ``""`` where nobody knows any more
    gpu_name : as the market has it
    capability : compute capability times 100; NaN if unknown
    driver : of NVIDIA, as it is compared; NaN if unknown
    cpu_arch : as the market has it, ``""`` if unknown
    ram_gb : of the host's memory, GB; NaN if unknown
    gpu_memory_gb : of one GPU, GiB; NaN if unknown
    at : when that was seen, seconds since 1970
    """

    market: str
    job: str
    misfit: Misfit
    machine_id: int
    image: str
    gpu_name: str
    capability: float
    driver: float
    cpu_arch: str
    ram_gb: float
    gpu_memory_gb: float
    at: float


_COLUMNS = ", ".join(MisfitRecord.__slots__)
_MARKS = ", ".join("?" for _ in MisfitRecord.__slots__)


def store_misfit(connection: sqlite3.Connection, record: MisfitRecord) -> None:
    """Store what was seen."""
    with transaction(connection):
        connection.execute(
            f"INSERT INTO misfit ({_COLUMNS}) VALUES ({_MARKS})",  # noqa: S608
            astuple(record),
        )


def misfits(
    connection: sqlite3.Connection, market: str, job: str, now: float
) -> Sequence[MisfitRecord]:
    """Return what was seen of a job at any time, of others within the last day.

    Rows that make no sense are left out: what they would spare is paid once more.

    Parameters
    ----------
    now : seconds since 1970
    """
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM misfit WHERE market = ? AND (job = ? OR at > ?) "  # noqa: S608
        "ORDER BY number",
        (market, job, now - SECONDS_PER_DAY),
    )
    found = [dict(zip(_CHECKS, row, strict=True)) for row in rows]
    return [
        _record(row)
        for row in found
        if all(makes_sense(row[name]) for name, makes_sense in _CHECKS.items())
    ]


def _record(row: Mapping[str, Any]) -> MisfitRecord:
    # SQLite keeps NaN as NULL.
    values: list[Any] = [math.nan if value is None else value for value in row.values()]
    return MisfitRecord(*values)


_CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "market": is_name,
    "job": is_name,
    "misfit": MISFITS.__contains__,
    "machine_id": is_id,
    "image": is_name,
    "gpu_name": is_name,
    "capability": or_none(is_amount),
    "driver": or_none(is_amount),
    "cpu_arch": is_name,
    "ram_gb": or_none(is_amount),
    "gpu_memory_gb": or_none(is_amount),
    "at": is_time,
}
