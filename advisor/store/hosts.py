"""Machines and hosts that the user blocked, or allows whatever happened."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

from advisor.store.database import transaction
from advisor.store.sense import is_id, is_name, is_text, is_time, plain_text

Kind = Literal["machine", "host"]


@dataclass(frozen=True, slots=True)
class HostRule:
    """What the user said of one machine, or of all machines of one host.

    Attributes
    ----------
    market : name of the market that the id is of
    kind : ``"machine"`` or ``"host"``
    id : the market's id of it
    blocked : whether its offers are left out; False: never block it automatically
    reason : why, for people
    at : when it was said (UTC)
    """

    market: str
    kind: Kind
    id: int
    blocked: bool
    reason: str
    at: datetime


def set_rule(connection: sqlite3.Connection, rule: HostRule) -> None:
    """Keep a rule of the user, in place of an earlier one."""
    with transaction(connection):
        connection.execute(
            "INSERT OR REPLACE INTO host_rule VALUES (?, ?, ?, ?, ?, ?)", _row(rule)
        )


def block_if_not_allowed(connection: sqlite3.Connection, rule: HostRule) -> bool:
    """Keep a block that the user did not ask for, unless there is a rule already.

    Returns whether it was stored.
    """
    with transaction(connection):
        connection.execute(
            "INSERT OR IGNORE INTO host_rule VALUES (?, ?, ?, ?, ?, ?)", _row(rule)
        )
        # Not the cursor's count: where the locale is Turkish, sqlite3 takes INSERT for
        # no change of data (its I has another small letter) and counts nothing.
        (stored,) = connection.execute("SELECT changes()").fetchone()
    return bool(stored)


def rules(
    connection: sqlite3.Connection, market: str | None = None
) -> Sequence[HostRule]:
    """Return the rules of a market (of all if `None`), the oldest first.

    A rule holds also where it does not say when or why; one that names no machine and no
    host holds for none.
    """
    rows = connection.execute(
        "SELECT market, kind, id, blocked, reason, at FROM host_rule "
        "WHERE :market IS NULL OR market = :market ORDER BY at, market, kind, id",
        {"market": market},
    )
    return [
        HostRule(
            name,
            kind,
            number,
            blocked != 0,
            plain_text(reason) if is_text(reason) else "",
            datetime.fromtimestamp(at if is_time(at) else 0, UTC),
        )
        for name, kind, number, blocked, reason, at in rows
        if is_name(name) and kind in get_args(Kind) and is_id(number)
    ]


def ids_of(rules_: Sequence[HostRule], kind: Kind, *, blocked: bool) -> frozenset[int]:
    """Return the ids of a kind that are blocked, or that are allowed."""
    return frozenset(
        rule.id for rule in rules_ if rule.kind == kind and rule.blocked == blocked
    )


def _row(rule: HostRule) -> tuple[str, str, int, bool, str, int]:
    at = int(rule.at.timestamp())
    return rule.market, rule.kind, rule.id, rule.blocked, rule.reason, at
