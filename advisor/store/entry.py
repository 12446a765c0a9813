"""One rental as the ledger has it, and what of a row makes sense.

The file takes whatever is written to it; what is read is checked here, so that one row
that makes no sense (a disk's fault, a stranger's hand) stops nothing else.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from advisor.market.values import UNKNOWN_ID

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

_LATEST = 253_402_300_799.0
"""The last second of the year 9999: what lies after it cannot be shown as a date."""

_MAX_INT = 2**63 - 1
"""The largest integer that SQLite keeps."""

_MAX_REASON = 2000
"""Characters of a reason that are kept: it may quote what a market answers."""


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


def plain_text(text: str) -> str:
    """Return a text that any terminal and SQLite take: no escapes, no half characters."""
    return "".join(c if c.isprintable() else " " for c in text)[:_MAX_REASON]


def row_of(entry: Entry) -> list[object]:
    """Return an entry as it is kept, in the order of `COLUMNS`.

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
        ("time", at, _is_time),
        ("state", state, _is_state),
        ("reason", reason, _is_text),
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


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_name(value: object) -> bool:
    # The Unicode replacement character stands for what could not be decoded.
    return isinstance(value, str) and value.isprintable() and "\ufffd" not in value


def _is_label(value: object) -> bool:
    return _is_name(value) and value != ""


def _is_state(value: object) -> bool:
    return isinstance(value, str) and value in STATES


def _is_id(value: object) -> bool:
    return type(value) is int and UNKNOWN_ID <= value <= _MAX_INT


def _is_positive(value: object) -> bool:
    return type(value) is int and 0 < value <= _MAX_INT


def _is_usd(value: object) -> bool:
    return _is_number(value) and 0.0 <= value < math.inf  # type: ignore[operator]


def _is_time(value: object) -> bool:
    return _is_number(value) and 0.0 <= value <= _LATEST  # type: ignore[operator]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _or_none(check: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or check(value)


_CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "label": _is_label,
    "market": _is_name,
    "job": _is_name,
    "state": _is_state,
    "offer_id": _is_id,
    "machine_id": _is_id,
    "gpu_ids": lambda value: _gpu_ids(value) is not None,
    "gpu_name": _is_text,
    "num_gpus": _is_positive,
    "usd_per_hour": _is_usd,
    "traffic_usd": _is_usd,
    "intended_at": _is_time,
    "ends_at": _is_time,
    "instance_id": _or_none(_is_positive),
    "handed_at": _or_none(_is_time),
    "closed_at": _or_none(_is_time),
    "absent_at": _or_none(_is_time),
    "reason": _is_text,
    "place": _is_text,
    "holder": _is_name,
    "lease_until": _or_none(_is_time),
}
