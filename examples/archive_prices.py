"""What each GPU cost in each month of an archive, computed by Dask.

    advisor history export market-archive
    python examples/archive_prices.py market-archive

The files are read in parallel, on the cores of this computer, or on the cluster whose
scheduler is named as the second argument, if its workers see the folder too. The mean is
weighted by the time that each price was seen.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING

import dask.dataframe as dd
from distributed import Client

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ["gpu_name", "num_gpus", "first_at", "last_at", "dph_base", "month"]


def mean_prices(folder: str) -> pd.DataFrame:
    """Return $/h per GPU, without storage, of each GPU (row) and month (column)."""
    # `market` and `month` are in the names of the folders; the reader makes columns.
    intervals = dd.read_parquet(folder, columns=COLUMNS).dropna(subset=["dph_base"])
    seconds = (intervals["last_at"] - intervals["first_at"]).clip(lower=1)
    intervals["seconds"] = seconds
    intervals["usd"] = intervals["dph_base"] / intervals["num_gpus"] * seconds
    groups = intervals.groupby(["gpu_name", "month"], observed=True)
    sums = groups[["usd", "seconds"]].sum().compute()
    return (sums["usd"] / sums["seconds"]).unstack("month").sort_index()


def main() -> None:
    """Print the table."""
    folder, *scheduler = sys.argv[1:]
    with Client(*scheduler) if scheduler else nullcontext():
        print(mean_prices(folder).to_string(float_format="{:.3f}".format))


if __name__ == "__main__":
    main()
