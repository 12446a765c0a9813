"""How a cluster of rented machines adapts to its tasks."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from distributed.deploy import Adaptive

from advisor.base.errors import UsageError
from advisor.rental import arguments

WORTH_S = 600.0
"""Seconds of work that are worth a machine to `Cluster.adapt`: about as long as one takes
to start, which is paid for; an assumption."""

PAUSE_S = 300.0
"""Seconds for which `Cluster.adapt` asks for no further machine after one could not be
had: a market changes in minutes; an assumption."""

SAY_HOW_MANY = "machines differ in memory and cores: say how many there shall be"

_EVERY_S = 10.0
_IDLE_LOOKS = 6  # a machine that was idle for a minute is given back
_BY_SIZE = ("_cores", "_memory")

USUAL = {
    "interval": _EVERY_S,
    "wait_count": _IDLE_LOOKS,
    "target_duration": WORTH_S,
}
"""Of `distributed.deploy.Adaptive`."""


class RentedAdaptive(Adaptive):
    """Dask's, which waits for a while after a machine could not be had."""

    async def recommendations(self, target: int) -> dict[str, Any]:
        """Return what is to be done."""
        if target > len(self.plan) and self.cluster.pauses:
            return {"status": "same"}
        found: dict[str, Any] = await super().recommendations(target)
        return found

    async def scale_down(self, workers: Collection[str]) -> None:
        """Close places; each retires its workers itself."""
        if workers:
            await self.cluster.scale_down(workers)


def most_of(minimum: object, maximum: Any, most: int, more: Collection[str] = ()) -> int:
    """Return the largest number of machines there may be, checked with the smallest.

    Parameters
    ----------
    minimum, maximum : asked for; `maximum` may be None
    most : of the cluster
    more : names of what else is asked for

    Raises
    ------
    UsageError
        if there can never be so few or so many
    """
    for name in more:
        if name.endswith(_BY_SIZE):
            message = f"{name}: {SAY_HOW_MANY}"
            raise UsageError(message)
    allowed = most if maximum is None else min(maximum, most)
    if allowed != 0:
        allowed = arguments.whole("maximum", allowed) or 0
    if minimum != 0:
        arguments.whole("minimum", minimum, allowed)
    return int(allowed)
