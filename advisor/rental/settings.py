"""What the files `advisor.toml` say of rentals: the project's, else the user's own.

In a table ``[rental]``::

    image = "pytorch/pytorch:2.5.1-cuda12.4-cudnn9-runtime"
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

DEFAULT_IMAGE = "pytorch/pytorch:2.5.1-cuda12.4-cudnn9-runtime"
_TABLE = "rental"


@dataclass(frozen=True, slots=True)
class Settings:
    """Rentals as a user sets them up; None: not said.

    Attributes
    ----------
    image : Docker image
    job_budget_usd, day_budget_usd : caps, see `advisor.rental.caps.Caps`
    """

    image: str | None = None
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
            found = {**_table(path), **found}
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
        if name == "image":
            if not (isinstance(value, str) and value.strip()):
                raise UsageError(f"{path}: [{_TABLE}] image: a name is expected")
        elif not _is_amount(value):
            raise UsageError(f"{path}: [{_TABLE}] {name}: dollars above 0 are expected")
    return table


def _is_amount(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and value > 0  # type: ignore[operator, arg-type]
