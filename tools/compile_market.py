"""The sample market's calibration, from real, published offers.

Shares, medians and quantiles with their source and the number of machines or offers
behind them, never an offer. What no offer tells is an assumption and its source says
so. ``boards.csv`` beside them is written by hand.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from compile_offers import OFFERS
from market_names import cpu_market_name
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
from sources import Texts, csv_text, read

FOLDER = "advisor/simulator/generate/data"
WIDE_SNAPSHOT = "vast-2026-08-17"
FULL_SNAPSHOTS = ("vast-2026-06-a100", "vast-2026-09-16-rtx4090", "vast-misc")
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


def read_offers(snapshots: tuple[str, ...]) -> pd.DataFrame:
    """Return the offers of some snapshots with the derived figures used below."""
    offers = read(OFFERS)
    frame = offers[offers["snapshot"].isin(snapshots)].reset_index(drop=True)
    return frame.assign(
        memory_gb=(frame.gpu_ram / MIB_PER_GIB).round().astype(int),
        kind=frame.gpu_name.map(gpu_class),
        threads=frame.cpu_cores_effective / frame.num_gpus,
        ram_gb=frame.cpu_ram / frame.num_gpus / 1000.0,
        price=frame.dph_total / frame.num_gpus,
        dlperf_each=frame.dlperf / frame.num_gpus,
        bid_ratio=frame.min_bid / frame.dph_total,
        disk_each=frame.disk_space / frame.num_gpus,
    )


def read_wide() -> pd.DataFrame:
    """Return the whole-market snapshot with a guess at which offers share a machine.

    The 18 fields hold no machine id; offers of one GPU model, place, reliability
    and memory per GPU are taken for slices of one machine (some 960 machines).
    """
    wide = read_offers((WIDE_SNAPSHOT,))
    keys = [wide.gpu_name, wide.geolocation, wide.reliability2, wide.ram_gb.round(2)]
    return wide.assign(machine=wide.groupby(keys).ngroup())


def read_full() -> pd.DataFrame:
    """Return the offers with 46 fields or more, and their machines' GPUs."""
    full = read_offers(FULL_SNAPSHOTS)
    return full.assign(total_gpus=(full.num_gpus / full.gpu_frac).round().astype(int))


def gpu_table(
    wide: pd.DataFrame, full: pd.DataFrame, specs: pd.DataFrame
) -> pd.DataFrame:
    """Return one row per GPU model and memory size: market statistics and physics."""
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
    bandwidth = (
        8000.0 if name == "B200" else spec.memory_bandwidth_gb_s
    )  # vendor's data sheet
    return {
        "compute_cap": round(spec.compute_capability * 100),
        "year": int(spec.year),
        "tflops_fp32": f"{spec.fp32_tflops if measured is None else measured:.6g}",
        "mem_bw_gb_s": f"{bandwidth:.6g}",
        "tdp_w": int(spec.tdp_w),
        "pcie_gen": int(spec.pcie_gen),
        "pcie_lanes": PCIE_LANES.get(name, 16),
        "nvlink_gb_s": 0 if np.isnan(spec.nvlink_gb_s) else int(spec.nvlink_gb_s / 2),
    }


def cpu_table(full: pd.DataFrame) -> pd.DataFrame:
    """Return the host CPUs: facts, platform, and on how many hosts each was seen.

    Which models there are is our choice: those in the published offers and their common
    relatives.
    """
    hosts = one_a_machine(full, "machine_id")
    seen = hosts.cpu_name.dropna().str.strip().value_counts()
    facts = ["cores", "threads", "base_ghz", "boost_ghz"]
    table = read("host_cpus.csv")
    known = read("cpus.csv.gz").set_index("match_key").reindex(table["match_key"])
    by_hand = table["cores"].notna()
    table[facts] = table[facts].fillna(known[facts].reset_index(drop=True))
    table[facts[:2]] = table[facts[:2]].astype(int)
    pairs = zip(table["match_key"], table["cores"], strict=True)
    table["cpu_name"] = [cpu_market_name(key, cores) for key, cores in pairs]
    table["hosts_seen"] = table["cpu_name"].str.strip().map(seen).fillna(0).astype(int)
    origin = "cpus.csv: " + known["source"].str.split().str[0].reset_index(drop=True)
    table["source"] = table["source"].where(by_hand, origin)
    platform = ["platform", "socket", "max_sockets"]
    lanes = ["pcie_gen", "pcie_lanes", "year", "hosts_seen", "source"]
    return table[["cpu_name", *platform, *facts, *lanes]]


def disk_table(full: pd.DataFrame) -> pd.DataFrame:
    """Return the disk models seen with the median of their measured bandwidth."""
    capacity = read("host_disks.csv").set_index("disk_name")["capacity_gb"]
    hosts = one_a_machine(full, "machine_id")
    hosts = hosts[hosts.disk_name.isin(capacity.index)]
    table = hosts.groupby("disk_name").disk_bw.agg(["median", "size"]).reset_index()
    table.columns = pd.Index(["disk_name", "disk_bw_mb_s", "n"])
    table["disk_bw_mb_s"] = table.disk_bw_mb_s.map("{:.0f}".format)
    table["capacity_gb"] = table.disk_name.map(capacity)
    table["enterprise"] = table.disk_name.str.match("INTEL|KCD|MZ|SAMSUNG").astype(int)
    return table.assign(source=f"{FULL}; capacity: read off the model's name")


def build() -> Texts:
    """Return the calibration."""
    specs = read("gpus_market.csv")
    wide, full = read_wide(), read_full()
    cpus = cpu_table(full)
    quantiles = wide_quantiles(wide) + full_quantiles(full, specs)
    shares = wide_shares(wide) + full_shares(full, cpus) + price_effects(wide)
    tables = {
        "gpus": gpu_table(wide, full, specs),
        "cpus": cpus,
        "disks": disk_table(full),
        "quantiles": pd.DataFrame(quantiles),
        "shares": pd.DataFrame(shares),
    }
    return {f"{FOLDER}/{name}.csv": csv_text(table) for name, table in tables.items()}
