"""Machines that the user measured, in words and as rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from advisor.base.figures import figure
from advisor.hardware.names import short_cpu_name
from advisor.ranking.offer import RankedOffer
from advisor.report.ranked import machines
from advisor.store.benches import StoredBench
from advisor.throughput.known import Known, MachineEffect


def measured_alike(known: Known, gpu: str, cpu: str) -> str:
    """Say how many measured machines have a GPU or a CPU, of all that there are."""
    found = {gpu: known.cards.get(gpu, 0), short_cpu_name(cpu): known.with_cpu(cpu)}
    alike = [f"{count} with {name}" for name, count in found.items() if count and name]
    return f"{machines(known.count)}{': ' * bool(alike)}{', '.join(alike)}"


def measured_words(offer: RankedOffer, known: Known) -> str:
    """Say what measured machines change of an offer."""
    ranking = offer.ranking
    machine_id = int(ranking.offers.machine_id[offer.at])
    effect = known.effect_of(ranking.job.market, machine_id)
    parts = [] if effect is None else [f"this machine: {effect_words(effect)}"]
    card = offer.gpu.name if offer.gpu else ""
    cpu = str(ranking.offers.cpu_name[offer.at])
    return "; ".join([*parts, measured_alike(known, card, cpu)])


def effect_words(effect: MachineEffect) -> str:
    """Say what is known of a machine that was measured."""
    parts = []
    if math.isfinite(effect.core_speed):
        parts.append(f"a core does {figure(effect.core_speed, 2)} of the reference core")
    if math.isfinite(effect.gpu):
        parts.append(
            f"its GPUs {figure(math.exp(effect.gpu), 2)} of the card's usual rate"
        )
    if math.isfinite(effect.h2d_gb_s):
        parts.append(f"{figure(effect.h2d_gb_s, 3)} GB/s to a GPU")
    if math.isfinite(effect.disk_mb_s):
        parts.append(f"{figure(effect.disk_mb_s, 3)} MB/s from its disk")
    return ", ".join(parts) or "nothing that predictions take"


def machine_row(stored: StoredBench) -> dict[str, Any]:
    """Return a measured machine as a row, its figures counted."""
    machine = stored.machine
    return {
        "number": stored.number,
        "gpu": machine.gpu,
        "num_gpus": machine.num_gpus,
        "cpu": machine.cpu,
        "threads": machine.cores,
        "market": machine.market,
        "machine_id": machine.machine_id,
        "lines": len(machine.figures),
        "source": stored.source,
        "at": stored.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def machine_document(stored: StoredBench, effect: MachineEffect) -> dict[str, Any]:
    """Return a measured machine with what predictions take of it, for JSON."""
    learned: Mapping[str, float | str] = effect._asdict()
    known = {
        name: value
        for name, value in learned.items()
        if isinstance(value, float) and math.isfinite(value)
    }
    return {**machine_row(stored), "learned": known, "bench": stored.document}
