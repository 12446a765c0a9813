"""Machines that could not run a job, kept so that the next launch does not pay again."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

from advisor.software.misfit import Misfit
from advisor.store.database import transaction

_DAY_S = 86400.0


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


def keep_misfit(connection: sqlite3.Connection, record: MisfitRecord) -> None:
    """Keep what was seen."""
    with transaction(connection):
        connection.execute(
            f"INSERT INTO misfit ({_COLUMNS}) VALUES ({_MARKS})",  # noqa: S608
            astuple(record),
        )


def misfits(
    connection: sqlite3.Connection, market: str, job: str, now: float
) -> Sequence[MisfitRecord]:
    """Return what was seen of a job at any time, of others within the last day.

    Parameters
    ----------
    now : seconds since 1970
    """
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM misfit WHERE market = ? AND (job = ? OR at > ?) "  # noqa: S608
        "ORDER BY number",
        (market, job, now - _DAY_S),
    )
    return [_record(row) for row in rows]


def _record(row: Sequence[Any]) -> MisfitRecord:
    # SQLite keeps NaN as NULL.
    values: list[Any] = [math.nan if value is None else value for value in row]
    return MisfitRecord(*values)
