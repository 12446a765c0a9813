"""The list of an account's instances, read page by page until it is whole."""

from __future__ import annotations

from collections.abc import Callable

from advisor.base.clock import Clock
from advisor.base.errors import BadAnswerError
from advisor.market.lifecycle import Instance
from advisor.market.vast.answers import InstancePage

LIST_S = 120.0
"""Bound on the whole list: at the documented rate of one page per second, 3,000
instances."""

_MOST_IDLE_PAGES = 3  # which bring no instance that was not there
_MOST_INSTANCES = 100_000


def read_list(
    read_page: Callable[[str | None, float], InstancePage], clock: Clock
) -> list[Instance]:
    """Return all instances of an account, or raise: never a part of them.

    Parameters
    ----------
    read_page : reads the page of a token (None: the first) by a deadline, a moment of the
        monotonic clock in seconds
    clock : time

    Raises
    ------
    BadAnswerError
        if the market counts more instances than it lists, or the list goes on and brings
        nothing new, or too much, or goes on for `LIST_S`
    """
    deadline = clock.monotonic() + LIST_S
    found: dict[int, Instance] = {}
    token: str | None = None
    idle = 0
    while (
        idle < _MOST_IDLE_PAGES
        and len(found) <= _MOST_INSTANCES
        and clock.monotonic() < deadline
    ):
        page = read_page(token, deadline)
        known = len(found)
        found.update({one.instance_id: one for one in page.instances})
        idle = idle + 1 if len(found) == known else 0
        token = page.next_token
        if token is None:
            if page.total is not None and len(found) < page.total:
                message = f"the market lists {len(found)} of {page.total} instances"
                raise BadAnswerError(f"{message}; try again")
            return list(found.values())
    message = "the market's list of instances does not come to an end; try again"
    raise BadAnswerError(message)
