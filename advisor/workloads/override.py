"""Figures of a profile that a user replaces for one run, such as the batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from advisor.base.errors import Given, UsageError
from advisor.workloads.parse import SET_BY_USER, UNITS, workload_of
from advisor.workloads.profile import (
    Workload,
    with_benchmark_units_of,
    with_what_follows,
)

ORIGIN = Given("settings")
"""What messages call the place where such a figure stands."""


_TRUTH = {"true": True, "false": False}


def override(workload: Workload, figures: Mapping[str, object]) -> Workload:
    """Return the profile with other figures, checked as those of a file are.

    Parameters
    ----------
    workload : the profile
    figures : key -> value; a key of the table ``[reference]`` is written
        ``reference.framework``. Where a number is expected a text is read as one.

    Raises
    ------
    advisor.base.errors.UsageError
        if a key is not known or a value cannot be right
    """
    if not figures:
        return workload
    document = asdict(workload)
    document["sources"] = dict(workload.sources)
    for key, value in figures.items():
        _put(document, key, value)
    changed = with_what_follows(workload_of(document, ORIGIN), workload, figures)
    if f"reference.{UNITS}" in figures:
        return changed
    return with_benchmark_units_of(changed, workload)


def assigned(assignments: Iterable[str]) -> dict[str, str]:
    """Return key -> value of texts ``key=value``; of two with one key the last counts.

    Raises
    ------
    advisor.base.errors.UsageError
        if one has no key or no equals sign
    """
    figures: dict[str, str] = {}
    for assignment in assignments:
        key, equals, value = map(str.strip, assignment.partition("="))
        if not (key and equals):
            raise UsageError(ORIGIN, f": {assignment!r}: key=value is expected")
        figures[key] = value
    return figures


def _put(document: dict[str, Any], key: str, value: object) -> None:
    """Put one value in its place; a place that is not there is left to the check."""
    table, _, inner = key.partition(".")
    holder, name = document, key
    if inner and isinstance(document.get(table), dict):
        holder, name = document[table], inner
    old = holder.get(name)
    if isinstance(value, str) and isinstance(old, bool):
        value = _TRUTH.get(value.strip().lower(), value)
    elif isinstance(value, str) and not isinstance(old, str):
        value = number_or_text(value)
    holder[name] = value
    if isinstance(old, str | int | float) and table != "sources":
        document["sources"][name] = SET_BY_USER


def number_or_text(text: str) -> int | float | str:
    """Return the number that a text holds, else the text, for a check to refuse."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
