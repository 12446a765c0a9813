"""A prediction without a market, as a document for programs and as text for people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from advisor.app.predict import Prediction
from advisor.base.figures import figure
from advisor.report.advised import advice_document
from advisor.report.answer import short_cpu
from advisor.report.cells import clean
from advisor.report.entries import Entry, number
from advisor.report.formats import as_sold, lines_of
from advisor.report.limits import limit_lines
from advisor.report.look import PLAIN, Look
from advisor.report.measured import measured_alike
from advisor.report.ranked import calibrated
from advisor.report.sentences import (
    bottleneck_answers,
    duration_span,
    help_lines,
    paragraph,
    styled_answers,
    time_text,
)
from advisor.report.tables import Column, fitted

SCHEMA_VERSION = 1
"""Version of the JSON document; it rises when a key changes meaning or goes."""

_OF_A_MARKET = (
    *("rank", "offer_id", "machine_id", "usd_per_hour", "bid_usd_per_hour"),
    *("epoch_usd", "epoch_usd_low", "epoch_usd_high", "epoch_rent_usd"),
    *("epoch_usd_own_low", "epoch_usd_own_high", "first_cheaper"),
    *("epoch_storage_usd", "epoch_traffic_usd", "epoch_next_machine_usd"),
    *("job_usd", "job_hours", "checkpoint_hours", "expected_failures"),
    *("expected_preemptions", "expected_moves", "expected_failed_starts", "image"),
    *("cuda_max", "driver_version", "cpu_arch", "inet_down_mbit_s", "inet_up_mbit_s"),
    *("disk_mb_s", "verification", "hosting_type", "direct_port_count", "reliability"),
    *("geolocation", "duration_s", "tied_with", "alternatives"),
)
"""Keys of an offer's entry that only a market can fill."""

_REMARKS: Mapping[str, str] = {
    "gpu_vendor": "the image serves no GPU of this maker",
    "image_lacks_gpu": "the image has no code for this GPU",
    "gpu_not_modelled": "the model has learnt from no card of this maker",
    "cpu_unknown": "the CPU is not given or in no table; a usual one is assumed (name "
    "it, or give its threads and its clock)",
    "cpu_family": "the CPU is in no table; its name says its family",
    "threads_contradictory": "the CPU has fewer threads than were given; its own count",
    "bf16_lacking": "the card has no BF16 units and computes at its FP32 rate at most; "
    "precision=amp is faster there",
    "gpu_slice": "a part of a card, or one with less memory than it was sold with; "
    "slower in proportion",
    "cores_unknown": "the threads are not given; a usual number is assumed",
    "clock_capped": "the clock is higher than any and counts as 6.2 GHz",
    "memory_modded": "the card is not sold with this memory",
    "gpu_power_capped": "the power of the cards is limited, which slows them",
    "gpu_measured_slow": "the market measured less than is usual for this card",
    "mixed_gpus": "the cards are not alike; the smallest and slowest counts",
    "ram_unknown": "the host's memory is unknown; no data count as cached",
    "disk_speed_unknown": "the disk is unknown and does not limit",
    "gpu_memory_tight": "it may need more memory than the GPU has: try before you pay",
    "batch_fitted": "the largest batch that the GPU holds, not the workload's",
    "batch_accumulated": "the batch does not fit at once and is accumulated",
}
"""Flags that the text spells out; others appear under their names."""


_COLUMNS = (
    Column("GPU"),
    Column("samples/s", "right"),
    Column("90 % interval", "right", dispensable=2),
    Column("bound by"),
    Column("epoch", "right"),
    Column("GB free", "right", dispensable=1),
)

_ONE_ALONE = "name one of them alone for its limits, the verdict and what it rests on"


def predicted_document(prediction: Prediction) -> dict[str, Any]:
    """Return the versioned JSON document: an offer's entry and what it rests on."""
    machine, assumed = prediction.machine, prediction.assumptions
    model = machine.tables.identity(prediction.workload, machine.measured)
    return {
        "schema_version": SCHEMA_VERSION,
        "answer": {"text": predicted_answer(prediction)},
        **predicted_entry(prediction),
        "advice": advice_document(prediction.advice, prediction.epoch_h),
        "rests_on": asdict(prediction.evidence),
        "workload": asdict(prediction.workload),
        "model": model,
        "assumptions": {name: asdict(value) for name, value in assumed.items()},
    }


def several_document(predictions: Sequence[Prediction]) -> dict[str, Any]:
    """Return the versioned JSON document of predictions on several GPUs."""
    return {
        "schema_version": SCHEMA_VERSION,
        "predictions": [predicted_document(one) for one in predictions],
    }


def several_text(predictions: Sequence[Prediction], look: Look = PLAIN) -> str:
    """Return predictions on several GPUs, the fastest first, as a table for a terminal.

    Parameters
    ----------
    look : where it is shown
    """
    rows = [
        (
            f"{one.num_gpus} x {one.gpu}",
            figure(one.samples_per_s, 3),
            f"{figure(one.samples_per_s_low, 3)} - {figure(one.samples_per_s_high, 3)}",
            one.bound_by,
            time_text(one.epoch_h),
            f"{as_sold(one.memory_margin_gb):.1f}",
        )
        for one in predictions
    ]
    best = predictions[0]
    answer = (
        f"The fastest is {best.num_gpus} x {best.gpu}: {time_text(best.epoch_h)} per "
        f"epoch of {clean(best.workload.name)} on {_host(best)}."
    )
    return "\n".join([
        *(look.style("answer", line) for line in paragraph(answer, look.width)),
        "",
        fitted(_COLUMNS, rows, look.width).text,
        "",
        *paragraph(_ONE_ALONE, look.width),
    ])  # fmt: skip


def predicted_entry(prediction: Prediction) -> Entry:
    """Return the keys of an offer's entry; what only a market knows is `None`."""
    here, described = prediction.machine.performance, prediction.machine.described
    waiting = prediction.assumptions["waiting_usd_per_h"].value
    hosts = here.software.hosts
    return {
        **dict.fromkeys(_OF_A_MARKET),
        "gpu_name": prediction.gpu,
        "num_gpus": prediction.num_gpus,
        "cpu_name": prediction.cpu,
        "cpu_cores": prediction.threads,
        "cpu_ghz": number(described.cpu_ghz[0]),
        "samples_per_s": number(prediction.samples_per_s),
        "samples_per_s_low": number(prediction.samples_per_s_low),
        "samples_per_s_high": number(prediction.samples_per_s_high),
        "bound_by": prediction.bound_by,
        "limits": {name: number(rate) for name, rate in prediction.limits.items()},
        "micro_batch": prediction.micro_batch,
        "accumulation_steps": prediction.accumulation_steps,
        "memory_gb": number(prediction.memory_gb),
        "memory_margin_gb": number(prediction.memory_margin_gb),
        "memory_risk": number(here.throughput.memory_risk[0]),
        "epoch_hours": number(prediction.epoch_h),
        "epoch_hours_low": number(prediction.epoch_h_low),
        "epoch_hours_high": number(prediction.epoch_h_high),
        "epoch_waiting_usd": number(waiting * prediction.epoch_h),
        "compute_capability": number(hosts.named_capability[0]),
        "host_ram_gb": number(here.machines.ram_gb[0]),
        "host_ram_needed_gb": number(here.host_need_gb[0]),
        "host_ram_risk": number(here.host_risk[0]),
        "core_speed": number(here.machines.core_speed[0]),
        "flags": list(prediction.flags),
    }


def predicted_text(prediction: Prediction, look: Look = PLAIN) -> str:
    """Return the prediction for a terminal, what the GPU waits for first.

    Parameters
    ----------
    look : where it is shown
    """
    advice, width = prediction.advice, look.width
    known = prediction.machine.tables.model.limits
    reached = prediction.samples_per_s
    sections = [
        [
            line
            for answer in bottleneck_answers(advice)
            for line in styled_answers(answer, advice, look)
        ],
        [*paragraph(_headline(prediction), width), *_facts(prediction, width)],
        limit_lines(prediction.limits, known, reached, look),
        help_lines(advice, reached, width),
        _rest(prediction, width),
    ]
    if prediction.flags:
        remarks = [(name, _remark(prediction, name)) for name in prediction.flags]
        sections.append(lines_of(remarks, width).splitlines())
    return "\n".join([line for lines in sections for line in ("", *lines)][1:])


def predicted_answer(prediction: Prediction) -> str:
    """Return whether the CPU is a bottleneck, and whether another part is, in words."""
    return " ".join(bottleneck_answers(prediction.advice))


def _rest(prediction: Prediction, width: int | None) -> list[str]:
    """Return what to set, and what the prediction rests on."""
    workers = prediction.advice.loader_workers
    rows = [
        ("workers", f"{workers} data loader worker{'s' * (workers != 1)} for each GPU"),
        ("evidence", _evidence(prediction)),
    ]
    return lines_of(rows, width).splitlines()


def _remark(prediction: Prediction, flag: str) -> str:
    words = _REMARKS.get(flag, "")
    cpu = prediction.machine.tables.cpus.identify(prediction.cpu)
    if flag != "cpu_family" or cpu is None:
        return words
    cores = "" if math.isnan(cpu.cores) else f", {cpu.cores:.0f} cores"
    return f"{words}: {cpu.microarchitecture}{cores}"


def _headline(prediction: Prediction) -> str:
    gpus = f"{prediction.num_gpus} x {prediction.gpu}"
    return f"{clean(prediction.workload.name)} on {gpus}, {_host(prediction)}"


def _host(prediction: Prediction) -> str:
    threads = prediction.threads
    cpu = prediction.cpu
    host = "unknown CPU" if cpu is None else short_cpu(cpu)
    granted = "unknown threads" if threads is None else f"{figure(threads, 3)} threads"
    return f"{host}, {granted}"


def _facts(prediction: Prediction, width: int | None) -> list[str]:
    interval = _interval(prediction.samples_per_s_low, prediction.samples_per_s_high)
    hours = duration_span(prediction.epoch_h_low, prediction.epoch_h_high)
    steps = prediction.accumulation_steps
    split = f"{prediction.micro_batch} x {steps}"
    batch = prediction.workload.batch_size
    if prediction.fit_batch:
        batch = prediction.micro_batch
    used_gb, left_gb = map(as_sold, (prediction.memory_gb, prediction.memory_margin_gb))
    has = f"{float(prediction.machine.performance.machines.gpu_memory_gb[0]):.4g} GB"
    margin = f"{left_gb:.1f} GB of what can be filled is left"
    return lines_of([
        ("throughput", f"{figure(prediction.samples_per_s, 3)} samples/s, {interval}"),
        *_tokens(prediction),
        ("bound by", _bound_by(prediction)),
        ("epoch", f"{time_text(prediction.epoch_h)}, 90 % interval {hours}"),
        ("batch", f"{batch} per GPU and optimizer step, computed as {split}"),
        ("memory", f"{figure(used_gb, 3)} of each GPU's {has}, {margin}"),
    ], width).splitlines()  # fmt: skip


def _tokens(prediction: Prediction) -> list[tuple[str, str]]:
    """Return the line of tokens per second that count; none where samples have none."""
    workload = prediction.workload
    rate = prediction.samples_per_s * workload.counted_tokens_per_sample
    if not rate:
        return []
    padded = f"; {workload.padding_share:.0%} of all is padding"
    text = f"{figure(rate, 3)} tokens/s{padded if workload.padding_share else ''}"
    return [("tokens", text)]


def _bound_by(prediction: Prediction) -> str:
    advice = prediction.advice
    if advice.cpu_is_bottleneck is None and advice.bound_side == "cpu":
        return f"{advice.bound_by}, if the CPU is a usual one: it is not named"
    return prediction.bound_by


def _interval(low: float, high: float) -> str:
    return f"90 % interval {figure(low, 3)} - {figure(high, 3)}"


def _evidence(prediction: Prediction) -> str:
    evidence, measured = prediction.evidence, prediction.machine.measured
    count = evidence.workload_measurements
    of_workload = f"{count:,} measurement{'s' * (count != 1)} of this workload"
    of_gpu = f"{evidence.gpu_measurements:,} of this GPU"
    parts = [f"{of_workload}, {of_gpu}", f"nearest: {', '.join(evidence.nearest)}"]
    if evidence.level != "measured":
        parts.append(f"the level is that of {_LEVELS[evidence.level]}")
    if measured is not None:
        parts.append(calibrated(measured))
    if (known := prediction.machine.tables.known) is not None:
        parts.append(measured_alike(known, prediction.gpu, prediction.cpu or ""))
    return "; ".join(parts)


_LEVELS: Mapping[str, str] = {
    "one GPU": "one GPU, the only one measured",
    "other precision": "other precisions",
    "family": "its kind of net",
}
