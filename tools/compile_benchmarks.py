"""The benchmark table: published training throughputs, one row per comparable setting.

Every file in ``training/`` of the sources is read. The result has one row for each
workload, series, GPU model, number of GPUs and precision: the median of the figures,
their spread and their number. A *series* is a set of figures within which ratios hold
(same scripts, same container); levels of different series differ. Every figure that is
left out is counted by reason in ``benchmarks.exclusions.json``.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from os.path import commonpath

import numpy as np
import pandas as pd

from advisor.base.errors import UsageError
from benchmark_labels import DERIVED, LABELS
from benchmark_names import (
    ASSUMED_GPU,
    NOT_IN_TABLE,
    PTGB,
    family_of,
    input_bound,
    precision_of,
    series_of,
    workload_of,
)
from compile_gpus import read_gpus
from host_bound import host_bound
from label_figures import labels
from sources import Texts, csv_text, json_text, leave_out, read, read_training

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
    "quality",
    "file",
    "size",
    *LABELS,
    *DERIVED,
)

KEY = ["workload", "series", "gpu", "num_gpus", "precision", "unit"]

MAX_GPUS = 8

# 10^6 parameters and 10^9 multiply-accumulates of a forward pass for one unit
# (sample or token) of the table, where the raw table has none.
# BERT: DeepLearningExamples README (110 M, 330 M); MACs = encoder weights x
# 384 tokens + 2 x layers x 384^2 x width. Mask R-CNN: torchvision's
# weights meta (44.4 M, 268.76 GFLOPs). GPT-2: 124 M weights per token + attention
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

# Words of notes -> why such a figure is left out.
LEFT_OUT_NOTES = {
    "stands in ": "the same figure stands in another file",
    "inference": "inference on several GPUs: no training",
    "several machines": "several machines: their network is not that of one",
    "power-limited": "power-limited by its host: not what the card gives",
}

ALPACA2K_SAMPLES = 2000  # litgpt's Alpaca2k; its README gives minutes per epoch


def usable(raw: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the figures that can be compared, and how many others, by reason."""
    unit = raw["throughput_unit"]
    lambda_cells = raw["source"].eq("lambdal/deeplearning-benchmark")
    timm = raw["source"].eq("huggingface/pytorch-image-models")
    rules = (
        ("suspect: flagged as implausible by the collectors", raw["suspect"]),
        *(
            (reason, raw["notes"].str.contains(rf"(?:^|; ){note}", na=False))
            for note, reason in LEFT_OUT_NOTES.items()
        ),
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
        (
            "INT8 matrix products: faster than the BF16 peak, no such profile",
            raw["precision"].eq("int8"),
        ),
        (
            "a GPU that the table of GPUs lacks (A800, H800, GB10, ...)",
            raw["gpu_name"].isin(NOT_IN_TABLE),
        ),
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
    return leave_out(raw, rules)


def common_batch(rows: pd.DataFrame) -> pd.DataFrame:
    """Keep, of traces that sweep the batch, the batch that most GPUs ran.

    Of equally common ones the largest. Elsewhere the largest batch that a
    machine ran is kept, as a user would choose it; Lambda's own batches
    differ by memory and are all kept.
    """
    sweep = rows["source"].isin(["siasosp23/artifacts", "stanford-futuredata/gavel"])
    free = rows["quality"].ne("") | rows["source"].isin(
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


def fastest_layout(rows: pd.DataFrame) -> pd.DataFrame:
    """Keep, of graded figures of one setting, the fastest.

    They differ by what no label tells: how a net is laid out over the GPUs, how a table
    counts its steps. A user takes the best of them.
    """
    graded = rows[rows["quality"].ne("")]
    best = graded.groupby(KEY)["throughput"].transform("max")
    slower = graded.index[graded["throughput"].lt(best)]
    return rows.drop(slower)


def refuse_unknown_gpus(rows: pd.DataFrame) -> None:
    """Raise an error where a figure's GPU has no line in the table of GPUs.

    Raises
    ------
    UsageError
        with the figure's source and the names that are near
    """
    known = [*read_gpus()["name"], *ASSUMED_GPU]
    unknown = rows[~rows["gpu_name"].isin(known)]
    if len(unknown):
        name, source = unknown.iloc[0][["gpu_name", "source"]]
        near = " or ".join(get_close_matches(name, known, n=2)) or "another name of it"
        message = (
            f"models/sources/training: no GPU is called {name!r} ({source}); "
            f"write {near}, or give it a line in models/sources/gpus.csv"
        )
        raise UsageError(message)


def annotate(raw: pd.DataFrame) -> pd.DataFrame:
    """Add the project's columns to the kept figures."""
    filled = raw[["notes", "task", "quality"]].fillna("")
    rows = raw.assign(**filled.to_dict("series"), stated=raw["precision"])
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
    rows[[*LABELS, *DERIVED]] = labels(rows)
    rows["size"] = rows["image_size_or_seq_len"].where(rows["quality"].ne(""), "")
    rows["framework"] = rows["framework"].fillna("").str.extract(r"^([A-Za-z]+)")[0]
    rows["framework"] = rows["framework"].fillna("").str.lower()
    rows["gpu"] = rows["gpu_name"].replace(ASSUMED_GPU)
    rows["unit"] = rows["throughput_unit"]
    return rows


def common(words: pd.Series) -> str:
    """Return the word that all figures of a row share, empty where they differ."""
    known = set(words)
    return str(known.pop()) if len(known) == 1 else ""


def common_path(paths: pd.Series) -> str:
    """Return what the paths of several figures have in common."""
    ordered = sorted(set(paths.astype(str)))
    return ordered[0] if len(ordered) == 1 else commonpath(ordered)


def aggregate(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one row per key: the median, the log-spread and the number.

    The source says the repository, what its figures' paths have in common, and what was
    assumed; the quality is that of the worst, a label what all have in common.
    """
    texts = dict.fromkeys(("quality", "file", "size", *LABELS, *DERIVED), "")
    rows = rows.assign(**{name: "" for name in texts if name not in rows})
    groups = rows.assign(
        log=np.log(rows["throughput"]), assumed=rows["gpu_name"].isin(list(ASSUMED_GPU))
    ).groupby(KEY, sort=True)
    table = groups.agg(
        task=("task", "first"),
        family=("family", "first"),
        framework=("framework", "first"),
        year=("year", "median"),
        batch_size=("batch_size_per_gpu", "median"),
        throughput=("log", "median"),
        log_spread=("log", "std"),
        reports=("log", "size"),
        host_bound=("host_bound", "all"),
        cpu_name=("cpu_name", "first"),
        cpus=("cpu_name", "nunique"),
        params_m=("params_m", "median"),
        gmacs=("gmacs", "median"),
        source=("source", "first"),
        path=("source_path", common_path),
        assumed=("assumed", "any"),
        quality=("quality", "max"),
        **{name: (name, common) for name in ("file", "size", *LABELS, *DERIVED)},
    ).reset_index()
    told = np.where(table["assumed"], " (form factor assumed)", "")
    return table.assign(
        throughput=np.exp(table["throughput"]),
        cpu_name=table["cpu_name"].where(table["cpus"].eq(1), ""),
        source=table["source"] + ":" + table["path"].str[:60] + told,
    )


def counted_nets() -> dict[str, tuple[float, float]]:
    """Return workload -> parameters and MACs, of nets that were counted by themselves.

    At the size that was trained, which `trained_at` says: SimpleTuner's table calls some
    by the size of their validation.
    """
    needed = ("workload", "trained_at", "params_m", "gmacs", "how", "source")
    numbers = {"params_m": float, "gmacs": float}
    nets = read("counted_nets.csv", needed, dtype=numbers)
    pairs = zip(nets["params_m"], nets["gmacs"], strict=True)
    return dict(zip(nets["workload"], pairs, strict=True))


def fill_facts(table: pd.DataFrame) -> pd.DataFrame:
    """Fill in parameters and MACs: FACTS, else timm's of the same net, else counted."""
    timm = table[table["series"].str.startswith("timm/")]
    known = timm.groupby("workload")[["params_m", "gmacs"]].first()
    facts = {**{w: tuple(v) for w, v in zip(known.index, known.values, strict=True)}}
    facts |= FACTS
    facts = counted_nets() | facts
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
    figures, counts = usable(raw)
    refuse_unknown_gpus(figures)
    rows = annotate(figures)
    kept = common_batch(rows)
    counts["other batch sizes of the same machine"] = len(rows) - len(kept)
    rows, kept = kept, fastest_layout(kept)
    counts["slower layouts of the same machine and setting"] = len(rows) - len(kept)
    table = fill_facts(aggregate(kept).reset_index(drop=True))
    faulty = faulty_half(table)
    counts["half precision slower than single on tensor cores (table rows)"] = int(
        faulty.sum()
    )
    table = table[~faulty].reset_index(drop=True)
    table["host_bound"] |= host_bound(table)
    table["workload"] = name_units(table)
    counts["figures read"], counts["figures used"] = len(raw), len(kept)
    return table, counts


def table_text(table: pd.DataFrame) -> str:
    """Return the table as CSV: six significant digits, true and false in words."""
    text = table[list(COLUMNS)].assign(
        num_gpus=table["num_gpus"].astype(int),
        host_bound=np.where(table["host_bound"], "true", "false"),
        log_spread=table["log_spread"].map("{:.3f}".format, na_action="ignore"),
    )
    return csv_text(text, digits=6)


def build() -> Texts:
    """Return the table, and what was left out of it."""
    table, counts = compile_table(read_training())
    return {
        "models/benchmarks.csv": table_text(table),
        "models/benchmarks.exclusions.json": json_text(counts),
    }
