"""Machines of the bundled market that were rented, and what their benches show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

import advisor
from advisor.measure.bench import BenchResult
from advisor.measure.offered import expected_of
from advisor.measure.probe.lines import Line
from advisor.ranking.offer import RankedOffer
from advisor.ranking.rank import rank_offers
from advisor.ranking.ranking import Ranking
from advisor.throughput.tables import load_tables
from tests.measure.benches import bench

UNITS = {
    "cores.granted": "cores",
    "cores.delivered": "cores",
    "core.zlib": "MB/s",
    "decode.pillow.core": "images/s",
    "decode.opencv.core": "images/s",
    "disk.read.random": "reads/s",
    "gpu0.launch": "kernels/s",
    "gpu0.matmul.fp16": "TFLOP/s",
    "gpu0.matmul.bf16": "TFLOP/s",
    "gpu0.bandwidth": "GB/s",
}
CARD = ("gpu0.matmul.fp16", "gpu0.matmul.bf16", "gpu0.bandwidth")


def ranked(workload: str, **more: Any) -> Ranking:
    """Return the single RTX 4090 of a day, the best first."""
    found = advisor.rank(
        workload, market="sample", gpus=["RTX 4090"], num_gpus=[1], **more
    )
    assert len(found) >= 2
    return found


def measured(
    offer: RankedOffer,
    shares: Mapping[str, float] | None = None,
    **more: Any,
) -> BenchResult:
    """Return the bench of a machine that does a share of what is expected of it."""
    cpu = {"cpu": str(offer.cpu_name or "")}
    ones = {name: (1.0, unit) for name, unit in UNITS.items()}
    granted = (float(offer.ranking.machines.threads[offer.at]), "cores")
    plain = bench({**ones, "cores.granted": granted}, **cpu, **more)
    expected = expected_of(plain, offer)
    shares = shares or {}
    lines = {
        name: (expected[name].value * shares.get(name, 1.0), unit)
        for name, unit in UNITS.items()
        if name in expected
    }
    return bench(lines, **cpu, **more)


def linked(result: BenchResult, generation: float, h2d_gb_s: float) -> BenchResult:
    lines = (
        Line("gpu0.pcie.gen.max", generation, "generation"),
        Line("gpu0.pcie.width.max", 16.0, "lanes"),
        Line("gpu0.h2d.pinned", h2d_gb_s, "GB/s"),
    )
    return replace(result, lines=(*result.lines, *lines))


def at_power(offer: RankedOffer, limit_w: float) -> RankedOffer:
    """Return an offer whose cards are openly limited, ranked as that."""
    offers = offer.ranking.offers
    limits = np.where(np.arange(len(offers)) == offer.at, limit_w, np.nan)
    several = replace(offers, gpu_max_power_w=limits)
    ranking = rank_offers(several, offer.ranking.job, load_tables())
    (same,) = (one for one in ranking if one.at == offer.at)
    return same
