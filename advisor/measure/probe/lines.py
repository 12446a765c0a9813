"""What a bench says of a machine: figures by name, checks, and what was not measured.

Names are words joined by dots, from the general to the special: ``decode.pillow.w4``,
``gpu0.matmul.bf16``. `docs/bench.md` lists them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

KIND = "advisor-bench"
VERSION = 1


class Line(NamedTuple):
    """One figure.

    Attributes
    ----------
    name : what was measured
    value : the median over the repeats
    unit : of the value
    log_sd : standard deviation of the logarithm over the repeats; None for one reading
    repeats : how often it was measured
    note : what a reader should know of it, empty for nothing
    """

    name: str
    value: float
    unit: str
    log_sd: float | None = None
    repeats: int = 1
    note: str = ""


class Check(NamedTuple):
    """Whether something that the training needs is there.

    Attributes
    ----------
    name : what was tried
    ok : whether it is there; None: that cannot be told here
    words : what was found, and what to do if it is not ok
    """

    name: str
    ok: bool | None
    words: str


class Skipped(NamedTuple):
    """What was not measured, and why."""

    name: str
    why: str


class Result:
    """What has been measured so far."""

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.machine: dict[str, Any] = {}
        self.checks: list[Check] = []
        self.lines: list[Line] = []
        self.skipped: list[Skipped] = []
        self.begun_unix_s = 0.0
        self.seconds = 0.0
        self.bytes_written = 0
        self.is_interrupted = False

    def document(self) -> dict[str, Any]:
        """Return it as plain data for JSON. No name of the host, no address, no key."""
        return {
            "kind": KIND,
            "version": VERSION,
            "mode": self.mode,
            "begun_unix_s": self.begun_unix_s,
            "seconds": self.seconds,
            "bytes_written": self.bytes_written,
            "interrupted": self.is_interrupted,
            "machine": self.machine,
            "checks": [check._asdict() for check in self.checks],
            "lines": [line._asdict() for line in self.lines],
            "skipped": [skipped._asdict() for skipped in self.skipped],
        }
