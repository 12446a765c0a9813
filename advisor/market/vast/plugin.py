"""Vast.ai as a plug-in: what is said of its keys costs no import of its client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from advisor.base.resources import cache_folder
from advisor.market.types import MarketContext
from advisor.market.vast.key import all_keys, find_key

if TYPE_CHECKING:
    from advisor.market.vast.client import VastMarket


class VastPlugin:
    """Opens the live market; see `advisor.market.types.KeyedPlugin`."""

    def __call__(self, context: MarketContext, /) -> VastMarket:
        """Return the market with the user's key, at ``VAST_URL`` if it is set.

        Raises
        ------
        UsageError
            if the key or the address cannot be one
        """
        from advisor.market.remembered import Memory, memory_file  # noqa: PLC0415
        from advisor.market.vast.client import (  # noqa: PLC0415  (brings in httpx)
            ADDRESS,
            DEFAULT_URL,
            VastMarket,
        )

        url = context.variables.get(ADDRESS, "").strip() or DEFAULT_URL
        key = find_key(context.variables, context.home)
        folder = cache_folder(context.variables)
        path = memory_file(folder, url, key.value if key else None)
        clock, transport = context.clock, context.transport
        return VastMarket(key, url, transport, clock=clock, memory=Memory(path))

    def has_key(self, context: MarketContext, /) -> bool:
        """Say whether the user has a key.

        Raises
        ------
        UsageError
            if a key file cannot be read or a key cannot be one
        """
        return find_key(context.variables, context.home) is not None

    def secrets(self, context: MarketContext, /) -> tuple[str, ...]:
        """Return every key that the user has, also those not in use."""
        return all_keys(context.variables, context.home)


VAST = VastPlugin()
