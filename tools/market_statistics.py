"""Shares and quantiles of real offers, for the sample market's calibration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

PERCENTS = (0, 1, 5, 10, 25, 50, 75, 90, 92, 93, 95, 99, 100)
WIDE = "vast-2026-08-17 (18 fields)"
FULL = "46-field offers of vast-2026-06-a100, vast-2026-09-16-rtx4090, vast-misc"
THIN = "thin: mostly A100 SXM4 and RTX 4090 hosts"
MODEL_NEEDS_MACHINES = 30
BROKEN_BELOW = 0.3  # of the model's median DLPerf per GPU
MIB_PER_GIB = 1024.0
PCIE_GB_S_PER_LANE = {1: 0.25, 2: 0.5, 3: 0.985, 4: 1.969, 5: 3.938}  # PCI-SIG


def one_a_machine(frame: pd.DataFrame, key: str) -> pd.DataFrame:
    """Return the smallest offer of each machine."""
    return frame.sort_values("num_gpus", kind="stable").drop_duplicates(key)


def log_sd(values: pd.Series) -> float:
    """Return a robust standard deviation of logs: inter-quartile range / 1.349."""
    logs = np.log(values[values > 0])
    low, high = (logs.quantile(q) for q in (0.25, 0.75))
    return float(high - low) / 1.349


def quantile_row(
    quantity: str,
    group: str,
    values: pd.Series,
    source: str,
    note: str = "",
) -> dict[str, Any]:
    """Return a row of quantiles.csv."""
    values = values.dropna()
    row: dict[str, Any] = {"quantity": quantity, "group": group}
    for percent in PERCENTS:
        row[f"p{percent:02d}"] = f"{values.quantile(percent / 100):.5g}"
    return row | {"n": len(values), "source": source, "note": note}


def share_rows(
    quantity: str, group: str, values: pd.Series, source: str, note: str = ""
) -> list[dict[str, Any]]:
    """Return the rows of shares.csv for one quantity: value, share, n."""
    shares = values.dropna().value_counts(normalize=True)
    ordered = sorted(shares.items(), key=lambda item: (-item[1], str(item[0])))
    return [
        {
            "quantity": quantity,
            "group": group,
            "value": value,
            "share": f"{share:.5g}",
            "n": int(values.notna().sum()),
            "source": source,
            "note": note,
        }
        for value, share in ordered
    ]


def assumed_shares(
    quantity: str, group: str, shares: dict[str, float], why: str
) -> list[dict[str, Any]]:
    """Return rows of shares.csv that no offer supports, marked as such."""
    return [
        {
            "quantity": quantity,
            "group": group,
            "value": value,
            "share": f"{share:.5g}",
            "n": 0,
            "source": "assumption",
            "note": why,
        }
        for value, share in shares.items()
    ]


def spec_of(specs: pd.DataFrame, name: str, memory_gb: int) -> pd.Series:
    """Return the specification row of a market name, nearest in memory."""
    rows = specs[specs.market_name == name]
    nearest = (rows.memory_gb - memory_gb).abs().sort_values(kind="stable").index[0]
    return rows.loc[nearest]


def listings(wide: pd.DataFrame) -> list[dict[str, Any]]:
    """Return how many GPUs are offered at least and at most, by kind and model."""
    bounds = wide.groupby("machine").agg(
        kind=("kind", "first"),
        gpu_name=("gpu_name", "first"),
        least=("num_gpus", "min"),
        most=("num_gpus", "max"),
    )
    pair = bounds.least.astype(str) + "-" + bounds.most.astype(str)
    rows = []
    for kind, own in pair.groupby(bounds.kind):
        rows += share_rows("listed_gpus", str(kind), own, WIDE, "least-most offered")
    for name, own in pair.groupby(bounds.gpu_name):
        if len(own) >= MODEL_NEEDS_MACHINES:
            rows += share_rows("listed_gpus", str(name), own, WIDE, "least-most offered")
    return rows


def wide_quantiles(wide: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the quantiles that the whole-market snapshot tells."""
    machines = one_a_machine(wide, "machine")
    rows = [
        quantile_row("bid_ratio", "all", machines.bid_ratio, WIDE, "min_bid/dph_total")
    ]
    for hosting, own in machines.groupby("hosting_type"):
        rows += [
            quantile_row(quantity, f"hosting {hosting}", own[quantity], WIDE)
            for quantity in ("inet_down", "inet_up", "reliability2")
        ]
    rows += [
        quantile_row("disk_gb_per_gpu", str(kind), own.disk_each, WIDE)
        for kind, own in machines.groupby("kind")
    ]
    single = wide[wide.num_gpus == 1].set_index("machine").dlperf_each
    single = single[~single.index.duplicated()]
    ratio = wide.dlperf_each / wide.machine.map(single)
    for link in ("nvlink", "pcie"):
        for count, own in ratio.groupby(wide.num_gpus.where(wide.num_gpus < 8, 8)):
            chosen = own[(wide.loc[own.index].kind == "sxm") == (link == "nvlink")]
            if count > 1 and chosen.notna().sum() >= 3:
                note = "DLPerf per GPU over that of one GPU of the same machine"
                rows.append(
                    quantile_row("dlperf_scaling", f"{link} {count}", chosen, WIDE, note)
                )
    return rows


def full_quantiles(full: pd.DataFrame, specs: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the quantiles that only the offers with the full hardware tell."""
    hosts = one_a_machine(full, "machine_id").copy()
    link = hosts.pci_gen.astype(int).map(PCIE_GB_S_PER_LANE) * hosts.gpu_lanes
    nominal = [
        spec_of(specs, name, memory).memory_bandwidth_gb_s
        for name, memory in zip(hosts.gpu_name, hosts.memory_gb, strict=True)
    ]
    memory_share = hosts.gpu_mem_bw / nominal
    return [
        quantile_row("pcie_efficiency", "all", hosts.pcie_bw / link, FULL, THIN),
        quantile_row(
            "mem_bw_efficiency", "all", memory_share[memory_share < 1.2], FULL, THIN
        ),
        quantile_row("storage_cost", "all", hosts.storage_cost, FULL, THIN),
        quantile_row("inet_down_cost", "all", hosts.inet_down_cost, FULL, THIN),
        quantile_row(
            "inet_up_over_down_cost",
            "all",
            (hosts.inet_up_cost / hosts.inet_down_cost).replace(np.inf, np.nan),
            FULL,
            THIN,
        ),
        quantile_row("duration", "all", hosts.duration, FULL, THIN),
        quantile_row(
            "ports", "all", hosts.direct_port_count / hosts.gpu_frac, FULL, THIN
        ),
        quantile_row(
            "score_ratio",
            "all",
            full.score / (full.dlperf / full.dph_total),
            FULL,
            "score over dlperf_per_dphtotal; the market does not publish its formula",
        ),
    ]


def price_effects(wide: pd.DataFrame) -> list[dict[str, Any]]:
    """Return what a machine's traits do to log price per GPU, by least squares."""
    own = one_a_machine(wide, "machine")
    own = own[own.threads > 0]
    models = own.groupby(["gpu_name", "memory_gb"])
    own = own[models.price.transform("size") >= 8]
    relative = {
        column: np.log(own[column])
        - np.log(own.groupby(["gpu_name", "memory_gb"])[column].transform("median"))
        for column in ("price", "threads", "ram_gb")
    }
    columns = {
        "datacenter": own.hosting_type.astype(float),
        "threads": relative["threads"],
        "ram_gb": relative["ram_gb"],
        "reliability_below_97": (own.reliability2 < 0.97).astype(float),
    }
    design = np.column_stack([np.ones(len(own)), *columns.values()])
    outcome = relative["price"].clip(-1.0, 1.0).to_numpy()
    found, *_ = np.linalg.lstsq(design, outcome, rcond=None)
    note = "least squares on log(price / model median), clipped at 1"
    return [
        {
            "quantity": "price_effect",
            "group": "all",
            "value": name,
            "share": f"{coefficient:.4f}",
            "n": len(own),
            "source": WIDE,
            "note": note,
        }
        for name, coefficient in zip(columns, found[1:], strict=True)
    ]


def wide_shares(wide: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the shares that the whole-market snapshot tells."""
    machines = one_a_machine(wide, "machine")
    rows = listings(wide)
    for kind, own in machines.groupby("kind"):
        rows += share_rows("hosting_type", str(kind), own.hosting_type, WIDE)
    for hosting, own in machines.groupby("hosting_type"):
        rows += share_rows("static_ip", f"hosting {hosting}", own.static_ip, WIDE)
    rows += share_rows("geolocation", "all", machines.geolocation, WIDE)
    rows += share_rows("cpu_unknown", "all", machines.threads == 0, WIDE)
    medians = machines.groupby(["gpu_name", "memory_gb"]).dlperf_each.transform("median")
    broken = (machines.dlperf_each < BROKEN_BELOW * medians) & (machines.num_gpus == 1)
    rows += share_rows("broken", "all", broken & (machines.threads > 0), WIDE)
    cuda = machines.cuda_max_good.where(machines.cuda_max_good < 100)
    return rows + share_rows("cuda_max_good", "all", cuda, WIDE)


def full_shares(full: pd.DataFrame, facts: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the shares that only the offers with the full hardware tell."""
    hosts = one_a_machine(full, "machine_id").copy()
    most = full.groupby("machine_id").num_gpus.max()
    hosts["free"] = hosts.machine_id.map(most)
    whole = hosts.free == hosts.total_gpus
    rows = share_rows("whole_machine_free", "server", whole, FULL, THIN)
    rows += share_rows("total_gpus", "all", hosts.total_gpus, FULL, THIN)
    rows += share_rows(
        "cpu_name_unknown",
        "all",
        hosts.cpu_name.isna() & (hosts.cpu_cores > 0),
        FULL,
        THIN,
    )
    owners = hosts.assign(clock=hosts.apply(clock_kind, axis=1, facts=facts))
    clocks = owners.drop_duplicates(["host_id", "cpu_name", "clock"]).clock
    rows += share_rows("clock", "all", clocks, FULL, f"one an owner and CPU; {THIN}")
    tdp = hosts.gpu_name.map({"A100 SXM4": 400, "RTX 4090": 450, "RTX 5090": 575})
    power = (hosts.gpu_max_power / tdp).round(2)
    rows += share_rows("power_limit", "all", power, FULL, THIN)
    nvlink = hosts[hosts.gpu_name == "A100 SXM4"].bw_nvlink > 0
    rows += share_rows("nvlink_reported", "sxm", nvlink, FULL, "")
    rows += share_rows("half_lanes", "server", hosts.gpu_lanes == 8, FULL, THIN)
    new_host = ~hosts.host_id.duplicated()
    rows += share_rows("new_host", "all", new_host, FULL, "machines per owner")
    rows += share_rows("vms_enabled", "all", hosts.vms_enabled, FULL, THIN)
    for cuda, own in hosts.groupby("cuda_max_good"):
        rows += share_rows("driver", str(cuda), own.driver_version, FULL, THIN)
    return rows + assumptions()


def clock_kind(host: pd.Series, facts: pd.DataFrame) -> str | None:
    """Return what the clock of a named CPU is: base, boost or something else."""
    match = facts[facts.cpu_name.str.strip() == str(host.cpu_name).strip()]
    if match.empty:
        return None
    cpu = match.iloc[0]
    if abs(host.cpu_ghz / float(cpu.base_ghz) - 1) < 0.025:
        return "base"
    if abs(host.cpu_ghz / float(cpu.boost_ghz) - 1) < 0.025:
        return "boost"
    return "impossible" if host.cpu_ghz > float(cpu.boost_ghz) else "reading"


def assumptions() -> list[dict[str, Any]]:
    """Return the shares that no offer at hand tells."""
    filtered = "the files hold only what their authors searched for"
    rows = assumed_shares(
        "whole_machine_free",
        "desktop",
        {"True": 0.6, "False": 0.4},
        "small machines are rented whole more often than 8-GPU servers; no data",
    )
    rows += assumed_shares(
        "verification",
        "reliability 0.9 and above",
        {"verified": 0.86, "unverified": 0.13, "deverified": 0.01},
        filtered,
    )
    rows += assumed_shares(
        "verification",
        "reliability below 0.9",
        {"unverified": 0.8, "verified": 0.15, "deverified": 0.05},
        f"verification needs reliability of 0.90 (vendor's documentation); {filtered}",
    )
    rows += assumed_shares(
        "platform", "1 GPU", {"desktop": 0.7, "workstation": 0.1, "server": 0.2}, filtered
    )
    rows += assumed_shares(
        "platform",
        "2 GPUs",
        {"desktop": 0.5, "workstation": 0.2, "server": 0.3},
        filtered,
    )
    rows += assumed_shares(
        "platform",
        "3-4 GPUs",
        {"desktop": 0.15, "workstation": 0.25, "server": 0.6},
        filtered,
    )
    rows += assumed_shares(
        "platform",
        "5 GPUs and more",
        {"desktop": 0.03, "workstation": 0.07, "server": 0.9},
        "desktop here means a mining board with one lane a GPU",
    )
    odd = {
        "no_geolocation": 0.003,
        "no_duration": 0.01,
        "duplicate_id": 0.003,
        "not_finite": 0.002,
        "riser": 0.06,
    }
    rows += assumed_shares("odd", "all", odd, "seen by other clients; no count published")
    return rows
