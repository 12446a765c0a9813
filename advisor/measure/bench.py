"""What a bench found, read back with care: a rented machine is a stranger.

The program in `advisor.measure.probe` prints one JSON document. Whatever says to be one,
a file of the user's or the output of a rented machine, passes here: its size, its kind
and version, that every figure is a finite number within what any machine could do, that
names are names, and that no text can steer a terminal. What a newer program adds beside
the known keys is passed over.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

from advisor.base.errors import UsageError
from advisor.base.log import happened
from advisor.hardware.measured import LEAST
from advisor.market.values import read_text
from advisor.measure.probe.lines import KIND, VERSION, Check, Line, Skipped

MODES = ("quick", "full")

MAX_BYTES = 2**20
"""Bytes of a document: one of 16 GPUs with everything measured has some 60 kB."""

_MAX_ENTRIES = 4_000  # lines, checks or parts left out; GPUs have a bound of their own
_MAX_GPUS = 64
_MAX_TEXT = 400
_MAX_LOG_SD = 20.0
_NAME = re.compile(r"(?=.{1,80}\Z)[a-z0-9_]+(?:[.\-+/][a-z0-9_]+)*", re.ASCII)

LARGEST: Mapping[str, float] = {
    "cores": 1e5,
    "MB/s": 1e7,
    "GB/s": 1e6,
    "Mbit/s": 1e7,
    "TFLOP/s": 1e6,
    "images/s": 1e8,
    "samples/s": 1e9,
    "W": 1e5,
    "MHz": 1e5,
}
"""Unit -> a figure that no machine comes near, by a factor of ten and more; any other
unit ends at `_LARGEST`."""

_LARGEST, _SMALLEST = 1e15, 1e-12
"""What is nearer to 0 is taken as 0: no share of another figure is without an end."""


@dataclass(frozen=True, slots=True)
class BenchGpu:
    """A GPU as the machine names it; NaN for what it does not say.

    Attributes
    ----------
    name : as the driver or PyTorch says it
    memory_gb : of memory, 2^30 bytes as cards are sold
    compute_capability : CUDA's, such as 8.9
    is_slice : whether it is a part of a card, split by MIG
    """

    name: str
    memory_gb: float = math.nan
    compute_capability: float = math.nan
    is_slice: bool = False

    def document(self) -> dict[str, Any]:
        """Return it as plain data for JSON; null is unknown."""
        return {
            "name": self.name,
            "memory_gb": _known(self.memory_gb),
            "compute_capability": _known(self.compute_capability),
            "mig": self.is_slice,
        }


@dataclass(frozen=True, slots=True)
class BenchMachine:
    """What a machine says of itself; ``""`` and NaN for what it does not say.

    Attributes
    ----------
    cpu_name : of its CPU
    cores : hardware threads that the program may use
    memory_gb : of the host, 10^9 bytes
    os, python, torch, driver : versions
    gpus : one entry per GPU, in their order
    """

    cpu_name: str = ""
    cores: float = math.nan
    memory_gb: float = math.nan
    os: str = ""
    python: str = ""
    torch: str = ""
    driver: str = ""
    gpus: tuple[BenchGpu, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return it as plain data for JSON; null is unknown."""
        return {
            "cpu_name": self.cpu_name or None,
            "cores": _known(self.cores),
            "memory_gb": _known(self.memory_gb),
            "os": self.os,
            "python": self.python,
            "torch": self.torch or None,
            "driver": self.driver or None,
            "gpus": [gpu.document() for gpu in self.gpus],
        }


@dataclass(frozen=True)
class BenchResult:
    """What a bench found.

    Attributes
    ----------
    mode : one of `MODES`
    begun_unix_s : when it began, seconds since 1970 by the machine's own clock
    seconds : that it took
    bytes_written : to the machine's disk
    is_interrupted : whether it was ended before its end
    machine : what the machine says of itself
    checks : whether a training could run there at all
    lines : the figures, each name once
    skipped : what was not measured
    """

    mode: str
    begun_unix_s: float
    seconds: float
    bytes_written: int
    is_interrupted: bool
    machine: BenchMachine
    checks: tuple[Check, ...]
    lines: tuple[Line, ...]
    skipped: tuple[Skipped, ...]

    @cached_property
    def by_name(self) -> Mapping[str, Line]:
        """The lines by their names."""
        return {line.name: line for line in self.lines}

    def value(self, name: str) -> float:
        """Return the figure of a line, NaN where it was not measured."""
        line = self.by_name.get(name)
        return math.nan if line is None else line.value

    @property
    def cores_granted(self) -> float:
        """Cores that the container may use, NaN where the bench does not say."""
        granted = self.value("cores.granted")
        return self.machine.cores if math.isnan(granted) else granted

    def document(self) -> dict[str, Any]:
        """Return it as the program writes it, less what was passed over."""
        return {
            "kind": KIND,
            "version": VERSION,
            "mode": self.mode,
            "begun_unix_s": self.begun_unix_s,
            "seconds": self.seconds,
            "bytes_written": self.bytes_written,
            "interrupted": self.is_interrupted,
            "machine": self.machine.document(),
            "checks": [check._asdict() for check in self.checks],
            "lines": [line._asdict() for line in self.lines],
            "skipped": [skipped._asdict() for skipped in self.skipped],
        }


def read_bench(path: Path) -> BenchResult:
    """Read a file that ``advisor bench -o`` wrote.

    Raises
    ------
    UsageError
        if it cannot be read, is torn or is something else
    """
    try:
        with path.open("rb") as file:
            body = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{path} cannot be read: {reason}") from None
    happened("files", "%s read, %d bytes", path, len(body))
    return parse_text(body, str(path))


def parse_output(output: bytes, origin: str) -> BenchResult:
    """Return what the program printed: the last line of its standard output.

    Parameters
    ----------
    output : all of it, or its end
    origin : where it is from, for the message of an error

    Raises
    ------
    UsageError
        if the last line is no such document
    """
    *_, last = output.rstrip().rsplit(b"\n", 1)
    return parse_text(last, origin)


def parse_text(body: bytes, origin: str) -> BenchResult:
    """Return what a JSON document says; the errors of `parse_bench`."""
    if len(body) > MAX_BYTES:
        _refuse(origin, f"it is larger than {MAX_BYTES // 2**20} MiB")
    if not body.strip():
        _refuse(origin, "it is empty")
    if not body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        _refuse(origin, "it does not begin as JSON does")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:  # ValueError: also what is no Unicode
        place = getattr(error, "pos", None)
        where = f" at character {place:,}" if place is not None else ""
        _refuse(origin, f"it is torn, or no JSON{where}")
    return parse_bench(document, origin)


def parse_bench(document: object, origin: str = "the bench") -> BenchResult:
    """Return what a document says, as it was read from JSON.

    Parameters
    ----------
    origin : where it is from, for the message of an error

    Raises
    ------
    UsageError
        one line, if it is no result of a bench, of another version, or if a figure in it
        cannot be one
    """
    whole = _Found(document, origin)
    if whole.found.get("kind") != KIND:
        _refuse(origin, f'its "kind" is not "{KIND}"')
    version = whole.found.get("version")
    if type(version) is not int or version != VERSION:
        shown = version if type(version) is int and abs(version) < 10**6 else "unknown"
        _refuse(
            origin,
            f"it is of version {shown}, this advisor reads {VERSION}; measure again with "
            "the advisor that reads it",
        )
    mode = whole.found.get("mode")
    if mode not in MODES:
        whole.refuse("mode", f"one of {', '.join(MODES)}")
    lines = tuple(map(_line, whole.each("lines")))
    count = Counter(line.name for line in lines)
    if twice := [name for name, times in count.items() if times > 1]:
        _refuse(origin, f"the line {twice[0]} is in it twice")
    return BenchResult(
        mode=str(mode),
        begun_unix_s=whole.number("begun_unix_s", 1e11),
        seconds=whole.number("seconds", 1e7),
        bytes_written=int(whole.number("bytes_written", 1e15)),
        is_interrupted=whole.switch("interrupted"),
        machine=_machine(whole.part("machine")),
        checks=tuple(map(_check, whole.each("checks"))),
        lines=lines,
        skipped=tuple(
            Skipped(one.text("name"), one.text("why")) for one in whole.each("skipped")
        ),
    )


class _Found:
    """An object of the document.

    Parameters
    ----------
    found : what was read
    origin : of the document
    place : where in the document, such as ``"lines[3]."``
    """

    def __init__(self, found: object, origin: str, place: str = "") -> None:
        self._origin, self._place = origin, place
        if not isinstance(found, Mapping):
            _refuse(origin, f"{place.rstrip('.') or 'it'}: an object is expected")
        self.found: Mapping[str, Any] = found

    def refuse(self, key: str, expected: str) -> NoReturn:
        _refuse(self._origin, f"{self._place}{key}: {expected} is expected")

    def part(self, key: str) -> _Found:
        return _Found(self.found.get(key), self._origin, f"{self._place}{key}.")

    def each(self, key: str, most: int = _MAX_ENTRIES) -> Iterator[_Found]:
        found = self.found.get(key, [])
        if not isinstance(found, list) or len(found) > most:
            self.refuse(key, f"a list of at most {most:,}")
        for at, one in enumerate(found):
            yield _Found(one, self._origin, f"{self._place}{key}[{at}].")

    def number(self, key: str, most: float, usual: float | None = None) -> float:
        value = self.found.get(key)
        if value is None and usual is not None:
            return usual
        # A truth value is an int to Python; beyond 1e308 an int is no float.
        if type(value) not in {int, float} or not 0 <= value <= most:  # type: ignore[operator]
            self.refuse(key, f"a number of 0 to {most:g}")
        return float(value) if value >= _SMALLEST else 0.0  # type: ignore[arg-type, operator]

    def switch(self, key: str) -> bool:
        value = self.found.get(key)
        if not isinstance(value, bool):
            self.refuse(key, "true or false")
        return value

    def name(self, key: str) -> str:
        value = self.found.get(key)
        if not isinstance(value, str) or _NAME.fullmatch(value) is None:
            self.refuse(key, "a name such as disk.read.random")
        return value

    def text(self, key: str) -> str:
        """Return a text for people, without what steers a terminal, not too long."""
        value = self.found.get(key)
        if value is not None and not isinstance(value, str):
            self.refuse(key, "a text")
        return read_text(value[: 4 * _MAX_TEXT] if value else "")[:_MAX_TEXT]


def _machine(found: _Found) -> BenchMachine:
    return BenchMachine(
        cpu_name=found.text("cpu_name"),
        cores=found.number("cores", 1e5, math.nan),
        memory_gb=found.number("memory_gb", 1e6, math.nan),
        os=found.text("os"),
        python=found.text("python"),
        torch=found.text("torch"),
        driver=found.text("driver"),
        gpus=tuple(
            BenchGpu(
                one.text("name"),
                one.number("memory_gb", 1e5, math.nan),
                _capability(one),
                is_slice=one.found.get("mig") is True,
            )
            for one in found.each("gpus", _MAX_GPUS)
        ),
    )


def _capability(found: _Found) -> float:
    """Return a compute capability, which some write as a text."""
    value = found.found.get("compute_capability")
    if isinstance(value, str) and re.fullmatch(r"\d{1,2}\.\d", value, re.ASCII):
        return float(value)
    return found.number("compute_capability", 99.9, math.nan)


def _line(found: _Found) -> Line:
    name, unit = found.name("name"), found.text("unit")
    if re.fullmatch(r"[A-Za-z0-9/%]{0,20}", unit) is None:  # it is shown as it is
        found.refuse("unit", "a unit such as MB/s")
    value = found.number("value", LARGEST.get(unit, _LARGEST))
    spread = found.number("log_sd", _MAX_LOG_SD, -1.0)
    return Line(
        name=name,
        value=value if value >= LEAST else 0.0,  # what follows divides by it
        unit=unit,
        log_sd=None if spread < 0 else spread,
        repeats=int(found.number("repeats", 1e9, 1.0)),
        note=found.text("note"),
    )


def _check(found: _Found) -> Check:
    ok = found.found.get("ok")
    return Check(
        name=found.text("name"),
        ok=None if ok is None else found.switch("ok"),
        words=found.text("words"),
    )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _refuse(origin: str, why: str) -> NoReturn:
    raise UsageError(f"{origin} is no result of a bench: {why}")
