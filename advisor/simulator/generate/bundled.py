"""A simulated market in a file: the bundled sample is one of them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from advisor.base.progress import Progress, doing, quiet
from advisor.market.snapshot import save_snapshot
from advisor.market.types import Answer
from advisor.simulator.generate.sample import generate_offers

BUNDLED_OFFERS = 1200
BUNDLED_SEED = 7
SAMPLE_TIME = datetime(2026, 11, 1, tzinfo=UTC)
"""The date of every simulated market, a constant so that it repeats."""

_NAME = "sample"
_ORIGIN = "bundled sample"
_NOTES = ("no such machines exist: drawn to resemble offers of summer 2026",)


def write_sample(path: Path, count: int, seed: int, progress: Progress = quiet) -> None:
    """Write a simulated market to a file; the same arguments give the same records.

    The bundled sample is ``write_sample(path, BUNDLED_OFFERS, BUNDLED_SEED)``, to the
    last digit on every machine: figures are rounded far above the last bits, in which
    libraries of mathematics differ, and none of the sample's lies at an edge. Of other
    markets one in thousands may have a last digit that differs. How the records are
    packed is zlib's choice.

    Parameters
    ----------
    path : file to write, gzipped JSON
    count : offers
    seed : non-negative
    progress : is told how far that has come

    Raises
    ------
    advisor.base.errors.UsageError
        if the file cannot be written
    """
    answer = Answer(
        records=generate_offers(count, seed, SAMPLE_TIME.timestamp(), progress),
        market=_NAME,
        origin=_ORIGIN,
        fetched_at=SAMPLE_TIME,
        complete=True,
        simulated=True,
        notes=_NOTES,
    )
    with doing(progress, f"writing {path.name}"):
        save_snapshot(answer, path)
