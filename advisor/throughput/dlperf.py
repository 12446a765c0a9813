"""What the market's own score, DLPerf, hints at about the state of a machine.

DLPerf is a training benchmark that the market runs on each host. It says little of
the GPU that its model does not say: on one GPU nine hosts in ten score within 10 % of
the median of their GPU, and RTX 4090s whose power is capped at 300 and 350 W score as
those at 450 W do. It also falls with few CPU threads, which have a limit of their own.
So only a score that is unusual for its GPU and number of GPUs counts, and that by a
small, bounded factor on the rate of the GPUs, which is an assumption.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray, distinct
from advisor.base.assumption import Range, stated
from advisor.base.columns import Columns
from advisor.hardware.machines import Machines
from advisor.market.facts import MachineFacts

Medians = Mapping[str, Mapping[str, float]]
"""Canonical GPU name -> number of GPUs, as text -> median DLPerf of one of them."""

USUAL = 1.1
"""Scores within this factor of the median are as usual and change nothing. On 586
machines with one GPU (Vast.ai, June to September 2026; at least five of a kind; the
memory the card was sold with; CPU not null) 92 % are: score / median has the 5, 10,
25, 75, 90 and 95 % quantiles 0.83, 0.94, 1.00, 1.00, 1.01 and 1.02. On 334 with two
GPUs 76 % are, on 113 with four 60 %."""

EXPONENT = 0.3
"""Power of what is beyond `USUAL` that the rate of the GPUs follows (assumption)."""

FACTOR_BOUNDS = (0.75, 1.1)
"""Least and greatest factor (assumption)."""

BROKEN = 0.25
"""A score below this share of the median, or above its inverse, is broken and says
nothing: on the nine known offers without a CPU it is 2 to 6 % of the median."""

BROKEN_LOG_SD = 0.15
"""Added log-sd where the score is broken (assumption: somewhat more than the scatter
of all usual scores, whose 90 % interval has a log-sd of 0.12)."""


@dataclass(frozen=True, slots=True)
class ScoreFigures:
    """What is assumed of the market's scores."""

    dlperf_exponent: float = stated(
        EXPONENT,
        "1",
        "assumption: power of the DLPerf score over the median of its GPU and number of "
        "GPUs that their rate follows, beyond a factor of 1.1 and within 0.75 to 1.1 "
        "(advisor.throughput.dlperf)",
        Range(0.0, 1.0, "assumption: not at all, and in proportion"),
    )
    dlperf_broken_log_sd: float = stated(
        BROKEN_LOG_SD,
        "1",
        "assumption: added log-sd of the rate where the score cannot be right",
    )


USUAL_SCORES = ScoreFigures()
"""What is assumed unless somebody asks what another figure would change."""


@dataclass(frozen=True, slots=True)
class DlperfAdjustment(Columns):
    """What the scores of N offers change, shape (N,) each.

    Attributes
    ----------
    factor : on the rate of the GPUs, within `FACTOR_BOUNDS`, 1 where nothing is known
    log_sd : added standard deviation of the rate's logarithm
    flags : ``dlperf_low`` and ``dlperf_high`` where the score changes the rate,
        ``dlperf_broken`` where it cannot be right
    """

    factor: FloatArray
    log_sd: FloatArray
    flags: Mapping[str, BoolArray]


def dlperf_adjustment(
    facts: MachineFacts,
    machines: Machines,
    medians: Medians,
    assumed: ScoreFigures = USUAL_SCORES,
) -> DlperfAdjustment:
    """Judge each offer by its score.

    A score is compared with the median of the same GPU and the same number of GPUs
    on other hosts, never with the other offers at hand. Without a score or a median
    nothing changes; so with a card whose memory is not that it was sold with, for the
    score rises with the memory (RTX 4090 with 48 GB: by 29 %), and with cards that are
    not alike. On a host without a CPU the benchmark did not run as it should: a low
    score there is broken, a high one counts for nothing. The factor's spread is as large
    as its logarithm. What slows the card as `Machines.gpu_state` knows already (a power
    limit, a slow memory) lowers its score too: of a low score only what is left counts.
    Where the user measured the GPUs themselves, the score says nothing more.

    Parameters
    ----------
    facts : what is known of N machines, offered or not
    machines : the same, as physics
    medians : of the artifact
    assumed : how far scores are trusted
    """
    ratio = facts.dlperf / facts.num_gpus / _medians(machines, medians)
    another = np.zeros(len(facts), dtype=bool)
    for name in ("memory_modded", "gpu_slice", "mixed_gpus"):
        another |= machines.flags[name]
    another |= machines.flags.get("gpu_measured", another)
    log_ratio = np.log(np.where(another, np.nan, ratio))
    log_ratio = np.nan_to_num(log_ratio, nan=0.0)
    no_cpu = (facts.cpu_name == "") & np.isnan(facts.cpu_threads)
    unusual = np.abs(log_ratio) > np.log(USUAL)
    broken = np.abs(log_ratio) > -np.log(BROKEN)
    broken |= no_cpu & unusual & (log_ratio < 0)
    speaks = unusual & ~broken & ~no_cpu
    beyond = np.sign(log_ratio) * (np.abs(log_ratio) - np.log(USUAL))
    bounded = np.clip(assumed.dlperf_exponent * beyond, *np.log(FACTOR_BOUNDS))
    scored = np.where(speaks, bounded, 0.0)
    left = np.minimum(scored - np.log(machines.gpu_state), 0.0)
    log_factor = np.where(scored < 0.0, left, scored)
    return DlperfAdjustment(
        factor=np.exp(log_factor),
        log_sd=np.where(broken, assumed.dlperf_broken_log_sd, np.abs(log_factor)),
        flags={
            "dlperf_low": scored < 0,
            "dlperf_high": scored > 0,
            "dlperf_broken": broken,
        },
    )


def _medians(machines: Machines, medians: Medians) -> FloatArray:
    """Return the median score of one GPU for each machine, NaN where unknown."""
    pairs = zip(machines.model.tolist(), machines.num_gpus.tolist(), strict=True)
    known, code = distinct(pairs)
    found = [
        np.nan
        if (gpu := machines.models[model]) is None
        else medians.get(gpu.name, {}).get(f"{count:.0f}", np.nan)
        for model, count in known
    ]
    return np.array(found, dtype=np.float64)[code]
