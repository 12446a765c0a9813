"""Kept answers: fresh ones save a search, stale ones only stand in when asked to."""

from __future__ import annotations

import gzip
import json
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from advisor.base.errors import MarketError, QuotaError
from advisor.market.cache import AnswerCache
from advisor.market.merging import merged
from advisor.market.registry import search
from advisor.market.types import Answer, Query
from advisor.market.where import parse_where

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@dataclass
class World:
    """A live market and a clock, both in the hands of the test."""

    folder: Path
    now: datetime = START
    error: MarketError | None = None
    origin: str = "console.vast.ai"
    name: str = "vast"
    asked: list[Query] = field(default_factory=list)

    def search(self, query: Query) -> Answer:
        """Answer with the number of the search as the only offer."""
        self.asked.append(query)
        if self.error is not None:
            raise self.error
        records = [{"id": len(self.asked)}]
        return Answer(records, self.name, self.origin, self.now, complete=True)

    def ask(self, query: Query = Query(), max_age_s: float = 300.0, **more: bool) -> int:  # noqa: B008
        """Return the number of the search that the answer is from."""
        cache = AnswerCache(self.folder, lambda: self.now)
        stale_ok = more.get("stale_ok", False)
        answer = search(self, query, cache, max_age_s, stale_ok=stale_ok)
        return answer.records[0]["id"]

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a market and a clock with an empty cache."""
    return World(tmp_path / "cache")


def test_a_fresh_answer_is_taken_again(world: World) -> None:
    """Within its age the stored answer is taken, after it the market is asked."""
    assert world.ask() == 1
    world.wait(299)
    assert world.ask() == 1
    world.wait(2)
    assert world.ask() == 2


def test_age_zero_always_asks(world: World) -> None:
    """`--max-age 0` asks the market, and keeps what it says."""
    world.ask()
    assert world.ask(max_age_s=0.0) == 2
    assert world.ask() == 2


def test_another_question_is_another_answer(world: World) -> None:
    """An answer is stored for its own constraints, and for its own market."""
    world.ask(Query(gpu_names=("RTX 4090",)))
    assert world.ask(Query(gpu_names=("A100 SXM4",))) == 2
    world.origin = "console.vast.ai, without a key"
    assert world.ask(Query(gpu_names=("RTX 4090",))) == 3


def test_the_disk_asks_no_other_question(world: World) -> None:
    """Disks are priced here, so that two workloads share an answer; not a limit."""
    world.ask(Query(disk_gb=10.0))
    assert world.ask(Query(disk_gb=500.0)) == 1
    assert world.ask(Query(disk_gb=10.0, max_usd_per_hour=1.0)) == 2
    assert world.ask(Query(disk_gb=500.0, max_usd_per_hour=1.0)) == 3


def test_other_conditions_are_another_question(world: World) -> None:
    """The disk counts where a condition is on what contains its price."""
    ram, price = parse_where("cpu_ram>=48"), parse_where("dlperf_usd>=100")
    world.ask(Query(disk_gb=10.0))
    assert world.ask(Query(disk_gb=10.0, conditions=ram)) == 2
    assert world.ask(Query(disk_gb=10.0, conditions=parse_where("cpu_ram>=96"))) == 3
    assert world.ask(Query(disk_gb=500.0, conditions=ram)) == 2
    assert world.ask(Query(disk_gb=10.0, conditions=price)) == 4
    assert world.ask(Query(disk_gb=500.0, conditions=price)) == 5
    assert world.ask(Query(disk_gb=10.0, conditions=price)) == 4


def test_an_answer_from_the_future_is_not_taken(world: World) -> None:
    """A clock that was set back does not make answers fresh for ever."""
    world.ask()
    world.wait(-3600)
    assert world.ask() == 2


def test_the_quota_is_an_error_unless_stale_is_ok(world: World) -> None:
    """A used-up quota takes an old answer only when the user agreed to it."""
    world.ask()
    world.wait(86400)
    world.error = QuotaError("used up")
    with pytest.raises(QuotaError):
        world.ask()
    assert world.ask(stale_ok=True) == 1


def test_the_whole_market_stands_in_for_a_part(world: World) -> None:
    """Without an answer to this very question the unconstrained one will do."""
    world.ask(Query(disk_gb=50.0))
    world.error = QuotaError("used up")
    assert world.ask(Query(num_gpus=(2,)), stale_ok=True) == 1


def test_a_part_never_stands_in_for_the_whole(world: World) -> None:
    """An answer about one GPU is no answer about the market."""
    world.ask(Query(num_gpus=(2,)))
    world.error = QuotaError("used up")
    with pytest.raises(QuotaError):
        world.ask(stale_ok=True)


def test_other_errors_never_take_a_stale_answer(world: World) -> None:
    """A market that cannot be reached is an error, stale or not."""
    world.ask()
    world.wait(86400)
    world.error = MarketError("down")
    with pytest.raises(MarketError):
        world.ask(stale_ok=True)


def test_a_damaged_entry_is_replaced(world: World) -> None:
    """A torn file in the cache is as good as none."""
    world.ask()
    (entry,) = world.folder.iterdir()
    entry.write_bytes(entry.read_bytes()[:30])
    assert world.ask() == 2
    assert world.ask() == 2


@pytest.mark.parametrize("part", [0.0, 0.3, 0.9, 0.999])
def test_an_entry_that_was_not_written_to_its_end_is_none(
    world: World, part: float
) -> None:
    """Wherever it was torn: the market is asked again."""
    world.ask()
    (entry,) = world.folder.iterdir()
    whole = entry.read_bytes()
    entry.write_bytes(whole[: int(part * len(whole))])
    assert world.ask() == 2


@pytest.mark.parametrize(
    "content",
    [
        *[b"", b"\n", b"{}\n", b"[]\n[]", b'{"schema_version": 1}\n', b"<html>\n"],
        b'{"schema_version": 1, "fetched_at": "yesterday", "lengths": [2]}\n{}',
        b'{"schema_version": 1, "fetched_at": 5, "lengths": [2]}\n{}',
    ],
)
def test_what_is_no_entry_is_none(world: World, content: bytes) -> None:
    """Something else under its name is as good as nothing."""
    world.ask()
    (entry,) = world.folder.iterdir()
    entry.write_bytes(gzip.compress(content))
    assert world.ask() == 2


BODIES = (
    b'{"offers": [{"id": 1, "score": 1.0, "pcie_bw": NaN}, {"id": 2}, {"id": null}]}',
    b'{"offers": [{"id": 1, "score": 2.0, "dlperf": Infinity}, {"id": 3}]}\n',
)


def test_pages_are_kept_as_they_came(world: World) -> None:
    """NaN, Infinity, an offer that came twice: the answer is the same as it was."""
    cache = AnswerCache(world.folder, lambda: world.now)
    records = merged(json.loads(body)["offers"] for body in BODIES)
    fresh = Answer(
        *(records, "vast", "console.vast.ai", START, False),
        notes=("one", "two"),
        bodies=BODIES,
    )
    cache.put("console.vast.ai", Query(), fresh)
    stored = cache.get("console.vast.ai", Query(), 60.0)
    assert stored is not None
    assert repr(stored.records) == repr(records)
    assert [record["id"] for record in stored.records] == [1, 2, 3, None]
    assert (stored.market, stored.complete, stored.simulated) == ("vast", False, False)
    assert (stored.fetched_at, stored.notes) == (START, ("one", "two"))


def test_an_answer_without_pages_is_kept_as_it_is(world: World) -> None:
    """Another package's market may list one id twice."""
    cache = AnswerCache(world.folder, lambda: world.now)
    records = [{"id": 1, "score": math.inf}, {"id": 1, "text": "\ud800"}]
    cache.put("moon", Query(), Answer(records, "moon", "moon", START, None))
    stored = cache.get("moon", Query(), 0.0)
    assert stored is not None
    assert stored.records == records


def test_entries_of_former_versions_go(world: World) -> None:
    """Nobody reads them any more."""
    world.folder.mkdir()
    former = world.folder / f"{'0' * 32}.json.gz"
    former.write_bytes(b"")
    world.ask()
    assert not former.exists()
    assert world.ask() == 1


def test_a_cache_that_cannot_be_written_costs_only_time(world: World) -> None:
    """A file in the place of the folder fails no search."""
    world.folder.write_text("in the way")
    assert world.ask() == 1
    assert world.ask() == 2


def test_the_cache_stays_small(world: World) -> None:
    """Old questions go when new ones come."""
    for count in range(1, 80):
        world.ask(Query(num_gpus=(count,)))
    assert len(list(world.folder.iterdir())) == 64


def test_the_folder_is_the_users_own(world: World) -> None:
    """Nobody else on the machine reads what the user searched for."""
    world.ask()
    assert world.folder.stat().st_mode & 0o077 == 0
