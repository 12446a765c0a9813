"""Numbers of records: runs and measured machines have one sequence."""

from __future__ import annotations

import sqlite3


def next_number(connection: sqlite3.Connection) -> int:
    """Return the number of the next record; none comes twice, also after a deletion.

    To be asked for in the transaction that writes it.
    """
    (last,) = connection.execute(
        "SELECT max(seq) FROM sqlite_sequence WHERE name IN ('run', 'bench')"
    ).fetchone()
    return int(last or 0) + 1


def missing(number: int) -> str:
    """Return what to say of a record that is not there."""
    return f"there is no record {number}; 'advisor records list' shows them"
