"""What moves while a GPU is busy: its clocks, its power, its link."""

from __future__ import annotations

import statistics
import threading
from typing import TYPE_CHECKING, Any

from advisor.measure.probe.gpu.cards import card_of
from advisor.measure.probe.gpu.smi import MOVING, ask_cards
from advisor.measure.probe.lines import Check, Line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Self

    from advisor.measure.probe.gpu.smi import Card

_EVERY_S = 0.2

_LINES = (
    ("clock.sm", "clocks.sm", "MHz"),
    ("clock.memory", "clocks.mem", "MHz"),
    ("power.draw", "power.draw", "W"),
    ("temperature", "temperature.gpu", "C"),
)
_LINK = (
    ("pcie.gen", "pcie.link.gen.current", "generation"),
    ("pcie.width", "pcie.link.width.current", "lanes"),
)


class Watch:
    """Asks nvidia-smi again and again while something runs.

    Parameters
    ----------
    name : of the GPU in lines
    gpu : what PyTorch sees of the GPU
    number : of it in PyTorch
    """

    def __init__(self, name: str, gpu: Mapping[str, Any], number: int) -> None:
        self._name, self._gpu, self._number = name, gpu, number
        self._seen: list[Card] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def load_lines(self) -> Iterator[Line]:
        """Yield clocks, power and temperature under load: the median of all looks."""
        return self._lines(_LINES, statistics.median)

    def link_lines(self) -> Iterator[Line]:
        """Yield the link at its best: the first look may find it at rest, and slow."""
        return self._lines(_LINK, max)

    def check(self) -> Check | None:
        """Return whether something holds the clock down that a sound machine has not.

        Its power limit does so on most cards, and is said where the limit is; None: the
        card does not tell.
        """
        seen = [held for card in self._seen if (held := card.held_down_by) is not None]
        if not seen:
            return None
        name = f"{self._name}.throttle"
        faults = sorted({fault for held in seen for fault in held.by_faults})
        if faults:
            words = f"under load its clock is held down by {', '.join(faults)}"
            return Check(name, False, f"{words}: take another machine")
        limited = sum(held.by_power_limit for held in seen)
        words = f"held down by its power limit in {limited} of {len(seen)} looks"
        return Check(name, True, words if limited else "nothing holds its clock down")

    def _look(self) -> None:
        while not self._over.is_set():
            told = ask_cards(MOVING)
            if not told.cards:
                return
            card = card_of(self._gpu, self._number, told.cards)
            if card is not None:
                self._seen.append(card)
            self._over.wait(_EVERY_S)

    def _lines(
        self,
        lines: tuple[tuple[str, str, str], ...],
        summary: Callable[[list[float]], float],
    ) -> Iterator[Line]:
        for line, field, unit in lines:
            values = [card.number(field) for card in self._seen]
            found = [value for value in values if value is not None]
            if found:
                name = f"{self._name}.{line}"
                value = summary(found)
                yield Line(name, value, unit, repeats=len(found), note="under load")
