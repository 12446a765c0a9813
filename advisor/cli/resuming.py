"""What `advisor run --resume` takes over of a job."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from advisor.app.constraints import Constraints
from advisor.app.jobs import load_job
from advisor.app.run import RunSpec
from advisor.base.errors import UsageError
from advisor.cli.options import given_options
from advisor.rental.jobs import JobRecord

if TYPE_CHECKING:
    import click

_OF_OFFERS = tuple(one.name for one in fields(Constraints))
_OF_JOB = ("image",)
_OF_RENT = (
    *("max_epoch_usd", "deadline_s", "budget_usd", "day_budget_usd"),
    *("max_lifetime_s", "attempts", "start_timeout_s", "lease_s", "verify"),
)
_OF_RUN = ("includes", "excludes", "max_sync_gb", "max_results_gb")
_CHANGEABLE = (*_OF_OFFERS, *_OF_JOB, *_OF_RENT, *_OF_RUN)
"""Fields that say how the next machine of a job is found, and what goes there and back:
those that are given with ``--resume`` replace the job's own."""

_OF_RESUMING = ("resume", "yes", "dry_run", "as_json")
"""Other options that go with ``--resume``."""


def resumed(
    ctx: click.Context, name: str, argv: tuple[str, ...], options: Mapping[str, Any]
) -> tuple[JobRecord, RunSpec]:
    """Return a stored job, with what was said of its next machine.

    Parameters
    ----------
    options : of the command, also those that were not given

    Raises
    ------
    UsageError
        if there is no such job, or something was said that it cannot take over
    """
    given = given_options(ctx)
    if options["verify"] is not None:  # False is given, too
        given["verify"] = "--verify"
    fixed = [
        opt
        for key, opt in given.items()
        if key not in (*_CHANGEABLE, *_OF_RESUMING) and key != "argv"
    ]
    if argv or fixed:
        what = f"{', '.join(fixed)} cannot be given" if fixed else "no command is given"
        message = f"--resume goes on with the job as it is: {what} with it"
        raise UsageError(message)
    changes = _changes(options, given.keys())
    return load_job(ctx.obj.data_folder, name, changes)


def _changes(options: Mapping[str, Any], given: Iterable[str]) -> dict[str, Any]:
    """Return what was given of a `RunSpec`'s document."""
    names = frozenset(given)

    def of(fields_of: Iterable[str]) -> dict[str, Any]:
        return {name: options[name] for name in fields_of if name in names}

    parts = {"offers": of(_OF_OFFERS), "job": of(_OF_JOB)}
    rent = of(_OF_RENT) | {name: part for name, part in parts.items() if part}
    return of(_OF_RUN) | ({"rent": rent} if rent else {})
