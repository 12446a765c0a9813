"""What a simulated rental costs, and the log that says so once more.

By the market's rules (https://docs.vast.ai, November 2026): the disk bills from the
creation to the end of the contract, whatever the instance does; the GPU part bills
while it is running, at the price on demand or at the bid; the image's traffic bills
by the GB.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from advisor.base.units import SECONDS_PER_HOUR


@dataclass(slots=True)
class Meter:
    """What one instance has cost so far, $.

    Attributes
    ----------
    since_unix_s : up to when the figures below are counted
    disk_usd_per_hour, gpu_usd_per_hour : what it costs from then on
    disk_usd, gpu_usd, traffic_usd : counted
    """

    since_unix_s: float
    disk_usd_per_hour: float
    gpu_usd_per_hour: float = 0.0
    disk_usd: float = 0.0
    gpu_usd: float = 0.0
    traffic_usd: float = 0.0

    def count(self, now: float) -> None:
        """Count up to now."""
        hours = (now - self.since_unix_s) / SECONDS_PER_HOUR
        self.disk_usd += hours * self.disk_usd_per_hour
        self.gpu_usd += hours * self.gpu_usd_per_hour
        self.since_unix_s = now

    def charge_gpu(self, now: float, usd_per_hour: float) -> None:
        """Let the GPU part cost so much from now on, 0 while it does not run."""
        self.count(now)
        self.gpu_usd_per_hour = usd_per_hour

    def end(self, now: float) -> None:
        """Let nothing cost anything from now on."""
        self.count(now)
        self.disk_usd_per_hour = self.gpu_usd_per_hour = 0.0

    def usd(self, now: float) -> float:
        """Return what has come together until now, $."""
        hours = (now - self.since_unix_s) / SECONDS_PER_HOUR
        running = hours * (self.disk_usd_per_hour + self.gpu_usd_per_hour)
        return self.disk_usd + self.gpu_usd + self.traffic_usd + running


@dataclass(slots=True)
class EventLog:
    """What happened, in order; entries are never changed.

    The kinds that a bill follows from: ``created`` (`disk_gb`,
    `storage_usd_per_gb_month`, `gpu_usd_per_hour`), ``status`` (`status`), ``price``
    (`gpu_usd_per_hour`), ``traffic`` (`gb`, `usd_per_gb`) and ``destroyed``.
    """

    entries: list[dict[str, Any]] = field(default_factory=list)

    def add(self, now: float, kind: str, **facts: Any) -> None:
        """Append an entry."""
        self.entries.append({"at_unix_s": now, "kind": kind, **facts})
