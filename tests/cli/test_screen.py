"""`advisor rank` on a screen: the answer, the columns, what to type next, colors."""

from __future__ import annotations

import csv
import json
import os
import pty
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import pytest

from advisor.cli.main import app
from advisor.cli.next_steps import shell_lines

Advisor = Callable[..., Any]
RANK = ("rank", "resnet50", "--market", "sample", "--top", "4")


def test_the_answer_stands_above_and_what_is_left_out_below(advisor: Advisor) -> None:
    """In this order: what was read, the answer, how sure, what is left out, what next."""
    outcome = advisor(*RANK)
    document = advisor(*RANK, "--json").document
    read, answer, sure, left_out, explain, compare = outcome.stderr.splitlines()
    assert "1,200 offers read; no such machines exist" in read
    assert "left out" not in read
    assert answer == document["answer"]["text"]
    assert answer.startswith(f"Rent {document['offers'][0]['offer_id']} (")
    level = [f"{100 * (document['level'][side] - 1):+.0f} %" for side in ("low", "high")]
    assert f"may be off together by {level[0]} to {level[1]} (9 times in 10)" in sure
    for place in (1, 3):
        chance = document["offers"][place]["first_cheaper"]
        assert f"than number {place + 1} in {chance:.0%}".replace("%", " %") in sure
    out = sum(document["excluded"].values())
    assert left_out.startswith(f"{1200 - out - 4} more rank lower (--top {1200 - out} ")
    assert f"; {out} left out (disk_too_small " in left_out
    first, second = (document["offers"][place]["offer_id"] for place in (0, 1))
    assert explain == f"advisor explain {first} resnet50 --market sample"
    what = f"advisor compare {first} {second} --workload resnet50"
    assert compare == f"{what} --market sample", "none of these can be rented"


def test_programs_are_told_in_one_line(advisor: Advisor) -> None:
    """What is left out stands in the line that was always there."""
    told = advisor(*RANK, "--json").stderr
    assert re.fullmatch(r"resnet50, .* left out \(.*\); no such machines.*\n", told)


OF_JOB = (
    *("--set", "cpu_ms_per_sample=5", "--set", "epochs=30", "--memory-margin", "10%"),
    *("--gpu", "RTX 4090,RTX 3090", "--where", "cpu_ram>=48 geolocation notin [CN,VN]"),
    *("--interruptible", "--fit-batch", "--assume", "repair_h=4"),
)
OF_POLICY = ("--deadline", "3d", "--budget", "200")


@pytest.mark.parametrize("width", ["40", "80", "200"])
def test_the_next_commands_take_over_what_matters(
    advisor: Advisor, tmp_path: Path, width: str
) -> None:
    """As a shell reads them back, also where they go on below, and as they are taken."""
    profile = str(tmp_path / 'it\'s "mine"; $(id).toml')
    assert advisor("workloads", "export", "resnet50", "-o", profile).exit_code == 0
    asked = ("--market", "sample", "--max-age", "60")
    words = ("rank", "--workload", profile, *OF_JOB, *OF_POLICY, *asked, "--top", "3")
    outcome = advisor(*words, variables={"COLUMNS": width})
    assert outcome.exit_code == 0, outcome.stderr
    text = outcome.stderr[outcome.stderr.index("advisor explain") :]
    read = shlex.split(text.replace("\\\n", " ").replace("\n", " ; "))
    explain, compare = read[: read.index(";")], read[read.index(";") + 1 : -1]
    found = advisor(*words, "--json").document["offers"]
    best, second = (str(one["offer_id"]) for one in found[:2])
    assert explain[:4] == ["advisor", "explain", best, profile]
    assert compare[:4] == ["advisor", "compare", best, second]
    assert sorted(explain[4:]) == sorted([*OF_JOB, *asked])
    assert sorted(compare[4:]) == sorted(["--workload", profile, *OF_JOB, *asked])
    assert advisor(*explain[1:]).exit_code == 0
    assert advisor(*compare[1:]).exit_code == 0


def test_the_command_that_rents_takes_over_what_is_asked_for(
    advisor: Advisor, tmp_path: Path, record: dict[str, Any]
) -> None:
    """Of offers that exist, also where their market was stored: that rents nothing."""
    market = tmp_path / "offers.json"
    market.write_text(json.dumps([record]), encoding="ascii")
    asked = ("--set", "epochs=3", "--on-demand", "--budget", "200")
    told = advisor("rank", "resnet50", "--market", str(market), *asked).stderr
    rent = shlex.split(told.splitlines()[-1])
    assert (*rent[:3], rent[-1]) == ("advisor", "rent", "resnet50", "--dry-run")
    assert sorted(rent[3:-1]) == sorted(asked)
    above = click.Context(app, **app.context_settings)
    command = app.get_command(above, "rent")
    assert command is not None
    # click keeps a command's help option as it was first asked for.
    command.make_parser(click.Context(command, above)).parse_args(rent[2:])


def test_a_market_that_rents_is_named_to_rent(
    advisor: Advisor, record: dict[str, Any]
) -> None:
    """One that lists alone is not: nobody could rent there."""
    import httpx  # noqa: PLC0415  (one test asks)

    transport = httpx.MockTransport(
        lambda _: httpx.Response(200, json={"offers": [record]})
    )
    told = advisor(
        *("rank", "resnet50", "--market", "vast"),
        variables={"VAST_API_KEY": "k-secret-123"},
        transport=transport,
    ).stderr.splitlines()
    assert told[-1] == "advisor rent resnet50 --market vast --dry-run"
    assert told[-2] == "advisor explain 101 resnet50 --market vast"


def test_no_word_of_a_command_is_broken() -> None:
    """A long one stands on a line of its own."""
    lines = shell_lines(["advisor", "rank", "x" * 50, "--gpu", "RTX 4090", "-v"], 30)
    assert lines == ["advisor rank \\", f"    {'x' * 50} \\", "    --gpu 'RTX 4090' -v"]


@pytest.mark.parametrize(
    ("names", "heads"),
    [
        ("offer,gpu,$/EPOCH", ["offer", "GPU", "$/epoch"]),
        ("epoch,h/epoch,90%interval", ["epoch", "h/epoch", "90 % interval"]),
        ("Reliability,first_cheaper", ["reliability", "first_cheaper"]),
    ],
)
def test_columns_are_ones_own(advisor: Advisor, names: str, heads: list[str]) -> None:
    """By head or key, in any case, in the order in which they are named."""
    head, *_ = advisor(*RANK, "--columns", names).stdout.splitlines()
    assert re.split(r"\s{2,}", head.strip()) == heads


@pytest.mark.parametrize(
    ("asked", "width", "told"),
    [
        ((), "120", {"interval", "~"}),
        ((), "80", {"~"}),
        ((), "", {"~"}),
        (("--columns", "offer,interval"), "", {"interval"}),
        (("--columns", "offer,notes"), "100", set()),
    ],
)
def test_only_what_is_shown_is_told_of(
    advisor: Advisor, asked: tuple[str, ...], width: str, told: set[str]
) -> None:
    """No sentence is about a column for which there is no room, or that nobody wants."""
    outcome = advisor(*RANK, *asked, variables={"COLUMNS": width} if width else {})
    below = " ".join(outcome.stderr.split())
    assert ("'interval' is what" in below) == ("interval" in told)
    assert ("~ cannot be told" in below) == ("~" in told)


def test_columns_of_a_csv_are_keys(advisor: Advisor) -> None:
    """What a head stands for, once each; the figures are those of the JSON."""
    asked = (*RANK, "--columns", "offer,interval", "--columns", "$/epoch,offer_id,flags")
    rows = list(csv.DictReader(advisor(*asked, "--format", "csv").stdout.splitlines()))
    keys = ["offer_id", "epoch_usd_own_low", "epoch_usd_own_high", "epoch_usd", "flags"]
    assert list(rows[0]) == keys
    best = advisor(*RANK, "--json").document["offers"][0]
    assert float(rows[0]["epoch_usd_own_low"]) == best["epoch_usd_own_low"]


def test_columns_that_do_not_fit_are_named(advisor: Advisor) -> None:
    """The last ones go."""
    names = "offer,GPU,cpu_name,image,geolocation,limits,flags"
    outcome = advisor(*RANK, "--columns", names, variables={"COLUMNS": "80"})
    assert max(map(len, outcome.stdout.splitlines())) <= 80
    assert "too wide for this terminal: " in outcome.stderr
    assert "flags; --columns chooses" in " ".join(outcome.stderr.split())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("--columns", "gpus"),
            "--columns: no column is called 'gpus'; did you mean GPU",
        ),
        (("--columns", "price"), "no column is called 'price'; "),
        (("--columns", "zzzzz"), "there are #, offer, GPU, "),
        (("--columns", ","), "names nothing"),
        (("--columns", "GPU", "--json"), "contradict each other"),
    ],
)
def test_a_column_that_is_none_says_which_there_are(
    advisor: Advisor, words: tuple[str, ...], told: str
) -> None:
    """Before anybody is asked for offers."""
    outcome = advisor("rank", "resnet50", "--market", "no-such.json", *words)
    assert outcome.exit_code == 2
    assert told in outcome.stderr
    assert outcome.stderr.count("\n") <= 1 or "Usage" in outcome.stderr


def on_a_terminal(
    folder: Path, *words: str, variables: Mapping[str, str] | None = None
) -> str:
    """Return what a command line shows in a terminal."""
    ours, theirs = pty.openpty()
    folders = {"ADVISOR_CACHE_DIR": "cache", "ADVISOR_DATA_DIR": "data"}
    kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    environment = {
        **kept,
        **{name: str(folder / path) for name, path in folders.items()},
        "COLUMNS": "120",
        "TERM": "xterm",
        **(variables or {}),
    }
    command = [sys.executable, "-m", "advisor", *words]
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:  # the program has closed its end
            pass
        assert process.wait(timeout=60) == 0
    os.close(ours)
    return shown.decode().replace("\r\n", "\n")


def test_a_terminal_has_colors_by_meaning(tmp_path: Path, advisor: Advisor) -> None:
    """The answer in the color of what is good; the text is that without colors."""
    shown = on_a_terminal(tmp_path, *RANK)
    first = advisor(*RANK, "--json").document["offers"][0]["offer_id"]
    assert f"\x1b[32m\x1b[1mRent {first}" in shown
    assert f"\x1b[32m\x1b[1m{first}\x1b[0m" in shown
    assert "\x1b[2m2~" in shown
    plain = on_a_terminal(tmp_path, *RANK, variables={"NO_COLOR": "1"})
    assert "\x1b" not in plain
    assert click.unstyle(shown) == plain


@pytest.mark.parametrize(
    ("words", "variables"),
    [
        ((*RANK, "--no-color"), {}),
        (("--no-color", *RANK), {}),
        (RANK, {"TERM": "dumb"}),
        ((*RANK, "--format", "csv"), {}),
        ((*RANK, "--json"), {}),
    ],
)
def test_who_wants_no_color_has_none(
    tmp_path: Path, words: tuple[str, ...], variables: dict[str, str]
) -> None:
    """An option before or after the command, a dumb terminal, and formats of programs."""
    assert "\x1b" not in on_a_terminal(tmp_path, *words, variables=variables)


def test_a_pipe_has_no_color(advisor: Advisor) -> None:
    """Neither on stdout nor on stderr."""
    outcome = advisor(*RANK)
    assert "\x1b" not in outcome.stdout + outcome.stderr
