"""What `advisor run --resume` takes over of a job, and how it is typed."""

from __future__ import annotations

import shlex
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from click.core import ParameterSource

from advisor.cli.environment import Environment
from advisor.cli.options import given_flags
from advisor.cli.session import Constraints
from advisor.errors import UsageError
from advisor.rental.incoming.copying import MAX_RESULTS_GB
from advisor.rental.jobs import JobRecord, load_job
from advisor.rental.machine import DEFAULT_GRACE_S
from advisor.rental.outgoing.decide import MAX_SYNC_GB
from advisor.store.ledger import Ledger

if TYPE_CHECKING:
    import click

_CHANGEABLE = (
    *(one.name for one in fields(Constraints) if one.name != "rental"),
    *("max_epoch_cost", "deadline", "budget", "day_budget", "image"),
    *("max_lifetime", "attempts", "start_timeout"),
)
"""Options that say how the next machine of a job is found: those that are given with
``--resume`` replace the job's own."""

_OF_RESUMING = (
    *("resume", "yes", "grace", "max_sync_gb", "max_results_gb"),
    *("includes", "excludes"),
    *("dry_run", "as_json"),
)
"""Other options that go with ``--resume``."""


def resumed(
    ctx: click.Context, name: str, argv: tuple[str, ...], options: dict[str, Any]
) -> JobRecord:
    """Return a job that was kept, with what was said of its next machine.

    Raises
    ------
    UsageError
        if there is no such job, or something was said that it cannot take over
    """
    given = {
        one.name: one.opts[0]
        for one in ctx.command.params
        if one.name
        and one.expose_value
        and ctx.get_parameter_source(one.name) is ParameterSource.COMMANDLINE
    } | given_flags(ctx)
    fixed = [
        opt
        for key, opt in given.items()
        if key not in (*_CHANGEABLE, *_OF_RESUMING) and key != "argv"
    ]
    if argv or fixed:
        what = f"{', '.join(fixed)} cannot be given" if fixed else "no command is given"
        message = f"--resume goes on with the job as it is: {what} with it"
        raise UsageError(message)
    job = load_job(ctx.obj.data_folder, name)
    changed = {key: options[key] for key in _CHANGEABLE if key in given}
    patterns = {key: ctx.params[key] for key in ("includes", "excludes") if key in given}
    return replace(job, options={**job.options, **changed}, **patterns)


def is_finished(environment: Environment, job: JobRecord) -> bool:
    """Tell whether a job has ended well and no machine of it is left to release."""
    left = Ledger(environment.data_folder).entries()
    is_left = any(entry.job == job.name and entry.is_open for entry in left)
    return job.exit_code == 0 and not is_left


def resuming_line(
    name: str, *, yes: bool, grace_s: float, max_sync_gb: float, max_results_gb: float
) -> str:
    """Return what is typed to go on with a job, with options that it does not keep."""
    words = ["advisor", "run", "--resume", name]
    words += ["--yes"] * yes
    words += [] if grace_s == DEFAULT_GRACE_S else ["--grace", f"{grace_s:.0f}s"]
    words += [] if max_sync_gb == MAX_SYNC_GB else ["--max-sync-gb", f"{max_sync_gb:g}"]
    if max_results_gb != MAX_RESULTS_GB:
        words += ["--max-results-gb", f"{max_results_gb:g}"]
    return shlex.join(words)
