"""Every figure of the cost model that no offer states, in one place.

Each has its unit, its source or the word *assumption*, the range that it may as well lie
in where one is known, and the bounds within which it can be changed: `assumptions` of a
`JobSpec`, `Assumptions.replaced`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

from advisor.base.assumption import Assumption, Range, listed, stated
from advisor.base.errors import Given, UsageError


def assumed_figures(assignments: Iterable[str]) -> dict[str, float]:
    """Return name -> figure of texts ``name=figure``.

    Raises
    ------
    advisor.base.errors.UsageError
        if one has no name, no equals sign or no number
    """
    figures: dict[str, float] = {}
    for assignment in assignments:
        name, _, value = map(str.strip, assignment.partition("="))
        try:
            figures[name] = float(value)
        except ValueError:
            expected = f": {assignment!r}: name=number is expected"
            raise UsageError(Given("assumptions"), expected) from None
    return figures


_MOST = {"h": 1e5, "s": 1e7, "1/h": 1e3, "$/GB": 1e3, "$/GB/month": 1e3, "Mbit/s": 1e12}
_MOST |= {"MB/s": 1e12, "share": 10.0, "1": 100.0, "$/h": 1e4}
"""The most that makes sense of each unit; what is more is a slip."""


def _stated(
    value: float,
    unit: str,
    source: str,
    likely: Range | None = None,
    *,
    least: float = 0.0,
    most: float | None = None,
) -> Any:
    """Return a field with its default, its range, and the bounds of what makes sense."""
    most = _MOST[unit] if most is None else most
    return stated(value, unit, source, likely, least=least, most=most)


@dataclass(frozen=True, slots=True)
class Assumptions:
    """Figures of the cost model; a rate or a time of zero switches its term off."""

    disk_margin: float = _stated(
        0.1,
        "share",
        "assumption: room on the disk beside data, image and checkpoints",
        Range(0.0, 0.25, "assumption: none to a quarter"),
    )
    traffic_usd_per_gb_if_unknown: float = _stated(
        0.0052,
        "$/GB",
        "assumption where an offer names no traffic price: the median of the download "
        "prices of 51 Vast.ai offers of June to September 2026",
        Range(0.0, 0.027, "5 and 95 % quantiles of the same offers"),
    )
    storage_usd_per_gb_month_if_unknown: float = _stated(
        0.2,
        "$/GB/month",
        "assumption where an offer names no price of its disk: the median of 51 Vast.ai "
        "offers of June to September 2026",
        Range(0.067, 1.0, "5 and 95 % quantiles of the same offers"),
    )
    inet_mbit_s_if_unknown: float = _stated(
        260.0,
        "Mbit/s",
        "assumption where an offer names no speed: the 5 % quantile of inet_down of "
        "1,458 Vast.ai offers of June to September 2026 (median 869)",
        Range(94.0, 869.0, "1 and 50 % quantiles of the same offers"),
        least=1e-3,
    )
    delivered_share: float = _stated(
        0.6,
        "share",
        "assumption: delivered over advertised bandwidth was never published (users "
        "report far less than 1; the market's own scorer assumes 1)",
        Range(
            0.264,
            1.0,
            "its stated spread, read as a 90 % interval, and no more than is advertised",
        ),
        least=1e-3,
        most=1.0,
    )
    delivered_log_sd: float = _stated(
        0.5, "1", "assumption: spread of the logarithm of the delivered share"
    )
    download_cap_mbit_s: float = _stated(
        1000.0,
        "Mbit/s",
        "assumption: what a public source of data hands to one machine",
        Range(500.0, 2000.0, "assumption: a factor of 2 either way"),
        least=1e-3,
    )
    pull_cap_mbit_s: float = _stated(
        660.0,
        "Mbit/s",
        "15 to 20 GB of image in 4 to 6 minutes on fast cloud machines, at best 83 MB/s: "
        "unpacking limits (AWS ML blog on SOCI, 2026)",
        Range(333.0, 667.0, "15 GB in 6 minutes and 20 GB in 4 of the same source"),
        least=1e-3,
    )
    image_compression: float = _stated(
        1.86,
        "1",
        "unpacked over compressed image: 10.6 over 5.69 GB, one image "
        "(cnstark/pytorch-docker issue 17)",
        Range(1.5, 2.5, "assumption: it was measured on one image"),
        least=1.0,
    )
    boot_s: float = _stated(
        75.0,
        "s",
        "rent to running less the pull: search 1.3, create 1.6 and running 72.8 s on one "
        "RTX 4090 of January 2026; an operator notes 30 to 60 s (both published)",
        Range(
            30.0, 150.0, "the operator's least, and assumption: twice the measured one"
        ),
    )
    start_s: float = _stated(
        60.0,
        "s",
        "assumption: running to first step; the answer of ssh alone took 12 to 60 s "
        "(published notes of users)",
        Range(
            12.0,
            180.0,
            "the least of these notes, and assumption: three times the figure",
        ),
    )
    checkpoint_stop_s: float = _stated(
        5.0,
        "s",
        "assumption: training stands still around a checkpoint, beside its writing",
        Range(0.0, 30.0, "assumption: nothing to half a minute"),
    )
    checkpoint_mb_s_if_unknown: float = _stated(
        500.0,
        "MB/s",
        "assumption where an offer names no disk speed: a SATA SSD",
        Range(
            495.0,
            17300.0,
            "5 and 95 % quantiles of disk_bw of 51 Vast.ai offers of June to September "
            "2026",
        ),
        least=1e-3,
    )
    checkpoint_disk_share: float = _stated(
        0.5,
        "share",
        "assumption: of the offer's disk bandwidth that one process writes and reads a "
        "checkpoint with (no time of a single machine was found)",
        Range(0.25, 1.0, "assumption: half of it to all of the bandwidth"),
        least=1e-3,
        most=1.0,
    )
    reliability_if_unknown: float = _stated(
        0.954,
        "share",
        "assumption where an offer has no score: the 5 % quantile of 1,409 Vast.ai "
        "offers of June to September 2026 (median 0.995)",
        Range(0.905, 0.995, "1 and 50 % quantiles of the same offers"),
        most=1.0,
    )
    least_reliability: float = _stated(
        0.9,
        "share",
        "a lower score counts as this: a machine starts at 0.6 whatever it does, and "
        "verification asks for 0.90 (the market's documentation)",
        Range(0.6, 0.954, "where a machine starts, and the 5 % quantile of 1,409 offers"),
        least=0.01,
        most=1.0,
    )
    next_machine_dearer: float = _stated(
        0.3,
        "share",
        "what a job costs more on the machine after this one: a bargain is one machine. "
        "The tenth best offer costs 1.28 times the best (median over the built-in "
        "profiles, 1.18 to 1.41 in half of them, on the bundled sample; 1.28 and 1.14 to "
        "1.37 on 1,343 Vast.ai offers of 2026-08-17)",
        Range(0.14, 0.41, "the least and the greatest of these quartiles"),
    )
    most_doubt: float = _stated(
        0.2,
        "share",
        "assumption: offers on which the job fails to run with more than this "
        "probability come after all others; a try that fails costs cents of rent, and "
        "somebody's evening",
        most=1.0,
    )
    deverified_fails: float = _stated(
        0.5,
        "share",
        "assumption: how often a job fails to run on a machine that the market has "
        "deverified, whose monitoring met an error: in containers, ports, disk or GPUs "
        "(vast-ai/docs, host/verification-stages); never published",
        Range(0.1, 0.9, "assumption: rarely to mostly"),
        most=1.0,
    )
    waiting_usd_per_h: float = _stated(
        0.06,
        "$/h",
        "assumption: what an hour until the job is done is worth to whoever waits, ten "
        "dollars a week; it decides the order and is in no cost that is shown",
    )
    repair_h: float = _stated(
        1.0,
        "h",
        "assumption: mean time until a machine that failed is back; 0.25 to 4 h are as "
        "likely, so that the rate of failures carries a factor of 4 either way",
        Range(0.25, 4.0, "what its source calls as likely"),
        least=1e-3,
    )
    failure_band: float = _stated(
        4.0,
        "1",
        "assumption: factor either way on the rate of failures, in a prior of five "
        "points; the score also counts failed starts and weighs earnings",
        Range(2.0, 8.0, "assumption: half and twice the factor"),
        least=1.0,
        most=10.0,
    )
    gpu_failures_per_h: float = _stated(
        1.1e-4,
        "1/h",
        "of one GPU in a data center, least rate of any machine: 8-GPU jobs lived 47.7 "
        "days on average on Meta's RSC-1 (arXiv 2410.21680), over 8",
        Range(
            2e-05,
            0.00033,
            "419 failures of 16,384 GPUs in 54 days (Llama 3, arXiv 2407.21783), and "
            "assumption: three times the figure",
        ),
    )
    patience_h: float = _stated(
        2.0,
        "h",
        "assumption: a machine that is away for longer is given up for another like it",
        Range(0.5, 8.0, "assumption: it is a choice; a factor of 4 either way"),
    )
    preemptions_per_h: float = _stated(
        0.3,
        "1/h",
        "assumption: of one GPU at the least bid. The market's rate was never "
        "published; on AWS one V100 was lost 0.30 times an hour, by zone 0.095 to 1.39 "
        "(skypilot-org/spot-traces, 2023)",
        Range(0.095, 1.39, "AWS's calmest and busiest zone, of its source"),
    )
    preemption_band: float = _stated(
        4.0,
        "1",
        "assumption: factor either way on that rate, in a prior of three points, as "
        "wide as AWS's zones",
        Range(2.0, 8.0, "assumption: half and twice the factor"),
        least=1.0,
        most=10.0,
    )
    preemption_floor_per_h: float = _stated(
        0.06,
        "1/h",
        "assumption: what no bid prevents, a rental on demand; the calmest zone of "
        "AWS's 4-node trace (skypilot-org/spot-traces, 2023)",
        Range(
            0.0,
            0.095,
            "assumption: none, and AWS's calmest zone for one GPU (its source)",
        ),
    )
    preemption_decay: float = _stated(
        2.8,
        "1",
        "assumption: losses to other bids fall as exp(-decay x (bid / min_bid - 1)), by "
        "half for each 25 % more",
        Range(1.4, 5.6, "assumption: a factor of 2 either way"),
    )
    preemption_gpus_exponent: float = _stated(
        0.6,
        "1",
        "losses grow as GPUs to this power: 3.5 times as many with 8 V100s as with one "
        "(AWS, October 2022, skypilot-org/spot-traces)",
        Range(0.0, 1.0, "assumption: not at all, and in proportion"),
    )
    pause_h: float = _stated(
        2.0,
        "h",
        "assumption: mean time until a bid that lost runs again; AWS's V100s were "
        "there 17 to 91 % of the time",
        Range(0.33, 16.0, "91 and 17 % of the time, at 0.3 losses per hour"),
        least=1e-3,
    )

    def replaced(self, figures: Mapping[str, float]) -> Self:
        """Return the assumptions with other figures.

        Raises
        ------
        advisor.base.errors.UsageError
            if a name is not known or a figure out of its bounds
        """
        known = {one.name: one for one in fields(self)}
        for name, value in figures.items():
            if name not in known:
                message = f"there is no assumption {name!r}: one of {', '.join(known)}"
                raise UsageError(message)
            least, most = (known[name].metadata[bound] for bound in ("least", "most"))
            if not (math.isfinite(value) and least <= value <= most):
                message = (
                    f"assumption {name}: {least:g} to {most:g} is expected, not {value:g}"
                )
                raise UsageError(message)
        return replace(self, **figures)

    def listed(self) -> dict[str, Assumption]:
        """Return name -> figure with its unit and source."""
        return listed(self)
