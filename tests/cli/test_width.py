"""A ranking that is wider than its terminal does without columns, and says which."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from advisor.report.cells import width_of
from tests.conftest import REAL_DATA
from tests.hostile import save_market

Advisor = Callable[..., Any]
FIXTURES = Path(__file__).parents[2] / "fixtures" / "api"
RANK = ("rank", "resnet50", "--market", "sample", "--top", "4")


WIDTHS = ("80", "100", "120", "200")
IN_ORDER = (
    *("#", "offer", "GPU", "$/epoch", "epoch", "$/h", "bound by", "CPU"),
    *("threads", "interval", "notes"),
)
"""Columns that matter, what is missed most first."""


@pytest.mark.parametrize("width", WIDTHS)
def test_the_table_fits_the_terminal(advisor: Advisor, width: str) -> None:
    """No line is longer; what is missing is named, and is what matters least."""
    outcome = advisor(*RANK, variables={"COLUMNS": width})
    lines = (outcome.stdout + outcome.stderr).splitlines()
    assert max(map(len, lines)) <= int(width)
    head = outcome.stdout.splitlines()[0]
    shown = re.split(r"\s{2,}", head)
    told = " ".join(outcome.stderr.split())
    missing = [name for name in IN_ORDER if name not in shown]
    assert missing == list(IN_ORDER[len(IN_ORDER) - len(missing) :])
    assert ("too wide for this terminal: " in told) == bool(missing) or width == "120"
    assert all(f"{name}," in told or f"{name};" in told for name in missing)


@pytest.mark.parametrize("variables", [{}, {"COLUMNS": "500"}, {"COLUMNS": "no number"}])
def test_a_table_with_room_has_every_column(
    advisor: Advisor, variables: dict[str, str]
) -> None:
    """In a pipe, too, whose reader may want any of them."""
    outcome = advisor(*RANK, variables=variables)
    assert "CPU" in outcome.stdout.splitlines()[0]
    assert "notes" in outcome.stdout.splitlines()[0]
    assert "too wide" not in outcome.stderr


def test_other_formats_are_as_wide_as_they_are(advisor: Advisor) -> None:
    """Programs read them."""
    narrow, wide = (
        advisor(*RANK, "--format", "csv", variables=variables).stdout
        for variables in ({"COLUMNS": "40"}, {})
    )
    assert narrow == wide
    assert len(next(csv.reader(narrow.splitlines()))) > 50


@pytest.fixture(scope="module")
def markets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return a name -> a market: the bundled ones, what real ones look like, hostile."""
    folder = tmp_path_factory.mktemp("markets")
    found = {"sample": "sample", "hostile": save_market(folder)}
    search = json.loads((FIXTURES / "search.json").read_text(encoding="utf-8"))
    answer = folder / "search.json"
    answer.write_text(json.dumps(search.get("body", search)), encoding="utf-8")
    found["search"] = str(answer)
    if REAL_DATA.is_dir():
        found |= {one.stem: str(one) for one in (REAL_DATA / "offers").glob("*.json")}
    return found


NAMES = (
    *("sample", "hostile", "search", "vast-2026-06-a100", "vast-2026-08-17"),
    *("vast-2026-08-17-without-key", "vast-2026-09-16-rtx4090", "vast-all-fields"),
    "vast-misc",
)


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", NAMES)
def test_no_line_of_offers_is_longer(
    advisor: Advisor, markets: dict[str, str], name: str, width: str
) -> None:
    """Of rank, bid and compare, tables and what is said beside them, on all markets."""
    if name not in markets:
        pytest.skip("the folder of real data is not beside this checkout")
    on = ("--workload", "resnet18", "--market", markets[name])
    first = advisor("rank", *on, "--top", "4", "--json").document["offers"]
    ids = [str(one["offer_id"]) for one in first]
    for words in (
        ("rank", *on, "--top", "40"),
        ("rank", *on, "--interruptible"),
        ("rank", *on, "--sort", "epoch-time", "--pareto"),
        ("bid", *on),
        *([("compare", *ids, *on)] if len(ids) > 1 else []),
    ):
        outcome = advisor(*words, variables={"COLUMNS": width})
        lines = (outcome.stdout + outcome.stderr).splitlines()
        shown = [one for one in lines if markets[name] not in one]
        assert max(map(width_of, shown)) <= int(width), words


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("words", [("workloads", "list"), ("gpus",), ("cpus",)])
def test_no_line_of_a_listing_is_longer(
    advisor: Advisor, words: tuple[str, ...], width: str
) -> None:
    """What cannot be left out is there: names, and figures in full."""
    outcome = advisor(*words, variables={"COLUMNS": width})
    lines = (outcome.stdout + outcome.stderr).splitlines()
    assert max(map(len, lines)) <= int(width)
    wide = advisor(*words).stdout.splitlines()[2:]
    names = {line.split("  ")[0] for line in wide}
    assert names <= {line.split("  ")[0] for line in outcome.stdout.splitlines()}
    assert "…" not in outcome.stdout


@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_of_the_users_own_is_longer(
    advisor: Advisor, record: dict[str, Any], tmp_path: Path, width: str
) -> None:
    """Hosts with long reasons, the history of prices, records."""
    reason = "died at epoch 3, and " * 20
    advisor("hosts", "block", "103058", "--reason", reason, "--market", "m" * 90)
    advisor(
        "record", "--workload", "resnet50", "--gpu", "RTX 3090", "--throughput", "412"
    )
    snapshot = {
        "schema_version": 1,
        "market": "vast",
        "origin": "test",
        "complete": True,
        "fetched_at": "2026-11-20T10:00:00Z",
        "simulated": False,
        "notes": [],
        "offers": [record],
    }
    path = tmp_path / "market.json"
    path.write_text(json.dumps(snapshot))
    assert advisor("fetch", "--keep", "--market", str(path)).exit_code == 0
    for words in (("hosts", "list"), ("history",), ("records", "list")):
        outcome = advisor(*words, variables={"COLUMNS": width})
        assert outcome.exit_code == 0, outcome.stderr
        lines = (outcome.stdout + outcome.stderr).splitlines()
        assert max(map(len, lines)) <= int(width), words
    told = advisor("hosts", "list", variables={"COLUMNS": width}).stdout
    assert "died at" in told


@pytest.mark.parametrize(
    "words",
    [
        ("bid", "23122054", "resnet50", "--market", "sample"),
    ],
    ids=lambda words: words[0],
)
def test_text_is_wrapped_and_nothing_is_cut(
    advisor: Advisor, words: tuple[str, ...]
) -> None:
    """Within 100 columns, on stdout and stderr, the same words as without a limit."""
    narrow, wide = (
        advisor(*words, variables=variables) for variables in ({"COLUMNS": "100"}, {})
    )
    lines = (narrow.stdout + narrow.stderr).splitlines()
    assert max(map(len, lines)) <= 100
    heads = {"value", "unit", "source"}  # of a table that has no room
    words_of = (
        Counter(
            word
            for word in f"{one.stdout} {one.stderr}".split()
            if word not in heads and set(word) != {"-"}
        )
        for one in (narrow, wide)
    )
    assert next(words_of) == next(words_of)
