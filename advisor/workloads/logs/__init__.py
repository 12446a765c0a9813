"""Throughput read from what trainings print: no evidence, no rate.

A reading has parts, each with where it comes from: steps or samples counted between two
times, the batch, that it was a training, what was left out as warm-up, and how it ended.
`readers` has a module for each tool.
"""

from __future__ import annotations

from advisor.workloads.logs.found import Asked
from advisor.workloads.logs.reading import LogReading, Part, read_log

__all__ = ["Asked", "LogReading", "Part", "read_log"]
