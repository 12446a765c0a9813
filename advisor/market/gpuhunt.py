"""Offers of other providers, as far as the library `gpuhunt` can list them.

The library (extra ``gpuhunt``) brings list prices: of providers whose catalog its
authors publish, and of those for which the environment has an account of its own.
It says what an instance costs and how much of what it has; which CPU that is, how
reliable a machine or how fast its disk, it does not say, and so nobody knows.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Iterable
from typing import Any

from advisor.base.clock import Clock
from advisor.base.errors import MarketError, UsageError
from advisor.base.late import LateError, within
from advisor.base.resources import installing
from advisor.base.units import MIB_PER_GIB
from advisor.market.types import Answer, MarketContext, Query, Record

NAME = "gpuhunt"
DEADLINE_S = 120.0
_ASKED_ELSEWHERE = "vastai"  # by a client of our own, which sees more
_GPU_VENDORS = ("nvidia", "amd", "intel")

# RTX4070TiSUPER, RTXPRO6000, RTX6000Ada, H100NVL: the library writes no blanks.
_BLANKS = re.compile(
    r"(?<=RTX)(?=PRO|\d)|(?<=PRO)(?=\d)|(?<=\d)(?=Ti|SUPER|Ada|NVL)|(?<=Ti)(?=SUPER)"
)
_WITHOUT_RTX = re.compile(r"A[456][05]00")
_OTHERWISE = {"RTX6000": "Quadro RTX 6000"}  # the one of 2018, with 24 GB


class GpuhuntMarket:
    """The catalog of the library as a market that only lists.

    Parameters
    ----------
    load : returns the library's `Catalog`, loaded
    clock : time
    """

    name = NAME
    origin = "gpuhunt catalog"

    def __init__(self, load: Callable[[], Any], clock: Clock) -> None:
        self._load = load
        self._clock = clock

    def search(self, query: Query) -> Answer:  # noqa: ARG002  (all is checked later)
        """Return every offer of every provider that can be listed.

        What is there on demand and interruptible is one offer with both prices.
        Whether the answer is complete is unknown: a provider is not bound to have
        what it lists.

        Raises
        ------
        MarketError
            if no provider can be listed
        """
        notes: list[str] = []
        try:
            items = within(DEADLINE_S, lambda: self._items(notes))
        except LateError as error:
            message = f"gpuhunt did not load its catalog in {DEADLINE_S:.0f} s"
            raise MarketError(f"{message}; try again later") from error
        return Answer(
            records=records_of(items),
            market=self.name,
            origin=self.origin,
            fetched_at=self._clock.now(),
            complete=None,
            notes=tuple(notes),
        )

    def _items(self, notes: list[str]) -> list[Any]:
        """Return the items of all providers, and note which could not be listed."""
        try:
            catalog = self._load()
        except Exception as error:  # the library's own, and those of urllib
            message = f"gpuhunt cannot load its catalog: {_reason(error)}"
            raise MarketError(message) from error
        published = sorted(catalog.catalog)
        asked = sorted({provider.NAME for provider in catalog.providers})
        items: list[Any] = []
        listed: list[str] = []
        for name in [*published, *asked]:
            if name == _ASKED_ELSEWHERE:
                continue
            try:
                items += catalog.query(provider=name)
            except Exception as error:  # each has errors of its own
                notes.append(f"gpuhunt cannot list {name}: {_reason(error)}")
            else:
                listed.append(name)
        if not listed:
            message = "gpuhunt can list no provider: check the network, try again later"
            raise MarketError(message)
        notes.append(f"list prices of {', '.join(listed)}, by the library gpuhunt")
        return items


def open_gpuhunt(context: MarketContext) -> GpuhuntMarket:
    """Return the catalog of the library.

    Raises
    ------
    UsageError
        if the library is not installed
    """
    try:
        import gpuhunt  # noqa: PLC0415  (an extra)
    except ImportError as error:
        message = f"market gpuhunt needs a library: {installing('gpuhunt')}"
        raise UsageError(message) from error
    # What it logs of a provider that it skips is no error of the user's.
    logging.getLogger("gpuhunt").addHandler(logging.NullHandler())
    return GpuhuntMarket(gpuhunt.default_catalog, context.clock)


def records_of(items: Iterable[Any]) -> list[Record]:
    """Return the items with GPUs as records in the market's names and units.

    An item on demand and one that can be interrupted are one offer, if all else is
    equal: its `dph_total` is the price on demand, its `min_bid` the other. What is
    only there to be interrupted has no `dph_total`.
    """
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for item in items:
        if item.gpu_count and item.gpu_vendor in _GPU_VENDORS:
            record = found.setdefault(_identity(item), _record(item))
            price = "min_bid" if item.spot else "dph_total"
            record[price] = min(item.price, record.get(price, item.price))
    for record in found.values():
        record["is_bid"] = "dph_total" not in record
    return list(found.values())


def gpu_name(name: str) -> str:
    """Return a GPU's name as people write it: ``RTX4070TiSUPER``, ``A4000`` ..."""
    spaced = _OTHERWISE.get(name) or _BLANKS.sub(" ", name)
    return f"RTX {spaced}" if _WITHOUT_RTX.fullmatch(spaced) else spaced


def _record(item: Any) -> dict[str, Any]:
    """Return what an item says, without its price; memory is in GiB there."""
    figures = {
        "num_gpus": item.gpu_count,
        "gpu_ram": item.gpu_memory and item.gpu_memory * MIB_PER_GIB,
        "cpu_cores_effective": item.cpu,
        "cpu_ram": item.memory * MIB_PER_GIB,
        "disk_space": item.disk_size,
    }
    return {
        "id": _offer_id(item),
        "provider": item.provider,
        "instance_name": item.instance_name,
        "gpu_name": gpu_name(item.gpu_name or ""),
        "geolocation": item.location,
        **{name: value for name, value in figures.items() if value is not None},
    }


def _identity(item: Any) -> tuple[Any, ...]:
    """Return what distinguishes offers, but for how they are paid."""
    what = (item.provider, item.instance_name, item.location)
    size = (item.gpu_name, item.gpu_memory, item.gpu_count, item.cpu, item.memory)
    return (*what, *size, item.disk_size)


def _offer_id(item: Any) -> int:
    """Return a positive number that an offer has today and tomorrow."""
    digest = hashlib.sha256(repr(_identity(item)).encode()).digest()
    return int.from_bytes(digest[:6], "big") + 1


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
