"""How a training runs on machines: as what, how fast, and in what memory and image.

All that is said of a machine before money is; the same with and without a market.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray, IntArray
from advisor.hardware.machines import Machines, describe
from advisor.market.facts import MachineFacts
from advisor.software.fit import SoftwareFit, software_fit
from advisor.software.image import Image
from advisor.throughput.artifact import MODELED
from advisor.throughput.dlperf import DlperfAdjustment, dlperf_adjustment
from advisor.throughput.kinds import GpuMemo
from advisor.throughput.predict import Throughput, predict
from advisor.throughput.tables import Tables
from advisor.throughput.user_runs import Calibration
from advisor.workloads.host_memory import (
    failed_starts,
    host_memory,
    host_risk,
    surely_too_small,
)
from advisor.workloads.profile import Workload

_TIGHT = 0.1
"""Probability that a memory does not suffice from which it is flagged."""


@dataclass(frozen=True, slots=True)
class Performance:
    """How a training runs on N machines; all arrays have shape (N,).

    Attributes
    ----------
    machines, condition, throughput, software : what each of them says
    host_need_gb : 10^9 bytes of host memory that it needs
    host_risk : probability that the host's memory does not suffice; NaN where unknown
    host_failed_starts : starts that are expected to fail for want of it
    host_too_small : it surely does not suffice
    of_machine, of_training, of_fit : flags: what to know of the machine, of the training
        on it, and of how that fits it, name -> whether it holds
    """

    machines: Machines
    adjustment: DlperfAdjustment
    throughput: Throughput
    software: SoftwareFit
    host_need_gb: FloatArray
    host_risk: FloatArray
    host_failed_starts: FloatArray
    host_too_small: BoolArray
    of_machine: Mapping[str, BoolArray]
    of_training: Mapping[str, BoolArray]
    of_fit: Mapping[str, BoolArray]


def performance(
    facts: MachineFacts,
    workload: Workload,
    tables: Tables,
    images: Sequence[Image],
    *,
    fit_batch: bool = False,
    memory_margin: float = 0.0,
    measured: Calibration | None = None,
    memo: GpuMemo | None = None,
    ids: IntArray | None = None,
    market: str = "",
) -> Performance:
    """Return how a workload runs on the machine of each offer.

    Parameters
    ----------
    facts : what is known of N machines, offered or not
    workload : what is trained
    tables : hardware tables and throughput model
    images : Docker images that it may run in, the one to take where it runs first
    fit_batch : each GPU takes the largest batch that it holds, not the workload's
    memory_margin : share of a GPU's memory that is to be left free
    measured : what runs of the user's own say
    memo : what is known of GPUs already
    ids : a market's ids of the machines, shape (N,); None: they are nobody's
    market : whose ids these are
    """
    memory = tables.memory
    machines = describe(
        facts, tables.gpus, tables.cpus, tables.model.cpu, assumed=tables.hardware
    )
    if tables.known is not None:
        machines = tables.known.applied(machines, facts.cpu_name, ids, market)
    adjustment = dlperf_adjustment(facts, machines, tables.model.dlperf, tables.scores)
    throughput = predict(
        machines,
        workload,
        tables.model,
        adjustment,
        fit_batch=fit_batch,
        memory_margin=memory_margin,
        measured=measured,
        memo=memo,
        usable_share=memory.usable_gpu_memory,
    )
    software = software_fit(facts, machines.gpu, images)
    held = np.maximum(throughput.micro_batch, 1)
    need = host_memory(
        workload,
        machines.num_gpus,
        held,
        fitted=fit_batch,
        loader_workers=memory.loader_workers_per_gpu,
    )
    log_sd = memory.host_memory_log_sd
    risk = host_risk(need.total, machines.ram_gb, log_sd)
    return Performance(
        machines=machines,
        adjustment=adjustment,
        throughput=throughput,
        software=software,
        host_need_gb=need.total,
        host_risk=risk,
        host_failed_starts=failed_starts(
            need.total, machines.ram_gb, log_sd, memory.host_memory_of_next_try
        ),
        host_too_small=surely_too_small(need, machines.ram_gb, log_sd),
        of_machine={
            **machines.flags,
            "gpu_not_modelled": np.array(
                [gpu is not None and gpu.vendor != MODELED for gpu in machines.models],
                dtype=bool,
            )[machines.model],
            **adjustment.flags,
        },
        of_training={
            "batch_accumulated": throughput.accumulation_steps > 1,
            "ram_unknown": np.isnan(machines.ram_gb),
            "disk_speed_unknown": np.isnan(machines.disk_mb_s),
        },
        of_fit={
            "bf16_lacking": machines.lacks_bf16 & (workload.precision == "bf16"),
            **software.flags,
            "host_ram_tight": np.nan_to_num(risk) > _TIGHT,
            "gpu_memory_tight": np.nan_to_num(throughput.memory_risk) > _TIGHT,
            "batch_fitted": np.full(len(facts), fit_batch),
        },
    )
