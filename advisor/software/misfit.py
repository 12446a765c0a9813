"""What a machine says when it cannot run an image, read from its messages and logs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

Misfit = Literal["image_lacks_gpu", "driver_too_old", "cpu_arch", "host_ram_too_small"]
"""Why a machine cannot run a job; the names are those of `advisor.software.fit.REASONS`
and of a host whose memory does not suffice. None of them is a fault of the host."""

MISFITS: tuple[Misfit, ...] = get_args(Misfit)

KILLED = 137
"""Exit code of what was killed (128 and SIGKILL), as the kernel does for memory."""

_LONGEST = 200

_PATTERNS: tuple[tuple[Misfit, re.Pattern[str]], ...] = (
    (
        "image_lacks_gpu",
        re.compile(
            r"no kernel image is available for execution on the device"
            r"|is not compatible with the current PyTorch installation"
            r"|cudaErrorNoKernelImageForDevice"
            r"|CUDA_ERROR_NO_BINARY_FOR_GPU"
            r"|unsupported gpu architecture",
            re.IGNORECASE,
        ),
    ),
    (
        "driver_too_old",
        re.compile(
            r"unsatisfied condition: \w+[<>=!]+[\d.]+"
            r"|NVIDIA driver on your system is too old"
            r"|CUDA driver version is insufficient for CUDA runtime version"
            r"|unsupported display driver / cuda driver combination"
            r"|provided PTX was compiled with an unsupported toolchain",
            re.IGNORECASE,
        ),
    ),
    (
        "cpu_arch",
        re.compile(
            r"exec format error"
            r"|no matching manifest for linux/\w+"
            r"|does not match the detected host platform",
            re.IGNORECASE,
        ),
    ),
    (
        "host_ram_too_small",
        re.compile(
            r"OOMKilled"
            r"|Memory cgroup out of memory"
            r"|Out of memory: Kill(?:ed)? process"
            r"|oom[-_]kill(?:er)?\b(?! 0)"
            r"|DataLoader worker \(pid[^)]*\) is killed by signal: Killed"
            r"|DefaultCPUAllocator: can't allocate memory"
            r"|DefaultCPUAllocator: not enough memory",
            re.IGNORECASE,
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Symptom:
    """What shows that a machine cannot run a job.

    Attributes
    ----------
    misfit : why
    evidence : what was said, on one line
    """

    misfit: Misfit
    evidence: str

    def __str__(self) -> str:
        return f"{_WORDS[self.misfit]} ({self.evidence})"


_WORDS = {
    "image_lacks_gpu": "the image has no code for this GPU",
    "driver_too_old": "the driver is too old for the image",
    "cpu_arch": "the image is built for another kind of CPU",
    "host_ram_too_small": "killed for want of host memory",
}


def symptom_of(text: str) -> Symptom | None:
    """Return the first symptom that a text shows, None if it shows none.

    Examples
    --------
    >>> symptom_of("unsatisfied condition: cuda>=12.8, please update your driver").misfit
    'driver_too_old'
    """
    found: list[tuple[int, Misfit]] = []
    for misfit, pattern in _PATTERNS:
        match = pattern.search(text)
        if match is not None:
            found.append((match.start(), misfit))
    if not found:
        return None
    at, misfit = min(found)
    return Symptom(misfit, _line_at(text, at))


def _line_at(text: str, at: int) -> str:
    """Return the line that a place is in, printable and not too long."""
    start = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    line = text[start : end if end >= 0 else len(text)]
    words = " ".join("".join(c if c.isprintable() else " " for c in line).split())
    if len(words) > _LONGEST:
        middle = words.find(" ".join(text[at : at + 20].split()))
        begin = max(min(middle, len(words) - _LONGEST), 0)
        words = words[begin : begin + _LONGEST]
    return words
