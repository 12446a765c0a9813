"""What scripts print before a training: its batch, its steps, where it resumes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from advisor.workloads.logs.found import Stated
from advisor.workloads.logs.text import Line

_PER_DEVICE = re.compile(
    r"(?:Instantaneous batch size per (?:device|GPU)|batch size per device)"
    r"[^:=]*[:=]\s*([\d,]+)"
)
_TOTAL = re.compile(
    r"(?:[Tt]otal train batch size|[Ee]ffective batch size)\s*\([^)]*\)"
    r"[^:=]*[:=]\s*([\d,]+)"
)
_ACCUMULATION = re.compile(r"[Gg]radient [Aa]ccumulation steps[^:=]*[:=]\s*([\d,]+)")
_STEPS = re.compile(r"[Tt]otal optimization steps[^:=]*[:=]\s*([\d,]+)")
_DEVICES = re.compile(
    r"All distributed processes registered\. Starting with (\d+) process"
    r"|^\s*Num processes: (\d+)"
)
_MEMBERS = re.compile(r"MEMBER: \d+/(\d+)")
_RESUMED = re.compile(
    r"(?:[Rr]esum\w*|[Cc]ontinuing)\b.*?"
    r"(?:checkpoint-|global[_ ]step[:= ]+|step[_= ])(\d+)"
)
_RESUMES = re.compile(r"\b(?:Resuming|Resumed|resuming|Continuing) (?:training )?from\b")


@dataclass(frozen=True, slots=True)
class Header:
    """What is printed before a training.

    Attributes
    ----------
    stated : the batch; None where it is not said
    steps : of the optimizer, of the whole training; None: not said
    start : step from which this run goes on; None: not said
    resumes : the line that says that it goes on with an earlier run, None if none does
    """

    stated: Stated | None
    steps: float | None
    start: float | None
    resumes: Line | None


def header_of(lines: Sequence[Line]) -> Header:
    """Return what the scripts of Hugging Face, accelerate, diffusers and kohya say."""
    found: dict[str, tuple[float, Line]] = {}
    resumes: Line | None = None
    for line in lines:
        text = line.text
        if "Running training" in text or "running training" in text:
            found = {name: one for name, one in found.items() if name == "devices"}
        for name, pattern, word in _FIELDS:
            if word in text and (match := pattern.search(text)):
                number = match[match.lastindex or 1]
                found[name] = (float(number.replace(",", "")), line)
        if "rom" in text and _RESUMES.search(text):
            resumes = line
    value = {name: figure for name, (figure, _) in found.items()}
    return Header(
        stated=_stated(found),
        steps=value.get("steps"),
        start=value.get("start"),
        resumes=resumes,
    )


def _stated(found: dict[str, tuple[float, Line]]) -> Stated | None:
    """Return the batch of a header's figures."""
    value = {name: figure for name, (figure, _) in found.items()}
    total, each = value.get("total"), value.get("each")
    accumulated = value.get("accumulation", 1.0)
    devices = value.get("devices")
    if total is not None:
        if each and devices is None and (total / (each * accumulated)).is_integer():
            devices = total / (each * accumulated)
        says = f"{total:,.0f} per step"
        if each and devices:
            says += f" ({each:,.0f} x {devices:,.0f} devices x {accumulated:,.0f})"
        return Stated(says, found["total"][1], per_step=total, devices=_whole(devices))
    if each is None:
        if devices is None:
            return None
        return Stated("", found["devices"][1], devices=_whole(devices))
    says = f"{each:,.0f} per device, {accumulated:,.0f} accumulated"
    line = found["each"][1]
    return Stated(says, line, per_device=each * accumulated, devices=_whole(devices))


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


_FIELDS = (
    ("each", _PER_DEVICE, "atch size per"),
    ("total", _TOTAL, "atch size"),
    ("accumulation", _ACCUMULATION, "ccumulation"),
    ("steps", _STEPS, "optimization steps"),
    ("start", _RESUMED, "rom"),
    ("devices", _DEVICES, " p"),
    ("devices", _MEMBERS, "MEMBER"),
)
"""Name of a figure, how it is printed, and a word that is in every such line."""
