"""Owners of machines: where they are and what they charge beside the GPU."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.simulator.generate.calibration import Calibration, GpuModel
from advisor.simulator.generate.draws import Draws

_TEST_NETWORKS = ("203.0.113", "198.51.100")  # RFC 5737: documentation only
_MARKUP = 4.0 / 3.0  # published prices are multiples of 4/3 cent: the host's, plus a fee


@dataclass(frozen=True, slots=True)
class Host:
    """The owner of machines at one place.

    Attributes
    ----------
    host_id : of the owner
    public_ipaddr : out of a network reserved for documentation
    geolocation : free text that ends in a country
    datacenter : the market's hosting type 1
    static_ip : whether the address stays
    storage_usd_per_gb_month : disk price
    inet_up_usd_per_gb, inet_down_usd_per_gb : traffic prices
    """

    host_id: int
    public_ipaddr: str
    geolocation: str
    datacenter: bool
    static_ip: bool
    storage_usd_per_gb_month: float
    inet_up_usd_per_gb: float
    inet_down_usd_per_gb: float


def draw_host(gpu: GpuModel, hosts: list[Host], draws: Draws, data: Calibration) -> Host:
    """Return a new owner, added to `hosts`, or one that is there already."""
    if hosts and not draws.chance(data.share("new_host", "all", "True")):
        return hosts[draws.integer(0, len(hosts))]
    datacenter = draws.chance(data.share("hosting_type", gpu.kind, "1"))
    group = f"hosting {int(datacenter)}"
    down = draws.quantile(data.quantiles["inet_down_cost", "all"])
    up = down * draws.quantile(data.quantiles["inet_up_over_down_cost", "all"])
    number = len(hosts)
    network = _TEST_NETWORKS[number // 254 % len(_TEST_NETWORKS)]
    host = Host(
        host_id=1000 + 211 * number + draws.integer(0, 211),
        public_ipaddr=f"{network}.{number % 254 + 1}",
        geolocation=_draw_geolocation(draws, data),
        datacenter=datacenter,
        static_ip=draws.chance(data.share("static_ip", group, "True")),
        storage_usd_per_gb_month=shown_price(
            draws.quantile(data.quantiles["storage_cost", "all"]), 0.01
        ),
        inet_up_usd_per_gb=round(up, 6),
        inet_down_usd_per_gb=round(down, 6),
    )
    hosts.append(host)
    return host


def _draw_geolocation(draws: Draws, data: Calibration) -> str:
    if draws.chance(data.share("odd", "all", "no_geolocation")):
        return ""
    return draws.pick(data.shares["geolocation", "all"])


def shown_price(price: float, step: float) -> float:
    """Return a price as the market shows it: the owner's, a round one, with the fee.

    Parameters
    ----------
    price : about what it shall be
    step : of the owner's price, same unit
    """
    return round(max(round(price / _MARKUP / step), 1) * step * _MARKUP, 6)
