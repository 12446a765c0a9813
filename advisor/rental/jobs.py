"""Jobs that `advisor run` carries out, stored so that another launcher can go on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, Self

from advisor.base.files import write_atomically
from advisor.rental.labels import check_job
from advisor.rental.outgoing.decide import Asked, Stamps

VERSION = 2
"""Of a job's file; what has none is the first, see `advisor.app.jobs`."""

_FOLDER = "jobs"


class RunRequest(Protocol):
    """What this room has to know of `advisor.app.run.RunSpec`, which stands above it."""

    @property
    def argv(self) -> tuple[str, ...]:
        """The command."""

    @property
    def folder(self) -> str:
        """Here, what is copied to the machine."""

    @property
    def results(self) -> str:
        """Folder in it that is copied back."""

    @property
    def checkpoints(self) -> str:
        """Folder in it that is copied back all the while."""

    @property
    def includes(self) -> tuple[str, ...]:
        """Patterns of what goes although it is ignored."""

    @property
    def excludes(self) -> tuple[str, ...]:
        """Patterns of what stays."""

    @property
    def max_results_gb(self) -> float:
        """Most that comes back, 10^9 bytes."""

    def to_document(self) -> dict[str, Any]:
        """Return it as JSON has it."""


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job: what was asked for, and what has come of it.

    Attributes
    ----------
    name : of the job
    spec : what was asked for
    before : files in the folder of checkpoints that the job has found there, see
        `advisor.rental.outgoing.decide.Asked`
    predicted : of the machine that has it: what `UserRun` needs, and samples/s
    exit_code : of the command, once it has ended and its results are here; None before
    """

    name: str
    spec: RunRequest
    before: Stamps | None = None
    predicted: Mapping[str, Any] = field(default_factory=dict)
    exit_code: int | None = None

    @property
    def argv(self) -> tuple[str, ...]:
        """The command."""
        return self.spec.argv

    @property
    def folder(self) -> str:
        """Here, what is copied to the machine."""
        return self.spec.folder

    @property
    def results(self) -> str:
        """Folder in it that is copied back."""
        return self.spec.results

    @property
    def checkpoints(self) -> str:
        """Folder in it that is copied back all the while."""
        return self.spec.checkpoints

    @property
    def asked(self) -> Asked:
        """What goes to its next machine, as the user says it."""
        return Asked(
            Path(self.folder),
            self.spec.includes,
            self.spec.excludes,
            self.checkpoints,
            self.before,
        )

    def with_prediction(self, predicted: Mapping[str, Any]) -> Self:
        """Return the job on a machine."""
        return replace(self, predicted=predicted)


def job_folder(data: Path, name: str) -> Path:
    """Return where a job's record and logs are, in the user's data folder."""
    return data / _FOLDER / check_job(name)


def job_file(data: Path, name: str) -> Path:
    """Return where a job's record is."""
    return job_folder(data, name) / "job.json"


def save_job(data: Path, job: JobRecord) -> None:
    """Store a job; a command line may hold secrets, so that others may not read it.

    What the first version wrote stays beside it, for an advisor of that version.
    """
    path = job_file(data, job.name)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _keep_first(path)
    document = {
        "version": VERSION,
        "name": job.name,
        "spec": job.spec.to_document(),
        "before": job.before,
        "predicted": job.predicted,
        "exit_code": job.exit_code,
    }
    write_atomically(path, json.dumps(document, indent=2).encode(), 0o600)


def _keep_first(path: Path) -> None:
    """Keep a copy of a file of the first version, which is about to be replaced."""
    try:
        body = path.read_bytes()
        is_first = "version" not in json.loads(body)
    except (FileNotFoundError, ValueError, TypeError, RecursionError):
        return
    if is_first:
        write_atomically(path.with_name(f"{path.name}.v1.bak"), body, 0o600)
