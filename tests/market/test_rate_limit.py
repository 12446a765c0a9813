"""The rate limiter: kinds of calls wait for themselves, and threads for each other."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from advisor.base.clock import Clock
from advisor.market.rate_limit import RateLimiter
from advisor.market.remembered import Memory
from advisor.market.reply import Reply
from advisor.market.vast.intervals import AT_ONCE, INTERVALS_S, RULES


def test_kinds_do_not_wait_for_each_other(clock: Clock) -> None:
    """One call of each kind goes out at once."""
    limiter = RateLimiter(RULES, clock)
    assert all(limiter.wait(kind) for kind in INTERVALS_S)
    assert clock.monotonic() == 0.0


def test_a_turn_at_the_deadline_is_not_waited_for(clock: Clock) -> None:
    """It is refused at once, and does not count as taken."""
    limiter = RateLimiter(RULES, clock)
    assert limiter.wait("rent", 4.5)
    assert not limiter.wait("rent", 4.5)
    assert clock.monotonic() == 0.0
    assert limiter.wait("rent", 5.0)
    assert clock.monotonic() == 4.5


def refusal(text: str = "", retry_after_s: float | None = None) -> Reply:
    return Reply(429, retry_after_s, text.encode())


FREQUENT = "API requests too frequent: endpoint threshold=4.5"


@pytest.mark.parametrize("kind", sorted(AT_ONCE))
def test_reads_go_out_at_once(clock: Clock, kind: str) -> None:
    """A hundred searches wait for nothing while the market refuses none."""
    limiter = RateLimiter(RULES, clock)
    for _ in range(100):
        assert limiter.wait(kind)
        limiter.ended(kind)
    assert clock.monotonic() == 0.0


@pytest.mark.parametrize(
    ("reply", "interval_s"),
    [
        (refusal(FREQUENT), 4.5),
        (refusal(FREQUENT, retry_after_s=2.0), 4.5),
        (refusal(retry_after_s=2.0), 2.0),
        (refusal(retry_after_s=50.0), 6.0),
        (refusal(), 6.0),
        (refusal("threshold=9999"), 30.0),
        (refusal("threshold=0.0"), 0.5),
    ],
)
def test_a_refused_read_slows_the_next_ones_down(
    clock: Clock, reply: Reply, interval_s: float
) -> None:
    """To the interval that the market names or implies, else to the documented one."""
    limiter = RateLimiter(RULES, clock)
    assert limiter.wait("search")
    limiter.refused("search", reply, 0.0)
    begun = clock.monotonic()
    for _ in range(5):
        assert limiter.wait("search")
    assert clock.monotonic() - begun == pytest.approx(4 * (interval_s + 0.1))


def test_the_interval_counts_from_the_end_of_a_call(clock: Clock) -> None:
    """A slow answer is not followed by the next call at once."""
    limiter = RateLimiter(RULES, clock)
    limiter.refused("search", refusal(FREQUENT), 0.0)
    assert limiter.wait("search")
    clock.sleep(20.0)
    limiter.ended("search")
    assert limiter.wait("search")
    assert clock.monotonic() == pytest.approx(24.6)


def test_a_limiter_that_is_refused_again_gets_slower(clock: Clock) -> None:
    """Half as slow again each time, not without end; together refused counts once."""
    limiter = RateLimiter(RULES, clock)

    def gap() -> float:
        limiter.wait("search")
        begun = clock.monotonic()
        limiter.wait("search")
        return clock.monotonic() - begun - 0.1

    gaps = []
    for _ in range(8):
        for _ in range(3):
            limiter.refused("search", refusal(FREQUENT), 0.0)
        gaps.append(gap())
    assert gaps == pytest.approx(
        [*[4.5 * 1.5**times for times in range(5)], 30.0, 30.0, 30.0]
    )


def test_one_kind_that_is_refused_slows_no_other_down(clock: Clock) -> None:
    """And what acts keeps its interval whatever the market says."""
    limiter = RateLimiter(RULES, clock)
    limiter.refused("search", refusal("threshold=30"), 0.0)
    limiter.refused("rent", refusal("threshold=0.5"), 0.0)
    assert limiter.wait("account")
    assert limiter.wait("account")
    assert clock.monotonic() == 0.0
    assert limiter.wait("rent")
    assert limiter.wait("rent")
    assert clock.monotonic() == INTERVALS_S["rent"]


def test_the_next_run_starts_at_the_pace_of_the_last(
    clock: Clock, tmp_path: Path
) -> None:
    """The slot that the last run's refusal left is waited for, and each one after it."""
    memory = tmp_path / "limits.json"
    RateLimiter(RULES, clock, Memory(memory)).refused("search", refusal(FREQUENT), None)
    waits: list[float] = []
    again = RateLimiter(RULES, clock, Memory(memory))
    for _ in range(3):
        again.wait("search", notify=lambda seconds, why: waits.append(seconds))
    assert waits == pytest.approx([4.5, 4.6, 4.6])
    clock.sleep(86400.0)
    tomorrow = RateLimiter(RULES, clock, Memory(memory))
    begun = clock.monotonic()
    assert tomorrow.wait("search")
    assert tomorrow.wait("search")
    assert clock.monotonic() == begun


def test_who_has_no_patience_takes_no_turn(clock: Clock) -> None:
    """The slot stays for the next one."""
    limiter = RateLimiter(RULES, clock)
    limiter.refused("search", refusal(FREQUENT), 3.0)
    assert not limiter.wait("search", patience_s=1.0)
    assert limiter.wait("search", patience_s=4.0)
    assert clock.monotonic() == pytest.approx(3.0)


def test_threads_take_turns() -> None:
    """Of eight that come at once each waits a second longer than the one before."""
    waited: list[float] = []
    limiter = RateLimiter(RULES, Clock(monotonic=lambda: 0.0, sleep=waited.append))
    threads = [threading.Thread(target=limiter.wait, args=("list",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(waited) == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
