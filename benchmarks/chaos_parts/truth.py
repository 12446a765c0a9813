"""What launchers did, and what the market itself knows of the contracts made."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from advisor.rental.labels import read_label
from advisor.simulator.contract import Contract as Rented
from advisor.simulator.world import World
from chaos_parts.plans import Step


@dataclass(slots=True)
class Launched:
    """A launcher, from its start to its end; times are simulated, s since 1970.

    Attributes
    ----------
    step : what it was to do
    number : of the launch
    lane : of the schedule
    began, ended : when
    code : -9: killed; None: it hung, and was killed for that
    out, err : what it said
    where : line at which a signal came, ``""`` if none did
    stopped : when it was stopped, and until when
    signals : that were sent
    met : faults of the market that its requests met: when, kind of request, name
    """

    step: Step
    number: int
    lane: int
    began: float
    ended: float = 0.0
    code: int | None = None
    out: str = ""
    err: str = ""
    where: str = ""
    stopped: list[tuple[float, float]] = field(default_factory=list)
    signals: list[int] = field(default_factory=list)
    met: list[tuple[float, str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract as the market itself knows it.

    Attributes
    ----------
    number, account_id : ids
    job : what its label said when it was rented, ``""`` if that was none of ours
    ends : when its label says that it must be gone; inf if that was none of ours
    created, ended : when; the end inf while it is there
    reason : why it ended
    usd : billed
    usd_per_hour : while it runs
    """

    number: int
    account_id: int
    job: str
    ends: float
    created: float
    ended: float
    reason: str
    usd: float
    usd_per_hour: float


def contracts_of(world: World) -> list[Contract]:
    """Return all contracts that a market ever had."""
    with world.looked_at():
        reasons = {
            one["instance_id"]: one["reason"]
            for one in world.log.entries
            if one["kind"] == "destroyed"
        }
        return [
            _contract(one, reasons.get(number, ""), world.now)
            for number, one in world.rentals.contracts.items()
        ]


def _contract(one: Rented, reason: str, now: float) -> Contract:
    label = read_label(one.wish.label or "")
    over = one.destroyed_unix_s
    return Contract(
        number=one.instance_id,
        account_id=one.account_id,
        job="" if label is None else label.job,
        ends=math.inf if label is None else label.ends_unix_s,
        created=one.created_unix_s,
        ended=math.inf if over is None else over,
        reason=reason,
        usd=one.meter.usd(now),
        usd_per_hour=one.gpu_usd_per_hour + one.disk_usd_per_hour,
    )
