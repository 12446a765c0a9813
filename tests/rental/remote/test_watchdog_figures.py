"""The figures of the script that a machine runs are those of its rental."""

from __future__ import annotations

import pytest

from advisor.base.errors import UsageError
from advisor.market.lifecycle import SelfRelease
from advisor.rental.remote.watchdog import onstart_script

RELEASE = SelfRelease("DELETE", "https://market/$ID", "{}", "INSTANCE_KEY")
NOW, END = 1_795_186_800.0, 1_795_190_400.4
DAYS_30_S = 30 * 86400


def script(heartbeat_s: float | None = None, **more: float) -> str:
    figures = {"now": NOW, "ends_at": END, **more}
    return onstart_script(
        RELEASE, **figures, heartbeat_s=heartbeat_s, public_key="ssh-ed25519 AAAA me\n"
    )


def test_the_end_is_the_rentals() -> None:
    """By the market's time and, of the uptime, in seconds from now; never below none."""
    text = script()
    assert "k='ssh-ed25519 AAAA me'\n" in text
    assert 'echo 1795190400 >"$d/end"' in text
    assert "up=3600 " in text
    assert "up=0 " in script(ends_at=NOW - 5.0)


def test_a_time_that_makes_no_sense_is_not_believed() -> None:
    """Five minutes before the order, or thirty days after the end."""
    text = script()
    assert f"-ge {NOW - 300:.0f} ]" in text
    assert f"-le {END + DAYS_30_S:.0f} ]" in text


@pytest.mark.parametrize(
    ("heartbeat_s", "lease", "every"),
    [(None, 0, 10), (3600.0, 3600, 10), (40.0, 40, 10), (39.0, 39, 9), (2.0, 2, 1)],
)
def test_a_machine_looks_four_times_while_it_waits_for_a_launcher(
    heartbeat_s: float | None, lease: int, every: int
) -> None:
    """Every ten seconds at most; it asks for the time each sixty looks."""
    text = script(heartbeat_s)
    assert f'echo {lease} >"$d/lease"' in text
    assert f"pause={every}\n" in text
    assert f"-lt {every * 60} ]" in text


def test_the_request_that_ends_it_is_the_markets() -> None:
    """With the key that the machine itself has."""
    text = script()
    assert "ask DELETE 2>>" in text
    assert 'url="https://market/$ID"' in text
    assert '"$INSTANCE_KEY"' in text


def test_a_script_is_as_long_as_the_market_takes_it() -> None:
    """4,096 characters; a longer one is refused before anything is paid."""

    def with_key(length: int) -> str:
        return onstart_script(
            RELEASE,
            now=NOW,
            ends_at=END,
            heartbeat_s=None,
            public_key="k" * length,
        )

    most = 4096 - len(with_key(0))
    assert len(with_key(most)) == 4096
    with pytest.raises(UsageError, match="is longer than 4096 characters"):
        with_key(most + 1)
