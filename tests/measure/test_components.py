"""The table of what healthy machines do: whole, plausible, and with its sources."""

from __future__ import annotations

import math

from advisor.hardware.gpus import load_gpus
from advisor.measure.components import (
    ANY_CARD,
    ANY_CORE,
    ANY_LINK,
    component,
    load_components,
)

SHARES = {"of the data sheet", "of the link"}


def test_every_row_has_a_figure_two_spreads_and_a_source() -> None:
    """No spread is nothing, and none is so wide that half of the median could pass."""
    for row in load_components().values():
        assert row.value > 0.0, row
        assert 0.0 < row.level_log_sd < 0.4, row
        assert 0.0 < row.host_log_sd < 0.1, row
        assert row.measurements >= 1, row
        assert row.source, row
        assert row.log_sd == math.hypot(row.level_log_sd, row.host_log_sd)


def test_rates_of_cards_are_of_cards_that_there_are() -> None:
    """And no card is beyond its data sheet by more than boost clocks explain."""
    gpus = load_gpus()
    cards = [row for row in load_components().values() if row.of in gpus]
    assert len(cards) > 150
    for row in cards:
        if row.component == "bandwidth":
            assert row.value < gpus[row.of].memory_bandwidth_gb_s, row


def test_a_share_is_a_share() -> None:
    """Of a link less than all of it; of a data sheet at most what laptops reach."""
    for row in load_components().values():
        if row.unit in SHARES:
            assert 0.3 < row.value < 1.8, row


def test_the_first_thing_that_the_table_has_is_taken() -> None:
    """A card before its kind; None where nobody has measured any of them."""
    assert component("bandwidth", "RTX 4090", ANY_CARD).of == "RTX 4090"  # type: ignore[union-attr]
    assert component("bandwidth", "no card", ANY_CARD).of == ANY_CARD  # type: ignore[union-attr]
    assert component("h2d.pinned", ANY_LINK) is not None
    assert component("core.zlib", ANY_CORE) is not None
    assert component("bandwidth", "no card") is None
