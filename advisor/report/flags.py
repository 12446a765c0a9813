"""What the flags of an offer mean, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

FLAG_WORDS: Mapping[str, str] = {
    "gpu_unknown": "GPU guessed",
    "gpu_not_modelled": "GPU not modelled",
    "cpu_unknown": "CPU unknown",
    "cpu_family": "CPU by family",
    "cores_unknown": "cores unknown",
    "clock_capped": "clock capped",
    "gpu_power_capped": "power-capped",
    "gpu_measured_slow": "measured slower than usual",
    "core_measured": "you measured its cores",
    "gpu_measured": "you measured its GPUs",
    "memory_modded": "memory differs",
    "gpu_slice": "part of a GPU",
    "mixed_gpus": "mixed GPUs",
    "memory_contradictory": "memory contradictory",
    "flops_contradictory": "TFLOPS of another card",
    "bandwidth_contradictory": "bandwidth of another card",
    "threads_contradictory": "threads contradictory",
    "bf16_lacking": "no BF16 units",
    "dlperf_low": "low DLPerf",
    "dlperf_high": "high DLPerf",
    "dlperf_broken": "DLPerf broken",
    "image_unknown": "image unknown",
    "driver_unknown": "driver unknown",
    "capability_unknown": "capability unknown",
    "ptx_only": "GPU code as PTX alone",
    "gpu_code_doubtful": "GPU code doubtful",
    "forward_compat": "driver by forward compatibility",
    "forward_compat_doubtful": "driver perhaps by forward compatibility",
    "demand_unknown": "driver may be refused",
    "host_ram_tight": "RAM tight",
    "disk_not_repriced": "disk not repriced",
    "price_contradictory": "price contradictory",
    "no_reserved_discount": "no discount",
    "forced_move": "ends before the job",
    "on_demand_cheaper": "on demand is cheaper",
    "start_doubtful": "may fail to run",
    "deverified": "deverified",
    "unverified": "unverified",
}
"""Flags that tables spell out; the others are in the JSON and CSV."""


def flags_in_words(flags: Sequence[str]) -> str:
    """Return the flags of an offer in words; one without words keeps its name."""
    return ", ".join(FLAG_WORDS.get(flag, flag.replace("_", " ")) for flag in flags)
