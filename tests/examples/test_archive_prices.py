"""The example with Dask: an archive is plain Parquet, and gives what the record gives."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb", reason="the extra 'archive' is not installed")
pytest.importorskip("pyarrow", reason="the extra 'archive' is not installed")
pytest.importorskip("distributed", reason="the extra 'fleet' is not installed")

from advisor.market.offers import parse_offers
from advisor.store.archive.export import export
from advisor.store.database import open_store
from advisor.store.history import store_snapshot

pytestmark = pytest.mark.slow


@pytest.fixture
def archive(tmp_path: Path, record: dict[str, Any]) -> Path:
    """Return an archive of two markets and two months, with and without prices."""
    at = datetime(2026, 10, 31, 23, 40, tzinfo=UTC)
    with open_store(tmp_path) as store:
        for step, price in enumerate((1.0, 2.0, 2.0, None, 4.0, 4.0)):
            offers, _ = parse_offers([
                record | {"id": 1, "machine_id": 1, "num_gpus": 2, "dph_base": price},
                record | {"machine_id": 2, "gpu_name": "A100 SXM4", "dph_base": 0.5},
            ])  # fmt: skip
            for market in ("vast", "other"):
                now = at + timedelta(minutes=5 * step)
                store_snapshot(store, offers, market=market, at=now, whole=True)
        export(store, tmp_path / "archive")
    return tmp_path / "archive"


def test_dask_reads_an_archive(archive: Path, examples: Path) -> None:
    """The mean price of each GPU and month, weighted by time."""
    done = subprocess.run(
        [sys.executable, examples / "archive_prices.py", archive],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows[0] == ["month", "2026-10", "2026-11"]
    assert ["A100", "SXM4", "0.500", "NaN"] in rows
    # Per GPU: $0.5 for 5 min and $1 for 10 min in October, $2 for 5 min in November.
    assert ["RTX", "4090", "0.833", "2.000"] in rows
