"""A simulated market: machines first, then the offers that a market makes of them.

`build_machines` draws machines that could stand in a rack, `list_offers` writes
what the market would show of one of them, `generate_offers` does both. What is
drawn is calibrated on published statistics (`load_calibration`).
"""

from advisor.simulator.generate.calibration import Calibration, load_calibration
from advisor.simulator.generate.draws import Draws
from advisor.simulator.generate.hosts import Host
from advisor.simulator.generate.listing import list_offers, offered_sizes
from advisor.simulator.generate.machines import Machine, build_machines
from advisor.simulator.generate.sample import generate_offers

__all__ = [
    "Calibration",
    "Draws",
    "Host",
    "Machine",
    "build_machines",
    "generate_offers",
    "list_offers",
    "load_calibration",
    "offered_sizes",
]
