"""The bundled sample market: simulated, so that the tool works without a key."""

from __future__ import annotations

from dataclasses import dataclass, replace

from advisor.base.resources import fixtures_folder
from advisor.market.snapshot import load_snapshot
from advisor.market.types import Answer, MarketContext, Query

_NAME = "sample"
_ORIGIN = "bundled sample"


@dataclass(frozen=True, slots=True)
class SampleMarket:
    """The sample that ships with the tool, as a market."""

    name: str = _NAME

    def search(self, query: Query) -> Answer:  # noqa: ARG002  (all is checked later)
        """Return every offer of the sample."""
        answer = load_snapshot(fixtures_folder() / "sample-market.json.gz")
        return replace(answer, origin=_ORIGIN)


def open_sample(context: MarketContext) -> SampleMarket:  # noqa: ARG001
    """Return the bundled sample."""
    return SampleMarket()
