"""The page of licenses lists every dependency, with what its own metadata state."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[2]
OLD_NAMES = {
    "Apache 2.0 License": "Apache-2.0",
    "BSD 2-Clause License": "BSD-2-Clause",
    "OSI Approved :: MIT License": "MIT",
    "OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
"""What packages without a license expression say, as an SPDX expression."""

EARLIER = {"filelock": "Unlicense"}
"""Licenses of older versions that pyproject.toml allows, where another one came since."""


def plain(name: str) -> str:
    """Return a package's name as the index compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def listed(docs: Path) -> dict[str, str]:
    """Return the license that the page gives each package."""
    page = (docs / "licenses.md").read_text(encoding="utf-8")
    _, _, page = page.partition("## Packages\n")
    page, _, _ = page.partition("## Published figures\n")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if "|" in line]
    rows = [row[1:] if row[0].startswith("`") else row for row in rows]
    return {plain(row[0]): row[1] for row in rows if row[0] not in {"---", "package"}}


def required() -> set[str]:
    """Return every package that the project asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    for extra in project["project"]["optional-dependencies"].values():
        asked += extra
    return {plain(re.split(r"[\[<>=!~; ]", one)[0]) for one in asked}


def stated(name: str) -> str | None:
    """Return the license that an installed package states; None: none, or not exactly."""
    about = metadata.metadata(name)
    if expression := about.get("License-Expression"):
        return str(expression)
    classifiers = about.get_all("Classifier") or []
    said = [about.get("License") or "", *(one[11:] for one in classifiers)]
    known = [OLD_NAMES.get(one, one) for one in said]
    return next((one for one in known if one in set(OLD_NAMES.values())), None)


def test_every_dependency_is_listed(docs: Path) -> None:
    """Those of each extra too."""
    assert required() <= set(listed(docs))


def test_licenses_are_those_of_the_installed_packages(docs: Path) -> None:
    """As far as a package is installed here and its metadata name an exact license."""
    compared = 0
    for name, license_ in listed(docs).items():
        try:
            found = stated(name)
        except metadata.PackageNotFoundError:
            continue
        # PyTorch and NumPy change what they bundle with the build.
        if found is not None and name not in {"numpy", "torch"}:
            assert found in {license_, EARLIER.get(name)}, name
            compared += 1
    assert compared >= 10
