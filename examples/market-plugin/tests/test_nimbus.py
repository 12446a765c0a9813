"""Nimbus keeps the rules of a market; what a user gets is what is tested."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.base.errors import UsageError
from advisor.market.conformance import MarketConformance
from advisor.market.registry import load_plugin
from advisor.market.types import MarketContext, MarketPlugin, Query


class TestNimbus(MarketConformance):
    """The list that comes with the package."""

    @pytest.fixture
    def plugin(self) -> MarketPlugin:
        """Return the plug-in as its entry point names it."""
        return load_plugin("nimbus")


@pytest.mark.parametrize("text", ["", "gpu,price\nL4,0.5\n", "instance\nn1\n", None])
def test_a_list_that_is_none_is_one_line(tmp_path: Path, text: str | None) -> None:
    """An empty file, one of another form, a torn one, or none at all."""
    path = tmp_path / "list.csv"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    market = load_plugin("nimbus")(MarketContext({}, tmp_path, detail=str(path)))
    with pytest.raises(UsageError, match=r"list\.csv (is no price list|lists nothing)"):
        market.search(Query())
