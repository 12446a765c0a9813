"""A prediction without a market, as a document for programs and as text for people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from advisor.app.predict import Prediction
from advisor.base.figures import figure
from advisor.report.advised import advice_document, advice_lines
from advisor.report.entries import Entry, entries
from advisor.report.formats import as_sold, lines_of, to_table
from advisor.report.ranked import calibrated

SCHEMA_VERSION = 1
"""Version of the JSON document; it rises when a key changes meaning or goes."""

_OF_A_MARKET = (
    "rank",
    "offer_id",
    "machine_id",
    "usd_per_hour",
    "bid_usd_per_hour",
    "epoch_usd",
    "epoch_usd_low",
    "epoch_usd_high",
    "epoch_rent_usd",
    "epoch_storage_usd",
    "epoch_traffic_usd",
    "epoch_next_machine_usd",
    "job_usd",
    "job_hours",
    "checkpoint_hours",
    "expected_failures",
    "expected_preemptions",
    "expected_moves",
    "expected_failed_starts",
    "image",
    "tied_with",
    "alternatives",
    "reliability",
    "geolocation",
    "duration_s",
)
"""Keys of an offer's entry that only a market can fill."""

_REMARKS: Mapping[str, str] = {
    "gpu_vendor": "the image serves no GPU of this maker",
    "image_lacks_gpu": "the image has no code for this GPU",
    "gpu_not_modelled": "the model has learnt from no card of this maker",
    "cpu_unknown": "the CPU is not given or in no table; a usual one is assumed (name it "
    "with --cpu, or describe it with --cores and --clock)",
    "cpu_family": "the CPU is in no table; its name tells its family",
    "threads_contradictory": "the CPU has fewer threads than were given; its own count",
    "bf16_lacking": "the card has no BF16 units and computes at its FP32 rate at most; "
    "precision=amp is faster there",
    "gpu_slice": "a part of a card, or one with less memory than it was sold with; "
    "slower in proportion",
    "cores_unknown": "the threads are not given; a usual number is assumed",
    "clock_capped": "the clock is higher than any and counts as 6.2 GHz",
    "memory_modded": "the card is not sold with this memory",
    "mixed_gpus": "the cards are not alike; the smallest and slowest counts",
    "ram_unknown": "the host's memory is unknown; no data count as cached",
    "disk_speed_unknown": "the disk is unknown and does not limit",
    "gpu_memory_tight": "it may need more memory than the GPU has: try before you pay",
    "batch_fitted": "the largest batch that the GPU holds, not the workload's",
    "batch_accumulated": "the batch does not fit at once and is accumulated",
}
"""Flags that the text spells out; others appear under their names."""


_ONE_ALONE = "name one of them alone for its limits, the verdict and what it rests on"


def predicted_document(prediction: Prediction) -> dict[str, Any]:
    """Return the versioned JSON document: an offer's entry and what it rests on."""
    ranking = prediction.ranking
    return {
        "schema_version": SCHEMA_VERSION,
        **predicted_entry(prediction),
        "advice": advice_document(prediction.advice, prediction.epoch_hours),
        "rests_on": asdict(prediction.rests_on),
        "workload": asdict(prediction.workload),
        "model": dict(ranking.model_identity),
        "assumptions": {
            name: asdict(value) for name, value in ranking.assumptions.items()
        },
    }


def several_document(predictions: Sequence[Prediction]) -> dict[str, Any]:
    """Return the versioned JSON document of predictions on several GPUs."""
    return {
        "schema_version": SCHEMA_VERSION,
        "predictions": [predicted_document(one) for one in predictions],
    }


def several_text(predictions: Sequence[Prediction]) -> str:
    """Return predictions on several GPUs as a table for a terminal."""
    heads = ("GPU", "samples/s", "90 % interval", "bound by", "h/epoch", "GB free")
    rows = [
        (
            f"{one.num_gpus} x {one.gpu}",
            figure(one.samples_per_s, 3),
            f"{figure(one.low, 3)} - {figure(one.high, 3)}",
            one.bound_by,
            figure(one.epoch_hours, 3),
            f"{as_sold(one.memory_margin_gb):.1f}",
        )
        for one in predictions
    ]
    align = ("left", "right", "right", "left", "right", "right")
    first = predictions[0]
    title = f"{first.workload.name} on {_host(first)}"
    return "\n\n".join([title, to_table(rows, heads, align), _ONE_ALONE])


def predicted_entry(prediction: Prediction) -> Entry:
    """Return the keys of an offer's entry; what only a market knows is `None`."""
    (entry,) = entries(prediction.ranking)
    own = {"cpu_cores": prediction.threads, "flags": list(prediction.flags)}
    return {**entry, **dict.fromkeys(_OF_A_MARKET), **own}


def predicted_text(prediction: Prediction) -> str:
    """Return the prediction for a terminal."""
    parts = [
        _headline(prediction),
        _facts(prediction),
        _limits(prediction.limits),
        lines_of(advice_lines(prediction.advice, prediction.epoch_hours)),
        lines_of([("rests on", _evidence(prediction))]),
    ]
    if prediction.flags:
        remarks = [(name, _remark(prediction, name)) for name in prediction.flags]
        parts.append(lines_of(remarks))
    return "\n\n".join(parts)


def _remark(prediction: Prediction, flag: str) -> str:
    words = _REMARKS.get(flag, "")
    cpu = prediction.ranking.tables.cpus.told(prediction.cpu)
    if flag != "cpu_family" or cpu is None:
        return words
    cores = "" if math.isnan(cpu.cores) else f", {cpu.cores:.0f} cores"
    return f"{words}: {cpu.microarchitecture}{cores}"


def _headline(prediction: Prediction) -> str:
    gpus = f"{prediction.num_gpus} x {prediction.gpu}"
    return f"{prediction.workload.name} on {gpus}, {_host(prediction)}"


def _host(prediction: Prediction) -> str:
    threads = prediction.threads
    host = prediction.cpu or "unknown CPU"
    granted = "unknown threads" if threads is None else f"{figure(threads, 3)} threads"
    return f"{host}, {granted}"


def _facts(prediction: Prediction) -> str:
    bill = prediction.ranking.bill
    interval = _interval(prediction.low, prediction.high)
    hours = _interval(float(bill.epoch_hours_low[0]), float(bill.epoch_hours_high[0]))
    steps = prediction.accumulation_steps
    held = f"{prediction.micro_batch} x {steps}"
    batch = prediction.workload.batch_size
    if prediction.ranking.job.fit_batch:
        batch = prediction.micro_batch
    held_gb, left_gb = map(as_sold, (prediction.memory_gb, prediction.memory_margin_gb))
    has = f"{float(prediction.ranking.machines.gpu_memory_gb[0]):.4g} GB"
    margin = f"{left_gb:.1f} GB of what can be filled is left"
    return lines_of([
        ("throughput", f"{figure(prediction.samples_per_s, 3)} samples/s, {interval}"),
        ("bound by", _bound_by(prediction)),
        ("epoch", f"{figure(prediction.epoch_hours, 3)} h, {hours}"),
        ("batch", f"{batch} a GPU and optimizer step, held as {held}"),
        ("memory", f"{figure(held_gb, 3)} of each GPU's {has}, {margin}"),
    ])  # fmt: skip


def _bound_by(prediction: Prediction) -> str:
    advice = prediction.advice
    if advice.cpu_is_bottleneck is None and advice.bound_side == "cpu":
        return f"{advice.bound_by}, if the CPU is a usual one: it is not named"
    return prediction.bound_by


def _interval(low: float, high: float) -> str:
    return f"90 % interval {figure(low, 3)} - {figure(high, 3)}"


def _limits(limits: Mapping[str, float]) -> str:
    rows = [
        (name, "none" if math.isinf(rate) else figure(rate, 3))
        for name, rate in limits.items()
    ]
    return to_table(rows, ("limit", "samples/s"), ("left", "right"))


def _evidence(prediction: Prediction) -> str:
    rests_on, measured = prediction.rests_on, prediction.ranking.measured
    count = rests_on.workload_measurements
    of_workload = f"{count:,} measurement{'s' * (count != 1)} of this workload"
    of_gpu = f"{rests_on.gpu_measurements:,} of this GPU"
    parts = [f"{of_workload}, {of_gpu}", f"nearest: {', '.join(rests_on.nearest)}"]
    if rests_on.level != "measured":
        parts.append(f"the level is that of {_LEVELS[rests_on.level]}")
    if measured is not None:
        parts.append(calibrated(measured))
    return "; ".join(parts)


_LEVELS: Mapping[str, str] = {
    "one GPU": "one GPU, the only one measured",
    "other precision": "other precisions",
    "family": "its kind of net",
}
