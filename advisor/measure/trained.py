"""What the model predicts for the training steps that a bench measured."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from advisor.base.errors import AdvisorError
from advisor.base.units import MIB_PER_GB, MIB_PER_GIB
from advisor.market.facts import MachineFacts
from advisor.measure.bench import BenchResult
from advisor.measure.expected import TRAINING, Expected
from advisor.software.known import images_of
from advisor.throughput.performance import performance
from advisor.throughput.spread import Z90
from advisor.throughput.tables import Tables
from advisor.workloads.load import load_workload
from advisor.workloads.override import override
from advisor.workloads.profile import PRECISIONS

_LINE = re.compile(
    r"train\.(?P<profile>[\w-]+)\.(?P<precision>\w+)"
    r"(?:\.(?P<how>eager|compiled))?(?:\.(?P<data>synthetic|fed))?",
    re.ASCII,
)


def trained_lines(
    result: BenchResult, tables: Tables, offered: MachineFacts | None = None
) -> Iterator[Expected]:
    """Yield what is predicted for each line of a training, on one GPU of the machine.

    Lines of profiles that are not built in, and of machines that are no GPU's, are passed
    over. The spread is that of the prediction, as wide as it is.

    Parameters
    ----------
    offered : what the machine was offered as, a table of one row; None: it is described
        by what it says of itself
    """
    facts = one_gpu(result, offered)
    if facts is None:
        return
    for line in result.lines:
        found = _LINE.fullmatch(line.name)
        if found is None or found["precision"] not in PRECISIONS:
            continue
        figures = {
            "precision": found["precision"],
            "compiled": found["how"] == "compiled",
            "loader": "real" if found["data"] == "fed" else "synthetic",
        }
        try:
            workload = override(load_workload(found["profile"]), figures)
            here = performance(
                facts, workload, tables, images_of("", workload), fit_batch=True
            )
        except AdvisorError:  # no such profile, or one that nobody measured
            continue
        rates = here.throughput
        rate, low = float(rates.samples_per_s[0]), float(rates.low[0])
        if rate > 0.0 and low > 0.0:  # neither NaN: a card in no table
            yield Expected(
                line.name,
                TRAINING,
                rate,
                math.log(rate / low) / Z90,
                0.0,
                "the prediction",
                f"predicted with the model {tables.model.name}",
            )


def one_gpu(result: BenchResult, offered: MachineFacts | None) -> MachineFacts | None:
    """Return a machine with its first GPU alone; None where it has none."""
    if not result.machine.gpus:
        return None
    if offered is not None:
        return replace(offered, num_gpus=np.ones(1))
    machine, gpu = result.machine, result.machine.gpus[0]
    return MachineFacts.of(
        gpu_name=gpu.name,
        num_gpus=1,
        gpu_ram_mb=_said(gpu.memory_gb) * MIB_PER_GIB,
        pci_gen=_said(result.value("gpu0.pcie.gen.max")),
        gpu_lanes=_said(result.value("gpu0.pcie.width.max")),
        cpu_name=machine.cpu_name,
        cpu_threads=_said(result.cores_granted),
        cpu_ram_mb=_said(machine.memory_gb) * MIB_PER_GB,
    )


def _said(value: float) -> float:
    """Return what a machine says, NaN where it says that it has nothing."""
    return value if value > 0.0 else math.nan
