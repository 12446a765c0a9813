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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np

from advisor.base.arrays import FloatArray, IntArray, ObjectArray, among, distinct
from advisor.hardware.core_speed import CoreSpeed
from advisor.hardware.cpus import CpuTable
from advisor.hardware.gpus import Gpu, GpuTable
from advisor.hardware.machines import HOST_TO_GPU_BOUNDS_GB_S, Machines
from advisor.hardware.measured import Figure, MeasuredMachine, usable
from advisor.throughput.artifact import ThroughputModel
from advisor.throughput.card_readings import (
    BANDWIDTH_MACHINE_LOG_SD,
    MATMUL_MACHINE_LOG_SD,
    bandwidths,
    matmuls,
)
from advisor.throughput.effects import Effect
from advisor.throughput.readings import (
    ANOTHER_DAY_LOG_SD,
    REFERENCE_LOG_SD,
    Learned,
    core_of,
    cores,
    cpu_kind,
    launches,
    thread_speed,
)

MATRIX_SHARE = 0.5
"""Power of a machine's matrix rate that its rate of training follows; the rest is that of
its memory bandwidth (`advisor.throughput.features.log_baseline`)."""


class MachineEffect(NamedTuple):
    """What is known of one machine that was measured, NaN for what was not.

    Attributes
    ----------
    card : that it had
    core_speed, core_log_sd : of its core, 1 on the reference core, and the log-sd
    thread_speed : of one of its threads while all are busy, likewise
    launch : ln of what launching kernels is beside that
    gpu, gpu_log_sd : ln of its GPUs' rate over that of the card, and the log-sd of it
    h2d_gb_s, disk_mb_s, threads_per_gpu : as measured
    """

    card: str
    core_speed: float
    core_log_sd: float
    thread_speed: float
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
    agreed : names of cards on whose matrix rate enough machines agree
    """

    machines: tuple[MeasuredMachine, ...]
    before: GpuTable
    gpus: GpuTable
    cards: Mapping[str, int]
    cpus: Mapping[str, int]
    agreed: frozenset[str]
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
        core = cores(machines, cpus, model)
        launch = launches(machines, core, cpus, model)
        matmul = matmuls(machines, gpus)
        bandwidth = bandwidths(machines, gpus)
        last = {one.identity: one for one in machines}
        return cls(
            machines=tuple(machines),
            before=gpus,
            gpus=_with_shares(gpus, matmul),
            cards=_merged(matmul.machines_of, bandwidth.machines_of),
            cpus=_merged(core.machines_of, launch.machines_of),
            agreed=matmul.agreed,
            _table=cpus,
            _of_machine={
                identity: _machine_effect(
                    one,
                    core_of(one, core, cpus, model.cpu),
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

    def judging(self, card: Gpu) -> Gpu:
        """Return a card with the share of its matrix rate that a machine is judged by.

        What was known before the user's machines, unless enough of these agree: a few
        that are slow, and this one may be among them, do not make slow ones usual.
        """
        return card if card.name in self.agreed else self.before[card.name]

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
        return self.cpus.get(cpu_kind(self._table, name), 0)

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
        ours = {name[1] for name in self._of_machine if name[0] == market and market}
        places = np.flatnonzero(among(ids, ours)).tolist()
        here = {at: self._of_machine[market, int(ids[at])] for at in places}
        return self._with_machines(found, here)

    def on(self, machine: Machines, number: int | None, cpu: str | None) -> Machines:
        """Return the one machine that a run was on, measured as a record says.

        Parameters
        ----------
        number : of the record; None: the machine was not measured
        cpu : name of its CPU
        """
        found = self._with_cpus(machine, np.array([cpu or ""], dtype=np.object_))
        identities = {one.number: one.identity for one in self.machines}
        if number is None or number not in identities:
            return self._with_machines(found, {})
        here = {0: self._of_machine[identities[number]]}
        return self._with_machines(found, here, keeps_threads=True)

    def _with_cpus(self, machines: Machines, cpu_names: ObjectArray) -> Machines:
        """Return machines with the speed that cores of their CPUs have."""
        names, code = distinct(cpu_names.tolist())
        keys = [cpu_kind(self._table, name) for name in names]
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
        self,
        machines: Machines,
        here: Mapping[int, MachineEffect],
        *,
        keeps_threads: bool = False,
    ) -> Machines:
        """Return machines with what some of them showed themselves.

        Parameters
        ----------
        here : place of a machine that was measured -> what it showed
        keeps_threads : how many it grants is known, whatever was granted then
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
        threads = machines.threads if keeps_threads else threads
        speed = measured(of["core_speed"], machines.core_speed)
        speed_log_sd = measured(of["core_log_sd"], machines.core_speed_log_sd)
        per_thread = np.minimum(of["thread_speed"] / speed, 1.0)
        # The product of both is what was measured, and known as well as that.
        left = np.maximum(REFERENCE_LOG_SD**2 - speed_log_sd**2, ANOTHER_DAY_LOG_SD**2)
        left_log_sd = np.where(np.isnan(per_thread), np.nan, np.sqrt(left))
        return replace(
            machines,
            core_speed=speed,
            core_speed_log_sd=speed_log_sd,
            launch_factor=measured(np.exp(of["launch"]), machines.launch_factor),
            gpu_state=measured(np.exp(of["gpu"]), machines.gpu_state),
            gpu_state_log_sd=measured(of["gpu_log_sd"], machines.gpu_state_log_sd),
            host_to_gpu_gb_s=measured(of["h2d_gb_s"], machines.host_to_gpu_gb_s),
            disk_mb_s=measured(of["disk_mb_s"], machines.disk_mb_s),
            threads=threads,
            cores=threads * measured(per_thread, machines.cores / machines.threads),
            cores_log_sd=measured(left_log_sd, machines.cores_log_sd),
            flags={
                **machines.flags,
                "core_measured": np.isfinite(of["core_speed"]),
                "gpu_measured": np.isfinite(of["gpu"]),
            },
        )


def measured_gpus(machines: Sequence[MeasuredMachine], gpus: GpuTable) -> GpuTable:
    """Return the GPU table with what machines say of their cards, as `Known.gpus`."""
    return _with_shares(gpus, matmuls(machines, gpus))


def _with_shares(gpus: GpuTable, matmul: Learned) -> GpuTable:
    """Return the GPU table with what was measured of its cards' matrix rates."""
    return GpuTable(
        replace(gpu, matmul_share=gpu.matmul_share * math.exp(level.mean))
        if (level := matmul.level.get(gpu.name)) is not None
        else gpu
        for gpu in gpus.rows
    )


def _machine_effect(
    machine: MeasuredMachine,
    core: CoreSpeed,
    launch: Learned,
    gpu: Effect,
) -> MachineEffect:
    """Return what is known of one machine, of its core and its GPUs already."""
    unknown = Effect(math.nan, math.nan)
    cores = math.nan if machine.cores is None else machine.cores
    return MachineEffect(
        card=machine.gpu,
        core_speed=core.speed,
        core_log_sd=core.log_sd,
        thread_speed=thread_speed(machine),
        launch=launch.of_machine.get(machine.identity, unknown).mean,
        gpu=gpu.mean,
        gpu_log_sd=gpu.log_sd,
        h2d_gb_s=float(
            np.clip(_of(machine.slowest("h2d.pinned")), *HOST_TO_GPU_BOUNDS_GB_S)
        ),
        disk_mb_s=_of(machine.figure("disk.read.sequential")),
        threads_per_gpu=cores / max(machine.num_gpus, 1) if usable(cores) else math.nan,
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
