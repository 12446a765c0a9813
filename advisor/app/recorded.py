"""A measured run is compared with its prediction, stored, and reported."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.app.context import Context
from advisor.app.described import check_machine, meant_cpu
from advisor.base.errors import ArgumentError, Given, UsageError
from advisor.base.figures import figure
from advisor.hardware.cpus import load_cpus
from advisor.hardware.gpus import load_gpus
from advisor.hardware.measured import MeasuredMachine
from advisor.store.benches import measured_machines
from advisor.store.database import open_store
from advisor.store.runs import store_run
from advisor.throughput.expected import Expected, expected_of
from advisor.throughput.tables import load_tables
from advisor.throughput.user_runs import LEAST_SHARE, UserRun
from advisor.workloads.override import override
from advisor.workloads.profile import Workload

if TYPE_CHECKING:
    from advisor.workloads.logs import LogReading

_BY_USER = "given by the user"
"""Where a figure of a run's evidence is from."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A run that the user measured, on a machine of theirs or of somebody else.

    Attributes
    ----------
    workload : name or path of a profile
    gpu : any spelling of one GPU
    num_gpus : GPUs
    throughput : samples/s, all GPUs together; None: the log states it
    log : what the training printed; None: the throughput is given
    cpu, threads, cpu_ghz : of the machine; None: not known
    batch : samples per GPU and step; None: the log's, or the profile's
    settings : figures of the profile that were others

    Raises
    ------
    UsageError
        if it says the throughput, or the batch, twice or not at all
    """

    workload: str
    gpu: str
    num_gpus: int = 1
    throughput: float | None = None
    log: Path | None = None
    cpu: str | None = None
    threads: float | None = None
    cpu_ghz: float | None = None
    batch: int | None = None
    settings: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check it."""
        if (self.throughput is None) == (self.log is None):
            raise ArgumentError(
                *("give ", Given("throughput"), " SAMPLES/S or "),
                *(Given("log"), " FILE"),
            )
        if self.batch is not None and "batch_size" in self.settings:
            raise ArgumentError(
                *(Given("batch"), " and ", Given("settings"), " batch_size contradict "),
                "each other: leave one out",
            )
        check_machine(self.num_gpus, self.threads, self.cpu_ghz)


def record(context: Context, measured: Measured) -> None:
    """Keep a measured run; from then on predictions of its workload use it.

    Raises
    ------
    UsageError
        if it cannot be, the log states no rate, or there is no such workload or GPU
    """
    stored = context.library.load(measured.workload)
    profile = override(stored, measured.settings)
    batch = profile.batch_size if "batch_size" in measured.settings else measured.batch
    card = load_gpus().find(measured.gpu).name
    if measured.log is not None:
        reading = _read(context, measured.log, batch, measured.num_gpus)
        source, evidence = reading.reader, reading.document()
        rate, batch = reading.samples_per_s, reading.batch
    else:
        rate = float(measured.throughput or 0.0)
        source, evidence = "given", _by_hand(rate, batch, profile)
    run = UserRun(
        workload=profile.name,
        gpu=card,
        num_gpus=measured.num_gpus,
        samples_per_s=float(rate or 0.0),
        cpu=meant_cpu(load_cpus(), measured.cpu, measured.threads, measured.cpu_ghz),
        threads=measured.threads,
        cpu_ghz=measured.cpu_ghz,
        batch_size=batch or profile.batch_size,
        precision=profile.precision,
    )
    expected = compared(context, run, profile, stored)
    if measured.log is None and too_slow(run, expected):
        raise ArgumentError(
            *(
                Given("throughput"),
                f" {run.samples_per_s:g} is below a hundredth of the ",
            ),
            f"predicted {expected.samples_per_s:.3g} samples/s: check its unit, or give ",
            *("the log of the run with ", Given("log")),
        )
    store_compared(context, run, expected, source, evidence)


def compared(
    context: Context,
    run: UserRun,
    workload: Workload,
    stored: Workload,
    machines: Sequence[MeasuredMachine] | None = None,
) -> Expected:
    """Return what is expected of a run, see `expected_of`.

    Parameters
    ----------
    machines : that the user measured; None: those that are stored

    Raises
    ------
    UsageError
        if physics forbids what was measured
    """
    if machines is None:
        machines = measured_machines(context.data_folder)
    tables = load_tables(context.models).knowing(machines)
    expected = expected_of(
        run,
        workload,
        stored,
        model=tables.model,
        gpus=tables.gpus,
        cpus=tables.cpus,
        known=tables.known,
    )
    if run.samples_per_s > expected.most:
        message = (
            f"{figure(run.samples_per_s, 3)} samples/s cannot be: with all units busy "
            f"{run.num_gpus} x {run.gpu} does {figure(expected.most, 3)} of "
            f"{workload.name}: check the batch, the GPU, and that a sample is what the "
            "workload says"
        )
        raise UsageError(message)
    return expected


def too_slow(run: UserRun, expected: Expected) -> bool:
    """Say whether a run is below a hundredth of what is predicted."""
    return run.samples_per_s < LEAST_SHARE * expected.samples_per_s


def store_compared(
    context: Context,
    run: UserRun,
    expected: Expected,
    source: str,
    evidence: Mapping[str, Any],
) -> None:
    """Keep a run with its evidence, and say what becomes of it."""
    marks = [*evidence["marks"]]
    known = not math.isnan(expected.samples_per_s)
    if known:
        predicted = (
            f"predicted {figure(expected.samples_per_s, 3)} samples/s "
            f"({figure(expected.low, 3)} to {figure(expected.high, 3)}), "
            f"got {figure(run.samples_per_s, 3)}"
        )
        context.notify(predicted)
        if not expected.low <= run.samples_per_s <= expected.high:
            marks.append(f"surprising: {predicted}")
            context.notify("that is outside the interval: it is marked as surprising")
    else:
        marks.append("by its profile the workload does not fit this GPU")
        context.notify(
            f"by its profile {run.workload} does not fit {run.gpu}: no prediction"
        )
    with open_store(context.data_folder) as connection:
        number = store_run(
            connection, run, source, context.now(), {**evidence, "marks": marks}
        )
    if expected.silent:
        context.notify(f"record {number}: stored, but not used: {expected.silent}")
    else:
        context.notify(
            f"record {number}: predictions of {run.workload} use it from now on"
        )


def _read(context: Context, log: Path, batch: int | None, num_gpus: int) -> LogReading:
    """Return what a log gives evidence of, and say what it is.

    Raises
    ------
    UsageError
        if the log states no rate, or the batch is missing
    """
    from advisor.workloads.logs import Asked, read_log  # noqa: PLC0415  (start-up)

    reading = read_log(log, Asked(batch, num_gpus))
    if reading.batch is None:
        raise ArgumentError(
            f"{log}: {reading.summary()}, and the batch is not stated: give it with ",
            *(Given("batch"), " SAMPLES (of a GPU and optimizer step)"),
        )
    context.notify(reading.summary())
    for mark in reading.marks:
        context.notify(mark)
    return reading


def _by_hand(rate: float, batch: int | None, profile: Workload) -> dict[str, Any]:
    """Return the evidence of a rate that the user says."""
    samples = batch or profile.batch_size
    source = _BY_USER if batch else "the workload's own, as no other was given"
    return {
        "reader": "given",
        "parts": [
            {"part": "rate", "says": f"{rate:g} samples/s", "from": _BY_USER},
            {"part": "batch", "says": f"{samples} per GPU and step", "from": source},
        ],
        "marks": [],
    }
