"""The tables of CPU rates that the limits of the host are fitted on.

``cpu_decode.csv`` (JPEG decoding on one core), ``cpu_handoff.csv`` (what a process takes
over from its loader's workers), ``cpu_scaling.csv`` (training throughput against cores),
``real_synthetic.csv`` (the same training with real and with synthetic data) and
``cpu_loading.csv`` (the same training with its loading and the steps alone). Every
figure that is left out is counted by reason in ``cpu_tables.exclusions.json``.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from advisor.hardware.cpus import CpuTable, load_cpus
from sources import Texts, csv_text, json_text, leave_out, read, read_training

IMREAD = "ternaus/imread_benchmark"
PILLOW_PERF = "python-pillow/pillow-perf"
SYNERGY = "msr-fiddle/synergy"
TENSORFLOW = "lambdal/lambda-tensorflow-benchmark"

# Names that leave out a word of the model, as the CPU table has them.
FULL_NAMES = {"Intel Xeon 8124M": "Intel Xeon Platinum 8124M"}

# Both commits of 2,000 images read each from its file; the later ones decode 50,000
# images from memory.
FILE_PROTOCOL = ("691cc79d", "b1e2fcaf")

# Rates that stay in the table but neither teach nor count.
DOUBTFUL = (
    "AMD Ryzen 7 5800H",
    ("imageio", "skimage"),
    "file reads under WSL: 40 % of what the CPU's other libraries give",
)

PIPELINES = {
    "AlexNet": "dali",
    "MobileNet-v2": "dali",
    "ResNet-50": "dali",
    "M5 (audio)": "m5 audio",
    "DeepSpeech": "deepspeech audio",
    "GNMT": "text",
    "LSTM": "text",
    "Transformer-XL": "text",
}

# Sockets of the servers of the logs: these two carry eight GPUs, and such boards hold
# two of these CPUs (assumption; the logs name the model and the memory alone).
SOCKETS = {"AMD EPYC 7742": 2, "Intel Xeon Gold 6230": 2}

MAX_GPUS = 8  # of one machine

EPYC = re.compile(r"^AMD EPYC(\d+)-\d+core.*")
"""FlagPerf writes ``AMD EPYC7742-64core@1.5G``."""

# Side of the square image that tf_cnn_benchmarks feeds a net with, pixels.
IMAGE_SIDE = {"alexnet": 227, "inception3": 299, "inception4": 299}
USUAL_SIDE = 224
CHANNELS = 3
BYTES_OF = {"fp16": 2, "fp32": 4}


def _resolved(names: pd.Series, cpus: CpuTable) -> pd.Series:
    """Return the CPU table's name of each CPU, empty where it has none."""

    def name_of(name: object) -> str:
        text = str(name) if isinstance(name, str) else ""
        cpu = cpus.resolve(FULL_NAMES.get(text, text))
        return "" if cpu is None else cpu.name

    return names.map(name_of)


def _source(rows: pd.DataFrame, path: str) -> pd.Series:
    return rows["source"] + ":" + rows[path]


def decode_table(
    raw: pd.DataFrame, cpus: CpuTable
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return rates of JPEG decoding on one core, one row a CPU, library and version."""
    raw = raw.assign(cpu=_resolved(raw["cpu_name"], cpus))
    imread = raw["source"].str.startswith(IMREAD)
    benchmarks = imread | raw["source"].str.startswith(PILLOW_PERF)
    rows, counts = leave_out(
        raw,
        [
            (
                "taken for the hand-off table",
                raw["task"].str.endswith("torch_dataloader"),
            ),
            (
                "not a decode rate: augmenting, tokenising, launch, copies, storage",
                ~raw["task"].isin(["jpeg_decode", "resize"]),
            ),
            (
                "resize: hangs on the vector instructions of a build, not the core",
                raw["task"].eq("resize"),
            ),
            ("decode of a source with one CPU: no ratio", ~benchmarks),
            ("more than one thread", raw["cores_used"].ne("1")),
            ("not an x86 CPU of the table (Arm, Apple)", raw["cpu"].eq("")),
        ],
    )
    parts = rows["library"].str.extract(r"^(?P<library>.*?)(?:-(?P<version>[\d.]+))?$")
    file = rows["source"].str.contains("|".join(FILE_PROTOCOL))
    perf = rows["source"].str.startswith(PILLOW_PERF)
    doubtful = rows["cpu"].eq(DOUBTFUL[0]) & rows["library"].isin(DOUBTFUL[1])
    table = pd.DataFrame(
        {
            "cpu": rows["cpu"],
            "library": parts["library"],
            "version": parts["version"].fillna(""),
            "protocol": np.where(perf, "pillow-perf", np.where(file, "file", "memory")),
            "unit": rows["rate_unit"].replace({"source Mpixel/s": "Mpixel/s"}),
            "rate": pd.to_numeric(rows["rate"]),
            "doubt": np.where(doubtful, DOUBTFUL[2], ""),
            "source": _source(rows, "source_path_or_url"),
        }
    )
    key = ["cpu", "library", "version", "protocol", "unit"]
    table = table.groupby(key, as_index=False).agg(
        {"rate": "median", "doubt": "first", "source": "first"}
    )
    return table.sort_values(key), counts


def handoff_table(
    raw: pd.DataFrame, cpus: CpuTable
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return images/s that a process gets from a loader with some workers."""
    raw = raw[raw["task"].str.endswith("torch_dataloader")]
    raw = raw.assign(cpu=_resolved(raw["cpu_name"], cpus))
    workers = raw["details"].str.extract(r"num_workers=(\d+)")[0].astype(int)
    rows, counts = leave_out(
        raw.assign(workers=workers),
        [
            ("no workers: nothing is handed over", workers.eq(0)),
            ("not an x86 CPU of the table (Arm, Apple)", raw["cpu"].eq("")),
        ],
    )
    table = pd.DataFrame(
        {
            "cpu": rows["cpu"],
            "library": rows["library"],
            "workers": rows["workers"],
            "images_per_s": pd.to_numeric(rows["rate"]),
            "source": _source(rows, "source_path_or_url"),
        }
    )
    return table.sort_values(["cpu", "library", "workers"]), counts


def scaling_table(raw: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return training throughput of one GPU against its cores."""
    rows, counts = leave_out(
        raw,
        [
            (
                "single figure or statement: no curve",
                ~raw["source"].str.startswith(SYNERGY),
            ),
            ("BERT: profile copied from LSTM's file", raw["model"].eq("BERT")),
        ],
    )
    cores = rows["cpu_cores_or_workers"].str.extract(r"(\d+)")[0].astype(int)
    table = pd.DataFrame(
        {
            "model": rows["model"],
            "pipeline": rows["model"].map(PIPELINES),
            "cores": cores,
            "batch_size": rows["batch_per_gpu"].astype(int),
            "samples_per_s": rows["throughput"],
            "source": _source(rows, "source_path"),
        }
    )
    return table.sort_values(["model", "cores"]), counts


def pairs_table(raw: pd.DataFrame, cpus: CpuTable) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return each training that was run with real and with synthetic data."""
    raw = raw[raw["source"].eq(TENSORFLOW)]
    raw = raw.assign(log=raw["notes"].str.extract(r"directory ([^;]+)")[0])
    rows, counts = leave_out(
        raw, [("suspect: flagged by the collectors", raw["suspect"])]
    )
    key = ["log", "model", "precision", "gpu_name", "num_gpus", "batch_size_per_gpu"]
    synthetic = rows["synthetic_data"].astype(str).eq("true")
    rates = {
        name: rows[of].groupby(key)["throughput"].median().rename(name)
        for name, of in (("synthetic", synthetic), ("real", ~synthetic))
    }
    figures = len(rows)
    pairs = pd.concat(rates.values(), axis=1, join="inner").reset_index()
    paired = rows.merge(pairs[key], on=key)
    counts["no run of the other kind"] = figures - len(paired)
    facts = paired.groupby("log").first()["cpu_name"]
    cpu = _resolved(pairs["log"].map(facts), cpus)
    side = pairs["model"].map(IMAGE_SIDE).fillna(USUAL_SIDE)
    table = pd.DataFrame(
        {
            "host": cpu.where(cpu.ne(""), "Lambda cloud"),
            "cpu": cpu,
            "cores": cpu.map(lambda name: _cores(name, cpus)),
            "net": pairs["model"],
            "precision": pairs["precision"],
            "gpu": pairs["gpu_name"],
            "num_gpus": pairs["num_gpus"].astype(int),
            "batch_size": pairs["batch_size_per_gpu"].astype(int),
            "bytes_per_sample": (
                side**2 * CHANNELS * pairs["precision"].map(BYTES_OF)
            ).astype(int),
            "real": pairs["real"],
            "synthetic": pairs["synthetic"],
            "source": f"{TENSORFLOW}:logs/" + pairs["log"],
        }
    )
    return table.sort_values(["source", "net", "precision", "num_gpus"]), counts


def loading_table(
    raw: pd.DataFrame, cpus: CpuTable
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return each training whose steps were timed with and without their loading."""
    raw = raw.assign(
        cpu=_resolved(raw["cpu_name"].str.replace(EPYC, r"AMD EPYC \1", regex=True), cpus)
    )
    rows, counts = leave_out(
        raw,
        [
            (
                "no rate without loading beside it: one figure, or no training",
                raw["compute_only"].isna(),
            ),
            ("several machines", pd.to_numeric(raw["num_gpus"]).gt(MAX_GPUS)),
            ("CPU unknown", raw["cpu"].eq("")),
        ],
    )
    table = pd.DataFrame(
        {
            "cpu": rows["cpu"],
            "threads": rows["cpu_threads"].astype(int),
            "net": rows["model"],
            "precision": rows["precision"],
            "gpu": rows["gpu_name"],
            "num_gpus": rows["num_gpus"].astype(int),
            "batch_size": rows["batch_per_gpu"],
            "with_loading": pd.to_numeric(rows["value"]),
            "compute_only": rows["compute_only"],
            "unit": rows["unit"],
            "source": _source(rows, "source_path"),
            "quality": rows["quality"],
        }
    )
    key = ["net", "precision", "num_gpus", "batch_size"]
    return table.sort_values(key), counts


def _cores(name: str, cpus: CpuTable) -> float:
    """Return the cores of the host of a CPU, NaN where it is unknown."""
    cpu = cpus.resolve(name)
    return np.nan if cpu is None else SOCKETS.get(name, 1) * cpu.cores


def build() -> Texts:
    """Return the tables, and what was left out of them."""
    cpus, rates = load_cpus(), read("cpu_rates.csv.gz")
    tables = {
        "cpu_decode": decode_table(rates, cpus),
        "cpu_handoff": handoff_table(rates, cpus),
        "cpu_scaling": scaling_table(read("cpu_core_scaling.csv")),
        "real_synthetic": pairs_table(read_training(), cpus),
        "cpu_loading": loading_table(read("host_rates.csv"), cpus),
    }
    texts = {f"models/{name}.csv": csv_text(table) for name, (table, _) in tables.items()}
    counts = {name: counts for name, (_, counts) in tables.items()}
    return texts | {"models/cpu_tables.exclusions.json": json_text(counts)}
