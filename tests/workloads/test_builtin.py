"""The profiles that ship with the project."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from advisor.base.units import GB_PER_GIB
from advisor.workloads.dump import dump_workload
from advisor.workloads.load import BUILTIN, list_workloads
from advisor.workloads.memory import fit_micro_batch, largest_micro_batch
from advisor.workloads.parse import parse_workload
from advisor.workloads.profile import Workload

COUNTED = (
    *("bert-base", "efficientnet-b0", "gpt2-124m", "llama-7b-lora", "maskrcnn-r50"),
    *("resnet18", "resnet50", "sd15-lora", "vit-b16", "yolov8n"),
)
"""Profiles that are written by hand; the others follow from them."""

PUBLISHED = Path(__file__).parents[2] / "models" / "sources" / "workloads.csv"
BUILT_IN = list_workloads()
each = pytest.mark.parametrize("workload", BUILT_IN, ids=lambda w: w.name)


def test_names() -> None:
    """There are more than thirty, and each file is called as the profile in it."""
    names = [workload.name for workload in BUILT_IN]
    assert names == sorted(path.stem for path in BUILTIN.glob("*.toml"))
    assert len(names) >= 40
    assert set(COUNTED) < set(names)


def test_tasks() -> None:
    """Vision, language, speech, recommenders, diffusion, graphs, games and tables."""
    tasks = {workload.task for workload in BUILT_IN}
    for kind in (
        *("image classification", "object detection", "semantic segmentation"),
        *("self-supervised learning", "language model pre-training", "llm fine-tuning"),
        *("llm fine-tuning with LoRA", "speech recognition", "recommendation"),
        *("diffusion pre-training", "graph learning", "reinforcement learning"),
        "tabular learning",
    ):
        assert kind in tasks


@each
def test_every_figure_has_a_source(workload: Workload) -> None:
    """Each number, the precision and the era say where they are from."""
    numbers = {f.name for f in fields(Workload) if str(f.type) in {"float", "int"}}
    needed = numbers | {"precision", "era", "benchmark_units_per_sample"}
    labels = ("checkpointed", "compiled")
    needed |= {name for name in labels if getattr(workload.reference, name)}
    unsaid = {f.name for f in fields(Workload) if f.default == 0.0}  # or by formula
    needed -= {name for name in unsaid if getattr(workload, name) == 0.0}
    assert set(workload.sources) - {"loading"} - unsaid == needed - unsaid
    assert set(workload.sources) >= needed
    assert all(len(source) > 3 for source in workload.sources.values())


@each
def test_shown_profile_loads_again(workload: Workload) -> None:
    """What is shown as TOML can be saved and used."""
    assert parse_workload(dump_workload(workload), "x") == workload


@each
def test_figures_are_in_their_units(workload: Workload) -> None:
    """No figure is off by a factor of a thousand: each is in a plausible range."""
    ranges = {
        "samples_per_epoch": (20, 4e9),
        "training_flops_factor": (1.0, 10.0),
        "state_bytes_per_trainable": (4.0, 24.0),
        "activation_mb_per_sample": (0.01, 1e5),
        "kernels_per_step": (50, 1.1e4),
        "gpu_bytes_per_sample": (10, 2e7),
        "disk_bytes_per_sample": (1e-6, 1e7),
        "cpu_ms_per_sample": (1e-5, 100.0),
        "cpu_ms_log_sd": (0.05, 1.0),
        "dataset_gb": (0.0, 1e3),
        "image_gb": (5.0, 40.0),
        "checkpoint_gb": (1e-3, 1000.0),
    }
    for name, (low, high) in ranges.items():
        assert low <= getattr(workload, name) <= high, name
    assert 1e-4 < workload.forward_gflops_per_sample < 1e6


@each
def test_dataset_holds_what_is_read(workload: Workload) -> None:
    """The bytes read in an epoch are on the disk that the job asks for."""
    read_gb = workload.samples_per_epoch * workload.disk_bytes_per_sample / 1e9
    assert read_gb <= workload.dataset_gb + 1e-6


@each
def test_checkpoint_holds_the_weights(workload: Workload) -> None:
    """A checkpoint is no smaller than the trained weights and no larger than all."""
    trained_gb = workload.trainable_parameters_m / 1e3
    assert (2 if workload.half_weights else 4) * trained_gb < workload.checkpoint_gb
    assert workload.checkpoint_gb < workload.state_bytes_per_trainable * trained_gb


LARGE = {
    "gpt2-1.5b": 1,
    "llama-13b-lora": 1,
    "llama-8b-full": 8,
    "llama-70b-lora": 8,
    "mistral-7b-full": 1,
    "whisper-large": 1,
}
"""Workloads for 80 GB cards, and how many of them."""

ACCUMULATED = {"qwen-7b-lora": 1, "llama-8b-qlora": 2}
"""Workloads whose recipe adds up gradients, and its micro-batch."""


@each
def test_a_usual_card_holds_it(workload: Workload) -> None:
    """A card of 24 GiB, or of 80 where said, holds at least half of the batch at once."""
    if workload.name == "llama-70b-full":
        assert fit_micro_batch(workload, 180 * GB_PER_GIB, 8) >= 1
        return
    number = LARGE.get(workload.name, 1)
    memory = 80 if workload.name in LARGE else 24
    held = largest_micro_batch(workload, memory * GB_PER_GIB, number)
    assert held >= ACCUMULATED.get(workload.name, workload.batch_size / 2)


def test_loading_imports_no_heavy_module() -> None:
    """Loading a profile needs neither NumPy nor anything that is slow to import."""
    code = (
        "import sys; from advisor.workloads.load import load_workload;"
        "load_workload('resnet50');"
        "print(sorted({'numpy', 'pandas', 'sklearn', 'httpx', 'tomlkit', 'difflib'}"
        " & set(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"


FACTS = {
    "resnet101": "resnet101",
    "vit-s16": "vit_small_patch16_224",
    "vit-l16": "vit_large_patch16_224",
    "convnext-tiny": "convnext_tiny",
    "swin-tiny": "swin_tiny_patch4_window7_224",
    "mobilenetv3-large": "mobilenetv3_large_100",
    "efficientnet-b4": "efficientnet_b4",
    "yolov8s": "yolov8s",
    "yolov8m": "yolov8m",
    "ssd300": "ssd300_vgg16",
    "resnet18": "resnet18",
    "resnet50": "resnet50",
    "vit-b16": "vit_base_patch16_224",
    "efficientnet-b0": "efficientnet_b0",
    "yolov8n": "yolov8n",
    "maskrcnn-r50": "maskrcnn_resnet50_fpn",
    "bert-base": "bert-base (finetune seq384)",
    "bert-large": "bert-large (finetune seq384)",
}


@pytest.mark.parametrize("name", sorted(FACTS))
def test_agrees_with_published_facts(name: str) -> None:
    """Parameters, FLOPs, samples and bytes are those of the table of facts."""
    with PUBLISHED.open(encoding="utf-8") as file:
        fact = next(row for row in csv.DictReader(file) if row["name"] == FACTS[name])
    workload = next(one for one in BUILT_IN if one.name == name)
    assert workload.samples_per_epoch == float(fact["samples_per_epoch"])
    assert workload.disk_bytes_per_sample == float(fact["bytes_per_sample"])
    assert workload.parameters_m == pytest.approx(float(fact["params_m"]), rel=0.011)
    if fact["forward_gflops_per_sample"]:  # no published figure for BERT
        flops = float(fact["forward_gflops_per_sample"])
        assert workload.forward_gflops_per_sample == flops
    if fact["standard_epochs"]:
        assert fact["standard_epochs"].startswith(str(workload.epochs))


MODEL_CARDS = {
    "qwen-7b-lora": 7615.6,
    "llama-8b-qlora": 8030.3,
    "mistral-7b-full": 7241.7,
    "sdxl-full": 2567.5,
    "flux-lora": 11_901.4,
    "wan-lora": 1419.0,
    "whisper-large": 1543.5,
}
"""10^6 parameters of the nets on the Hugging Face hub, adapters aside (from memory; of
FLUX and Wan as diffusers counts them)."""


@pytest.mark.parametrize("name", sorted(MODEL_CARDS))
def test_parameters_are_those_of_the_model_card(name: str) -> None:
    """What is frozen, or trained whole, is the published net."""
    workload = next(one for one in BUILT_IN if one.name == name)
    adapters = 0.0
    if workload.technique != "full":
        adapters = workload.trainable_parameters_m
    held = workload.parameters_m - adapters
    assert held == pytest.approx(MODEL_CARDS[name], rel=0.002)


@pytest.mark.parametrize("name", ["qwen-7b-lora", "llama-8b-qlora", "mistral-7b-full"])
def test_operations_of_a_language_model(name: str) -> None:
    """Two per parameter and token, embedding aside, and at most a fifth for attention."""
    workload = next(one for one in BUILT_IN if one.name == name)
    embedded = MODEL_CARDS[name] - workload.embedding_parameters_m / 2.0
    rule = 2e-3 * embedded * workload.tokens_per_sample
    assert 1.0 <= workload.forward_gflops_per_sample / rule < 1.2


@pytest.mark.parametrize(
    ("name", "seconds_h100"), [("sdxl-lora", 0.606), ("wan-lora", 1.407)]
)
def test_published_steps_are_within_what_an_h100_can(
    name: str, seconds_h100: float
) -> None:
    """SimpleTuner's steps on an H100 use 2 to 80 % of its 989 TFLOPS (BF16)."""
    workload = next(one for one in BUILT_IN if one.name == name)
    used = workload.training_gflops_per_sample / seconds_h100 / 989e3
    assert 0.02 < used < 0.8


def named(name: str) -> Workload:
    return next(one for one in BUILT_IN if one.name == name)


@pytest.mark.parametrize(
    ("name", "operations", "checkpointed"),
    [
        # All weights: twice the forward pass backward, once more to compute again.
        ("sd15-full", 3 * 804 + 1130, 4 * 804 + 1130),
        ("gpt2-1.5b", 3 * 3345.64, 4 * 3345.64),
        ("sdxl-full", 5977.3 + 783.9 + 11901.8 + 2 * 783.9, 4 * 6761.2),
        ("whisper-large", 3 * 2774.7, 4 * 2774.7),
        ("mistral-7b-full", 3 * 134_089, 4 * 134_089),
        # Adapters: gradients of activations, of attention for both of its factors.
        ("sd15-lora", 2 * 804 + 1130, 3 * 804 + 1130),
        ("sdxl-lora", 6018.7 + 783.9 + 5817.5 + 2 * 783.9, 3.086 * 6802.6),
        ("flux-lora", 2 * 59_677 + 3 * 14_872, 3 * 59_677 + 4 * 14_872),
        ("wan-lora", 2 * 82_677 + 3 * 200_907, 3 * 82_677 + 4 * 200_907),
        ("llama-7b-lora", 2 * 6839, 3 * 6839),
        ("llama-8b-lora", 2 * 7753.5, 3 * 7753.5),
        ("llama-8b-qlora", 2 * 65_876, 3 * 65_876),
        ("qwen-7b-lora", 2 * 29_802, 3 * 29_802),
        # Published: 118.64 multiply-accumulates.
        ("dit-xl2", 3 * 237.3, 4 * 237.3),
    ],
)
def test_what_checkpointing_computes_again_is_not_in_the_factor(
    name: str, operations: float, checkpointed: float
) -> None:
    """A step has 10^9 operations as derived, and those of the forward pass once more.

    Of Stable Diffusion the U-Net has 804 in its forward pass, the encoders, which nothing
    is computed again of, 1,130 of 1,934.
    """
    workload = named(name)
    whole = workload.training_gflops_per_sample
    assert whole == pytest.approx(operations, rel=6e-3)
    again = whole * workload.recomputation
    assert again == pytest.approx(checkpointed, rel=6e-3)


@pytest.mark.parametrize(
    "workload",
    [
        one
        for one in BUILT_IN
        if re.match(r"(image|slice) \d+x\d+", one.sample)
        and "encoded before" not in one.reference.input_pipeline
    ],
    ids=lambda workload: workload.name,
)
def test_an_image_has_the_bytes_of_its_pixels(workload: Workload) -> None:
    """The GPU gets FP32 channels, of the size that the profile says.

    YOLO's are bytes, a slice has one channel, SimCLR has two views; with an image of
    Stable Diffusion come 77 numbers of 8 bytes.
    """
    found = re.search(r"(\d+)x(\d+)", workload.sample)
    assert found is not None
    pixels = int(found[1]) * int(found[2])
    others = {"yolov8": 3, "unet": 4, "simclr": 24}
    each_bytes = next((b for of, b in others.items() if workload.name.startswith(of)), 12)
    text = 77 * 8 if "caption" in workload.sample else 0
    assert workload.gpu_bytes_per_sample == each_bytes * pixels + text


def test_efficientnet_b4_is_of_380_pixels() -> None:
    """3 x 380 x 380 x 4 B; timm's 64 fit a card of 24 GiB at that size, 96 do not.

    Resizing and normalizing take 5 ms at 512 pixels (sd15-lora), so 1.8 ms more at 380
    than at 224: (380^2 - 224^2) / 512^2 x 5.
    """
    workload = named("efficientnet-b4")
    assert workload.gpu_bytes_per_sample == 1_732_800
    assert workload.sample == "image 380x380"
    assert 64 <= largest_micro_batch(workload, 24 * GB_PER_GIB) < 96
    more_ms = (380**2 - 224**2) / 512**2 * 5
    assert workload.cpu_ms_per_sample == pytest.approx(4.1 + more_ms, abs=0.05)


def test_deeplab_is_of_512_pixels_and_150_classes() -> None:
    """A ResNet-50 whose last stages keep an eighth of the pixels, ASPP and two heads.

    At 520 pixels and 21 classes the same operations are torchvision's 178.72 x 10^9.
    """

    def gmacs(pixels: int, classes: int) -> float:
        quarter, eighth = (pixels // 4) ** 2, (pixels // 8) ** 2
        macs, inputs = 49 * 3 * 64 * (pixels // 2) ** 2, 64
        for width, blocks, before, after in (
            (64, 3, quarter, quarter), (128, 4, quarter, eighth),
            (256, 6, eighth, eighth), (512, 3, eighth, eighth),
        ):  # fmt: skip
            macs += inputs * width * before + inputs * 4 * width * after
            macs += (blocks - 1) * 4 * width * width * after
            macs += blocks * (9 * width**2 + 4 * width**2) * after
            inputs = 4 * width
        pyramid = 2048 * 256 * (eighth + 27 * eighth + 1) + 5 * 256**2 * eighth
        heads = 9 * (256 + 1024) * 256 + 2 * 256 * classes
        return (macs + pyramid + heads * eighth) / 1e9

    assert gmacs(520, 21) == pytest.approx(178.722, rel=1e-5)
    found = named("deeplabv3-r50").forward_gflops_per_sample
    assert found == pytest.approx(2 * gmacs(512, 150), rel=1e-3)


@pytest.mark.parametrize(
    ("name", "macs"),
    [
        # NVIDIA's NCF: 128 numbers of the user and of the item, through three layers.
        ("ncf", 256 * 256 + 256 * 128 + 128 * 64 + 128),
        # Nodes that each layer computes x (own features and the neighbors' mean).
        (
            "graphsage-products",
            166 * 2 * 100 * 256 + 16 * 2 * 256 * 256 + 1 * 2 * 256 * 47,
        ),
        # MLPs of 13 numbers and of 351 products with 128 numbers, 351 products of 128.
        (
            "dlrm-small",
            (13 * 512 + 512 * 256 + 256 * 128)
            + 351 * 128
            + (479 * 1024 + 1024 * 1024 + 1024 * 512 + 512 * 256 + 256),
        ),
    ],
)
def test_operations_of_small_nets(name: str, macs: int) -> None:
    """A forward pass is two operations for each of these multiply-accumulates."""
    found = named(name).forward_gflops_per_sample
    assert found == pytest.approx(2e-9 * macs, rel=5e-3)


def test_bert_large_downloads_its_own_weights() -> None:
    """335 million parameters of 4 B and 0.09 GB of SQuAD; 905 B of text a sample."""
    workload = named("bert-large")
    assert workload.dataset_gb == pytest.approx(0.09 + 0.335 * 4, rel=0.01)
    assert workload.disk_bytes_per_sample == 905


def test_whisper_small_downloads_its_weights() -> None:
    """10,000 clips of 480 kB, and 244 million parameters in FP32."""
    expected = 1e4 * 480_000 / 1e9 + 0.244 * 4
    assert named("whisper-small").dataset_gb == pytest.approx(expected, rel=0.01)
