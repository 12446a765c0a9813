"""The parts of a sweep, as a file or a document has them, checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from advisor.app.documents import arguments_of
from advisor.app.job import JobSpec
from advisor.app.settle import settle
from advisor.app.templates import VARIABLE, Value, shown
from advisor.base.errors import ArgumentError, Given, UsageError
from advisor.rental import arguments

MOST_JOBS = 100_000
"""More are a slip; what is planned and stored of each is small, and adds up."""

MOST_RETRIES = 100

OWN = ("job", "results", "checkpoints")
"""Names in a template that are no variables."""

OF_THE_JOB = ("workload", "epochs")
"""Variables that say what a job trains, too."""


@dataclass(frozen=True, slots=True)
class ListedJob:
    """One job of a list; what it does not say is that of all jobs.

    Attributes
    ----------
    name : of the job; None: made of its variables
    variables : names in the command with what they stand for
    workload : profile; None: that of all
    epochs : None: those of all
    settings : figures of the profile that are replaced, beside those of all
    """

    name: str | None = None
    variables: tuple[tuple[str, Value], ...] = field(default=(), metadata={"pairs": True})
    workload: str | None = None
    epochs: int | None = None
    settings: tuple[tuple[str, Value], ...] = field(default=(), metadata={"pairs": True})

    def __post_init__(self) -> None:
        """Check all of it; workload, epochs and settings are checked as a `JobSpec`."""
        settle(self, arguments.text, "name", "workload", may_lack=True)
        settle(self, checked_variables, "variables")
        settle(self, arguments.pairs, "settings")

    @classmethod
    def from_document(cls, document: object) -> Self:
        """Return what a document's part holds; see `advisor.app.documents`."""
        found = arguments_of(cls, document)
        return cls(**paired(found, "variables", "settings"))

    def job(self, of_all: JobSpec) -> JobSpec:
        """Return the job in full; a variable of its workload or epochs says them, too."""
        own = dict(self.variables)
        workload, epochs = (
            getattr(self, name) or own.get(name, getattr(of_all, name))
            for name in OF_THE_JOB
        )
        if not self.settings and (workload, epochs) == (of_all.workload, of_all.epochs):
            return of_all
        return replace(
            of_all,
            workload=workload,
            epochs=epochs,
            settings=tuple((dict(of_all.settings) | dict(self.settings)).items()),
        )


def checked_variables(name: str, values: object) -> tuple[tuple[str, Value], ...]:
    """Return variables, each with what it stands for."""
    return tuple(
        (_named(key), _value(key, one)) for key, one in arguments.pairs(name, values)
    )


def checked_grid(name: str, values: object) -> tuple[tuple[str, tuple[Value, ...]], ...]:
    """Return variables, each with the values that it takes, none of them twice."""
    found = []
    for key, some in arguments.pairs(name, values):
        if not isinstance(some, list | tuple) or not some:
            raise arguments.wrong(key, some, "a list of values is expected")
        taken = tuple(_value(key, one) for one in some)
        counts = Counter(map(shown, taken))
        twice, count = counts.most_common(1)[0]
        if count > 1:
            raise arguments.wrong(key, some, f"each value is expected once, not {twice}")
        found.append((_named(key), taken))
    return tuple(found)


def _named(name: str) -> str:
    if not VARIABLE.fullmatch(name) or name in OWN:
        message = (
            f"{name[:40]!r} cannot name a variable: a letter, then letters, digits and "
            f"'_' are expected, and none of {', '.join(OWN)}"
        )
        raise UsageError(message)
    return name


def _value(name: str, value: object) -> Value:
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return arguments.finite(name, value)
    if value == "":
        return ""
    return str(arguments.text(name, value))


def checked_retries(name: str, value: object) -> int:
    """Return how often something is tried again."""
    if isinstance(value, int) and not isinstance(value, bool) and value == 0:
        return 0
    return int(arguments.whole(name, value, MOST_RETRIES) or 0)


def checked_probability(name: str, value: object) -> float:
    """Return a probability that is no mere hope and no certainty."""
    share = arguments.share(name, value)
    if share is None or not 0.5 <= share <= 0.999:
        raise arguments.wrong(name, value, "a number from 0.5 to 0.999 is expected")
    return share


def listed_jobs(jobs: object) -> tuple[ListedJob, ...]:
    """Return the jobs of a document's list."""
    if not isinstance(jobs, list | tuple):
        raise ArgumentError(Given("jobs"), ": a list of jobs is expected")
    if len(jobs) > MOST_JOBS:
        raise ArgumentError(
            Given("jobs"), f": {len(jobs):,}; at most {MOST_JOBS:,} are expected"
        )
    return tuple(map(ListedJob.from_document, jobs))


def paired(found: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return the fields of a document whose objects are pairs."""
    return {
        key: tuple(value.items())
        if key in names and isinstance(value, Mapping)
        else value
        for key, value in found.items()
    }
