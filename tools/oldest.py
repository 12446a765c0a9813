"""Print the oldest versions that ``pyproject.toml`` allows, as constraints for pip.

Usage: ``python tools/oldest.py [EXTRA ...] > oldest.txt``, then
``pip install -c oldest.txt '.[EXTRA,...]'``

One line for each dependency of the package and of the extras named. What they depend on
in turn is left to pip. Needs ``packaging``, which pytest brings.
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.version import Version

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
LOWER = (">=", "==", "~=")


def oldest(project: dict[str, Any], extras: Iterable[str]) -> dict[str, Version]:
    """Return name -> oldest version allowed.

    Parameters
    ----------
    project : the table ``[project]``
    extras : names of optional dependencies to take in

    Raises
    ------
    SystemExit
        if an extra is not known, or a dependency has no lower bound
    """
    texts = list(project["dependencies"])
    for extra in extras:
        if extra not in project["optional-dependencies"]:
            message = f"{extra}: no such extra in {PYPROJECT.name}"
            raise SystemExit(message)
        texts += project["optional-dependencies"][extra]
    found: dict[str, Version] = {}
    for one in map(Requirement, texts):
        bounds = [Version(s.version) for s in one.specifier if s.operator in LOWER]
        if not bounds:
            message = f"{one}: no lower bound in {PYPROJECT.name}"
            raise SystemExit(message)
        known = [found[one.name]] if one.name in found else []
        found[one.name] = max(bounds + known)
    return found


def main() -> None:
    """Read the command line and print the constraints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("extras", nargs="*", metavar="EXTRA")
    arguments = parser.parse_args()
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    for name, version in sorted(oldest(project, arguments.extras).items()):
        print(f"{name}=={version}")


if __name__ == "__main__":
    main()
