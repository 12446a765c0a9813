"""The keys of a sweep's file as the fields of a `SweepSpec`.

What all jobs train may stand at the top of the file or in a table ``[job]``, and the
variables of a listed job beside its other keys or in a table of theirs.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any

from advisor.app.constraints import Constraints
from advisor.app.job import JobSpec
from advisor.app.sweep_parts import OF_THE_JOB, ListedJob
from advisor.base.errors import UsageError
from advisor.base.units import SECONDS_PER_HOUR
from advisor.rental import arguments
from advisor.workloads.parse import closest

_HOURS = {"deadline_h": "deadline_s", "lease_h": "lease_s"}
"""Keys in hours, and the fields in seconds that they are for."""

_LONGEST_KEY = 40
_NAMED = re.compile(r"{(\w+)}")


def fields_of(found: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """Return what a file says as the fields of a `SweepSpec`, their values unchecked.

    Parameters
    ----------
    known : names of these fields

    Raises
    ------
    UsageError
        if a key is not known where it stands: which one may have been meant
    """
    of_job, of_offers = _names(JobSpec), _names(Constraints)
    at_top = ({*known} - {*_HOURS.values()}) | {*_HOURS}
    places = {"at the top of the file": at_top, "in [offers]": of_offers}
    job = _table(found, "job")
    for seconds in {*found} & {*_HOURS.values()}:
        hours = next(key for key, field in _HOURS.items() if field == seconds)
        message = f"{seconds} is not known: write {hours}"
        raise UsageError(message)
    _check_keys("", found, at_top | of_job, places)
    _check_keys(" in [job]", job, of_job, places)
    _check_keys(" in [offers]", _table(found, "offers"), of_offers, places)
    _check_grid(_table(found, "grid"), at_top | of_job)
    at_both = sorted({*job} & of_job & {*found})
    if at_both:
        message = f"{at_both[0]} stands at the top and in [job]: leave one out"
        raise UsageError(message)
    taken = {key: value for key, value in found.items() if key not in of_job}
    taken["job"] = {**job, **{key: found[key] for key in found if key in of_job}}
    if isinstance(listed := found.get("jobs"), list):
        command = str(found.get("command", ""))
        taken["jobs"] = [_listed(at, one, command) for at, one in enumerate(listed, 1)]
        if listed and all("workload" in one for one in listed):
            taken["job"].setdefault("workload", listed[0]["workload"])
    for key, field in _HOURS.items():
        if key in taken:
            long = arguments.above_zero(key, taken.pop(key), "hours")
            taken[field] = (long or 0.0) * SECONDS_PER_HOUR
    return taken


def _names(spec: type[Any]) -> set[str]:
    return {one.name for one in fields(spec)}


def _table(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = found.get(name, {})
    if not isinstance(table, Mapping):
        message = f"{name}: a table is expected, which begins with [{name}]"
        raise UsageError(message)
    return table


def _check_keys(
    where: str,
    found: Mapping[str, Any],
    known: Collection[str],
    places: Mapping[str, Collection[str]],
) -> None:
    """Refuse a key that is not known where it stands."""
    for key in found:
        if key in known:
            continue
        other = next((place for place, keys in places.items() if key in keys), None)
        hint = f"; it belongs {other}" if other else _meant(key, known)
        message = f"{key[:_LONGEST_KEY]!r} is not known{where}{hint}"
        raise UsageError(message)


def _check_grid(grid: Mapping[str, Any], known: Collection[str]) -> None:
    """Refuse a key below ``[grid]`` that is meant for the whole sweep."""
    for key, value in grid.items():
        if key in known and not isinstance(value, list):
            message = (
                f"{key} stands below [grid], where it is a variable: write it above the "
                "first table"
            )
            raise UsageError(message)


def _listed(number: int, one: object, command: str) -> dict[str, Any]:
    """Return a listed job, the variables beside its other keys among the others."""
    if not isinstance(one, Mapping):
        message = "jobs: tables are expected, each of which begins with [[jobs]]"
        raise UsageError(message)
    known = _names(ListedJob)
    taken = {key: value for key, value in one.items() if key in known}
    own = {key: value for key, value in one.items() if key not in known}
    named = {*_NAMED.findall(command)}
    variables = taken.get("variables", {})
    if not isinstance(variables, Mapping):
        message = f"[[jobs]] {number}: variables: names with values are expected"
        raise UsageError(message)
    for key, value in own.items():
        name = f"{key[:_LONGEST_KEY]!r}"
        if isinstance(value, Mapping | list) or key not in named:
            message = (
                f"[[jobs]] {number}: {name} is not known, and the command has no "
                f"{{{key[:_LONGEST_KEY]}}} for it{_meant(key, known | named)}"
            )
            raise UsageError(message)
        if key in variables:
            message = f"[[jobs]] {number}: {name} stands there twice"
            raise UsageError(message)
    own |= {key: one[key] for key in OF_THE_JOB if key in one and key in named}
    return {**taken, "variables": {**variables, **own}}


def _meant(key: str, known: Collection[str]) -> str:
    near = closest(key, dict.fromkeys(sorted(known)))
    return f"; did you mean {near}?" if near else ""
