"""What is answered where something cannot be done: a line, and a status."""

from __future__ import annotations

from http import HTTPStatus

from advisor.base.errors import (
    AdvisorError,
    MarketError,
    NothingFitsError,
    OverBudgetError,
    StoreError,
    UsageError,
)
from advisor.serve.workers import BusyError

_STATUSES: tuple[tuple[type[AdvisorError], HTTPStatus], ...] = (
    (StoreError, HTTPStatus.INTERNAL_SERVER_ERROR),  # one is a UsageError, too
    (UsageError, HTTPStatus.BAD_REQUEST),
    (NothingFitsError, HTTPStatus.OK),  # an answer as good as any
    (OverBudgetError, HTTPStatus.OK),
    (BusyError, HTTPStatus.SERVICE_UNAVAILABLE),
    (MarketError, HTTPStatus.BAD_GATEWAY),
)


def status_of(error: AdvisorError) -> HTTPStatus:
    """Return the status of an answer that reports an error."""
    for kind, status in _STATUSES:
        if isinstance(error, kind):
            return status
    return HTTPStatus.INTERNAL_SERVER_ERROR
