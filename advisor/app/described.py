"""A machine as a person describes it: what is meant by it, and what cannot be."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import cast

from advisor.base.errors import Given, UsageError
from advisor.hardware.cpus import CpuTable
from advisor.hardware.gpus import Gpu
from advisor.hardware.names import gpu_key, mig_profile
from advisor.market.offers import MOST_GPUS

_THREADS = (0.01, 100_000.0)
_CLOCK_GHZ = (0.1, 20.0)
"""Outside these a number is a slip, such as a clock in MHz."""


def card_of(meant: Gpu, query: str) -> tuple[str, float]:
    """Return the name and the memory, GiB, of a card as it is stated."""
    stated_gb, profile = gpu_key(query).memory_gb, mig_profile(query)
    if profile is not None:
        part = f"MIG {profile.slices:.0f}g.{profile.memory_gb:.0f}gb"
        return f"{meant.name} {part}", profile.memory_gb
    return meant.name, meant.memory_gb if math.isnan(stated_gb) else stated_gb


def meant_cpu(
    cpus: CpuTable,
    name: str | None,
    threads: float | None = None,
    cpu_ghz: float | None = None,
) -> str | None:
    """Return the name of the CPU that a user means, as a host would report it.

    Parameters
    ----------
    cpus : the known CPUs
    name : as the user writes it, None: not at all
    threads, cpu_ghz : which describe a CPU whose name says nothing, None: they do not

    Raises
    ------
    advisor.base.errors.UsageError
        if it names nothing, and nothing describes it
    """
    if name is None or cpus.resolve(name) is not None:
        return name
    try:
        return cpus.find(name).name
    except UsageError as error:
        if (threads, cpu_ghz) != (None, None):
            return name
        described = (Given("threads"), " and ", Given("cpu_ghz"))
        raise UsageError(*(*error.parts, "; or describe it with ", *described)) from None


def check_machine(
    num_gpus: object, threads: object = None, cpu_ghz: object = None
) -> None:
    """Refuse what no machine has.

    Raises
    ------
    advisor.base.errors.UsageError
        if a number cannot be right
    """
    _check_count(num_gpus)
    _check_range("threads", threads, _THREADS)
    _check_range("cpu_ghz", cpu_ghz, _CLOCK_GHZ)


def _check_count(num_gpus: object) -> None:
    """Refuse a number of GPUs that no machine has."""
    whole = isinstance(num_gpus, Integral) and not isinstance(num_gpus, bool)
    if not (whole and 1 <= cast("int", num_gpus) <= MOST_GPUS):
        expected = f": a whole number of 1 to {MOST_GPUS:,} is expected"
        raise UsageError(Given("num_gpus"), f"{expected}, not {num_gpus!r}")


def _check_range(name: str, value: object, bounds: tuple[float, float]) -> None:
    """Refuse a figure that no machine has."""
    if value is None:
        return
    least, most = bounds
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not (number and least <= cast("float", value) <= most):  # a NaN is neither
        expected = f": a number from {least:g} to {most:,g} is expected"
        raise UsageError(Given(name), f"{expected}, not {value!r}")
