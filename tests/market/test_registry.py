"""Markets by name: built in, a file, or another package's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from advisor.base.clock import Clock
from advisor.base.errors import UsageError
from advisor.market.registry import (
    Secrets,
    default_market,
    known_secrets,
    open_market,
    rentable,
)
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
    """The error says where to rent instead."""
    market = open_market(name, {}, tmp_path)
    with pytest.raises(UsageError, match=r"only lists offers.*market vast"):
        rentable(market)


PLUG_IN = """
from advisor.market.types import Answer

class Moon:
    name = "moon"

    def __init__(self, context):
        self.context = context

    def search(self, query):
        return Answer([], "moon", self.context.detail, None, None)
"""


Install = Callable[..., None]


@pytest.fixture
def installed(install_market: Install) -> None:
    """Install a package that offers two markets, one of which cannot be loaded."""
    install_market(
        "moon_market", PLUG_IN, moon="moon_market:Moon", mars="mars_market:Mars"
    )


@pytest.mark.usefixtures("installed")
def test_another_package_may_offer_a_market(tmp_path: Path) -> None:
    """Its entry point gets what the world has, and what the user wrote after a colon."""
    clock = Clock()
    market = open_market("moon:crater", {"A": "b"}, tmp_path, None, clock)
    assert market.search(Query()).origin == "crater"
    assert market.context.clock is clock
    assert market.context.variables == {"A": "b"}


@pytest.mark.usefixtures("installed")
def test_what_stands_after_the_colon_may_be_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`moon:a/b.json` is of the market; a file or folder of its name is `./moon`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "moon").mkdir()
    for name in ("moon:a/b.json", "moon:x.gz", "moon"):
        assert open_market(name, {}, tmp_path).name == "moon"
    for name in ("./moon", "venus:a/b.json", "moon.json"):
        assert open_market(name, {}, tmp_path).name == "file"


@pytest.mark.usefixtures("installed")
def test_a_market_that_cannot_be_loaded_is_one_line(tmp_path: Path) -> None:
    """A plug-in that lacks something says what, and is no traceback."""
    with pytest.raises(UsageError, match="mars_market"):
        open_market("mars", {}, tmp_path)


WRONG = """
class NoMarket:
    def __init__(self, context):
        pass

def slips(context):
    return context.variables["MOON_KEY"]

number = 7
"""


@pytest.mark.parametrize(
    ("market", "words"),
    [
        ("NoMarket", "nothing with name and search"),
        ("slips", r"does not work: KeyError: 'MOON_KEY'"),
        ("number", "opens nothing"),
        ("absent", r"cannot be loaded: AttributeError.*absent"),
    ],
)
def test_a_plug_in_that_is_none_is_one_line(
    tmp_path: Path, install_market: Install, market: str, words: str
) -> None:
    """Whatever is wrong with it: what it opens, what it raises, what its name is of."""
    install_market("wrong_market", WRONG, wrong=f"wrong_market:{market}")
    with pytest.raises(UsageError, match=words) as caught:
        open_market("wrong", {}, tmp_path)
    assert str(caught.value).isprintable()


KEYED = """
from advisor.base.errors import UsageError

class {name}:
    name = "{name}"

    def __init__(self, context):
        pass

    def search(self, query):
        raise NotImplementedError

    @staticmethod
    def has_key(context):
        if context.variables.get("{name}") == "torn":
            raise ValueError("a torn key")
        return "{name}" in context.variables

    @staticmethod
    def secrets(context):
        value = context.variables["{name}"]
        return value if value == "letters" else [value]
"""


def test_a_key_of_another_packages_market_decides_the_default(
    tmp_path: Path, install_market: Install
) -> None:
    """Where there is none of ours; one that cannot be loaded is no reason to stop."""
    install_market("luna_market", KEYED.format(name="Luna"), luna="luna_market:Luna")
    install_market("mars_market", "import nothing_like_it", mars="mars_market:Mars")
    assert default_market({}, tmp_path) == "sample"
    assert default_market({"Luna": "k"}, tmp_path) == "luna"
    assert default_market({"Luna": "k", "VAST_API_KEY": "k"}, tmp_path) == "vast"


def test_keys_of_several_other_markets_decide_nothing(
    tmp_path: Path, install_market: Install
) -> None:
    """Which one is meant only the user knows."""
    install_market("luna_market", KEYED.format(name="Luna"), luna="luna_market:Luna")
    install_market("sol_market", KEYED.format(name="Sol"), sol="sol_market:Sol")
    with pytest.raises(UsageError, match=r"luna and sol: name one with market"):
        default_market({"Luna": "k", "Sol": "k"}, tmp_path)
    assert default_market({"Sol": "k"}, tmp_path) == "sol"


def test_a_plug_in_that_slips_over_its_key_is_one_line(
    tmp_path: Path, install_market: Install
) -> None:
    """What it raises is no traceback of ours."""
    install_market("luna_market", KEYED.format(name="Luna"), luna="luna_market:Luna")
    with pytest.raises(UsageError, match="luna does not work: ValueError: a torn key"):
        default_market({"Luna": "torn"}, tmp_path)


def test_every_plug_in_tells_its_secrets(tmp_path: Path, install_market: Install) -> None:
    """Ours and those of other packages; unknown ones get an error."""
    install_market("luna_market", KEYED.format(name="Luna"), luna="luna_market:Luna")
    install_market("sol_market", KEYED.format(name="Sol"), sol="sol_market:Sol")
    install_market("mars_market", "1 / 0", mars="mars_market:Mars")
    variables = {"Luna": "of-luna", "VAST_API_KEY": "of-vast"}
    found = known_secrets(variables, tmp_path)
    assert found.texts == ("of-vast", "of-luna")
    assert "of-" not in repr(found)
    assert len(found.notes) == 2
    for note, words in zip(found.notes, ("mars cannot", "sol does not"), strict=True):
        assert words in note
        assert note.endswith("not looked for in what is sent")


def test_secrets_in_another_form_are_an_error(
    tmp_path: Path, install_market: Install
) -> None:
    """A text alone would be taken for its letters, and no file could be sent."""
    install_market("luna_market", KEYED.format(name="Luna"), luna="luna_market:Luna")
    found = known_secrets({"Luna": "letters"}, tmp_path)
    assert found.texts == ()
    assert "no sequence of texts" in found.notes[0]


def test_no_package_takes_the_name_of_a_market_of_ours(
    tmp_path: Path, install_market: Install
) -> None:
    """Who asks for `vast` gets ours, whatever else is installed."""
    install_market(
        "vast_market", PLUG_IN, vast="vast_market:Moon", sample="vast_market:Moon"
    )
    assert open_market("sample", {}, tmp_path).name == "sample"
    assert known_secrets({}, tmp_path) == Secrets((), ())
