"""Arguments by the names of specs become the command line that means them."""

from __future__ import annotations

import shlex
from typing import Any

import click
from hypothesis import given
from hypothesis import strategies as st

from advisor.cli import release, rent, run
from advisor.cli.options import chosen
from advisor.cli.renting import rent_spec
from advisor.cli.typed import command_line
from advisor.mcp.arguments import rent_spec as spec_of

TEXT = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)
USD = st.floats(0.01, 1e6).map(lambda one: round(one, 4))
SECONDS = st.floats(60.0, 1e6).map(lambda one: round(one, 2))

GIVEN = st.fixed_dictionaries(
    {"workload": TEXT, "budget_usd": USD, "max_lifetime_s": SECONDS},
    optional={
        "epochs": st.integers(1, 10**6),
        "disk_gb": USD,
        "rental": st.sampled_from(["on-demand", "interruptible"]),
        "memory_margin": st.floats(0.0, 0.9),
        "fit_batch": st.booleans(),
        "gpus": st.lists(st.sampled_from(["RTX 4090", "A100"]), min_size=1, unique=True),
        "num_gpus": st.lists(st.integers(1, 16), min_size=1, max_size=3),
        "regions": st.lists(st.sampled_from(["europe", "US"]), min_size=1, unique=True),
        "verified": st.just(value=True),
        "datacenter": st.booleans(),
        "min_reliability": st.floats(0.0, 1.0).map(lambda one: round(one, 6)),
        "min_duration_s": SECONDS,
        "settings": st.dictionaries(
            st.sampled_from(["batch_size", "dataset_gb"]), st.integers(1, 99)
        ),
        "assumptions": st.dictionaries(st.just("repair_h"), st.floats(1.0, 9.0)),
        "where": st.just(["cpu_ram>=16", "cuda_max_good>=12.4"]),
        "name": st.just("mine"),
        "attempts": st.integers(1, 50),
        "lease_s": SECONDS,
        "deadline_s": SECONDS,
        "max_epoch_usd": USD,
    },
)


@given(GIVEN)
def test_a_typed_line_asks_for_the_same(arguments: dict[str, Any]) -> None:
    """Read back by the command, it is the spec of the arguments."""
    if arguments.get("fit_batch"):
        arguments.get("settings", {}).pop("batch_size", None)
    words = shlex.split(command_line(rent.command, arguments))
    assert words[:2] == ["advisor", "rent"]
    with rent.command.make_context("rent", words[2:]) as context:
        options = chosen(context, context.params)
    typed, meant = rent_spec(options).to_document(), spec_of(arguments).to_document()
    figures = {key: float(one) for key, one in meant["job"]["settings"].items()}
    typed["job"]["settings"] = {
        key: float(one) for key, one in typed["job"]["settings"].items()
    }
    assert typed == {**meant, "job": {**meant["job"], "settings": figures}}


def test_words_of_a_command_stay_words() -> None:
    """What a shell would read otherwise is quoted; ours come before the dashes."""
    arguments = {
        "workload": "resnet50",
        "argv": ["python", "-c", "print('a b')"],
        "folder": "/home/me/my net",
    }
    line = command_line(run.command, arguments)
    words = shlex.split(line)
    assert words[words.index("--") + 1 :] == arguments["argv"]
    assert words[words.index("--sync") + 1] == arguments["folder"]


def test_an_argument_stands_alone() -> None:
    """As the command takes it."""
    assert command_line(release.command, {"instance_id": 5}) == "advisor release 5"
    assert isinstance(release.command, click.Command)
