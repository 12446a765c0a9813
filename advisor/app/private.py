"""What of this machine no other one gets."""

from __future__ import annotations

from advisor.app.context import Context
from advisor.market.vast.key import all_keys
from advisor.rental.outgoing.decide import Private


def private_of(context: Context) -> Private:
    """Return what of this machine no other one gets."""
    return Private(
        all_keys(context.variables, context.home),
        (context.data_folder, context.cache_folder),
        context.home,
    )
