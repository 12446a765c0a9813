"""What `--json` prints is what its schema in `docs/schemas` says.

`tests/rental/test_documents.py` has the commands that rent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest

from advisor.cli.main import app
from advisor.measure.probe.lines import Line, Result

Advisor = Callable[..., Any]
Conforms = Callable[[str, Any], None]

RANK = ("--market", "sample", "--top", "5", "--json")
MARKET = ("--market", "sample", "--json")
DOCUMENTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "rank": (
        ("rank", "resnet50", *RANK),
        ("rank", "bert-base", "--interruptible", "--fit-batch", *RANK),
        ("rank", "llama-7b-lora", "--reserved", "--pareto", *RANK),
    ),
    "explain": (("explain", "23122054", "resnet50", *MARKET),),
    "compare": (("compare", "23122054", "20010335", "--workload", "resnet50", *MARKET),),
    "bid": (("bid", "--workload", "resnet50", *MARKET),),
    "predict": (
        ("predict", "resnet50", "--gpu", "T4", "--cpu", "7980X", "--json"),
        ("predict", "resnet50", "--gpu", "A100", "--num-gpus", "8", "--json"),
    ),
    "speedup": (
        ("speedup", "--matmul", "64", "--gpu", "RTX 3080", "--cpu", "Xeon Bronze 3104"),
        ("speedup", "--gflop", "9", "--gpu", "T4", "--cores", "4", "--clock", "3"),
        ("speedup", "--elements", "1e7", "--gpu", "T4", "--cores", "4", "--clock", "3"),
    ),
    "fetch": (("fetch", "-o", "{tmp}/today.json.gz", *MARKET),),
    "market-check": (("market", "check", *MARKET),),
    "doctor": (("doctor", "--offline", "--json"),),
    "records-list": (("records", "list", "--json"),),
    "records-show": (
        ("records", "show", "1", "--json"),
        ("records", "show", "2", "--json"),
    ),
    "hosts-list": (("hosts", "list", "--json"),),
    "workloads-list": (("workloads", "list", "--json"),),
    "workloads-show": (("workloads", "show", "gpt2-124m", "--json"),),
    "gpus": (("gpus", "--json"),),
    "cpus": (("cpus", "--json"),),
    "image": (
        ("image", "--offline", "--json"),
        ("image", "nobody/knows:this", "--offline", "--json"),
    ),
    "sample": (("sample", "-o", "{tmp}/small.gz", "--offers", "5", "--json"),),
    "model-evaluate": (("model", "evaluate", "--split", "cpu", "--json"),),
}
ELSEWHERE = {
    "bench": "tests/cli/test_bench.py",
    "bench-compare": "tests/cli/test_bench_check.py",
    "rent": "tests/rental",
    "run": "tests/rental",
    "rentals": "tests/rental",
    "reconcile": "tests/rental",
    "history": "tests/cli/test_store.py",
    "history-backtest": "tests/cli/test_history_backtest.py",
    "history-export": "tests/cli/test_store.py",
    "profile": "tests/cli/test_profile.py",
    "report": "tests/report/page",
    "sweep-plan": "tests/cli/test_sweep_plan.py",
    "sweep-run": "tests/cli/test_sweep_run.py",
    "sweep-resume": "tests/cli/test_sweep_run.py",
    "sweep-stop": "tests/cli/test_sweep_run.py",
    "sweep-status": "tests/cli/test_sweep_run.py",
    "model-card": "eight minutes",
    "model-train": "a minute",
}
SLOW = {"model-evaluate"}


def commands_with_json(group: click.Group, *words: str) -> Iterator[str]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None and any("--json" in one.opts for one in command.params):
            yield "-".join((*words, name))
        if isinstance(command, click.Group):
            yield from commands_with_json(command, *words, name)


def test_every_document_has_a_schema(docs: Path) -> None:
    """One per command that has `--json`, the error, and what they share; no other."""
    wanted = {*commands_with_json(app), "error", "common"}
    assert {path.name for path in (docs / "schemas").iterdir()} == {
        f"{name}.schema.json" for name in wanted
    }
    assert {*DOCUMENTS, *ELSEWHERE} == wanted - {"error", "common"}


def test_the_schemas_are_schemas(docs: Path) -> None:
    """Of the draft that they name; every key is described."""
    for path in (docs / "schemas").glob("*.json"):
        schema = json.loads(path.read_text(encoding="utf-8"))
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["$schema"].endswith("2020-12/schema")
        for key, one in properties(schema):
            described = "description" in one or "$ref" in one
            assert described, f"{path.name}: {key} is not described"


def properties(schema: Any) -> Iterator[tuple[str, Any]]:
    """Yield every property below a schema."""
    if isinstance(schema, list):
        for one in schema:
            yield from properties(one)
    if isinstance(schema, dict):
        yield from schema.get("properties", {}).items()
        for one in schema.values():
            yield from properties(one)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param(
            name, words, id=f"{name}-{at}", marks=pytest.mark.slow if name in SLOW else ()
        )
        for name, lines in DOCUMENTS.items()
        for at, words in enumerate(lines)
    ],
)
def test_a_document_is_as_its_schema_says(
    advisor: Advisor,
    conforms: Conforms,
    tmp_path: Path,
    name: str,
    words: tuple[str, ...],
) -> None:
    """Keys that are promised are there, and none that is not described."""
    line = [word.format(tmp=tmp_path) for word in words]
    line += [] if "--json" in line else ["--json"]
    if name.startswith("records"):
        advisor("record", "resnet50", "--gpu", "RTX 3090", "--throughput", "900")
        measured = Result("quick")
        measured.machine = {"cpu_name": "AMD EPYC 7702", "cores": 8}
        measured.lines = [Line("decode.pillow.core", 240.0, "images/s")]
        (tmp_path / "bench.json").write_text(json.dumps(measured.document()))
        advisor("records", "add", "bench.json")
    if name == "hosts-list":
        advisor("hosts", "block", "103058", "--reason", "died at epoch 3")
    done = advisor(*line)
    assert done.exit_code == 0, done.stderr
    conforms(name, done.document)


def test_a_document_without_a_promised_key_is_found(
    advisor: Advisor, conforms: Conforms
) -> None:
    """The check itself: one key less, one more, another type are each an error."""
    document = advisor("rank", "resnet50", *RANK).document
    offer = document["offers"][0]
    lacking = {key: value for key, value in offer.items() if key != "epoch_usd"}
    for changed in (lacking, {**offer, "new": 1}, {**offer, "num_gpus": "four"}):
        with pytest.raises(AssertionError, match="rank: "):
            conforms("rank", {**document, "offers": [changed]})
