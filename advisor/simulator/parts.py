"""What the moving parts of a simulated market share."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.simulator.billing import EventLog
from advisor.simulator.fleet import Fleet
from advisor.simulator.habits import Habits
from advisor.simulator.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a simulated market that its others work with.

    Attributes
    ----------
    seed : of all draws
    habits : how often things happen
    timeline : what will happen
    fleet : machines and offers
    log : what happened
    """

    seed: int
    habits: Habits
    timeline: Timeline
    fleet: Fleet
    log: EventLog
