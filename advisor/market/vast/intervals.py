"""How often Vast.ai lets one account call each part of its API.

Source: the texts of the market's own refusals ("endpoint threshold=4.5") and
https://docs.vast.ai (November 2026).
"""

from __future__ import annotations

import re

from advisor.market.rate_limit import RateRules
from advisor.market.reply import Reply

INTERVALS_S = {
    "search": 6.0,
    "rent": 4.5,
    "show": 2.0,
    "list": 1.0,
    "change": 1.0,
    "destroy": 3.0,
    "bid": 5.5,
    "account": 1.0,
}
"""Least seconds from the end of one call of a kind to the start of the next.

`change` is to start, stop or relabel. No interval is documented for `account`
(who am I, ssh keys, logs): it has that of a list.
"""

AT_ONCE = frozenset({"search", "account"})
"""Kinds that need no interval until the market refuses one of their calls."""

_THRESHOLD = re.compile(rb"threshold\s*=\s*(\d{1,4}(?:\.\d{1,6})?)")
_LONGEST_REFUSAL = 1000


def named_interval_s(reply: Reply) -> float | None:
    """Return the seconds between two calls that a refusal names, None without.

    The market's words are "API requests too frequent: endpoint threshold=4.5".
    """
    named = _THRESHOLD.search(reply.body[:_LONGEST_REFUSAL])
    return float(named[1]) if named else None


def is_quota(reply: Reply) -> bool:
    """Say whether a refusal is for the quota of the day."""
    return b"quota" in reply.body


RULES = RateRules(INTERVALS_S, AT_ONCE, named_interval_s, is_quota)
