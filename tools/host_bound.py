"""Rows of the benchmark table that the host limits, by what stands beside them.

`benchmark_names.input_bound` has what the sources say themselves.
"""

from __future__ import annotations

import pandas as pd

from benchmark_names import PTGB

PODS = "bghira/SimpleTuner"
FAST_POD, SLOW_POD = "H100-SXM5-80GB", "L40S"
POD_GAIN, POD_TIE = 1.5, 1.1

LENGTH_GAIN = 1.5


def host_bound(table: pd.DataFrame) -> pd.Series:
    """Find the rows that one of the rules of this module finds."""
    return twin_bound(table) | pod_bound(table) | length_bound(table)


def twin_bound(table: pd.DataFrame) -> pd.Series:
    """Find rows whose twin shows that the host limits them.

    Two kinds: real data slower by more than 3 % than synthetic data on the same
    machine type, and batches of 12 (pytorch-gpu-benchmark) that gain less than
    30 % from half precision on a card whose tensor cores would give far more.
    """
    bound = pd.Series(False, index=table.index)
    real = table["series"].str.contains(r"/(?:real|dali|pytorch$)", regex=True)
    base = table["series"].str.replace(
        r"/(real(\+distortions)?|dali|pytorch)$", "", regex=True
    )
    base = base.where(~base.str.startswith("lambda-tf/") | ~real, base + "/synthetic")
    rest = ["workload", "gpu", "num_gpus", "precision"]
    rate = table.set_index(["series", *rest])["throughput"]
    twin = pd.MultiIndex.from_frame(table.assign(series=base)[["series", *rest]])
    synthetic = rate[~rate.index.duplicated()].reindex(twin).to_numpy()
    bound |= real & (table["throughput"] < 0.97 * synthetic)
    small = table["series"].str.endswith(PTGB)
    light = table["workload"].str.contains(r"mnasnet|mobilenet|shuffle|squeeze|dense")
    rest = ["series", "workload", "gpu", "num_gpus"]
    is_half = table["precision"].eq("fp16")
    half = table[small & is_half].set_index(rest)["throughput"]
    full = table[small & ~is_half].set_index(rest)["throughput"]
    index = pd.MultiIndex.from_frame(table[rest])
    gain = half.reindex(index).to_numpy() / full.reindex(index).to_numpy()
    old = table["gpu"].str.contains(r"GTX|Titan X|^RX|Radeon")
    return bound | (small & (light | (~old & ~(gain > 1.3))))


def pod_bound(table: pd.DataFrame) -> pd.Series:
    """Find rows of two rented pods (SimpleTuner) that their hosts limit.

    An H100 computes 2.7 and reads 3.9 times as fast as an L40S. Where it is not
    `POD_GAIN` times as fast on the same setting, its host launches too slowly; where it
    gains hardly anything, so does that of the L40S. Settings that only one of them ran go
    with most of the net's others.
    """
    pods = table[table["series"].str.startswith(PODS)]
    setting = ["workload", "series", "precision", "num_gpus"]
    rates = pods.pivot_table(index=setting, columns="gpu", values="throughput")
    bound = pd.Series(False, index=table.index)
    if not {FAST_POD, SLOW_POD} <= set(rates):
        return bound
    gain = rates[FAST_POD] / rates[SLOW_POD]
    for gpu, least in ((FAST_POD, POD_GAIN), (SLOW_POD, POD_TIE)):
        limited = gain.lt(least).where(gain.notna()).astype(float)
        most = limited.groupby("workload").transform("mean").gt(0.5).astype(float)
        here = pods[pods["gpu"].eq(gpu)]
        row = pd.MultiIndex.from_frame(here[setting])
        bound[here.index] = limited.fillna(most).reindex(row).eq(1.0).to_numpy()
    return bound


def length_bound(table: pd.DataFrame) -> pd.Series:
    """Find rows in tokens whose step hardly gets longer with twice the tokens.

    Below that length launching, or unpacking the weights, is what takes the time: the
    same net with sequences twice as long makes over `LENGTH_GAIN` times as many tokens.
    """
    length = pd.to_numeric(table["size"], errors="coerce")
    rows = table[table["unit"].eq("tokens/s") & length.notna() & table["quality"].ne("")]
    rest = ["net", "series", "gpu", "num_gpus", "precision"]
    named = rows.assign(
        net=rows["workload"].str.replace(r" seq\d+$", "", regex=True),
        length=length[rows.index],
    )
    rates = named.set_index([*rest, "length"])["throughput"]
    double = pd.MultiIndex.from_frame(
        named.assign(length=2 * named["length"])[[*rest, "length"]]
    )
    gain = rates.reindex(double).to_numpy() / named["throughput"].to_numpy()
    bound = pd.Series(False, index=table.index)
    bound[named.index] = gain > LENGTH_GAIN
    return bound
