"""What `import advisor` offers: the names, their arguments, and that it is quick.

A change here is a change for whoever uses the package.
"""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest

import advisor
from advisor.app.constraints import Constraints
from advisor.app.job import JobSpec
from advisor.app.rank import RankSpec
from advisor.base import errors
from advisor.cli.main import app

OF_OTHER_PROGRAMS = {
    Path("app/delivered.py"),  # the words of an 'advisor record' that is shown
    Path("measure/over_ssh.py"),  # the bench program's, in a script for a shell
    Path("measure/probe/__main__.py"),  # its own
    Path("measure/probe/gpu/__main__.py"),
    Path("measure/probe/gpu/smi.py"),  # nvidia-smi's
    Path("measure/program.py"),
    Path("rental/incoming/copying.py"),  # rsync's
    Path("rental/outgoing/repository.py"),  # git's
}
"""Modules in which words of a command line stand one by one."""

JOB = {
    "settings": None,
    "epochs": None,
    "disk_gb": None,
    "rental": "on-demand",
    "fit_batch": False,
    "memory_margin": 0.0,
    "assumptions": None,
    "image": None,
}
OFFERS = {
    "gpus": (),
    "num_gpus": (),
    "min_reliability": None,
    "max_usd_per_hour": None,
    "regions": (),
    "verified": None,
    "min_duration_s": None,
    "exclude_gpus": (),
    "min_ram_gb": None,
    "min_vram_gb": None,
    "datacenter": False,
    "where": (),
}
POLICY = {
    "sort": "epoch-cost",
    "risk_averse": None,
    "deadline_s": None,
    "budget_usd": None,
    "pareto": False,
    "top": None,
}
ASKED = {"max_age_s": 300.0, "stale_ok": False, "context": None}
NEEDED = inspect.Parameter.empty
SIGNATURES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "rank": ({"workload": NEEDED}, {"market": None, **JOB, **OFFERS, **POLICY, **ASKED}),
    "explain": (
        {"offer_id": NEEDED, "workload": NEEDED},
        {"market": None, **JOB, **OFFERS, **ASKED},
    ),
    "predict": (
        {"workload": NEEDED, "gpu": NEEDED, "num_gpus": 1},
        {
            "cpu": None,
            "threads": None,
            "cpu_ghz": None,
            "settings": None,
            "fit_batch": False,
            "memory_margin": 0.0,
            "runs": None,
            "tables": None,
            "context": None,
        },
    ),
    "load_workload": ({"name": NEEDED}, {"context": None}),
    "open_market": ({"name": None}, {"context": None}),
    "fetch": (
        {"market": None},
        {"output": None, **OFFERS, "stale_ok": False, "context": None},
    ),
}
"""Function -> arguments that may be given by place, and by name alone."""

TYPES = {
    *("Answer", "AsyncMachine", "Cluster", "Context", "Machine", "Prediction"),
    *("RankedOffer", "Ranking", "Workload"),
}


def test_the_names() -> None:
    """Functions, the types that they give, every error, and nothing else."""
    tree = {
        name
        for name, one in vars(errors).items()
        if isinstance(one, type) and issubclass(one, Exception)
    }
    functions = {*SIGNATURES, "rented"}
    names = {*functions, *TYPES, *tree, "ExitStatus", "__version__"}
    assert set(advisor.__all__) == names
    assert all(getattr(advisor, name) is not None for name in names)
    assert len(advisor.__all__) == len(names)


@pytest.mark.parametrize("name", SIGNATURES)
def test_the_arguments(name: str) -> None:
    """By place what a call cannot do without, all else by name; and the defaults."""
    found = inspect.signature(getattr(advisor, name)).parameters.values()
    by_place = {
        one.name: one.default for one in found if one.kind is one.POSITIONAL_OR_KEYWORD
    }
    by_name = {one.name: one.default for one in found if one.kind is one.KEYWORD_ONLY}
    assert (by_place, by_name) == SIGNATURES[name]
    assert len(by_place) + len(by_name) == len(found)


def test_the_arguments_are_the_specs() -> None:
    """One name for one thing: what is checked is a field of the same name."""

    def names(spec: type[Any]) -> set[str]:
        return {one.name for one in fields(spec)}

    assert names(JobSpec) == {"workload", *JOB}
    assert names(Constraints) == set(OFFERS)
    assert names(RankSpec) == {"job", "offers", *POLICY}


def test_all_of_it_is_documented() -> None:
    """Each function says its arguments, its errors, and an example that runs."""
    for name, (by_place, by_name) in SIGNATURES.items():
        text = inspect.getdoc(getattr(advisor, name)) or ""
        for head in ("Parameters\n---", "Raises\n---", "Examples\n---"):
            assert head in text, (name, head)
        told = text[text.index("Parameters") : text.index("Examples")]
        assert [one for one in (*by_place, *by_name) if one not in told] == []


def test_names_are_seen_before_they_are_imported() -> None:
    """By `dir`, as a prompt completes them; what is none is no attribute."""
    script = (
        "import advisor, sys; sys.exit(set(advisor.__all__) - set(dir(advisor)) or 0)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = advisor.nonsense


def test_importing_it_is_light() -> None:
    """Nothing of the package's own, and none of what it is built on."""
    script = (
        "import sys; before = set(sys.modules); import advisor\n"
        "came = set(sys.modules) - before\n"
        "heavy = {'numpy', 'httpx', 'pandas', 'click', 'msgspec'} & came\n"
        "own = {name for name in came if name.startswith('advisor.')}\n"
        "sys.exit(f'{heavy} {own}' if heavy or own else 0)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


def options_of_ours(command: click.Command) -> Iterator[str]:
    """Yield the long options of a command, and of those below it."""
    for one in command.params:
        yield from (opt for opt in one.opts if opt.startswith("--"))
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            inner = command.get_command(click.Context(command), name)
            yield from options_of_ours(inner) if inner else ()


def texts_in(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and text of the strings of a module that are no docstrings."""
    tree = ast.parse(path.read_text("utf-8"))
    docs = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        value = node.value if isinstance(node, ast.Constant) else None
        if isinstance(value, str) and id(node) not in docs:
            yield node.lineno, value


def test_no_message_of_the_library_names_an_option() -> None:
    """A Python user has none: `Given` is what each face writes in its own words.

    A whole command line, such as 'advisor rentals --all', anybody may type.
    """
    ours = sorted(set(options_of_ours(app)), key=len, reverse=True)
    named = re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, ours))})(?![\w-])")
    root = Path(advisor.__file__).parent
    found = [
        f"{path.relative_to(root)}:{line}: {text}"
        for path in sorted(root.rglob("*.py"))
        if path.relative_to(root).parts[0] not in {"cli", "__main__.py"}
        and path.relative_to(root) not in OF_OTHER_PROGRAMS
        for line, text in texts_in(path)
        if named.search(re.sub(r"advisor [a-z][^']*", "", text))
    ]
    assert found == []
