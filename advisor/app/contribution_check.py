"""Rows that somebody contributes are checked, as a pull request does.

The schema of the table, names that the tables know, bounds of physics, duplicates, and
that nothing in a row tells who measured it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from advisor.app.context import Context
from advisor.app.contribution import PROTOCOLS, Name, Row, shipped
from advisor.base.columns import number, read_records
from advisor.base.errors import UsageError
from advisor.base.figures import figure
from advisor.hardware.gpus import Gpu
from advisor.measure.bounds import (
    MOST_OF_BEST_CORE,
    most_matmul_tflops,
    most_of_core,
    most_rate,
)
from advisor.throughput.tables import Tables, load_tables
from advisor.workloads.profile import LOADERS, PRECISIONS

_SAME = 1e-3  # relative: figures that are the same but for rounding
_MOST_TEXT = 200
_MOST_GPUS = 8
_MOST_DIGITS = 20
_YEARS = (2012, 2100)

_FIGURES: Mapping[Name, tuple[str, ...]] = {
    "benchmarks": ("throughput", "log_spread", "reports"),
    "cpu_decode": ("rate",),
    "matmul": tuple(f"{name}_matmul_tflops" for name in ("fp32", "tf32", "fp16", "bf16")),
}
"""Columns that are measured; the others say of what."""

_TELLS_WHO: Mapping[str, re.Pattern[str]] = {
    "an address": re.compile(
        r"\b\d{1,3}(?:\.\d{1,3}){3}\b|[\w.+-]@[\w-]+\.[A-Za-z]{2,}\b", re.ASCII
    ),
    "a path": re.compile(r"(?:^|[\s'\"])(?:/[\w.-]+){2,}|~/|\b[A-Za-z]:\\", re.ASCII),
    "a key or an id": re.compile(r"\b[0-9a-fA-F]{24,}\b|\bGPU-[0-9a-f]{8}-", re.ASCII),
}
"""What no cell of a contribution holds, and how it is recognized."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a row.

    Attributes
    ----------
    line : of the file, from 1
    column : of the row, ``""`` for the whole
    words : what is wrong, and what is expected
    """

    line: int
    column: str
    words: str


@dataclass(frozen=True, slots=True)
class CheckedTable:
    """A file that was checked.

    Attributes
    ----------
    name : of the table whose form it has
    rows : how many it has
    problems : in the order of the rows
    """

    name: Name
    rows: int
    problems: tuple[Problem, ...]


def check_table(context: Context, path: Path) -> CheckedTable:
    """Check a file of rows for one of the shipped tables.

    Raises
    ------
    UsageError
        if it cannot be read, or its head is that of none of them
    """
    rows = read_records(path)
    name = _table_of(path, rows)
    checker = _Checker(name, load_tables(context.models), read_records(shipped(name)))
    problems = [
        one for at, row in enumerate(rows, 2) for one in checker.problems(at, row)
    ]
    return CheckedTable(name, len(rows), tuple(problems))


def _table_of(path: Path, rows: Sequence[Row]) -> Name:
    """Return the table that has the columns of some rows."""
    if not rows:
        raise UsageError(f"{path}: the table has no rows")
    heads: dict[Name, list[str]] = {
        name: list(read_records(shipped(name))[0]) for name in get_args(Name)
    }
    for name, head in heads.items():
        if list(rows[0]) == head:
            return name
    found = set(rows[0])
    nearest = max(heads, key=lambda name: len(found & set(heads[name])))
    lacking = [one for one in heads[nearest] if one not in found]
    more = [one for one in rows[0] if one not in heads[nearest]]
    parts = [f"lacks {', '.join(lacking)}"] * bool(lacking)
    parts += [f"has {', '.join(more)} beside"] * bool(more)
    what = " and ".join(parts) or "has them in another order"
    message = (
        f"{path}: the columns are of no table: compared with {nearest}.csv it {what}"
    )
    raise UsageError(message)


class _Checker:
    """Checks the rows of one file, one after the other.

    Parameters
    ----------
    name : of the table
    tables : hardware tables and model
    known : the shipped rows
    """

    def __init__(self, name: Name, tables: Tables, known: Sequence[Row]) -> None:
        self._name, self._tables = name, tables
        self._known = {self._key(row): row for row in known}
        self._like = _words_of_nets(known) if name == "benchmarks" else {}
        self._best = _best_rates(known) if name == "cpu_decode" else {}
        self._seen: dict[tuple[str, ...], int] = {}
        rules: Mapping[Name, Callable[[Row], Iterator[tuple[str, str]]]] = {
            "benchmarks": self._benchmark,
            "cpu_decode": self._decode,
            "matmul": self._matmul,
        }
        self._rules = rules[name]

    def problems(self, line: int, row: Row) -> Iterator[Problem]:
        """Yield what is wrong with the next row."""
        for column, cell in row.items():
            if words := _wrong_text(cell):
                yield Problem(line, column, words)
        for column, words in self._rules(row):
            yield Problem(line, column, words)
        key = self._key(row)
        if (first := self._seen.setdefault(key, line)) != line:
            yield Problem(line, "", f"it is line {first} once more")
        elif (other := self._known.get(key)) is not None and self._same(row, other):
            table = shipped(self._name).name
            yield Problem(line, "", f"{table} has this measurement already")

    def _key(self, row: Row) -> tuple[str, ...]:
        """Return what a row is a measurement of."""
        left_out = {*_FIGURES[self._name], "source", "quality", "file", "measurements"}
        return tuple(cell for column, cell in row.items() if column not in left_out)

    def _same(self, row: Row, other: Row) -> bool:
        """Say whether two rows have the same figures."""
        return all(
            row[name] == other[name]
            or math.isclose(_number(row[name]), _number(other[name]), rel_tol=_SAME)
            for name in _FIGURES[self._name]
        )

    def _benchmark(self, row: Row) -> Iterator[tuple[str, str]]:
        """Yield column and fault of a row of the benchmark table."""
        for name in ("workload", "family", "series", "unit", "source"):
            if not row[name]:
                yield name, "it is empty"
        yield from _one_of(row, "precision", (*PRECISIONS, ""))
        yield from _one_of(row, "host_bound", ("true", "false"))
        yield from _one_of(row, "loader", (*LOADERS, ""))
        yield from _counts(row, "num_gpus", _MOST_GPUS)
        yield from _counts(row, "reports", 10**6)
        yield from _numbers(row, "throughput", needed=True)
        for name in ("batch_size", "params_m", "gmacs"):
            yield from _numbers(row, name)
        yield from _within(row, "log_spread", 0.0, 5.0)
        yield from _within(row, "year", *_YEARS)
        for name, words in self._like.get(row["workload"], {}).items():
            if row[name] not in words:
                known = " or ".join(map(repr, sorted(words)))
                yield name, f"rows of {row['workload']} have {known}"
        card = self._tables.gpus.get(row["gpu"])
        if card is None:
            yield "gpu", self._no_gpu(row["gpu"])
        else:
            yield from self._beyond(row, card)

    def _beyond(self, row: Row, card: Gpu) -> Iterator[tuple[str, str]]:
        """Yield the fault of a rate that the card cannot reach."""
        rate, gmacs, count = (
            _number(row[name]) for name in ("throughput", "gmacs", "num_gpus")
        )
        counts_work = row["unit"] in {"samples/s", "tokens/s"}
        if not counts_work or row["task"] == "inference" or math.isnan(rate):
            return
        precision = row["precision"] or "amp"
        frozen = row["technique"] not in {"", "full"}
        if precision in PRECISIONS:
            most = count * most_rate(card, precision, gmacs, is_frozen=frozen)
            if rate > most:
                yield (
                    "throughput",
                    f"{count:g} x {card.name} does {figure(most, 3)} at most",
                )

    def _decode(self, row: Row) -> Iterator[tuple[str, str]]:
        """Yield column and fault of a row of the decode rates."""
        for name in ("library", "protocol", "source"):
            if not row[name]:
                yield name, "it is empty"
        is_own = row["protocol"] in PROTOCOLS.values()
        units = ("images/s",) if is_own else ("images/s", "Mpixel/s")
        yield from _one_of(row, "unit", units)
        yield from _numbers(row, "rate", needed=True)
        cpu = self._tables.cpus.resolve(row["cpu"])
        if cpu is None or cpu.name != row["cpu"]:
            meant = f"; did you mean {cpu.name}?" if cpu else ""
            yield "cpu", f"no CPU of the table is called {row['cpu']!r}{meant}"
        most = self._most_of_core(row)
        if _number(row["rate"]) > most:
            yield "rate", f"no core does more than {figure(most, 3)} {row['unit']} of it"

    def _most_of_core(self, row: Row) -> float:
        """Return the rate that no core reaches, of any library where one is not known."""
        if row["protocol"] == PROTOCOLS["core"]:
            line = f"decode.{row['library']}.core"
            of_core = most_of_core(line, self._tables.model.cpu)
            if of_core < math.inf:
                return of_core
        of_unit = {
            name: rate for (unit, name), rate in self._best.items() if unit == row["unit"]
        }
        best = of_unit.get(row["library"], max(of_unit.values(), default=math.inf))
        return MOST_OF_BEST_CORE * best

    def _matmul(self, row: Row) -> Iterator[tuple[str, str]]:
        """Yield column and fault of a row of the rates of matrix products."""
        yield from _counts(row, "measurements", 10**6)
        if not row["source"]:
            yield "source", "it is empty"
        rates = _FIGURES["matmul"]
        for name in rates:
            yield from _numbers(row, name)
        if not any(row[name] for name in rates):
            yield "", "it states no rate"
        card = self._tables.gpus.get(row["gpu"])
        if card is None:
            yield "gpu", self._no_gpu(row["gpu"])
            return
        for name in rates:
            most = most_matmul_tflops(card, name.partition("_")[0])
            if _number(row[name]) > most:
                yield name, f"{card.name} does {figure(most, 3)} TFLOP/s at most"

    def _no_gpu(self, name: str) -> str:
        meant = self._tables.gpus.resolve(name)
        hint = f"; did you mean {meant.name}?" if meant else ""
        return f"no GPU of the table is called {name!r}{hint}"


def _best_rates(known: Sequence[Row]) -> dict[tuple[str, str], float]:
    """Return (unit, library) -> the best published rate of a core."""
    best: dict[tuple[str, str], float] = {}
    for row in known:
        key = (row["unit"], row["library"])
        best[key] = max(best.get(key, 0.0), _number(row["rate"]))
    return best


def _words_of_nets(known: Sequence[Row]) -> dict[str, dict[str, set[str]]]:
    """Return net -> column -> the words that published rows of it have."""
    words: dict[str, dict[str, set[str]]] = {}
    for row in known:
        of_net = words.setdefault(row["workload"], {})
        for name in ("task", "family", "unit"):
            of_net.setdefault(name, set()).add(row[name])
    return words


def _wrong_text(cell: str) -> str:
    """Return why a cell cannot be published, ``""`` where it can."""
    if len(cell) > _MOST_TEXT or not cell.isprintable():
        return f"a text of at most {_MOST_TEXT} printable characters is expected"
    for what, found in _TELLS_WHO.items():
        if found.search(cell):
            return f"it seems to hold {what}: leave it out"
    return ""


def _one_of(row: Row, name: str, known: Sequence[str]) -> Iterator[tuple[str, str]]:
    if row[name] not in known:
        words = ", ".join(one or "nothing" for one in known)
        yield name, f"{row[name]!r} is none of {words}"


def _counts(row: Row, name: str, most: int) -> Iterator[tuple[str, str]]:
    cell = row[name]
    is_whole = cell.isascii() and cell.isdecimal() and len(cell) < _MOST_DIGITS
    if not (is_whole and 1 <= int(cell) <= most):
        yield name, f"{cell[:_MOST_DIGITS]!r} is no whole number of 1 to {most:,}"


def _numbers(row: Row, name: str, *, needed: bool = False) -> Iterator[tuple[str, str]]:
    if needed and not row[name]:
        yield name, "it is empty"
    elif row[name] and not 0.0 < _number(row[name]) < math.inf:
        yield name, f"{row[name]!r} is no number above zero"


def _within(row: Row, name: str, least: float, most: float) -> Iterator[tuple[str, str]]:
    if row[name] and not least <= _number(row[name]) <= most:
        yield name, f"{row[name]!r} is no number of {least:g} to {most:g}"


def _number(cell: str) -> float:
    """Return a cell as a number, NaN where it is none."""
    try:
        return number(cell)
    except ValueError:
        return math.nan
