"""Specs as JSON, and back.

A document holds a spec's fields by their names; a field that it lacks has the spec's own
default, so that what an older version wrote is read. A key that is not known is refused:
a constraint or a cap that is silently dropped would be none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from advisor.base.errors import UsageError

VERSION = 2
"""Of the documents; it rises with each field that is added, so that an older advisor
says that it is older rather than that a field is not known."""

_VERSION = "version"


def document_of(spec: Any) -> dict[str, Any]:
    """Return the document of a spec, with its version."""
    return {_VERSION: VERSION, **_plain(spec)}


def checked_version(document: object, newest: int = VERSION) -> dict[str, Any]:
    """Return the fields of a document of a version that is understood.

    Raises
    ------
    UsageError
        if it is none, or of a newer advisor
    """
    if not isinstance(document, Mapping):
        message = "an object is expected"
        raise UsageError(message)
    version = document.get(_VERSION)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        message = f"{_VERSION}: a whole number from 1 on is expected"
        raise UsageError(message)
    if version > newest:
        message = (
            f"a newer advisor wrote it ({_VERSION} {str(version)[:20]}, this one knows "
            f"{newest}): update this one"
        )
        raise UsageError(message)
    return {str(key): value for key, value in document.items() if key != _VERSION}


def arguments_of(spec: type[Any], found: object) -> dict[str, Any]:
    """Return the fields of a spec as the spec itself takes them, still unchecked.

    Raises
    ------
    UsageError
        if it is no object, or has a key that the spec has not
    """
    if not isinstance(found, Mapping):
        message = f"{spec.__name__}: an object is expected"
        raise UsageError(message)
    known = {one.name for one in fields(spec)}
    if unknown := sorted(str(key) for key in found if key not in known):
        message = f"{spec.__name__}: {unknown[0][:40]!r} is not known"
        raise UsageError(message)
    return {key: _tupled(value) for key, value in found.items()}


def needs(found: Mapping[str, Any], *names: str) -> None:
    """Refuse a document without fields that have no default.

    Raises
    ------
    UsageError
        with the first that lacks
    """
    for name in names:
        if name not in found:
            message = f"{name} is missing"
            raise UsageError(message)


def _plain(value: Any) -> Any:
    """Return what JSON has for a value; pairs are an object."""
    if is_dataclass(value):
        return {
            one.name: dict(getattr(value, one.name))
            if one.metadata.get("pairs")
            else _plain(getattr(value, one.name))
            for one in fields(value)
        }
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def _tupled(value: Any) -> Any:
    """Return lists as the tuples that specs have."""
    return tuple(value) if isinstance(value, list) else value
