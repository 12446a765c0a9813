"""`advisor history backtest`: which policy would have done, over which market."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from advisor.market.offers import parse_offers
from advisor.store.database import open_store
from advisor.store.history import store_snapshot
from tests.cli.test_store import snapshot

Advisor = Callable[..., Any]
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
DAYS = 6
WAITS = ("--assume", "patience_h=40")
JOB = ("resnet50", "--epochs", "4", "--plays", "12", "--jobs", "1")


@pytest.fixture
def market(tmp_path: Path, record: dict[str, Any]) -> str:
    """Return a market of three machines, as it is now."""
    records = machines(record)
    return snapshot(tmp_path / "now.json", "2026-11-21T12:00:00Z", *records)


def machines(record: dict[str, Any], bid: float = 0.05) -> list[dict[str, Any]]:
    return [
        {**record, "id": at, "machine_id": at, "gpu_ids": [at], "min_bid": bid}
        for at in (1, 2, 3)
    ]


@pytest.fixture
def kept(tmp_path: Path, record: dict[str, Any]) -> None:
    """Keep six days of the market; every second half day the least bid is high."""
    folder = tmp_path / "data"
    with open_store(folder) as store:
        for step in range(DAYS * 48 + 1):
            bid = 0.29 if step // 24 % 2 else 0.05
            offers, _ = parse_offers(machines(record, bid))
            at = NOW - timedelta(days=DAYS) + timedelta(minutes=30 * step)
            store_snapshot(store, offers, market="vast", at=at, whole=True)


@pytest.mark.usefixtures("kept")
def test_policies_are_played_over_the_record(
    advisor: Advisor, market: str, conforms: Callable[[str, Any], None]
) -> None:
    """A bid that waits out half a day is cheap and late; what is advised is in time."""
    arguments = ("history", "backtest", *JOB, "--market", market, "--deadline", "16h")
    policies = ("--policy", "on-demand,bid=1,uniform-progress")
    outcome = advisor(*arguments, *policies, "--epochs", "40", *WAITS, "--json")
    assert outcome.exit_code == 0, outcome.stderr
    document = outcome.document
    conforms("history-backtest", document)
    assert not document["simulated"]
    assert document["market"] == "vast"
    assert document["listings"] == {
        "same_machine": 3,
        "median_of_kind": 0,
        "left_out": 0,
    }
    on_demand, bid, progress = document["policies"]
    assert bid["job_usd"] < on_demand["job_usd"]
    assert bid["misses"] > on_demand["misses"] == progress["misses"] == 0.0
    assert not bid["advised"]
    assert on_demand["advised"] + progress["advised"] == 1
    assert "of your record" in outcome.stderr
    assert "advised: " in outcome.stderr


@pytest.mark.usefixtures("kept")
def test_a_record_that_is_too_short_is_not_played_over(
    advisor: Advisor, market: str
) -> None:
    """A simulated market is, and that is said, with how long the record is."""
    arguments = ("history", "backtest", *JOB, "--market", market)
    outcome = advisor(*arguments, "--deadline", "4d", "--policy", "on-demand", "--json")
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.document["simulated"]
    assert outcome.document["listings"] is None
    assert "watches it for 144 h without a gap" in outcome.stderr
    assert "a play may take 192 h: played over a simulated market" in outcome.stderr


def test_without_a_record_the_market_is_simulated(
    advisor: Advisor, market: str, conforms: Callable[[str, Any], None]
) -> None:
    """All policies but the one that needs a deadline, and the same for the same seed."""
    arguments = ("history", "backtest", *JOB, "--market", market)
    first, second = (advisor(*arguments, "--format", "csv") for _ in range(2))
    assert first.exit_code == 0, first.stderr
    assert first.stdout == second.stdout
    rows = list(csv.DictReader(first.stdout.splitlines()))
    assert [row["policy"] for row in rows] == [
        "on-demand",
        "bid=1",
        "bid=1.25",
        "bid=1.5",
        "bid=2",
        "advised-bid",
    ]
    assert all(row["misses"] == "" for row in rows)
    assert "a simulated market, seed 0" in first.stderr


@pytest.mark.usefixtures("kept")
def test_how_sure_the_advice_is_goes_with_it(advisor: Advisor, market: str) -> None:
    """No play of twelve was late, and a few blocks are no proof of 95 %."""
    arguments = ("history", "backtest", *JOB, "--market", market, "--deadline", "16h")
    outcome = advisor(*arguments, "--policy", "on-demand", "--json")
    (row,) = outcome.document["policies"]
    assert row["misses"] == 0.0
    low = 1.0 - row["misses_high"]
    assert low < 0.95
    told = " ".join(outcome.stderr.split())
    assert f"90% interval {low:.1%} - 100.0%, so that 95% is not sure" in told


def test_a_cluster_without_workers_is_refused(
    advisor: Advisor, market: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line that says how to start one."""
    distributed = pytest.importorskip(
        "distributed", reason="distributed is not installed: the extra fleet has it"
    )
    monkeypatch.setattr("advisor.cli.parallel._WORKER_S", 1)
    with distributed.LocalCluster(
        n_workers=0, dashboard_address="127.0.0.1:0", processes=False, protocol="tcp"
    ) as cluster:
        address = cluster.scheduler_address
        outcome = advisor(
            "history", "backtest", *JOB[:-2], "--market", market, "--dask", address
        )
    assert outcome.exit_code == 2
    assert f"has no worker after 1 s: start one, such as with dask worker {address}" in (
        " ".join(outcome.stderr.split())
    )


def test_the_sample_is_never_played_over_a_record(advisor: Advisor) -> None:
    """No such offers exist; a table marks what is advised."""
    outcome = advisor(
        "history", "backtest", *JOB, "--market", "sample", "--policy", "on-demand"
    )
    assert outcome.exit_code == 0, outcome.stderr
    assert "no such offers exist" in outcome.stderr
    (line,) = [line for line in outcome.stdout.splitlines() if "on-demand" in line]
    assert line.startswith("*")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--policy", "spot"), 2, "--policy: one of on-demand"),
        (("--policy", "bid=0.5"), 2, "from 1 to 100 times the least bid"),
        (("--policy", "uniform-progress"), 2, "give --deadline"),
        (("--deadline", "1m"), 3, "no offer meets the deadline"),
        (("--interruptible",), 2, "--interruptible: a policy says how"),
        (("--plays", "0"), 2, "--plays"),
        (("--dask", "tcp://localhost:1", "--jobs", "2"), 2, "contradict each other"),
    ],
)
def test_what_cannot_be_played_is_refused(
    advisor: Advisor, market: str, words: tuple[str, ...], code: int, says: str
) -> None:
    """In one line that says what to do."""
    outcome = advisor("history", "backtest", "resnet50", "--market", market, *words)
    assert outcome.exit_code == code
    assert says in outcome.stderr.replace("'", "")
    assert outcome.stdout == ""


def test_a_dask_cluster_plays_the_same(
    advisor: Advisor, market: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `--dask` the plays run on its workers, which have the same advisor."""
    distributed = pytest.importorskip(
        "distributed", reason="distributed is not installed: the extra fleet has it"
    )
    arguments = ("history", "backtest", "resnet50", "--epochs", "4", "--plays", "3")
    arguments = (*arguments, "--market", market, "--policy", "on-demand", "--json")
    cluster = distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0", processes=True
    )
    with cluster:
        there = advisor(*arguments, "--dask", cluster.scheduler_address)
        with monkeypatch.context() as patched:
            patched.setattr("advisor.cli.parallel.__version__", "9.9.9")
            other = advisor(*arguments, "--dask", cluster.scheduler_address)
    assert other.exit_code == 2
    assert "and this is 9.9.9: install this version there" in " ".join(
        other.stderr.split()
    )
    assert there.exit_code == 0, there.stderr
    assert there.document == advisor(*arguments, "--jobs", "1").document
