"""The suite finds what is wrong: toy markets that each break one rule."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from advisor.market.conformance import RentalConformance

TOYS = Path(__file__).with_name("toys.py")


def breaches() -> dict[str, Any]:
    spec = importlib.util.spec_from_file_location("conformance_toys", TOYS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where a dataclass looks for its module
    spec.loader.exec_module(module)
    found: dict[str, Any] = module.BREACHES
    return found


BREACHES = breaches()


def said(case: ET.Element) -> str:
    parts = [f"{part.tag}: {part.get('message')} {part.text}" for part in case]
    return " ".join(parts)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], str]:
    """Run the suite on the toys; return class and test -> what it says, or nothing."""
    report = tmp_path_factory.mktemp("toys") / "report.xml"
    asked = [f"{TOYS}::Test{name}::{one.test}" for name, one in BREACHES.items()]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["-p", "no:xdist", f"--junitxml={report}", f"{TOYS}::TestRight", *asked]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert report.exists(), done.stdout + done.stderr
    return {
        (case.get("classname", "").rpartition(".")[2], case.get("name", "")): said(case)
        for case in ET.parse(report).iter("testcase")  # noqa: S314  (our own)
    }


@pytest.mark.slow
def test_a_right_market_passes(outcomes: dict[tuple[str, str], str]) -> None:
    """One that keeps every rule fails no test, and skips what a market may answer."""
    right = {test: why for (name, test), why in outcomes.items() if name == "TestRight"}
    assert len(right) > 70
    skipped = {test: why for test, why in right.items() if why}
    assert list(skipped) == [
        "test_what_cannot_be_read_is_an_error[release-an empty object]"
    ]
    assert "a market may answer so" in "".join(skipped.values())


@pytest.mark.parametrize("name", BREACHES)
def test_a_market_that_breaks_a_rule_is_reported(
    outcomes: dict[tuple[str, str], str], name: str
) -> None:
    """By the test of that rule, in words that say what to do."""
    breach = BREACHES[name]
    why = outcomes[f"Test{name}", breach.test]
    assert why.startswith(("failure", "error"))
    assert breach.words in why


def test_every_test_of_the_suite_can_fail() -> None:
    """Each has a toy that it is there for."""
    tests = {name for name in dir(RentalConformance) if name.startswith("test_")}
    assert tests == {one.test.partition("[")[0] for one in BREACHES.values()}
