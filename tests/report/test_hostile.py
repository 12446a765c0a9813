"""A host's texts do no harm in any format: terminal, spreadsheet, JSON, page."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from advisor.app.context import Context
from advisor.app.rank import rank
from advisor.report.cells import width_of
from tests.conftest import RECORD
from tests.hostile import ATTACKS, RECORDS, dangers, formulas, record_of, save_market

Launch = Callable[..., Any]
WORDS = ("resnet50", "--market")


@pytest.fixture
def world(tmp_path: Path) -> Context:
    """Return a world of its own, without a key."""
    folders = {"ADVISOR_CACHE_DIR": "cache", "ADVISOR_DATA_DIR": "data"}
    variables = {name: str(tmp_path / path) for name, path in folders.items()}
    return Context(variables=variables, home=tmp_path, folder=tmp_path)


@pytest.fixture
def launch(world: Context, run_command: Callable[..., Any]) -> Launch:
    """Return what runs a command line in a terminal of some width, or in none."""

    def run(*words: str, width: int | None = None) -> Any:
        columns = {} if width is None else {"COLUMNS": str(width)}
        variables = {**world.variables, **columns}
        here = Context(variables=variables, home=world.home, folder=world.folder)
        return run_command(words, here)

    return run


def lines_of(outcome: Any) -> Iterator[str]:
    """Yield what people see, a line each: stdout and stderr, but the user's own words."""
    for line in (outcome.stdout + outcome.stderr).splitlines():
        if not line.lstrip().startswith(("advisor ", "--market")):
            yield line


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_plot_names_a_hostile_offer(
    launch: Launch, tmp_path: Path, attack: str
) -> None:
    """Below it, in the table of the front."""
    pytest.importorskip("plotext", reason="the extra 'plots' is not installed")
    market = tmp_path / "one.json"
    market.write_text(json.dumps([record_of(attack, 7)]), encoding="ascii")
    outcome = launch("rank", *WORDS, str(market), "--plot", width=80)
    assert outcome.exit_code == 0
    assert dangers(outcome.stdout) == []
    assert max(map(width_of, outcome.stdout.splitlines())) <= 80


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("width", [None, 80])
def test_the_answer_names_a_hostile_offer_and_does_as_it_likes(
    launch: Launch, tmp_path: Path, attack: str, width: int | None
) -> None:
    """One that is the best: in the sentence, the table, and what to type next."""
    market = tmp_path / "one.json"
    market.write_text(json.dumps([record_of(attack, 7)]), encoding="ascii")
    outcome = launch("rank", *WORDS, str(market), width=width)
    assert outcome.exit_code == 0, outcome.stderr
    assert "900000007" in outcome.stdout
    assert "Rent 900000007 (" in outcome.stderr
    assert dangers(outcome.stdout + outcome.stderr) == []
    assert len(outcome.stdout.splitlines()) == 3
    assert max(map(width_of, lines_of(outcome))) <= (width or 1_000)


@pytest.mark.parametrize("width", [80, 100, 120, 200])
@pytest.mark.parametrize(
    "words",
    [
        ("rank", "--top", "50"),
        ("rank", "--columns", "offer,GPU,cpu_name,geolocation,verification,flags"),
        ("rank", "--interruptible", "--pareto"),
        ("bid", "900000026"),
        ("bid", "900000018"),
        ("compare", "900000026", "900000018", "101"),
    ],
    ids=" ".join,
)
def test_no_line_is_wider_than_the_terminal(
    launch: Launch, tmp_path: Path, words: tuple[str, ...], width: int
) -> None:
    """Whatever is in the names, and nothing of it is obeyed."""
    market = save_market(tmp_path)
    named = ("--workload",) if words[0] == "compare" else ()
    outcome = launch(*words, *named, *WORDS, market, width=width)
    assert outcome.exit_code == 0, outcome.stderr
    assert dangers(outcome.stdout + outcome.stderr) == []
    assert max(map(width_of, lines_of(outcome))) <= width


@pytest.mark.parametrize(("kind", "delimiter"), [("csv", ","), ("tsv", "\t")])
def test_no_cell_is_a_formula(
    launch: Launch, tmp_path: Path, kind: str, delimiter: str
) -> None:
    """A spreadsheet shows each text as it is, and a terminal the whole file."""
    market = save_market(tmp_path)
    text = launch("rank", *WORDS, market, "--format", kind).stdout
    assert formulas(text, delimiter) == []
    assert dangers(text) == []
    rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))
    names = {row["offer_id"]: row["gpu_name"] for row in rows}
    assert len(rows) == len(RECORDS) + 1
    assert names["101"] == RECORD["gpu_name"]
    assert names["900000009"] == "'" + ATTACKS["formula"]


def test_json_has_the_texts_and_they_are_only_texts(
    launch: Launch, tmp_path: Path
) -> None:
    """As they can be printed, in ASCII, however long."""
    outcome = launch("rank", *WORDS, save_market(tmp_path), "--json")
    assert outcome.stdout.isascii()
    assert dangers(outcome.stdout) == []
    names = {one["offer_id"]: one["gpu_name"] for one in outcome.document["offers"]}
    for at, (name, text) in enumerate(ATTACKS.items()):
        shown = names[900_000_000 + at]
        assert dangers(shown) == []
        if text.isprintable():
            assert shown == " ".join(text.split()), name
    assert dangers(outcome.document["answer"]["text"]) == []


def test_a_notebook_runs_nothing(world: Context, tmp_path: Path) -> None:
    """All that is a host's is escaped."""
    market = tmp_path / "odd.json"
    market.write_text(json.dumps([record_of("script"), record_of("attribute", 1)]))
    html = rank("resnet50", market=market, context=world)._repr_html_()
    assert "&lt;script&gt;" in html
    assert "<script" not in html
    assert "<img" not in html


@pytest.mark.parametrize("width", [80, 200])
def test_a_list_shows_what_somebody_wrote_and_does_not_obey(
    launch: Launch, width: int
) -> None:
    """Reasons are the user's own, but are pasted from anywhere."""
    for number, text in enumerate(ATTACKS.values()):
        written = text.encode("utf-8", "replace").decode()
        outcome = launch("hosts", "block", str(number), "--reason", written)
        assert outcome.exit_code == 0, outcome.stderr
    shown = launch("hosts", "list", width=width).stdout
    assert dangers(shown) == []
    assert max(map(width_of, shown.splitlines())) <= width
    table = launch("hosts", "list", "--format", "csv").stdout
    assert formulas(table) == []
    assert dangers(table) == []


def test_an_error_names_what_is_for_rent_and_does_not_obey(
    launch: Launch, tmp_path: Path
) -> None:
    """Names of the market's are proposed where one is not known."""
    market = save_market(tmp_path)
    for words in (("--gpu", "RTX 409O"), ("--where", "gpu_name=]0;ownedRTX_409O")):
        outcome = launch("rank", *WORDS, market, *words)
        assert outcome.exit_code in {2, 3}
        assert dangers(outcome.stdout + outcome.stderr) == []


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_plot_names_a_hostile_offer_and_obeys_nothing(
    launch: Launch, tmp_path: Path, attack: str
) -> None:
    """One that is the whole front: in the table below the plot."""
    pytest.importorskip("plotext", reason="the extra 'plots' is not installed")
    market = tmp_path / "one.json"
    market.write_text(json.dumps([record_of(attack, 7)]), encoding="ascii")
    outcome = launch("rank", *WORDS, str(market), "--plot", width=80)
    assert outcome.exit_code == 0, outcome.stderr
    assert dangers(outcome.stdout) == []
    assert max(map(width_of, outcome.stdout.splitlines())) <= 80
