"""One rental as the ledger has it, and what of a row makes sense.

The file takes whatever is written to it; what is read is checked here, so that one row
that makes no sense (a disk's fault, a stranger's hand) stops nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from advisor.store.sense import (
    is_amount,
    is_count,
    is_filled_name,
    is_id,
    is_name,
    is_text,
    is_time,
    or_none,
    plain_text,
)

State = Literal[
    "intended",
    "unknown",
    "held",
    "handed",
    "working",
    "releasing",
    "released",
    "refused",
    "gone",
]

STATES: frozenset[str] = frozenset(get_args(State))

CLOSED: frozenset[State] = frozenset({"released", "refused", "gone"})
"""States in which nothing bills any more, as far as anybody knows."""

Step = tuple[float, State, str]
"""When (s since 1970), to which state, why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One rental. Times are seconds since 1970 (UTC).

    Attributes
    ----------
    label : unique, also on the market
    market : address and account that it is rented from
    job : what it is for; a job's entries share its budget
    state : see `advisor.store.ledger`
    offer_id, machine_id, gpu_ids, gpu_name, num_gpus : what was to be rented
    usd_per_hour : most that it bills while it runs, disk included, $/h
    traffic_usd : traffic that the job is predicted to pay, $
    intended_at : when it was written down
    ends_at : when it must be gone
    instance_id : the market's id, None while nobody knows it
    handed_at : when the user or a job got it, None before
    closed_at : when it was found to bill no more, None before
    absent_at : when a whole listing of the market first lacked it, None before
    reason : why it is in its state, for people
    place : computer and data folder that wrote it, see `advisor.store.place`; ``""`` for
        one that an older advisor wrote
    holder : token of the process that works on it, ``""`` if none does
    lease_until : when that process loses it unless it renews, None if none has it
    """

    label: str
    market: str
    job: str
    state: State
    offer_id: int
    machine_id: int
    gpu_ids: tuple[int, ...]
    gpu_name: str
    num_gpus: int
    usd_per_hour: float
    traffic_usd: float
    intended_at: float
    ends_at: float
    instance_id: int | None = None
    handed_at: float | None = None
    closed_at: float | None = None
    absent_at: float | None = None
    reason: str = ""
    place: str = ""
    holder: str = ""
    lease_until: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether it may bill."""
        return self.state not in CLOSED


@dataclass(frozen=True, slots=True)
class Torn:
    """A row of the ledger that makes no sense.

    Attributes
    ----------
    label : of its rental as far as it can be read, ``""`` if it cannot; where a step of
        the history is torn, the rental itself may be whole
    why : for people
    """

    label: str
    why: str


COLUMNS = tuple(field.name for field in fields(Entry))

_FOR_PEOPLE = ("gpu_name", "reason", "place")
"""Texts that are shown, and that a market or a disk's fault may have filled."""


def row_of(entry: Entry) -> list[object]:
    """Return an entry as it is stored, in the order of `COLUMNS`.

    Raises
    ------
    ValueError
        if it makes no sense: it could not be read again
    """
    named = {name: getattr(entry, name) for name in COLUMNS}
    named["gpu_ids"] = json.dumps(entry.gpu_ids)
    named |= {name: plain_text(named[name]) for name in _FOR_PEOPLE}
    parsed(list(named.values()))
    return list(named.values())


def parsed(row: Sequence[object]) -> Entry:
    """Return the entry of a row.

    Raises
    ------
    ValueError
        if it makes no sense; the message says what
    """
    named: dict[str, Any] = dict(zip(COLUMNS, row, strict=True))
    for name, makes_sense in _CHECKS.items():
        if not makes_sense(named[name]):
            message = f"its {name} is {plain_text(repr(named[name]))[:60]}"
            raise ValueError(message)
    named["gpu_ids"] = _gpu_ids(named["gpu_ids"])
    for name in _FOR_PEOPLE:
        named[name] = plain_text(named[name])
    return Entry(**named)


def parsed_step(row: Sequence[object]) -> Step:
    """Return the step of a row of time, state and reason.

    Raises
    ------
    ValueError
        if it makes no sense; the message says what
    """
    at, state, reason = row
    for name, value, makes_sense in (
        ("time", at, is_time),
        ("state", state, _is_state),
        ("reason", reason, is_text),
    ):
        if not makes_sense(value):
            message = f"the {name} of a step is {plain_text(repr(value))[:60]}"
            raise ValueError(message)
    return at, state, plain_text(str(reason))  # type: ignore[return-value]


def _gpu_ids(text: object) -> tuple[int, ...] | None:
    """Return the ids of GPUs, None if they make no sense."""
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, list) or any(type(one) is not int for one in found):
        return None
    return tuple(found)


def _is_state(value: object) -> bool:
    return isinstance(value, str) and value in STATES


_CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "label": is_filled_name,
    "market": is_name,
    "job": is_name,
    "state": _is_state,
    "offer_id": is_id,
    "machine_id": is_id,
    "gpu_ids": lambda value: _gpu_ids(value) is not None,
    "gpu_name": is_text,
    "num_gpus": is_count,
    "usd_per_hour": is_amount,
    "traffic_usd": is_amount,
    "intended_at": is_time,
    "ends_at": is_time,
    "instance_id": or_none(is_count),
    "handed_at": or_none(is_time),
    "closed_at": or_none(is_time),
    "absent_at": or_none(is_time),
    "reason": is_text,
    "place": is_text,
    "holder": is_name,
    "lease_until": or_none(is_time),
}
