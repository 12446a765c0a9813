"""Markets by name: built in, a file, or another package's."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.errors import UsageError
from advisor.market.registry import default_market, open_market


def test_a_key_decides_the_default(tmp_path: Path) -> None:
    """With a key the default is the live market, without one the sample."""
    assert default_market({}, tmp_path) == "sample"
    assert default_market({"VAST_API_KEY": "k"}, tmp_path) == "vast"


def test_the_built_in_markets_have_their_names(tmp_path: Path) -> None:
    """`sample` and `vast` open what they say."""
    for name in ("sample", "vast"):
        assert open_market(name, {}, tmp_path).name == name


def test_vast_url_moves_the_live_market(tmp_path: Path) -> None:
    """`VAST_URL` is where the live market is asked."""
    market = open_market("vast", {"VAST_URL": "http://127.0.0.1:1"}, tmp_path)
    assert market.origin == "127.0.0.1:1, without a key"


@pytest.mark.parametrize("name", ["offers.json", "x.json.gz", "./offers", "a/b"])
def test_what_looks_like_a_file_is_one(tmp_path: Path, name: str) -> None:
    """A path that does not exist is a missing file, not a missing market."""
    assert open_market(name, {}, tmp_path).name == "file"


@pytest.mark.parametrize(("name", "hint"), [("vats", "vast"), ("moon", "sample, vast")])
def test_an_unknown_name_says_what_there_is(tmp_path: Path, name: str, hint: str) -> None:
    """A name that is no market is answered with one that is close, or all."""
    with pytest.raises(UsageError, match=hint):
        open_market(name, {}, tmp_path)
