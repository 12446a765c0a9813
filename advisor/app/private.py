"""What of this machine no other one gets."""

from __future__ import annotations

from advisor.app.context import Context
from advisor.market.registry import known_secrets
from advisor.rental.outgoing.decide import Private


def private_of(context: Context) -> Private:
    """Return what of this machine no other one gets."""
    secrets = known_secrets(context.variables, context.home)
    for note in secrets.notes:
        context.notify_once(note)
    return Private(
        secrets.texts,
        (context.data_folder, context.cache_folder),
        context.home,
    )
