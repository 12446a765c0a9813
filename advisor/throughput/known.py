"""Machines that the user measured, and what they say of these and of others alike.

Four things are learned, each by `advisor.throughput.effects`:

- the speed of a core, from decode rates of one worker: of the machine and of its CPU;
- how it launches kernels beside that, from launch rates: the same;
- matrix products and memory bandwidth of a GPU against what is usual for the card: of
  the machine, whose rate follows both (the baseline of the model is their geometric
  mean, `advisor.throughput.features.log_baseline`), and of the card, of which the model
  sees the share of the nominal matrix rate that is reached (`Gpu.matmul_share`).

What a measured machine shows of itself goes before what the market says of its link to
the GPUs, its disk and its cores.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self, TypeVar

import numpy as np

from advisor.base.arrays import FloatArray, IntArray, ObjectArray, among, distinct
from advisor.hardware.card_state import OTHER_BANDWIDTH, USUAL_BANDWIDTH
from advisor.hardware.core_speed import (
    CoreSpeed,
    CpuConstants,
    named_speed,
    unnamed_speed,
)
from advisor.hardware.cpus import CpuTable
from advisor.hardware.gpus import Gpu, GpuTable, matmul_measurements
from advisor.hardware.machines import HOST_TO_GPU_BOUNDS_GB_S, Machines
from advisor.hardware.measured import Figure, MeasuredMachine, usable
from advisor.throughput.artifact import ThroughputModel
from advisor.throughput.effects import Effect, Effects, Reading, Spreads, learned

Value = TypeVar("Value", bound=Hashable)

MATRIX_SHARE = 0.5
"""Power of a machine's matrix rate that its rate of training follows; the rest is that of
its memory bandwidth (`advisor.throughput.features.log_baseline`)."""

REFERENCE_RATES: Mapping[str, float] = {
    "decode.pillow.core": 370.6,
    "decode.opencv.core": 572.4,
    "decode.simplejpeg.core": 594.1,
    "core.zlib": 20.0,
}
"""What a core of speed 1 does in the lines of a bench that speak of cores, in their
units: those of ``advisor/measure/data/components.csv`` (a test holds them equal), which
are one machine's, over the speed of its core."""

REFERENCE_LOG_SD = 0.11
"""Of all of them together: how well that one core's speed is known (the same table)."""

ANOTHER_DAY_LOG_SD = 0.03
"""What the figures of one machine differ by from day to day, beside what the repeats of
one day do (assumption: half of what a whole training does, `RUN_LOG_SD`)."""

TWIN_LOG_SD = 0.17
"""What nobody knows of the other thread of a core, where two share one: it is idle, and
one thread has all of the core, or busy, and it has `CpuConstants.core_per_thread` (0.55).
The middle is expected, in logarithms; a uniform distribution between the two has this
log-sd."""

CORE_MACHINE_LOG_SD = 0.05
"""Scale of how machines of one CPU differ per core: `CpuConstants.measured_log_sd`, which
is an assumption."""

MATMUL_MACHINE_LOG_SD = 0.03
"""Scale of how one card's matrix rate differs between machines: 1.48 times the median
absolute deviation of FP16 rates of cards that ``models/sources/gpu_matmul.csv`` has
several times is 0.023 (0.028 with laptops); their standard deviation, tails and all, is
0.05."""

BANDWIDTH_MACHINE_LOG_SD = 0.02
"""The same of bandwidth: the tenth to ninetieth percentiles of offers lie within 3 % of
the median (`advisor.hardware.card_state.USUAL_BANDWIDTH`)."""

_BOARD_LOG_SD = 0.2
"""How far a card that nobody published may be from the usual share of its kind of board:
0.04 (SXM), 0.08 (GeForce) and 0.25 (professional) in ``data/matmul.csv``."""

_MATMUL_LINE_LOG_SD = 0.05  # another shape than the published: 2 to 8 % between sources
_BANDWIDTH_LINE_LOG_SD = 0.10  # a copy of ours against the market's (assumption)
_BANDWIDTH_CARD_LOG_SD = 0.05  # 0.809 to 0.870 of nominal on the four cards known
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

_MATMUL_LINES = ("matmul.fp16", "matmul.bf16")
"""The first that was measured counts: both are of the same units, and the shares of the
table are of FP16."""


class MachineEffect(NamedTuple):
    """What is known of one machine that was measured, NaN for what was not.

    Attributes
    ----------
    card : that it had
    core_speed, core_log_sd : of its core, 1 on the reference core, and the log-sd
    launch : ln of what launching kernels is beside that
    gpu, gpu_log_sd : ln of its GPUs' rate over that of the card, and the log-sd of it
    h2d_gb_s, disk_mb_s, threads_per_gpu : as measured
    """

    card: str
    core_speed: float
    core_log_sd: float
    launch: float
    gpu: float
    gpu_log_sd: float
    h2d_gb_s: float
    disk_mb_s: float
    threads_per_gpu: float


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What measured machines say.

    Attributes
    ----------
    machines : the measurements, the oldest first
    before : the GPU table without them
    gpus : the GPU table with what they say of cards
    cards, cpus : name of a card, key of a CPU -> machines that say something of it
    """

    machines: tuple[MeasuredMachine, ...]
    before: GpuTable
    gpus: GpuTable
    cards: Mapping[str, int]
    cpus: Mapping[str, int]
    _table: CpuTable
    _of_machine: Mapping[tuple[object, ...], MachineEffect]
    _core_of_cpu: Mapping[str, Effect]
    _launch_of_cpu: Mapping[str, Effect]

    @classmethod
    def of(
        cls,
        machines: Sequence[MeasuredMachine],
        gpus: GpuTable,
        cpus: CpuTable,
        model: ThroughputModel,
    ) -> Self:
        """Return what machines say.

        Parameters
        ----------
        machines : each measurement, the oldest first; two may be of one machine
        gpus, cpus, model : what is known without them
        """
        core = _cores(machines, cpus, model)
        launch = _launches(machines, core, cpus, model)
        matmul = _matmuls(machines, gpus)
        bandwidth = _bandwidths(machines, gpus)
        last = {one.identity: one for one in machines}
        return cls(
            machines=tuple(machines),
            before=gpus,
            gpus=_with_shares(gpus, matmul),
            cards=_merged(matmul.machines_of, bandwidth.machines_of),
            cpus=_merged(core.machines_of, launch.machines_of),
            _table=cpus,
            _of_machine={
                identity: _machine_effect(
                    one,
                    _usual_core(one, cpus, model.cpu).speed,
                    core,
                    launch,
                    _gpu_effect(matmul.own.get(identity), bandwidth.own.get(identity)),
                )
                for identity, one in last.items()
            },
            _core_of_cpu=core.of_kind,
            _launch_of_cpu=launch.of_kind,
        )

    @property
    def count(self) -> int:
        """How many machines were measured."""
        return len(self._of_machine)

    def effect_of(self, market: str, machine_id: int) -> MachineEffect | None:
        """Return what is known of a market's machine, None if it was not measured."""
        return self._of_machine.get((market, machine_id))

    def effect_of_record(self, number: int) -> MachineEffect:
        """Return what is known of the machine of a record.

        Raises
        ------
        KeyError
            if no machine has it
        """
        identities = {one.number: one.identity for one in self.machines}
        return self._of_machine[identities[number]]

    def with_cpu(self, name: str) -> int:
        """Return how many machines with a CPU say something of it."""
        return self.cpus.get(_cpu_kind(self._table, name), 0)

    def applied(
        self,
        machines: Machines,
        cpu_names: ObjectArray,
        ids: IntArray | None = None,
        market: str = "",
    ) -> Machines:
        """Return machines with what is known of their CPUs, and of themselves.

        Parameters
        ----------
        machines : N machines, of the table `gpus`
        cpu_names : as hosts report them, shape (N,)
        ids : the market's ids of the machines, shape (N,); None: they are nobody's
        market : whose ids these are
        """
        found = self._with_cpus(machines, cpu_names)
        if ids is None:
            return self._with_machines(found, {})
        every = {one: self._of_machine.get((market, one)) for one in set(ids.tolist())}
        here = {
            place: effect
            for place in np.flatnonzero(
                among(ids, (one for one, effect in every.items() if effect))
            ).tolist()
            if (effect := every[int(ids[place])]) is not None
        }
        return self._with_machines(found, here)

    def on(self, machine: Machines, number: int | None, cpu: str | None) -> Machines:
        """Return the one machine that a run was on, measured as a record says.

        Parameters
        ----------
        number : of the record; None: the machine was not measured
        cpu : name of its CPU
        """
        found = self._with_cpus(machine, np.array([cpu or ""], dtype=np.object_))
        measured = [
            one.identity
            for one in self.machines
            if number is not None and one.number == number
        ]
        here = dict(enumerate(self._of_machine[identity] for identity in measured))
        # How many threads it had, the run itself says.
        threads, cores = machine.threads, machine.cores
        return replace(self._with_machines(found, here), threads=threads, cores=cores)

    def _with_cpus(self, machines: Machines, cpu_names: ObjectArray) -> Machines:
        """Return machines with the speed that cores of their CPUs have."""
        names, code = distinct(cpu_names.tolist())
        keys = [_cpu_kind(self._table, name) for name in names]
        unknown = Effect(0.0, math.nan)
        core = [self._core_of_cpu.get(key, unknown) for key in keys]
        launch = [self._launch_of_cpu.get(key, unknown) for key in keys]
        shift, log_sd = np.array(core, dtype=np.float64).reshape(-1, 2)[code].T
        beside = np.array([one.mean for one in launch], dtype=np.float64)[code]
        return replace(
            machines,
            core_speed=machines.core_speed * np.exp(shift),
            core_speed_log_sd=np.where(
                np.isnan(log_sd), machines.core_speed_log_sd, log_sd
            ),
            launch_factor=machines.launch_factor * np.exp(beside),
        )

    def _with_machines(
        self, machines: Machines, here: Mapping[int, MachineEffect]
    ) -> Machines:
        """Return machines with what some of them showed themselves.

        Parameters
        ----------
        here : place of a machine that was measured -> what it showed
        """
        count = len(machines.num_gpus)
        of = {
            name: np.full(count, np.nan)
            for name in MachineEffect._fields
            if name != "card"
        }
        names = machines.gpu if here else ()
        for place, effect in here.items():
            gpu = names[place]
            for name, values in of.items():
                values[place] = getattr(effect, name)
            if gpu is None or gpu.name != effect.card:  # another card by now
                of["gpu"][place] = of["gpu_log_sd"][place] = np.nan

        def measured(values: FloatArray, otherwise: FloatArray) -> FloatArray:
            known: FloatArray = np.where(np.isnan(values), otherwise, values)
            return known

        granted = measured(of["threads_per_gpu"] * machines.num_gpus, machines.threads)
        threads = np.minimum(granted, machines.threads)
        return replace(
            machines,
            core_speed=measured(of["core_speed"], machines.core_speed),
            core_speed_log_sd=measured(of["core_log_sd"], machines.core_speed_log_sd),
            launch_factor=measured(np.exp(of["launch"]), machines.launch_factor),
            gpu_state=measured(np.exp(of["gpu"]), machines.gpu_state),
            gpu_state_log_sd=measured(of["gpu_log_sd"], machines.gpu_state_log_sd),
            host_to_gpu_gb_s=measured(of["h2d_gb_s"], machines.host_to_gpu_gb_s),
            disk_mb_s=measured(of["disk_mb_s"], machines.disk_mb_s),
            threads=threads,
            cores=machines.cores * threads / machines.threads,
            flags={
                **machines.flags,
                "core_measured": np.isfinite(of["core_speed"]),
                "gpu_measured": np.isfinite(of["gpu"]),
            },
        )


class _Learned(NamedTuple):
    """What one quantity shows.

    Attributes
    ----------
    of_kind : name of a kind -> of its next machine
    level : name of a kind -> of itself
    of_machine, own : identity -> of the machine, and as it differs from its kind
    machines_of : name of a kind -> machines that were measured
    """

    of_kind: Mapping[str, Effect]
    level: Mapping[str, Effect]
    of_machine: Mapping[tuple[object, ...], Effect]
    own: Mapping[tuple[object, ...], Effect]
    machines_of: Mapping[str, int]


class _Compared(NamedTuple):
    """A figure of a machine over what is expected, ln, and what its day adds to that."""

    machine: MeasuredMachine
    kind: str
    line: str
    value: float
    figure: Figure
    day_log_sd: float = ANOTHER_DAY_LOG_SD


def _learned(
    compared: Sequence[_Compared],
    kinds: Mapping[str, float],
    machine_log_sd: float,
    offset_log_sd: float,
    lines: Mapping[str, float],
) -> _Learned:
    """Return what compared figures show.

    Parameters
    ----------
    kinds : name -> log-sd of the kind itself, before
    offset_log_sd : of what all of them are compared with
    lines : name -> log-sd of what it has of its own on a kind
    """
    if not compared:
        return _Learned({}, {}, {}, {}, {})
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
            one.figure.log_sd**2,
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
    )
    found: Effects = learned(readings, spreads)
    return _Learned(
        dict(zip(kinds, found.kind, strict=True)),
        dict(zip(kinds, found.level, strict=True)),
        {pair[0]: found.machine[at] for at, pair in enumerate(pairs)},
        {pair[0]: found.own[at] for at, pair in enumerate(pairs)},
        {name: sum(kind == name for _, kind in pairs) for name in kinds},
    )


def _places(values: Iterable[Value]) -> dict[Value, int]:
    return {value: at for at, value in enumerate(values)}


def _cpu_kind(cpus: CpuTable, name: str) -> str:
    """Return what tells CPUs apart, ``""`` where a name says nothing."""
    cpu = cpus.identify(name)
    return "" if cpu is None else cpu.key


def _kind_of(machine: MeasuredMachine, name: str) -> str:
    """Return the kind that a machine is of: itself where it names none."""
    return name or f"\0{machine.identity}"


def _cores(
    machines: Sequence[MeasuredMachine], cpus: CpuTable, model: ThroughputModel
) -> _Learned:
    """Return what decode rates say of cores, over the speeds of their names."""
    compared, kinds = list[_Compared](), dict[str, float]()
    for machine in machines:
        usual = _usual_core(machine, cpus, model.cpu)
        share, day_log_sd = _alone(machine, cpus, model.cpu)
        kind = _kind_of(machine, _cpu_kind(cpus, machine.cpu))
        for line, reference in REFERENCE_RATES.items():
            figure = machine.figure(line)
            if figure is None or not usable(figure.value):
                continue
            over = math.log(figure.value / (reference * share * usual.speed))
            compared.append(_Compared(machine, kind, line, over, figure, day_log_sd))
            rest = usual.log_sd**2 - CORE_MACHINE_LOG_SD**2
            kinds[kind] = math.sqrt(max(rest, CORE_MACHINE_LOG_SD**2))
    return _learned(
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


def _launches(
    machines: Sequence[MeasuredMachine],
    core: _Learned,
    cpus: CpuTable,
    model: ThroughputModel,
) -> _Learned:
    """Return what launch rates say beside the speeds of the cores."""
    compared, kinds = list[_Compared](), dict[str, float]()
    for machine in machines:
        figure = machine.slowest("launch")
        if figure is None or not usable(figure.value):
            continue
        speed = _usual_core(machine, cpus, model.cpu).speed
        known = core.of_machine.get(machine.identity, Effect(0.0, 0.0))
        expected = speed * math.exp(known.mean) / (model.host.launch_us * 1e-6)
        kind = _kind_of(machine, _cpu_kind(cpus, machine.cpu))
        over = math.log(figure.value / expected)
        compared.append(_Compared(machine, kind, "launch", over, figure))
        kinds[kind] = _LAUNCH_CPU_LOG_SD
    offset_log_sd = model.host.launch_log_sd
    return _learned(compared, kinds, CORE_MACHINE_LOG_SD, offset_log_sd, {"launch": 0.0})


def _matmuls(machines: Sequence[MeasuredMachine], gpus: GpuTable) -> _Learned:
    """Return what matrix rates say of cards, over what is known of them."""
    compared, kinds = list[_Compared](), dict[str, float]()
    published = matmul_measurements()
    for machine, card in _with_cards(machines, gpus):
        for line in _MATMUL_LINES:
            figure = machine.slowest(line)
            expected = card.fp16_tflops * card.matmul_share
            if figure is None or not (usable(figure.value) and usable(expected)):
                continue
            over = math.log(figure.value / expected)
            compared.append(_Compared(machine, card.name, "matmul", over, figure))
            count = published.get(card.name, 0)
            kinds[card.name] = (
                MATMUL_MACHINE_LOG_SD / math.sqrt(count) if count else _BOARD_LOG_SD
            )
            break
    return _learned(
        compared, kinds, MATMUL_MACHINE_LOG_SD, _MATMUL_LINE_LOG_SD, {"matmul": 0.0}
    )


def _bandwidths(machines: Sequence[MeasuredMachine], gpus: GpuTable) -> _Learned:
    """Return what bandwidths say of cards, over the usual share of the nominal one."""
    compared, kinds = list[_Compared](), dict[str, float]()
    for machine, card in _with_cards(machines, gpus):
        figure = machine.slowest("bandwidth")
        share = USUAL_BANDWIDTH.get(card.name, OTHER_BANDWIDTH)
        expected = share * card.memory_bandwidth_gb_s
        if figure is None or not (usable(figure.value) and usable(expected)):
            continue
        over = math.log(figure.value / expected)
        compared.append(_Compared(machine, card.name, "bandwidth", over, figure))
        kinds[card.name] = _BANDWIDTH_CARD_LOG_SD
    return _learned(
        compared,
        kinds,
        BANDWIDTH_MACHINE_LOG_SD,
        _BANDWIDTH_LINE_LOG_SD,
        {"bandwidth": 0.0},
    )


def _with_cards(
    machines: Sequence[MeasuredMachine], gpus: GpuTable
) -> Iterator[tuple[MeasuredMachine, Gpu]]:
    """Yield the machines whose card is in the table."""
    for machine in machines:
        if machine.gpu in gpus:
            yield machine, gpus[machine.gpu]


def _with_shares(gpus: GpuTable, matmul: _Learned) -> GpuTable:
    """Return the GPU table with what was measured of its cards' matrix rates."""
    return GpuTable(
        replace(gpu, matmul_share=gpu.matmul_share * math.exp(level.mean))
        if (level := matmul.level.get(gpu.name)) is not None
        else gpu
        for gpu in gpus.rows
    )


def _machine_effect(
    machine: MeasuredMachine,
    usual_core: float,
    core: _Learned,
    launch: _Learned,
    gpu: Effect,
) -> MachineEffect:
    """Return what is known of one machine.

    Parameters
    ----------
    usual_core : speed that the name of its CPU says
    """
    identity, unknown = machine.identity, Effect(math.nan, math.nan)
    of_core = core.of_machine.get(identity, unknown)
    cores = math.nan if machine.cores is None else machine.cores
    return MachineEffect(
        card=machine.gpu,
        core_speed=usual_core * math.exp(of_core.mean),
        core_log_sd=of_core.log_sd,
        launch=launch.of_machine.get(identity, unknown).mean,
        gpu=gpu.mean,
        gpu_log_sd=gpu.log_sd,
        h2d_gb_s=float(
            np.clip(_of(machine.slowest("h2d.pinned")), *HOST_TO_GPU_BOUNDS_GB_S)
        ),
        disk_mb_s=_of(machine.figure("disk.read.sequential")),
        threads_per_gpu=cores / max(machine.num_gpus, 1) if cores > 0.0 else math.nan,
    )


def _gpu_effect(matmul: Effect | None, bandwidth: Effect | None) -> Effect:
    """Return what a machine's matrix rate and bandwidth do to its rate of training.

    Of one that was not measured nothing but its usual spread is known.
    """
    if matmul is None and bandwidth is None:
        return Effect(math.nan, math.nan)
    matmul = matmul or Effect(0.0, MATMUL_MACHINE_LOG_SD)
    bandwidth = bandwidth or Effect(0.0, BANDWIDTH_MACHINE_LOG_SD)
    rest = 1.0 - MATRIX_SHARE
    return Effect(
        MATRIX_SHARE * matmul.mean + rest * bandwidth.mean,
        math.hypot(MATRIX_SHARE * matmul.log_sd, rest * bandwidth.log_sd),
    )


def _of(figure: Figure | None) -> float:
    """Return a figure, NaN where there is none that can be compared."""
    return figure.value if figure is not None and usable(figure.value) else math.nan


def _merged(*counts: Mapping[str, int]) -> dict[str, int]:
    """Return the most machines that any quantity has of each kind that has a name."""
    names = dict.fromkeys(name for one in counts for name in one if name[:1] != "\0")
    return {name: max(one.get(name, 0) for one in counts) for name in names}
