"""Where the data of the project and the user lie, and how more of it is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.base.resources import installing


@pytest.mark.parametrize(
    ("made", "command"),
    [
        ("uv-receipt.toml", "uv tool install '.[hf]'"),
        ("pipx_metadata.json", "pipx install -f '.[hf]'"),
        ("pyvenv.cfg", "pip install '.[hf]'"),
    ],
)
def test_an_extra_is_installed_where_advisor_is(
    tmp_path: Path, made: str, command: str
) -> None:
    """By what has made its environment: another one would put it elsewhere."""
    (tmp_path / made).touch()
    assert installing("hf", tmp_path).startswith(command)
