"""What was seen not to run is kept, for its job and for a day."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from advisor.store.database import open_store
from advisor.store.misfits import MisfitRecord, keep_misfit, misfits

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
        keep_misfit(store, SEEN)
        keep_misfit(store, unknown)
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
            keep_misfit(store, record)
        assert misfits(store, "vast", "mine", SEEN.at + 23 * HOUR_S) == [SEEN, other]
        assert misfits(store, "vast", "mine", SEEN.at + 25 * HOUR_S) == [SEEN]
