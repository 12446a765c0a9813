"""What is remembered of a market's limits: shared, in time forgotten, in nobody's way."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.market.remembered import (
    HALF_LIFE_S,
    REMEMBERED_S,
    Limit,
    Memory,
    Remembered,
    memory_file,
)

NOW = 1_795_262_400.0
SLOW = Limit(6.0, NOW, NOW + 6.0)

AMOUNTS = st.floats(0, 2e9)
LIMITS = st.builds(Limit, st.floats(0, 60), AMOUNTS, AMOUNTS)
KNOWN = st.builds(
    Remembered,
    st.dictionaries(st.sampled_from(["search", "account"]), LIMITS),
    st.dictionaries(st.integers(0, 10**8), AMOUNTS),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where a memory is stored, in a folder that is not there yet."""
    return tmp_path / "cache" / "limits.json"


@given(KNOWN)
def test_another_process_remembers_the_same(
    tmp_path_factory: pytest.TempPathFactory, known: Remembered
) -> None:
    """What one has written the next one reads."""
    path = tmp_path_factory.mktemp("memory") / "limits.json"
    Memory(path).change(lambda _: known)
    assert Memory(path).read() == known


def limits_of(interval: str) -> bytes:
    document = (
        f"{{'schema_version': 1, 'limits': {{'search': {{'interval_s': {interval}}}}}}}"
    )
    return document.replace("'", '"').encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe\x00",
        b"<html>",
        b"[]",
        b"null",
        pytest.param(b"[" * 100_000, id="deep"),
        b'{"schema_version": 2, "limits": {"search": {}}}',
        b'{"schema_version": 1, "limits": [], "cuts": 7}',
        b'{"schema_version": 1, "limits": {"search": 6}, "cuts": {"x": 1, "5": "y"}}',
        limits_of("NaN, 'refused_unix_s': 1, 'free_unix_s': 1"),
        limits_of("1e9, 'refused_unix_s': 1, 'free_unix_s': 1"),
        limits_of("true, 'refused_unix_s': 1, 'free_unix_s': 1"),
        limits_of("6, 'refused_unix_s': 1, 'free_unix_s': -1"),
        limits_of("6, 'refused_unix_s': 1"),
        b'{"schema_version": 1, "limits": {}, "cuts": {"5": Infinity}}',
    ],
)
def test_a_file_that_makes_no_sense_is_no_memory(path: Path, content: bytes) -> None:
    """Torn, of another version, with odd values: nothing is known, and it is replaced."""
    path.parent.mkdir()
    path.write_bytes(content)
    assert Memory(path).read() == Remembered()
    Memory(path).change(lambda known: known.with_limit("search", SLOW))
    assert Memory(path).read().limits == {"search": SLOW}


def test_where_nothing_can_be_written_it_lasts_as_long_as_the_process(
    tmp_path: Path,
) -> None:
    """A file in the place of the folder costs only that the next run knows nothing."""
    (tmp_path / "cache").write_text("in the way")
    memory = Memory(tmp_path / "cache" / "limits.json")
    memory.change(lambda known: known.with_limit("search", SLOW))
    memory.change(lambda known: known.with_cut(700, NOW))
    assert memory.read() == Remembered({"search": SLOW}, {700: NOW})
    assert (tmp_path / "cache").read_text() == "in the way"


def test_nobody_learns_the_key(path: Path) -> None:
    """Neither the name of the file nor what is in it; others may not read it at all."""
    key, folder = "k-secret-123", path.parent
    named = memory_file(folder, "https://console.vast.ai", key)
    Memory(named).change(lambda known: known.with_limit("search", SLOW))
    assert key not in str(named) + named.read_text()
    assert named.stat().st_mode & 0o077 == 0
    assert folder.stat().st_mode & 0o077 == 0


def test_accounts_and_addresses_do_not_slow_each_other_down(path: Path) -> None:
    """Each address and each key has a file of its own, and so has no key."""
    places = [("https://a", "k"), ("https://a", "l"), ("https://a", None)]
    files = {memory_file(path.parent, *place) for place in [*places, ("https://b", "k")]}
    assert len(files) == 4
    assert memory_file(path.parent, "https://a", "k") in files


def test_a_bad_day_is_forgotten() -> None:
    """The interval stands for half an hour, then halves, and is none in the end."""
    intervals = [
        SLOW.interval_at(NOW + age) for age in (0.0, REMEMBERED_S, REMEMBERED_S + 1e-3)
    ]
    assert intervals == pytest.approx([6.0, 6.0, 6.0], rel=1e-3)
    assert SLOW.interval_at(NOW + REMEMBERED_S + 2 * HALF_LIFE_S) == pytest.approx(1.5)
    assert SLOW.interval_at(NOW + 86400.0) == 0.0


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_an_interval_only_shrinks(age: float, more: float) -> None:
    """Without another refusal the market is asked no less often as time goes by."""
    assert SLOW.interval_at(NOW + age + more) <= SLOW.interval_at(NOW + age)


def test_a_clock_that_was_set_back_makes_nobody_wait() -> None:
    """A slot that lies hours ahead is of another clock."""
    ahead = Limit(6.0, NOW + 7200.0, NOW + 7206.0)
    assert ahead.interval_at(NOW) == 0.0
    assert ahead.wait_at(NOW) == 0.0
    assert SLOW.wait_at(NOW) == 6.0
    assert SLOW.wait_at(NOW + 7.0) == 0.0


def test_cuts_are_forgotten_and_few() -> None:
    """A month later a number of rows is one like others; the newest eight stay."""
    known = Remembered()
    for day in range(12):
        known = known.with_cut(500 + day, NOW + day * 86400.0)
    assert sorted(known.cuts) == list(range(504, 512))
    assert known.cuts_at(NOW + 12 * 86400.0) == set(range(504, 512))
    assert known.cuts_at(NOW + 37 * 86400.0) == set(range(507, 512))
    assert known.cuts_at(NOW + 50 * 86400.0) == frozenset()


TAKER = """
import json, sys
from datetime import UTC, datetime
from pathlib import Path
from advisor.base.clock import Clock
from advisor.market.remembered import Memory
from advisor.market.rate_limit import RateLimiter
from advisor.market.vast.intervals import RULES

now, waits = datetime.fromtimestamp(float(sys.argv[2]), UTC), []
clock = Clock(lambda: now, lambda: 0.0, waits.append)
limiter = RateLimiter(RULES, clock, Memory(Path(sys.argv[1])))
for _ in range(10):
    assert limiter.wait("search")
print(json.dumps(waits))
"""


def test_processes_take_turns(path: Path) -> None:
    """Four that search at one moment wait for forty turns of their own, none twice."""
    Memory(path).change(lambda known: known.with_limit("search", SLOW))
    command = [sys.executable, "-c", TAKER, str(path), str(NOW)]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    waits: list[Any] = []
    for process in running:
        printed, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        waits += json.loads(printed)
    expected = [6.0 + 6.1 * call for call in range(40)]
    assert sorted(waits) == pytest.approx(expected, abs=1e-3)
