"""Stored jobs, read back: those of this version, and those of older ones.

The first version (until November 2026) stored a job's options by the names that the
command line had for them. What it stored goes on as a `RunSpec`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, get_args

from advisor.app.documents import VERSION as SPEC_VERSION
from advisor.app.documents import checked_version
from advisor.app.run import RunSpec
from advisor.base.errors import ArgumentError, UsageError
from advisor.cost.assumptions import assumed_figures
from advisor.rental import arguments
from advisor.rental.jobs import VERSION, JobRecord, job_file
from advisor.rental.outgoing.decide import Stamps
from advisor.store.ledger import Ledger
from advisor.workloads.override import assigned
from advisor.workloads.profile import Precision

Changes = Mapping[str, Any]
"""A part of a `RunSpec`'s document: what replaces what was stored."""

_OF_JOB = {
    "workload": "workload",
    "settings": "settings",
    "epochs": "epochs",
    "disk": "disk_gb",
    "rental": "rental",
    "fit_batch": "fit_batch",
    "memory_margin": "memory_margin",
    "assumed": "assumptions",
    "image": "image",
}
"""What the first version called the fields of a `JobSpec`."""

_OF_OFFERS = {
    "gpus": "gpus",
    "num_gpus": "num_gpus",
    "min_reliability": "min_reliability",
    "max_price": "max_usd_per_hour",
    "regions": "regions",
    "verified": "verified",
    "min_duration": "min_duration_s",
    "exclude_gpus": "exclude_gpus",
    "min_ram": "min_ram_gb",
    "min_vram": "min_vram_gb",
    "datacenter": "datacenter",
    "where": "where",
}
"""What it called the fields of `Constraints`."""

_OF_RENT = {
    "market": "market",
    "name": "name",
    "max_epoch_cost": "max_epoch_usd",
    "deadline": "deadline_s",
    "budget": "budget_usd",
    "day_budget": "day_budget_usd",
    "max_lifetime": "max_lifetime_s",
    "attempts": "attempts",
    "start_timeout": "start_timeout_s",
}
"""What it called the fields of a `RentSpec`."""

_LEFT = frozenset({"yes"})
"""What it stored and nobody needs."""

_OF_PREDICTION: Mapping[str, Callable[[str, object], object]] = {
    "workload": arguments.text,
    "gpu": arguments.text,
    "num_gpus": arguments.whole,
    "cpu": partial(arguments.text, may_lack=True),
    "threads": partial(arguments.above_zero, unit="threads", may_lack=True),
    "cpu_ghz": partial(arguments.above_zero, unit="GHz", may_lack=True),
    "batch_size": arguments.whole,
    "precision": partial(arguments.one_of, known=get_args(Precision)),
    "samples_per_s": partial(arguments.above_zero, unit="samples/s"),
}
"""What a job's prediction holds; see `advisor.throughput.user_runs.UserRun`."""

_OF_RUN = ("argv", "folder", "results", "checkpoints", "includes", "excludes")
_ADDED = frozenset(
    {"memory_margin", "exclude_gpus", "min_ram", "min_vram", "datacenter", "where"}
)
"""What the first version did not store from the start on."""

_TAKEN_EXIT_CODES = range(256)


def load_job(
    data: Path, name: str, changes: Changes | None = None
) -> tuple[JobRecord, RunSpec]:
    """Return a stored job, and what it asks for.

    Parameters
    ----------
    data : the user's data folder
    changes : what replaces what was stored of the spec; all of it is checked together

    Raises
    ------
    UsageError
        if there is none of that name, its file is torn or of a newer advisor, or a change
        cannot be right
    """
    path = job_file(data, name)
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        names = sorted(one.parent.name for one in path.parents[1].glob("*/job.json"))
        known = f"there are {', '.join(names)}" if names else "there is none"
        message = f"no job {name!r} to resume: {known}"
        raise UsageError(message) from None
    except (ValueError, RecursionError) as error:
        raise _torn(path, "it is no JSON") from error
    try:
        document = _spec_document(found)
        spec = _changed(document, changes or {})
        job = JobRecord(
            name,
            spec,
            before=_stamps(found.get("before")),
            predicted=_predicted(found.get("predicted")),
            exit_code=_exit_code(found.get("exit_code")),
        )
    except ArgumentError:
        raise
    except UsageError as error:
        raise _torn(path, str(error)) from error
    if spec.rent.name != name:
        raise _torn(path, "it is of another job")
    return job, spec


def is_finished(data: Path, job: JobRecord) -> bool:
    """Tell whether a job has ended well and no machine of it is left to release."""
    left = Ledger(data).entries()
    is_left = any(entry.job == job.name and entry.is_open for entry in left)
    return job.exit_code == 0 and not is_left


def _torn(path: Path, why: str) -> UsageError:
    return UsageError(f"{path} is torn ({why}): start the job anew")


def _spec_document(found: object) -> dict[str, Any]:
    """Return the document of the spec in a job's file of any version."""
    if not isinstance(found, dict):
        message = "an object is expected"
        raise UsageError(message)
    if "version" not in found:
        return _of_first_version(found)
    spec = checked_version(found, VERSION).get("spec")
    if not isinstance(spec, dict):
        message = "spec: an object is expected"
        raise UsageError(message)
    return spec


def _of_first_version(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document of what the first version stored."""
    options = found.get("options")
    if not isinstance(options, dict):
        message = "options: an object is expected"
        raise UsageError(message)
    known = {**_OF_JOB, **_OF_OFFERS, **_OF_RENT}
    if unknown := options.keys() - known.keys() - _LEFT:
        message = f"options: {min(map(str, unknown))[:40]!r} is not known"
        raise UsageError(message)
    if lacks := known.keys() - options.keys() - _ADDED:
        message = f"options: {min(lacks)} is missing"
        raise UsageError(message)
    job = _renamed(options, _OF_JOB)
    job["settings"] = assigned(_texts(job.get("settings", [])))
    job["assumptions"] = assumed_figures(_texts(job.get("assumptions", [])))
    rent = _renamed(options, _OF_RENT)
    rent |= {"job": job, "offers": _renamed(options, _OF_OFFERS)}
    own = {name: found[name] for name in _OF_RUN if name in found}
    return {"version": SPEC_VERSION, "rent": rent, **own}


def _renamed(options: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {new: options[old] for old, new in names.items() if old in options}


def _texts(found: object) -> list[str]:
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        message = "options: a list of texts is expected"
        raise UsageError(message)
    return found


def _changed(document: Mapping[str, Any], changes: Changes) -> RunSpec:
    """Return the spec of a document, parts of it replaced.

    Raises
    ------
    ArgumentError
        if a change cannot be right
    UsageError
        if the document cannot be
    """
    try:
        stored = RunSpec.from_document(document)
    except UsageError as error:
        # What cannot be, such as a cap that no face takes any more, may be replaced.
        if changes:
            with suppress(UsageError):
                return RunSpec.from_document(_merged(document, changes))
        hint = (
            ("; give another to go on with it",)
            if isinstance(error, ArgumentError)
            else ()
        )
        raise UsageError(*error.parts, *hint) from error
    return RunSpec.from_document(_merged(document, changes)) if changes else stored


def _merged(document: Mapping[str, Any], changes: Changes) -> dict[str, Any]:
    """Return a document with parts of it replaced."""
    merged = dict(document)
    for key, value in changes.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            merged[key] = _merged(old, value)
        else:
            merged[key] = value
    return merged


def _stamps(found: object) -> Stamps:
    """Return what a job found; of one that does not say so all is its own."""
    if found is None:
        return {}
    if isinstance(found, dict):
        with_stamps = {
            str(path): (stamp[0], stamp[1])
            for path, stamp in found.items()
            if isinstance(stamp, list)
            and len(stamp) == 2
            and all(isinstance(one, int) and not isinstance(one, bool) for one in stamp)
        }
        if len(with_stamps) == len(found):
            return with_stamps
    message = "before: paths with two whole numbers each are expected"
    raise UsageError(message)


def _predicted(found: object) -> Mapping[str, Any]:
    """Return what was predicted of the machine that has the job.

    What makes no sense is left out: the run is not recorded then, and goes on.
    """
    if not isinstance(found, dict) or found.keys() != _OF_PREDICTION.keys():
        return {}
    try:
        return {name: check(name, found[name]) for name, check in _OF_PREDICTION.items()}
    except UsageError:
        return {}


def _exit_code(found: object) -> int | None:
    is_code = isinstance(found, int) and not isinstance(found, bool)
    if found is None or (is_code and found in _TAKEN_EXIT_CODES):
        return found  # type: ignore[return-value]
    message = "exit_code: a whole number from 0 to 255 is expected"
    raise UsageError(message)
