"""How a frozen spec takes its checked values, once, when it is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def settle(spec: object, check: Callable[..., Any], *names: str, **how: Any) -> None:
    """Put what a check returns in place of each of a spec's values.

    Parameters
    ----------
    check : takes a name, the value and `how`; see `advisor.rental.arguments`
    """
    for name in names:
        object.__setattr__(spec, name, check(name, getattr(spec, name), **how))
