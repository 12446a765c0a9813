"""Compile real one-GPU offers into the project's table of prices.

Usage: ``PYTHONPATH=. python tools/compile_prices.py RAW_FOLDER [-o FILE]``

`RAW_FOLDER` holds ``offers/*.json``: what Vast.ai listed. The table is one market at
one time, the two snapshots of 17 August 2026 that were taken three minutes apart:
what a user could have chosen from. One row is a GPU (canonical name), its memory, a
price and a DLPerf score, with the number of offers that say the same. Every offer
that is left out is counted by reason beside the table (``*.exclusions.json``).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd

from advisor.hardware.gpus import GpuTable, load_gpus

MARKET = ("vast-2026-08-17.json", "vast-2026-08-17-without-key.json")
SOURCE = "Vast.ai public offers, 17 August 2026"
MIB_PER_GIB = 1024.0

KEY = ["gpu", "memory_gb", "usd_per_hour", "dlperf"]


def read_offers(folder: Path) -> pd.DataFrame:
    """Return the offers of all files, those of the market first."""
    paths = sorted(folder.glob("*.json"), key=lambda p: (p.name not in MARKET, p.name))
    frames = []
    for path in paths:
        offers = pd.DataFrame(json.loads(path.read_text(encoding="utf-8"))["offers"])
        if "id" not in offers:  # records with all fields
            offers["id"] = offers["ask_contract_id"]
        frames.append(offers.assign(file=path.name))
    return pd.concat(frames, ignore_index=True)


def exclusion_reasons(offers: pd.DataFrame, gpu: pd.Series) -> pd.Series:
    """Say for each offer why it is left out; empty where it is kept."""
    price = offers["dph_total"]
    rules = (
        ("more than one GPU", offers["num_gpus"].ne(1)),
        (
            "another month, where nobody could choose from the market of August",
            ~offers["file"].isin(MARKET),
        ),
        ("duplicate: the same offer in both snapshots", offers["id"].duplicated()),
        ("no price", ~price.gt(0)),
        ("GPU in no table", gpu.isna()),
    )
    reason = pd.Series("", index=offers.index)
    for text, rows in rules:
        reason = reason.mask(reason.eq("") & rows, text)
    return reason


def compile_table(
    offers: pd.DataFrame, gpus: GpuTable
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the table and how many offers were read, used and left out, by reason."""
    pairs = zip(offers["gpu_name"], offers["gpu_ram"], strict=True)
    found = [gpus.resolve(name, memory_mb) for name, memory_mb in pairs]
    gpu = pd.Series([row and row.name for row in found], index=offers.index)
    reason = exclusion_reasons(offers, gpu)
    kept = offers[reason.eq("")].assign(
        gpu=gpu,
        memory_gb=(offers["gpu_ram"] / MIB_PER_GIB).round(1),
        usd_per_hour=offers["dph_total"].round(6),
        dlperf=offers["dlperf"].where(offers["dlperf"].gt(0)).round(2),
    )
    table = kept.groupby(KEY, dropna=False).size().rename("offers").reset_index()
    counts = {str(k): int(v) for k, v in reason[reason.ne("")].value_counts().items()}
    counts["offers read"], counts["offers used"] = len(offers), len(kept)
    return table.assign(source=SOURCE), counts


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write the table as CSV; an empty cell is an unknown score."""
    text = table.copy()
    for column in ("memory_gb", "usd_per_hour", "dlperf"):
        text[column] = [f"{v:.6g}" if np.isfinite(v) else "" for v in table[column]]
    text.to_csv(path, index=False, lineterminator="\n")


def main() -> None:
    """Read the command line and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("raw_folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("models/prices.csv"))
    arguments = parser.parse_args()
    offers = read_offers(arguments.raw_folder / "offers")
    table, counts = compile_table(offers, load_gpus())
    write_table(table, arguments.output)
    counts_file = arguments.output.with_suffix(".exclusions.json")
    counts_file.write_text(json.dumps(counts, indent=1) + "\n", encoding="utf-8")
    for reason, number in counts.items():
        print(f"{number:5d}  {reason}")
    print(f"{len(table):5d}  rows written to {arguments.output}")


if __name__ == "__main__":
    main()
