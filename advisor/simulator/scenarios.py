"""Named faults: everything that the real market has been seen to do wrong."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from advisor.base.errors import UsageError
from advisor.simulator.faults import Fault

_TOO_FREQUENT = "API requests too frequent: endpoint threshold=4.5"
_ACT = ("rent", "release", "change", "bid")


@dataclass(frozen=True, slots=True)
class Scenario:
    """Faults under one name, with a line that says what a client meets."""

    description: str
    faults: tuple[Fault, ...]


def _scenario(name: str, description: str, effect: str, **details: Any) -> Scenario:
    return Scenario(description, (Fault(name, effect, **details),))


def _scenarios() -> dict[str, Scenario]:
    def add(name: str, description: str, effect: str, **details: Any) -> None:
        found[name] = _scenario(name, description, effect, **details)

    found: dict[str, Scenario] = {}
    add(
        "too-frequent",
        "429 in plain text without Retry-After, twice",
        "text",
        status=429,
        message=_TOO_FREQUENT,
        times=2,
    )
    add(
        "too-frequent-retry-after",
        "429 in plain text that asks to wait a second, twice",
        "text",
        status=429,
        message=_TOO_FREQUENT,
        retry_after_s=1,
        times=2,
    )
    add(
        "quota",
        "429: the daily quota of rows is used up for two hours",
        "json",
        operations=("search",),
        status=429,
        error="search_quota_exceeded",
        message="daily search quota exceeded",
        retry_after_s=7200,
    )
    add("bad-gateway", "502 once, before anything happened", "html", status=502, times=1)
    add("unavailable", "503 always", "json", status=503, error="unavailable")
    add("gateway-timeout", "504 once", "html", status=504, times=1)
    add("html-page", "a web page with 200 instead of an answer", "html", status=200)
    add(
        "slow-drip",
        "an answer that comes a byte at a time and does not end in time",
        "drip",
        seconds=0.2,
        after=True,
    )
    add("reset-before", "the connection is reset before anything happened", "reset")
    add(
        "reset-after",
        "a request takes effect, and the connection is reset: the answer is lost",
        "reset",
        operations=_ACT,
        after=True,
        times=1,
    )
    add(
        "error-after",
        "a request takes effect, and a gateway answers 503",
        "json",
        operations=_ACT,
        after=True,
        times=1,
        error="unavailable",
    )
    add(
        "duplicated-offers",
        "every offer twice, the second with a lower score",
        "duplicates",
        operations=("search",),
        after=True,
    )
    add(
        "nan",
        "NaN and Infinity among the figures of offers",
        "nan",
        operations=("search",),
        after=True,
    )
    add(
        "not-success",
        "200 that says success: false, and nothing happened",
        "not-success",
        message="This machine takes no rentals now",
    )
    add(
        "contract-with-error",
        "a rental that makes a contract and answers an error",
        "contract-error",
        operations=("rent",),
        after=True,
        status=400,
        error="failed_to_place",
        message="the machine did not answer",
    )
    add(
        "two-buyers",
        "a rental is accepted although somebody else has the machine: never starts",
        "never-starts",
        operations=("rent",),
        times=1,
    )
    add(
        "no-kernel-image",
        "a rental of which the image has no code for the GPU, once",
        "no-kernel-image",
        operations=("rent",),
        times=1,
    )
    add(
        "driver-refuses",
        "a rental of which the driver refuses the container, once",
        "driver-refuses",
        operations=("rent",),
        times=1,
    )
    add(
        "killed-for-memory",
        "a rental on which what runs is killed for want of memory, once",
        "killed-for-memory",
        operations=("rent",),
        times=1,
    )
    add(
        "gpu-error",
        "a rental of which the GPU does not compute, once",
        "gpu-error",
        operations=("rent",),
        times=1,
    )
    add(
        "slow-host",
        "a rental of a machine that gives a quarter of the CPU that is listed, once",
        "slow-host",
        operations=("rent",),
        times=1,
    )
    add(
        "stale-show",
        "an instance is shown as null for 20 s after it was created",
        "stale",
        operations=("show",),
        after=True,
        seconds=20.0,
    )
    add(
        "lagging-list",
        "an instance is listed only 20 s after it was created",
        "lag",
        operations=("list",),
        after=True,
        seconds=20.0,
    )
    add(
        "lingering-list",
        "an instance is listed for 20 s after it has ended",
        "linger",
        operations=("list",),
        after=True,
        seconds=20.0,
    )
    add(
        "outbid",
        "an interruptible rental is outbid after half an hour: stopped, its disk bills",
        "outbid",
        operations=("rent",),
        seconds=1800.0,
    )
    add("key-revoked", "the key is refused from the fourth request on", "revoke", skip=3)
    add("redirect-elsewhere", "a redirect to another host", "redirect", status=302)
    add("torn-json", "half of an answer's JSON", "torn", after=True)
    return found


SCENARIOS: Mapping[str, Scenario] = _scenarios()
"""Name -> what goes wrong under it."""


def faults_named(names: Iterable[str]) -> tuple[Fault, ...]:
    """Return the faults of scenarios.

    Raises
    ------
    UsageError
        if there is no such scenario
    """
    found: list[Fault] = []
    for name in names:
        if name not in SCENARIOS:
            message = f"no fault is called {name!r}: see 'advisor simulate --list-faults'"
            raise UsageError(message)
        found += SCENARIOS[name].faults
    return tuple(found)


def load_faults(path: Path) -> tuple[Fault, ...]:
    """Read a TOML file of faults.

    It may hold a list ``names`` of scenarios, and tables ``[[fault]]`` with the fields
    of `Fault`.

    Raises
    ------
    UsageError
        if it cannot be read or says something else
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        message = f"cannot read the faults of {path}: {error}"
        raise UsageError(message) from error
    names, tables = document.pop("names", []), document.pop("fault", [])
    if document:
        message = f"{path}: {', '.join(sorted(document))} is none of names and [[fault]]"
        raise UsageError(message)
    if not isinstance(names, list) or not isinstance(tables, list):
        message = f"{path}: names is a list of scenarios, and a fault starts [[fault]]"
        raise UsageError(message)
    try:
        return (*faults_named(map(str, names)), *map(_fault, tables))
    except UsageError as error:
        message = f"{path}: {error}"
        raise UsageError(message) from error


_KINDS: Mapping[str, tuple[type, ...]] = {
    "str": (str,),
    "bool": (bool,),
    "int": (int,),
    "int | None": (int,),
    "float": (int, float),
    "tuple[str, ...]": (list,),
}


def _fault(table: Any) -> Fault:
    """Return the fault of a table, each field of its kind."""
    if not isinstance(table, dict):
        message = "a fault is a table [[fault]]"
        raise UsageError(message)
    kinds = {field.name: _KINDS[str(field.type)] for field in fields(Fault)}
    for name, value in table.items():
        if name not in kinds:
            message = f"a fault has no {name!r}: it may have {', '.join(kinds)}"
            raise UsageError(message)
        is_bool = isinstance(value, bool) and bool not in kinds[name]
        if is_bool or not isinstance(value, kinds[name]):
            message = f"{name} = {value!r} is of the wrong kind"
            raise UsageError(message)
    if "effect" not in table:
        message = "a fault needs an effect"
        raise UsageError(message)
    details = {**table, "name": table.get("name", table["effect"])}
    details["operations"] = tuple(map(str, table.get("operations", ())))
    return Fault(**details)
