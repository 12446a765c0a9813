"""What the files `advisor.toml` say of rentals: the project's, else the user's own.

In a table ``[rental]``::

    image = "ghcr.io/me/training:3"
    image_cuda = "12.8"
    image_archs = "8.0;8.6;9.0;12.0"
    job_budget_usd = 30
    day_budget_usd = 100
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advisor.errors import UsageError
from advisor.workloads.load import read_text

_TABLE = "rental"
_IMAGE = ("image", "image_cuda", "image_archs")


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


def load_settings(files: Iterable[Path]) -> Settings:
    """Return what files say, the first that says something of a setting.

    Raises
    ------
    UsageError
        if a file cannot be read, or says what cannot be
    """
    found: dict[str, Any] = {}
    for path in files:
        if path.is_file():
            farther = _table(path)
            if any(name in found for name in _IMAGE):  # one file tells of one image
                farther = {k: v for k, v in farther.items() if k not in _IMAGE}
            found = {**farther, **found}
    return Settings(**found)


def _table(path: Path) -> Mapping[str, Any]:
    try:
        document = tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: {error}") from error
    table = document.get(_TABLE, {})
    if not isinstance(table, dict):
        raise UsageError(f"{path}: [{_TABLE}] is no table")
    for name, value in table.items():
        if name not in Settings.__dataclass_fields__:
            known = ", ".join(Settings.__dataclass_fields__)
            raise UsageError(f"{path}: [{_TABLE}] knows {known}, not {name!r}")
        if name in _IMAGE:
            if not (isinstance(value, str) and value.strip()):
                raise UsageError(f"{path}: [{_TABLE}] {name}: a text is expected")
        elif not _is_amount(value):
            raise UsageError(f"{path}: [{_TABLE}] {name}: dollars above 0 are expected")
    return table


def _is_amount(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and value > 0  # type: ignore[operator, arg-type]
