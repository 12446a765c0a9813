"""Markets by name: built in, a file, or another package's."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.base.clock import Clock
from advisor.base.errors import UsageError
from advisor.market.registry import default_market, open_market, rentable
from advisor.market.types import Query


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


def test_a_file_may_be_named_as_one(tmp_path: Path) -> None:
    """`file:PATH` is the file, whatever its name looks like."""
    path = tmp_path / "offers"
    path.write_text('[{"id": 7}]', encoding="utf-8")
    market = open_market(f"file:{path}", {}, tmp_path)
    assert [record["id"] for record in market.search(Query()).records] == [7]


def test_a_file_without_a_name_is_refused(tmp_path: Path) -> None:
    """`--market file` says how a file is named."""
    with pytest.raises(UsageError, match="file:PATH"):
        open_market("file", {}, tmp_path)


@pytest.mark.parametrize("name", ["sample", "file:x"])
def test_a_market_that_only_lists_rents_nothing(tmp_path: Path, name: str) -> None:
    """Who wants to rent there is told where to."""
    market = open_market(name, {}, tmp_path)
    with pytest.raises(UsageError, match=r"only lists offers.*--market vast"):
        rentable(market)


PLUG_IN = """
from advisor.market.types import Answer

class Moon:
    name = "moon"

    def __init__(self, surroundings):
        self.surroundings = surroundings

    def search(self, query):
        return Answer([], "moon", self.surroundings.detail, None, None)
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a package that offers two markets, one of which cannot be loaded."""
    (tmp_path / "moon_market.py").write_text(PLUG_IN, encoding="utf-8")
    about = tmp_path / "moon_market-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Name: moon-market\nVersion: 1.0\n", encoding="utf-8")
    (about / "entry_points.txt").write_text(
        "[advisor.markets]\nmoon = moon_market:Moon\nmars = mars_market:Mars\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("installed")
def test_another_package_may_offer_a_market(tmp_path: Path) -> None:
    """Its entry point gets what the world has, and what the user wrote after a colon."""
    clock = Clock()
    market = open_market("moon:crater", {"A": "b"}, tmp_path, None, clock)
    assert market.search(Query()).origin == "crater"
    assert market.surroundings.clock is clock
    assert market.surroundings.variables == {"A": "b"}


@pytest.mark.usefixtures("installed")
def test_a_market_that_cannot_be_loaded_is_one_line(tmp_path: Path) -> None:
    """A plug-in that lacks something says what, and is no traceback."""
    with pytest.raises(UsageError, match="mars_market"):
        open_market("mars", {}, tmp_path)
