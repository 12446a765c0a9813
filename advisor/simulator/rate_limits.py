"""How often a simulated market lets one key call each part of its API, in real time."""

from __future__ import annotations

from dataclasses import dataclass, field

from advisor.market.vast.intervals import INTERVALS_S

BURST = 2.0
"""Calls that may come at once after a rest; assumed."""

_KINDS = {"release": "destroy"}
_UNLIMITED = "account"  # no interval is documented for it


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


@dataclass(slots=True)
class TokenBuckets:
    """Buckets of tokens, one for each kind of call and identity.

    A bucket holds `BURST` tokens and gains one in the documented interval of its kind
    (`advisor.market.vast.intervals`).
    """

    _buckets: dict[tuple[str, str], _Bucket] = field(default_factory=dict)

    def refusal(self, operation: str, identity: str, now: float) -> str | None:
        """Take a token; return what the market says if there is none, else None.

        Parameters
        ----------
        now : moment of a real clock, s
        """
        if operation == _UNLIMITED:
            return None
        interval_s = INTERVALS_S[_KINDS.get(operation, operation)]
        bucket = self._buckets.setdefault((operation, identity), _Bucket(BURST, now))
        gained = (now - bucket.at) / interval_s
        bucket.tokens, bucket.at = min(bucket.tokens + gained, BURST), now
        if bucket.tokens < 1:
            return f"API requests too frequent: endpoint threshold={interval_s}"
        bucket.tokens -= 1
        return None
