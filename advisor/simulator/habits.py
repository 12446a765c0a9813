"""How a simulated market behaves: rates and chances, our choice where not sourced."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Habits:
    """How often things happen, per machine unless said otherwise.

    Attributes
    ----------
    arrivals_per_h : other buyers that ask for a machine, 1/h; 0 for none
    stay_h : mean time that another buyer stays, h
    bidders : share of other buyers that bid
    price_moves_per_h : changes of the price and the least bid, 1/h; 0 for none
    price_log_sd : spread of the log of one change, which pulls back to the first price
    repair_h : mean time until a machine that failed is back, h; 0 for no failures.
        Machines fail so often that they are up for the share `reliability`
    leaves_per_h : owners that take a machine off the market, for another one to come,
        1/h; 0 for none
    stuck, exits, goes_offline : chance that a first boot ends so
    slow_network : chance that a machine's network has a thousandth of what it
        advertises (755 Mbit/s advertised and 0.5 measured have been reported)
    """

    arrivals_per_h: float = 0.1
    stay_h: float = 6.0
    bidders: float = 0.4
    price_moves_per_h: float = 0.17
    price_log_sd: float = 0.06
    repair_h: float = 1.0
    leaves_per_h: float = 1 / 720
    stuck: float = 0.01
    exits: float = 0.005
    goes_offline: float = 0.005
    slow_network: float = 0.02


QUIET = Habits(
    arrivals_per_h=0,
    price_moves_per_h=0,
    repair_h=0,
    leaves_per_h=0,
    stuck=0,
    exits=0,
    goes_offline=0,
    slow_network=0,
)
"""Nothing happens by itself and every boot succeeds: for tests of one thing."""
