"""A machine is wound up, but not for ever."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

pytest.importorskip("distributed", reason="the extra 'fleet' is not installed")

from advisor.base.errors import UnreachableError
from advisor.fleet.ending import wind_up
from advisor.fleet.home import Home


class Cut:
    """A machine from which we, and the market, are cut off at one moment.

    Attributes
    ----------
    at : the time, s
    cut_at : when that was
    """

    def __init__(self) -> None:
        self.at, self.cut_at = 1000.0, 1100.0
        clock = SimpleNamespace(monotonic=lambda: self.at)
        self.fleet = SimpleNamespace(rental=SimpleNamespace(clock=clock))
        self.name = "instance 7"

    @property
    def silent_s(self) -> float:
        return max(self.at - self.cut_at, 0.0)

    def disconnect(self) -> None:
        """End nothing."""

    def look_at_last(self) -> None:
        """Let time pass: the market says nothing either."""
        self.at += 1.0


def test_results_are_waited_for_five_minutes_where_our_own_network_is_down() -> None:
    """Ctrl-C ends things also then; copying that goes on may take longer."""
    member = Cut()
    hands = SimpleNamespace(member=member, forget_tasks=lambda: None, running={})

    class Coming(Home):
        """What never is all home."""

        def __init__(self) -> None:
            """Bring nothing."""

        def save(self, _attempts: object) -> None:
            """Save nothing."""

        def finish(self, look: Any) -> None:
            while True:
                look()

    with pytest.raises(UnreachableError, match="instance 7 is not reached"):
        wind_up(cast("Any", hands), cast("Any", None), Coming())
    assert member.at == 1400.0
