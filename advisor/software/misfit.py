"""What a machine says when it cannot run an image, read from its messages and logs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self, get_args

Misfit = Literal[
    "image_lacks_gpu",
    "driver_too_old",
    "cpu_arch",
    "host_ram_too_small",
    "gpu_memory_too_small",
    "gpu_error",
    "image_lacks_python",
]
"""Why a machine cannot run a job; the names are those of `advisor.software.fit.REASONS`,
of a host or a GPU whose memory does not suffice, of a GPU that fails where the cause may
be the machine's or the image's, and of an image in which no Dask runs. None of them
counts against the host."""

MISFITS: tuple[Misfit, ...] = get_args(Misfit)

_LONGEST = 200
_LARGEST_HOST_BYTES = 8e12
"""What is asked for beyond this is no want of memory but a mistake: the largest host of
the listings here has 2.1 TB; four times that is an assumption."""

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
            r"|forward compatibility was attempted on non supported HW"
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
            r"OOMKilled\b(?!\W{0,3}false)"
            r"|Memory cgroup out of memory"
            r"|Out of memory: Kill(?:ed)? process"
            r"|oom-kill:constraint=",
            re.IGNORECASE,
        ),
    ),
)

# A command prints what it likes: only the errors count that end it, not the warnings of
# the same matter. The container runs, so that its kind of CPU is right: "exec format
# error" is that of a script of the user's without its first line.
_IN_LOG: tuple[tuple[Misfit, re.Pattern[str]], ...] = (
    (
        "image_lacks_gpu",
        re.compile(
            r"error: no kernel image is available for execution on the device"
            r"|cudaErrorNoKernelImageForDevice"
            r"|CUDA_ERROR_NO_BINARY_FOR_GPU",
            re.IGNORECASE,
        ),
    ),
    (
        "driver_too_old",
        re.compile(
            r"error: The NVIDIA driver on your system is too old"
            r"|error: CUDA driver version is insufficient for CUDA runtime version"
            r"|error [^\n]*forward compatibility was attempted on non supported HW"
            r"|error: [^\n]*provided PTX was compiled with an unsupported toolchain",
            re.IGNORECASE,
        ),
    ),
    (
        "host_ram_too_small",
        re.compile(
            r"DefaultCPUAllocator: (?:can't allocate|not enough) memory: you tried to "
            r"allocate (?P<bytes>\d{1,30}) bytes",
            re.IGNORECASE,
        ),
    ),
)

_OUT_OF_GPU_MEMORY = re.compile(
    r"OutOfMemoryError: CUDA out of memory"
    r"|RuntimeError: CUDA out of memory"
    r"|CUDA_ERROR_OUT_OF_MEMORY"
    r"|RESOURCE_EXHAUSTED: Out of memory"
    r"|CUDA (?:driver )?error: out of memory\b"
)

_RAISED = re.compile(
    r"^(?:\[[^\]\n]*\]:?\s*)?(?:\w+\.)*(?P<name>[A-Z]\w*(?:Error|Exception|Interrupt))(?::|$)",
    re.MULTILINE,
)
_PASSED_ON = frozenset({"ChildFailedError", "CalledProcessError"})
"""What launchers of several processes raise of one that has failed."""

_KILLED_WORKER = re.compile(r"DataLoader worker \(pid[^)]*\) is killed by signal: Killed")

_OF_GPU = re.compile(
    r"CUDA error|CUDA_ERROR_|cudaError|No CUDA GPUs|CUDA unknown error"
    r"|CUBLAS_STATUS|CUDNN_STATUS|NCCL error|ncclUnhandledCudaError|NVML"
    r"|NVIDIA driver|CUDA driver|GPU is lost",
    re.IGNORECASE,
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

    @classmethod
    def at(cls, misfit: Misfit, text: str, place: int) -> Self:
        """Return what the line of a text shows that a place is in."""
        return cls(misfit, _line_at(text, place))


_WORDS = {
    "image_lacks_gpu": "the image has no code for this GPU",
    "driver_too_old": "the driver is too old for the image",
    "cpu_arch": "the image is built for another kind of CPU",
    "host_ram_too_small": "killed for want of host memory",
    "gpu_memory_too_small": "out of GPU memory",
    "gpu_error": "the GPUs do not compute",
    "image_lacks_python": "the image runs no Dask",
}


def symptom_of(text: str) -> Symptom | None:
    """Return the first symptom that a machine's own message shows, None if it shows none.

    Examples
    --------
    >>> symptom_of("unsatisfied condition: cuda>=12.8, please update your driver").misfit
    'driver_too_old'
    """
    return _first(text, _PATTERNS)


def symptom_in_log(text: str, *, counted: bool) -> Symptom | None:
    """Return the symptom that a command has ended with, None if it ended otherwise.

    Parameters
    ----------
    counted : whether the machine counts whom it kills for want of memory, so that what
        is printed of a kill shows nothing more

    Examples
    --------
    >>> symptom_in_log("OSError: [Errno 8] Exec format error: './a.sh'", counted=True)
    """
    patterns = [*_IN_LOG, ("gpu_memory_too_small", _OUT_OF_GPU_MEMORY)]
    if not counted:
        patterns.append(("host_ram_too_small", _KILLED_WORKER))
    found = _all(text, patterns)
    if not found:
        return None
    at, misfit = max(found)  # what was caught before, such as a batch too large, is past
    end = text.find("\n", at)
    later = (
        {match["name"] for match in _RAISED.finditer(text, end)} if end >= 0 else set()
    )
    return None if later - _PASSED_ON else Symptom.at(misfit, text, at)


def has_gpu_error(text: str) -> bool:
    """Say whether a text has an error that a GPU or its driver may have caused."""
    return _OF_GPU.search(text) is not None


def _first(
    text: str, patterns: Sequence[tuple[Misfit, re.Pattern[str]]]
) -> Symptom | None:
    found = _all(text, patterns)
    if not found:
        return None
    at, misfit = min(found)
    return Symptom.at(misfit, text, at)


def _all(
    text: str, patterns: Sequence[tuple[Misfit, re.Pattern[str]]]
) -> list[tuple[int, Misfit]]:
    """Return where each pattern is in a text, and what it shows."""
    return [
        (match.start(), misfit)
        for misfit, pattern in patterns
        for match in pattern.finditer(text)
        if _can_be(match)
    ]


def _can_be(match: re.Match[str]) -> bool:
    """Say whether what was asked for is an amount of memory that a host can have."""
    asked = match.groupdict().get("bytes")
    return asked is None or float(asked) <= _LARGEST_HOST_BYTES


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
