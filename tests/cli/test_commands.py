"""The commands beside `rank`: what they print, save and refuse."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from advisor.workloads.load import list_workloads

Advisor = Callable[..., Any]
BUILT_IN = [workload.name for workload in list_workloads()]


def test_fetch_saves_what_rank_reads(advisor: Advisor, tmp_path: Path) -> None:
    """A saved market ranks like the market itself, and stays simulated."""
    saved = tmp_path / "today.json.gz"
    outcome = advisor("fetch", "-o", str(saved))
    assert outcome.exit_code == 0
    assert outcome.stdout == ""
    assert "simulated" in outcome.stderr
    arguments = ("rank", "--workload", "resnet50", "--json", "--market")
    live, kept = (
        advisor(*arguments, market).document for market in ("sample", str(saved))
    )
    assert kept["offers"] == live["offers"]
    assert kept["market"]["simulated"] is True
    assert kept["market"]["origin"] == str(saved)


def test_fetch_asks_the_live_market_anew(
    advisor: Advisor, record: dict[str, Any], tmp_path: Path
) -> None:
    """A fetch never takes a kept answer, and passes the constraints on."""
    bodies = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        return httpx.Response(200, json={"offers": [record]})

    for _ in range(2):
        outcome = advisor(
            *("fetch", "-o", str(tmp_path / "x.gz"), "--gpu", "rtx 4090"),
            *("--num-gpus", "1", "--min-reliability", "0.9"),
            variables={"VAST_API_KEY": "k-123"},
            transport=httpx.MockTransport(answer),
        )
        assert outcome.exit_code == 0
    assert len(bodies) == 2
    assert "RTX 4090" in bodies[0]["gpu_name"]["in"]
    assert bodies[0]["num_gpus"] == {"in": [1]}
    assert bodies[0]["reliability"] == {"gte": 0.9}


def test_fetch_checks_every_constraint_again(advisor: Advisor, tmp_path: Path) -> None:
    """What does not fit is not saved, is counted, and the file is called a part."""
    saved = tmp_path / "part.json.gz"
    outcome = advisor(
        *("fetch", "-o", str(saved), "--json", "--gpu", "A100", "--region", "europe")
    )
    assert outcome.exit_code == 0
    assert {"gpu", "region"} <= set(outcome.document["excluded"])
    arguments = ("rank", "--workload", "bert-base", "--market", str(saved), "--json")
    document = advisor(*arguments).document
    assert document["complete"] is False
    assert 0 < document["market"]["offers_read"] == outcome.document["offers"]
    assert all("A100" in entry["gpu_name"] for entry in document["offers"])


@pytest.mark.parametrize("option", [("--gpu", "nonsense"), ("--region", "nonsense")])
def test_fetch_refuses_what_rank_refuses(
    advisor: Advisor, tmp_path: Path, option: tuple[str, str]
) -> None:
    """A typing error saves nothing."""
    saved = tmp_path / "part.json.gz"
    assert advisor("fetch", "-o", str(saved), *option).exit_code == 2
    assert not saved.exists()


def test_rank_takes_a_kept_answer_within_its_age(
    advisor: Advisor, record: dict[str, Any]
) -> None:
    """Two ranks in five minutes ask the market once; `--max-age 0` asks again."""
    searches = []

    def answer(request: httpx.Request) -> httpx.Response:
        searches.append(request)
        return httpx.Response(200, json={"offers": [record]})

    for workload, more in (
        ("resnet50", ()),
        ("bert-base", ()),
        ("bert-base", ("--max-age", "0")),
    ):
        outcome = advisor(
            *("rank", "--workload", workload, "--market", "vast", *more),
            transport=httpx.MockTransport(answer),
        )
        assert outcome.exit_code == 0
        assert "hold back more" in outcome.stderr
    assert len(searches) == 2


def test_a_used_up_quota_is_exit_code_5(advisor: Advisor) -> None:
    """The daily quota is named, with when it ends, and nothing is ranked."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(
            429, headers={"Retry-After": "7200"}, json={"error": "search_quota_exceeded"}
        )

    outcome = advisor(
        *("rank", "--workload", "resnet50", "--market", "vast"),
        transport=httpx.MockTransport(answer),
    )
    assert outcome.exit_code == 5
    assert "until" in outcome.stderr
    assert "; --stale-ok takes the newest stored answer" in outcome.stderr
    assert outcome.stdout == ""


def test_the_workloads_are_listed(advisor: Advisor) -> None:
    """The built-in workloads are there under their exact names."""
    document = advisor("workloads", "list", "--json").document
    assert document["schema_version"] == 1
    assert [workload["name"] for workload in document["workloads"]] == BUILT_IN
    table = advisor("workloads", "list").stdout
    assert [line.split()[0] for line in table.splitlines()[2:]] == BUILT_IN


def test_a_shown_workload_can_be_saved_and_ranked(
    advisor: Advisor, tmp_path: Path
) -> None:
    """What `show` prints is a profile that `rank` takes."""
    profile = tmp_path / "mine.toml"
    profile.write_text(advisor("workloads", "show", "resnet50").stdout)
    arguments = ("rank", "--json", "--top", "3", "--workload")
    mine, built_in = (
        advisor(*arguments, workload).document for workload in (str(profile), "resnet50")
    )
    assert mine["offers"] == built_in["offers"]


@pytest.mark.parametrize("command", ["gpus", "cpus"])
def test_the_tables_are_listed_in_every_format(advisor: Advisor, command: str) -> None:
    """Table, JSON, CSV and TSV list the same rows; unknown figures are null."""
    document = advisor(command, "--json").document
    rows = document[command]
    assert document["schema_version"] == 1
    assert len(rows) > 100
    assert "NaN" not in json.dumps(rows)
    table = advisor(command).stdout.splitlines()
    assert len(table) == len(rows) + 2
    comma = list(csv.DictReader(advisor(command, "--format", "csv").stdout.splitlines()))
    assert [row["name"] for row in comma] == [row["name"] for row in rows]


def test_a_sample_is_made_anew(advisor: Advisor, tmp_path: Path) -> None:
    """`advisor sample` writes a market that ranks, another one for another seed."""
    first, second = (tmp_path / name for name in ("a.json.gz", "b.json.gz"))
    for path, seed in ((first, "1"), (second, "2")):
        outcome = advisor("sample", "-o", str(path), "--offers", "30", "--seed", seed)
        assert outcome.exit_code == 0
        assert "simulated" in outcome.stderr
    assert first.read_bytes() != second.read_bytes()
    ranked = advisor("rank", "--workload", "bert-base", "--market", str(first), "--json")
    assert ranked.document["market"]["offers_read"] == 30
    assert ranked.document["market"]["simulated"] is True


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b'name = "x', b'name = "x"\n', b"\xff\xfe", b"[" * 9999]
)
def test_a_broken_profile_is_one_line(
    advisor: Advisor, tmp_path: Path, content: bytes
) -> None:
    """A torn, foreign or incomplete profile is exit code 2 and names the file."""
    profile = tmp_path / "broken.toml"
    profile.write_bytes(content)
    outcome = advisor("rank", "--workload", str(profile))
    assert outcome.exit_code == 2
    assert "broken.toml" in outcome.stderr
    assert "\n" not in outcome.stderr
