"""Where the data that ships with the project lies, and the user's own."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

STORE = "advisor.sqlite3"
"""Name of the file in the user's data folder that keeps history, hosts and runs."""

_PACKAGE = Path(__file__).resolve().parents[1]


def _folder(name: str) -> Path:
    """Return the shipped folder `name`: of a wheel, else of the checkout."""
    inside_wheel = _PACKAGE / "_data" / name
    return inside_wheel if inside_wheel.is_dir() else _PACKAGE.parent / name


def is_checkout() -> bool:
    """Say whether the package runs from a checkout, not from a wheel."""
    return not (_PACKAGE / "_data").is_dir()


def models_folder() -> Path:
    """Return the folder of the trained artifact, its card and its table."""
    return _folder("models")


def fixtures_folder() -> Path:
    """Return the folder of the bundled sample market and of API payloads."""
    return _folder("fixtures")


def schemas_folder() -> Path:
    """Return the folder of the JSON Schemas of what ``--json`` prints."""
    inside_wheel = _PACKAGE / "_data" / "schemas"
    return inside_wheel if inside_wheel.is_dir() else _PACKAGE.parent / "docs" / "schemas"


_INSTALLERS = {
    "uv-receipt.toml": "uv tool install",
    "pipx_metadata.json": "pipx install -f",
}
"""File in an environment -> the command of what made it for us alone: of uv and pipx."""


def installing(extra: str, environment: Path = Path(sys.prefix)) -> str:
    """Say how an extra is installed: from the checkout, since no index has the project.

    Parameters
    ----------
    environment : in which advisor is installed

    Examples
    --------
    >>> installing("simulator", Path("none"))
    "pip install '.[simulator]' in the checkout of advisor"
    """
    made_by = (by for name, by in _INSTALLERS.items() if (environment / name).exists())
    installer = next(made_by, "pip install")
    return f"{installer} '.[{extra}]' in the checkout of advisor"


def data_folder(variables: Mapping[str, str]) -> Path:
    """Return the folder of what the user keeps for good.

    ``ADVISOR_DATA_DIR`` of the environment's `variables` moves it.
    """
    if own := variables.get("ADVISOR_DATA_DIR"):
        return Path(own)
    from platformdirs import user_data_path  # noqa: PLC0415  (own data only)

    return user_data_path("advisor")


def cache_folder(variables: Mapping[str, str]) -> Path:
    """Return the folder of what is stored for a while, and may be removed at any time.

    ``ADVISOR_CACHE_DIR`` of the environment's `variables` moves it.
    """
    if own := variables.get("ADVISOR_CACHE_DIR"):
        return Path(own)
    from platformdirs import user_cache_path  # noqa: PLC0415  (live markets only)

    return user_cache_path("advisor")


OWN, SHIPPED = "own", "shipped"
"""Which artifact predictions take: see `chosen_models_folder`."""


def own_models_folder(data: Path) -> Path:
    """Return the folder of the user's own artifact, in the data folder `data`."""
    return data / "models"


def chosen_models_folder(data: Path) -> Path:
    """Return the folder of the artifact that the user chose; the shipped one by default.

    ``advisor model use own`` writes the choice beside the user's own artifact.
    """
    own = own_models_folder(data)
    choice = own / "use"
    chosen = choice.is_file() and choice.read_text(encoding="utf-8").strip() == OWN
    return own if chosen else models_folder()
