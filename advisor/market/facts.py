"""What is known of machines, whatever the source: the columns of their physics."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from advisor.base.arrays import FloatArray, ObjectArray
from advisor.base.columns import Columns
from advisor.market.columns import COLUMN, number, objects, text


@dataclass(frozen=True, slots=True)
class MachineFacts(Columns):
    """What is known of N machines, for rent or not; unknown: NaN, or ``""`` for texts.

    Each column says itself what it is: see `market.columns.Column`.
    """

    gpu_name: ObjectArray = field(
        metadata=text("gpu_name", doc="as the market spells it")
    )
    num_gpus: FloatArray = field(metadata=number("num_gpus", doc="GPUs"))
    gpu_frac: FloatArray = field(
        metadata=number("gpu_frac", doc="share of the whole machine's GPUs")
    )
    gpu_ram_mb: FloatArray = field(
        metadata=number("gpu_ram", unit="MiB", doc="memory of one GPU")
    )
    gpu_total_ram_mb: FloatArray = field(
        metadata=number("gpu_total_ram", unit="MiB", doc="memory of all GPUs together")
    )
    gpu_mem_bw_gb_s: FloatArray = field(
        metadata=number("gpu_mem_bw", unit="GB/s", doc="measured GPU memory bandwidth")
    )
    gpu_max_power_w: FloatArray = field(
        metadata=number("gpu_max_power", unit="W", doc="power limit of a GPU")
    )
    total_flops_tflops: FloatArray = field(
        metadata=number("total_flops", unit="TFLOPS", doc="FP32 rate of all GPUs")
    )
    compute_cap: FloatArray = field(
        metadata=number("compute_cap", doc="CUDA compute capability x 100")
    )
    bw_nvlink_gb_s: FloatArray = field(
        metadata=number(
            "bw_nvlink", unit="GB/s", doc="NVLink bandwidth", zero_counts=True
        )
    )
    pcie_gb_s: FloatArray = field(
        metadata=number("pcie_bw", unit="GB/s", doc="measured host-to-GPU bandwidth")
    )
    pci_gen: FloatArray = field(metadata=number("pci_gen", doc="PCIe generation"))
    gpu_lanes: FloatArray = field(metadata=number("gpu_lanes", doc="PCIe lanes of a GPU"))
    dlperf: FloatArray = field(
        metadata=number("dlperf", doc="the market's score, all GPUs together")
    )
    cpu_name: ObjectArray = field(
        metadata=text("cpu_name", doc="as the machine reports it")
    )
    cpu_cores: FloatArray = field(
        metadata=number("cpu_cores", doc="hardware threads of the whole machine")
    )
    cpu_threads: FloatArray = field(
        metadata=number(
            "cpu_cores_effective", doc="hardware threads granted, may be fractional"
        )
    )
    cpu_ghz: FloatArray = field(
        metadata=number(
            "cpu_ghz",
            unit="GHz",
            doc="clock: base, boost or an instant reading, nobody says which",
        )
    )
    cpu_ram_mb: FloatArray = field(
        metadata=number("cpu_ram", unit="MiB", doc="host memory granted")
    )
    disk_bw_mb_s: FloatArray = field(
        metadata=number("disk_bw", unit="MB/s", doc="measured disk bandwidth")
    )
    cuda_max_good: FloatArray = field(
        metadata=number("cuda_max_good", doc="newest CUDA version that the driver runs")
    )
    driver_version: ObjectArray = field(
        metadata=text("driver_version", doc="of the GPUs, such as ``570.124.06``")
    )
    cpu_arch: ObjectArray = field(metadata=text("cpu_arch", doc="``amd64`` or ``arm64``"))
    gpu_arch: ObjectArray = field(metadata=text("gpu_arch", doc="``nvidia`` or ``amd``"))

    def __len__(self) -> int:
        return len(self.gpu_name)

    @classmethod
    def of(cls, **known: str | float | None) -> MachineFacts:
        """Return one machine of which nothing but `known` is known; None is unknown."""
        columns: dict[str, Any] = {}
        for one in fields(MachineFacts):
            value = known.pop(one.name, None)
            if one.metadata[COLUMN].kind == "text":
                columns[one.name] = objects(["" if value is None else str(value)])
            else:
                figure = np.nan if value is None else value
                columns[one.name] = np.array([figure], dtype=np.float64)
        if known:
            raise TypeError(f"no facts of a machine: {', '.join(known)}")
        return MachineFacts(**columns)
