"""Arguments of the Python face, checked as the options of the command line are.

Each check raises `UsageError` with the argument's name; None, which stands for an
argument that was not given, is always right.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence

from advisor.errors import UsageError


def above_zero(name: str, value: object, unit: str) -> None:
    """Refuse what is no finite number above zero."""
    if value is not None and not (_is_finite(value) and value > 0):  # type: ignore[operator]
        message = f"{name}={value!r}: a number of {unit} above 0 is expected"
        raise UsageError(message)


def share(name: str, value: object) -> None:
    """Refuse what is no number from 0 to 1."""
    if value is not None and not (_is_finite(value) and 0 <= value <= 1):  # type: ignore[operator]
        message = f"{name}={value!r}: a number from 0 to 1 is expected"
        raise UsageError(message)


def whole(name: str, value: object, most: int = 10**9) -> None:
    """Refuse what is no whole number from 1 on."""
    if value is not None and not (_is_whole(value) and 1 <= value <= most):  # type: ignore[operator]
        message = f"{name}={value!r}: a whole number from 1 to {most:,} is expected"
        raise UsageError(message)


def one_of(name: str, value: object, known: Sequence[str]) -> None:
    """Refuse a word that is not known."""
    if value not in known:
        message = f"{name}={value!r}: one of {', '.join(known)} is expected"
        raise UsageError(message)


def names(name: str, values: object) -> None:
    """Refuse what is no list of texts, such as one text."""
    if isinstance(values, str) or not _is_list_of(values, str):
        message = f"{name}={values!r}: a list of names is expected, such as [{values!r}]"
        raise UsageError(message)


def counts(name: str, values: object) -> None:
    """Refuse what is no list of whole numbers from 1 on."""
    if not _is_list_of(values, numbers.Integral):
        message = (
            f"{name}={values!r}: a list of whole numbers is expected, such as [1, 2]"
        )
        raise UsageError(message)
    for value in values:  # type: ignore[attr-defined]
        whole(name, value)


def _is_finite(value: object) -> bool:
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return is_number and math.isfinite(value)  # type: ignore[arg-type]


def _is_whole(value: object) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_list_of(values: object, kind: type) -> bool:
    return isinstance(values, list | tuple | set | frozenset) and all(
        isinstance(value, kind) for value in values
    )
