"""A machine that was measured is stored, with its trainings as runs of the user's own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from advisor.app.context import Context
from advisor.app.recorded import compared, store_compared
from advisor.base.errors import ArgumentError, Given, UsageError
from advisor.base.figures import figure
from advisor.hardware.measured import Figure, MeasuredMachine
from advisor.measure.bench import BenchResult
from advisor.measure.bounds import (
    most_bandwidth_gb_s,
    most_matmul_tflops,
    most_of_core,
)
from advisor.measure.expected import gpu_of
from advisor.measure.probe.lines import Line
from advisor.store.benches import measured_machines, number_of, store_bench, stored_bench
from advisor.store.database import open_store
from advisor.store.numbers import missing
from advisor.store.sense import is_name
from advisor.throughput.expected import Expected
from advisor.throughput.known import MachineEffect
from advisor.throughput.tables import Tables, load_tables
from advisor.throughput.user_runs import UserRun
from advisor.workloads.load import load_workload
from advisor.workloads.profile import Loader, Workload

Source = Literal["bench", "file", "rental"]
"""Where a result is from: measured here, read from a file, or of a rented machine."""

_UNREADABLE = "\ufffd"  # stands for what could not be decoded, and is no part of a name
_UNSTORED = -1  # in place of the number of a record that is not there yet

_TRAINING = re.compile(
    r"train\.(?P<workload>[a-z0-9_-]+(?:\.\d[a-z0-9_-]*)?)\.(?P<precision>fp32|tf32|fp16|bf16|amp)"
    r"(?:\.(?P<compiler>eager|compiled))?(?:\.(?P<loader>synthetic|fed))?",
    re.ASCII,
)
_BATCH = re.compile(r"\bbatch (?:of )?(\d{1,7})\b", re.ASCII)
_MATMUL = re.compile(r"gpu\d+\.matmul\.(fp32|tf32|fp16|bf16)", re.ASCII)
_BANDWIDTH = re.compile(r"gpu\d+\.bandwidth", re.ASCII)
_LOADERS: Mapping[str | None, Loader] = {"synthetic": "synthetic", "fed": "real"}


@dataclass(frozen=True, slots=True)
class Place:
    """Whose machine was measured.

    Attributes
    ----------
    market : which market's, ``""`` for one of nobody's
    machine_id : that market's id of it; None: it is of no market
    """

    market: str = ""
    machine_id: int | None = None

    def __post_init__(self) -> None:
        """Check it."""
        if self.machine_id is not None and not self.market:
            raise ArgumentError(Given("machine_id"), ": the market of it is missing")
        if not is_name(self.market):
            raise ArgumentError(
                Given("market"), ": a name of plain characters is expected"
            )


@dataclass(frozen=True, slots=True)
class _Training:
    """A training that a bench ran, as a run, and what is expected of it."""

    run: UserRun
    expected: Expected
    line: Line


def record_bench(
    context: Context, result: BenchResult, place: Place, source: Source
) -> int:
    """Keep what a bench found; from then on predictions use it. Return its number.

    What it says of cores and cards enters as a measured machine, each training that a
    profile describes as a run. A result that is stored already is stored no second time.

    Raises
    ------
    UsageError
        if nothing was measured, or physics forbids a figure; nothing is stored then
    """
    tables = load_tables(context.models)
    machine = machine_of(result, place, tables)
    if not result.lines:
        raise UsageError("the bench measured nothing: there is nothing to store")
    check_bounds(machine, tables)
    trainings = list(_trainings(context, result, machine))
    document = result.document()
    with open_store(context.data_folder) as connection:
        before = number_of(connection, machine, document)
        if before is not None:
            context.notify(f"record {before} is this result: nothing is stored twice")
            return before
        number = store_bench(connection, machine, source, context.now(), document)
    context.notify(f"record {number}: {_said(machine)}; predictions use it from now on")
    for training in trainings:
        run = replace(training.run, bench=number)
        store_compared(
            context, run, training.expected, source, _evidence(training.line, number)
        )
    return number


def machine_of(result: BenchResult, place: Place, tables: Tables) -> MeasuredMachine:
    """Return what a bench says of a machine, its GPU by the name that tables have.

    GPUs of several kinds are no GPU of a name: what was measured of each says nothing of
    a card that all are.
    """
    named = [
        card.name if (card := gpu_of(one, tables)) else one.name.replace(_UNREADABLE, "")
        for one in result.machine.gpus
    ]
    cores = result.cores_granted
    return MeasuredMachine(
        market=place.market if place.machine_id is not None else "",
        machine_id=place.machine_id,
        gpu=named[0] if len(set(named)) == 1 else "",
        num_gpus=len(named),
        cpu=result.machine.cpu_name.replace(_UNREADABLE, ""),
        cores=cores if cores > 0.0 else None,
        figures={
            line.name: Figure(line.value, line.log_sd or 0.0) for line in result.lines
        },
    )


def check_bounds(machine: MeasuredMachine, tables: Tables) -> None:
    """Refuse figures that no such machine reaches.

    Raises
    ------
    UsageError
        if one is beyond what physics allows
    """
    card = tables.gpus.get(machine.gpu)
    for name, found in machine.figures.items():
        most = most_of_core(name, tables.model.cpu)
        if card is not None and (matmul := _MATMUL.fullmatch(name)):
            most = most_matmul_tflops(card, matmul[1])
        elif card is not None and _BANDWIDTH.fullmatch(name):
            most = most_bandwidth_gb_s(card)
        if found.value > most:
            what = machine.gpu if name.startswith("gpu") else "one core"
            message = (
                f"{name} of {figure(found.value, 3)} cannot be: {what} does "
                f"{figure(most, 3)} at most; nothing is stored"
            )
            raise UsageError(message)


def training_of(line: Line) -> re.Match[str] | None:
    """Return what the name of a line says of a training, None where it is none."""
    return _TRAINING.fullmatch(line.name)


def batch_of(line: Line) -> int | None:
    """Return the samples per GPU and step of a training, None where nobody says."""
    found = _BATCH.search(line.note)
    return int(found[1]) if found and int(found[1]) > 0 else None


def _trainings(
    context: Context, result: BenchResult, machine: MeasuredMachine
) -> Iterator[_Training]:
    """Yield the trainings that say something of a profile, and say why others do not."""
    tables = load_tables(context.models)
    if machine.gpu not in tables.gpus:
        return
    measured = replace(machine, number=_UNSTORED)
    machines = (*measured_machines(context.data_folder), measured)
    for line in result.lines:
        found = training_of(line)
        if found is None or line.value <= 0.0:
            continue
        profile = _profile_of(context, found["workload"])
        if isinstance(profile, str):
            context.notify(f"{line.name} is stored, and is no run: {profile}")
            continue
        if silent := _why_not(found, profile, line):
            context.notify(f"{line.name} is stored, and is no run: {silent}")
            continue
        run = UserRun(
            workload=profile.name,
            gpu=machine.gpu,
            num_gpus=1,
            samples_per_s=line.value,
            cpu=machine.cpu or None,
            threads=machine.cores,
            cpu_ghz=None,
            batch_size=batch_of(line) or profile.batch_size,
            precision=profile.precision,
            loader=_LOADERS.get(found["loader"]),
            bench=_UNSTORED,
        )
        expected = compared(context, run, profile, profile, machines)
        if machine.machine_id is not None and not _is_expected(line, expected):
            words = "one machine of a market is no proof of what is so far from expected"
            context.notify(f"{line.name} is stored, and is no run: {words}")
            continue
        yield _Training(run, expected, line)


def _is_expected(line: Line, expected: Expected) -> bool:
    """Say whether a training is within the interval of what is predicted.

    A run speaks of its workload on every machine. What a stranger's machine shows beyond
    that may as well be the machine's, or a lie: it would move what is predicted of all.
    """
    return expected.low <= line.value <= expected.high


def _profile_of(context: Context, name: str) -> Workload | str:
    """Return the built-in profile that a bench trained, or why it is none.

    A rented machine is a stranger, and says nothing of profiles of the user's own.
    """
    try:
        profile = load_workload(name)
    except UsageError:
        return f"no built-in profile is called {name}"
    if context.library.load(name) != profile:
        return f"you have a {name} of your own, which is not what ran"
    return profile


def _why_not(found: re.Match[str], profile: Workload, line: Line) -> str:
    """Return why a training says nothing of a profile, ``""`` where it does."""
    if found["precision"] != profile.precision:
        return f"it is in {found['precision']}, {profile.name} in {profile.precision}"
    if (found["compiler"] == "compiled") != profile.compiled:
        return f"{profile.name} is {'' if profile.compiled else 'not '}compiled"
    if batch_of(line) is None:
        return "its note does not state the batch"
    return ""


def _evidence(line: Line, number: int) -> dict[str, Any]:
    """Return what shows a run that a bench made."""
    source = f"record {number}, {line.name}"
    spread = "" if line.log_sd is None else f", which differ by {line.log_sd:.1%}"
    return {
        "reader": "bench",
        "parts": [
            {"part": "rate", "says": f"{line.value:g} samples/s", "from": source},
            {"part": "repeats", "says": f"{line.repeats}{spread}", "from": source},
            {"part": "batch", "says": line.note, "from": source},
        ],
        "marks": [],
    }


def _said(machine: MeasuredMachine) -> str:
    """Return a machine in a few words."""
    cores = "" if machine.cores is None else f"{machine.cores:g} threads of "
    parts = [f"{machine.num_gpus} x {machine.gpu}"] if machine.gpu else []
    parts.append(f"{cores}{machine.cpu or 'a CPU without a name'}")
    where = "" if machine.machine_id is None else f", machine {machine.machine_id}"
    return f"{' and '.join(parts)} measured{where}"


def learned_of(context: Context, number: int) -> MachineEffect:
    """Return what predictions take of the machine of a record."""
    machines = measured_machines(context.data_folder)
    if all(one.number != number for one in machines):  # later ones count by now
        with open_store(context.data_folder) as connection:
            machines = (stored_bench(connection, number).machine, *machines)
    known = load_tables(context.models).knowing(machines).known
    if known is None:
        raise UsageError(missing(number))
    return known.effect_of_record(number)
