"""`advisor rent`: have the best offer, or a clear refusal."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from advisor.app.context import Context
from advisor.app.plan import plan
from advisor.app.renting import rent, would_rent
from advisor.base.errors import AdvisorError
from advisor.cli.arguments import workload_argument
from advisor.cli.options import duration_s, in_options, json_option
from advisor.cli.output import need_stdout, remark, result
from advisor.cli.renting import (
    Terminal,
    need_confirmation,
    rent_spec,
    rental_options,
    verify_option,
)
from advisor.rental.request import Attempt, Rental
from advisor.report.formats import to_json
from advisor.report.rental import dry_run as dry_run_document
from advisor.report.rental import not_rented, rental_lines, rented


@click.command("rent")
@workload_argument
@rental_options
@verify_option("no")
@click.option(
    "--wait",
    is_flag=True,
    help="Wait until SSH answers, not only until the machine runs.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be rented; rent nothing.")
@click.option(
    "--lease",
    "lease_s",
    callback=duration_s,
    metavar="TIME",
    help="The machine ends itself when 'advisor renew' has not reached it for this long.",
)
@json_option
@click.pass_obj
def command(
    context: Context,
    /,
    wait: bool,
    dry_run: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Rent the best offer, and wait until the machine runs.

    The best offer is the first of 'advisor rank'. If it is gone, the next one is rented.
    The machine ends itself when its lifetime or its lease is over; 'advisor
    release' ends it earlier.

    \b
    Examples:
      advisor rent resnet50 --budget 30 --dry-run
      advisor rent resnet50 --max-epoch-cost 0.40 --budget 30
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    spec = rent_spec(options)
    if dry_run:
        would = would_rent(context, plan(context, spec, wait_for_ssh=wait))
        document = dry_run_document(would, spec)
        remark("dry run: nothing was rented")
        result(to_json(document) if as_json else rental_lines(document))
        return
    need_confirmation(yes=options["yes"])
    need_stdout()
    face = _Face(yes=options["yes"], as_json=as_json, lease_s=spec.lease_s)
    rent(context, spec, face, wait_for_ssh=wait)


class _Face(Terminal):
    """Prints what was rented, or why nothing was where a program wants that."""

    def __init__(self, *, yes: bool, as_json: bool, lease_s: float | None) -> None:
        super().__init__(yes=yes)
        self._as_json = as_json
        self._lease_s = lease_s

    def rented(self, rental: Rental, key_file: Path) -> None:
        """Print how to reach it: a user who does not see it has no machine."""
        document = rented(rental, str(key_file), self._lease_s)
        result(to_json(document) if self._as_json else rental_lines(document), owed=True)

    def not_rented(self, error: AdvisorError, attempts: Sequence[Attempt]) -> None:
        """Print what came of each offer."""
        if self._as_json:
            with suppress(AdvisorError):  # what went wrong first counts
                result(to_json(not_rented(error, attempts, in_options)))
