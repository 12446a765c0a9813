"""What of this machine no other one gets."""

from __future__ import annotations

from advisor.app.context import Environment
from advisor.market.vast.key import all_keys
from advisor.rental.outgoing.decide import Private


def private_of(environment: Environment) -> Private:
    """Return what of this machine no other one gets."""
    return Private(
        all_keys(environment.variables, environment.home),
        (environment.data_folder, environment.cache_folder),
        environment.home,
    )
