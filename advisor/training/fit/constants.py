"""Starting values of what is outside the GPU: the priors of the fit on CPU tables.

`advisor.training.fit.cpu` fits those that the tables say something about, with these
values and spreads as priors, and the artifact keeps the result. A spread or value that
nobody measured says so in its source. ``sd`` is a standard deviation of the value
itself, ``log_sd`` one of its natural logarithm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_STUDY = "feasibility study on published figures, November 2026"
_DEVIATE = "read as a 90 % interval"

CORE_SPEED: Mapping[str, Mapping[str, Any]] = {
    "score_exponent": {
        "value": 0.9,
        "sd": 0.1,
        "unit": "1",
        "source": f"{_STUDY}: JPEG decoding and augmentation against PassMark",
    },
    "score_weight": {
        "value": 0.5,
        "sd": 0.2,
        "unit": "1",
        "source": f"{_STUDY}: geometric mean of score and class score",
    },
    "measured_log_sd": {
        "value": 0.05,
        "unit": "1",
        "source": "assumption: what repeated measurements of one machine differ by",
    },
    "passmark_log_sd": {"value": 0.12, "unit": "1", "source": _STUDY},
    "geekbench6_log_sd": {"value": 0.15, "unit": "1", "source": _STUDY},
    "microarchitecture_log_sd": {"value": 0.18, "unit": "1", "source": _STUDY},
    "clock_score": {
        "value": 2180.0,
        "unit": "PassMark single-thread",
        "source": "server CPUs of the table since 2013 at 3 GHz, with the clock stated "
        "as the base for a half, as the boost for a quarter and as nonsense (1.5 to 5.5 "
        "GHz) for a quarter, about the proportions of published offers",
    },
    "clock_exponent": {
        "value": 0.3,
        "unit": "1",
        "source": "the same: 0.25 on servers, 0.32 on all CPUs",
    },
    "clock_log_sd": {
        "value": 0.27,
        "unit": "1",
        "source": "the same; a curve that tells base from boost by how plausible either "
        "is at a clock gains 0.004",
    },
    "pcie3_score": {
        "value": 2100.0,
        "unit": "PassMark single-thread",
        "source": "geometric mean of the server CPUs of the table, all and those of at "
        "least 16 cores: 2,056 and 2,154",
    },
    "pcie4_score": {
        "value": 2470.0,
        "unit": "PassMark single-thread",
        "source": "the same, of at least 16 cores: 2,472",
    },
    "pcie5_score": {
        "value": 3070.0,
        "unit": "PassMark single-thread",
        "source": "the same: 3,072",
    },
    "desktop_factor": {
        "value": 1.25,
        "unit": "1",
        "source": "desktops over servers of one PCIe generation: 1.22, 1.20, 1.30",
    },
    "pcie_log_sd": {
        "value": 0.28,
        "unit": "1",
        "source": "assumption: between a clock (0.27) and nothing (0.30); the CPUs of "
        "a generation differ by 0.09 to 0.24, the market's mix is not the table's",
    },
    "nothing_log_sd": {"value": 0.30, "unit": "1", "source": f"{_STUDY}, about 2,100"},
    "core_per_thread": {
        "value": 0.55,
        "log_sd": 0.17,
        "unit": "cores a thread",
        "source": f"{_STUDY}: where two threads share a core, 0.40 to 0.70, {_DEVIATE}",
    },
    "whole_core_log_sd": {
        "value": 0.05,
        "unit": "1",
        "source": "assumption: a core that shares with no other thread",
    },
}
"""What `advisor.hardware.core_speed.CpuConstants` reads."""

HOST_LIMITS: Mapping[str, Mapping[str, Any]] = {
    "core_exponent": {
        "value": 0.95,
        "sd": 0.035,
        "unit": "1",
        "source": f"{_STUDY}: 0.88 to 1.0, {_DEVIATE}",
    },
    "driver_cores": {
        "value": 0.5,
        "log_sd": 0.4,
        "unit": "cores per GPU",
        "source": f"{_STUDY}: cores of the process that drives one GPU; its spread is an "
        "assumption",
    },
    "norm_order": {
        "value": 8.0,
        "log_sd": 0.33,
        "unit": "1",
        "source": f"{_STUDY}: p-norm of the limits, flat optimum, 4 to 12, {_DEVIATE}",
    },
    "launch_us": {
        "value": 7.0,
        "log_sd": 0.30,
        "unit": "microseconds a kernel",
        "source": f"{_STUDY}: one thread, eager PyTorch; its spread is an assumption",
    },
    "handoff_gb_s": {
        "value": 2.7,
        "log_sd": 0.8,
        "unit": "10^9 bytes/s",
        "source": "assumption before the fit: 0.7 to 10, read as a 90 % interval",
    },
    "transfer_log_sd": {
        "value": 0.15,
        "unit": "1",
        "source": "assumption: PCIe 5 x16 is published as 35 to 50 GB/s",
    },
    "disk_random_share": {
        "value": 0.5,
        "log_sd": 0.5,
        "unit": "1",
        "source": "assumption: reads of whole samples in random order, half of the "
        "rate that the market measured",
    },
    "page_cache_share": {
        "value": 0.6,
        "unit": "1",
        "source": "assumption: of the host memory, the rest holds the training itself",
    },
    "gradient_bytes": {
        "value": 4.0,
        "unit": "bytes a parameter",
        "source": "FP32 gradients, as PyTorch's data parallel training exchanges them; "
        "the bus bandwidths here are fitted under the same convention",
    },
}
"""What `advisor.throughput.limits.HostConstants` reads."""

PIPELINES: Mapping[str, Mapping[str, Any]] = {
    "dali_core_ms": {
        "value": 3.75,
        "log_sd": 0.25,
        "unit": "core-ms per sample",
        "source": f"{_STUDY}: ImageNet training images through DALI on the CPU",
    },
    "tf_data_core_ms": {
        "value": 4.1,
        "log_sd": 0.25,
        "unit": "core-ms per sample",
        "source": f"{_STUDY}: ImageNet training images through a Pillow pipeline",
    },
    "text_core_ms": {
        "value": 0.05,
        "log_sd": 0.5,
        "unit": "core-ms per sample",
        "source": "assumption: slices of a mapped file, tokenised beforehand",
    },
    "copy_gb_s": {
        "value": 8.1,
        "log_sd": 0.3,
        "unit": "10^9 bytes/s",
        "source": "copies of one process from pageable memory to a GPU: 12.3 GB/s on a "
        "Ryzen 9 5950X, 6.2 on a Xeon E5-2650L v4 (turboderp/exllama issue 19), over "
        "the speeds of their cores; its spread is an assumption",
    },
    "fed_share": {
        "value": 1.0,
        "log_sd": 0.03,
        "unit": "1",
        "source": "assumption before the fit: a GPU that is fed reaches the rate that "
        "it has on synthetic data",
    },
}
"""Of the pipelines that published measurements ran; no prediction reads them."""

INPUT_PIPELINE: Mapping[str, Mapping[str, Any]] = {
    **CORE_SPEED,
    **HOST_LIMITS,
    **PIPELINES,
}
"""All of them: name -> ``value``, ``unit``, ``source`` and, where fitted, a spread."""
