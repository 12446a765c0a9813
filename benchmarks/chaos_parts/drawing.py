"""Which class a schedule is of, and with it all that happens there."""

from __future__ import annotations

import random
from collections.abc import Sequence

from chaos_parts.machine_plans import MACHINE_CLASSES
from chaos_parts.plans import CLASSES, Schedule, plain_lanes

ALL_CLASSES = {**CLASSES, **MACHINE_CLASSES}

_LABELS = ("mine", "advisor", "advisor:mine", "advisor:mine:", "")
_OFTEN = 10
"""Schedules without machines for one with machines: real ssh takes real seconds."""


def draw_schedule(seed: int, number: int, kinds: Sequence[str] = ()) -> Schedule:
    """Return a schedule: the same for the same seed, number and choice of classes."""
    draw = random.Random(f"{seed}/{number}")  # noqa: S311  (a schedule, no secret)
    rare = [kind for kind in kinds or ALL_CLASSES if kind in MACHINE_CLASSES]
    often = [kind for kind in kinds or ALL_CLASSES if kind in CLASSES]
    kind = draw.choice(often * _OFTEN + rare)
    lanes = plain_lanes(draw, number)
    plain = Schedule(
        seed,
        number,
        kind,
        lanes,
        market_seed=draw.randint(1, 40),
        console_label=draw.choice(_LABELS),
    )
    return ALL_CLASSES[kind](draw, plain)
