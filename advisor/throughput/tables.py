"""What predictions rest on: the hardware tables and the throughput model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from advisor.base.assumption import Assumption, listed
from advisor.base.resources import models_folder
from advisor.hardware.cpus import CpuTable, load_cpus
from advisor.hardware.gpus import GpuTable, load_gpus
from advisor.hardware.machines import HardwareFigures
from advisor.throughput.artifact import ThroughputModel, load_model
from advisor.throughput.dlperf import ScoreFigures
from advisor.throughput.user_runs import Calibration
from advisor.workloads.host_memory import MemoryFigures
from advisor.workloads.profile import Workload

if TYPE_CHECKING:
    from advisor.hardware.measured import MeasuredMachine
    from advisor.throughput.known import Known


@dataclass(frozen=True, slots=True)
class Tables:
    """What predictions rest on: the hardware tables and the throughput model.

    Attributes
    ----------
    gpus, cpus : hardware tables
    model : the trained artifact
    hardware, memory, scores : what is assumed where nobody measured
    known : what machines that the user measured say; None: there are none
    """

    gpus: GpuTable
    cpus: CpuTable
    model: ThroughputModel
    hardware: HardwareFigures = field(default_factory=HardwareFigures)
    memory: MemoryFigures = field(default_factory=MemoryFigures)
    scores: ScoreFigures = field(default_factory=ScoreFigures)
    known: Known | None = None

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
                "measured_machines": self.known.count if self.known else 0,
            },
        }

    def assumptions(self) -> dict[str, Assumption]:
        """Return the figures that predictions rest on and that nobody measured."""
        return {
            **listed(self.hardware),
            **listed(self.memory),
            **listed(self.scores),
            **self.model.assumptions,
        }

    def knowing(self, machines: Sequence[MeasuredMachine]) -> Self:
        """Return the tables with what machines say that the user measured."""
        gpus = self.gpus if self.known is None else self.known.before
        if not machines:
            return replace(self, gpus=gpus, known=None)
        from advisor.throughput.known import Known  # noqa: PLC0415  (mostly there are none)

        known = Known.of(machines, gpus, self.cpus, self.model)
        return replace(self, gpus=known.gpus, known=known)

    def replaced(self, name: str, value: float) -> Self:
        """Return the tables with another figure for one of `assumptions`.

        Raises
        ------
        KeyError
            if it is none of them
        """
        for part in ("hardware", "memory", "scores"):
            figures = getattr(self, part)
            if name in {one.name for one in fields(figures)}:
                return replace(self, **{part: replace(figures, **{name: value})})
        constants = self.model.constants
        moved = {**constants, name: replace(constants[name], value=value)}
        return replace(self, model=replace(self.model, constants=moved))


def load_tables(models: Path | None = None) -> Tables:
    """Load the hardware tables, and the model of a folder (None: the shipped one)."""
    return Tables(load_gpus(), load_cpus(), load_model(models or models_folder()))
