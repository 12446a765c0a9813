"""Read and write workload profiles.

A profile is a TOML file: the fields of `Workload` as flat keys, with the units
that their names carry, a table ``[reference]`` for the configuration that the
level refers to, and a table ``[sources]`` that says of each figure where it is
from. The ten profiles in ``builtin/`` are written like any user's.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any, NoReturn, cast

from advisor.errors import UsageError
from advisor.workloads.profile import PRECISIONS, Reference, Workload

_BUILTIN = Path(__file__).with_name("builtin")

_MAX_BYTES = 1_000_000
"""A profile has some 10 kB; what is larger is some other file."""

_LARGEST = 1e15
_LARGEST_COUNT = 1e9
_SMALLEST = 1e-9
"""Outside these a figure is a slip, and arithmetic with it may overflow."""

_MAY_BE_ZERO = frozenset(
    {
        "weight_bytes_per_parameter",
        "framework_memory_gb",
        "cpu_ms_log_sd",
        "dataset_gb",
        "image_gb",
        "checkpoint_gb",
    }
)

_FIELDS: Mapping[str, Field[Any]] = {
    field.name: field
    for field in fields(Workload)
    if field.name not in {"reference", "sources"}
}
_REFERENCE_FIELDS: Mapping[str, Field[Any]] = {
    field.name: field for field in fields(Reference)
}


def load_workload(name_or_path: str, folders: Sequence[Path] = ()) -> Workload:
    """Return the profile of that name, or the one in that file.

    Parameters
    ----------
    name_or_path : name of a profile, or path of a TOML file. What ends in
        ``.toml`` or holds a path separator is a path; anything else is a name
        if there is such a profile, else a path.
    folders : where else profiles lie, each as ``NAME.toml``; the first folder
        that has the name wins, the built-in profiles come last

    Raises
    ------
    advisor.errors.UsageError
        if there is no such profile or it cannot be used; the message has the
        file, the line where known, the key, and what is expected
    """
    if not name_or_path.strip():
        raise UsageError("no workload given; `advisor workloads list` shows the names")
    looks_like_path = name_or_path.endswith(".toml") or any(
        separator in name_or_path for separator in "/\\"
    )
    if not looks_like_path:
        known = _known_files(folders)
        if name_or_path in known:
            return _load_file(known[name_or_path])
        if not _is_there(name_or_path):
            raise UsageError(_unknown_name(name_or_path, known))
    return _load_file(Path(name_or_path))


def list_workloads(folders: Sequence[Path] = ()) -> list[Workload]:
    """Return every profile that `load_workload` knows by name, sorted by name.

    Raises
    ------
    advisor.errors.UsageError
        if one of them cannot be used
    """
    return [_load_file(path) for _, path in sorted(_known_files(folders).items())]


def parse_workload(text: str, origin: str) -> Workload:
    """Return the profile that a TOML text holds.

    Parameters
    ----------
    text : the TOML text
    origin : what to call it in messages, such as its path

    Raises
    ------
    advisor.errors.UsageError
        if it is no TOML, lacks a key, has one that is not known, or a value
        that cannot be right
    """
    return _Parser(text, origin).workload()


def workload_of(document: Mapping[str, Any], origin: str) -> Workload:
    """Return the profile that plain data in the shape of a file's TOML holds.

    Raises
    ------
    advisor.errors.UsageError
        as `parse_workload`, but without the line
    """
    return _Parser("", origin).workload_of(document)


def dump_workload(workload: Workload) -> str:
    """Return the profile as TOML text that loads to an equal one.

    A required key comes last, so that a text cut short at any place is refused
    when it is loaded.
    """
    figures = [_line(name, getattr(workload, name)) for name in _FIELDS]
    sources = [_line(*item) for item in workload.sources.items()]
    reference = [
        _line(name, getattr(workload.reference, name))
        for name in sorted(_REFERENCE_FIELDS, key=_is_required)
    ]
    return "\n".join([
        *figures, "", "[sources]", *sources, "", "[reference]", *reference, ""
    ])  # fmt: skip


def _is_required(name: str) -> bool:
    return _REFERENCE_FIELDS[name].default is MISSING


def _line(key: str, value: object) -> str:
    """Return ``key = value`` in TOML."""
    return f"{key} = {_toml(value)}"


def _toml(value: object) -> str:
    """Return a string or a finite number as TOML writes it, without loss."""
    if isinstance(value, str):
        return f'"{"".join(_toml_character(character) for character in value)}"'
    if isinstance(value, float) and value.is_integer() and abs(value) <= _LARGEST:
        return str(int(value))
    return repr(value)


def _toml_character(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if _is_control(character):
        return f"\\u{ord(character):04x}"
    return character


def _is_control(character: str) -> bool:
    """Tell whether a character could move the cursor of a terminal."""
    return ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0


def _known_files(folders: Sequence[Path]) -> dict[str, Path]:
    """Map the name of each profile to its file; earlier folders win."""
    known: dict[str, Path] = {}
    for folder in (*folders, _BUILTIN):
        for path in sorted(folder.glob("*.toml")):
            known.setdefault(path.stem, path)
    return known


def _is_there(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # too long, or with a NUL in it
        return False


def _unknown_name(name: str, known: Mapping[str, Path]) -> str:
    close = _closest(name, known)
    hint = f"did you mean {close}?" if close else f"known are {', '.join(sorted(known))}"
    return f"no workload and no file is called {_short(name)}; {hint}"


def _closest(name: str, known: Mapping[str, object]) -> str | None:
    """Return the known name that was most likely meant, None if none is near."""
    import difflib  # noqa: PLC0415  only a mistake needs it

    plain = {"".join(filter(str.isalnum, each.lower())): each for each in known}
    wanted = "".join(filter(str.isalnum, name.lower()))
    starts = sorted(key for key in plain if wanted and key.startswith(wanted))
    near = starts or difflib.get_close_matches(wanted, plain, n=1)
    return plain[near[0]] if near else None


def _load_file(path: Path) -> Workload:
    origin = str(path)
    return parse_workload(_read(path, origin), origin)


def _read(path: Path, origin: str) -> str:
    """Return the text of a file that may be anything."""
    name = _short(origin)
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except IsADirectoryError:
        raise UsageError(f"{name} is a folder; give a profile inside it") from None
    except FileNotFoundError:
        raise UsageError(_missing_file(path, name)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{name} cannot be read: {reason}") from None
    if len(data) > _MAX_BYTES:
        raise UsageError(
            f"{name} is larger than {_MAX_BYTES // 1_000_000} MB; "
            "a workload profile is a small TOML file"
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise UsageError(f"{name} is not UTF-8 text; a workload profile is a TOML file")
    return text


def _missing_file(path: Path, name: str) -> str:
    close = _closest(path.stem, _known_files(()))
    hint = f"; the built-in profile is called {close}" if close else ""
    return f"there is no file {name}{hint}"


def _short(text: str, limit: int = 120) -> str:
    """Return a user's text quoted, on one line, and not too long."""
    quoted = repr(text)
    return quoted if len(quoted) <= limit else f"{quoted[: limit - 4]}...'"


class _Parser:
    """Turns one TOML text into a profile and knows where each key stands."""

    def __init__(self, text: str, origin: str) -> None:
        self._text = text
        self._origin = origin

    def workload(self) -> Workload:
        return self.workload_of(self._document())

    def workload_of(self, document: Mapping[str, Any]) -> Workload:
        self._refuse_unknown("", document, {*_FIELDS, "reference", "sources"})
        self._refuse_missing("", document, [*_FIELDS, "reference"])
        reference = self._table(document, "reference")
        self._refuse_unknown("reference", reference, _REFERENCE_FIELDS)
        self._refuse_missing(
            "reference", reference, filter(_is_required, _REFERENCE_FIELDS)
        )
        values = self._values("", document, _FIELDS)
        workload = Workload(
            **values,
            reference=Reference(
                **self._values("reference", reference, _REFERENCE_FIELDS)
            ),
            sources=self._sources(self._table(document, "sources")),
        )
        self._check_together(workload)
        return workload

    def _document(self) -> dict[str, Any]:
        if self._text.lstrip().startswith("<"):
            self._refuse("this is a web page or XML; a workload profile is a TOML file")
        try:
            return tomllib.loads(self._text)
        except tomllib.TOMLDecodeError as error:
            self._refuse(f"this is not whole TOML: {error}")
        except RecursionError:
            self._refuse("this is not a workload profile: too deeply nested")
        except ValueError:  # Python's limit on the digits of an integer
            self._refuse("a number has too many digits")

    def _table(self, document: Mapping[str, Any], key: str) -> dict[str, Any]:
        value = document.get(key, {})
        if not isinstance(value, dict):
            self._refuse(f"a table [{key}] is expected", key)
        return cast("dict[str, Any]", value)

    def _refuse_unknown(self, table: str, found: Mapping[str, Any], known: Any) -> None:
        for key in found:
            if key not in known:
                close = _closest(key, dict.fromkeys(known))
                hint = f"; did you mean {close}?" if close else ""
                self._refuse(f"this key is not known{hint}", key, table)

    def _refuse_missing(self, table: str, found: Mapping[str, Any], needed: Any) -> None:
        missing = [key for key in needed if key not in found]
        if missing:
            where = f" in [{table}]" if table else ""
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            self._refuse(f"missing{where}: {', '.join(missing[:3])}{more}")

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
        if kind == "Precision":
            if value not in PRECISIONS:
                self._refuse(f"one of {', '.join(PRECISIONS)} is expected", key, table)
            return value
        if kind == "int" and type(value) is not int:
            self._refuse(f"a whole number is expected, not {_kind(value)}", key, table)
        return self._number(key, table, kind, value)

    def _number(self, key: str, table: str, kind: str, value: object) -> float | int:
        if isinstance(value, bool) or not isinstance(value, int | float):
            self._refuse(f"a number is expected, not {_kind(value)}", key, table)
        lowest = 0 if key in _MAY_BE_ZERO else _SMALLEST
        largest = _LARGEST_COUNT if kind == "int" else _LARGEST
        if not (lowest <= value <= largest):  # a NaN is neither
            least = "of at least 0" if key in _MAY_BE_ZERO else "greater than 0"
            self._refuse(
                f"a number {least} and no more than {largest:g} is expected",
                key,
                table,
            )
        return value if kind == "int" else float(value)

    def _string(self, key: str, table: str, value: object) -> str:
        if not isinstance(value, str):
            self._refuse(f"a string is expected, not {_kind(value)}", key, table)
        if any(map(_is_control, value)):
            self._refuse("one line without control characters is expected", key, table)
        if key == "name" and not table and not _is_name(value):
            self._refuse(
                "letters, digits, '-', '_' and '.' are expected, a letter or digit "
                "first", key, table,
            )  # fmt: skip
        return value

    def _sources(self, table: Mapping[str, Any]) -> dict[str, str]:
        known = {**_FIELDS, **_REFERENCE_FIELDS}
        self._refuse_unknown("sources", table, known)
        return {key: self._string(key, "sources", table[key]) for key in table}

    def _check_together(self, workload: Workload) -> None:
        if workload.trainable_parameters_m > workload.parameters_m:
            self._refuse(
                f"no more than parameters_m ({workload.parameters_m:g}) is expected",
                "trainable_parameters_m",
            )

    def _refuse(self, problem: str, key: str = "", table: str = "") -> NoReturn:
        """Raise the error for a problem, with the place where it is."""
        line = _line_of(self._text, key, table) if key else None
        place = _short(self._origin) if not self._origin.isprintable() else self._origin
        if line is not None:
            place += f":{line}"
        name = f"{table}.{key}" if table else key
        shown = name if name.isprintable() else repr(name)
        message = f"{place}: {shown[:120]}: {problem}" if key else f"{place}: {problem}"
        raise UsageError(message) from None


def _is_name(text: str) -> bool:
    """Tell whether a text can be a profile's name and a file's alike."""
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
