"""What the faults of a rented machine leave of the throughput that was predicted of it.

What a slow part costs is carried through the model's own limits: a disk at half its rate
costs nothing where the disk does not hold the training back.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from advisor.measure.verdict import Verdict
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
    """Return name of a limit -> what the faults of a machine leave of it."""
    faults = [one for one in verdicts if one.is_fault]

    def least(pattern: str) -> float:
        shares = [one.share for one in faults if re.fullmatch(pattern, one.name)]
        return min(1.0, max(min(shares, default=1.0), _LEAST_SHARE))

    machines, at = candidate.ranking.machines, candidate.at
    exponent = candidate.ranking.tables.model.host.core_exponent
    compute = least(_arithmetic(candidate, verdicts))
    memory = least(r"gpu\d+\.bandwidth")
    card = 1.0 / (_COMPUTE_SHARE / compute + (1.0 - _COMPUTE_SHARE) / memory)
    card = min(card, least(r"gpu\d+\.model"))
    core = _core_share(verdicts)
    cores = least(r"cores\.(?:granted|delivered)|decode\..*\.w\d+")
    threads, gpus = float(machines.threads[at]), float(machines.num_gpus[at])
    turns = min(1.0, cores * threads / gpus) / min(1.0, threads / gpus)
    return {
        # What the offer itself told of its cards was predicted.
        "gpu": min(1.0, card / float(machines.gpu_state[at])),
        "cpu": core * cores**exponent,
        "launch": min(core * turns, least(r"gpu\d+\.launch")),
        "handoff": min(core * turns, least(r"decode\..*\.ceiling")),
        "transfer": least(r"gpu\d+\.h2d\.pinned"),
        "disk": least(r"disk\.read\.random"),
        "gradients": least(r"allreduce\.gpus\d+"),
    }


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


def _core_share(verdicts: Sequence[Verdict]) -> float:
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
    return max(min(max(one.share for one in judged), 1.0), _LEAST_SHARE)
