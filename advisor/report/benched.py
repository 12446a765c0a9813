"""What a bench found, for people and for programs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from advisor.base.figures import duration, figure
from advisor.base.sizes import size_in_words
from advisor.measure.bench import BenchMachine, BenchResult
from advisor.measure.probe.lines import Check, Line
from advisor.report.formats import lines_of
from advisor.report.tables import Column, Fitted, fitted

_SCHEMA_VERSION = 1
_OK: Mapping[bool | None, str] = {True: "ok", False: "NO", None: "?"}
_COLUMNS = (
    Column("measured"),
    Column("value", align="right"),
    Column("unit"),
    Column("spread", align="right", dispensable=1),
    Column("what", least=16, breaks=True, dispensable=2),
)


def bench_document(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document of a bench for programs, and for the file that is kept."""
    return {"schema_version": _SCHEMA_VERSION, **document}


def bench_head(result: BenchResult, width: int | None) -> str:
    """Return what the machine is, and whether a training can run on it at all.

    Parameters
    ----------
    width : cells of a line; None: any number
    """
    pairs = [*_about(result.machine)]
    pairs += [(f"{one.name} {_OK[one.ok]}", one.words) for one in _by_need(result.checks)]
    return lines_of(pairs, width) if pairs else ""


def bench_table(result: BenchResult, width: int | None) -> Fitted:
    """Return the figures as a table."""
    rows = [
        [one.name, figure(one.value, 3), one.unit, _spread(one), one.note]
        for one in _grouped(result.lines)
    ]
    return fitted(_COLUMNS, rows, width)


def bench_tail(result: BenchResult) -> list[str]:
    """Return a line for each thing that was not measured, and why."""
    return [f"not measured: {one.name}: {one.why}" for one in result.skipped]


def bench_summary(result: BenchResult) -> str:
    """Return a sentence of how the bench went."""
    failed = sum(one.ok is False for one in result.checks)
    how = "interrupted after" if result.is_interrupted else "measured in"
    words = f"{how} {duration(result.seconds)}"
    if result.bytes_written:
        words += f", {size_in_words(result.bytes_written)} written and removed"
    if failed:
        words += f"; {failed} check{'s' * (failed != 1)} failed: see NO above"
    return words


def _about(machine: BenchMachine) -> Iterator[tuple[str, str]]:
    """Yield what a machine says of itself."""
    if machine.cpu_name:
        yield "CPU", machine.cpu_name
    if not math.isnan(machine.memory_gb):
        yield "memory", f"{figure(machine.memory_gb, 3)} GB"
    for gpu in machine.gpus:
        known = not math.isnan(gpu.memory_gb)
        yield "GPU", f"{gpu.name}, {gpu.memory_gb:.0f} GB" if known else gpu.name
    for name, value in (
        ("system", machine.os),
        ("Python", machine.python),
        ("PyTorch", machine.torch),
        ("driver", machine.driver),
    ):
        if value:
            yield name, value


def _by_need(checks: tuple[Check, ...]) -> list[Check]:
    """Return checks, those first that failed."""
    return sorted(checks, key=lambda one: one.ok is not False)


def _grouped(lines: tuple[Line, ...]) -> list[Line]:
    """Return lines so that those of one thing stand together, in order of the first."""
    order: dict[str, int] = {}
    for one in lines:
        order.setdefault(_thing(one), len(order))
    return sorted(lines, key=lambda one: order[_thing(one)])


def _thing(line: Line) -> str:
    """Return the thing that a line is of: the first two words of its name."""
    return ".".join(line.name.split(".")[:2])


def _spread(line: Line) -> str:
    """Return by how much the readings differ: one standard deviation."""
    if line.log_sd is None:
        return ""
    return f"±{100.0 * math.expm1(line.log_sd):.0f} %"
