"""The host section of the artifact: constants fitted on the tables of CPU rates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from advisor.base.units import BYTES_PER_GB
from advisor.hardware.constants import read_constants
from advisor.hardware.core_speed import CpuConstants, named_speed
from advisor.throughput.spread import Z90
from advisor.training.fit.constants import INPUT_PIPELINE
from advisor.training.fit.core_speed import (
    RUNGS,
    SpeedFit,
    fit_core_speed,
    speed_rows,
)
from advisor.training.fit.input_pipeline import (
    FITTED,
    PAIRS,
    PIPELINE_OF,
    SHARED,
    PipelineFit,
    fit_input_pipeline,
    known_hosts,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from advisor.hardware.cpus import CpuTable
    from advisor.training.fit.cpu_tables import CpuTables, DecodeRates, WorkerIpcRates

WORKER_IPC_BYTES = 600_000.0
"""Bytes of the images that the loaders of the worker IPC table deliver: RGB of about
500 x 400 pixels, as its source says."""

MOST_WORKERS = 8.0
"""Workers at which the rates of that table are those of worker IPC itself: they no
longer rise, or by less than a quarter, from four workers on."""


def fit_host(tables: CpuTables, cpus: CpuTable) -> dict[str, dict[str, Any]]:
    """Return every constant outside the GPU: fitted where the tables say something.

    Returns
    -------
    name -> ``value``, ``unit``, ``source``; where fitted also ``sd`` or ``log_sd``
    and the number of ``rows``
    """
    decode = certain(tables.decode)
    host = with_speeds(INPUT_PIPELINE, fit_core_speed(speed_rows(decode, cpus)))
    for name in SPEED_CONSTANTS:
        host[name]["rows"] = len(decode)
    speed = read_constants(CpuConstants, host)
    fit = fit_input_pipeline(tables.scaling, tables.pairs, cpus, speed)
    curves, pairs = len(tables.scaling), int(known_hosts(tables.pairs).sum())
    rows = (
        dict.fromkeys(SHARED, curves + pairs)
        | {
            constant: int((tables.scaling.pipeline == pipeline).sum())
            for pipeline, constant in PIPELINE_OF.items()
        }
        | dict.fromkeys(PAIRS, pairs)
    )
    tables_of = (
        dict.fromkeys(SHARED, "cpu_scaling.csv and real_synthetic.csv")
        | dict.fromkeys(PIPELINE_OF.values(), "cpu_scaling.csv")
        | dict.fromkeys(PAIRS, "real_synthetic.csv")
    )
    for name in FITTED:
        spread = "sd" if name == "core_exponent" else "log_sd"
        host[name] = _fitted(
            INPUT_PIPELINE[name], tables_of[name], fit.value[name], rows=rows[name]
        ) | {spread: fit.spread[name]}
    host["handoff_gb_s"] = worker_ipc_entry(tables.worker_ipc, cpus, speed, fit)
    return host


def worker_ipc_entry(
    worker_ipc: WorkerIpcRates, cpus: CpuTable, speed: CpuConstants, fit: PipelineFit
) -> dict[str, Any]:
    """Return the entry of what a process receives from its loader's workers.

    The table's images came one by one, as arrays of their own; a training's come as
    whole batches in shared memory, which nobody measured alone. That is no slower than
    arrays and no faster than the plain copies of a process: the two are taken as the
    ends of a 90 % interval, and the value between them in the middle.
    """
    least = fit_worker_ipc(worker_ipc, cpus, speed)
    most = max(fit.value["copy_gb_s"], least)
    return {
        "value": float(np.sqrt(least * most)),
        "log_sd": float(np.log(most / least) / (2.0 * Z90)),
        "unit": INPUT_PIPELINE["handoff_gb_s"]["unit"],
        "rows": int((worker_ipc.workers == MOST_WORKERS).sum()),
        "source": f"between {least:.2g}, images as single arrays (cpu_handoff.csv, 8 "
        f"workers, over the speed of the core), and {most:.2g}, plain copies "
        "(copy_gb_s), read as a 90 % interval: batches were not measured alone",
    }


SPEED_CONSTANTS = ("score_exponent", "score_weight", *(f"{n}_log_sd" for n in RUNGS))
"""Constants that decode rates move."""


def certain(decode: DecodeRates) -> DecodeRates:
    """Return the rates that train and count."""
    return decode.select(decode.doubt == "")


def with_speeds(
    constants: Mapping[str, Mapping[str, Any]], fit: SpeedFit
) -> dict[str, dict[str, Any]]:
    """Return constants with those of the speed of a core as decode rates give them."""
    table = "cpu_decode.csv"
    host = {name: dict(entry) for name, entry in constants.items()}
    host["score_exponent"] = _fitted(
        constants["score_exponent"], table, fit.score_exponent
    ) | {"sd": fit.score_exponent_sd}
    host["score_weight"] = _fitted(constants["score_weight"], table, fit.score_weight) | {
        "sd": fit.score_weight_sd
    }
    for rung in RUNGS:
        name = f"{rung}_log_sd"
        value = fit.spread_factor * float(constants[name]["value"])
        host[name] = _fitted(constants[name], table, value)
    return host


def fit_worker_ipc(
    worker_ipc: WorkerIpcRates, cpus: CpuTable, speed: CpuConstants
) -> float:
    """Return 10^9 bytes/s that the reference core receives as single arrays.

    The median over libraries of each CPU at `MOST_WORKERS`, over the speed of its
    core; the geometric mean over CPUs.
    """
    logs = []
    for name in np.unique(worker_ipc.cpu):
        cpu = cpus.resolve(str(name))
        if cpu is None:
            message = f"worker IPC rates of a CPU that is in no table: {name}"
            raise ValueError(message)
        here = (worker_ipc.cpu == name) & (worker_ipc.workers == MOST_WORKERS)
        rate = np.median(worker_ipc.images_per_s[here])
        logs.append(np.log(rate * WORKER_IPC_BYTES / named_speed(cpu, speed).speed))
    return float(np.exp(np.mean(logs)) / BYTES_PER_GB)


def _fitted(
    prior: Mapping[str, Any], table: str, value: float, **more: int
) -> dict[str, Any]:
    """Return the entry of a fitted constant: where from, and what it started at."""
    source = f"fitted on {table}; prior {prior['value']:g}: {prior['source']}"
    return {"value": value, "unit": prior["unit"], "source": source, **more}
