"""A profile as TOML text; `advisor.workloads.parse` reads one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from advisor.workloads.parse import (
    FIELDS,
    LARGEST,
    REFERENCE_FIELDS,
    is_control,
    is_required,
)
from advisor.workloads.profile import Workload

_NO_MARKS: Mapping[str, str] = MappingProxyType({})


def dump_workload(workload: Workload, marks: Mapping[str, str] = _NO_MARKS) -> str:
    """Return the profile as TOML text that loads to an equal one.

    A required key comes last, so that a text cut short at any place is refused
    when it is loaded.

    Parameters
    ----------
    marks : key of a figure -> comment that stands behind it
    """
    figures = [
        _line(name, getattr(workload, name)) + _comment(marks.get(name))
        for name in FIELDS
    ]
    sources = [_line(*item) for item in workload.sources.items()]
    reference = [
        _line(name, getattr(workload.reference, name))
        for name in sorted(REFERENCE_FIELDS, key=is_required)
    ]
    return "\n".join([
        *figures, "", "[sources]", *sources, "", "[reference]", *reference, ""
    ])  # fmt: skip


def _line(key: str, value: object) -> str:
    """Return ``key = value`` in TOML."""
    return f"{key} = {_toml(value)}"


def _comment(mark: str | None) -> str:
    return f"  # {mark}" if mark else ""


def _toml(value: object) -> str:
    """Return a string or a finite number as TOML writes it, without loss."""
    if isinstance(value, str):
        return f'"{"".join(_toml_character(character) for character in value)}"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) <= LARGEST:
        return str(int(value))
    return repr(value)


def _toml_character(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if is_control(character):
        return f"\\u{ord(character):04x}"
    return character
