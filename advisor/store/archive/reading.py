"""Rows of an archive become listing intervals."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from advisor.store.archive.layout import SENSE, scan, text
from advisor.store.listing_intervals import ListingIntervals

if TYPE_CHECKING:
    import duckdb
    import numpy.typing as npt

NO_INTERVALS = ListingIntervals(
    *(
        np.zeros(0, dtype=kind)
        for kind in (int, float, int, int, bool, bool, float, float)
    )
)


def load(
    connection: duckdb.DuckDBPyConnection,
    files: Sequence[Path],
    month: tuple[int, int],
    gpu_names: Collection[str],
    cut: int = 0,
) -> ListingIntervals:
    """Load intervals of some GPUs that begin in a month, without what is before a time.

    Parameters
    ----------
    files : one at least, all of the same columns
    month : its beginning and its end, seconds since 1970
    cut : the time, seconds since 1970; an interval that began before begins there
    """
    begin, end = month
    found = columns(
        connection,
        "SELECT listing, num_gpus::DOUBLE AS num_gpus, "  # noqa: S608
        f"greatest(whole.first_at, {cut}) AS first_at, last_at, "
        f"born AND whole.first_at >= {cut} AS born, gone, "
        "coalesce(dph_base, 'nan') AS dph_base, coalesce(min_bid, 'nan') AS min_bid "
        f"FROM {scan(files)} AS whole WHERE {SENSE} AND last_at >= {cut} "
        f"AND whole.first_at >= {begin} AND whole.first_at < {end} "
        f"AND {of_gpus(gpu_names)}",
    )
    return ListingIntervals(**found)


def columns(
    connection: duckdb.DuckDBPyConnection, query: str
) -> dict[str, npt.NDArray[Any]]:
    """Return the columns that a query gives, none of which has nulls."""
    found = connection.execute(query).fetchnumpy()
    return {name: np.asarray(one) for name, one in found.items()}


def of_gpus(names: Collection[str] | None) -> str:
    """Return the condition of rows of GPUs (market spellings; of all if `None`)."""
    if names is None:
        return "gpu_name IS NOT NULL"
    if not names:
        return "false"
    # The range lets DuckDB skip what is of other GPUs, which a list alone does not.
    listed = ", ".join(map(text, sorted(names)))
    return (
        f"gpu_name BETWEEN {text(min(names))} AND {text(max(names))} "
        f"AND gpu_name IN ({listed})"
    )
