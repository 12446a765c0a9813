"""The auxiliary table: published inference rates that help to rank GPUs.

It has the columns of ``models/benchmarks.csv``. Its rows say how GPUs compare on work
that is not training: they teach the GPU model about cards of which hardly anybody
published a training rate, with intercepts and a noise of their own, and are never
scored. Rows with a batch of one image are left out (launch-bound on fast cards).
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from benchmark_names import ASSUMED_GPU
from compile_benchmarks import aggregate, table_text
from sources import Texts, read

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


def build() -> Texts:
    """Return the table."""
    raw = read("inference.csv.gz")
    reports = read("stable_diffusion.csv.gz")
    rows = pd.concat([timm_rows(raw), diffusion_rows(reports), llm_rows(raw)])
    rows["gpu"] = rows["gpu_name"].replace(ASSUMED_GPU)
    rows["framework"] = rows["framework"].str.extract(r"^([A-Za-z.]+)")[0].fillna("")
    rows["host_bound"] = False
    return {"models/auxiliary.csv": table_text(aggregate(rows))}
