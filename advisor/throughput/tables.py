"""What predictions rest on: the hardware tables and the throughput model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advisor.base.assumption import Assumption
from advisor.base.resources import models_folder
from advisor.hardware.card_state import AS_USUAL
from advisor.hardware.card_state import EXPONENT as MEASURED_EXPONENT
from advisor.hardware.cpus import CpuTable, load_cpus
from advisor.hardware.gpus import GpuTable, load_gpus
from advisor.hardware.host import THREADS_PER_GPU
from advisor.hardware.power import SPREAD, STATIC_SHARE
from advisor.throughput.artifact import ThroughputModel, load_model
from advisor.throughput.dlperf import BROKEN_LOG_SD, EXPONENT
from advisor.throughput.user_runs import Calibration
from advisor.workloads.host_memory import (
    MORE_PER_TRY,
    NEED_LOG_SD,
    WORKER_GB,
    WORKERS,
)
from advisor.workloads.memory import USABLE_SHARE
from advisor.workloads.profile import Workload


@dataclass(frozen=True, slots=True)
class Tables:
    """What predictions rest on: the hardware tables and the throughput model."""

    gpus: GpuTable
    cpus: CpuTable
    model: ThroughputModel

    def identity(
        self, workload: Workload, measured: Calibration | None
    ) -> dict[str, Any]:
        """Return which model predicts a workload, and the evidence that it has.

        Parameters
        ----------
        workload : what is predicted
        measured : what runs of the user's own say; None: there are none
        """
        return {
            **self.model.identity,
            "rests_on": {
                **self.model.evidence(workload),
                "own_runs": measured.runs if measured else 0,
                "runs_of_other_workloads": measured.others if measured else 0,
                "silent_runs": list(measured.silent) if measured else [],
            },
        }

    def assumptions(self) -> dict[str, Assumption]:
        """Return the figures that predictions rest on and that nobody measured."""
        return {
            "threads_per_gpu_if_unknown": Assumption(
                THREADS_PER_GPU,
                "threads",
                "median of 1,447 Vast.ai offers of June to September 2026",
            ),
            "usable_gpu_memory": Assumption(
                USABLE_SHARE, "share", "1.5 % is the driver's, the rest an assumption"
            ),
            "host_memory_log_sd": Assumption(
                NEED_LOG_SD,
                "1",
                "assumption: log-sd of the host memory that a job needs, see "
                "advisor.workloads.host_memory",
            ),
            "host_memory_of_next_try": Assumption(
                MORE_PER_TRY,
                "1",
                "assumption: memory of the machine that is tried where one had too "
                "little, over that one's; it costs and trains the same",
            ),
            "loader_workers_per_gpu": Assumption(
                WORKERS,
                "1",
                f"assumption, of {WORKER_GB} GB each: counted in the host memory alone",
            ),
            "dlperf_exponent": Assumption(
                EXPONENT,
                "1",
                "assumption: power of the DLPerf score over the median of its GPU and "
                "number of GPUs that their rate follows, beyond a factor of 1.1 and "
                "within 0.75 to 1.1 (advisor.throughput.dlperf)",
            ),
            "power_static_share": Assumption(
                STATIC_SHARE,
                "share",
                "fitted on 15 published points of six cards: below its own limit a "
                "card's rate follows the cube root of the power beyond this share "
                "(advisor.hardware.power)",
            ),
            "power_spread": Assumption(
                SPREAD,
                "1",
                "standard deviation of the exponents of these points over their mean: "
                "log-sd of what a power limit costs, over its logarithm",
            ),
            "measured_figures_exponent": Assumption(
                MEASURED_EXPONENT,
                "1",
                "assumption: power of a measured memory bandwidth or FP32 rate over "
                f"{AS_USUAL:g} of what is usual for the card (real offers of June to "
                "September 2026) that its rate follows, where it is below that",
            ),
            "dlperf_broken_log_sd": Assumption(
                BROKEN_LOG_SD,
                "1",
                "assumption: added log-sd of the rate where the score cannot be right",
            ),
            **{
                name: Assumption(value, unit, source)
                for name, (value, unit, source) in self.model.assumptions.items()
            },
        }


def load_tables(models: Path | None = None) -> Tables:
    """Load the hardware tables, and the model of a folder (None: the shipped one)."""
    return Tables(load_gpus(), load_cpus(), load_model(models or models_folder()))
