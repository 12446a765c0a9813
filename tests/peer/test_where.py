"""`--where` is the query of ``vastai search offers``: same conditions, same offers."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.app.context import Context
from advisor.base.clock import Clock
from advisor.base.errors import UsageError
from advisor.market.fields import ALIASES, FIELDS
from advisor.market.snapshot import load_snapshot
from advisor.market.vast.key import VARIABLE
from advisor.market.where import parse_where
from advisor.simulator.clock import SimClock
from advisor.simulator.server import serve
from advisor.simulator.world import World

START = 1_800_000_000.0
SEEDED = {"verified": {"eq": True}, "external": {"eq": False}, "rentable": {"eq": True}}
"""What the official command asks for unless it is told otherwise."""

REFUSED = "refused"


def official_parser() -> ModuleType | None:
    """Load the official client's parser alone: the package imports much more."""
    package = importlib.util.find_spec("vastai")
    if package is None or not package.submodule_search_locations:
        return None
    path = Path(package.submodule_search_locations[0]) / "api" / "query.py"
    spec = importlib.util.spec_from_file_location("vastai_query", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PARSER = official_parser()
pytestmark = pytest.mark.skipif(
    PARSER is None, reason="the official client is not installed (extra `peer`)"
)


def theirs(text: str, seed: dict[str, Any] | None = None) -> Any:
    """Return the official client's conditions, or `REFUSED` however it fails."""
    assert PARSER is not None
    known = (PARSER.offers_fields, PARSER.offers_alias, PARSER.offers_mult)
    silent = io.StringIO()
    with contextlib.redirect_stderr(silent), contextlib.redirect_stdout(silent):
        try:
            return PARSER.parse_query(text, seed or {}, *known)
        except (ValueError, TypeError, AttributeError):
            return REFUSED


def ours(text: str) -> Any:
    """Return our conditions in the same form, or `REFUSED`."""
    try:
        conditions = parse_where(text)
    except UsageError:
        return REFUSED
    found: dict[str, dict[str, Any]] = {}
    for one in conditions:
        if one.operator != "any":
            value = list(one.value) if isinstance(one.value, tuple) else one.value
            found.setdefault(one.field, {})[one.operator] = value
    return found


def plain(field: str, value: Any) -> Any:
    """Return a value of theirs as ours is: they send numbers as texts."""
    if isinstance(value, list):
        return [plain(field, item) for item in value]
    is_number = field in FIELDS and FIELDS[field].kind == "number"
    return float(value) if is_number and isinstance(value, str) else value


def in_our_form(conditions: Any) -> Any:
    if conditions == REFUSED:
        return REFUSED
    return {
        field: {word: plain(field, value) for word, value in operators.items()}
        for field, operators in conditions.items()
    }


def test_the_fields_aliases_and_factors_are_theirs() -> None:
    """Every field of the client's list, no other, with its units."""
    assert PARSER is not None
    assert set(FIELDS) == PARSER.offers_fields
    assert dict(ALIASES) == PARSER.offers_alias
    factors = {name: field.factor for name, field in FIELDS.items() if field.factor != 1}
    assert factors == PARSER.offers_mult


HELP = (
    "reliability > 0.98 num_gpus=1 gpu_name=RTX_3090",
    "compute_cap > 610 total_flops > 5 datacenter=True",
    "reliability>0.99 num_gpus=4 geolocation in [TW,SE]",
    'reliability>0.99 gpu_name in ["RTX 4090", "RTX 3090"] geolocation notin [CN,VN]',
    "disk_space>146 duration>24 gpu_ram>10 cuda_vers>=12.1 direct_port_count>=2",
    "driver_version >= 535.86.05",
    "reliability > 0.99  num_gpus>=4 verified=False",
    "cpu_arch=arm64",
)
MORE = (
    *("cpu_ram>=48 cuda_max_good>=12.8 gpu_name!=RTX_3060 geolocation notin [CN,VN]",),
    *("dph<1.5", "dlperf_usd>=100 flops_usd > 20", "display_active=false"),
    *("num_gpus eq 2", "num_gpus neq 2", "num_gpus gt 2 dlperf lte 100", "num_gpus==2"),
    *("gpu_name not in [A40,L4]", "gpu_name nin [A40]", "gpu_name noteq A40"),
    *("gpu_name not eq A40", "gpu_name in A40,L4", 'gpu_name="RTX 4090"'),
    *("num_gpus>=2 num_gpus=any", "verified=? external=*", "cluster_id=None"),
    *("cpu_ghz!=null", "num_gpus>=2, reliability>0.9", "num_gpus >= 2 num_gpus <= 4"),
    *("num_gpus in [1, 2 ,4]", "num_gpus=[2]", "gpu_ram>=24 gpu_total_ram<100"),
    *("duration>=2.5", "ubuntu_version>=20.04", "driver_version=535.54.3"),
    *("", "num_gpus", "num_gpus 2", "num_gpus=", "num_gpus => 2", "num_gpus ~ 2"),
    *("num_gpus!=any", "gpu_name=RTX 4090", "cpu_ram>=48GB", "geolocation in []"),
)
ALIKE = [*HELP, *(text for text in MORE if text)]


@pytest.mark.parametrize("text", ALIKE)
def test_a_query_means_what_it_means_to_the_official_client(text: str) -> None:
    """The same conditions with the same values, or both refuse it."""
    assert ours(text) == in_our_form(theirs(text))


DIFFERENT: list[tuple[str, Any, Any, str]] = [
    # the query, theirs, ours, and why
    ("", {}, REFUSED, "an empty text is a variable that was not set: nobody means it"),
    (
        "gpu_name!=A40 gpu_name!=L4",
        {"gpu_name": {"neq": "L4"}},
        {"gpu_name": {"neq": "L4"}},  # and A40, see the test below
        "all must hold; theirs keeps the last of one operator",
    ),
    (
        "geolocation notin ['XV','XZ']",
        {"geolocation": {"notin": ["'XV'", "'XZ'"]}},
        {"geolocation": {"notin": ["XV", "XZ"]}},
        "their help writes so, and what they send leaves nothing out",
    ),
    (
        "geolocation in [cn]",
        {"geolocation": {"in": ["cn"]}},
        {"geolocation": {"in": ["CN"]}},
        "countries are in capitals there: theirs finds nothing",
    ),
    (
        "geolocation=Germany",
        {"geolocation": {"eq": "Germany"}},
        REFUSED,
        "the market has codes of two letters: theirs finds nothing",
    ),
    (
        "cpu_arch=AMD64",
        {"cpu_arch": {"eq": "AMD64"}},
        {"cpu_arch": {"eq": "amd64"}},
        "the market writes it small: theirs finds nothing",
    ),
    (
        "cpu_arch in [x86_64,aarch64]",
        {"cpu_arch": {"in": ["x86 64", "aarch64"]}},
        {"cpu_arch": {"in": ["amd64", "arm64"]}},
        "Linux's words for what the market calls so: theirs finds nothing",
    ),
    (
        "gpu_ram in [24,48]",
        REFUSED,
        {"gpu_ram": {"in": [24000.0, 48000.0]}},
        "theirs ends in a traceback",
    ),
    (
        "cpu_ram!=None",
        REFUSED,
        {"cpu_ram": {"neq": None}},
        "what is known can be asked for of any field",
    ),
    (
        "driver_version>=535",
        {"driver_version": {"gte": "535"}},
        {"driver_version": {"gte": 535000000}},
        "theirs compares the text with a number",
    ),
    (
        "driver_version>=550.54",
        REFUSED,
        {"driver_version": {"gte": 550054000}},
        "parts that are not written are zero",
    ),
    (
        "driver_version in [535.86.05,550.54.14]",
        REFUSED,
        {"driver_version": {"in": [535086005, 550054014]}},
        "theirs ends in a traceback",
    ),
    (
        "driver_version=535",
        {"driver_version": {"eq": "535"}},
        REFUSED,
        "no driver is called 535: theirs finds nothing",
    ),
    (
        "geolocation in [CN,VN",
        {"geolocation": {"in": ["CN", "VN"]}},
        REFUSED,
        "half a list may be half of what was meant",
    ),
    (
        "num_gpus=[1,2]",
        {"num_gpus": {"eq": "1,2"}},
        REFUSED,
        "no number is two: theirs asks for the text",
    ),
    (
        "gpu_name=RTX_4090,num_gpus=1",
        {"gpu_name": {"eq": "RTX 4090,num gpus=1"}},
        REFUSED,
        "a comma between comparisons needs a blank: theirs asks for such a GPU",
    ),
    (
        "num_gpus in [1,2], gpu_name=A40",
        REFUSED,
        {"num_gpus": {"in": [1, 2]}, "gpu_name": {"eq": "A40"}},
        "a comma between comparisons does no harm: theirs takes it after a plain value",
    ),
    (
        "num_gpus>=many",
        {"num_gpus": {"gte": "many"}},
        REFUSED,
        "a wrong type is told before the market is asked",
    ),
    (
        "cpu_ram>=nan",
        {"cpu_ram": {"gte": math.nan}},
        REFUSED,
        "nothing is above what is no number",
    ),
    ("verified=maybe", {"verified": {"eq": "maybe"}}, REFUSED, "a wrong type"),
    ("gpu_name>A40", {"gpu_name": {"gt": "A40"}}, REFUSED, "names have no order"),
    (
        "compute_cap>=8.9",
        {"compute_cap": {"gte": "8.9"}},
        REFUSED,
        "it is counted x 100: theirs leaves nothing out",
    ),
    (
        "reliability>=98",
        {"reliability": {"gte": "98"}},
        REFUSED,
        "it is from 0 to 1: theirs finds nothing",
    ),
    (
        "has_avx=1",
        {"has_avx": {"eq": "1"}},
        {"has_avx": {"eq": True}},
        "1 and true are one",
    ),
]


@pytest.mark.parametrize(
    ("text", "their_conditions", "our_conditions", "why"),
    DIFFERENT,
    ids=[text or "(empty)" for text, *_ in DIFFERENT],
)
def test_where_we_differ_on_purpose(
    text: str, their_conditions: Any, our_conditions: Any, why: str, summary: Any
) -> None:
    """Each difference is in the table, with what each makes of it, and why."""
    assert repr(theirs(text)) == repr(their_conditions)  # where NaN is NaN
    assert ours(text) == our_conditions
    summary(
        "--where beside the official client's query",
        text or "(empty)",
        theirs=their_conditions,
        ours=our_conditions,
        why=why,
    )


def test_of_two_conditions_on_one_field_both_hold() -> None:
    """Where the official client keeps the last one."""
    values = [one.value for one in parse_where("gpu_name!=A40 gpu_name!=L4")]
    assert values == ["A40", "L4"]


def test_a_wildcard_takes_back_what_is_asked_unless_told_otherwise() -> None:
    """``verified=any`` on their side ends their default; ours has none to end."""
    found = theirs("verified=any external=any", {k: dict(v) for k, v in SEEDED.items()})
    assert found == {"rentable": {"eq": True}}
    assert ours("verified=any external=any") == {}


ORDERED = ("=", "==", "!=", ">", ">=", "<", "<=", " eq ", " gte ", " lt ")
UNORDERED = ("=", "==", "!=", " eq ", " neq ")
LISTED = (" in ", " notin ", " not in ", " nin ")
NUMBERS = [name for name, field in FIELDS.items() if field.kind == "number"]
SHORT = {field: alias for alias, field in ALIASES.items()}
GPUS = ("RTX_4090", "A100_SXM4", "H100", "L40S", "GTX_1080_Ti")


def joined(*parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map("".join)


def listed(*words: str) -> st.SearchStrategy[str]:
    item = st.sampled_from(words)
    return st.lists(item, min_size=1, max_size=3).map(
        lambda found: f"[{','.join(found)}]"
    )


def one_of_texts(name: str, *words: str) -> st.SearchStrategy[str]:
    plain_words = st.sampled_from([*words, "None"])
    quoted = st.sampled_from([f'"{word.replace("_", " ")}"' for word in words])
    return st.one_of(
        joined(st.just(name), st.sampled_from(UNORDERED), st.one_of(plain_words, quoted)),
        joined(st.just(name), st.sampled_from(LISTED), listed(*words)),
    )


def a_number_of(name: str) -> st.SearchStrategy[str]:
    field = FIELDS[name]
    least, most = (field.least or 0), min(field.most or 1e6, 1e6)
    number = st.one_of(
        st.floats(least, most).map(lambda value: f"{value:.4f}"),
        st.integers(int(least), int(most)).map(str),
    )
    spelling = st.sampled_from([name, SHORT.get(name, name)])
    blank = st.sampled_from(["", " "])
    single = joined(spelling, blank, st.sampled_from(ORDERED), blank, number)
    if field.factor != 1:
        return single
    many = st.lists(number, min_size=1, max_size=3).map(
        lambda found: f"[{','.join(found)}]"
    )
    return st.one_of(single, joined(spelling, st.sampled_from(LISTED), many))


COMPARISONS = {
    **{name: a_number_of(name) for name in NUMBERS},
    **{
        name: joined(
            st.just(name),
            st.sampled_from(UNORDERED),
            st.sampled_from(["true", "True", "false", "False"]),
        )
        for name, field in FIELDS.items()
        if field.kind == "flag"
    },
    "gpu_name": one_of_texts("gpu_name", *GPUS),
    "mobo_name": one_of_texts("mobo_name", "ROMED8-2T", "X399_Taichi"),
    "cpu_arch": one_of_texts("cpu_arch", "amd64", "arm64"),
    "verification": one_of_texts("verification", "verified", "unverified"),
    "geolocation": one_of_texts("geolocation", "CN", "VN", "US", "DE"),
    "driver_version": joined(
        st.just("driver_version"),
        st.sampled_from(ORDERED),
        st.sampled_from(["535.86.05", "550.54.14", "580.126.9"]),
    ),
    "ubuntu_version": joined(
        st.just("ubuntu_version"),
        st.sampled_from(ORDERED),
        st.sampled_from(["20.04", "22.04"]),
    ),
}


@st.composite
def queries(draw: st.DrawFn) -> str:
    names = draw(
        st.lists(
            st.sampled_from(sorted(COMPARISONS)), min_size=1, max_size=5, unique=True
        )
    )
    parts = [draw(COMPARISONS[name]) for name in names]
    taken_back = draw(st.lists(st.sampled_from(names), max_size=1))
    parts += [f"{name}={draw(st.sampled_from(['any', '?', '*']))}" for name in taken_back]
    return draw(st.sampled_from([" ", "  "])).join(parts)


@given(queries())
def test_any_query_means_what_it_means_to_the_official_client(text: str) -> None:
    """Fields, aliases, operators, lists, wildcards and units in any combination."""
    found = ours(text)
    assert found != REFUSED
    assert found == in_our_form(theirs(text))


@pytest.fixture(scope="module")
def market() -> Iterator[str]:
    """Serve one simulated market to both clients."""
    pytest.importorskip("uvicorn", reason="the extra simulator is not installed")
    world = World(offers=400, seed=7, clock=SimClock.manual(START), calm=True)
    with serve(world) as server:
        yield server.url


@pytest.fixture
def fetched(
    market: str, tmp_path: Path, run_command: Callable[..., Any]
) -> Callable[[str], set[int]]:
    """Return what fetches the offers that meet a query, by our command line."""
    passed = [0.0]

    def sleep(seconds: float) -> None:
        passed[0] += seconds

    context = Context(
        variables={
            "VAST_URL": market,
            VARIABLE: "key-of-ours",
            "ADVISOR_CACHE_DIR": str(tmp_path / "cache"),
            "ADVISOR_DATA_DIR": str(tmp_path / "data"),
        },
        home=tmp_path,
        folder=tmp_path,
        clock=Clock(
            now=lambda: datetime.fromtimestamp(START, UTC),
            monotonic=lambda: passed[0],
            sleep=sleep,
        ),
    )

    def fetch(query: str) -> set[int]:
        file = tmp_path / "fetched.json.gz"
        words = ["fetch", "--market", "vast", "-o", str(file), "--where", query]
        done = run_command(words, context)
        assert done.exit_code == 0, done.stderr
        return {record["id"] for record in load_snapshot(file).records}

    return fetch


@pytest.fixture
def searched(market: str, tmp_path: Path, official: Any) -> Callable[[str], set[int]]:
    """Return what searches the offers that meet a query, by the official client."""

    def search(query: str) -> set[int]:
        words = ("search", "offers", query, "--raw", "--limit", "3000")
        return {offer["id"] for offer in official(market, tmp_path, *words)}

    return search


SEARCHES = (
    "verified=any cpu_ram>=48 gpu_name!=RTX_3060 geolocation notin [CN,VN]",
    "verified=true reliability > 0.98 num_gpus in [1,2] gpu_ram>=20 dph<0.8",
    "verified=any cuda_vers>=12.4 compute_cap>=800 driver_version >= 550.54.14",
    'verified=any gpu_name in ["RTX 4090", RTX_3090] duration>3 static_ip=true',
    "verified=any datacenter=True has_avx=True ubuntu_version>=20.04",
    "verified=any cpu_ghz=None",
    "verification!=verified verified=any pcie_bw>=10 cpu_cores_effective>=8",
)


@pytest.mark.slow
@pytest.mark.parametrize("query", SEARCHES)
def test_both_clients_find_the_same_offers(
    fetched: Any, searched: Any, query: str
) -> None:
    """One query, one market, one set of ids; neither empty nor the whole market."""
    theirs_found = searched(query)
    assert fetched(query) == theirs_found
    assert 0 < len(theirs_found) < 400


FOUND_BY_US_ALONE = {
    "verified=any cuda_max_good>=12.0": "asked alone, it makes the market hide H100s: we "
    "ask for it here, on what the market sends",
    "verified=any id={id}": "the market finds no offer by its id; ours asks by its other "
    "name",
}


@pytest.mark.parametrize("query", FOUND_BY_US_ALONE)
def test_what_the_market_hides_from_such_a_query_is_found(
    fetched: Any, searched: Any, query: str
) -> None:
    """The offers that are missing are there in the listing, and meet the query."""
    everything = searched("verified=any rentable=true")
    query = query.format(id=min(everything))
    hidden = fetched(query) - searched(query)
    assert hidden
    assert hidden <= everything
