"""What real offers tell: the prices of one market at one time, and DLPerf by GPU.

``prices.csv`` is the market of 17 August 2026, the two snapshots that were taken three
minutes apart: what a user could have chosen from. One row is a GPU (canonical name), its
memory, a price and a DLPerf score, with the number of offers that say the same. Every
offer that is left out is counted by reason in ``prices.exclusions.json``. ``dlperf.csv``
has the median DLPerf score per GPU, of all offers.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from advisor.hardware.gpus import GpuTable, load_gpus
from sources import Texts, csv_text, json_text, leave_out, read

OFFERS = "offers.csv.gz"
MARKET = ("vast-2026-08-17", "vast-2026-08-17-without-key")
SOURCE = "Vast.ai public offers, 17 August 2026"
MIB_PER_GIB = 1024.0

KEY = ["gpu", "memory_gb", "usd_per_hour", "dlperf"]

# Memory as sold and as the market says differ by less than this, in ln GB; more is
# another memory (as in advisor.hardware.machines).
SAME_MEMORY = 0.15


def with_gpus(offers: pd.DataFrame, gpus: GpuTable) -> pd.DataFrame:
    """Add `gpu`, the canonical name, and `sold_gb`; NaN where no table has the GPU."""
    pairs = zip(offers["gpu_name"], offers["gpu_ram"], strict=True)
    found = [gpus.resolve(name, memory_mb) for name, memory_mb in pairs]
    return offers.assign(
        gpu=[np.nan if gpu is None else gpu.name for gpu in found],
        sold_gb=[np.nan if gpu is None else gpu.memory_gb for gpu in found],
    )


def prices(offers: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the table and how many offers were read, used and left out, by reason."""
    elsewhere = ~offers["snapshot"].isin(MARKET)
    offers = offers.assign(elsewhere=elsewhere).sort_values("elsewhere", kind="stable")
    rules = (
        ("more than one GPU", offers["num_gpus"].ne(1)),
        (
            "another month, where nobody could choose from the market of August",
            offers["elsewhere"],
        ),
        ("duplicate: the same offer in both snapshots", offers["id"].duplicated()),
        ("no price", ~offers["dph_total"].gt(0)),
        ("GPU in no table", offers["gpu"].isna()),
    )
    kept, counts = leave_out(offers, rules)
    counts["offers read"], counts["offers used"] = len(offers), len(kept)
    kept = kept.assign(
        memory_gb=(kept["gpu_ram"] / MIB_PER_GIB).round(1),
        usd_per_hour=kept["dph_total"].round(6),
        dlperf=kept["dlperf"].where(kept["dlperf"].gt(0)).round(2),
    )
    table = kept.groupby(KEY, dropna=False).size().rename("offers").reset_index()
    return table.assign(source=SOURCE), counts


def dlperf_medians(offers: pd.DataFrame) -> pd.DataFrame:
    """Return the median DLPerf score of one GPU, by canonical name and GPUs per offer.

    Each machine has one vote. Hosts without a CPU are left out (their scores are 2 to
    6 % of the others'), and so are cards whose memory is not that they were sold with
    (the score rises with the memory).
    """
    offers = offers[offers["dlperf"].gt(0) & offers["num_gpus"].gt(0)]
    offers = offers.drop_duplicates("id", keep="last")
    as_sold = np.abs(np.log(offers["gpu_ram"] / MIB_PER_GIB / offers["sold_gb"]))
    usable = as_sold.lt(SAME_MEMORY) & offers["cpu_cores_effective"].gt(0)
    rows = offers.assign(machine=machines(offers))[usable]
    each = rows["dlperf"] / rows["num_gpus"]
    votes = each.groupby([rows["gpu"], rows["num_gpus"], rows["machine"]]).median()
    table = votes.groupby(level=["gpu", "num_gpus"]).agg(["median", "size"]).reset_index()
    return pd.DataFrame(
        {
            "gpu": table["gpu"],
            "num_gpus": table["num_gpus"],
            "dlperf_per_gpu_median": table["median"].round(2),
            "machines": table["size"],
            "source": "Vast.ai public offers, June to September 2026",
        }
    )


def machines(offers: pd.DataFrame) -> pd.Series:
    """Return what tells the machines of offers apart.

    Where no machine is named, offers of one GPU model, place, reliability and memory
    per GPU are taken for slices of one.
    """
    memory_gb = (offers["cpu_ram"] / offers["num_gpus"] / 1000).round(2)
    alike = [offers["gpu_name"], offers["geolocation"], offers["reliability2"], memory_gb]
    unnamed = -1 - offers.groupby(alike, dropna=False).ngroup()  # below every id
    return offers["machine_id"].fillna(unnamed)


def build() -> Texts:
    """Return the prices, what was left out of them, and the medians of DLPerf."""
    offers = with_gpus(read(OFFERS), load_gpus())
    table, counts = prices(offers)
    return {
        "models/prices.csv": csv_text(table, digits=6),
        "models/prices.exclusions.json": json_text(counts),
        "models/dlperf.csv": csv_text(dlperf_medians(offers)),
    }
