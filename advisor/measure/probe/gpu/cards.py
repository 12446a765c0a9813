"""The GPUs as two tell of them, PyTorch and the driver, brought together."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from advisor.measure.probe.lines import Check, Line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from advisor.measure.probe.gpu.smi import Card

_PLACE = re.compile(r"([0-9a-f]+):([0-9a-f]+):[0-9a-f]+\.", re.IGNORECASE)

_LINES = (
    ("clock.sm.max", "clocks.max.sm", "MHz"),
    ("clock.memory.max", "clocks.max.mem", "MHz"),
    ("power.limit", "power.limit", "W"),
    ("power.default", "power.default_limit", "W"),
    ("pcie.gen.max", "pcie.link.gen.max", "generation"),
    ("pcie.width.max", "pcie.link.width.max", "lanes"),
    ("ecc.uncorrected", "ecc.errors.uncorrected.volatile.total", "errors"),
)
"""What does not move: line, field of nvidia-smi, unit."""


def described_gpus(
    gpus: Mapping[int, dict[str, Any]], cards: Sequence[Card]
) -> list[dict[str, Any]]:
    """Return what the GPUs are: as PyTorch sees them, or else as the driver does.

    Parameters
    ----------
    gpus : what PyTorch sees, by number
    cards : what nvidia-smi sees
    """
    if not gpus:
        return [{**_as_told(card), **_state(card)} for card in cards]
    described = []
    for number in sorted(gpus):
        seen = {key: value for key, value in gpus[number].items() if key != "bus"}
        described.append({**seen, **_state(card_of(gpus[number], number, cards))})
    return described


def card_of(gpu: Mapping[str, Any], number: int, cards: Sequence[Card]) -> Card | None:
    """Return the card of a GPU that PyTorch sees, None where that cannot be told.

    By its place on the bus, which newer releases of PyTorch tell; else by its number if
    no variable hides cards, since both then count along the bus.

    Parameters
    ----------
    gpu : what PyTorch sees of it; ``bus`` is domain and bus, if known
    number : of it in PyTorch
    cards : what nvidia-smi sees
    """
    for card in cards if gpu.get("bus") else ():
        found = _PLACE.match(card.fields.get("pci.bus_id", ""))
        if found and (int(found[1], 16), int(found[2], 16)) == tuple(gpu["bus"]):
            return card
    if "CUDA_VISIBLE_DEVICES" in os.environ or number >= len(cards):
        return None
    return cards[number]


def card_memory(name: str, card: Card) -> Check | None:
    """Return whether the memory of a card is sound; None where it does not say."""
    signs = {
        "pages wait to be retired": card.on("retired_pages.pending"),
        "a row could not be replaced": card.on("remapped_rows.failure"),
    }
    errors = card.number("ecc.errors.uncorrected.volatile.total")
    if errors is not None:
        signs[f"{errors:.0f} errors that ECC could not correct"] = errors > 0
    bad = [words for words, is_there in signs.items() if is_there]
    if bad:
        words = f"{'; '.join(bad)}: take another machine"
        return Check(f"{name}.memory", False, words)
    if all(sign is None for sign in signs.values()):
        return None
    return Check(f"{name}.memory", True, "no errors that ECC could not correct")


def card_lines(name: str, card: Card) -> Iterator[Line]:
    """Yield a line for each figure of a card that does not move.

    Parameters
    ----------
    name : of the GPU, such as ``gpu0``
    """
    for line, field, unit in _LINES:
        value = card.number(field)
        if value is not None:
            yield Line(f"{name}.{line}", value, unit, note="as nvidia-smi tells it")


def _as_told(card: Card) -> dict[str, Any]:
    mib = card.number("memory.total")
    return {
        "name": card.fields.get("name"),
        "memory_gb": None if mib is None else round(mib * 2**20 / 1e9, 2),
        "compute_capability": card.fields.get("compute_cap"),
    }


def _state(card: Card | None) -> dict[str, Any]:
    """Return how a card is set up; nothing is known of None."""
    return {
        "ecc": None if card is None else card.on("ecc.mode.current"),
        "mig": None if card is None else card.on("mig.mode.current"),
    }
