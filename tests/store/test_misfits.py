"""What was seen not to run is kept, for its job and for a day."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from advisor.store.database import open_store
from advisor.store.misfits import MisfitRecord, misfits, store_misfit

SEEN = MisfitRecord(
    market="vast",
    job="mine",
    misfit="driver_too_old",
    machine_id=7,
    image="pytorch/pytorch:2.7.1-cuda12.8-cudnn9-runtime",
    gpu_name="RTX 5090",
    capability=1200.0,
    driver=570.0,
    cpu_arch="amd64",
    ram_gb=64.5,
    gpu_memory_gb=32.0,
    at=1_800_000_000.0,
)
HOUR_S = 3600.0


def test_a_misfit_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    """In the order in which they were seen; what was not known stays unknown."""
    unknown = replace(
        SEEN, image="", capability=math.nan, driver=math.nan, at=SEEN.at + 1
    )
    with open_store(tmp_path) as store:
        store_misfit(store, SEEN)
        store_misfit(store, unknown)
    with open_store(tmp_path) as store:
        first, second = misfits(store, "vast", "mine", SEEN.at)
    assert first == SEEN
    assert math.isnan(second.driver)
    assert math.isnan(second.capability)
    assert replace(second, driver=0.0, capability=0.0) == replace(
        unknown, driver=0.0, capability=0.0
    )


def test_others_count_for_a_day_and_the_jobs_own_for_good(tmp_path: Path) -> None:
    """Of the same market: an id of another one is another machine."""
    other = replace(SEEN, job="other")
    elsewhere = replace(SEEN, market="elsewhere")
    with open_store(tmp_path) as store:
        for record in (SEEN, other, elsewhere):
            store_misfit(store, record)
        assert misfits(store, "vast", "mine", SEEN.at + 23 * HOUR_S) == [SEEN, other]
        assert misfits(store, "vast", "mine", SEEN.at + 25 * HOUR_S) == [SEEN]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("job", "m\x1b"),
        ("misfit", "other"),
        ("machine_id", "x"),
        ("image", b"x"),
        ("gpu_name", b"x"),
        ("capability", "x"),
        ("driver", math.inf),
        ("cpu_arch", b"x"),
        ("ram_gb", -1.0),
        ("gpu_memory_gb", b"x"),
        ("at", "x"),
    ],
)
def test_a_row_that_makes_no_sense_is_left_out(
    tmp_path: Path, column: str, value: object
) -> None:
    """The others count; it stays in the file."""
    with open_store(tmp_path) as store:
        for number in (7, 8):
            store_misfit(store, replace(SEEN, machine_id=number))
        store.execute(f"UPDATE misfit SET {column} = ? WHERE number = 1", (value,))  # noqa: S608
        job = str(value) if column == "job" else "mine"
        found = misfits(store, "vast", job, SEEN.at)
        assert [one.machine_id for one in found] == [8]
        assert store.execute("SELECT count(*) FROM misfit").fetchone() == (2,)
