"""The market's query language: ``cpu_ram>=48 gpu_name!=RTX_3060 geolocation notin [CN]``.

The language is that of ``vastai search offers``: a field, an operator and a value, as
often as wanted, all of which must hold. ``_`` in a text stands for a blank, memory is in
GB and durations are in days, ``any`` takes back what was said of a field, ``None`` asks
for what is not known. Unlike there, nothing is guessed or let pass: what cannot be meant
is an error. tests/peer/test_where.py lists every difference, and why.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from advisor.base.errors import UsageError
from advisor.market.conditions import ANYTHING, EQUALITIES, MEMBERSHIPS
from advisor.market.fields import ALIASES, FIELDS, OTHER_FIELD, Field, Kind
from advisor.market.reading import as_flag, version_number
from advisor.market.types import Condition, Scalar
from advisor.market.values import read_cpu_arch, renamed

_OPERATORS: Mapping[str, str] = {
    "=": "eq",
    "==": "eq",
    "eq": "eq",
    "!=": "neq",
    "neq": "neq",
    "noteq": "neq",
    ">": "gt",
    "gt": "gt",
    ">=": "gte",
    "gte": "gte",
    "<": "lt",
    "lt": "lt",
    "<=": "lte",
    "lte": "lte",
    "in": "in",
    "notin": "notin",
    "nin": "notin",
}
_SIGNS: Mapping[str, str] = {
    "eq": "=",
    "neq": "!=",
    "gt": ">",
    "gte": ">=",
    "lt": "<",
    "lte": "<=",
    "in": " in ",
    "notin": " notin ",
    ANYTHING: "=any",
}
_COMPARISON = re.compile(
    r"""(?P<field>[A-Za-z0-9_]+)
    (?: \s*(?P<sign>[=<>!]+)
      | \s+(?P<word>[lg]te?|n?eq|not\s*eq|not\s*in|n?in)(?=[\s\["']) )
    \s*(?P<value>\[[^][]*\] | "[^"]*" | '[^']*' | \S*)""",
    re.VERBOSE,
)
_BETWEEN = re.compile(r"[\s,]*")
_WHOLE = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_WILDCARDS = ("any", "?", "*")
_NULLS = ("None", "null")
_QUOTES = ('"', "'")
_WITHOUT_ORDER = ("flag", "text", "word", "cpu", "country")
_SHOWN = 80  # characters of a text that an error quotes


def parse_where(texts: str | Iterable[str]) -> tuple[Condition, ...]:
    """Return the conditions that texts state together.

    Examples
    --------
    >>> parse_where("cpu_ram>=48")
    (Condition(field='cpu_ram', operator='gte', value=48000),)

    Raises
    ------
    advisor.base.errors.UsageError
        if a text is not in the language, or a value cannot be what its field holds
    """
    conditions: list[Condition] = []
    for text in [texts] if isinstance(texts, str) else texts:
        try:
            stated = _conditions(text)
        except _RefusedError as error:
            raise UsageError(f"where {_quoted(text)}: {error}") from None
        for condition in stated:
            if condition.operator == ANYTHING:
                conditions = [c for c in conditions if c.field != condition.field]
            conditions.append(condition)
    return tuple(dict.fromkeys(conditions))


def check_fields(conditions: Sequence[Condition], records: Sequence[Any]) -> None:
    """Refuse conditions on fields that neither the language nor the records know.

    Where there are no records, nobody can say.

    Raises
    ------
    advisor.base.errors.UsageError
        if there is one; it names the field that was most likely meant
    """
    others = [one.field for one in conditions if one.field not in FIELDS]
    if not others or not records:
        return
    present: set[str] = set()
    for record in records:
        if isinstance(record, Mapping):
            present.update(renamed(record))
    for field in others:
        if field not in present:
            raise UsageError(_unknown_field(field, present))


def spelled(
    conditions: Sequence[Condition], gpu_names: Iterable[str]
) -> tuple[Condition, ...]:
    """Return the conditions with GPUs in the market's spelling, as to capitals.

    Parameters
    ----------
    gpu_names : the market's spellings
    """
    by_lower = {name.lower(): name for name in gpu_names}

    def as_listed(value: Scalar) -> Scalar:
        return by_lower.get(value.lower(), value) if isinstance(value, str) else value

    def one(condition: Condition) -> Condition:
        if condition.field != "gpu_name":
            return condition
        value = condition.value
        listed = (
            tuple(map(as_listed, value)) if isinstance(value, tuple) else as_listed(value)
        )
        return Condition(condition.field, condition.operator, listed)

    return tuple(map(one, conditions))


def unlisted_gpus(conditions: Sequence[Condition], listed: Collection[str]) -> list[str]:
    """Return the GPUs that conditions name and that no offer has, in their order.

    Parameters
    ----------
    conditions : see `spelled`
    listed : names that offers have
    """
    named = dict.fromkeys(
        value
        for one in conditions
        if one.field == "gpu_name"
        for value in (one.value if isinstance(one.value, tuple) else (one.value,))
        if isinstance(value, str)
    )
    return [name for name in named if name not in listed]


def written(condition: Condition) -> str:
    """Return a condition as people write it: `parse_where` reads it back."""
    field = FIELDS.get(condition.field, OTHER_FIELD)
    start = condition.field + _SIGNS[condition.operator]
    if condition.operator == ANYTHING:
        return start
    return start + _shown(field, condition.value)


def explained(condition: Condition, found: Scalar) -> str:
    """Return a condition that an offer fails, and what the offer has, for people."""
    field = FIELDS.get(condition.field, OTHER_FIELD)
    if found is None:
        has = "it is not known of this offer"
    elif isinstance(found, float) and field.kind == "number":
        has = f"this offer has {found / field.factor:.6g}"
    else:
        has = f"this offer has {_shown(field, found)}"
    return f"{written(condition)} ({has})"


def _shown(field: Field, value: Scalar | tuple[Scalar, ...]) -> str:
    """Return a value of a field as people write it."""
    if isinstance(value, tuple):
        return f"[{','.join(_shown(field, item) for item in value)}]"
    if isinstance(value, str):
        return value.replace(" ", "_")
    if value is None or isinstance(value, bool):
        return str(value)
    if field.kind == "version":
        return f"{value // 10**6:.0f}.{value // 1000 % 1000:.0f}.{value % 1000:02.0f}"
    return repr(value) if field.factor == 1 else f"{value / field.factor:.15g}"


def _unknown_field(field: str, present: Iterable[str]) -> str:
    import difflib  # noqa: PLC0415  (only a mistake needs it)

    known = sorted({*FIELDS, *ALIASES, *present})
    wanted = field.lower()
    near = [name for name in known if name.startswith(wanted)]
    near = near or difflib.get_close_matches(wanted, known, n=1)
    listed = ", ".join(sorted(FIELDS))
    hint = f"did you mean {_quoted(near[0])}?" if near else f"there are {listed}"
    return f"where: no offer has a field {_quoted(field)}: {hint}"


def _quoted(text: str) -> str:
    """Return a text in quotes, on one line and not too long."""
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")


class _RefusedError(Exception):
    """A text is not in the language; says what is wrong with it."""


def _conditions(text: str) -> list[Condition]:
    """Return the conditions of one text, in its order."""
    found: list[Condition] = []
    at = _skip(text, 0)
    if at == len(text):
        message = "the condition is empty: write FIELD OPERATOR VALUE"
        raise _RefusedError(message)
    while at < len(text):
        match = _COMPARISON.match(text, at)
        if match is None:
            rest = text[at:].split(maxsplit=1)[0]
            message = f"{_quoted(rest)} is no comparison: write FIELD OPERATOR VALUE"
            raise _RefusedError(f"{message}, and _ for a blank in a name")
        found.append(_condition(match))
        at = _skip(text, match.end())
    return found


def _skip(text: str, at: int) -> int:
    """Return where the next comparison starts."""
    match = _BETWEEN.match(text, at)
    return match.end() if match else at


def _condition(match: re.Match[str]) -> Condition:
    name = ALIASES.get(match["field"], match["field"])
    word = "".join((match["sign"] or match["word"]).split())
    operator = _OPERATORS.get(word)
    if operator is None:
        message = f"no operator {_quoted(word)}: there are = != < <= > >= in notin"
        raise _RefusedError(message)
    raw = match["value"].rstrip(",")
    if raw in _WILDCARDS and operator == "eq":
        return Condition(name, ANYTHING, None)
    field = FIELDS.get(name, OTHER_FIELD)
    typed = tuple(_value(name, field, operator, item) for item in _items(raw))
    if operator in MEMBERSHIPS:
        return Condition(name, operator, typed)
    if len(typed) > 1:
        message = f"{name}{_SIGNS[operator]} takes one value: use in for a list"
        raise _RefusedError(message)
    return Condition(name, operator, typed[0])


def _items(raw: str) -> list[str]:
    """Return the values of a list, or the one value, without quotes."""
    bare = raw[1:-1] if raw[:1] == "[" and raw[-1:] == "]" else raw
    if "[" in bare or "]" in bare:
        message = f"the brackets of {_quoted(raw)} do not match"
        raise _RefusedError(message)
    items = [item for one in bare.split(",") if (item := _unquoted(one.strip()))]
    if not items:
        what = "the list is empty" if raw[:1] == "[" else "there is no value"
        message = f"{what}: write a value, or a list such as [A,B]"
        raise _RefusedError(message)
    return items


def _unquoted(item: str) -> str:
    """Return a value with its blanks and without its quotes."""
    bare = item
    if item[:1] in _QUOTES and len(item) > 1 and item[-1] == item[0]:
        bare = item[1:-1]
    elif any(sign in item for sign in "=<>!"):
        message = f"{_quoted(item)} is no value: between comparisons there is a blank"
        raise _RefusedError(message)
    if any(quote in bare for quote in _QUOTES):
        message = f"the quotes of {_quoted(item)} do not match"
        raise _RefusedError(message)
    return " ".join(bare.replace("_", " ").split())


def _value(name: str, field: Field, operator: str, item: str) -> Scalar:
    """Return a value of a field in the market's unit."""
    is_null = item in _NULLS and field.kind != "flag"
    has_order = operator not in EQUALITIES
    if has_order and (is_null or field.kind in _WITHOUT_ORDER):
        what = item if is_null else name
        message = f"{what} has no order: it takes =, !=, in and notin"
        raise _RefusedError(message)
    if item in _WILDCARDS:
        message = f"{item} goes with = alone"
        raise _RefusedError(message)
    return None if is_null else _KINDS[field.kind](name, field, operator, item)


def _number(name: str, field: Field, _: str, item: str) -> float:
    number = float(item) if _NUMBER.fullmatch(item) else math.nan
    if not math.isfinite(number):
        of_what = f" of {field.unit}" if field.unit else ""
        message = f"{name} takes a number{of_what}, not {_quoted(item)}"
        raise _RefusedError(message)
    if _WHOLE.fullmatch(item):
        number = int(item)  # an id may have more digits than a float
    number *= field.factor
    too_small = field.least is not None and 0 < number < field.least
    if too_small or (field.most is not None and number > field.most):
        message = f"{name} is {field.meaning}: {item} cannot be meant"
        raise _RefusedError(message)
    return number


def _flag(name: str, _: Field, __: str, item: str) -> bool:
    flag = as_flag(item)
    if flag is None:
        message = f"{name} takes true or false, not {_quoted(item)}"
        raise _RefusedError(message)
    return flag


def _text(_: str, __: Field, ___: str, item: str) -> str:
    return item


def _word(_: str, __: Field, ___: str, item: str) -> str:
    return item.lower()


def _cpu(_: str, __: Field, ___: str, item: str) -> str:
    return read_cpu_arch(item)


def _country(name: str, _: Field, __: str, item: str) -> str:
    if not (len(item) == 2 and item.isascii() and item.isalpha()):
        message = f"{name} takes a 2-letter country such as DE, not {_quoted(item)}"
        raise _RefusedError(message)
    return item.upper()


def _version(name: str, _: Field, operator: str, item: str) -> int:
    """Return a driver's version as a number; no driver is called 535 and no more."""
    version = version_number(item)
    if version is None or (operator in EQUALITIES and "." not in item):
        message = f"{name} takes a version such as 535.86.05, not {_quoted(item)}"
        raise _RefusedError(message)
    return version


def _release(name: str, field: Field, operator: str, item: str) -> str:
    """Return a release as the market has it: a text that is a number."""
    _number(name, field, operator, item)
    return item


def _other(name: str, field: Field, operator: str, item: str) -> Scalar:
    """Return a value of a field that nobody has described."""
    if operator not in EQUALITIES:
        return _number(name, field, operator, item)
    flag = as_flag(item) if item.isalpha() else None
    return item if flag is None else flag


_KINDS: Mapping[Kind, Callable[[str, Field, str, str], Scalar]] = {
    "number": _number,
    "flag": _flag,
    "text": _text,
    "word": _word,
    "cpu": _cpu,
    "country": _country,
    "version": _version,
    "release": _release,
    "other": _other,
}
"""Kind of a field -> what reads a value of it, given name, field and operator."""
