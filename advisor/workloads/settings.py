"""What a user sets up of rentals, in the table ``[rental]`` of ``advisor.toml``.

::

    image = "ghcr.io/me/training:3"
    image_cuda = "12.8"
    image_archs = "8.0;8.6;9.0;12.0"
    job_budget_usd = 30
    day_budget_usd = 100
    max_lifetime_h = 24

A project's file only tightens the user's own caps: of two the smaller one applies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

RENTAL = "rental"
"""Name of the table."""

OF_IMAGE = ("image", "image_cuda", "image_archs")
"""Settings that speak of one image, and go together; a profile has them, too."""

LARGEST = 1e9
"""More is a slip."""

CAPS = {
    "job_budget_usd": "dollars",
    "day_budget_usd": "dollars",
    "max_lifetime_h": "hours",
}
"""Settings of which the smaller one applies, and their units."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Rentals as a user sets them up; None: not said.

    Attributes
    ----------
    image : Docker image
    image_cuda, image_archs : what is in it, if no rule knows it, see
        `advisor.software.image.Declared`
    job_budget_usd, day_budget_usd : caps, see `advisor.rental.caps.Caps`
    max_lifetime_h : hours after which a machine is gone at the latest, where nobody asks
        for another lifetime
    """

    image: str | None = None
    image_cuda: str | None = None
    image_archs: str | None = None
    job_budget_usd: float | None = None
    day_budget_usd: float | None = None
    max_lifetime_h: float | None = None

    def given(self) -> dict[str, str | float]:
        """Return name -> value of what is said."""
        named = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in named.items() if value is not None}

    def before(self, other: Settings) -> Settings:
        """Return what these settings and another's say together.

        Of two caps the smaller one applies. The image is that of these settings
        if they name one, else that of the other.
        """
        taken: dict[str, Any] = {}
        for name in CAPS:
            both = (getattr(self, name), getattr(other, name))
            taken[name] = min((one for one in both if one is not None), default=None)
        names_image = any(getattr(self, name) is not None for name in OF_IMAGE)
        of_image = self if names_image else other
        return Settings(**taken, **{name: getattr(of_image, name) for name in OF_IMAGE})


SETTINGS = tuple(one.name for one in fields(Settings))


def wrong_setting(table: Mapping[str, object]) -> tuple[str, str] | None:
    """Return the first setting with a value that cannot be, and what is expected."""
    for name, value in table.items():
        if name in OF_IMAGE:
            if not (isinstance(value, str) and value.strip()):
                return name, "a text is expected"
        elif not _is_amount(value):
            return name, f"{CAPS[name]} above 0 are expected"
    return None


def _is_amount(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 < value <= LARGEST  # so that it is finite, and NaN is none
