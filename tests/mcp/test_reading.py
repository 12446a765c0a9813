"""Tools that read answer what their commands print, and declare its schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import jsonschema
import pytest

from advisor.app.context import Context
from advisor.mcp import arguments, reading
from advisor.mcp.tools import Tool, tools
from tests.mcp.conftest import Agent, Play

OFFERS = (23122054, 20010335)
ASKED: Mapping[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "rank": ("rank", {"workload": "resnet50"}, ("rank", "resnet50", "--top", "5")),
    "rank within limits": (
        "rank",
        {
            "workload": "bert-base",
            "settings": {"batch_size": 16},
            "epochs": 2,
            "gpus": ["RTX 4090", "A100"],
            "num_gpus": [1, 2],
            "rental": "interruptible",
            "assumptions": {"repair_h": 4},
            "memory_margin": 0.1,
            "where": ["cpu_ram>=16"],
            "sort": "epoch-time",
            "deadline_s": 259200,
            "pareto": True,
            "market": "sample",
            "top": 3,
        },
        (
            *("rank", "bert-base", "--set", "batch_size=16", "--epochs", "2"),
            *("--gpu", "RTX 4090,A100", "--num-gpus", "1,2", "--interruptible"),
            *("--assume", "repair_h=4", "--memory-margin", "10%"),
            *("--where", "cpu_ram>=16", "--sort", "epoch-time", "--deadline", "3d"),
            *("--pareto", "--market", "sample", "--top", "3"),
        ),
    ),
    "nothing fits": (
        "rank",
        {"workload": "resnet50", "max_usd_per_hour": 0.0001},
        ("rank", "resnet50", "--max-price", "0.0001"),
    ),
    "explain": (
        "explain",
        {"offer_id": OFFERS[0], "workload": "resnet50"},
        ("explain", str(OFFERS[0]), "resnet50"),
    ),
    "compare": (
        "compare",
        {"offer_ids": list(OFFERS), "workload": "resnet50"},
        ("compare", *map(str, OFFERS), "--workload", "resnet50"),
    ),
    "predict": (
        "predict",
        {"workload": "resnet50", "gpu": "RTX 4090", "cpu": "EPYC 7702", "threads": 16},
        (
            *("predict", "resnet50", "--gpu", "RTX 4090"),
            *("--cpu", "EPYC 7702", "--cores", "16"),
        ),
    ),
    "a family": (
        "predict",
        {"workload": "resnet50", "gpu": "A100", "top": 8, "settings": {"batch_size": 64}},
        ("predict", "resnet50", "--gpu", "A100", "--batch", "64"),
    ),
    "one workload": (
        "workloads",
        {"name": "resnet50"},
        ("workloads", "show", "resnet50"),
    ),
    "rentals": ("rentals", {"offline": True}, ("rentals", "--offline")),
    "no such workload": ("rank", {"workload": "resnet5"}, ("rank", "resnet5")),
    "no such offer": (
        "explain",
        {"offer_id": 5, "workload": "resnet50"},
        ("explain", "5", "resnet50"),
    ),
    "too small a GPU": (
        "predict",
        {"workload": "llama-8b-full", "gpu": "RTX 3060"},
        ("predict", "llama-8b-full", "--gpu", "RTX 3060"),
    ),
}


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
def test_a_tool_answers_what_its_command_prints(
    asked: tuple[str, dict[str, Any], tuple[str, ...]],
    context: Context,
    play: Play,
    run_command: Any,
) -> None:
    """The whole document, by the schema that is declared; a failure by its code."""
    tool, given, words = asked
    printed = run_command([*words, "--json"], context)

    async def script(agent: Agent) -> None:
        result = await agent.call(tool, **given)
        assert result.is_error == (printed.exit_code != 0)
        jsonschema.validate(result.structured_content, schemas[tool])
        assert json.loads(result.content[1].text) == result.structured_content
        answered, expected = result.structured_content, printed.document
        for one in (answered, expected):
            # Each face has its own words for arguments, and its own help.
            one["error"] = one.get("error", {}).get("code")
        assert answered == expected

    schemas = {one.name: dict(one.answers()) for one in tools(read_only=True)}
    play(context, script)


def test_workloads_are_listed_by_name_and_a_few_in_full(
    context: Context, play: Play, run_command: Any
) -> None:
    """Two hundred kilobytes are no answer; each that is shown is the command's."""
    printed = run_command(["workloads", "list", "--json"], context).document
    known = {one["name"]: one for one in printed["workloads"]}

    async def script(agent: Agent) -> None:
        every = await agent.document("workloads")
        assert [one["name"] for one in every["matching"]] == list(known)
        assert every["workloads"] == printed["workloads"][:3]
        some = await agent.document("workloads", query="CLASSIFICATION image", top=10)
        assert 1 < len(some["matching"]) < len(known)
        assert all(known[one["name"]] == one for one in some["workloads"])
        none = await agent.document("workloads", query="xyzzy")
        assert none["error"]["code"] == "usage"

    play(context, script)


def test_a_call_that_cannot_be_right_is_refused(context: Context, play: Play) -> None:
    """Each as a usage error that says what is wrong, never as a fault of the server."""
    wrong: Mapping[str, tuple[str, dict[str, Any]]] = {
        "max_price": ("rank", {"workload": "resnet50", "max_price": 1}),
        "workload is missing": ("rank", {}),
        "top": ("rank", {"workload": "resnet50", "top": 1000}),
        "epochs": ("rank", {"workload": "resnet50", "epochs": "two"}),
        "gpus": ("rank", {"workload": "resnet50", "gpus": "RTX 4090"}),
        "no path": ("rank", {"workload": "resnet50", "market": "/etc/passwd"}),
        "expected, no path": ("rank", {"workload": "../secrets.toml"}),
        "offer_id": ("explain", {"workload": "resnet50", "offer_id": "x"}),
        "offer_ids": ("compare", {"workload": "resnet50", "offer_ids": [1]}),
        "a list of whole": ("compare", {"workload": "resnet50", "offer_ids": ["a", "b"]}),
        "gpu": ("predict", {"workload": "resnet50"}),
        "num_gpus": ("predict", {"workload": "resnet50", "gpu": "A100", "num_gpus": 0}),
        "all": ("rentals", {"all": "yes"}),
        "max_age_s": ("rank", {"workload": "resnet50", "max_age_s": -1}),
        "there is no tool": ("sudo", {}),
    }

    async def script(agent: Agent) -> None:
        for words, (tool, given) in wrong.items():
            result = await agent.call(tool, **given)
            error = result.structured_content["error"]
            assert result.is_error
            assert error["code"] == "usage", error
            assert words in error["message"], error

    play(context, script)


def test_a_file_of_the_working_folder_is_no_name(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent may name any file, and what is wrong with one is told by parts of it."""
    (context.folder / "credentials").write_text("secret")
    monkeypatch.chdir(context.folder)
    with pytest.raises(arguments.UsageError, match="no path"):
        arguments.job_of({"workload": "credentials"})
    for name in ("credentials", "file:credentials"):
        with pytest.raises(arguments.UsageError, match=r"a name is expected|no file"):
            reading.rank(context, {"workload": "resnet50", "market": name})


EVERY = [pytest.param(one, id=one.name) for one in tools(read_only=False)]


@pytest.mark.parametrize("tool", EVERY)
def test_a_tool_says_what_it_takes_and_answers(tool: Tool) -> None:
    """Valid schemas without references elsewhere, each argument with its words."""
    for schema in (tool.takes, tool.answers()):
        jsonschema.Draft202012Validator.check_schema(dict(schema))
        assert schema["type"] == "object"
        assert ".json" not in json.dumps(schema)
    assert all(one.get("description") for one in tool.takes["properties"].values())
    assert (tool.read is None) != (tool.pay is None)


def test_all_tools_together_are_no_burden() -> None:
    """A client hands the list to a model: it is bounded."""
    every = [(one.told, one.takes, one.answers()) for one in tools(read_only=False)]
    assert len(json.dumps(every)) < 111_000


def test_reading_tools_alone(context: Context, play: Play) -> None:
    """A server that only reads has none that pays; hints say which is which."""

    async def script(agent: Agent) -> None:
        found = (await agent.client.list_tools()).tools
        assert all(one.annotations.read_only_hint for one in found)
        assert {one.name for one in found}.isdisjoint({"rent", "run", "release"})

    play(context, script, read_only=True)


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_the_server_answers_while_a_tool_works(
    mode: str, context: Context, play: Play
) -> None:
    """The list of tools comes before the answer of a ranking that began earlier."""
    import anyio  # noqa: PLC0415  (brought by the extra)

    order: list[str] = []

    async def script(agent: Agent) -> None:
        async def rank() -> None:
            await agent.call("rank", workload="resnet50")
            order.append("rank")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(rank)
            await anyio.sleep(0.01)
            await agent.client.list_tools()
            order.append("list")

    play(context, script, mode=mode)
    assert order == ["list", "rank"]
