"""What `import advisor` offers: the names, their arguments, and that it is quick.

A change here is a change for whoever uses the package.
"""

from __future__ import annotations

import inspect
import subprocess
import sys
from dataclasses import fields
from typing import Any

import pytest

import advisor
from advisor.app.constraints import Constraints
from advisor.app.job import JobSpec
from advisor.app.rank import RankSpec
from advisor.base import errors

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
    *("Answer", "AsyncMachine", "Context", "Machine", "Prediction"),
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
