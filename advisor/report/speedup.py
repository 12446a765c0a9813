"""Whether a computation is worth moving to a GPU, as a document and in words."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from advisor.base.figures import duration, figure
from advisor.report.bars import with_bars
from advisor.report.cells import clean
from advisor.report.formats import lines_of
from advisor.report.look import PLAIN, Look
from advisor.report.sentences import paragraph
from advisor.report.tables import Column, fitted
from advisor.throughput.speedup import Speedup, Times, Work, stated

if TYPE_CHECKING:
    from advisor.app.speedup import Compared

SCHEMA_VERSION = 1
"""Version of the JSON document; it rises when a key changes meaning or goes."""

_PARTS = {
    "serial": "one core, either way",
    "compute": "GPU",
    "launch": "calls that the GPU waits for",
    "transfer": "copies to the GPU",
    "start_up": "start-up of the GPU",
}

_CLEAR = 1.05
"""A factor nearer to 1 than this is no difference to speak of."""

_WORTH = 1.1
"""What gains less is no advice."""


def speedup_document(found: Speedup, asked: dict[str, Any]) -> dict[str, Any]:
    """Return the versioned JSON document; `asked` is what the user gave."""
    times = found.times
    return {
        "schema_version": SCHEMA_VERSION,
        **asked,
        "answer": {"text": answer(found)},
        "verdict": verdict(found),
        "speedup": times.factor,
        "speedup_low": found.low,
        "speedup_high": found.high,
        "speedup_data_on_gpu": found.resident.factor,
        "speedup_data_copied_each_call": found.each.factor,
        "calls_that_pay": found.calls_that_pay,
        "worth_it": times.factor > 1.0,
        "transfer_bound": is_transfer_bound(found),
        "cpu_bound": found.cpu_bound,
        "gpu_bound": found.gpu_bound,
        "cpu_s": times.cpu_s,
        "gpu_s": times.gpu_s,
        "times": asdict(times),
        "rates": asdict(found.rates),
        "assumptions": {name: asdict(one) for name, one in stated(found.work).items()},
    }


def speedup_text(
    found: Speedup,
    title: str,
    single: Speedup | None = None,
    look: Look = PLAIN,
) -> str:
    """Return the answer and where the time goes, for a terminal.

    Parameters
    ----------
    single : the same in FP32, where that is another question; None: it is not
    look : where it is shown
    """
    width = look.width
    low, high = times_as_fast(found.low), times_as_fast(found.high)
    interval = f", 90 % interval {low} to {high}" if low != high else ""
    facts = [
        ("speed-up", f"{times_as_fast(found.times.factor)}{interval}"),
        ("bound", _bound(found)),
    ]
    assumed = [
        (name, f"{one.value:g}", one.unit, clean(one.source))
        for name, one in stated(found.work).items()
    ]
    return "\n".join([
        *(look.style("answer", line) for line in paragraph(answer(found), width)),
        "",
        *paragraph(clean(title), width),
        lines_of(facts, width),
        "",
        *_spent(found.times, look),
        "",
        fitted(_CASES, _others(found, single), width).text,
        "",
        fitted(_ASSUMED, assumed, width).text,
    ])  # fmt: skip


def answer(found: Speedup) -> str:
    """Return whether the computation is worth moving, and why, in a sentence or two."""
    said = verdict(found)
    begun = f"{said[:1].upper()}{said[1:]}."
    if found.low < 1.0 < found.high:
        return f"Is the GPU worth it? {begun}"
    return f"Is the GPU worth it? {'Yes' if found.times.factor > 1.0 else 'No'}. {begun}"


def _spent(times: Times, look: Look) -> list[str]:
    """Return where the time goes on either side, as bars of one scale."""
    spent = [("on the CPU alone", times.cpu_s), ("with the GPU", times.gpu_s)]
    spent += [
        (f"  {label}", seconds)
        for name, label in _PARTS.items()
        if (seconds := getattr(times, f"{name}_s")) > 0.0
    ]
    longest = max(times.cpu_s, times.gpu_s)
    rows = [
        (
            label,
            duration(seconds),
            f"{100 * seconds / times.gpu_s:.0f} %" if label.startswith(" ") else "",
        )
        for label, seconds in spent
    ]
    return with_bars(
        ("time", "", "share"),
        rows,
        ("left", "right", "right"),
        [seconds / longest for _, seconds in spent],
        look,
    )


_CASES = (
    Column("if"),
    Column("CPU", "right"),
    Column("GPU", "right"),
    Column("speed-up", "right"),
)
_ASSUMED = (
    Column("assumed"),
    Column("value", "right"),
    Column("unit", dispensable=1),
    Column("source", least=20, breaks=True),
)


def times_as_fast(factor: float) -> str:
    """Return a factor in two digits: 61 x, 0.75 x, 1/110 x."""
    if factor >= 0.1:
        return f"{figure(factor, 2)} x"
    if factor >= 1e-3:
        return f"1/{figure(1.0 / factor, 2)} x"
    return "less than 1/1,000 x"


def is_transfer_bound(found: Speedup) -> bool:
    """Tell whether the copies take longer than all that the GPU computes."""
    return found.times.transfer_s > found.times.compute_s


def verdict(found: Speedup) -> str:
    """Say which is faster and how sure that is, what holds it back, what would help."""
    times = found.times
    cpu, gpu, factor = duration(times.cpu_s), duration(times.gpu_s), times.factor
    if found.low < 1.0 < found.high:
        nearly = 1.0 / _CLEAR < factor < _CLEAR
        likely = "" if nearly else f", likely the {'GPU' if factor > 1.0 else 'CPU'}"
        words = f"too close to tell{likely}: {cpu} on the CPU, {gpu} with the GPU"
    elif factor < 1.0:
        words = f"the CPU is faster: {cpu} against {gpu}"
    else:
        words = f"the GPU is faster: {gpu} against {cpu} ({times_as_fast(factor)})"
    return words + "".join(f"; {one}" for one in _hints(found))


def _hints(found: Speedup) -> list[str]:
    """Return what holds it back and what would help."""
    times, hints = found.times, []
    largest = max(_PARTS, key=lambda name: float(getattr(times, f"{name}_s")))
    if largest == "start_up":
        hint = "most of the GPU's time is its start-up"
        if found.calls_that_pay is not None and times.factor < 1.0:
            hint += f", which pays from {found.calls_that_pay:,.0f} calls on"
        if found.calls_that_pay is None:
            hint += ", and each further call is slower on it too"
        hints.append(hint)
    if largest == "serial":
        hints.append("most of the time is the part that does not run in parallel")
    if largest == "launch":
        hints.append("the GPU waits for the calls: fewer and larger ones would gain")
    if is_transfer_bound(found) and found.resident.factor > _WORTH * times.factor:
        hints.append(
            "bound by the copies: keep the data on the GPU, and it is "
            f"{times_as_fast(found.resident.factor)}"
        )
    return hints


def _bound(found: Speedup) -> str:
    """Say what the computing itself waits for."""
    rates, function = found.rates, found.work.function
    unit = "million numbers/s" if function else "TFLOP/s"
    scale = 1e6 if function else 1.0
    words = []
    for name, bound, computes, moves in (
        ("GPU", found.gpu_bound, rates.gpu_tflops, rates.gpu_gb_s),
        ("CPU", found.cpu_bound, rates.cpu_tflops, rates.cpu_gb_s),
    ):
        by = {
            "arithmetic": f"arithmetic, {figure(computes * scale, 2)} {unit}",
            "memory": f"memory, {figure(moves, 2)} GB/s",
            "calls": "the calls",
        }
        words.append(f"{name} by {by[bound]}")
    return "; ".join(words) + f"; link {figure(rates.link_gb_s, 2)} GB/s"


def _others(found: Speedup, single: Speedup | None) -> list[tuple[str, str, str, str]]:
    """Return how it would be otherwise."""
    cases: list[tuple[str, Times]] = [("data on the GPU already", found.resident)]
    if found.work.calls > 1.0 and found.work.data_gb > 0.0:
        cases.append(("data copied in every call", found.each))
    if single is not None:
        cases.append(("in FP32", single.times))
    return [
        (name, duration(one.cpu_s), duration(one.gpu_s), times_as_fast(one.factor))
        for name, one in cases
    ]


def compared_document(compared: Compared) -> dict[str, Any]:
    """Return the versioned JSON document of a comparison that was asked for."""
    spec, work = compared.spec, compared.found.work
    asked = {
        "gflop": work.gflop,
        "data_gb": work.data_gb,
        "gpu": compared.gpu.name,
        "cpu": spec.cpu,
        "cores": compared.cpu.cores,
        "clock_ghz": compared.cpu.ghz,
        "precision": spec.precision,
        "parallel": work.parallel,
        "touched_gb": work.touched_gb,
        "calls": work.calls,
        "copies": spec.copies,
        "start_up": spec.start_up,
        "function": work.function or None,
        "threads": spec.threads,
    }
    return speedup_document(compared.found, asked)


def compared_title(compared: Compared) -> str:
    """Say what is computed, and on which hardware."""
    spec, cpu = compared.spec, compared.cpu
    return (
        f"{_in_words(compared.found.work, spec.matmul)} in {spec.precision.upper()} on "
        f"{compared.gpu.name}, against {spec.cpu or 'a CPU'} with {cpu.cores:g} cores at "
        f"{cpu.ghz:g} GHz"
    )


def _in_words(work: Work, matmul: str | None) -> str:
    """Return what is computed, in words."""
    if work.function:
        what = f"{work.function} of {work.gflop * 1e9:,.0f} numbers"
    elif matmul:
        what = f"product of matrices {matmul}"
    else:
        what = f"{work.gflop:g} GFLOP and {work.data_gb:g} GB"
    return f"{work.calls:,.0f} calls: {what}" if work.calls > 1.0 else what
