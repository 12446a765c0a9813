"""The price list of Nimbus, a provider that does not exist, as a market of advisor.

``advisor rank --market nimbus`` ranks the list that comes with this package,
``--market nimbus:PATH`` another one in the same form.
"""

from __future__ import annotations

import csv
import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from advisor.base.errors import UsageError
from advisor.market.types import Answer, MarketContext, Query

PRICES = Path(__file__).with_name("prices.csv")

MIB_PER_GB = 1024.0  # Nimbus writes GB, and means GiB


class NimbusMarket:
    """The market; to be made is to be opened.

    Parameters
    ----------
    context : what the world has; what stands after ``nimbus:`` is its `detail`
    """

    name = "nimbus"

    def __init__(self, context: MarketContext) -> None:
        self._path = Path(context.detail) if context.detail else PRICES

    def search(self, query: Query) -> Answer:  # noqa: ARG002  (all is checked later)
        """Return every offer of the list: advisor checks the constraints itself.

        Raises
        ------
        UsageError
            if the list cannot be read, or is none
        """
        try:
            with self._path.open(encoding="utf-8", newline="") as file:
                records = [record_of(row) for row in csv.DictReader(file)]
            listed = datetime.fromtimestamp(self._path.stat().st_mtime, UTC)
        except (OSError, ValueError, TypeError, KeyError, csv.Error) as error:
            message = f"{self._path} is no price list of Nimbus: {error}"
            raise UsageError(message) from error
        if not records:
            message = f"{self._path} lists nothing: leave out what stands after nimbus:"
            raise UsageError(message)
        return Answer(
            records=records,
            market=self.name,
            origin=str(self._path),
            fetched_at=listed,
            complete=True,
            simulated=True,  # there is no such provider
            notes=("list prices of Nimbus, without taxes",),
        )


def record_of(row: dict[str, str]) -> dict[str, Any]:
    """Return a row of the list as an offer, in advisor's names and units.

    What Nimbus does not say, such as the model of the CPU, is left out: advisor then
    widens its interval. A zero or a guess would be taken for the truth.
    """
    return {
        "id": offer_id(row["instance"], row["region"]),
        "instance_name": row["instance"],
        "geolocation": row["region"],
        "gpu_name": row["gpu"].removeprefix("GeForce "),
        "num_gpus": int(row["gpus"]),
        "gpu_ram": float(row["gpu_memory_gb"]) * MIB_PER_GB,
        "cpu_cores_effective": float(row["vcpus"]),
        "cpu_ram": float(row["memory_gb"]) * MIB_PER_GB,
        "disk_space": float(row["disk_gb"]),
        "dph_total": float(row["usd_per_hour"]),
    }


def offer_id(instance: str, region: str) -> int:
    """Return a number that an offer has today and tomorrow, whatever its price."""
    digest = hashlib.sha256(f"{instance}\n{region}".encode()).digest()
    return int.from_bytes(digest[:6], "big") + 1
