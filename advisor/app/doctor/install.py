"""Python, the package, its libraries, and the artifact that predictions take."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata

from advisor import __version__
from advisor.app.context import Context
from advisor.app.doctor.finding import Finding, ok, warning, wrong
from advisor.base.resources import installing, is_checkout, models_folder
from advisor.throughput.tables import load_tables

DISTRIBUTION = "gpu-advisor"
"""Name of the package in the metadata of what is installed."""

AGAIN = "Install it again, as docs/install.md says."

_FOR_DEVELOPERS = frozenset({"browser", "dev", "docs", "mutation", "peer", "test"})
"""Extras that no command asks for."""

_MISSING = "is missing"
_REQUIREMENT = re.compile(r"([\w.-]+)\s*(?:\[[^]]*\])?\s*([^;]*)(?:;(.*))?")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([\w-]+)['\"]")
_LEAST = re.compile(r"(?:>=|==|~=)\s*([\d.]+)")


@dataclass(frozen=True, slots=True)
class Requirement:
    """A library that the package asks for.

    Attributes
    ----------
    name : of the library
    least : numbers of the lowest version; empty: any will do
    extra : that asks for it; ``""``: it is always needed
    """

    name: str
    least: tuple[int, ...]
    extra: str

    @classmethod
    def parse(cls, text: str) -> Requirement:
        """Read a requirement of a package's metadata.

        Examples
        --------
        >>> Requirement.parse('torch>=2.3; extra == "measure"')
        Requirement(name='torch', least=(2, 3), extra='measure')
        """
        found = _REQUIREMENT.match(text.strip())
        assert found is not None, text  # noqa: S101  (our own metadata)
        least = _LEAST.search(found[2])
        extra = _EXTRA.search(found[3] or "")
        return cls(
            found[1], numbers_of(least[1] if least else ""), extra[1] if extra else ""
        )

    @property
    def problem(self) -> str:
        """What is wrong with what is installed of it, ``""`` if nothing is."""
        try:
            version = metadata.version(self.name)
        except metadata.PackageNotFoundError:
            return f"{self.name} {_MISSING}"
        if numbers_of(version) < self.least:
            least = ".".join(map(str, self.least))
            return f"{self.name} {version} is older than {least}"
        return ""


def python(_: Context) -> Iterator[Finding]:
    """Yield which Python runs."""
    name = f"{platform.python_implementation()} {platform.python_version()}"
    yield ok("python", f"{name}, {sys.executable}")


def install(_: Context) -> Iterator[Finding]:
    """Yield how the package and its libraries are installed."""
    try:
        lines = metadata.requires(DISTRIBUTION) or ()
    except metadata.PackageNotFoundError:
        found = f"advisor {__version__} runs from a folder: it is not installed"
        yield warning("install", found, AGAIN)
        return
    requirements = [Requirement.parse(line) for line in lines]
    where = "a checkout" if is_checkout() else "a wheel"
    if lacking := _problems(requirements, ""):
        found = f"advisor {__version__} of {where}: {'; '.join(lacking)}"
        yield wrong("install", found, AGAIN)
    else:
        found = f"advisor {__version__} of {where}, with the libraries that it needs"
        yield ok("install", found)
    yield _extras(requirements)


def model(context: Context) -> Iterator[Finding]:
    """Yield whether the artifact of predictions can be read."""
    folder = context.models
    is_own = folder != models_folder()
    try:
        load_tables(folder)
    except Exception as error:  # whatever a torn file leads to
        found = (
            f"the artifact in {folder} cannot be read: {type(error).__name__}: {error}"
        )
        advice = "Take the shipped one: advisor model use shipped" if is_own else AGAIN
        yield wrong("model", found, advice)
    else:
        whose = "your own" if is_own else "the shipped"
        yield ok("model", f"{whose} artifact can be read")


def _extras(requirements: Sequence[Requirement]) -> Finding:
    """Return which extras are installed, and which of them are too old.

    One that lacks a library was not asked for: another package may have brought the rest.
    """
    extras = sorted({one.extra for one in requirements if one.extra} - _FOR_DEVELOPERS)
    problems = {extra: _problems(requirements, extra) for extra in extras}
    whole = [extra for extra, found in problems.items() if not found]
    absent = [extra for extra, found in problems.items() if _lack(found)]
    old = {
        extra: found for extra, found in problems.items() if found and not _lack(found)
    }
    parts = [f"installed: {', '.join(whole) or 'none'}"]
    parts += [f"too old: {extra} ({'; '.join(why)})" for extra, why in old.items()]
    parts += [f"not installed: {', '.join(absent)}"] if absent else []
    if not old:
        return ok("extras", "; ".join(parts))
    return warning("extras", "; ".join(parts), f"Update it: {installing(min(old))}")


def _lack(problems: Sequence[str]) -> bool:
    return any(one.endswith(_MISSING) for one in problems)


def _problems(requirements: Sequence[Requirement], extra: str) -> list[str]:
    """Return what is wrong with the libraries of an extra; ``""``: of those needed."""
    return [one.problem for one in requirements if one.extra == extra and one.problem]


def numbers_of(version: str) -> tuple[int, ...]:
    """Return the numbers that a version begins with."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, found[0].split("."))) if found else ()
