"""The GPUs as two tell of them, PyTorch and the driver, brought together."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from advisor.measure.probe.lines import Check, Line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from advisor.measure.probe.gpu.smi import Card

_USED_AT_REST = 0.1
"""Share of its memory that a GPU at rest may show as used, by the driver and a display
(assumption: up to some 5 % on a desktop, 1 % on a server)."""

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


def seen_gpu(torch: Any, number: int) -> dict[str, Any]:
    """Return what PyTorch sees of a GPU; ``bus`` is its domain and bus, if it tells."""
    of_gpu = torch.cuda.get_device_properties(number)
    seen = {
        "name": of_gpu.name,
        "memory_gb": round(of_gpu.total_memory / 2**30, 2),
        "compute_capability": f"{of_gpu.major}.{of_gpu.minor}",
        "multiprocessors": of_gpu.multi_processor_count,
    }
    bus = getattr(of_gpu, "pci_bus_id", None)
    if isinstance(bus, int):  # of newer releases
        seen["bus"] = (getattr(of_gpu, "pci_domain_id", 0), bus)
    return seen


def described_gpus(
    gpus: Mapping[int, dict[str, Any]], cards: Mapping[int, Card]
) -> list[dict[str, Any]]:
    """Return what the GPUs are: as PyTorch sees them, or else as the driver does.

    Parameters
    ----------
    gpus : what PyTorch sees, by number
    cards : what nvidia-smi sees, by the same number
    """
    if not gpus:
        return [{**_as_told(card), **_state(card)} for card in cards.values()]
    described = []
    for number in sorted(gpus):
        seen = {key: value for key, value in gpus[number].items() if key != "bus"}
        described.append({**seen, **_state(cards.get(number))})
    return described


def numbered(
    gpus: Mapping[int, dict[str, Any]], cards: Sequence[Card]
) -> dict[int, Card]:
    """Return the cards by the numbers that PyTorch has for them.

    Parameters
    ----------
    gpus : what PyTorch sees, by number; none: the numbers of the driver hold
    cards : what nvidia-smi sees
    """
    if not gpus:
        return dict(enumerate(cards))
    found = {number: card_of(gpu, number, cards) for number, gpu in gpus.items()}
    return {number: card for number, card in found.items() if card is not None}


def card_of(gpu: Mapping[str, Any], number: int, cards: Sequence[Card]) -> Card | None:
    """Return the card of a GPU that PyTorch sees, None where that cannot be told.

    By its place on the bus, which newer releases of PyTorch tell; else by its number if
    no variable hides cards, since both then count along the bus.

    Parameters
    ----------
    gpu : what `seen_gpu` returns
    number : of it in PyTorch
    cards : what nvidia-smi sees
    """
    for card in cards if gpu.get("bus") else ():
        if place_of(card) == gpu["bus"]:
            return card
    if "CUDA_VISIBLE_DEVICES" in os.environ or number >= len(cards):
        return None
    return cards[number]


def place_of(card: Card) -> tuple[int, int] | None:
    """Return domain and bus of a card, None if the driver does not tell."""
    found = _PLACE.match(card.fields.get("pci.bus_id", ""))
    return (int(found[1], 16), int(found[2], 16)) if found else None


def card_checks(name: str, card: Card) -> Iterator[Check]:
    """Yield whether the memory of a card is sound, and whether it is ours alone.

    Parameters
    ----------
    name : of the GPU, such as ``gpu0``
    """
    errors = card.number("ecc.errors.uncorrected.volatile.total")
    signs = {
        "pages wait to be retired": card.on("retired_pages.pending"),
        "a row could not be replaced": card.on("remapped_rows.failure"),
        "ECC could not correct errors": None if errors is None else errors > 0,
    }
    bad = [words for words, is_there in signs.items() if is_there]
    if bad:
        words = f"{'; '.join(bad)}: take another machine"
        yield Check(f"{name}.memory", False, words)
    elif any(sign is not None for sign in signs.values()):
        yield Check(f"{name}.memory", True, "no errors beyond what ECC corrects")
    if card.on("mig.mode.current"):  # what is used may be another's part
        return
    used, whole = card.number("memory.used"), card.number("memory.total")
    if used is not None and whole and used > _USED_AT_REST * whole:
        words = f"something else has {used / 1024:.1f} of its {whole / 1024:.1f} GiB"
        yield Check(f"{name}.free", False, f"{words}: end it, or take another machine")


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
        "memory_gb": None if mib is None else round(mib / 1024, 2),
        "compute_capability": card.fields.get("compute_cap"),
    }


def _state(card: Card | None) -> dict[str, Any]:
    """Return how a card is set up; nothing is known of None."""
    return {
        "ecc": None if card is None else card.on("ecc.mode.current"),
        "mig": None if card is None else card.on("mig.mode.current"),
    }
