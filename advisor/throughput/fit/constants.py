"""Starting values of the limits outside the GPU, kept in the artefact.

The first version states them; a later one fits them on the CPU tables with these
values as priors. A spread or value that nobody measured says so in its source.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_STUDY = "feasibility study on published figures, November 2026"

INPUT_PIPELINE: Mapping[str, Mapping[str, Any]] = {
    "core_exponent": {
        "value": 0.95,
        "unit": "1",
        "source": f"{_STUDY}: range 0.88 to 1.0 (Synergy, OSDI 2022, on V100)",
    },
    "driver_cores": {
        "value": 0.5,
        "unit": "cores a GPU",
        "source": f"{_STUDY}: cores of the process that drives one GPU",
    },
    "norm_order": {
        "value": 8.0,
        "unit": "1",
        "source": f"{_STUDY}: p-norm of the limits, flat optimum, range 4 to 12",
    },
    "launch_us": {
        "value": 7.0,
        "unit": "microseconds a kernel",
        "source": f"{_STUDY}: microseconds a kernel, one thread, eager PyTorch",
    },
    "launch_log_sd": {
        "value": 0.30,
        "unit": "1",
        "source": "assumption: not measured here",
    },
    "transfer_log_sd": {
        "value": 0.15,
        "unit": "1",
        "source": "assumption: PCIe 5 x16 is published as 35 to 50 GB/s",
    },
    "disk_random_share": {
        "value": 0.5,
        "unit": "1",
        "source": "assumption: reads of whole samples in random order, half of the "
        "rate that the market measured",
    },
    "disk_log_sd": {
        "value": 0.5,
        "unit": "1",
        "source": "assumption: not measured here",
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
"""Name -> ``value``, ``unit`` and ``source``."""
