"""How often one account calls each part of a market's API.

Calls that act are an interval apart from the first one on. A read that costs nothing goes
out at once: only when the market refuses one do the next ones wait, as long as the market
said, and longer if that was not enough. What the intervals are, and what a refusal says,
is the market's own: `RateRules`.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from advisor.base.clock import Clock
from advisor.market.remembered import Limit, Memory, Remembered
from advisor.market.reply import Reply

_SLOWER = 1.5
_MARGIN_S = 0.1  # two calls do not take equally long to the market
_LEAST_INTERVAL_S = 0.5
_LONGEST_INTERVAL_S = 30.0

ASKED = "the market asks to wait"
"""Why we mostly wait."""

Notify = Callable[[float, str], None]
"""What hears how many seconds are going to be waited, and why: words before them."""


def _nobody(_: float, __: str) -> None:
    """Notify nobody of a wait."""


def _names_none(_: Reply) -> float | None:
    """Read no interval in a refusal."""
    return None


def _no_quota(_: Reply) -> bool:
    """Read no quota in a refusal."""
    return False


@dataclass(frozen=True, slots=True)
class RateRules:
    """What a market lets one account do in a while, and how it says so.

    Attributes
    ----------
    intervals_s : kind of call -> least seconds from the end of one call of that kind to
        the start of the next
    at_once : kinds without an interval until the market refuses one of their calls
    named_interval_s : returns the seconds between two calls that the text of a refusal
        names, None where it names none
    is_quota : says whether a refusal is for a quota that is used up, which no wait of a
        minute mends: such a call is not repeated

    Examples
    --------
    >>> rules = RateRules({"search": 2.0, "rent": 5.0}, at_once=frozenset({"search"}))
    >>> limiter = RateLimiter(rules, Clock())
    >>> limiter.wait("search")
    True
    """

    intervals_s: Mapping[str, float]
    at_once: frozenset[str] = frozenset()
    named_interval_s: Callable[[Reply], float | None] = _names_none
    is_quota: Callable[[Reply], bool] = _no_quota


class RateLimiter:
    """The rate limiter of one account; threads that share it wait for one another.

    Parameters
    ----------
    rules : the market's
    clock : time, and waits
    memory : what the market asked for before, shared with other processes; None for
        one that is lost with this one
    """

    def __init__(
        self, rules: RateRules, clock: Clock, memory: Memory | None = None
    ) -> None:
        self.rules = rules
        self._clock = clock
        self._memory = memory or Memory()
        self._epoch = clock.now().timestamp() - clock.monotonic()
        self._lock = threading.Lock()
        self._free_at: dict[str, float] = {}

    def wait(
        self,
        kind: str,
        deadline: float = math.inf,
        patience_s: float = math.inf,
        notify: Notify = _nobody,
    ) -> bool:
        """Wait until a call of a kind may be made, and take that slot.

        Returns False at once, and takes no slot, where the next one would only come at
        the deadline (a moment of the clock, in seconds) or after it, or in
        `patience_s` or more.
        """
        left_s = min(deadline - self._clock.monotonic(), patience_s)
        take = self._remembered_slot if kind in self.rules.at_once else self._fixed_slot
        wait_s = take(kind, left_s)
        if wait_s is None:
            return False
        self.rest(wait_s, ASKED, notify)
        return True

    def rest(self, seconds: float, why: str, notify: Notify = _nobody) -> None:
        """Wait, and notify of it first."""
        if seconds > 0:
            notify(seconds, why)
            self._clock.sleep(seconds)

    def ended(self, kind: str) -> None:
        """Count the interval of a kind from now on: the market has answered."""
        if kind in self.rules.at_once:
            if self._is_slowed(kind):
                self._memory.change(lambda known: self._put_off(known, kind))
            return
        with self._lock:
            free_at = self._clock.monotonic() + self.rules.intervals_s[kind]
            self._free_at[kind] = max(free_at, self._free_at.get(kind, free_at))

    def refused(self, kind: str, reply: Reply, wait_s: float | None) -> None:
        """Slow down: the market has refused a call of a kind.

        Parameters
        ----------
        reply : the refusal
        wait_s : seconds until it is tried again; None: it is not
        """
        if kind not in self.rules.at_once:
            return
        now = self._now()
        named_s = self._interval_s(kind, reply)

        def slowed(remembered: Remembered) -> Remembered:
            before = remembered.limits.get(kind)
            interval_s = named_s
            if before is not None:
                before_s = before.interval_at(now)
                # Calls that were under way together are refused together: once slower.
                grows = now - before.refused_unix_s >= before_s
                before_s *= _SLOWER if grows else 1.0
                interval_s = min(max(named_s, before_s), _LONGEST_INTERVAL_S)
            free = now + (interval_s if wait_s is None else wait_s)
            limit = Limit(interval_s, now, free)
            return remembered.with_limit(kind, limit)

        self._memory.change(slowed)

    def _fixed_slot(self, kind: str, left_s: float) -> float | None:
        """Take the next slot of a kind with a fixed interval; return the wait, s."""
        with self._lock:
            now = self._clock.monotonic()
            slot = max(now, self._free_at.get(kind, now))
            if slot - now >= left_s:
                return None
            self._free_at[kind] = slot + self.rules.intervals_s[kind]
        return slot - now

    def _remembered_slot(self, kind: str, left_s: float) -> float | None:
        """Take the next slot of a kind that the market may have slowed down."""
        wait_s = 0.0

        def taken(known: Remembered) -> Remembered:
            nonlocal wait_s
            limit = known.limits.get(kind)
            wait_s = 0.0 if limit is None else limit.wait_at(self._now())
            return known if wait_s >= left_s else self._put_off(known, kind, wait_s)

        if self._is_slowed(kind):
            self._memory.change(taken)
        return wait_s if wait_s < left_s else None

    def _is_slowed(self, kind: str) -> bool:
        """Say whether the market has asked for more time between calls of a kind."""
        limit, now = self._memory.read().limits.get(kind), self._now()
        return limit is not None and bool(limit.interval_at(now) or limit.wait_at(now))

    def _put_off(self, known: Remembered, kind: str, seconds: float = 0.0) -> Remembered:
        """Return what is known when there is a call of a kind in so many seconds."""
        limit, now = known.limits.get(kind), self._now()
        if limit is None:
            return known
        free = now + seconds + limit.interval_at(now) + _MARGIN_S
        free = max(free, now + limit.wait_at(now))
        return known.with_limit(kind, replace(limit, free_unix_s=free))

    def _interval_s(self, kind: str, reply: Reply) -> float:
        """Return the interval that a refusal asks for: named, else implied, else ruled.

        Retry-After is when the next call may come, which is no more than an interval off.
        """
        named_s = self.rules.named_interval_s(reply)
        if named_s is not None:
            return min(max(named_s, _LEAST_INTERVAL_S), _LONGEST_INTERVAL_S)
        ruled_s = self.rules.intervals_s[kind]
        if reply.retry_after_s is None:
            return ruled_s
        return min(max(reply.retry_after_s, _LEAST_INTERVAL_S), ruled_s)

    def _now(self) -> float:
        """Return the seconds since 1970; setting the clock moves them at the next run."""
        return self._epoch + self._clock.monotonic()


@dataclass(frozen=True, slots=True)
class CallLimiter:
    """The rate limiter of an account for one kind of call.

    Attributes
    ----------
    limiter : of the account
    kind : of the call, one of `RateRules.intervals_s`
    patience_s : longest wait for a slot, or after a refusal, that is worth it
    notify : hears of each wait
    """

    limiter: RateLimiter
    kind: str
    patience_s: float = math.inf
    notify: Notify = _nobody

    def wait(self, deadline: float) -> bool:
        """Wait for the next slot, see `RateLimiter.wait`."""
        return self.limiter.wait(self.kind, deadline, self.patience_s, self.notify)

    def rest(self, seconds: float, why: str) -> None:
        """Wait before another try."""
        self.limiter.rest(seconds, why, self.notify)

    def refused(self, reply: Reply, wait_s: float | None) -> None:
        """Say that the market asks to slow down, see `RateLimiter.refused`."""
        self.limiter.refused(self.kind, reply, wait_s)

    def ended(self) -> None:
        """Say that the market has answered, see `RateLimiter.ended`."""
        self.limiter.ended(self.kind)

    def is_quota(self, reply: Reply) -> bool:
        """Say whether a refusal is for a quota that is used up."""
        return self.limiter.rules.is_quota(reply)
