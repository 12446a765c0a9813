"""How the market spells the CPUs of its hosts."""

from __future__ import annotations


def cpu_market_name(key: str, cores: int) -> str:
    """Return a CPU's name as the market spells it.

    The market takes the name of ``/proc/cpuinfo`` and drops "Intel(R)", "CPU"
    and what follows an "@"; a trailing blank is left where the "@" was.
    """
    brand, _, model = key.partition(" ")
    upper = " ".join(
        word if word in {"v3", "v4"} else word.upper() for word in model.split()
    )
    if brand == "epyc":
        return f"AMD EPYC {upper} {cores}-Core Processor"
    if brand == "threadripper":
        suffix = "-Cores" if upper.startswith("PRO") else "-Core Processor"
        return f"AMD Ryzen Threadripper {upper} {cores}{suffix}"
    if brand == "ryzen":
        return f"AMD Ryzen {upper} {cores}-Core Processor"
    if brand == "xeon":
        return _xeon_name(upper)
    return _core_name(brand, model)


def _xeon_name(model: str) -> str:
    """Return a Xeon's name; the newest have no clock in it and so no blank."""
    words = model.split()
    if len(words) == 2 and not words[0].startswith("E5"):
        line, number = words
        newest = number[1] in "45"  # fourth generation and later
        return f"Xeon® {line.capitalize()} {number}" + ("" if newest else " ")
    return f"Xeon® {model} "


def _core_name(brand: str, model: str) -> str:
    """Return a Core's, Celeron's or Pentium's name."""
    if brand != "core":
        return f"{brand.capitalize()}® {model.upper()} "
    if model.startswith("ultra"):
        _, level, number = model.split()
        return f"Core™ Ultra {level} {number.upper()}"
    series, number = model.split("-")
    generation = int(number[:2]) if number[0] == "1" else 0
    name = f"Core™ {series}-{number.upper()}"
    return f"{generation}th Gen {name}" if generation >= 11 else f"{name} "
