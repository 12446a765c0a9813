"""What a command takes from the world, so that a test can hand it another one."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True, slots=True)
class Environment:
    """The outside world of one run.

    Attributes
    ----------
    variables : environment variables
    home : the user's home folder
    now : tells the time (UTC)
    transport : carries HTTP requests; None for the real network
    """

    variables: Mapping[str, str]
    home: Path
    now: Callable[[], datetime]
    transport: httpx.BaseTransport | None = None

    @classmethod
    def of_this_process(cls) -> Self:
        """Return the world as this process finds it."""
        return cls(os.environ, Path.home(), lambda: datetime.now(UTC))

    @property
    def cache_folder(self) -> Path:
        """Where answers of markets are kept for a while."""
        if own := self.variables.get("ADVISOR_CACHE_DIR"):
            return Path(own)
        from platformdirs import user_cache_path  # noqa: PLC0415  (live markets only)

        return user_cache_path("advisor")

    @property
    def data_folder(self) -> Path:
        """Where the user's own data are kept for good."""
        if own := self.variables.get("ADVISOR_DATA_DIR"):
            return Path(own)
        from platformdirs import user_data_path  # noqa: PLC0415  (own data only)

        return user_data_path("advisor")
