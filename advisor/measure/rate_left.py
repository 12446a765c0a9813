"""What the faults of a rented machine leave of the throughput that was predicted of it.

Each part is measured by what was predicted of it, and by what is usual where nothing else
was: what an offer states of its link, its disk and its cards, or an earlier bench of the
machine showed, is in the prediction, and in the price per epoch by which it was chosen.

What a slow part costs is carried through the model's own limits: a disk at half its rate
costs nothing where the disk does not hold the training back.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from advisor.hardware.power import power_factor
from advisor.measure.claimed import READ_MB
from advisor.measure.host_cores import HostCores
from advisor.measure.verdict import LEAST_SHORTFALL, Verdict
from advisor.ranking.offer import RankedOffer
from advisor.throughput.limit import LimitRates

_COMPUTE_SHARE = 0.5
"""Share of a GPU's time that its arithmetic takes, its memory the other: the assumption
of `advisor.hardware.card_state.EXPONENT`."""

_OF_CORE = r"core\.zlib|decode\..*\.(?:core|alone)|tokenize\.(?:.*\.)?core"

_ON_TENSOR_CORES = ("tf32", "fp16", "bf16")

_LEAST_SHARE = 1e-3  # of a component that was measured as nothing


def rate_share(candidate: RankedOffer, verdicts: Sequence[Verdict]) -> float:
    """Return the share of its predicted throughput that a machine does, at most 1.

    Parameters
    ----------
    verdicts : of which the faults count
    """
    rates = _rates(candidate)
    there = set(rates.names)
    moved = rates
    for name, factor in _factors(candidate, verdicts).items():
        if name in there:
            moved = moved.moved(name, factor)
    return min(float(moved.joined()[0] / rates.joined()[0]), 1.0)


def _rates(candidate: RankedOffer) -> LimitRates:
    """Return what each limit allows on the one machine."""
    ranking = candidate.ranking
    model = ranking.tables.model
    rates = {name: np.array([rate]) for name, rate in candidate.limits.items()}
    return LimitRates.named(model.limits, rates, model.host.norm_order)


def _factors(candidate: RankedOffer, verdicts: Sequence[Verdict]) -> dict[str, float]:
    """Return name of a limit -> what a machine does of what was predicted of it."""
    predicted = _Predicted.of(candidate)

    def least(pattern: str) -> float:
        return _least(pattern, verdicts, predicted)

    exponent = candidate.ranking.tables.model.host.core_exponent
    core = _core_share(verdicts, predicted)
    cores = least(r"cores\.(?:granted|delivered)|decode\..*\.w\d+")
    threads, gpus = predicted.lines["cores.granted"], float(candidate.num_gpus)
    turns = min(1.0, cores * threads / gpus) / min(1.0, threads / gpus)
    return {
        "gpu": _card_share(candidate, verdicts, predicted),
        "cpu": core * cores**exponent,
        "launch": min(core * turns, least(r"gpu\d+\.launch")),
        "handoff": min(core * turns, least(r"decode\..*\.ceiling")),
        "transfer": least(r"gpu\d+\.h2d\.pinned"),
        "disk": least(r"disk\.read\.random"),
        "gradients": least(r"allreduce\.gpus\d+"),
    }


@dataclass(frozen=True, slots=True)
class _Predicted:
    """What was predicted of the parts of a machine.

    Attributes
    ----------
    lines : name of a line, without the number of a GPU -> its figure, in its unit
    core : of which the speed was predicted
    per_thread : what a thread does while all are busy, over what is usual for the CPU
    card : rate of a GPU over that of its kind at its own power limit
    power : of that, what the limit that the offer states leaves of what it computes
    """

    lines: Mapping[str, float]
    core: HostCores
    per_thread: float
    card: float
    power: float

    @classmethod
    def of(cls, candidate: RankedOffer) -> Self:
        """Return what the ranking holds of an offer's machine."""
        ranking, at = candidate.ranking, candidate.at
        machines, tables = ranking.machines, ranking.tables
        host, threads = tables.model.host, float(machines.threads[at])
        cpu = tables.cpus.identify(candidate.cpu_name or "")
        core = replace(
            HostCores.of_machine(cpu, threads, tables.model),
            speed=float(machines.core_speed[at]),
        )
        usual = core.constants.core_per_thread if core.is_paired else 1.0
        read_mb_s = float(machines.disk_mb_s[at]) * host.disk_random_share
        limit_w = ranking.offers.gpu_max_power_w[[at]]
        return cls(
            lines={
                "cores.granted": threads,
                "cores.delivered": threads,
                "launch": core.launches().value * float(machines.launch_factor[at]),
                "h2d.pinned": float(machines.host_to_gpu_gb_s[at]),
                "disk.read.random": read_mb_s / READ_MB,
            },
            core=core,
            per_thread=float(machines.cores[at]) / (threads * usual),
            card=float(machines.gpu_state[at] * machines.slowest_share[at]),
            power=float(power_factor(limit_w, machines.tdp_w[[at]])[0]),
        )

    def share(self, one: Verdict) -> float:
        """Return what a machine does in a line of what was predicted of it.

        What is usual was predicted where nothing else was.
        """
        if re.fullmatch(r"decode\..*\.w\d+", one.name):
            return one.share / self.per_thread
        alone = self.core.alone(one.name)
        otherwise = math.nan if alone is None else alone.value
        figure = self.lines.get(re.sub(r"gpu\d+\.", "", one.name), otherwise)
        return one.measured / figure if figure > 0.0 else one.share


def _least(pattern: str, verdicts: Iterable[Verdict], predicted: _Predicted) -> float:
    """Return the least share of the faults of some lines, 1 where none counts."""
    faults = [one for one in verdicts if one.is_fault and re.fullmatch(pattern, one.name)]
    return _counted(min(map(predicted.share, faults), default=1.0))


def _counted(share: float) -> float:
    """Return a share of what was predicted, 1 where that is met as far as any line is."""
    return 1.0 if share >= LEAST_SHORTFALL else max(share, _LEAST_SHARE)


def _card_share(
    candidate: RankedOffer, verdicts: Sequence[Verdict], predicted: _Predicted
) -> float:
    """Return what is left of the rate of the GPUs, 1 where no part of them is slow.

    What a card computes is judged at the power limit that its offer states, and was
    predicted beside what it does at its own.
    """
    compute = _least(_arithmetic(candidate, verdicts), verdicts, predicted)
    memory = _least(r"gpu\d+\.bandwidth", verdicts, predicted)
    model = _least(r"gpu\d+\.model", verdicts, predicted)
    if min(compute, memory, model) == 1.0:
        return 1.0
    rest = (1.0 - _COMPUTE_SHARE) / memory
    card = 1.0 / (_COMPUTE_SHARE / (compute * predicted.power) + rest)
    return _counted(min(card, model) / predicted.card)


def _arithmetic(candidate: RankedOffer, verdicts: Sequence[Verdict]) -> str:
    """Return a pattern of the matrix rates that a job depends on.

    Tensor cores compute in several precisions, one of which is known better than another.
    A precision that the card lacks runs as FP32, whatever a line that emulates it says.
    Where nobody knows what these should be, any other says something.
    """
    precision = candidate.ranking.job.workload.precision
    precision = "fp16" if precision == "amp" else precision
    gpu = candidate.gpu
    rate = 1.0 if gpu is None else getattr(gpu, f"{precision}_tflops")
    on_tensor_cores = precision in _ON_TENSOR_CORES and not math.isnan(rate)
    own = "|".join(_ON_TENSOR_CORES) if on_tensor_cores else "fp32"
    pattern = rf"gpu\d+\.matmul\.(?:{own})"
    is_known = any(
        re.fullmatch(pattern, one.name) and not math.isnan(one.share) for one in verdicts
    )
    return pattern if is_known else r"gpu\d+\.matmul\..*"


def _core_share(verdicts: Sequence[Verdict], predicted: _Predicted) -> float:
    """Return what is left of the speed of a core, 1 where one line does as it should.

    The lines measure one core by different code: where one is slow alone it is the
    image's library that is, and another machine would have the same.
    """
    judged = [
        one
        for one in verdicts
        if re.fullmatch(_OF_CORE, one.name) and not math.isnan(one.share)
    ]
    if not judged or not all(one.is_fault for one in judged):
        return 1.0
    return _counted(max(map(predicted.share, judged)))
