"""A profile from TOML text; `advisor.workloads.dump` writes one.

A profile is a TOML file: the fields of `Workload` as flat keys, with the units
that their names carry, a table ``[reference]`` for the configuration in which its
benchmark was run, and a table ``[sources]`` with the source of each figure.
``extends = "NAME"`` takes every figure that it does not give from another profile.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, Field, asdict, fields
from typing import Any, NoReturn, cast

from advisor.base.errors import Given, UsageError
from advisor.workloads.profile import (
    CHOICES,
    Reference,
    Workload,
    with_benchmark_units_of,
    with_what_follows,
)
from advisor.workloads.settings import RENTAL, SETTINGS
from advisor.workloads.together import contradiction

Parent = Callable[[str], Workload]
"""Finds the profile that another extends, by name."""

SET_BY_USER = "set by the user"
"""What a profile says of a figure in place of an inherited one."""

EXTENDS = "extends"

WORKLOADS = "workloads"
"""Table of an ``advisor.toml`` that holds profiles by name."""

UNITS = "benchmark_units_per_sample"
"""Key of ``[reference]`` that stands as it is stated, see `with_benchmark_units_of`."""

LARGEST = 1e15
"""A larger figure is a slip, and arithmetic with it may overflow."""

_LARGEST_COUNT = 1e9
_SMALLEST = 1e-9

_MAY_BE_ZERO = frozenset(
    {
        "weight_bytes_per_parameter",
        "framework_memory_gb",
        "host_ram_gb",
        "cpu_ms_log_sd",
        "dataset_gb",
        "image_gb",
        "checkpoint_gb",
        "embedding_parameters_m",
        "attention_mb_per_sample",
        "tokens_per_sample",
        "padding_share",
        "checkpointed_mb_per_sample",
    }
)

FIELDS: Mapping[str, Field[Any]] = {
    field.name: field
    for field in fields(Workload)
    if field.name not in {"reference", "sources"}
}
"""The flat keys of a profile."""

REFERENCE_FIELDS: Mapping[str, Field[Any]] = {
    field.name: field for field in fields(Reference)
}
"""The keys of its table ``[reference]``."""


def parse_workload(
    text: str, origin: str, parent: Parent | None = None, name: str = ""
) -> Workload:
    """Return the profile that a TOML text holds.

    Parameters
    ----------
    text : the TOML text
    origin : what to call it in messages, such as its path
    parent : finds what a profile extends; None: nothing can be extended
    name : of a profile that extends another and has none of its own

    Raises
    ------
    advisor.base.errors.UsageError
        if it is no TOML, lacks a key, has one that is not known, or a value
        that cannot be right
    """
    parser = Parser(text, origin, parent)
    return parser.workload(parser.document(), name)


def workload_of(document: Mapping[str, Any], origin: str | Given) -> Workload:
    """Return the profile that plain data in the shape of a file's TOML holds.

    Raises
    ------
    advisor.base.errors.UsageError
        as `parse_workload`, but without the line
    """
    return Parser("", origin, None).workload(document, "")


def checked_workload(workload: Workload) -> Workload:
    """Return a profile that a program made, checked as that of a file is.

    Raises
    ------
    advisor.base.errors.UsageError
        as `workload_of`
    """
    document = {**asdict(workload), "sources": dict(workload.sources)}
    return workload_of(document, "workload")


def is_required(name: str) -> bool:
    """Say whether ``[reference]`` must have a key."""
    return REFERENCE_FIELDS[name].default is MISSING


def _is_needed(name: str) -> bool:
    return FIELDS[name].default is MISSING


def is_control(character: str) -> bool:
    """Say whether a character could move the cursor of a terminal."""
    return ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0


def closest(name: str, known: Mapping[str, object]) -> str | None:
    """Return the known name that was most likely meant, None if none is near."""
    import difflib  # noqa: PLC0415  only a mistake needs it

    plain = {"".join(filter(str.isalnum, each.lower())): each for each in known}
    wanted = "".join(filter(str.isalnum, name.lower()))
    starts = sorted(key for key in plain if wanted and key.startswith(wanted))
    near = starts or difflib.get_close_matches(wanted, plain, n=1)
    return plain[near[0]] if near else None


def short(text: str, limit: int = 120) -> str:
    """Return a user's text quoted, on one line, and not too long."""
    quoted = repr(text)
    return quoted if len(quoted) <= limit else f"{quoted[: limit - 4]}...'"


def short_path(path: str, limit: int = 120) -> str:
    """Return a path likewise; of a long one the end, which names the file."""
    quoted = repr(path)
    return quoted if len(quoted) <= limit else f"'...{quoted[4 - limit :]}"


def _hint(key: str, known: Collection[str]) -> str:
    """Return what to do about a key that is not known where it stands."""
    places = [
        place
        for place, keys in ((f"[{RENTAL}]", SETTINGS), (f"[{WORKLOADS}.NAME]", FIELDS))
        if key in keys
    ]
    if places:
        return f"; it belongs in {' or '.join(places)} of advisor.toml"
    close = closest(key, dict.fromkeys(known))
    return f"; did you mean {close}?" if close else ""


class Parser:
    """Turns one TOML text into a profile and knows where each key stands."""

    def __init__(
        self,
        text: str,
        origin: str | Given,
        parent: Parent | None,
        inside: str = "",
    ) -> None:
        self._text = text
        self._origin = origin
        self._parent = parent
        self._inside = inside  # the table that the profile stands in

    def workload(self, document: Mapping[str, Any], name: str) -> Workload:
        """Return the profile that a document, or a table of one, holds."""
        extended, derives_units, stated = None, False, frozenset(document)
        if EXTENDS in document:
            extended = self._extended(document)
            derives_units = UNITS not in self.table(document, "reference")
            document = self._inherited(document, name, extended)
        self.refuse_unknown("", document, {*FIELDS, "reference", "sources"})
        self._refuse_missing("", document, [*filter(_is_needed, FIELDS), "reference"])
        reference = self.table(document, "reference")
        self.refuse_unknown("reference", reference, REFERENCE_FIELDS)
        self._refuse_missing(
            "reference", reference, filter(is_required, REFERENCE_FIELDS)
        )
        values = self._values("", document, FIELDS)
        workload = Workload(
            **values,
            reference=Reference(**self._values("reference", reference, REFERENCE_FIELDS)),
            sources=self._sources(self.table(document, "sources")),
        )
        if found := contradiction(workload):
            self.refuse(found[1], found[0])
        if extended is None:
            return workload
        workload = with_what_follows(workload, extended, stated)
        return with_benchmark_units_of(workload, extended) if derives_units else workload

    def document(self) -> dict[str, Any]:
        """Return the text as TOML reads it."""
        if self._text.lstrip().startswith("<"):
            self.refuse("this is a web page or XML; a workload profile is a TOML file")
        try:
            return tomllib.loads(self._text)
        except tomllib.TOMLDecodeError as error:
            self.refuse(f"this is not valid TOML: {error}")
        except RecursionError:
            self.refuse("this is not a workload profile: too deeply nested")
        except ValueError:  # Python's limit on the digits of an integer
            self.refuse("a number has too many digits")

    def table(self, document: Mapping[str, Any], key: str) -> dict[str, Any]:
        """Return a table of a document, empty if it has none."""
        value = document.get(key, {})
        if not isinstance(value, dict):
            self.refuse(f"a table [{key}] is expected", key)
        return cast("dict[str, Any]", value)

    def _extended(self, document: Mapping[str, Any]) -> Workload:
        extended = self._string(EXTENDS, "", document[EXTENDS])
        if self._parent is None:
            self.refuse("no other profile can be extended here", EXTENDS)
        return self._parent(extended)

    def _inherited(
        self, document: Mapping[str, Any], name: str, extended: Workload
    ) -> dict[str, Any]:
        """Return the parent's figures with those of the document in their place."""
        merged = asdict(extended)
        merged["sources"] = dict(merged["sources"])
        if name:
            merged["name"] = name
        own = {key: value for key, value in document.items() if key != EXTENDS}
        for table, values in (("", own), ("reference", self.table(own, "reference"))):
            place = merged[table] if table else merged
            for key, value in values.items():
                if key not in {"reference", "sources"}:
                    place[key] = value
                    if key in merged["sources"]:
                        merged["sources"][key] = SET_BY_USER
        merged["sources"] |= self.table(own, "sources")
        return merged

    def refuse_unknown(
        self, table: str, found: Mapping[str, Any], known: Collection[str]
    ) -> None:
        """Refuse a key of a table that is not known, and say where it belongs."""
        for key in found:
            if key not in known:
                self.refuse(f"this key is not known{_hint(key, known)}", key, table)

    def _refuse_missing(self, table: str, found: Mapping[str, Any], needed: Any) -> None:
        missing = [key for key in needed if key not in found]
        if missing:
            where = f" in [{table}]" if table else ""
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            self.refuse(f"missing{where}: {', '.join(missing[:3])}{more}")

    def _values(
        self, table: str, found: Mapping[str, Any], known: Mapping[str, Field[Any]]
    ) -> dict[str, Any]:
        """Return the values of the known keys, each checked and of its type."""
        return {
            key: self._value(key, table, str(field.type), found[key])
            for key, field in known.items()
            if key in found
        }

    def _value(self, key: str, table: str, kind: str, value: object) -> object:
        if kind == "str":
            return self._string(key, table, value)
        if kind in CHOICES:
            if value not in CHOICES[kind]:
                self.refuse(f"one of {', '.join(CHOICES[kind])} is expected", key, table)
            return value
        if kind == "bool":
            if not isinstance(value, bool):
                self.refuse("true or false is expected", key, table)
            return value
        if kind == "int" and type(value) is not int:
            self.refuse(f"a whole number is expected, not {_kind(value)}", key, table)
        return self._number(key, table, kind, value)

    def _number(self, key: str, table: str, kind: str, value: object) -> float | int:
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.refuse(f"a number is expected, not {_kind(value)}", key, table)
        lowest = 0 if key in _MAY_BE_ZERO else _SMALLEST
        largest = _LARGEST_COUNT if kind == "int" else LARGEST
        if not (lowest <= value <= largest):  # a NaN is neither
            least = "of at least 0" if key in _MAY_BE_ZERO else "greater than 0"
            self.refuse(
                f"a number {least} and no more than {largest:g} is expected",
                key,
                table,
            )
        return value if kind == "int" else float(value)

    def _string(self, key: str, table: str, value: object) -> str:
        if not isinstance(value, str):
            self.refuse(f"a string is expected, not {_kind(value)}", key, table)
        if not value.isprintable() and any(map(is_control, value)):
            self.refuse("one line without control characters is expected", key, table)
        if key == "name" and not table and not is_name(value):
            self.refuse(
                "letters, digits, '-', '_' and '.' are expected, a letter or digit "
                "first", key, table,
            )  # fmt: skip
        return value

    def _sources(self, table: Mapping[str, Any]) -> dict[str, str]:
        known = {**FIELDS, **REFERENCE_FIELDS}
        self.refuse_unknown("sources", table, known)
        return {key: self._string(key, "sources", table[key]) for key in table}

    def refuse(self, problem: str, key: str = "", table: str = "") -> NoReturn:
        """Raise the error for a problem, with the place where it is."""
        inside = ".".join(filter(None, (self._inside, table)))
        line = _line_of(self._text, key, inside) if key else None
        origin = self._origin
        if isinstance(origin, str) and not origin.isprintable():
            origin = short_path(origin)
        at = "" if line is None else f":{line}"
        name = f"{inside}.{key}" if inside else key
        shown = name if name.isprintable() else repr(name)
        what = f"{at}: {shown[:120]}: {problem}" if key else f"{at}: {problem}"
        raise UsageError(origin, what) from None


def is_name(text: str) -> bool:
    """Say whether a text can be a profile's name and a file's alike."""
    plain = text.replace("-", "").replace("_", "").replace(".", "")
    return text[:1].isalnum() and plain.isalnum() and not text.endswith(".toml")


def _kind(value: object) -> str:
    """Return what a TOML value is, in people's words."""
    names = {bool: "a boolean", str: "a string", dict: "a table", list: "a list"}
    return names.get(type(value), f"{value}"[:40])


def _line_of(text: str, key: str, table: str) -> int | None:
    """Return the line, counted from 1, on which a key of a table is set."""
    here = ""
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith("["):
            here = stripped.split("]")[0].strip("[] \t\"'")
            if not table and here == key:
                return number
            continue
        left = stripped.partition("=")[0].strip().strip("\"'")
        if "=" in stripped and left == (key if here == table else f"{table}.{key}"):
            return number
    return None
