"""What no other machine gets: the secrets of every market that is installed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from advisor.app.context import Context
from advisor.app.private import private_of
from advisor.base.clock import Clock

LUNA = """
class Luna:
    name = "luna"

    def __init__(self, context):
        raise AssertionError("nobody opens it to ask for its secrets")

    @staticmethod
    def has_key(context):
        return True

    @staticmethod
    def secrets(context):
        return [(context.home / ".luna").read_text()]
"""


def test_keys_of_all_markets_stay_here(
    tmp_path: Path, install_market: Callable[..., None]
) -> None:
    """Also those of other packages; of one that cannot tell people are told, once."""
    install_market("luna_market", LUNA, luna="luna_market:Luna")
    install_market("mars_market", "1 / 0", mars="mars_market:Mars")
    (tmp_path / ".luna").write_text("of-luna", encoding="utf-8")
    lines: list[str] = []
    context = Context(
        variables={
            "VAST_API_KEY": "of-vast",
            "ADVISOR_DATA_DIR": str(tmp_path / "data"),
            "ADVISOR_CACHE_DIR": str(tmp_path / "cache"),
        },
        home=tmp_path,
        clock=Clock(now=lambda: datetime(2026, 11, 21, tzinfo=UTC)),
        folder=tmp_path,
        notify=lines.append,
    )
    for _ in range(2):
        private = private_of(context)
    assert private.keys == ("of-vast", "of-luna")
    assert private.folders == (tmp_path / "data", tmp_path / "cache")
    assert private.home == tmp_path
    (line,) = lines
    assert "market mars cannot be loaded: ZeroDivisionError" in line
