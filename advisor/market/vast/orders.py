"""What Vast.ai is sent to rent a machine."""

from __future__ import annotations

import math
from typing import Any

from advisor.base.errors import UsageError
from advisor.market.lifecycle import Order

MAX_LABEL = 256
MAX_ONSTART = 4096
"""Characters that the market takes, https://docs.vast.ai (November 2026)."""

_RUNTYPE = "ssh_direc ssh_proxy"  # sic: the market's spelling


def order_body(order: Order) -> dict[str, Any]:
    """Return the body of a request to rent, in the market's names and units.

    Without a price the market rents on demand. `cancel_unavail` is what keeps a
    placement that fails from leaving a stopped contract, which bills its disk.
    """
    body: dict[str, Any] = {
        "client_id": "me",
        "image": order.image,
        "disk": order.disk_gb,
        "env": dict(order.env),
        "label": order.label,
        "onstart": order.onstart,
        "runtype": _RUNTYPE,
        "cancel_unavail": True,
    }
    if order.bid_usd_per_hour is not None:
        body["price"] = order.bid_usd_per_hour
    return body


def check_order(order: Order) -> None:
    """Refuse an order that the market would not take, or could not distinguish.

    Raises
    ------
    UsageError
        naming what is wrong
    """
    texts = (order.image, order.label, order.onstart, *order.env, *order.env.values())
    amounts = (
        order.disk_gb,
        1.0 if order.bid_usd_per_hour is None else order.bid_usd_per_hour,
    )
    wrong = {
        "the offer is no positive number": order.offer_id <= 0,
        "the image has no name": not order.image.strip(),
        "without a label a rental whose answer is lost cannot be found": not order.label,
        f"the label has more than {MAX_LABEL} characters": len(order.label) > MAX_LABEL,
        f"the start script has more than {MAX_ONSTART} characters": (
            len(order.onstart) > MAX_ONSTART
        ),
        "disk and bid must be finite numbers above zero": not all(
            math.isfinite(amount) and amount > 0 for amount in amounts
        ),
        "image, label, script and environment must be text": not all(
            map(_is_text, texts)
        ),
    }
    for what, is_wrong in wrong.items():
        if is_wrong:
            message = f"cannot rent offer {order.offer_id}: {what}"
            raise UsageError(message)


def _is_text(value: str) -> bool:
    """Say whether a value can be sent: not half of a pair of surrogates."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
