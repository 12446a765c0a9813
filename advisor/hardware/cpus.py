"""CPUs: what each model is, and which model a host's name means."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from advisor.hardware.names import cpu_key

_TABLE = Path(__file__).parent / "data" / "cpus.csv"

_SINGLE_SOCKET = re.compile(r"epyc \d\w\w\d(p?)")


@dataclass(frozen=True, slots=True)
class Cpu:
    """One CPU model; an unknown figure is NaN.

    Attributes
    ----------
    name : as published
    key : the name normalized, see `advisor.hardware.names.cpu_key`
    cores, threads : of one socket
    base_ghz, boost_ghz : nominal clocks, the boost of a single core
    year : in which the model was first seen in the published lists
    microarchitecture : such as ``"Zen 2"``
    segment : ``"server"``, ``"workstation"``, ``"desktop"`` or ``"laptop"``
    pcie_gen : PCIe generation of its own lanes
    l3_mb : L3 cache of one socket, MB
    single_thread_score : PassMark single-thread score, never unknown
    score_basis : ``"passmark"``; ``"geekbench6"``, bridged from Geekbench 6
        single-core: ln PassMark = 2.302 + 0.759 ln Geekbench; or
        ``"microarchitecture"``, boost clock x median score per GHz of boost of
        the CPUs of the same microarchitecture
    class_score : that product for every CPU, NaN where its class has too few
    source : where the figures come from
    """

    name: str
    key: str
    cores: float
    threads: float
    base_ghz: float
    boost_ghz: float
    year: float
    microarchitecture: str
    segment: str
    pcie_gen: float
    l3_mb: float
    single_thread_score: float
    score_basis: str
    class_score: float
    source: str


_IS_NUMBER = tuple(field.type == "float" for field in fields(Cpu))
_KEY = 1  # position of the key in a line
_MOST_NAMES = 65_536  # whose meaning is remembered


class CpuTable:
    """The known CPUs.

    Lines become `Cpu` objects when they are asked for: a ranking needs a few dozen
    of more than a thousand.

    Parameters
    ----------
    lines : the CPUs as the table's cells, each key once
    """

    __slots__ = ("_lines", "_meant")

    def __init__(self, lines: Iterable[Sequence[str]]) -> None:
        self._lines = {line[_KEY]: line for line in lines}
        self._meant: dict[str, Cpu | None] = {}

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def rows(self) -> tuple[Cpu, ...]:
        """All CPUs, in the table's order."""
        return tuple(_cpu(line) for line in self._lines.values())

    def resolve(self, name: str | None) -> Cpu | None:
        """Return the CPU that a host's name means, None where it is not known.

        Virtual, brand-only and absent names are unknown, and so is every model
        that is not in the table: nothing is guessed from a similar name. One rule
        goes beyond equality: an EPYC and its single-socket "P" are one chip with
        the same clocks, and either stands in for the other.
        """
        if not name:
            return None
        if name not in self._meant:
            if len(self._meant) >= _MOST_NAMES:
                self._meant.clear()
            self._meant[name] = self._resolve(cpu_key(name))
        return self._meant[name]

    def _resolve(self, key: str) -> Cpu | None:
        line = self._lines.get(key)
        if line is None and (twin := _SINGLE_SOCKET.fullmatch(key)):
            other = key.removesuffix("p") if twin[1] else f"{key}p"
            line = self._lines.get(other)
        return None if line is None else _cpu(line)


def load_cpus() -> CpuTable:
    """Load the CPU table that ships with the package."""
    with _TABLE.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        next(reader)
        return CpuTable(reader)


def _cpu(cells: Sequence[str]) -> Cpu:
    """Read one line of the table; an empty cell is an unknown number."""
    values = [
        float(cell or "nan") if is_number else cell
        for cell, is_number in zip(cells, _IS_NUMBER, strict=True)
    ]
    return Cpu(*values)  # type: ignore[arg-type]
