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
from advisor.cli.options import duration_s, json_option
from advisor.cli.output import need_stdout, remark, result
from advisor.cli.renting import Terminal, need_confirmation, rent_spec, rental_options
from advisor.rental.request import Attempt, Rental
from advisor.report.formats import to_json
from advisor.report.rental import dry_run as dry_run_document
from advisor.report.rental import not_rented, rental_lines, rented


@click.command("rent")
@workload_argument
@rental_options
@click.option(
    "--wait", is_flag=True, help="Until ssh answers; else until the machine runs."
)
@click.option("--dry-run", is_flag=True, help="Say what would be rented; pay nothing.")
@click.option(
    "--lease",
    "lease_s",
    callback=duration_s,
    metavar="TIME",
    help="The machine ends itself when 'advisor renew' was not heard for so long.",
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
    """Rent the offer that is first for a workload, see 'advisor rank'.

    What cannot be had is left for the next offer. The machine ends itself when its
    lifetime is over, or its lease if it has one; 'advisor release' ends it before.
    """
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
        """Print how to reach it: who is not told has no machine."""
        document = rented(rental, str(key_file), self._lease_s)
        result(to_json(document) if self._as_json else rental_lines(document), owed=True)

    def not_rented(self, error: AdvisorError, attempts: Sequence[Attempt]) -> None:
        """Print what came of each offer."""
        if self._as_json:
            with suppress(AdvisorError):  # what went wrong first counts
                result(to_json(not_rented(error, attempts)))
