"""Rentals that one process makes at the same time, each of another offer.

All of them find the same offers best. Without this, each would try them in the same
order, and find that a sibling has just taken them, until its attempts are used up.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from advisor.ranking.offer import RankedOffer


class Claims:
    """The offers that rentals of one process try just now; safe with several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._claimed: set[int] = set()

    @contextmanager
    def of_one(self) -> Iterator[Callable[[RankedOffer], bool]]:
        """Yield what claims offers for one rental; False: another one tries it.

        What it has claimed is free again when the block ends.
        """
        own: set[int] = set()

        def claim(offer: RankedOffer) -> bool:
            with self._lock:
                if offer.offer_id in self._claimed - own:
                    return False
                own.add(offer.offer_id)
                self._claimed.add(offer.offer_id)
                return True

        try:
            yield claim
        finally:
            with self._lock:
                self._claimed -= own
