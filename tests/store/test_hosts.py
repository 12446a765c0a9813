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


def test_a_block_holds_also_where_its_row_is_torn(tmp_path: Path) -> None:
    """Neither its time nor its reason is needed; what names no machine holds for none."""
    with open_store(tmp_path) as store:
        for number in range(1, 6):
            set_rule(store, rule(number, blocked=True))
        store.execute("PRAGMA ignore_check_constraints = ON")
        for number, change in enumerate(
            (
                "at = 'x', reason = x'00'",
                "blocked = 'x'",
                "market = x'00'",
                "kind = 'other'",
                "at = 1e300, reason = 'a' || char(27)",
            ),
            1,
        ):
            store.execute(f"UPDATE host_rule SET {change} WHERE id = {number}")  # noqa: S608
        found = {rule.id: rule for rule in rules(store)}
        store.execute("UPDATE host_rule SET id = 'x' WHERE id = 5")
        assert 5 not in {rule.id for rule in rules(store)}
    assert set(found) == {1, 2, 5}
    assert all(rule.blocked for rule in found.values())
    assert (found[1].reason, found[1].at.timestamp()) == ("", 0.0)
    assert (found[5].reason, found[5].at.timestamp()) == ("a ", 0.0)
    assert found[2] == rule(2, blocked=True)
