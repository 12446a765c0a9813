"""Names in one spelling: what is dropped, what stays apart, what says nothing."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.hardware.cpus import load_cpus
from advisor.hardware.names import cpu_key, gpu_key, short_cpu_name
from advisor.market.sample import open_sample
from advisor.market.types import MarketContext, Query
from tests.conftest import REAL_DATA


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("RTX_4090", "NVIDIA GeForce RTX 4090"),
        ("4090", "rtx 4090"),
        ("1080 Ti", "GTX 1080 Ti"),
        ("RTX 4070S Ti", "NVIDIA GeForce RTX 4070 Ti SUPER"),
        ("GTX 1660 S", "GeForce GTX 1660 SUPER"),
        ("Q RTX 8000", "Quadro RTX 8000"),
        ("RTX 3060 laptop", "NVIDIA GeForce RTX 3060 Laptop GPU"),
        ("RTX 2070 Max-Q", "NVIDIA GeForce RTX 2070 with Max-Q Design"),
        ("A100 SXM4", "NVIDIA A100-SXM4-80GB"),
        ("H100 PCIE", "NVIDIA H100 80GB PCIe"),
        ("RTX 6000Ada", "NVIDIA RTX 6000 Ada Generation"),
        ("RTX PRO 6000 S", "NVIDIA RTX PRO 6000 Blackwell Server Edition"),
        ("RTX PRO 6000 WS", "NVIDIA RTX PRO 6000 Blackwell Workstation Edition"),
        ("InstinctMI300X", "AMD Instinct MI300X"),
        ("Tesla V100", "V100"),
    ],
)
def test_spellings_of_one_gpu_have_one_key(one: str, other: str) -> None:
    """Brand, case, order, underscores and short forms do not matter."""
    assert gpu_key(one).words == gpu_key(other).words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("RTX 3060", "RTX 3060 Ti"),
        ("RTX 4070 Ti", "RTX 4070S Ti"),
        ("RTX 4070S", "RTX 4070S Ti"),
        ("A10", "A100"),
        ("RTX 4000", "RTX A4000"),
        ("RTX 4000 Ada", "Q RTX 4000"),
        ("L40", "L40S"),
        ("V100", "V100S"),
        ("H200", "H200 NVL"),
        ("RTX 3060", "RTX 3060 laptop"),
        ("RTX 4090", "RTX 4090D"),
        ("Titan Xp", "Titan X"),
        ("RTX PRO 6000 S", "RTX PRO 6000 WS"),
    ],
)
def test_different_gpus_have_different_keys(one: str, other: str) -> None:
    """Every other word of a name counts: there is no prefix match."""
    assert gpu_key(one).words != gpu_key(other).words


@pytest.mark.parametrize(
    ("name", "memory"),
    [("RTX 3080 12 GB", 12), ("A100-SXM4-80GB", 80), ("H100 80GB HBM3", 80)],
)
def test_memory_in_a_name_is_taken_out(name: str, memory: float) -> None:
    """The memory is a figure of the key, not one of its words."""
    assert gpu_key(name).memory_gb == memory
    assert "gb" not in gpu_key(name).words


def test_no_memory_in_a_name_is_unknown() -> None:
    """A name without memory says nothing of it."""
    assert math.isnan(gpu_key("RTX 4090").memory_gb)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Xeon® E5-2640 v3 ", "xeon e5 2640 v3"),
        ("Intel(R) Xeon(R) CPU E5-2640 v3 @ 2.60GHz", "xeon e5 2640 v3"),
        ("Xeon E5 2696V4", "xeon e5 2696 v4"),
        ("AMD EPYC 7702 64-Core Processor", "epyc 7702"),
        ("AMD EPYC 7V13 64-Core Processor", "epyc 7v13"),
        ("AMD EPYC 72F3 8-Core Processor", "epyc 72f3"),
        ("AMD Ryzen Threadripper PRO 3995WX 64-Cores", "threadripper pro 3995wx"),
        ("AMD Ryzen 9 7950X3D 16-Core Processor", "ryzen 9 7950x3d"),
        ("AMD Ryzen 7 5700G with Radeon Graphics", "ryzen 7 5700g"),
        ("13th Gen Intel(R) Core(TM) i9-13900K", "core i9 13900k"),
        ("Core™ Ultra 9 285K", "core ultra 9 285k"),
        ("INTEL(R) XEON(R) PLATINUM 8480+", "xeon platinum 8480+"),
        ("Intel(R) Xeon(R) w9-3495X", "xeon w9 3495x"),
    ],
)
def test_cpu_names_are_stripped_to_the_model(name: str, key: str) -> None:
    """Marks, brand, fillers, core counts and clocks go; the model stays whole."""
    assert cpu_key(name) == key


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Xeon(R)",
        "Xeon® ",
        "AMD EPYC",
        "EPYC-Rome Processor",
        "AMD EPYC-Milan Processor",
        "AMD EPYC Processor (with IBPB)",
        "QEMU Virtual CPU version 2.5+",
        "Common KVM processor",
        "Intel Xeon Processor (Skylake, IBRS)",
        "Intel(R) Xeon(R) CPU @ 2.20GHz",
        "AMD Eng Sample: 100-000000053-04_32/20_N",
    ],
)
def test_names_without_a_model_are_empty(name: str) -> None:
    """Virtual machines, bare brands and engineering samples say nothing."""
    assert cpu_key(name) == ""


@given(st.text(max_size=60))
def test_any_text_has_keys(text: str) -> None:
    """Whatever a host calls its hardware, no name raises; keys are their own keys."""
    assert cpu_key(cpu_key(text)) in {"", cpu_key(text)}
    assert gpu_key(text).words == gpu_key(text.upper()).words or not text.isascii()


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("AMD EPYC 9554 64-Core Processor", "EPYC 9554"),
        ("AMD Ryzen 7 9700X 8-Core Processor", "Ryzen 7 9700X"),
        ("12th Gen Core™ i7-12700KF", "i7-12700KF"),
        ("Intel(R) Core(TM) i9-10980XE CPU @ 3.00GHz", "i9-10980XE"),
        ("Core™ Ultra 9 285K", "Ultra 9 285K"),
        ("Intel Core 2 Duo E8400", "Core 2 Duo E8400"),
        ("Xeon® E5-2680 v4 ", "Xeon E5-2680 v4"),
        ("Intel(R) Xeon(R) Gold 6226R CPU @ 2.90GHz", "Xeon Gold 6226R"),
        ("Xeon® Platinum 8480+", "Xeon Platinum 8480+"),
        ("AMD Ryzen Threadripper PRO 3955WX 16-Cores", "Threadripper PRO 3955WX"),
        ("AMD Ryzen 7 5700G with Radeon Graphics", "Ryzen 7 5700G"),
        ("AMD Ryzen AI 9 HX 370 w/ Radeon 890M", "Ryzen AI 9 HX 370"),
        ("Six-Core AMD Opteron(tm) Processor 2427", "Opteron 2427"),
        ("Xeon® ", "Xeon"),
        ("AMD EPYC-Rome Processor", "EPYC-Rome"),
        ("Common KVM processor", "Common KVM"),
        ("Processor", "Processor"),
        ("", ""),
    ],
)
def test_a_short_cpu_name_says_the_model(name: str, short: str) -> None:
    """Without makers, marks, counts and clocks, which every such name has."""
    assert short_cpu_name(name) == short


def listed_cpus(real_data: Path) -> set[str]:
    """Return the CPU names of all listings at hand."""
    sample = open_sample(MarketContext({}, real_data)).search(Query())
    records = list(sample.records)
    for path in (real_data / "offers").glob("*.json"):
        document = json.loads(path.read_text(encoding="utf-8"))
        records += document["offers"] if isinstance(document, dict) else document
    return {str(one["cpu_name"]) for one in records if one.get("cpu_name")}


def test_short_names_are_short_and_tell_cpus_apart(tmp_path: Path) -> None:
    """Of the table and of every listing: 24 characters, each model one of its own."""
    real = REAL_DATA if REAL_DATA.is_dir() else tmp_path
    table = [one.name for one in load_cpus().rows]
    assert len({short_cpu_name(name) for name in table}) == len(table)
    for name in {*table, *listed_cpus(real)}:
        short = short_cpu_name(name)
        assert 0 < len(short) <= 24
        lost = set(cpu_key(name).split()) - set(cpu_key(short).split())
        assert lost <= {"core"}, name
        assert not set(short) & set("®™@()")
        assert not {"AMD", "Intel", "CPU", "Processor"} & set(short.split())


@given(st.text(max_size=80))
def test_a_short_name_is_its_own(text: str) -> None:
    """Whatever a host says: no longer, and not shortened twice."""
    short = short_cpu_name(text)
    assert len(short) <= len(text)
    assert short_cpu_name(short) == short
