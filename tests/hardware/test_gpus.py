"""The GPU table is physically consistent, and every market spelling finds its row."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from advisor.base.errors import UsageError
from advisor.hardware.gpus import Gpu, load_gpus

GPUS = load_gpus()
NVIDIA = [gpu for gpu in GPUS.rows if gpu.vendor == "NVIDIA"]
TENSOR = [
    gpu
    for gpu in NVIDIA
    if gpu.compute_capability >= 7.0 and "no usable tensor" not in gpu.source
]


def test_the_table_is_as_large_as_the_market() -> None:
    """All models on offer and in the benchmarks are rows, each name once."""
    assert 150 <= len(GPUS) <= 250
    assert len({gpu.name for gpu in GPUS.rows}) == len(GPUS.rows)
    assert all(gpu.source for gpu in GPUS.rows)


@pytest.mark.parametrize(
    ("name", "column", "value"),
    [
        ("V100-SXM2-16GB", "fp16_tflops", 125),
        ("T4", "fp16_tflops", 65),
        ("RTX 2080 Ti", "fp16_tflops", 53.8),
        ("Titan RTX", "fp16_tflops", 130.5),
        ("RTX 3090", "fp16_tflops", 71),
        ("RTX A6000", "fp16_tflops", 154.8),
        ("A100-SXM4-80GB", "fp16_tflops", 312),
        ("A100-SXM4-80GB", "tf32_tflops", 156),
        ("RTX 4090", "fp16_tflops", 165.2),
        ("RTX 6000 Ada", "fp16_tflops", 364.2),
        ("L40S", "bf16_tflops", 362),
        ("H100-SXM5-80GB", "bf16_tflops", 989.4),
        ("RTX 5090", "fp16_tflops", 209.5),
        ("RTX PRO 6000 Blackwell", "fp16_tflops", 503.8),
        ("B200-SXM-180GB", "bf16_tflops", 2250),
        ("B200-SXM-180GB", "memory_bandwidth_gb_s", 8000),
        ("P100-PCIe-16GB", "fp16_tflops", 19.05),
        ("V100-SXM2-32GB", "memory_bandwidth_gb_s", 900),
        ("RTX PRO 6000 Blackwell", "memory_bandwidth_gb_s", 1792),
        ("RTX PRO 6000 Blackwell Max-Q", "memory_bandwidth_gb_s", 1792),
        ("RTX PRO 6000 Blackwell Server", "memory_bandwidth_gb_s", 1597),
        ("RTX 5880 Ada", "memory_bandwidth_gb_s", 960),
        ("MI300X", "memory_bandwidth_gb_s", 5300),
        ("A10G", "sm_count", 80),
        ("A10G", "fp32_tflops", 35.0),
        ("A10G", "fp16_tflops", 70),
        ("A10G", "tdp_w", 300),
    ],
)
def test_figures_of_the_data_sheets(name: str, column: str, value: float) -> None:
    """Rates and bandwidths are the vendors', dense, with FP32 accumulation."""
    assert getattr(GPUS[name], column) == pytest.approx(value, rel=0.01)


@pytest.mark.parametrize("gpu", GPUS.rows, ids=lambda gpu: gpu.name)
def test_every_row_is_plausible(gpu: Gpu) -> None:
    """No row has a figure outside of what was ever built."""
    assert 2010 <= gpu.year <= 2026
    assert 0.3 <= gpu.fp32_tflops <= 150
    assert gpu.fp16_tflops >= 0.99 * gpu.fp32_tflops
    if gpu.name not in {"Radeon 680M", "Radeon 780M"}:  # these share the host's
        assert 2 <= gpu.memory_gb <= 300
        assert 40 <= gpu.memory_bandwidth_gb_s <= 8000
    assert 15 <= gpu.tdp_w <= 1500
    assert gpu.interconnect in {"sxm", "nvlink", "pcie-p2p", "pcie"}


@pytest.mark.parametrize("gpu", NVIDIA, ids=lambda gpu: gpu.name)
def test_fp32_is_cores_times_clock(gpu: Gpu) -> None:
    """Two FLOP a clock and core; 64 or 128 cores a multiprocessor (K80: 192)."""
    per_clock = gpu.fp32_tflops * 1e12 / (gpu.sm_count * gpu.boost_mhz * 1e6)
    nearest = min((128, 256, 384), key=lambda flop: abs(flop - per_clock))
    assert per_clock == pytest.approx(nearest, rel=0.12)


@pytest.mark.parametrize("gpu", TENSOR, ids=lambda gpu: gpu.name)
def test_tensor_rate_is_a_power_of_two_a_clock(gpu: Gpu) -> None:
    """512 to 8,192 FLOP a clock and multiprocessor, GeForce half of the pro cards."""
    per_clock = gpu.fp16_tflops * 1e12 / (gpu.sm_count * gpu.boost_mhz * 1e6)
    full = {
        "Volta": 1024,
        "Turing": 1024,
        "Ampere": 2048 if gpu.compute_capability == 8.0 else 1024,
        "Ada Lovelace": 1024,
        "Hopper": 4096,
        "Blackwell 2.0": 1024,
    }.get(gpu.architecture, 8192)
    geforce = gpu.interconnect == "pcie" and not gpu.name.startswith("Titan")
    halved = geforce or gpu.name in {"L40", "A10G"}
    expected = full / 2 if halved else full
    assert per_clock == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize("gpu", NVIDIA, ids=lambda gpu: gpu.name)
def test_precisions_follow_the_architecture(gpu: Gpu) -> None:
    """BF16 and TF32 begin with Ampere; TF32 runs at half the FP16 rate."""
    if gpu in TENSOR and gpu.compute_capability >= 8.0:
        assert gpu.bf16_tflops == gpu.fp16_tflops
        assert gpu.tf32_tflops == pytest.approx(gpu.fp16_tflops / 2)
    else:
        assert math.isnan(gpu.bf16_tflops)
        assert math.isnan(gpu.tf32_tflops)


@pytest.mark.parametrize(
    ("name", "memory_mb", "row"),
    [
        ("A100 SXM4", 39936, "A100-SXM4-40GB"),
        ("A100 SXM4", 40536, "A100-SXM4-40GB"),
        ("A100 SXM4", 81251, "A100-SXM4-80GB"),
        ("A100 PCIE", 81920, "A100-PCIe-80GB"),
        ("NVIDIA A100-SXM4-80GB", math.nan, "A100-SXM4-80GB"),
        ("Tesla V100", 16384, "V100-PCIe-16GB"),
        ("Tesla V100", 32768, "V100-PCIe-32GB"),
        ("Tesla V100-SXM2-32GB", 32510, "V100-SXM2-32GB"),
        ("Tesla P100", 12288, "P100-PCIe-12GB"),
        ("RTX 4060 Ti", 8188, "RTX 4060 Ti"),
        ("RTX 4060 Ti", 16380, "RTX 4060 Ti 16GB"),
        ("RTX 3060", 12288, "RTX 3060"),
        ("RTX 3060", 8192, "RTX 3060 8GB"),
        ("RTX 3080", 10240, "RTX 3080"),
        ("RTX 3080", 12288, "RTX 3080 12GB"),
        ("RTX 3080", 20480, "RTX 3080"),  # the 10 GB card with its memory doubled
        ("RTX 4090", 49140, "RTX 4090"),
        ("GTX 1060", 3072, "GTX 1060 3GB"),
        ("RTX 2080 Ti", 22528, "RTX 2080 Ti"),
        ("H100 SXM", 81559, "H100-SXM5-80GB"),
        ("NVIDIA H100 80GB HBM3", 81559, "H100-SXM5-80GB"),
        ("H200", 143771, "H200-SXM-141GB"),
        ("RTX 2000Ada", 16380, "RTX 2000 Ada"),
        ("RTX PRO 6000 WS", 97887, "RTX PRO 6000 Blackwell"),
        ("RTX PRO 6000 S", 97887, "RTX PRO 6000 Blackwell Server"),
        ("GTX TITAN X", 12288, "Titan X (Maxwell)"),
        ("Quadro T1000", math.nan, "T1000"),
    ],
)
def test_market_names_resolve(name: str, memory_mb: float, row: str) -> None:
    """The name finds the model; the memory decides among rows of one name."""
    found = GPUS.resolve(name, memory_mb)
    assert found is not None
    assert found.name == row


@pytest.mark.parametrize("name", ["A100 SXM4", "RTX 3060", "RTX 4060 Ti", "Tesla V100"])
def test_without_memory_the_first_row_is_meant(name: str) -> None:
    """An unknown memory is no reason to know nothing; zero is unknown too."""
    assert GPUS.resolve(name) is not None
    assert GPUS.resolve(name) == GPUS.resolve(name, 0.0)


@pytest.mark.parametrize("gpu", GPUS.rows, ids=lambda gpu: gpu.name)
def test_every_canonical_name_resolves_to_its_row(gpu: Gpu) -> None:
    """A name of the table, with its nominal memory, means its own row."""
    assert GPUS.resolve(gpu.name, gpu.memory_gb * 1024) == gpu
    assert GPUS[gpu.name] == gpu


@pytest.mark.parametrize("memory_mb", [math.nan, 8192.0, 24576.0, 81920.0])
def test_the_spelling_of_the_table_is_one_of_many(memory_mb: float) -> None:
    """A name as it stands in the table means what any other spelling of it means."""
    for name in (name for gpu in GPUS.rows for name in (gpu.name, *gpu.aliases)):
        other = f"NVIDIA {name.lower().replace(' ', '_')}"
        assert GPUS.resolve(name, memory_mb) == GPUS.resolve(other, memory_mb)


@pytest.mark.parametrize(
    "name", ["", "RTX", "RTX 9999", "RTX 4000", "RTX 306", "A1", "Quantum 9", "H10"]
)
def test_no_name_resolves_by_resemblance(name: str) -> None:
    """A prefix of a name or a new model is unknown, not its neighbor."""
    assert GPUS.resolve(name, 24576) is None


NAMES = ("A100 SXM4", "A100 PCIE", "RTX 4090", "RTX 4090D", "RTX 3060", "RTX 3060 Ti")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("A100", {"A100 SXM4", "A100 PCIE"}),
        ("a100_sxm4", {"A100 SXM4"}),
        ("rtx_4090", {"RTX 4090"}),
        ("4090D", {"RTX 4090D"}),
        ("RTX 3060", {"RTX 3060"}),
        ("H100", set()),
    ],
)
def test_queries_select_models_and_families(query: str, expected: set[str]) -> None:
    """A model selects itself, a family all its forms, one not on offer nothing."""
    assert GPUS.select([query], NAMES) == expected


def test_several_queries_add_up() -> None:
    """What any query means is selected; no query selects nothing."""
    assert GPUS.select(["A100 PCIE", "4090"], NAMES) == {"A100 PCIE", "RTX 4090"}
    assert GPUS.select([], NAMES) == frozenset()


def test_a_name_of_the_market_alone_can_be_selected() -> None:
    """A GPU that only the market knows is found by the market's name."""
    assert GPUS.select(["rtx_9999"], ["RTX 9999"]) == {"RTX 9999"}


@pytest.mark.parametrize(("query", "hint"), [("RTX 4900", "RTX 4090"), ("x", "advisor")])
def test_an_unknown_query_says_what_is_near(query: str, hint: str) -> None:
    """A slip is a usage error of one line that names the way out."""
    with pytest.raises(UsageError, match=hint) as caught:
        GPUS.select([query], NAMES)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("query", ["", "   ", "GPU"])
def test_a_query_without_a_word_is_refused(query: str) -> None:
    """Nothing typed is not everything meant, even where a name is empty too."""
    with pytest.raises(UsageError):
        GPUS.select([query], ["", "RTX 4090"])


def test_market_names_select_themselves() -> None:
    """Every spelling that the table holds for markets resolves and is selected."""
    names = GPUS.market_names()
    assert "RTX 4070S Ti" in names
    assert "RTX 4070 Ti Super" not in names
    assert all(GPUS.resolve(name) for name in names)
    assert all(name in GPUS.select([name], names) for name in names)


def test_all_names_of_the_real_market_resolve(real_data: Path) -> None:
    """Each of the 82 or so names of a published snapshot finds a row."""
    for path in sorted((real_data / "offers").glob("*.json")):
        offers = json.loads(path.read_text(encoding="utf-8"))["offers"]
        names = {(offer["gpu_name"], offer["gpu_ram"]) for offer in offers}
        assert names
        assert [one for one in names if GPUS.resolve(*one) is None] == []


def test_every_card_is_found_by_its_own_name() -> None:
    """The canonical name of a GPU means that GPU alone."""
    assert all(GPUS.find(gpu.name) is gpu for gpu in GPUS.rows)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("RTX 4900", "RTX 4090"),
        ("A100", "A100-PCIe-40GB, A100-PCIe-80GB, A100-SXM4-40GB, A100-SXM4-80GB"),
        ("A100 80GB", "A100-PCIe-80GB, A100-SXM4-80GB"),
        ("", "`advisor gpus` lists"),
    ],
)
def test_one_gpu_is_not_guessed(query: str, words: str) -> None:
    """A family or a wrong name is refused with the names that could be meant."""
    with pytest.raises(UsageError) as caught:
        GPUS.find(query)
    assert words in str(caught.value)
    assert ("A100-PCIe-40GB" in str(caught.value)) == (query == "A100")
