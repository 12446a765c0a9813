"""Jobs that `advisor run` carries out, kept so that another launcher can go on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from advisor.errors import UsageError
from advisor.files import write_atomically
from advisor.rental.labels import check_job
from advisor.rental.outgoing.decide import Asked, Stamps

_FOLDER = "jobs"


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A command, its folder, and how its machine is rented.

    Attributes
    ----------
    name : of the job
    argv : the command
    folder : here, what is copied to the machine
    results, checkpoints : folders in it that are copied back
    options : of the rental, by their names on the command line
    includes, excludes : patterns of what goes, and of what stays
    before : files in the folder of checkpoints that the job has found there, see
        `advisor.rental.outgoing.decide.Asked`
    predicted : of the machine that has it: what `OwnRun` needs, and samples/s
    exit_code : of the command, once it has ended and its results are here; None before
    """

    name: str
    argv: tuple[str, ...]
    folder: str
    results: str
    checkpoints: str
    options: Mapping[str, Any]
    includes: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    before: Stamps | None = None
    predicted: Mapping[str, Any] = field(default_factory=dict)
    exit_code: int | None = None

    @property
    def asked(self) -> Asked:
        """What goes to its next machine, as the user says it."""
        return Asked(
            Path(self.folder),
            self.includes,
            self.excludes,
            self.checkpoints,
            self.before,
        )

    def with_prediction(self, predicted: Mapping[str, Any]) -> Self:
        """Return the job on a machine."""
        return replace(self, predicted=predicted)


def job_folder(data: Path, name: str) -> Path:
    """Return where a job's record and logs are, in the user's data folder."""
    return data / _FOLDER / check_job(name)


def save_job(data: Path, job: JobRecord) -> None:
    """Keep a job; a command line may hold secrets, so that others may not read it."""
    folder = job_folder(data, job.name)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    body = json.dumps(asdict(job), indent=2).encode()
    write_atomically(folder / "job.json", body, 0o600)


def load_job(data: Path, name: str) -> JobRecord:
    """Return a job that was kept.

    Raises
    ------
    UsageError
        if there is none of that name, or its file is torn
    """
    path = job_folder(data, name) / "job.json"
    try:
        found = json.loads(path.read_bytes())
        options = {key: _tupled(value) for key, value in found["options"].items()}
        whole = {key: _tupled(value) for key, value in found.items()}
        return JobRecord(**{**whole, "options": options, "before": _stamps(found)})
    except FileNotFoundError:
        names = sorted(one.parent.name for one in path.parents[1].glob("*/job.json"))
        known = f"there are {', '.join(names)}" if names else "there is none"
        message = f"no job {name!r} to resume: {known}"
        raise UsageError(message) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"{path} is torn ({error}): start the job anew"
        raise UsageError(message) from error


def _stamps(found: Mapping[str, Any]) -> Stamps:
    """Return what a job found; of one that does not say so all is its own."""
    before = found.get("before") or {}
    return {str(path): (int(size), int(time)) for path, (size, time) in before.items()}


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
