"""Texts with names in braces: ``--rate {rate}``.

A template is filled in word by word, after it was split into words: no value can break
a word in two, or end one early.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from string import Formatter

from advisor.base.errors import UsageError

Value = str | int | float | bool
"""What a variable of a sweep stands for."""

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
"""What names a variable."""

_LONGEST_NAME = 60
_DIGEST = 8
_ODD = re.compile(r"[^A-Za-z0-9._-]+")


def shown(value: Value) -> str:
    """Return a value as it stands in a command: as TOML has it, a text without quotes."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def names_in(template: str) -> Iterator[str]:
    """Yield the names in the braces of a template.

    Raises
    ------
    UsageError
        if it is no template
    """
    for _, name in _parts(template):
        if name is not None:
            yield name


def filled(template: str, values: Mapping[str, str]) -> str:
    """Return a template with values in place of its names, which are all known."""
    return "".join(
        text + ("" if name is None else values[name]) for text, name in _parts(template)
    )


def _parts(template: str) -> Iterator[tuple[str, str | None]]:
    """Yield the texts of a template, each with the name that follows it."""
    try:
        found = list(Formatter().parse(template))
    except ValueError:
        raise _no_template(template) from None
    for text, name, spec, conversion in found:
        if name is not None and (spec or conversion or not VARIABLE.fullmatch(name)):
            raise _no_template(template)
        yield text, name


def _no_template(template: str) -> UsageError:
    return UsageError(
        f"{template[:60]!r}: a name stands in braces, such as {{rate}}; a brace that is "
        "meant as such is written twice: {{ or }}"
    )


def name_of(variables: Iterable[tuple[str, Value]]) -> str:
    """Return a name made of variables: ``rate-0.1_fold-2``.

    Examples
    --------
    >>> name_of([("rate", 0.1), ("fold", 2)])
    'rate-0.1_fold-2'
    """
    return cleaned("_".join(f"{name}-{shown(value)}" for name, value in variables))


def cleaned(name: str) -> str:
    """Return a name that a folder and a shell can have, at most 60 characters long."""
    plain = _ODD.sub("-", name).strip("-.") or "job"
    if len(plain) <= _LONGEST_NAME:
        return plain
    digest = hashlib.sha256(name.encode(errors="replace")).hexdigest()[:_DIGEST]
    return f"{plain[: _LONGEST_NAME - _DIGEST - 1].rstrip('-.')}-{digest}"


def unlike(name: str, taken: dict[str, int]) -> str:
    """Return a name that is not taken, in whatever case, made of one that may be.

    Parameters
    ----------
    taken : names in lower case, each with the number that was tried for it last; the name
        is added
    """
    number, found = taken.get(name.lower(), 0), name
    while found.lower() in taken:
        number += 1
        end = f"-{number}"
        found = name[: _LONGEST_NAME - len(end)] + end
    taken[name.lower()] = max(number, 1)
    taken.setdefault(found.lower(), 1)
    return found
