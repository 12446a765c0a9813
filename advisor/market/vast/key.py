"""Where the key of a Vast.ai account is found, in the official client's order."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from advisor.base.errors import UsageError

VARIABLE = "VAST_API_KEY"

KEY_PLACES = f"{VARIABLE} or ~/.config/vastai/vast_api_key"
"""Where a user puts a key."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key and where it was found; its value shows up nowhere.

    Attributes
    ----------
    value : the secret
    origin : the variable or file, for people
    """

    value: str = field(repr=False)
    origin: str

    def __post_init__(self) -> None:
        if not (
            self.value.isascii() and self.value.isprintable() and " " not in self.value
        ):
            message = f"the key in {self.origin} is not one word of plain characters"
            raise UsageError(message)


def find_key(variables: Mapping[str, str], home: Path) -> Key | None:
    """Return the user's key, None where there is none.

    ``VAST_API_KEY``, then ``$XDG_CONFIG_HOME/vastai/vast_api_key`` (without that
    variable ``~/.config/...``), then ``~/.vast_api_key``: the order of the
    official client, so that its users need no set-up. Empty ones do not count.

    Raises
    ------
    UsageError
        if a key file cannot be read or a key cannot be one
    """
    value = variables.get(VARIABLE, "").strip()
    if value:
        return Key(value, VARIABLE)
    for path in _files(variables, home):
        value = _read(path)
        if value:
            return Key(value, str(path))
    return None


def all_keys(variables: Mapping[str, str], home: Path) -> tuple[str, ...]:
    """Return the text of every key that the user has, also of those not in use.

    They are looked for in files; what cannot be read is left out.
    """
    found = [variables.get(VARIABLE, "").strip()]
    for path in _files(variables, home):
        with suppress(UsageError):
            found.append(_read(path))
    return tuple(dict.fromkeys(filter(None, found)))


def _files(variables: Mapping[str, str], home: Path) -> tuple[Path, Path]:
    settings = Path(variables.get("XDG_CONFIG_HOME") or home / ".config")
    return settings / "vastai" / "vast_api_key", home / ".vast_api_key"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, UnicodeDecodeError) as error:
        message = f"cannot read the key in {path}: repair or remove that file"
        raise UsageError(message) from error
