"""Caps hold on a market that moves and errs: bills are those of the simulator."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="the extra 'simulator' is not installed")

from advisor.simulator.scenarios import SCENARIOS
from tests.rental.conftest import Gateway

CAP_USD = 1.5
TICK_S = 60.0
"""Seconds from the end of a lifetime to the last second that is billed: `reconcile`,
which looks at the end, and the market's own verification."""


@pytest.mark.parametrize(
    ("seed", "fault"),
    [
        (2, "two-buyers"),
        pytest.param(1, "reset-after", marks=pytest.mark.slow),
        pytest.param(3, "too-frequent", marks=pytest.mark.slow),
        pytest.param(4, "error-after", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("rental", ["--on-demand", "--interruptible"])
def test_no_schedule_costs_more_than_its_caps(
    make_street: Any, seed: int, fault: str, rental: str
) -> None:
    """Prices move, machines fail, others buy, answers are lost: the cap holds.

    Two launchers on two machines share the job and the day, and rent until nothing more
    fits; each rental ends by `reconcile` at the end that its cap gave it.
    """
    street = make_street(seed=seed, calm=False)
    faults = SCENARIOS[fault].faults
    street.world.set_faults(*(replace(one, operations=("rent",)) for one in faults))
    words = ["--budget", str(CAP_USD), "--day-budget", str(CAP_USD), "--job", "shared"]
    words += [rental, "--start-timeout", "20m", "--max-lifetime", "20d"]
    codes = [street.rent(*words, machine=name).exit_code for name in ("a", "b", "a")]
    assert codes[0] == 0
    assert set(codes) <= {0, 3, 6}
    street.world.set_faults()
    for _ in range(20):
        opened = [one for name in "ab" for one in street.entries(name) if one.is_open]
        if not opened:
            break
        first = min(one.ends_at for one in opened)
        street.sleep(max(first - street.world.clock.now(), 61.0) + 1.0)
        for name in "ab":
            street.launch("reconcile", machine=name)
    assert street.instances() == []
    bills = street.world.ledger()["instances"]
    rates = [one.usd_per_hour for name in "ab" for one in street.entries(name)]
    slack = max(rates, default=0.0) * TICK_S / 3600.0
    assert sum(one["billed_usd"] for one in bills) <= CAP_USD + slack


def test_of_two_computers_that_rent_at_once_the_later_one_gives_way(street: Any) -> None:
    """Neither saw the other's machine before it rented; together they pass the cap."""
    words = ["--job", "shared", "--budget", str(CAP_USD), "--max-lifetime", "20d"]
    first: list[Any] = []

    def meanwhile(_request: Any, send: Any) -> Any:
        first.append(street.rent(*words, machine="there"))
        return send()

    late = street.rent(*words, gateway=Gateway("PUT", "/asks/", meanwhile, times=1))
    assert [one.exit_code for one in first] == [0]
    assert late.exit_code == 6
    (held,) = street.entries("there")
    assert street.labels() == [held.label]
