"""The page of a ranking: the figures of `rank --json`, the errors of the command line."""

from __future__ import annotations

import html
import json
import re
import shlex
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

import pytest

from advisor.cli.words import ThisCommandLine

CASES = (
    ({}, ()),
    ({"epochs": "3"}, ("--epochs", "3")),
    ({"disk": "500"}, ("--disk", "500")),
    ({"batch": "64"}, ("--set", "batch_size=64")),
    ({"deadline": "5h"}, ("--deadline", "5h")),
    ({"risk": "0.9"}, ("--risk-averse", "0.9")),
    ({"rental": "interruptible"}, ("--interruptible",)),
    (
        {"gpu": "RTX 4090,A100", "num_gpus": "1,2"},
        ("--gpu", "RTX 4090,A100", "--num-gpus", "1,2"),
    ),
    ({"sort": "epoch-time", "pareto": "1"}, ("--sort", "epoch-time", "--pareto")),
    (
        {"workload": "bert-base", "fit_batch": "1"},
        ("--workload", "bert-base", "--fit-batch"),
    ),
)


def data_of(answer: Any) -> Any:
    """Return the data that the page carries."""
    (text,) = re.findall(r'id="page-data"[^>]*>(.*?)</script>', answer.text, re.DOTALL)
    return json.loads(text)


def problem_of(answer: Any) -> str:
    (text,) = re.findall(r'class="problem" role="alert">(.*?)</p>', answer.text)
    return html.unescape(text)


def column(data: Any, name: str) -> list[Any]:
    found = data["columns"][name]
    if isinstance(found, list):
        return found
    return [found["values"][code] for code in found["codes"]]


@pytest.mark.slow
@pytest.mark.parametrize(("fields", "words"), CASES)
def test_the_figures_are_those_of_the_command(
    browser: Any,
    advisor: Callable[..., Any],
    fields: dict[str, str],
    words: Sequence[str],
) -> None:
    """Order, costs, times and what is left out, on the page and where it is live."""
    named = words if "--workload" in words else ("--workload", "resnet50", *words)
    expected = advisor("rank", *named, "--market", "sample", "--json").document
    page = browser.get(f"/?{urlencode(fields)}")
    live = browser.get(f"/live?{urlencode(fields)}").json()["data"]
    for data in (data_of(page), live):
        assert data["excluded"] == expected["excluded"]
        assert data["workload"] == expected["workload"]
        offers = expected["offers"]
        assert column(data, "offer_id") == [one["offer_id"] for one in offers]
        for key in ("epoch_usd", "epoch_hours", "job_usd", "samples_per_s"):
            figures = [one[key] for one in offers]
            assert column(data, key) == pytest.approx(figures, rel=1e-4), key
        assert column(data, "bound_by") == [one["bound_by"] for one in offers]
    assert page.status_code == 200


def test_the_bill_without_scripts_is_that_of_explain(
    browser: Any, advisor: Callable[..., Any]
) -> None:
    """A link names the offer; its lines and its costs are there."""
    offers = advisor("rank", "resnet50", "--market", "sample", "--json").document[
        "offers"
    ]
    number = str(offers[2]["offer_id"])
    bill = advisor(
        "explain", number, "resnet50", "--market", "sample", "--json"
    ).document["bill"]
    page = browser.get(f"/?offer={number}").text
    _, _, plain = page.partition("<noscript>")
    plain, _, _ = plain.partition("</noscript>")
    assert f"Offer {number}: " in plain
    for line in bill:
        assert (f'<th scope="row">{line["label"]}</th>' in plain) == bool(
            line["usd"] or line["hours"]
        )
    assert f'href="/?workload=resnet50&amp;offer={offers[4]["offer_id"]}"' in plain


@pytest.mark.parametrize(
    "fields",
    [
        {"epochs": "0"},
        {"epochs": "many"},
        {"epochs": "-3"},
        {"disk": "nan"},
        {"batch": "0"},
        {"batch": "x"},
        {"deadline": "24"},
        {"deadline": "-1h"},
        {"risk": "1.5"},
        {"budget": "0"},
        {"gpu": "RTX 4O90"},
        {"region": "Atlantis"},
        {"num_gpus": "0"},
        {"min_reliability": "2"},
        {"sort": "beauty"},
        {"workload": "resnet5"},
        {"risk": "0.9", "sort": "price"},
        {"batch": "64", "fit_batch": "1"},
        {"deadline": "1s"},
        {"budget": "0.001"},
    ],
)
def test_what_cannot_be_is_told_as_the_command_tells_it(
    browser: Any, advisor: Callable[..., Any], fields: dict[str, str]
) -> None:
    """One line, the same; 400 where the request is wrong, an answer if nothing fits."""
    given = tuple({"workload": "resnet50", **fields}.items())
    words = ThisCommandLine().words("rank", given)
    outcome = advisor("rank", *words, "--market", "sample")
    said = " ".join(outcome.stderr.splitlines()[-1].split())
    for path in ("/", "/live"):
        answer = browser.get(f"{path}?{urlencode(fields)}")
        wrong = outcome.exit_code == 2
        assert answer.status_code == (400 if wrong else 200)
        if path == "/":
            line = problem_of(answer)
            assert line in said or said.endswith(_message(line)), (line, said)
            assert "Traceback" not in answer.text
            assert 'name="epochs"' in answer.text  # the form is there to mend it


def _message(line: str) -> str:
    """Return a line without click's hint, which this runner of commands shows apart."""
    return line.partition(" See 'advisor")[0].removeprefix("Invalid value for ")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("epoch=3", "did you mean epochs?"),
        ("rental=help", "one of on-demand, interruptible, reserved is expected"),
        ("rental=json", "one of on-demand, interruptible, reserved is expected"),
        ("gpu=A%1b]0;x%07100", "U+001B"),
        ("gpu=%E2%80%AERTX", "U+202E"),
        ("gpu=RTX%0A4090", "U+000A"),
        (f"workload={'x' * 4000}", "no workload"),
        ("offer=1e3", "no id of an offer"),
        ("offer=%D9%A1", "no id of an offer"),
    ],
)
def test_what_no_form_of_ours_sends_is_refused(
    browser: Any, query: str, words: str
) -> None:
    """A value is never an option, and a command to copy never obeyed by a terminal."""
    answer = browser.get(f"/?{query}")
    assert answer.status_code == 400
    assert words in problem_of(answer)


def test_no_file_is_read_for_an_address(
    serving: Callable[..., Any], context: Any, tmp_path: Any
) -> None:
    """But the one that the server was started with."""
    mine = tmp_path / "mine.toml"
    mine.write_text('extends = "resnet50"\nname = "mine"\nepochs = 2\n', encoding="utf-8")
    (tmp_path / "secret").write_text("k", encoding="utf-8")
    browser = serving()
    browser.open()
    for name in (str(mine), "mine.toml", "secret", "/etc/passwd", "./secret"):
        answer = browser.get(f"/?{urlencode({'workload': name})}")
        assert answer.status_code == 400
        assert "is a file: start 'advisor serve' with it" in problem_of(answer)
    own = serving(workload=str(mine))
    own.open()
    assert data_of(own.get("/"))["workload"]["epochs"] == 2


def test_values_stay_in_the_form(browser: Any) -> None:
    """Right or wrong: nothing that was typed is lost."""
    text = browser.get("/?epochs=7&gpu=RTX+4090&verified=1&rental=reserved").text
    assert 'name="epochs" value="7"' in text
    assert 'name="gpu" value="RTX 4090"' in text
    assert re.search(r'name="verified" value="1" checked', text)
    assert '<option value="reserved" selected>' in text
    assert 'name="epochs" value="many"' in browser.get("/?epochs=many").text


def test_the_command_to_copy_gives_the_same(
    browser: Any, advisor: Callable[..., Any]
) -> None:
    """Each word is quoted for a shell; a market of samples rents nothing."""
    fields = {"gpu": "RTX 4090; rm -rf $HOME", "epochs": "4"}
    assert browser.get(f"/?{urlencode(fields)}").status_code == 400  # no such GPU
    page = browser.get("/?gpu=RTX+4090&epochs=4").text
    commands = [
        html.unescape(one) for one in re.findall(r'class="words">(.*?)</code>', page)
    ]
    explain, rank = commands
    assert "'RTX 4090'" in rank
    words = shlex.split(rank)[1:]
    expected = advisor(*words, "--json").document["offers"]
    assert column(data_of(browser.get("/?gpu=RTX+4090&epochs=4")), "offer_id") == [
        one["offer_id"] for one in expected
    ]
    found = advisor(*shlex.split(explain)[1:], "--json").document["offer"]
    assert found["offer_id"] == expected[0]["offer_id"]
    assert found["epoch_usd"] == pytest.approx(expected[0]["epoch_usd"])


@pytest.mark.parametrize("command", ["rank", "speedup"])
def test_every_field_is_an_option_of_the_command(
    advisor: Callable[..., Any], command: str
) -> None:
    """None was renamed since."""
    line, text = ThisCommandLine(), advisor(command, "-h").stdout
    for field in line.fields(command):
        value = "reserved" if field == "rental" else "1"
        assert f"{line.words(command, [(field, value)])[0]} " in text


def test_a_fault_of_ours_shows_no_trace(
    browser: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The page says that it is one; where it is stands in the terminal alone."""
    broken = type("Broken", (ThisCommandLine,), {"rank": lambda self, words: 1 / 0})()
    object.__setattr__(browser.served, "command_line", broken)
    answer = browser.get("/", raises=False)
    assert answer.status_code == 500
    assert "ZeroDivisionError; this is a fault of advisor" in answer.text
    assert "Traceback" not in answer.text
    assert "test_ranked" not in answer.text
    assert "ZeroDivisionError" in caplog.text
