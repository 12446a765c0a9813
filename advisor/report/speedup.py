"""Whether a computation is worth moving to a GPU, as a document and in words."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from advisor.report.formats import figure, lines_of, to_table
from advisor.throughput.speedup import Speedup, stated

SCHEMA_VERSION = 1
"""Version of the JSON document; it rises when a key changes meaning or goes."""

_PARTS = {
    "serial": "one core, either way",
    "compute": "GPU",
    "transfer": "copies to the GPU",
    "start_up": "start-up of the GPU",
}


def speedup_document(found: Speedup, asked: dict[str, Any]) -> dict[str, Any]:
    """Return the versioned JSON document; `asked` is what the user gave."""
    times = found.times
    return {
        "schema_version": SCHEMA_VERSION,
        **asked,
        "speedup": times.factor,
        "speedup_low": found.low,
        "speedup_high": found.high,
        "speedup_data_on_gpu": found.resident_factor,
        "worth_it": times.factor > 1.0,
        "transfer_bound": is_transfer_bound(found),
        "cpu_s": times.cpu_s,
        "gpu_s": times.gpu_s,
        "times": asdict(times),
        "rates": asdict(found.rates),
        "assumptions": {name: asdict(one) for name, one in stated().items()},
    }


def speedup_text(found: Speedup, title: str) -> str:
    """Return the verdict and where the time goes, for a terminal."""
    times, rates = found.times, found.rates
    interval = f"90 % interval {figure(found.low, 3)} - {figure(found.high, 3)}"
    gpu, cpu = figure(rates.gpu_tflops, 3), figure(rates.cpu_tflops, 3)
    link = figure(rates.link_gb_s, 3)
    facts = [
        ("verdict", verdict(found)),
        ("speed-up", f"{figure(times.factor, 3)} x, {interval}"),
        ("rates", f"GPU {gpu} TFLOP/s, CPU {cpu} TFLOP/s, link {link} GB/s"),
    ]
    spent = [("on the CPU alone", figure(times.cpu_s, 3), "")]
    spent += [
        (label, figure(seconds, 3), f"{100 * seconds / times.gpu_s:.0f} %")
        for name, label in _PARTS.items()
        if (seconds := getattr(times, f"{name}_s")) > 0.0
    ]
    spent.append(("with the GPU", figure(times.gpu_s, 3), "100 %"))
    assumed = [
        (name, f"{one.value:g}", one.unit, one.source) for name, one in stated().items()
    ]
    return "\n\n".join(
        [
            title,
            lines_of(facts),
            to_table(spent, ("time", "s", "share"), ("left", "right", "right")),
            to_table(
                assumed,
                ("assumed", "value", "unit", "source"),
                ("left", "right", "left", "left"),
            ),
        ]
    )


def is_transfer_bound(found: Speedup) -> bool:
    """Tell whether the copies take longer than all that the GPU computes."""
    return found.times.transfer_s > found.times.compute_s


def verdict(found: Speedup) -> str:
    """Say whether it is worth it, what holds it back, and what would help."""
    times = found.times
    factor = times.factor
    if factor < 1.0:
        said = f"no: with the GPU it takes {figure(1.0 / factor, 3)} x as long"
    elif found.low < 1.0:
        said = "perhaps: the interval reaches below 1"
    else:
        said = "yes"
    largest = max(_PARTS, key=lambda name: float(getattr(times, f"{name}_s")))
    if largest == "start_up":
        said += "; most of the time is the GPU's start-up: more work would gain more"
    if largest == "serial":
        said += "; most of the time is the part that does not run in parallel"
    if is_transfer_bound(found):
        said += (
            "; bound by the copies: keep the data on the GPU, and it is "
            f"{figure(found.resident_factor, 3)} x"
        )
    return said
