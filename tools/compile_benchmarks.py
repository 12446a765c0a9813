"""Compile published training throughputs into the project's benchmark table.

Usage: ``python tools/compile_benchmarks.py RAW_FOLDER [-o FILE] [--dlperf FILE]``

`RAW_FOLDER` holds ``training.csv.gz`` (one row a published figure) and
``offers/*.json`` (real offers, for the medians of DLPerf). The result has one
row for each workload, series, GPU model, number of GPUs and precision: the
median of the figures, their spread and their number. A *series* is a set of
figures within which ratios hold (same scripts, same container); levels of
different series differ. Every figure that is left out is counted by reason,
and the counts are written beside the table (``*.exclusions.json``).
"""

from __future__ import annotations

import argparse
import json
import re
from os.path import commonpath
from pathlib import Path

import numpy as np
import pandas as pd
from benchmark_names import (
    ASSUMED_GPU,
    PTGB,
    family_of,
    input_bound,
    precision_of,
    series_of,
    workload_of,
)

from advisor.hardware.gpus import load_gpus

COLUMNS = (
    "workload",
    "task",
    "family",
    "series",
    "framework",
    "year",
    "gpu",
    "num_gpus",
    "precision",
    "batch_size",
    "unit",
    "throughput",
    "log_spread",
    "reports",
    "host_bound",
    "cpu_name",
    "params_m",
    "gmacs",
    "source",
)

KEY = ["workload", "series", "gpu", "num_gpus", "precision", "unit"]

MAX_GPUS = 8

# Memory as sold and as the market says differ by less than this, in ln GB; more is
# another memory (as in advisor.hardware.machines).
SAME_MEMORY = 0.15

# 10^6 parameters and 10^9 multiply-accumulates of a forward pass for one unit
# (sample or token) of the table, where the raw table has none.
# BERT: DeepLearningExamples README (110 M, 330 M); MACs = encoder weights x
# 384 tokens + 2 x layers x 384^2 x width. Mask R-CNN: torchvision's
# weights meta (44.4 M, 268.76 GFLOPs). GPT-2: 124 M weights a token + attention
# over 1,024. Tacotron 2 and WaveGlow: their NGC model cards and papers.
FACTS = {
    "bert-base-squad": (110.0, 35.4),
    "bert-large-squad": (335.0, 123.2),
    "maskrcnn-r50-fpn": (44.4, 134.4),
    "gpt2-124m": (124.0, 0.143),
    "tacotron2": (28.2, np.nan),
    "waveglow": (87.9, np.nan),
    "inception3": (27.2, np.nan),
}

TIMM_NEWEST = "benchmark-train-amp-nhwc-pt112-cu113-rtx3090"
TIMM_ALL_SERIES = {
    "resnet18",
    "resnet50",
    "resnet101",
    "resnet152",
    "vgg16",
    "densenet121",
    "efficientnet_b0",
    "efficientnet_b4",
    "mobilenetv3_large_100",
    "vit_small_patch16_224",
    "vit_base_patch16_224",
    "swin_base_patch4_window7_224",
    "convnext_base",
}

ALPACA2K_SAMPLES = 2000  # litgpt's Alpaca2k; its README gives minutes an epoch


def exclusion_reasons(raw: pd.DataFrame) -> pd.Series:
    """Say for each figure why it is left out; empty where it is kept."""
    unit = raw["throughput_unit"]
    lambda_cells = raw["source"].eq("lambdal/deeplearning-benchmark")
    timm = raw["source"].eq("huggingface/pytorch-image-models")
    rules = (
        ("suspect: flagged as implausible by the collectors", raw["suspect"]),
        (
            "corrupt waveglow amp cells (RTX A4000, RTX 3080 Laptop)",
            lambda_cells
            & raw["model"].eq("waveglow")
            & raw["precision"].eq("amp")
            & raw["gpu_name"].isin(["RTX A4000", "RTX 3080 Laptop"]),
        ),
        (
            "MLPerf: heavily tuned, precision not stated",
            raw["source"].str.startswith("mlcommons/"),
        ),
        ("FP8 or FP4: no such profile", raw["precision"].isin(["fp8", "fp4"])),
        ("number of GPUs unknown", raw["num_gpus"].isna()),
        ("more than 8 GPUs", raw["num_gpus"].gt(MAX_GPUS)),
        (
            "not a training throughput (TFLOPS, runs, simulator steps, no unit)",
            unit.isna() | unit.isin(["TFLOPS", "runs/s", "env-steps/s"]),
        ),
        (
            "batch of 12 split over several GPUs (pytorch-gpu-benchmark)",
            raw["source"].str.endswith(PTGB) & raw["num_gpus"].gt(1),
        ),
        (
            "timm: older or contiguous run of a model outside the common ones",
            timm
            & ~raw["source_path"].str.contains(TIMM_NEWEST, regex=False)
            & ~raw["model"].isin(TIMM_ALL_SERIES),
        ),
    )
    reason = pd.Series("", index=raw.index)
    for text, rows in rules:
        reason = reason.mask(reason.eq("") & rows, text)
    return reason


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


def common_batch(rows: pd.DataFrame) -> pd.DataFrame:
    """Keep, of traces that sweep the batch, the batch that most GPUs ran.

    Of equally common ones the largest. Elsewhere the largest batch that a
    machine ran is kept, as a user would choose it; Lambda's own batches
    differ by memory and are all kept.
    """
    sweep = rows["source"].isin(["siasosp23/artifacts", "stanford-futuredata/gavel"])
    free = rows["source"].isin(
        [
            "NVIDIA/DeepLearningExamples",
            "Oneflow-Inc/DLPerf",
            "huggingface/transformers",
        ]
    )
    keep = pd.Series(True, index=rows.index)
    for _, group in rows[sweep].groupby(["series", "workload"]):
        gpus = group.groupby("batch_size_per_gpu")["gpu"].nunique()
        if len(gpus):
            batch = gpus[gpus.eq(gpus.max())].index.max()
            keep[group.index] = group["batch_size_per_gpu"].eq(batch)
    largest = rows[free].groupby(KEY)["batch_size_per_gpu"].transform("max")
    chosen = rows.loc[free, "batch_size_per_gpu"]
    keep[largest.index] = chosen.eq(largest) | largest.isna()
    return rows[keep]


def annotate(raw: pd.DataFrame) -> pd.DataFrame:
    """Add the project's columns to the kept figures."""
    rows = raw.assign(notes=raw["notes"].fillna(""), task=raw["task"].fillna(""))
    epochs = rows["source"].eq("Lightning-AI/litgpt")
    rows.loc[epochs, "throughput"] *= ALPACA2K_SAMPLES
    rows.loc[epochs, "throughput_unit"] = "samples/s"
    rows["workload"] = rows.apply(workload_of, axis=1)
    rows["precision"] = rows.apply(precision_of, axis=1)
    rows["series"] = rows.apply(series_of, axis=1)
    rows["host_bound"] = rows.apply(input_bound, axis=1)
    rows["family"] = [
        family_of(w, t) for w, t in zip(rows["workload"], rows["task"], strict=True)
    ]
    rows["framework"] = rows["framework"].fillna("").str.extract(r"^([A-Za-z]+)")[0]
    rows["framework"] = rows["framework"].fillna("").str.lower()
    rows["gpu"] = rows["gpu_name"].replace(ASSUMED_GPU)
    rows["unit"] = rows["throughput_unit"]
    return rows


def source_of(group: pd.DataFrame) -> str:
    """Return repository and common path of the figures, and what was assumed."""
    paths = sorted(set(group["source_path"].astype(str)))
    prefix = paths[0] if len(paths) == 1 else commonpath(paths)
    text = f"{group['source'].iloc[0]}:{prefix[:60]}"
    if group["gpu_name"].isin(list(ASSUMED_GPU)).any():
        text += " (form factor assumed)"
    return text


def aggregate(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one row a key: the median, the log-spread and the number."""
    records = []
    for key, group in rows.groupby(KEY, sort=True):
        logs = np.log(group["throughput"])
        cpus = sorted(set(group["cpu_name"].dropna()))
        records.append(
            {
                **dict(zip(KEY, key, strict=True)),
                "task": group["task"].iloc[0],
                "family": group["family"].iloc[0],
                "framework": group["framework"].iloc[0],
                "year": group["year"].median(),
                "batch_size": group["batch_size_per_gpu"].median(),
                "throughput": float(np.exp(np.median(logs))),
                "log_spread": logs.std(ddof=1) if len(logs) > 1 else np.nan,
                "reports": len(group),
                "host_bound": bool(group["host_bound"].all()),
                "cpu_name": cpus[0] if len(cpus) == 1 else "",
                "params_m": group["params_m"].median(),
                "gmacs": group["gmacs"].median(),
                "source": source_of(group),
            }
        )
    return pd.DataFrame(records)


def fill_facts(table: pd.DataFrame) -> pd.DataFrame:
    """Fill in parameters and MACs: from timm for the same net, else FACTS."""
    timm = table[table["series"].str.startswith("timm/")]
    known = timm.groupby("workload")[["params_m", "gmacs"]].first()
    facts = {**{w: tuple(v) for w, v in zip(known.index, known.values, strict=True)}}
    facts |= FACTS
    for workload in table.loc[table["family"].str.startswith("llm"), "workload"]:
        size = re.search(r"(\d+(?:\.\d+)?)([bm])\b", workload)
        if size and workload not in facts:
            billions = float(size[1]) * (1.0 if size[2] == "b" else 1e-3)
            facts[workload] = (1e3 * billions, billions)
    pairs = [facts.get(w, (np.nan, np.nan)) for w in table["workload"]]
    table["params_m"] = table["params_m"].fillna(pd.Series([p for p, _ in pairs]))
    usable = table["unit"].isin(["samples/s", "tokens/s"])
    per_token = table["family"].str.startswith("llm") & table["unit"].ne("tokens/s")
    gmacs = pd.Series([g for _, g in pairs]).where(usable & ~per_token)
    table["gmacs"] = table["gmacs"].fillna(gmacs)
    return table


def faulty_half(table: pd.DataFrame) -> pd.Series:
    """Find half-precision rows slower than 0.8 x their single-precision twin.

    Tensor cores cannot do that; the run was at fault (such as TensorFlow
    1.15.4 on the RTX 3090). Cards without tensor cores can.
    """
    rest = ["series", "workload", "gpu", "num_gpus"]
    half = table["precision"].isin(["amp", "fp16", "bf16"])
    full = table[~half].groupby(rest)["throughput"].max()
    twin = full.reindex(pd.MultiIndex.from_frame(table[rest])).to_numpy()
    tensor = ~table["gpu"].str.contains(r"GTX|Titan X|^P\d|^M\d|^K\d|^RX|Radeon|MI|Arc")
    return half & tensor & (table["throughput"] < 0.8 * twin)


def name_units(table: pd.DataFrame) -> pd.Series:
    """Return the workloads' names, the unit added where it is not the usual one.

    A rate in iterations and one in samples have nothing in common but the net.
    """
    counted = table["unit"].isin(["samples/s", "tokens/s"])
    weight = np.where(counted, len(table), 1)  # a unit that counts work goes first
    rows = (
        pd.Series(weight, table.index).groupby([table["workload"], table["unit"]]).sum()
    )
    usual = rows.groupby("workload").idxmax().map(lambda key: key[1])
    other = table["unit"].ne(table["workload"].map(usual))
    return table["workload"].where(~other, table["workload"] + " (" + table["unit"] + ")")


def compile_table(raw: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the table and how many figures were left out, by reason."""
    reason = exclusion_reasons(raw)
    counts = {str(k): int(v) for k, v in reason[reason.ne("")].value_counts().items()}
    rows = annotate(raw[reason.eq("")])
    kept = common_batch(rows)
    counts["other batch sizes of the same machine"] = len(rows) - len(kept)
    table = fill_facts(aggregate(kept).reset_index(drop=True))
    faulty = faulty_half(table)
    counts["half precision slower than single on tensor cores (table rows)"] = int(
        faulty.sum()
    )
    table = table[~faulty].reset_index(drop=True)
    table["host_bound"] |= twin_bound(table)
    table["workload"] = name_units(table)
    counts["figures read"], counts["figures used"] = len(raw), len(kept)
    return table[list(COLUMNS)], counts


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write the table as CSV, four significant digits, true and false in words."""
    text = table.copy()
    for column in ("throughput", "batch_size", "year", "params_m", "gmacs"):
        text[column] = [f"{v:.6g}" if np.isfinite(v) else "" for v in table[column]]
    text["log_spread"] = [
        f"{v:.3f}" if np.isfinite(v) else "" for v in table["log_spread"]
    ]
    text["num_gpus"] = table["num_gpus"].astype(int)
    text["host_bound"] = np.where(table["host_bound"], "true", "false")
    text.to_csv(path, index=False, lineterminator="\n")


def dlperf_medians(folder: Path) -> pd.DataFrame:
    """Return the median DLPerf score of one GPU, by canonical name and GPUs an offer.

    Each machine has one vote. Hosts without a CPU are left out (their scores are 2 to
    6 % of the others'), and so are cards whose memory is not that they were sold with
    (the score rises with the memory).
    """
    offers = read_offers(folder)
    gpus = load_gpus()
    found = [
        gpus.resolve(name, memory)
        for name, memory in zip(offers["gpu_name"], offers["gpu_ram"], strict=True)
    ]
    offers["gpu"] = ["" if gpu is None else gpu.name for gpu in found]
    sold_gb = np.array([np.nan if gpu is None else gpu.memory_gb for gpu in found])
    as_sold = np.abs(np.log(offers["gpu_ram"] / 1024 / sold_gb)) < SAME_MEMORY
    usable = offers[as_sold & offers["cpu_cores_effective"].gt(0)]
    each = usable["dlperf"] / usable["num_gpus"]
    votes = each.groupby([usable["gpu"], usable["num_gpus"], usable["machine"]]).median()
    medians = votes.groupby(level=["gpu", "num_gpus"]).agg(["median", "size"])
    table = medians.reset_index().rename(columns={"size": "machines"})
    table["dlperf_per_gpu_median"] = table.pop("median").round(2)
    table["source"] = "Vast.ai public offers, June to September 2026"
    return table[["gpu", "num_gpus", "dlperf_per_gpu_median", "machines", "source"]]


def read_offers(folder: Path) -> pd.DataFrame:
    """Return the real offers with a score, each once, with what tells machines apart.

    Where no machine is named, offers of one GPU model, place, reliability and memory
    a GPU are taken for slices of one.
    """
    paths = sorted((folder / "offers").glob("*.json"))
    lists = [json.loads(path.read_text(encoding="utf-8"))["offers"] for path in paths]
    offers = pd.DataFrame([offer for one in lists for offer in one])
    offers = offers[offers["dlperf"].gt(0) & offers["num_gpus"].gt(0)]
    offers = offers.drop_duplicates("id", keep="last").reset_index(drop=True)
    memory_gb = (offers["cpu_ram"] / offers["num_gpus"] / 1000).round(2)
    alike = [offers["gpu_name"], offers["geolocation"], offers["reliability2"], memory_gb]
    likeness = offers.groupby(alike, dropna=False).ngroup()
    offers["machine"] = -1 - likeness  # below every id that the market gives
    offers["machine"] = offers["machine_id"].fillna(offers["machine"])
    return offers


def main() -> None:
    """Read the command line and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("raw_folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, default="models/benchmarks.csv")
    parser.add_argument("--dlperf", type=Path, default="models/dlperf.csv")
    arguments = parser.parse_args()
    raw = pd.read_csv(arguments.raw_folder / "training.csv.gz", low_memory=False)
    table, counts = compile_table(raw)
    write_table(table, arguments.output)
    counts_file = arguments.output.with_suffix(".exclusions.json")
    counts_file.write_text(json.dumps(counts, indent=1) + "\n")
    dlperf = dlperf_medians(arguments.raw_folder)
    dlperf.to_csv(arguments.dlperf, index=False, lineterminator="\n")
    for reason, number in counts.items():
        print(f"{number:7d}  {reason}")
    print(f"{len(table):7d}  rows written to {arguments.output}")


if __name__ == "__main__":
    main()
