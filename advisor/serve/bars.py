"""The chart of the calculator: where the time goes, on the CPU alone and with the GPU.

It is drawn on the server, in percent of its own width: no script, no inline style.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from advisor.base.figures import duration
from advisor.throughput.speedup import Times

_LEAST_SHARE = 0.004
"""What takes less of the longer bar than this cannot be seen."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar; its place and its length are percent of the longest bar.

    Attributes
    ----------
    name : of the part, as the JSON has it
    label : for people
    start, length : percent
    time : for people
    """

    name: str
    label: str
    start: float
    length: float
    time: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar: one side of the comparison.

    Attributes
    ----------
    label : for people
    segments : from left to right
    end : percent at which it ends
    total : for people
    """

    label: str
    segments: Sequence[Segment]
    end: float
    total: str


def bars(times: Times) -> Sequence[Bar]:
    """Return the bars of both sides, on one scale."""
    longest = max(times.cpu_s, times.gpu_s)
    sides = (
        (
            "CPU alone",
            times.cpu_s,
            (
                ("serial", "on one core", times.serial_s),
                ("parallel", "on all cores in use", times.parallel_s),
            ),
        ),
        (
            "with the GPU",
            times.gpu_s,
            (
                ("serial", "on one core", times.serial_s),
                ("compute", "on the GPU", times.compute_s),
                ("launch", "calls that the GPU waits for", times.launch_s),
                ("transfer", "copies", times.transfer_s),
                ("start_up", "start-up of the GPU", times.start_up_s),
            ),
        ),
    )
    return [
        Bar(
            label,
            list(_segments(parts, longest)),
            100.0 * total / longest,
            duration(total),
        )
        for label, total, parts in sides
    ]


def _segments(
    parts: Sequence[tuple[str, str, float]], longest: float
) -> Iterator[Segment]:
    start = 0.0
    for name, label, seconds in parts:
        length = seconds / longest
        if length >= _LEAST_SHARE:
            yield Segment(name, label, 100.0 * start, 100.0 * length, duration(seconds))
        start += length
