"""Blocked machines: the user's word goes before any automatic one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from advisor.store.database import open_store
from advisor.store.hosts import (
    HostRule,
    Kind,
    block_if_not_allowed,
    ids_of,
    rules,
    set_rule,
)

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)


def rule(number: int, blocked: bool, kind: Kind = "machine") -> HostRule:
    return HostRule("vast", kind, number, blocked, "died at epoch 3", AT)


def test_a_rule_is_kept_and_replaced(tmp_path: Path) -> None:
    """The last word on a machine counts, also for another process."""
    with open_store(tmp_path) as store:
        set_rule(store, rule(7, blocked=True))
        set_rule(store, rule(8, blocked=True, kind="host"))
    with open_store(tmp_path) as store:
        found = rules(store, "vast")
        assert ids_of(found, "machine", blocked=True) == {7}
        assert ids_of(found, "host", blocked=True) == {8}
        set_rule(store, rule(7, blocked=False))
        assert ids_of(rules(store), "machine", blocked=True) == frozenset()
        assert ids_of(rules(store), "machine", blocked=False) == {7}
        assert rules(store, "elsewhere") == []


def test_an_allowed_machine_is_never_blocked_automatically(tmp_path: Path) -> None:
    """A failed rental blocks a machine only where the user said nothing."""
    with open_store(tmp_path) as store:
        set_rule(store, rule(7, blocked=False))
        assert not block_if_not_allowed(store, rule(7, blocked=True))
        assert block_if_not_allowed(store, rule(9, blocked=True))
        assert ids_of(rules(store), "machine", blocked=True) == {9}
