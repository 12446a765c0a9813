"""Many jobs with one command, folder and budget: what is asked for."""

from __future__ import annotations

import math
import os
import shlex
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import pairwise, product
from pathlib import Path, PurePosixPath
from typing import Any, Self

from advisor.app.constraints import Constraints
from advisor.app.documents import arguments_of, checked_version, document_of, needs
from advisor.app.job import JobSpec
from advisor.app.rent import DEFAULT_MARKET
from advisor.app.settle import settle
from advisor.app.sweep_keys import fields_of
from advisor.app.sweep_parts import (
    MOST_JOBS,
    OWN,
    ListedJob,
    checked_grid,
    checked_probability,
    checked_retries,
    listed_jobs,
    paired,
)
from advisor.app.templates import (
    Value,
    cleaned,
    filled,
    name_of,
    names_in,
    shown,
    unlike,
)
from advisor.base.errors import ArgumentError, Given, UsageError
from advisor.rental import arguments
from advisor.rental.incoming.copying import MAX_RESULTS_GB
from advisor.rental.labels import check_job
from advisor.rental.machine import DEFAULT_GRACE_S
from advisor.rental.outgoing.command import check_words
from advisor.rental.outgoing.decide import MAX_SYNC_GB
from advisor.rental.preflight import inner_folder
from advisor.workloads.load import read_text

MOST_MACHINES = 1_000
MOST_GPUS = 1_024

DEADLINE_PROBABILITY = 0.9
"""How likely a plan keeps its deadline, unless another figure is asked for."""


@dataclass(frozen=True, slots=True)
class SweepSpec:
    """Many jobs, and how the machines for them are rented.

    Attributes
    ----------
    job : what is trained, unless a job of the list says otherwise
    command : template of the command; it is split into words, and then ``{NAME}`` is
        replaced in each word: by a variable, the name of the job (``{job}``), its folder
        of results (``{results}``) or of checkpoints (``{checkpoints}``)
    folder : here, what is copied to each machine; a whole path
    grid : variables with the values that each takes; a job for each combination
    jobs : the jobs one by one; of `grid` and `jobs` one is given
    name : of the sweep; its machines share a budget. None: a new one
    results, checkpoints : templates of the folders in `folder` that a job writes, no two
        of which are the same or lie in one another
    gpus : that a job needs; a machine with several runs several jobs at once
    retries : how often a job that fails is started again
    offers : which offers will do
    market : where to rent
    budget_usd, day_budget_usd : most that the sweep may cost, all its machines together,
        and all rentals of the account in a day (UTC), $
    deadline_s : seconds within which all jobs are to be done; None: no limit
    deadline_probability : how likely they are to be, by the plan
    max_machines : machines at the same time; None: as many as pay
    includes, excludes, max_sync_gb, max_results_gb : see `advisor.app.run.RunSpec`; the
        results are those of one job
    lease_s : seconds without a sign of its launcher after which a machine ends itself
    verify : whether each machine is measured before it is used; None: as is usual

    Raises
    ------
    UsageError
        if a value cannot be right, or two contradict each other
    """

    job: JobSpec
    command: str
    folder: str
    grid: tuple[tuple[str, tuple[Value, ...]], ...] = field(
        default=(), metadata={"pairs": True}
    )
    jobs: tuple[ListedJob, ...] = ()
    name: str | None = None
    results: str = "results/{job}"
    checkpoints: str = "checkpoints/{job}"
    gpus: int = 1
    retries: int = 1
    offers: Constraints = field(default_factory=Constraints)
    market: str = DEFAULT_MARKET
    budget_usd: float | None = None
    day_budget_usd: float | None = None
    deadline_s: float | None = None
    deadline_probability: float = DEADLINE_PROBABILITY
    max_machines: int | None = None
    includes: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    max_sync_gb: float = MAX_SYNC_GB
    max_results_gb: float = MAX_RESULTS_GB
    lease_s: float = DEFAULT_GRACE_S
    verify: bool | None = None

    def __post_init__(self) -> None:
        """Check all of it."""
        settle(self, arguments.text, "command", "folder", "results", "checkpoints")
        settle(self, arguments.text, "market")
        settle(self, arguments.text, "name", may_lack=True)
        settle(self, checked_grid, "grid")
        settle(self, arguments.whole, "gpus", most=MOST_GPUS)
        settle(self, checked_retries, "retries")
        dollars = ("budget_usd", "day_budget_usd")
        settle(self, arguments.above_zero, *dollars, unit="dollars", may_lack=True)
        settle(self, arguments.seconds, "deadline_s", may_lack=True)
        settle(self, checked_probability, "deadline_probability")
        settle(self, arguments.whole, "max_machines", most=MOST_MACHINES, may_lack=True)
        settle(self, arguments.names, "includes", "excludes")
        sizes = ("max_sync_gb", "max_results_gb")
        settle(self, arguments.above_zero, *sizes, unit="gigabytes")
        settle(self, arguments.seconds, "lease_s")
        settle(self, arguments.flag, "verify", may_lack=True)
        if self.name is not None:
            check_job(self.name)
        if not Path(self.folder).is_absolute():
            raise ArgumentError(Given("folder"), ": a whole path is expected")
        if bool(self.grid) == bool(self.jobs):
            raise ArgumentError(
                *("either ", Given("grid"), " or ", Given("jobs"), " is expected: "),
                "values of variables, or a list of jobs",
            )
        if self.job.rental == "reserved":
            raise ArgumentError(
                *(Given("rental", "reserved"), ": a reservation is paid ahead, "),
                "which is not done for you: take on-demand",
            )

    def to_document(self) -> dict[str, Any]:
        """Return it as JSON has it, versioned."""
        return document_of(self)

    @classmethod
    def from_document(cls, document: object) -> Self:
        """Return what a document holds.

        Raises
        ------
        UsageError
            if it is torn, of a newer advisor, or says what cannot be
        """
        return cls._of(checked_version(document))

    @classmethod
    def _of(cls, document: object) -> Self:
        found = paired(arguments_of(cls, document), "grid")
        needs(found, "job", "command", "folder")
        found["job"] = JobSpec.from_document(found["job"])
        found["jobs"] = listed_jobs(found.get("jobs", ()))
        if "offers" in found:
            found["offers"] = Constraints.from_document(found["offers"])
        return cls(**found)


@dataclass(frozen=True, slots=True)
class SweepJob:
    """One job of a sweep, with all that its templates name filled in.

    Attributes
    ----------
    name : unlike that of any other job, in whatever case
    argv : the command
    job : what is trained
    results, checkpoints : folders in that of the sweep which it alone writes
    variables : what the command was filled in with
    """

    name: str
    argv: tuple[str, ...]
    job: JobSpec
    results: str
    checkpoints: str
    variables: tuple[tuple[str, Value], ...]


def load_sweep(path: str | os.PathLike[str], **replaced: Any) -> SweepSpec:
    """Return what a TOML file asks for.

    Its keys are the fields of `SweepSpec`, but for ``deadline_h`` and ``lease_h``, in
    hours; those of its `job` may stand beside them. A folder is looked for from where the
    file is, which is also the default.

    Parameters
    ----------
    replaced : fields that count instead of the file's

    Raises
    ------
    UsageError
        if it cannot be read, or says what cannot be: the file and the key
    """
    file = Path(path)
    try:
        found: dict[str, Any] = tomllib.loads(read_text(file))
    except tomllib.TOMLDecodeError as error:
        message = f"{file}: {error}"
        raise UsageError(message) from None
    here = file.absolute().parent
    folder = found.get("folder", ".")
    if isinstance(folder, str):
        found["folder"] = os.path.normpath(here / folder)
    try:
        known = {one.name for one in fields(SweepSpec)}
        spec = SweepSpec._of(fields_of(found, known))  # noqa: SLF001  (of this module)
    except UsageError as error:
        message = f"{file}: {error}"
        raise UsageError(message) from None
    return replace(spec, **replaced)


def jobs_of(spec: SweepSpec) -> tuple[SweepJob, ...]:
    """Return the jobs of a sweep, in the order of the grid or of the list.

    Raises
    ------
    UsageError
        if the command names what no job has, or not what they have; if two jobs have one
        name or write to one place; if there are more than `MOST_JOBS`
    """
    words = _words(spec.command)
    listed = spec.jobs or tuple(_combinations(spec.grid))
    _checkvariables(words, listed)
    jobs, taken = list[SweepJob](), dict[str, int]()
    for number, one in enumerate(listed, 1):
        variables = {name: shown(value) for name, value in one.variables}
        if one.name is None:
            made = name_of(one.variables) if one.variables else f"job-{number}"
            name = unlike(made, taken)
        else:
            name = _own_name(one.name, taken)
        values = {**variables, "job": name}
        results, checkpoints = (
            inner_folder(_placed(which, getattr(spec, which), values))
            for which in ("results", "checkpoints")
        )
        values |= {"results": results, "checkpoints": checkpoints}
        argv = tuple(filled(word, values) for word in words)
        check_words(argv)
        job = one.job(spec.job)
        jobs.append(SweepJob(name, argv, job, results, checkpoints, one.variables))
    _check_apart(jobs)
    return tuple(jobs)


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError as error:
        raise ArgumentError(Given("command"), f": {error}") from None


def _combinations(
    grid: Sequence[tuple[str, tuple[Value, ...]]],
) -> Iterator[ListedJob]:
    """Yield a job for each combination, the last variable changing first."""
    count = math.prod(len(values) for _, values in grid)
    if count > MOST_JOBS:
        raise ArgumentError(
            Given("grid"), f": {count:,} jobs; at most {MOST_JOBS:,} are expected"
        )
    names = [name for name, _ in grid]
    for values in product(*(values for _, values in grid)):
        yield ListedJob(variables=tuple(zip(names, values, strict=True)))


def _checkvariables(words: Sequence[str], jobs: Sequence[ListedJob]) -> None:
    """Refuse a command that names what a job has not, or not all that it has."""
    used = {name for word in words for name in names_in(word)} - {*OWN}
    for one in jobs:
        known = {name for name, _ in one.variables}
        if lacking := sorted(used - known):
            has = ", ".join(sorted(known | {*OWN}))
            raise ArgumentError(
                Given("command"), f" names {{{lacking[0]}}}, and a job has only {has}"
            )
        if unused := sorted(known - used):
            raise ArgumentError(
                *(Given("command"), f" does not use {unused[0]}, whose values would "),
                f"change nothing: write {{{unused[0]}}} into it, or leave it out",
            )


def _own_name(name: str, taken: dict[str, int]) -> str:
    if cleaned(name) != name or name.lower() in taken:
        why = (
            "another job has that name"
            if name.lower() in taken
            else "1 to 60 letters, digits, '.', '_' and '-' are expected"
        )
        message = f"the job {name[:60]!r} cannot be called that: {why}"
        raise UsageError(message)
    taken[name.lower()] = 1
    return name


def _placed(which: str, template: str, values: Mapping[str, str]) -> str:
    """Return a folder of a job, of which a value is never more than one part."""
    if lacking := sorted({*names_in(template)} - {*values}):
        raise ArgumentError(
            Given(which), f" names {{{lacking[0]}}}: there is {', '.join(sorted(values))}"
        )
    return filled(template, {name: cleaned(value) for name, value in values.items()})


def _check_apart(jobs: Sequence[SweepJob]) -> None:
    """Refuse folders that are the same, in whatever case, or lie in one another."""
    places = sorted(
        (PurePosixPath(folder.lower()).parts, one.name, which, folder)
        for one in jobs
        for which, folder in (("results", one.results), ("checkpoints", one.checkpoints))
    )
    for (outer, one, which, folder), (inner, other, whose, inside) in pairwise(places):
        if inner[: len(outer)] == outer:
            raise ArgumentError(
                *(Given(which), f" of the job {one} ({folder}) would hold "),
                *(Given(whose), f" of the job {other} ({inside}): "),
                "what one writes would be taken for the other's; write {job} into both",
            )
