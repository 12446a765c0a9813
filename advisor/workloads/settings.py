"""What a user sets up of rentals, in the table ``[rental]`` of ``advisor.toml``.

::

    image = "ghcr.io/me/training:3"
    image_cuda = "12.8"
    image_archs = "8.0;8.6;9.0;12.0"
    job_budget_usd = 30
    day_budget_usd = 100
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

RENTAL = "rental"
"""Name of the table."""

OF_IMAGE = ("image", "image_cuda", "image_archs")
"""Settings that speak of one image, and go together."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Rentals as a user sets them up; None: not said.

    Attributes
    ----------
    image : Docker image
    image_cuda, image_archs : what is in it, if no rule knows it, see
        `advisor.software.image.Declared`
    job_budget_usd, day_budget_usd : caps, see `advisor.rental.caps.Caps`
    """

    image: str | None = None
    image_cuda: str | None = None
    image_archs: str | None = None
    job_budget_usd: float | None = None
    day_budget_usd: float | None = None

    def before(self, other: Settings) -> Settings:
        """Return these settings, and those of another that these do not say.

        One of the two tells of the image.
        """
        of_image = any(getattr(self, name) is not None for name in OF_IMAGE)
        taken = {}
        for name in SETTINGS:
            own = getattr(self, name)
            if own is None and not (of_image and name in OF_IMAGE):
                own = getattr(other, name)
            taken[name] = own
        return Settings(**taken)


SETTINGS = tuple(one.name for one in fields(Settings))


def wrong_setting(table: Mapping[str, object]) -> tuple[str, str] | None:
    """Return the first setting with a value that cannot be, and what is expected."""
    for name, value in table.items():
        if name in OF_IMAGE:
            if not (isinstance(value, str) and value.strip()):
                return name, "a text is expected"
        elif not _is_amount(value):
            return name, "dollars above 0 are expected"
    return None


def _is_amount(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and value > 0  # type: ignore[operator, arg-type]
