"""A training that was watched: what was seen of it, and how each figure is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from advisor.app.profiled import Profiled
from advisor.base.figures import figure
from advisor.measure.hooks.observation import Observation
from advisor.measure.observed import Pace, training_loader
from advisor.measure.seen.figure import KNOWN, How
from advisor.report.cells import clean
from advisor.report.entries import number
from advisor.report.formats import lines_of
from advisor.report.look import PLAIN, Look
from advisor.report.styles import Meaning
from advisor.report.tables import Column, Fitted, fitted
from advisor.workloads.memory import memory_gb

_SCHEMA_VERSION = 1

_LEAST_VALUE = 8
"""Cells that a value is shown in that is a word, where there is little room."""

_HEADS = (
    Column("figure"),
    Column("value", "right", least=_LEAST_VALUE, breaks=True),
    Column("known"),
    Column("from what", least=30, breaks=True, dispensable=1),
)

_MEANINGS: Mapping[How, Meaning | None] = {
    "measured": None,
    "stated": None,
    "estimated": "caution",
    "unseen": "faint",
}

_SAYS_NOTHING = "no effect"
"""Begins the words of a figure that has none: people need not read it."""


def profiled_table(made: Profiled, look: Look = PLAIN) -> Fitted:
    """Return the figures of a profile, each with how it is known."""
    shown = [
        (name, one)
        for name, one in made.seen.figures.items()
        if not one.words.startswith(_SAYS_NOTHING)
    ]

    def paint(row: int, column: Column, cell: str) -> str:
        meaning = _MEANINGS[shown[row][1].how]
        return (
            cell
            if meaning is None or column.name != "known"
            else look.style(meaning, cell)
        )

    rows = [(name, _value(one.value), KNOWN[one.how], one.words) for name, one in shown]
    numbers = (cell for _, cell, _, _ in rows if cell[-1].isdigit())
    least = max(map(len, numbers), default=0)  # one that is broken reads as another
    first, value, *others = _HEADS
    heads = (first, replace(value, least=max(least, _LEAST_VALUE)), *others)
    return fitted(heads, rows, look.width, paint=paint)


def profiled_lines(made: Profiled, look: Look = PLAIN) -> str:
    """Return what there is to say of a training beside the figures of its profile."""
    lines = [(name, clean(text)) for name, text in _lines(made)]
    return lines_of(lines, look.width)


def profiled_document(made: Profiled) -> dict[str, Any]:
    """Return what was seen as a document for programs."""
    seen, pace = made.observation, made.pace
    return {
        "schema_version": _SCHEMA_VERSION,
        "workload": asdict(made.seen.workload),
        "extends": made.seen.base,
        "figures": {
            name: {"value": one.value, "known": one.how, "words": one.words}
            for name, one in made.seen.figures.items()
        },
        "steps": {
            key: getattr(seen.steps, key)
            for key in ("seen", "warm_up", "counted", "timed")
        },
        "pace": None if pace is None else _pace(pace),
        "core": {
            "speed": number(made.seen.core.speed),
            "log_sd": number(made.seen.core.log_sd),
            "source": made.seen.core.source,
        },
        "device": {
            "kind": seen.device.kind,
            "gpus": list(seen.device.gpus),
            "cuda_asked": seen.device.cuda_asked,
            "redirected": seen.device.redirected,
            "peak_allocated_bytes": seen.device.peak_allocated_bytes,
            "peak_reserved_bytes": seen.device.peak_reserved_bytes,
            "peak_host_bytes": seen.device.peak_host_bytes,
        },
        "uncounted": dict(seen.counted.uncounted),
        "notes": list(seen.notes),
        "ended": seen.ended.how,
        "status": made.status,
        "interrupted": made.interrupted,
        "path": str(made.path),
        "saved": made.is_saved,
    }


def bound_words(pace: Pace) -> str:
    """Return in words what held a training up where it was watched."""
    if pace.wait_share is None:
        return "not known: no DataLoader was seen"
    waits = f"the loop waits for data {pace.wait_share:.0%} of the time"
    if pace.bound == "data":
        return f"its data: {waits}; more workers, faster cores or less work per sample"
    return f"computing: {waits}"


def _lines(made: Profiled) -> Iterator[tuple[str, str]]:
    seen, pace = made.observation, made.pace
    yield "training", _training(made)
    if pace is not None:
        rate = pace.samples_per_s
        per_s = "" if rate is None else f"{figure(rate, 3)} samples/s here, "
        spread = f"log-sd {pace.log_sd:.2g} over {pace.steps} steps"
        yield "pace", f"{per_s}{figure(pace.step_ms, 3)} ms per step ({spread})"
        yield "held up by", bound_words(pace)
    core = made.seen.core
    speed = f"{core.speed:.2f} of the reference core"
    yield "this core", f"{speed}, log-sd {core.log_sd:.2g} ({core.source})"
    yield from _memory(made)
    yield from _cuda(seen)
    if seen.counted.uncounted:
        names = ", ".join(list(seen.counted.uncounted)[:5])
        yield "not counted", f"operations of {names}: nobody has a formula"
    yield "rest of", f"{made.seen.base}: what is marked as not seen"
    for at, note in enumerate(seen.notes):
        yield ("note" if at == 0 else ""), note


def _training(made: Profiled) -> str:
    seen = made.observation
    steps = seen.steps
    ends: Mapping[str, str] = {
        "running": "was killed, or left by os._exit",
        "finished": "ended by itself",
        "stopped": "was stopped",
        "failed": "failed by itself",
    }
    how = "stopped" if seen.ended.stopped_after is not None else seen.ended.how
    end = ends.get(how, how)
    if made.interrupted:
        end = "was interrupted"
    several = f", {made.processes} processes" if made.processes > 1 else ""
    names = ", ".join(f"{name} {version}" for name, version in seen.libraries.items())
    with_ = f", {names}" if names else ""
    return (
        f"{steps.seen} optimizer steps, {steps.counted} of them counted and "
        f"{steps.timed} timed; it {end}"
        f" (PyTorch {seen.process.torch}{with_}{several})"
    )


def _memory(made: Profiled) -> Iterator[tuple[str, str]]:
    """Yield the peak of the GPU's memory beside what the profile says of it."""
    device, workload = made.observation.device, made.seen.workload
    peak = device.peak_reserved_bytes
    if peak:
        batch = made.observation.steps.samples_per_batch or workload.batch_size
        formula = float(memory_gb(workload, max(round(batch), 1)))
        words = f"{figure(peak / 1e9, 3)} GB reserved at the peak"
        by_formula = f"{figure(formula, 3)} GB by the profile, CUDA's context among them"
        yield "GPU memory", f"{words}; {by_formula}"
    loader = training_loader(made.observation)
    if device.peak_host_bytes:
        words = f"{figure(device.peak_host_bytes / 1e9, 3)} GB of the training process"
        if device.peak_workers_bytes and loader is not None and loader.workers:
            each = figure(device.peak_workers_bytes / 1e9, 3)
            several = loader.workers > 1
            whose = (
                f"the largest of {loader.workers} workers" if several else "its worker"
            )
            words += f", {each} GB of {whose}"
        yield "host memory", words


def _cuda(seen: Observation) -> Iterator[tuple[str, str]]:
    device = seen.device
    if device.redirected:
        yield "CUDA", f"asked for {device.redirected} times, and led to the CPU"
    elif device.cuda_asked:
        yield "CUDA", f"asked for {device.cuda_asked} times, and there is none"
    if device.kind != "cuda":
        words = "kernels, GPU memory and the attention's kernel are estimated"
        yield "no GPU", f"{words}, and no throughput is recorded"


def _pace(pace: Pace) -> dict[str, Any]:
    return {
        "samples_per_s": number(pace.samples_per_s),
        "step_ms": number(pace.step_ms),
        "log_sd": number(pace.log_sd),
        "steps": pace.steps,
        "wait_share": number(pace.wait_share),
        "bound": pace.bound,
    }


def _value(value: object) -> str:
    """Return a figure as it is read: counts whole, others with three or four digits."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, (int, float)):
        return str(value)
    if value == int(value) and abs(value) < 1e9:
        return f"{int(value):,}"
    return figure(value, 4)


def dry_run_lines(
    words: Sequence[str],
    hooked: Sequence[str],
    chained: Sequence[str],
    width: int | None = None,
) -> str:
    """Return what a dry run shows.

    Parameters
    ----------
    words : lines of what would run: the command and its variables
    hooked : what is hooked, for people
    chained : files that the hooks run in their turn
    width : cells of a line; None: any number
    """
    pairs = [("would run" if at == 0 else "", one) for at, one in enumerate(words)]
    pairs += [("hooked" if at == 0 else "", one) for at, one in enumerate(hooked)]
    pairs += [("runs as well", one) for one in chained]
    return lines_of(pairs, width)
