"""What was measured on machines beside what is expected of them, and what that shows.

Each of `cores` and `launches` here, and `matmuls` and `bandwidths` in
`advisor.throughput.card_readings`, compares one quantity, and hands it to
`advisor.throughput.effects`.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from advisor.hardware.core_speed import (
    CoreSpeed,
    CpuConstants,
    named_speed,
    unnamed_speed,
)
from advisor.hardware.cpus import CpuTable
from advisor.hardware.measured import Figure, MeasuredMachine, usable
from advisor.throughput.artifact import ThroughputModel
from advisor.throughput.effects import Effect, Effects, Reading, Spreads, learned
from advisor.throughput.spread import Z90

Value = TypeVar("Value", bound=Hashable)

REFERENCE_RATES: Mapping[str, float] = {
    "decode.pillow.core": 287.6,
    "decode.opencv.core": 408.8,
    "decode.simplejpeg.core": 412.9,
    "core.zlib": 20.29,
}
"""What a core of speed 1 does in the lines of a bench that speak of cores, in their
units: those of ``advisor/measure/data/components.csv`` (a test holds them equal), which
are one machine's, over the speed of its core."""

REFERENCE_LOG_SD = 0.11
"""Of all of them together: how well that one core's speed is known (the same table)."""

ANOTHER_DAY_LOG_SD = 0.03
"""What the figures of one machine differ by from day to day, beside what the repeats of
one day do (assumption: half of what a whole training does, `RUN_LOG_SD`)."""

LEAST_LOG_SD = 0.01
"""What a figure is known to at best, whatever its repeats say (assumption): one that was
measured once has none, and a stranger's are what it says."""

TWIN_LOG_SD = 0.17
"""What nobody knows of the other thread of a core, where two share one: it is idle, and
one thread has all of the core, or busy, and it has `CpuConstants.core_per_thread` (0.55).
The middle is expected, in logarithms; a uniform distribution between the two has this
log-sd."""

CORE_MACHINE_LOG_SD = 0.05
"""Scale of how machines of one CPU differ per core: `CpuConstants.measured_log_sd`, which
is an assumption."""

_LAUNCH_CPU_LOG_SD = 0.10  # launching against decoding on one CPU (assumption)

_OF_CPU_LOG_SD: Mapping[str, float] = {
    "decode.pillow.core": 0.05,
    "decode.opencv.core": 0.08,
    "decode.simplejpeg.core": 0.08,
    "core.zlib": 0.12,
}
"""How far what a line does is from what a training's workers do, CPU by CPU: about the
log-sd of what is left of a row in the fit of ``models/cpu_decode.csv``; compressing is
another kind of work (assumption)."""


class Learned(NamedTuple):
    """What one quantity shows.

    Attributes
    ----------
    of_kind : name of a kind -> of its next machine
    level : name of a kind -> of itself
    of_machine, own : identity -> of the machine, and as it differs from its kind
    machines_of : name of a kind -> machines that were measured
    agreed : names of kinds on which enough machines agree
    """

    of_kind: Mapping[str, Effect]
    level: Mapping[str, Effect]
    of_machine: Mapping[tuple[object, ...], Effect]
    own: Mapping[tuple[object, ...], Effect]
    machines_of: Mapping[str, int]
    agreed: frozenset[str]


class Compared(NamedTuple):
    """A figure of a machine over what is expected, ln, and what its day adds to that."""

    machine: MeasuredMachine
    kind: str
    line: str
    value: float
    figure: Figure
    day_log_sd: float = ANOTHER_DAY_LOG_SD


def learned_of(
    compared: Sequence[Compared],
    kinds: Mapping[str, float],
    machine_log_sd: float,
    offset_log_sd: float,
    lines: Mapping[str, float],
    *,
    most_by_few: float = math.inf,
) -> Learned:
    """Return what compared figures show.

    Parameters
    ----------
    kinds : name -> log-sd of the kind itself, before
    offset_log_sd : of what all of them are compared with
    lines : name -> log-sd of what it has of its own on a kind
    most_by_few : see `Spreads`
    """
    if not compared:
        return Learned({}, {}, {}, {}, {}, frozenset())
    # A machine whose CPU was told anew is another one.
    pairs = list(dict.fromkeys((one.machine.identity, one.kind) for one in compared))
    days = dict.fromkeys(id(one.machine) for one in compared)
    at_kind, at_line, at_pair, at_day = map(_places, (kinds, lines, pairs, days))
    readings = [
        Reading(
            at_kind[one.kind],
            at_pair[one.machine.identity, one.kind],
            0,
            at_line[one.line],
            at_day[id(one.machine)],
            one.value,
            max(one.figure.log_sd, LEAST_LOG_SD) ** 2,
        )
        for one in compared
    ]
    of_day = {id(one.machine): one.day_log_sd for one in compared}
    spreads = Spreads(
        [*kinds.values()],
        machine_log_sd,
        [offset_log_sd],
        [*lines.values()],
        [of_day[day] for day in days],
        most_by_few,
    )
    found: Effects = learned(readings, spreads)
    return Learned(
        dict(zip(kinds, found.kind, strict=True)),
        dict(zip(kinds, found.level, strict=True)),
        {pair[0]: found.machine[at] for at, pair in enumerate(pairs)},
        {pair[0]: found.own[at] for at, pair in enumerate(pairs)},
        {name: sum(kind == name for _, kind in pairs) for name in kinds},
        frozenset(name for at, name in enumerate(kinds) if at in found.agreed),
    )


def _places(values: Iterable[Value]) -> dict[Value, int]:
    return {value: at for at, value in enumerate(values)}


def cpu_kind(cpus: CpuTable, name: str) -> str:
    """Return what tells CPUs apart, ``""`` where a name says nothing."""
    cpu = cpus.identify(name)
    return "" if cpu is None else cpu.key


def _kind_of(machine: MeasuredMachine, name: str) -> str:
    """Return the kind that a machine is of: itself where it names none."""
    return name or f"\0{machine.identity}"


def cores(
    machines: Sequence[MeasuredMachine], cpus: CpuTable, model: ThroughputModel
) -> Learned:
    """Return what decode rates say of cores, over the speeds of their names."""
    compared, kinds = list[Compared](), dict[str, float]()
    for machine in machines:
        usual = _usual_core(machine, cpus, model.cpu)
        share, day_log_sd = _alone(machine, cpus, model.cpu)
        kind = _kind_of(machine, cpu_kind(cpus, machine.cpu))
        for line, reference in REFERENCE_RATES.items():
            figure = machine.figure(line)
            if figure is None or not usable(figure.value):
                continue
            over = math.log(figure.value / (reference * share * usual.speed))
            compared.append(Compared(machine, kind, line, over, figure, day_log_sd))
            rest = usual.log_sd**2 - CORE_MACHINE_LOG_SD**2
            kinds[kind] = math.sqrt(max(rest, CORE_MACHINE_LOG_SD**2))
    return learned_of(
        compared, kinds, CORE_MACHINE_LOG_SD, REFERENCE_LOG_SD, _OF_CPU_LOG_SD
    )


def _alone(
    machine: MeasuredMachine, cpus: CpuTable, constants: CpuConstants
) -> tuple[float, float]:
    """Return what one thread has of a core while no other of its machine is busy.

    Where two threads share a core its twin may be another machine's, see `TWIN_LOG_SD`.

    Returns
    -------
    the share, and the log-sd of a measurement on one day
    """
    cpu = cpus.identify(machine.cpu)
    if cpu is not None and cpu.threads == cpu.cores:
        return 1.0, ANOTHER_DAY_LOG_SD
    share: float = constants.core_per_thread**0.5
    return share, math.hypot(ANOTHER_DAY_LOG_SD, TWIN_LOG_SD)


def _usual_core(
    machine: MeasuredMachine, cpus: CpuTable, constants: CpuConstants
) -> CoreSpeed:
    """Return the speed that the name of a machine's CPU says."""
    cpu = cpus.identify(machine.cpu)
    if cpu is None:
        return unnamed_speed(math.nan, math.nan, False, constants)
    return named_speed(cpu, constants)


def launches(
    machines: Sequence[MeasuredMachine],
    core: Learned,
    cpus: CpuTable,
    model: ThroughputModel,
) -> Learned:
    """Return what launch rates say beside the speeds of the cores."""
    compared, kinds = list[Compared](), dict[str, float]()
    for machine in machines:
        figure = machine.slowest("launch")
        if figure is None or not usable(figure.value):
            continue
        speed = _usual_core(machine, cpus, model.cpu).speed
        known = core.of_machine.get(machine.identity, Effect(0.0, 0.0))
        expected = speed * math.exp(known.mean) / (model.host.launch_us * 1e-6)
        kind = _kind_of(machine, cpu_kind(cpus, machine.cpu))
        over = math.log(figure.value / expected)
        compared.append(Compared(machine, kind, "launch", over, figure))
        kinds[kind] = _LAUNCH_CPU_LOG_SD
    offset_log_sd = model.host.launch_log_sd
    return learned_of(
        compared, kinds, CORE_MACHINE_LOG_SD, offset_log_sd, {"launch": 0.0}
    )


def core_of(
    machine: MeasuredMachine, cores_: Learned, cpus: CpuTable, constants: CpuConstants
) -> CoreSpeed:
    """Return the speed of a machine's core, NaN where it was not measured.

    Whatever else is running, one thread has between `CpuConstants.core_per_thread` and
    all of a core. So the core is no faster, and no slower, than its thread allows, as far
    as the reference is known (its 90 % interval).
    """
    effect = cores_.of_machine.get(machine.identity)
    if effect is None:
        return CoreSpeed(math.nan, math.nan)
    shown = _speed_in(machine, "{}")
    known = math.exp(Z90 * REFERENCE_LOG_SD)
    share, _ = _alone(machine, cpus, constants)
    speed = _usual_core(machine, cpus, constants).speed * math.exp(effect.mean)
    bounded = min(max(speed, shown / known), shown / share**2 * known)
    return CoreSpeed(bounded, effect.log_sd)


def thread_speed(machine: MeasuredMachine) -> float:
    """Return the speed of one thread while all are busy, NaN where nobody measured it."""
    if machine.cores is None:
        return math.nan
    workers = all_workers(machine.cores)
    return _speed_in(machine, f"{{}}.w{workers}.core") if workers > 1 else math.nan


def all_workers(granted: float) -> int:
    """Return how many workers a bench has for all cores that are granted.

    A quota need not be whole; the program of the bench, which knows nothing of this
    package, rounds it the same way (a test holds them equal).

    Parameters
    ----------
    granted : cores
    """
    return max(1, int(granted + 0.5))


def _speed_in(machine: MeasuredMachine, line: str) -> float:
    """Return the speed over the reference core in some lines, their geometric mean.

    Parameters
    ----------
    line : with ``{}`` for what a line of one worker begins with
    """
    over = [
        math.log(figure.value / reference)
        for name, reference in REFERENCE_RATES.items()
        if (figure := machine.figure(_like(name, line))) and usable(figure.value)
    ]
    return math.exp(sum(over) / len(over)) if over else math.nan


def _like(name: str, line: str) -> str:
    """Return the name of a line beside that of one worker."""
    return name if line == "{}" else line.format(name.removesuffix(".core"))
