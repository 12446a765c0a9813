"""The page's data and its file: figures, sizes, escapes, what is missing."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import advisor
from advisor.app.kept import Kept
from advisor.base.errors import UsageError
from advisor.base.resources import models_folder
from advisor.report.page.card import model_card
from advisor.report.page.charts import charts
from advisor.report.page.columns import coded, decoded, rounded
from advisor.report.page.data import page_data
from advisor.report.page.document import report
from advisor.report.page.view import percent, price, time, usd
from tests.hostile import ATTACKS, save_market
from tests.report.page.conftest import NOW, MakeReport, Report, run_in


def elements(text: str) -> dict[str, str]:
    """Return what stands in the elements that have an id and text of their own."""
    found = re.findall(
        r'<script type="[a-z/]+" id="([a-z-]+)">(.*?)</script>', text, re.DOTALL
    )
    return dict(found)


@pytest.fixture(scope="module")
def data(sample: Report) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(elements(sample.text)["page-data"])
    return found


@pytest.mark.slow
def test_columns_are_the_figures_of_rank(data: dict[str, Any], sample: Report) -> None:
    """Every key that both have, rounded to five digits; texts to the letter."""
    shared = [key for key in sample.offers[0] if key in data["columns"]]
    assert len(shared) >= 35
    for row, one in enumerate(sample.offers):
        for key in shared:
            shown = decoded(data["columns"][key], row)
            if isinstance(one[key], float):
                assert shown == pytest.approx(one[key], rel=1e-4), key
            else:
                assert shown == one[key], key


def test_limits_are_those_of_rank(data: dict[str, Any], sample: Report) -> None:
    """Each by its name; one that does not hold is None."""
    for limit in data["limits"]:
        for row, one in enumerate(sample.offers):
            rate = one["limits"][limit["name"]]
            assert limit["rate"][row] == (rate and pytest.approx(rate, rel=1e-3))


def test_bill_is_that_of_explain(data: dict[str, Any], sample: Report) -> None:
    """Line by line; all lines together are the cost of the job."""
    offer = str(sample.offers[4]["offer_id"])
    words = ("explain", offer, "resnet50", "--market", "sample", "--json")
    explained = json.loads(run_in(sample.path.parent, *words).stdout)
    told = {line["line"]: line for line in explained["bill"]}
    for line in data["bill"]:
        one = told.pop(line["line"])
        assert line["usd"][4] == pytest.approx(one["usd"], rel=1e-3)
        hours = one["hours"] and pytest.approx(one["hours"], rel=1e-3)
        assert line["hours"][4] == hours
    assert not any(one["usd"] or one["hours"] for one in told.values())
    for row, one in enumerate(sample.offers):
        whole = sum(line["usd"][row] for line in data["bill"])
        assert whole == pytest.approx(one["job_usd"], rel=1e-3)


def test_amounts_are_right_to_the_cent(tmp_path: Path) -> None:
    """Of a job that costs thousands, too: what is shown as cents are some."""
    pytest.importorskip("vl_convert", reason="the extra 'page' is not installed")
    path = tmp_path / "page.html"
    words = ("resnet50", "--epochs", "123456", "--top", "3", "--market", "sample")
    run_in(tmp_path, "report", *words, "-o", str(path))
    document = json.loads(run_in(tmp_path, "rank", *words, "--json").stdout)
    found = json.loads(elements(path.read_text(encoding="utf-8"))["page-data"])
    for row, one in enumerate(document["offers"]):
        assert one["job_usd"] > 1000.0
        assert found["columns"]["job_usd"][row] == round(one["job_usd"], 2)
        bill = sum(line["usd"][row] for line in found["bill"])
        assert bill == pytest.approx(one["job_usd"], abs=0.005 * len(found["bill"]))


def test_answer_assumptions_and_market_are_those_of_rank(
    data: dict[str, Any], sample: Report
) -> None:
    """What is not of an offer stands as it is in the document of `rank --json`."""
    for key in ("answer", "assumptions", "excluded", "model", "sort", "workload"):
        assert data[key] == sample.document[key]
    assert data["market"] == {**sample.document["market"], "age": "20 days old"}
    assert data["next"][0].startswith(f"advisor explain {sample.offers[0]['offer_id']} ")


def test_page_loads_nothing(sample: Report) -> None:
    """No address in it is one that a browser would fetch."""

    class Loads(HTMLParser):
        found: list[str] = []  # noqa: RUF012  (a test's)

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.found += [
                f"{tag} {name}={value}"
                for name, value in attrs
                if name in {"src", "href", "srcset", "data", "action"}
                and not (value or "").startswith("#")
            ]

    reader = Loads()
    reader.feed(sample.text)
    assert reader.found == []


def test_policy_allows_the_scripts_of_the_page_alone(sample: Report) -> None:
    """By hash: no text of anybody is evaluated, and nothing is loaded."""
    (policy,) = re.findall(r'Security-Policy" content="([^"]+)"', sample.text)
    assert "default-src 'none'" in policy.replace("&#39;", "'")
    assert "unsafe" not in policy
    assert policy.count("sha256-") == 3


def test_page_of_a_thousand_offers_is_small(sample: Report) -> None:
    """Of the 6 MB that 3,000 offers may take, the library is one."""
    library = len(elements(sample.text)["chart-library"])
    rest = sample.path.stat().st_size - library
    assert library + 3000 * rest / len(sample.offers) < 5e6


def test_hostile_texts_are_escaped(
    make_report: MakeReport, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """In no element of the page and in no JSON of it do they end what they stand in."""
    folder = tmp_path_factory.mktemp("escaped")
    report = make_report("bert-base", "--market", save_market(folder), folder=folder)
    parts = elements(report.text)
    text = report.text.replace(parts["chart-library"], "")
    assert ATTACKS["script"] not in text
    assert "<img" not in text
    for name in ("page-data", "page-charts"):
        assert not set(parts[name]) & set("<>&\u2028\u2029")
    names = json.loads(parts["page-data"])["columns"]["gpu_name"]["values"]
    assert ATTACKS["script"] in names


def test_charts_hold_no_text_of_an_offer(sample: Report) -> None:
    """Specifications are the same for every ranking."""
    assert json.loads(elements(sample.text)["page-charts"]) == charts()


def test_nothing_that_fits_is_an_error_and_writes_no_page(tmp_path: Path) -> None:
    """With the exit code of `rank`."""
    pytest.importorskip("vl_convert", reason="the extra 'page' is not installed")
    path = tmp_path / "none.html"
    words = ("report", "resnet50", "--market", "sample", "--max-price", "0.0001")
    with pytest.raises(Exception, match="offer") as caught:
        run_in(tmp_path, *words, "-o", str(path))
    assert caught.value.exit_status == 3  # type: ignore[attr-defined]
    assert not path.exists()


@pytest.mark.parametrize("place", ["no/such/folder/page.html", "pipe"])
def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path, place: str) -> None:
    """With the exit code of a wrong word; a pipe or a device is not replaced."""
    pytest.importorskip("vl_convert", reason="the extra 'page' is not installed")
    os.mkfifo(tmp_path / "pipe")
    words = ("report", "resnet50", "--market", "sample", "-o", str(tmp_path / place))
    with pytest.raises(UsageError, match=r"cannot write .*: ") as caught:
        run_in(tmp_path, *words)
    assert caught.value.exit_status == 2
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("lacking", ["jinja2", "vl_convert"])
def test_without_its_extra_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    """Before the market is asked, and nothing is written."""
    monkeypatch.setitem(__import__("sys").modules, lacking, None)
    path = tmp_path / "report.html"
    with pytest.raises(UsageError, match=r"pip install '.\[page\]'"):
        run_in(tmp_path, "report", "resnet50", "--market", "sample", "-o", str(path))
    assert not path.exists()


def test_json_says_what_was_written(
    tmp_path: Path, conforms: Callable[[str, Any], None]
) -> None:
    """File, size, offers and the answer."""
    pytest.importorskip("vl_convert", reason="the extra 'page' is not installed")
    path = tmp_path / "few.html"
    words = ("report", "resnet50", "--market", "sample", "--top", "5", "--json")
    document = json.loads(run_in(tmp_path, *words, "-o", str(path)).stdout)
    conforms("report", document)
    assert document["offers"] == 5
    assert "762 more rank lower" in path.read_text(encoding="utf-8")
    assert document["bytes"] == path.stat().st_size


def test_an_empty_ranking_is_a_page_too() -> None:
    """For who changes what is asked while the page is open."""
    pytest.importorskip("vl_convert", reason="the extra 'page' is not installed")
    ranking = advisor.rank("resnet50", market="sample", max_usd_per_hour=0.0001)
    data = page_data(ranking, NOW, Kept(), models_folder())
    assert data["count"] == 0
    assert "No offer is left" in report(data)


def test_a_single_offer_and_an_order_by_price_make_a_page(tmp_path: Path) -> None:
    """Neither says how sure the order is."""
    pytest.importorskip("vl_convert", reason="the extra 'page' is not installed")
    path = tmp_path / "one.html"
    words = ("report", "bert-base", "--market", "sample", "-o", str(path))
    for more in (("--top", "1"), ("--sort", "price", "--interruptible", "--top", "9")):
        assert run_in(tmp_path, *words, *more).exit_code == 0
        text = path.read_text(encoding="utf-8")
        assert "Cost per epoch" in text
        assert "Sure of the order" not in text


def test_own_runs_are_beside_their_predictions(tmp_path: Path) -> None:
    """As the user recorded them; without any the page has no such part."""
    pytest.importorskip("vl_convert", reason="the extra 'page' is not installed")
    words = ("record", "resnet50", "--gpu", "RTX 3090", "--throughput", "900")
    assert run_in(tmp_path, *words).exit_code == 0
    path = tmp_path / "own.html"
    made = ("report", "resnet50", "--market", "sample", "--top", "3", "-o", str(path))
    assert run_in(tmp_path, *made).exit_code == 0
    text = path.read_text(encoding="utf-8")
    (run,) = json.loads(elements(text)["page-data"])["kept"]["runs"]
    assert run["measured"] == 900
    assert run["low"] < run["predicted"] < run["high"]
    assert "Predicted against measured" in text


def test_a_torn_store_leaves_a_page_without_own_data(tmp_path: Path) -> None:
    """It is said once, and the file is not touched."""
    pytest.importorskip("vl_convert", reason="the extra 'page' is not installed")
    torn = tmp_path / "data" / "advisor.sqlite3"
    torn.parent.mkdir()
    torn.write_text("no database", encoding="utf-8")
    path = tmp_path / "torn.html"
    words = ("report", "resnet50", "--market", "sample", "--top", "3", "-o", str(path))
    done = run_in(tmp_path, *words)
    assert done.exit_code == 0
    assert done.stderr.count("the page shows nothing of your own") == 1
    assert "kept-title" not in path.read_text(encoding="utf-8")
    assert torn.read_text(encoding="utf-8") == "no database"


def test_without_own_data_nothing_is_said_of_them(data: dict[str, Any]) -> None:
    """The sample's page was made in an empty folder."""
    assert data["kept"] is None


def test_card_is_read_as_it_stands() -> None:
    """The shipped one has errors and choices; a folder without one has none."""
    card = model_card(models_folder())
    assert card is not None
    text = (models_folder() / "README.md").read_text(encoding="utf-8")
    (pair,) = re.findall(r"^\| pair \| mape .*\| ([\d.]+) % \|  \|$", text, re.MULTILINE)
    assert card["errors"][0]["mean"] == pytest.approx(float(pair) / 100)
    assert card["choices"][0]["who"] == "advisor"
    assert [one["extra"] for one in card["choices"]] == sorted(
        one["extra"] for one in card["choices"]
    )


def test_no_card_is_none(tmp_path: Path) -> None:
    """A model of the user's own has none; nor has a file that is something else."""
    assert model_card(tmp_path) is None
    (tmp_path / "README.md").write_text("| a | b |\n", encoding="utf-8")
    assert model_card(tmp_path) is None


@given(st.lists(st.none() | st.text() | st.integers()))
def test_a_coded_column_is_read_as_it_was(values: list[Any]) -> None:
    """Every value in its row."""
    column = coded(values)
    assert [decoded(column, row) for row in range(len(values))] == values


@given(st.none() | st.floats())
def test_a_rounded_figure_is_near_and_fits_json(value: float | None) -> None:
    """What is unknown or has no end is None."""
    shown = rounded(value)
    assert json.loads(json.dumps(shown, allow_nan=False)) == shown
    if shown is not None:
        assert shown == pytest.approx(value, rel=1e-4)


def test_figures_have_units_that_people_use() -> None:
    """And nothing that is unknown is zero."""
    assert [time(one) for one in (None, 0.001, 0.1, 5.0, 53.4, 72.0)] == [
        *("?", "3.6 s", "6 min", "5 h", "2.23 d", "3 d"),
    ]
    assert [usd(one) for one in (None, 0.0, 0.04802, 4.3218, 1234.5)] == [
        *("?", "$0.00", "$0.0480", "$4.32", "$1,234.50"),
    ]
    assert [price(0.364), percent(0.9936), percent(None)] == ["$0.364", "99.4 %", "?"]
