"""Benches for tests: of machines that do what is expected of them, or a share of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from advisor.measure.bench import BenchResult, parse_bench
from advisor.measure.probe.lines import Check, Line, Result, Skipped

GIB_4090 = 24.0


def document(
    lines: Mapping[str, tuple[float, str]],
    gpus: tuple[str, ...] = ("NVIDIA GeForce RTX 4090",),
    cpu: str = "AMD EPYC 7702 64-Core Processor",
    memory_gb: float = GIB_4090,
) -> dict[str, Any]:
    """Return the document of a bench with some lines, name -> figure and unit."""
    result = Result("quick")
    result.begun_unix_s, result.seconds, result.bytes_written = 1.8e9, 41.5, 2**28
    result.machine = {
        "cpu_name": cpu,
        "cores": 128,
        "memory_gb": 515.0,
        "os": "Linux 6.8",
        "python": "3.11.9",
        "torch": "2.13.0",
        "driver": "570.86",
        "gpus": [
            {"name": name, "memory_gb": memory_gb, "compute_capability": None}
            for name in gpus
        ],
    }
    result.checks = [Check("one kernel", True, "it ran")]
    result.lines = [Line(name, value, unit) for name, (value, unit) in lines.items()]
    result.skipped = [Skipped("net.download", "no URL was given")]
    return result.document()


def bench(lines: Mapping[str, tuple[float, str]], **more: Any) -> BenchResult:
    """Return the result that `document` is of."""
    return parse_bench(document(lines, **more))


LINES: Mapping[str, tuple[float, str]] = {
    "cores.granted": (32.0, "cores"),
    "core.zlib": (20.0, "MB/s"),
    "decode.pillow.core": (370.0, "images/s"),
    "decode.pillow.w1": (370.0, "images/s"),
    "decode.pillow.w32": (6000.0, "images/s"),
    "gpu0.matmul.fp32": (54.0, "TFLOP/s"),
    "gpu0.matmul.tf32": (85.0, "TFLOP/s"),
    "gpu0.matmul.fp16": (167.0, "TFLOP/s"),
    "gpu0.matmul.bf16": (165.0, "TFLOP/s"),
    "gpu0.bandwidth": (920.0, "GB/s"),
    "gpu0.pcie.gen.max": (4.0, "generation"),
    "gpu0.pcie.width.max": (16.0, "lanes"),
    "gpu0.h2d.pinned": (24.3, "GB/s"),
    "gpu0.clock.sm": (2520.0, "MHz"),
}
"""A healthy RTX 4090 in a server with an EPYC 7702, of which 32 threads are granted."""
