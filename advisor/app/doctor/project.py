"""The files named ``advisor.toml`` that count here, and the profiles."""

from __future__ import annotations

from collections.abc import Iterator

from advisor.app.context import Context
from advisor.app.doctor.finding import Finding, ok, warning, wrong
from advisor.base.errors import UsageError
from advisor.workloads.load import library_of, project_files, read_project


def project(context: Context) -> Iterator[Finding]:
    """Yield which files named ``advisor.toml`` are obeyed, and why others are not."""
    files = project_files(context.data_folder, context.folder)
    for one in files.refused:
        if one.is_own:
            advice = (
                "Nothing is rented past caps that may be in it: mend its permissions."
            )
            yield wrong("project", str(one), advice, UsageError)
        else:
            advice = (
                "Its caps, image and profiles do not count: remove it, or take it over."
            )
            yield warning("project", str(one), advice)
    for path in files.obeyed:
        try:
            found = read_project(path)
        except UsageError as error:
            yield wrong("project", error, "Correct it.")
            continue
        said = [f"market {found.market}"] if found.market else []
        said += [f"workload {name}" for name in found.profiles]
        said += [f"{name} {value}" for name, value in found.settings.given().items()]
        yield ok("project", f"{path}: {', '.join(said) or 'empty'}")
    if not (files.refused or files.obeyed):
        yield ok("project", "no advisor.toml here or above: 'advisor init' makes one")


def profiles(context: Context) -> Iterator[Finding]:
    """Yield whether every profile can be used."""
    workloads, broken = library_of(context.data_folder, context.folder).all()
    for error in broken:
        yield wrong("profiles", error, "Correct it, or delete it.")
    if not broken:
        yield ok("profiles", f"{len(workloads)}, all of them can be used")
