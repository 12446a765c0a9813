"""Compile the sample market's calibration from real, published offers.

Usage::

    python tools/calibrate_market.py RAW_FOLDER

reads ``RAW_FOLDER/offers/*.json``, ``gpus.csv`` and ``cpus.csv.gz`` and writes
``advisor/simulator/generate/data/*.csv``: shares, medians and quantiles with their
source and the number of machines or offers behind them, never an offer. What no
offer tells is an assumption and its source says so.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent))
from host_hardware import (
    BOARDS,
    CPU_GROUPS,
    CPUS_BY_HAND,
    DISK_CAPACITY_GB,
    cpu_market_name,
)
from market_statistics import (
    BROKEN_BELOW,
    FULL,
    MIB_PER_GIB,
    PERCENTS,
    WIDE,
    full_quantiles,
    full_shares,
    log_sd,
    one_a_machine,
    price_effects,
    spec_of,
    wide_quantiles,
    wide_shares,
)

OUT = Path(__file__).resolve().parents[1] / "advisor" / "simulator" / "generate" / "data"
POOLING_WEIGHT = 8.0  # a model with 8 machines trusts its own spread by half
SXM = ("A100 SXM4", "H100 SXM", "H200", "B200")
DATACENTER = ("A100 PCIE", "H100 PCIE", "H100 NVL", "H200 NVL", "L40S", "L4", "A10")
DATACENTER += ("A16", "CMP 170HX", "RTX PRO 6000 S")
PCIE_LANES = {"RTX 4060": 8, "RTX 4060 Ti": 8, "RTX 5060": 8, "RTX 5060 Ti": 8}
PCIE_LANES |= {"RTX 3050": 8, "CMP 170HX": 4}  # vendor's data sheets; else 16


def gpu_class(name: str) -> str:
    """Return the kind of card: sxm, datacenter, pro or consumer."""
    if name in SXM:
        return "sxm"
    if name in DATACENTER or name.startswith("Tesla"):
        return "datacenter"
    pro = ("RTX A", "Q RTX", "Quadro", "RTX PRO")
    return "pro" if name.startswith(pro) or name.endswith("Ada") else "consumer"


def read_offers(path: Path) -> pd.DataFrame:
    """Return the offers of one file with the derived figures used below."""
    frame = pd.DataFrame(json.loads(path.read_text(encoding="utf-8"))["offers"])
    frame["memory_gb"] = (frame.gpu_ram / MIB_PER_GIB).round().astype(int)
    frame["kind"] = frame.gpu_name.map(gpu_class)
    frame["threads"] = frame.cpu_cores_effective / frame.num_gpus
    frame["ram_gb"] = frame.cpu_ram / frame.num_gpus / 1000.0
    frame["price"] = frame.dph_total / frame.num_gpus
    frame["dlperf_each"] = frame.dlperf / frame.num_gpus
    frame["bid_ratio"] = frame.min_bid / frame.dph_total
    frame["disk_each"] = frame.disk_space / frame.num_gpus
    return frame


def read_wide(folder: Path) -> pd.DataFrame:
    """Return the whole-market snapshot with a guess at which offers share a machine.

    The 18 fields hold no machine id; offers of one GPU model, place, reliability
    and memory per GPU are taken for slices of one machine (some 960 machines).
    """
    wide = read_offers(folder / "offers" / "vast-2026-08-17.json")
    keys = [wide.gpu_name, wide.geolocation, wide.reliability2, wide.ram_gb.round(2)]
    wide["machine"] = wide.groupby(keys).ngroup()
    return wide


def read_full(folder: Path) -> pd.DataFrame:
    """Return the offers with 46 fields or more, their total GPUs and CPU key."""
    names = ("vast-2026-06-a100", "vast-2026-09-16-rtx4090", "vast-misc")
    paths = [folder / "offers" / f"{name}.json" for name in names]
    full = pd.concat([read_offers(path) for path in paths], ignore_index=True)
    full["total_gpus"] = (full.num_gpus / full.gpu_frac).round().astype(int)
    return full


def gpu_table(wide: pd.DataFrame, full: pd.DataFrame, raw: Path) -> pd.DataFrame:
    """Return one row a GPU model and memory size: market statistics and physics."""
    specs = pd.read_csv(raw / "gpus.csv")
    machines = one_a_machine(wide, "machine")
    pooled = pooled_spreads(machines)
    flops = full.assign(each=full.total_flops / full.num_gpus)
    measured_flops = flops.groupby("gpu_name").each.median()
    rows = []
    for (name, memory), offers in wide.groupby(["gpu_name", "memory_gb"]):
        own = machines[(machines.gpu_name == name) & (machines.memory_gb == memory)]
        if own.empty:
            own = offers
        kind = gpu_class(name)
        spec = spec_of(specs, name, memory)
        n = len(own)
        weight = n / (n + POOLING_WEIGHT)
        working = working_scores(offers)
        named = own[own.threads > 0] if (own.threads > 0).sum() else own
        row = {
            "gpu_name": name,
            "memory_gb": memory,
            "gpu_ram_mb": int(own.gpu_ram.mode()[0]),
            "kind": kind,
            "n_offers": len(offers),
            "n_machines": n,
            "machine_share": f"{n / len(machines):.5f}",
            "price_usd_per_hour": f"{own.price.median():.4f}",
            "dlperf": f"{working.median():.2f}",
        }
        spreads = {column: named[column] for column in ("price", "threads", "ram_gb")}
        for column, values in (spreads | {"dlperf": working}).items():
            own_sd = log_sd(values) if n > 1 else 0.0
            sd = np.sqrt(weight * own_sd**2 + (1 - weight) * pooled[kind][column] ** 2)
            row[f"{column}_log_sd"] = f"{sd:.3f}"
        for percent in PERCENTS:
            value = named.threads.quantile(percent / 100)
            row[f"threads_p{percent:02d}"] = f"{value:.4g}"
        row["ram_gb"] = f"{own.ram_gb.median():.4g}"
        row |= physics(name, spec, measured_flops.get(name))
        row["note"] = "" if n >= POOLING_WEIGHT else "thin: spread pooled with its kind"
        rows.append(row)
    table = pd.DataFrame(rows).sort_values(
        ["n_offers", "gpu_name", "memory_gb"], ascending=[False, True, True]
    )
    return table.assign(source=f"{WIDE}; specification: gpus.csv")


def working_scores(offers: pd.DataFrame) -> pd.Series:
    """Return DLPerf per GPU of the offers with fewest GPUs, broken hosts left out.

    The score of one GPU is the machine's; with more GPUs it falls (quantiles.csv,
    `dlperf_scaling`).
    """
    fewest = next(
        (n for n in (1, 2, 4) if (offers.num_gpus <= n).sum() >= 3), offers.num_gpus.max()
    )
    scores = offers[offers.num_gpus <= fewest].dlperf_each
    return scores[scores >= BROKEN_BELOW * scores.median()]


def pooled_spreads(machines: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return the log-spread around a model's median, pooled over each kind."""
    pooled: dict[str, dict[str, float]] = {}
    machines = machines.assign(dlperf=machines.dlperf_each.where(machines.num_gpus == 1))
    for kind, rows in machines[machines.threads > 0].groupby("kind"):
        models = rows.groupby(["gpu_name", "memory_gb"])
        enough = rows[models.price.transform("size") >= 4]
        spreads = {}
        for column in ("price", "dlperf", "threads", "ram_gb"):
            medians = enough.groupby(["gpu_name", "memory_gb"])[column].transform(
                "median"
            )
            spreads[column] = log_sd(enough[column] / medians)
        pooled[str(kind)] = spreads
    return pooled


def physics(name: str, spec: pd.Series, measured: float | None) -> dict[str, Any]:
    """Return the specification that the market's measured fields start from."""
    bandwidth = 8000.0 if name == "B200" else spec.mem_bw_gbs  # vendor's data sheet
    return {
        "compute_cap": round(spec.compute_capability * 100),
        "year": int(spec.year),
        "tflops_fp32": f"{spec.fp32_tflops if measured is None else measured:.6g}",
        "mem_bw_gb_s": f"{bandwidth:.6g}",
        "tdp_w": int(spec.tdp_w),
        "pcie_gen": int(spec.pcie_gen),
        "pcie_lanes": PCIE_LANES.get(name, 16),
        "nvlink_gb_s": 0 if np.isnan(spec.nvlink_gbs) else int(spec.nvlink_gbs / 2),
    }


def cpu_table(full: pd.DataFrame, raw: Path) -> pd.DataFrame:
    """Return the host CPUs: facts, platform, and on how many hosts each was seen."""
    specs = pd.read_csv(raw / "cpus.csv.gz").set_index("match_key")
    hosts = one_a_machine(full, "machine_id")
    seen = hosts.cpu_name.dropna().str.strip().value_counts()
    rows = []
    for group in CPU_GROUPS:
        for key in group.keys:
            if key in CPUS_BY_HAND:
                cores, threads, base, boost = CPUS_BY_HAND[key]
                source = "vendor's specification page, written down by hand"
            else:
                spec = specs.loc[key]
                cores, threads = int(spec.cores), int(spec.threads)
                base, boost = float(spec.base_ghz), float(spec.boost_ghz)
                source = f"cpus.csv: {str(spec.source).split()[0]}"
            name = cpu_market_name(key, cores)
            rows.append(
                {
                    "cpu_name": name,
                    "platform": group.platform,
                    "socket": group.socket,
                    "max_sockets": 1 if key.endswith("p") else group.max_sockets,
                    "cores": cores,
                    "threads": threads,
                    "base_ghz": f"{base:.5g}",
                    "boost_ghz": f"{boost:.5g}",
                    "pcie_gen": group.pcie_gen,
                    "pcie_lanes": group.pcie_lanes,
                    "year": group.year,
                    "hosts_seen": int(seen.get(name.strip(), 0)),
                    "source": source,
                }
            )
    return pd.DataFrame(rows)


def disk_table(full: pd.DataFrame) -> pd.DataFrame:
    """Return the disk models seen with the median of their measured bandwidth."""
    hosts = one_a_machine(full, "machine_id")
    hosts = hosts[hosts.disk_name.isin(list(DISK_CAPACITY_GB))]
    table = hosts.groupby("disk_name").disk_bw.agg(["median", "size"]).reset_index()
    table.columns = pd.Index(["disk_name", "disk_bw_mb_s", "n"])
    table["disk_bw_mb_s"] = table.disk_bw_mb_s.map("{:.0f}".format)
    table["capacity_gb"] = table.disk_name.map(DISK_CAPACITY_GB)
    table["enterprise"] = table.disk_name.str.match("INTEL|KCD|MZ|SAMSUNG").astype(int)
    return table.assign(source=f"{FULL}; capacity: read off the model's name")


def main() -> None:
    """Write the calibration from the folder named on the command line."""
    if len(sys.argv) != 2:
        raise SystemExit("usage: python tools/calibrate_market.py RAW_FOLDER")
    raw = Path(sys.argv[1])
    wide, full = read_wide(raw), read_full(raw)
    cpus = cpu_table(full, raw)
    quantiles = wide_quantiles(wide) + full_quantiles(full, raw)
    shares = wide_shares(wide) + full_shares(full, cpus) + price_effects(wide)
    tables = {
        "gpus": gpu_table(wide, full, raw),
        "cpus": cpus,
        "boards": pd.DataFrame(BOARDS),
        "disks": disk_table(full),
        "quantiles": pd.DataFrame(quantiles),
        "shares": pd.DataFrame(shares),
    }
    OUT.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.to_csv(OUT / f"{name}.csv", index=False, lineterminator="\n")
        print(f"{name}.csv: {len(table)} rows")


if __name__ == "__main__":
    main()
