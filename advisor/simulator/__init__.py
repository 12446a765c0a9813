"""The market over a real socket, for trials and tests: no money, no machines.

`World` is what happens, `serve` lets it answer as the API of Vast.ai does. What the
official client and ours send is accepted; what goes wrong on the real market can be
made to go wrong here (`SCENARIOS`). Source of the rules: https://docs.vast.ai and the
source of the official client `vastai` 1.9.1 (November 2026); rates, times and sizes are
assumptions where their place says so.
"""

from advisor.simulator.clock import SimClock
from advisor.simulator.faults import Fault
from advisor.simulator.scenarios import SCENARIOS, Scenario
from advisor.simulator.server import serve
from advisor.simulator.world import World

__all__ = ["SCENARIOS", "Fault", "Scenario", "SimClock", "World", "serve"]
