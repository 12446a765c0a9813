"""Keys: found where the official client keeps them, shown nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.base.errors import UsageError
from advisor.market.vast.key import VARIABLE, all_keys, find_key


def put(path: Path, text: str) -> None:
    """Write a key file and the folders that it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_order_is_the_official_clients(tmp_path: Path) -> None:
    """The variable, then the XDG file, then the older file: the first that has one."""
    put(tmp_path / ".vast_api_key", "oldest\n")
    assert find_key({}, tmp_path).value == "oldest"
    put(tmp_path / ".config/vastai/vast_api_key", "newer\n")
    assert find_key({}, tmp_path).value == "newer"
    put(tmp_path / "xdg/vastai/vast_api_key", " elsewhere ")
    variables = {"XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    assert find_key(variables, tmp_path).value == "elsewhere"
    assert find_key({"VAST_API_KEY": "given", **variables}, tmp_path).value == "given"


def test_no_key_is_no_error(tmp_path: Path) -> None:
    """Nothing found, or only empty files and variables, is no key."""
    assert find_key({}, tmp_path) is None
    put(tmp_path / ".vast_api_key", "\n")
    assert find_key({"VAST_API_KEY": "  "}, tmp_path) is None


def test_the_key_says_where_it_is_from_but_not_what(tmp_path: Path) -> None:
    """Neither the text nor the representation of a key shows its value."""
    put(tmp_path / ".vast_api_key", "s3cret")
    key = find_key({}, tmp_path)
    assert key.origin == str(tmp_path / ".vast_api_key")
    assert "s3cret" not in f"{key} {key!r}"


@pytest.mark.parametrize("value", ["two words", "a\nb", "clé", "a\x00b"])
def test_what_cannot_be_a_key_is_refused_unseen(tmp_path: Path, value: str) -> None:
    """A key that could not be sent in a header is refused without being shown."""
    with pytest.raises(UsageError) as caught:
        find_key({"VAST_API_KEY": value}, tmp_path)
    assert value not in str(caught.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_an_error(
    tmp_path: Path, content: bytes | None
) -> None:
    """A folder or binary data in the place of the key file is said, not skipped."""
    path = tmp_path / ".vast_api_key"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(UsageError, match="vast_api_key"):
        find_key({}, tmp_path)


@pytest.mark.puts_a_key_there
def test_all_keys_are_known_for_what_must_not_be_sent(tmp_path: Path) -> None:
    """Also those that are not in use; what cannot be read is left out."""
    assert all_keys({}, tmp_path) == ()
    (tmp_path / ".config" / "vastai").mkdir(parents=True)
    (tmp_path / ".config" / "vastai" / "vast_api_key").write_text("of-the-client\n")
    (tmp_path / ".vast_api_key").write_text("of-long-ago")
    found = all_keys({VARIABLE: " in-use "}, tmp_path)
    assert found == ("in-use", "of-the-client", "of-long-ago")
    (tmp_path / ".vast_api_key").unlink()
    (tmp_path / ".vast_api_key").mkdir()
    assert all_keys({VARIABLE: "of-the-client"}, tmp_path) == ("of-the-client",)
