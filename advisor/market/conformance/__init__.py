"""Tests that the author of a market runs against his plug-in.

A class to derive from for each of the two protocols, as fsspec and SQLAlchemy have them
for those who extend them: pytest finds the tests in the derived class, and two fixtures
say what is tested. A market that lists::

    import pytest

    from advisor.market.conformance import MarketConformance
    from advisor.market.registry import load_plugin
    from advisor.market.types import MarketContext


    class TestNimbus(MarketConformance):
        @pytest.fixture
        def plugin(self):
            return load_plugin("nimbus")

        @pytest.fixture
        def context(self, tmp_path):
            return MarketContext({"NIMBUS_PRICES": "tests/prices.csv"}, home=tmp_path)

One that rents derives from `RentalConformance`. The market that is opened should hold
still: a fake, a sandbox of the provider's, or recorded answers, all behind
``context.transport``. Through it the suite also breaks connections and loses answers;
without one it skips these tests, and says so. A market that waits before it tries again
is best given the clock of `impatient_clock`. What applies to no market of this kind (it
takes no key, it reports no progress) is skipped likewise.

The rules themselves are plain functions (`advisor.market.conformance.rules`,
`advisor.market.conformance.narrowing`) that yield what is wrong in words. Nothing else of
the package imports this one, nor pytest.
"""

from advisor.market.conformance.listing import MarketConformance
from advisor.market.conformance.network import impatient_clock
from advisor.market.conformance.renting import RentalConformance

__all__ = ["MarketConformance", "RentalConformance", "impatient_clock"]
