"""The scheduler of a fleet leaves Dask's settings as they were, and says its name."""

from __future__ import annotations

import threading

import pytest

pytest.importorskip("distributed", reason="the extra 'fleet' is not installed")
pytest.importorskip("cryptography", reason="the extra 'fleet' is not installed")

import dask
import httpx

from advisor.base.errors import RemoteError
from advisor.fleet import scheduler as module
from advisor.fleet.scheduler import SETTINGS, open_scheduler


@pytest.mark.parametrize("guarded", [True, False])
def test_its_settings_are_its_own(guarded: bool) -> None:
    """Whoever has another cluster in this process keeps the settings that it has."""
    before = {name: dask.config.get(name) for name in SETTINGS}
    with open_scheduler(guarded=guarded) as made:
        assert {name: dask.config.get(name) for name in SETTINGS} == before
        scheduler = made.cluster.scheduler
        assert scheduler.allowed_failures == 1000
        assert scheduler.worker_ttl == 300.0
        assert "stealing" not in scheduler.extensions
        assert made.client.scheduler_info()["address"] == made.address
    assert {name: dask.config.get(name) for name in SETTINGS} == before


def test_its_page_is_for_this_computer() -> None:
    """At an address that a browser here can open."""
    with open_scheduler(guarded=True) as made:
        assert made.dashboard.startswith("http://127.0.0.1:")
        page = made.dashboard.replace("/status", "/health")
        assert httpx.get(page, trust_env=False).text == "ok"


def test_a_scheduler_without_time_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than a wait without end."""
    monkeypatch.setattr(module, "_ANSWERS_WITHIN_S", 0.2)
    free = threading.Event()
    with open_scheduler(guarded=True) as made:
        made.cluster.loop.add_callback(free.wait)
        with pytest.raises(RemoteError, match="has not answered for 0 s"):
            made.door.joined(["one-0"])
        free.set()
