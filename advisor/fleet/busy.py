"""A market that has no time just now is asked again later: many machines ask it here."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TypeVar

from advisor.base.errors import (
    CreditError,
    KeyRefusedError,
    MarketError,
    QuotaError,
    RateLimitedError,
)
from advisor.rental.context import RentalContext

Result = TypeVar("Result")

SILENT = 5
"""Times in a row that a market is asked that does not answer; an assumption."""

_PAUSE_S = (30.0, 90.0)
"""A busy market asks for a minute; not all come back at once."""

_FOR_LONG = (KeyRefusedError, CreditError, QuotaError)


def when_not_busy(context: RentalContext, call: Callable[[], Result]) -> Result:
    """Return what a call returns, once the market has time for it.

    Raises
    ------
    MarketError
        if it refuses for long, or does not answer again and again
    """
    silent = 0
    while True:
        try:
            return call()
        except _FOR_LONG:
            raise
        except MarketError as error:
            silent += not isinstance(error, RateLimitedError)
            if silent == SILENT:
                raise
            context.notify(f"{error}; trying again")
            context.sleep(random.uniform(*_PAUSE_S), "waiting as the market asks")  # noqa: S311
