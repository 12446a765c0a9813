"""Matrix products of a ranking: on one thread while they last, as before behind them."""

from __future__ import annotations

from threadpoolctl import threadpool_info

from advisor.throughput.threads import one_thread


def threads() -> list[int]:
    return [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]


def test_one_thread_for_as_long_as_it_is_asked_for() -> None:
    """The user's own number of threads comes back."""
    before = threads()
    with one_thread(), one_thread():
        assert set(threads()) <= {1}
    assert threads() == before
