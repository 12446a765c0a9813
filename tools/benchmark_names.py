"""How the sources of the benchmark table spell things, in the table's own words."""

from __future__ import annotations

import re

import pandas as pd

PTGB = "pytorch-gpu-benchmark"

# Names that leave the form factor open; the usual one of the era is assumed
# and the row's source says so.
ASSUMED_GPU = {
    "A100": "A100-SXM4-40GB",
    "A100-40GB": "A100-SXM4-40GB",
    "A100-80GB": "A100-SXM4-80GB",
    "H100": "H100-SXM5-80GB",
    "V100": "V100-SXM2-16GB",
    "V100-32GB": "V100-SXM2-32GB",
    "P100": "P100-PCIe-16GB",
    "RTX PRO 6000": "RTX PRO 6000 Blackwell Server",  # the edition that clouds rent
}

# GPUs of single sources that the table of GPUs lacks: cut for export, of one cluster, or
# of no market.
NOT_IN_TABLE = (
    "A800-SXM4-80GB",
    "A800-80GB",
    "H800-SXM-80GB",
    "H100-SXM5-94GB",
    "GB10",
    "GB300",
    "MI350X",
    "MI355X",
)

# Cards without TF32: everything before Ampere, and other makers' cards.
NO_TF32 = re.compile(
    r"GTX|RTX 20|Titan|Quadro|^[PVMK]\d|^T4|^T600|MI\d|^RX|Radeon|Arc|GT 1030"
)

# Sources whose scripts leave TF32 on where the card has it. Lambda's and
# NVIDIA's containers switch it on; the others are convolutional nets, for which
# it is the default of PyTorch and TensorFlow; the ViT of GPU-Insights runs at 26
# TFLOPS on an A100, more than its 19.5 TFLOPS of plain FP32; the DiT of fast-DiT at 39
# (its train.py sets allow_tf32).
TF32_ON = re.compile(
    r"^lambdal/|^NVIDIA/Deep|pytorch-gpu-benchmark|GPU-Insights|^rasbt/m|^AI-Bench"
    r"|^FlagOpen/|fast-DiT"
)

# Precision not stated, but its full fine-tune of 8 B parameters at 3,550 tokens/s
# is 170 TFLOPS (6 FLOPs a parameter and token): above the TF32 peak of the A100.
BF16_BY_RATE = {"VectorInstitute/vectorlm"}

# Same nets at another image size than the usual 224.
OTHER_SIZE = {"libffcv/ffcv-imagenet", "unnamed public table id 35504563233"}

SPELLINGS = {
    "efficientnet efficientnet-b0": "efficientnet-b0",
    "efficientnet efficientnet-b4": "efficientnet-b4",
    "efficientnet_b0": "efficientnet-b0",
    "efficientnet_v1 b0": "efficientnet-b0",
    "efficientnet_v1 b4": "efficientnet-b4",
    "maskrcnn": "maskrcnn-r50-fpn",
    "resnet50v1.5": "resnet50",
    "rn50v1.5": "resnet50",
    "vit-b-16": "vit-b16",
    "vit_base_patch16_224": "vit-b16",
    "gpt2-124m (from scratch)": "gpt2-124m",
    "llama-2-7b lora": "llama-7b-lora",
    "llama-2-7b qlora": "llama-7b-qlora",
    "ssd": "ssd300-resnet50",
    "coco instance segmentation baselines with mask r-cnn r50-fpn": "maskrcnn-r50-fpn",
}

LLM_TASKS = ("llm-sft", "llm-pretrain")
DIFFUSION_TUNING = "diffusion-full-train"

WAYS = ("compiled", "attention", "optimizer", "checkpointing", "base")
"""Labels by which the figures of one source differ in level."""

FRAMEWORKS = re.compile(r"tensorflow|[a-z-]*megatron[a-z-]*|deepspeed|flagscale|pytorch$")
"""FlagPerf's ports of one net to several frameworks, as its framework column has them."""

FAMILIES = (
    ("recsys", r"ncf|dlrm|wide-?and-?deep|^sim$|insightface"),
    ("gan", r"gan|spade|dped"),
    ("llm-qlora", r"qlora"),
    ("llm-lora", r"(llama|gemma|phi|mistral|falcon|stablelm|qwen|llm).*lora"),
    ("diffusion", r"ddpm|diffusion|sdxl|flux"),
    ("segmentation", r"unet|u-net|vnet|deeplab|icnet|pspnet"),
    ("detection", r"rcnn|r-cnn|ssd|yolo|efficientdet|detr|retinanet|rpn|panoptic"),
    ("speech", r"tacotron|waveglow|fastpitch|hifigan|jasper|quartznet|wav2vec|tts"),
    ("rnn", r"gnmt|lstm|gru|rnn|deepspeech|bi-lstm"),
    ("llm", r"mpt-|llama|gpt|qwen|nemotron|gemma|phi-|nanochat|minimind|falcon"),
    (
        "transformer",
        r"bert|transformer|bart|(?<![a-z])t5|vit|deit|swin|beit|xcit|cait|tft|mixer",
    ),
)


def precision_of(row: pd.Series) -> str:
    """Return the arithmetic really used; empty where it is not stated."""
    stated = "" if pd.isna(row["precision"]) else str(row["precision"])
    if "amp_bf16" in row["notes"] or row["source"] in BF16_BY_RATE:
        return "bf16"
    tf32_card = not NO_TF32.search(row["gpu_name"])
    if stated == "fp32" and tf32_card and TF32_ON.search(row["source"]):
        return "tf32"
    return stated


def workload_of(row: pd.Series) -> str:
    """Return the workload's name, one spelling for all sources."""
    name = re.sub(r"\s+", " ", str(row["model"]).strip().lower())
    section = row["notes"].lower()
    if row["source"] == "NVIDIA/DeepLearningExamples":
        if name == "transformer-xl":
            return f"{name}-{'large' if 'large model' in section else 'base'}"
        if name in {"bert", "biobert", "bart"}:
            kind = "finetune" if "fine-tuning" in section else "pretrain"
            return f"{name}-{kind}-{_size(row)}"
    if row["source"] in {"mosaicml/llm-foundry", "VectorInstitute/vectorlm"}:
        return f"{name} seq{_size(row)}"
    if row["source"] in OTHER_SIZE and _size(row):
        return f"{name} {_size(row)} px"
    if graded(row):
        return _tuned(SPELLINGS.get(name, name), row)
    return SPELLINGS.get(name, name)


def graded(row: pd.Series) -> bool:
    """Say whether a figure is of a file that grades its sources and states labels."""
    return bool(pd.notna(row["quality"]) and row["quality"])


def _tuned(name: str, row: pd.Series) -> str:
    """Return a net's name with what is tuned of it and the length or the size."""
    task, technique, size = row["task"], row["technique"], _size(row)
    if technique in {"lora", "lokr", "qlora"} or task in {"llm-sft", DIFFUSION_TUNING}:
        name = f"{name} {technique}" if isinstance(technique, str) else name
    if task in LLM_TASKS:
        return f"{name} seq{size}" if size else name
    usual = task == "image-classification" and size == "224x224"
    return f"{name} {size}" if size and not usual else name


def _size(row: pd.Series) -> str:
    size = row["image_size_or_seq_len"]
    return "" if pd.isna(size) else str(size)


def family_of(workload: str, task: str) -> str:
    """Return the family of nets that `workload` belongs to."""
    if task.startswith(("diffusion-", "video-diffusion")):
        return "diffusion"
    for family, pattern in FAMILIES:
        if re.search(pattern, workload):
            return family
    if task in LLM_TASKS:
        return "llm-lora" if " lora" in workload else "llm"
    return "cnn" if task in {"image-classification", ""} else "other"


def series_of(row: pd.Series) -> str:
    """Return the name of the comparable set that a figure belongs to.

    Where a file states how its figures were measured, each way is a set of its own.
    """
    if graded(row):
        ways = [row[way] for way in WAYS if isinstance(row[way], str) and row[way]]
        kind = FRAMEWORKS.search(str(row["framework"])) if _flagperf(row) else None
        return "/".join([row["source"], *([kind.group()] if kind else []), *ways])
    source, notes, path = row["source"], row["notes"], row["source_path"]
    framework = "" if pd.isna(row["framework"]) else str(row["framework"]).strip()
    version = re.sub(r"^(pytorch|tensorflow)", "", framework).strip().split("+")[0]
    version = version or "unknown"
    real = str(row["synthetic_data"]).lower() == "false"
    loader = f"/{row['dataloader']}" if row["model"] == "resnet50" and real else ""
    mode = "xla" if "XLA" in notes else "plain"
    data = "real" if real else "synthetic"
    data += "+distortions" if "distortions on" in notes else ""
    generation = "v1" if str(row["model"]).startswith("nnunet-v1") else "v2"
    special = {
        "lambdal/deeplearning-benchmark": f"lambda/pytorch-{version}{loader}",
        "lambdal/lambda-tensorflow-benchmark": f"lambda-tf/{version}/{mode}/{data}",
        "huggingface/pytorch-image-models": f"timm/{_found(r'n[chw]+-pt[0-9]+', path)}",
        "NVIDIA/DeepLearningExamples": "dle/" + path.removesuffix("/README.md"),
        "xiaoran007/GPU-Insights": f"gpu-insights/{_found(r'(?<=script )ver.', notes)}",
        "jcjohnson/cnn-benchmarks": f"{source}/{framework}",
        "Oneflow-Inc/DLPerf": f"{source}/{framework}",
        "MIC-DKFZ/nnUNet": f"{source}/{generation}",
    }
    return special.get(source, source)


def _flagperf(row: pd.Series) -> bool:
    return str(row["source"]) == "FlagOpen/FlagPerf"


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    return match.group() if match else "unknown"


def input_bound(row: pd.Series) -> bool:
    """Say whether a figure is known to be limited by the host, by its source."""
    source, notes = row["source"], row["notes"]
    if source == "MIC-DKFZ/nnUNet":
        return "dummy" not in row["model"]
    return bool(
        source == "mrdbourke/mac-ml-speed-test"
        or source.startswith("AI-Benchmark")
        or re.search(r"CPU-bound|loader-bound|launch-bound|host-bound", notes)
    )
