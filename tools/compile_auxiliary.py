"""The auxiliary table: published inference rates that help to rank GPUs.

It has the columns of ``models/benchmarks.csv``. Its rows say how GPUs compare on work
that is not training: they teach the GPU model about cards of which hardly anybody
published a training rate, with intercepts and a noise of their own, and are never
scored. Rows with a batch of one image are left out (launch-bound on fast cards). Of what
was served (``serving.csv.gz``) the few settings are taken that the GPU bounds and that
three GPUs ran alike; the others are counted by reason in ``auxiliary.exclusions.json``.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from benchmark_names import ASSUMED_GPU
from compile_benchmarks import aggregate, table_text
from compile_gpus import read_gpus
from sources import Texts, json_text, leave_out, read

TIMM_FILES = re.compile(
    r"infer-amp-(n[ch]\w+)-(pt240|pt291)-cu\d+-[a-z]*[0-9]+(?:maxq)?\.csv"
)

# Nets of the families that people train, one or two per family and size, chosen by
# name before any fit.
TIMM_NETS = {
    "resnet18": "cnn",
    "resnet50": "cnn",
    "resnet101": "cnn",
    "resnet152": "cnn",
    "resnext50_32x4d": "cnn",
    "vgg16": "cnn",
    "densenet121": "cnn",
    "efficientnet_b0": "cnn",
    "efficientnet_b4": "cnn",
    "mobilenetv3_large_100": "cnn",
    "regnety_032": "cnn",
    "convnext_base": "cnn",
    "vit_small_patch16_224": "transformer",
    "vit_base_patch16_224": "transformer",
    "vit_large_patch16_224": "transformer",
    "swin_base_patch4_window7_224": "transformer",
    "deit3_base_patch16_224": "transformer",
    "mixer_b16_224": "transformer",
}

# Checkpoints that are fine-tunes of Stable Diffusion 1.5: the same network. Others
# (2.x, XL) differ in size.
NOT_SD15 = re.compile(r"v2-1|768|xl|turbo|sd_?2|2\.1", re.IGNORECASE)

# Settings of ``serving.csv.gz`` that the GPU bounds, by source: what is matched in which
# column, the family, the end of the workload's name. Nets large enough that launching
# hides behind computing or reading: timm in FP16 at batch 256, video of 2 B parameters,
# SDXL, and language models of 14 B and more (7 B on the slower cards of phillipscarroll's
# one host) where reading weights bounds each token.
LARGE = r"14b|gpt-oss 20b|:(?:14|24|32)b"
SERVED = (
    ("NikolasEnt/", {"phase": "forward", "quantization": "fp16"}, "", "inference"),
    ("NikolasEnt/", {"phase": "decode", "model": LARGE}, "llm", "token generation"),
    (
        "geerlingguy/",
        {"framework": r"^ollama$", "model": LARGE},
        "llm",
        "token generation",
    ),
    (
        "phillipscarroll/",
        {"framework": r"^LM Studio Cuda$", "model": "Distill Llama|Instruct 1M"},
        "llm",
        "token generation",
    ),
    (
        "nvidia-cosmos/",
        {"phase": "generate", "model": "-2B-Video"},
        "diffusion",
        "inference",
    ),
    ("chengzeyi/", {"model": "SDXL"}, "diffusion", "inference"),
)
FORWARD_FAMILIES = {"swin": "transformer", "efficientvit": "transformer"}
FEWEST_GPUS = 3

LLM_CONTEXT = 1024  # tokens generated; the shortest that the source lists for all


def timm_rows(raw: pd.DataFrame) -> pd.DataFrame:
    """Return timm's inference rates of `TIMM_NETS`, hosts and versions apart."""
    rows = raw[raw["source"].eq("huggingface/pytorch-image-models")]
    found = rows["source_path"].str.extract(TIMM_FILES)
    rows = rows[found[0].notna() & rows["model"].isin(TIMM_NETS)]
    found = found.loc[rows.index]
    return rows.assign(
        workload=rows["model"] + " inference",
        family=rows["model"].map(TIMM_NETS),
        series="timm-inference/" + found[0] + "-" + found[1],
        unit="samples/s",
        task="inference",
    )


def diffusion_rows(reports: pd.DataFrame) -> pd.DataFrame:
    """Return the community's Stable Diffusion 1.5 rates, batch of 2 and more."""
    rows = reports[
        reports["batch_size_per_gpu"].gt(1)
        & reports["precision"].eq("fp16")
        & ~reports["model"].str.contains(NOT_SD15)
    ]
    version = rows["framework"].str.removeprefix("pytorch ")
    batch = rows["batch_size_per_gpu"].astype(int).astype(str)
    return rows.assign(
        workload="stable-diffusion-1.5 inference, batch " + batch,
        family="diffusion",
        series="sd-reports/pytorch-" + version,
        unit="it/s",
        task="inference",
        throughput=rows["throughput_median"],
        source_path="community reports",
        num_gpus=1.0,
        params_m=np.nan,
        gmacs=np.nan,
        year=np.nan,
        cpu_name=None,
    )


def llm_rows(raw: pd.DataFrame) -> pd.DataFrame:
    """Return llama.cpp's rates of reading a prompt and of writing tokens.

    The source lists both under one name; reading is the faster one on every card.
    """
    rows = raw[
        raw["source"].eq("XiongjieDai/GPU-Benchmarks-on-LLM-Inference")
        & raw["image_size_or_seq_len"].eq(LLM_CONTEXT)
        & raw["model"].eq("llama3-8B")
        & raw["num_gpus"].eq(1)
    ]
    key = ["gpu_name", "precision"]
    reading = rows["throughput"] > rows.groupby(key)["throughput"].transform("mean")
    kind = np.where(reading, " prompt", " token generation")
    return rows.assign(
        workload="llama3-8b " + rows["precision"] + kind,
        family="llm",
        precision="fp16",
        series="llama.cpp",
        unit="tokens/s",
        task="inference",
    )


def served_rows(raw: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the rates of `SERVED`, and how many others were left out, by reason."""
    raw = raw.assign(family="", workload="")
    for source, where, family, ends in SERVED:
        here = raw["source"].str.startswith(source)
        for column, pattern in where.items():
            here &= raw[column].str.contains(pattern, na=False)
        name = raw["model"].str.lower() + " " + _setting(raw) + ends
        raw["workload"] = raw["workload"].mask(here, name.str.replace("  ", " "))
        raw["family"] = raw["family"].mask(here, family or _forward_family(raw))
    known = [*read_gpus()["name"], *ASSUMED_GPU]
    notes = raw["notes"].fillna("")
    doubt = r"suspect|launch-bound|speculative|hosts differ|of the machine|power limit"
    chosen = raw["workload"].ne("")
    rows, counts = leave_out(
        raw,
        (
            ("several GPUs", raw["num_gpus"].gt(1)),
            (
                "heavily tuned by the vendor (TensorRT, MLPerf)",
                raw["source"].str.contains("TensorRT|mlcommons|mlperf", case=False)
                | notes.str.contains("vendor, tuned"),
            ),
            (
                "llama.cpp's rates that inference.csv.gz has already",
                raw["source"].str.startswith("XiongjieDai/"),
            ),
            (
                "bound by launches, the host or a limit, speculative, or suspect",
                notes.str.contains(doubt) & ~chosen,
            ),
            ("a GPU that the table of GPUs lacks", ~raw["gpu_name"].isin(known)),
            ("one of few GPUs, a small net, or a scheduler's rate", ~chosen),
        ),
    )
    rows = rows.assign(
        series="serving/" + rows["source"] + " " + rows["framework"].fillna(""),
        unit=rows["throughput_unit"].replace({"images/s": "samples/s"}),
        precision="fp16",
        task="inference",
        batch_size_per_gpu=np.nan,
        gmacs=np.nan,
        year=np.nan,
    )
    rows["precision"] = rows["precision"].mask(
        rows["quantization"].str.startswith("bf16"), "bf16"
    )
    setting = [rows["workload"], rows["series"]]
    few = rows.groupby(setting)["gpu_name"].transform("nunique") < FEWEST_GPUS
    kept, lonely = leave_out(rows, [("fewer than three GPUs on one setting", few)])
    counts |= lonely
    return kept, counts | {"figures read": len(raw), "figures used": len(kept)}


def _setting(raw: pd.DataFrame) -> pd.Series:
    """Return size or prompt of each figure and a space; empty where unknown."""
    size = raw["input_len"].fillna("").astype(str)
    return size.where(size.eq(""), size + " ").where(raw["phase"].ne("forward"), "")


def _forward_family(raw: pd.DataFrame) -> pd.Series:
    found = raw["model"].str.extract(f"^({'|'.join(FORWARD_FAMILIES)})")[0]
    return found.map(FORWARD_FAMILIES).fillna("cnn")


def build() -> Texts:
    """Return the table, and what was left out of what was served."""
    raw = read("inference.csv.gz")
    reports = read("stable_diffusion.csv.gz")
    served, counts = served_rows(read("serving.csv.gz"))
    files = (
        ("inference", timm_rows(raw)),
        ("stable_diffusion", diffusion_rows(reports)),
        ("inference", llm_rows(raw)),
        ("serving", served),
    )
    rows = pd.concat([rows.assign(file=file) for file, rows in files])
    rows["gpu"] = rows["gpu_name"].replace(ASSUMED_GPU)
    rows["framework"] = rows["framework"].str.extract(r"^([A-Za-z.]+)")[0].fillna("")
    rows["quality"] = rows["quality"].fillna("")
    rows["host_bound"] = False
    return {
        "models/auxiliary.csv": table_text(aggregate(rows)),
        "models/auxiliary.exclusions.json": json_text(counts),
    }
