"""One rental of the simulated market, and how the API shows it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from advisor.market.lifecycle import Endpoint
from advisor.market.offers import HOURS_PER_MONTH
from advisor.simulator.billing import Meter
from advisor.simulator.boot import Boot
from advisor.simulator.box import Box, Holding
from advisor.simulator.fitness import Unfit

_ASK_ONLY = ("ask_contract_id", "avail_vol_ask_id", "bundled_results", "score", "search")
_SSH = "22/tcp"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a buyer asks for beside the offer.

    Attributes
    ----------
    image, label, onstart, runtype : as in the request; label None for none
    env : variables, and docker options such as ``-p 8000:8000``
    disk_gb : GB of disk
    bid_usd_per_hour : for all GPUs, $/h; None on demand
    cancel_unavail : rather nothing than a contract that waits for a place
    """

    image: str
    disk_gb: float
    label: str | None = None
    onstart: str = ""
    runtype: str = "ssh_proxy"
    env: Mapping[str, str] = field(default_factory=dict)
    bid_usd_per_hour: float | None = None
    cancel_unavail: bool = False


@dataclass(slots=True, eq=False)
class Contract:
    """A rental, from the request to the end.

    Attributes
    ----------
    instance_id, account_id, key : ids, and the key for this instance alone
    wish : what was asked for
    box, holding : the machine, and its GPUs if they are free for this rental
    ask : the offer as it was
    boot : how the first start goes
    gpu_usd_per_hour : price on demand, or the bid
    created_unix_s, end_unix_s : of the contract; the end None where not said
    meter : what it costs
    label, status, intended, message : as the market shows them now
    has_image : whether the image is there
    has_run : whether it ever came to run
    is_broken : never runs, whatever is done
    unfit : why the machine does not run the image; None if it does
    pulled_unix_s : when the image began to come; None if it does not now
    running_unix_s : since when it runs; None if it does not
    destroyed_unix_s : when it ended; None before
    endpoint : where ssh answers, if a host runs containers (`has_host`)
    ssh_keys : public keys that it lets in
    plan : number of what is planned for it now; what an older number planned is void
    """

    instance_id: int
    account_id: int
    key: str = field(repr=False)
    wish: Wish
    box: Box
    holding: Holding
    ask: Mapping[str, Any]
    boot: Boot
    gpu_usd_per_hour: float
    created_unix_s: float
    end_unix_s: float | None
    meter: Meter
    label: str | None = None
    status: str | None = None
    intended: str = "running"
    message: str | None = None
    has_image: bool = False
    has_run: bool = False
    is_broken: bool = False
    unfit: Unfit | None = None
    pulled_unix_s: float | None = None
    running_unix_s: float | None = None
    destroyed_unix_s: float | None = None
    endpoint: Endpoint | None = None
    has_host: bool = False
    ssh_keys: list[str] = field(default_factory=list)
    plan: int = 0

    @property
    def is_bid(self) -> bool:
        """Whether others can outbid it."""
        return self.holding.bid_usd_per_gpu_hour is not None

    @property
    def is_over(self) -> bool:
        """Whether it has ended for good."""
        return self.destroyed_unix_s is not None

    @property
    def disk_usd_per_hour(self) -> float:
        """What the disk costs, $/h."""
        return float(self.ask["storage_cost"]) * self.wish.disk_gb / HOURS_PER_MONTH

    def row(self, now: float) -> dict[str, Any]:
        """Return the instance as the market's JSON has it."""
        since = self.running_unix_s
        running = since is not None
        gpu_ids = self.holding.gpu_ids
        return {
            **{name: value for name, value in self.ask.items() if name not in _ASK_ONLY},
            "id": self.instance_id,
            "actual_status": self.status,
            "intended_status": self.intended,
            "cur_state": "running" if self.box.holds(self.holding) else "stopped",
            "next_state": self.intended,
            "status_msg": self.message,
            "label": self.label,
            "is_bid": self.is_bid,
            "min_bid": self.box.least_bid(gpu_ids) * len(gpu_ids),
            "dph_base": self.gpu_usd_per_hour,
            "dph_total": self.gpu_usd_per_hour + self.disk_usd_per_hour,
            "storage_total_cost": self.disk_usd_per_hour,
            "instance": self._hourly(running=running),
            "disk_space": self.wish.disk_gb,
            "disk_usage": self.boot.image_gb if self.has_image else -1.0,
            "start_date": self.created_unix_s,
            "end_date": self.end_unix_s,
            "duration": None if self.end_unix_s is None else self.end_unix_s - now,
            "uptime_mins": None if since is None else (now - since) / 60,
            "gpu_util": 0.0 if running else None,
            "cpu_util": 0.0 if running else None,
            "image_uuid": self.wish.image,
            "image_runtype": self.wish.runtype,
            "image_args": [],
            "extra_env": [list(pair) for pair in self.wish.env.items()],
            "onstart": self.wish.onstart or None,
            "rentable": False,
            "rented": True,
            "template_hash_id": None,
            **self._addresses(running=running),
        }

    def _hourly(self, *, running: bool) -> dict[str, Any]:
        """Return what the state that it is in costs, $/h."""
        gpu = self.gpu_usd_per_hour if running else 0.0
        total = gpu + self.disk_usd_per_hour
        return {
            **self.ask["instance"],
            "gpuCostPerHour": gpu,
            "diskHour": self.disk_usd_per_hour,
            "totalHour": total,
            "discountedTotalPerHour": total,
        }

    def _addresses(self, *, running: bool) -> dict[str, Any]:
        """Return where ssh answers, the stray blank of the real market included.

        Names and addresses are reserved for documentation, unless a container runs.
        """
        number = self.instance_id
        host, port = f"ssh{number % 9 + 1}.example", 10_000 + number % 20_000
        address, direct = str(self.ask["public_ipaddr"]), None
        if running and self.endpoint is not None:
            host = address = self.endpoint.host
            direct = self.endpoint.port
            # The proxy of a jupyter instance answers ssh one port higher.
            port = direct - ("jupyter" in self.wish.runtype)
        elif running and not self.has_host and "ssh_direc" in self.wish.runtype:
            direct = 40_000 + number % 20_000
        mapped = [
            {"HostIp": ip, "HostPort": str(direct)}
            for ip in ("0.0.0.0", "::")  # noqa: S104  (what the market's answers hold)
        ]
        return {
            "ssh_host": host,
            "ssh_port": port,
            "ssh_idx": str(number % 9 + 1),
            "public_ipaddr": f"{address} " if running else None,
            "ports": {_SSH: mapped} if direct is not None else {},
            "direct_port_start": -1 if direct is None else direct,
            "direct_port_end": -1 if direct is None else direct,
        }


def instance_key(seed: int, instance_id: int) -> str:
    """Return the key that an instance gets for itself alone."""
    return hashlib.sha256(f"instance {seed} {instance_id}".encode()).hexdigest()
