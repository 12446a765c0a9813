"""The list of licenses knows what an installation brings."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LIST = (ROOT / "docs" / "licenses.md").read_text(encoding="utf-8")

FOR_WORK = {"dev", "docs", "mutation", "peer", "test"}
"""Extras that only those who work on the project install."""


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^\w.-]", one)[0] for one in requirements}


def test_each_dependency_has_a_line_with_its_license() -> None:
    """And no other package has one."""
    listed = re.findall(r"^\| ([\w-]+) \| \S.* \| .* \|$", LIST, re.MULTILINE)
    assert set(listed) - {"package", "source", "extra", "---"} == names(
        PROJECT["dependencies"]
    )


@pytest.mark.parametrize(
    "extra", sorted(set(PROJECT["optional-dependencies"]) - FOR_WORK)
)
def test_each_extra_a_user_may_install_is_listed(extra: str) -> None:
    """With every package it brings."""
    lines = [line for line in LIST.splitlines() if line.startswith("| `")]
    told = " ".join(line for line in lines if f"`{extra}`" in line.split("|")[1])
    for name in names(PROJECT["optional-dependencies"][extra]):
        assert name in told
