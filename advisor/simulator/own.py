"""What the simulated market answers that the real one does not: ledger, clock, log."""

from __future__ import annotations

import math

from advisor.base.units import SECONDS_PER_DAY
from advisor.simulator.calls import Answer, Call, answer, text
from advisor.simulator.contract import Contract
from advisor.simulator.refusal import invalid
from advisor.simulator.world import World

_LONGEST_ADVANCE_S = 10 * 365 * SECONDS_PER_DAY


def log_path(contract: Contract) -> str:
    """Return where the log of an instance lies; who knows it may read it."""
    return f"/__log/{contract.instance_id}?signature={_signature(contract)}"


def log(world: World, call: Call) -> Answer:
    """Send what an instance printed: the image's name, and how it stands."""
    contract = world.rentals.contracts.get(call.number)
    signature = call.request.query.get("signature")
    if contract is None or signature != _signature(contract):
        return text("no such log", 404)
    lines = [contract.wish.image, f"status {contract.status}", contract.message or ""]
    if contract.unfit is not None and contract.has_image:
        lines.append(contract.unfit.message)
    return text("\n".join(lines) + "\n", 200)


def ledger(world: World, _: Call) -> Answer:
    """Send what every account owes, and which instances exist or did."""
    return answer(world.ledger())


def events(world: World, _: Call) -> Answer:
    """Send what happened, in order."""
    return answer({"events": world.log.entries})


def clock(world: World, _: Call) -> Answer:
    """Send the simulated time."""
    return answer({"now_unix_s": world.now})


def advance(world: World, call: Call) -> Answer:
    """Let time pass."""
    seconds = call.request.document().get("advance_s")
    if (
        isinstance(seconds, bool)
        or not isinstance(seconds, int | float)
        or not (math.isfinite(seconds) and 0 <= seconds <= _LONGEST_ADVANCE_S)
    ):
        message = "advance_s must be a number of seconds from 0 up"
        raise invalid(message)
    return answer({"now_unix_s": world.advance(seconds)})


def _signature(contract: Contract) -> str:
    return contract.key[::-1][:16]
