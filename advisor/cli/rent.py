"""`advisor rent`: have the best offer, or a clear refusal."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import click

from advisor.app.context import Context
from advisor.app.plan import Plan, plan
from advisor.base.errors import AdvisorError, NothingFitsError
from advisor.base.interrupts import check, deferred, shielded, window
from advisor.cli.arguments import workload_argument
from advisor.cli.options import duration_s, json_option
from advisor.cli.output import need_stdout, remark, result
from advisor.cli.renting import confirmation, rent_options, rent_spec
from advisor.ranking.offer import RankedOffer
from advisor.rental.ends import until
from advisor.rental.rent import Confirm, ranked, renting, seen_again
from advisor.rental.request import Attempt
from advisor.report.formats import lines_of, to_json
from advisor.report.rental import dry_run as dry_run_document
from advisor.report.rental import lease_words, not_rented, rented


@click.command("rent")
@workload_argument
@rent_options
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
        planned = plan(context, spec, wait_for_ssh=wait)
        document = would_rent(planned)
        remark("dry run: nothing was rented")
        result(to_json(document) if as_json else rental_lines(document))
        return
    confirm = confirmation(yes=options["yes"])
    need_stdout()
    planned = plan(context, spec, wait_for_ssh=wait)
    with deferred():
        _rent(planned, confirm, lease_s=spec.lease_s, as_json=as_json)


def _rent(
    planned: Plan, confirm: Confirm | None, *, lease_s: float | None, as_json: bool
) -> None:
    """Rent, tell what was rented, and leave it to the user.

    In this order: who was not told has no machine, and it is released.
    """
    desk = planned.desk
    attempts: list[Attempt] = []
    is_told = False
    try:
        with renting(desk, planned.request, confirm, attempts) as rental:
            document = rented(rental, str(planned.key_file), lease_s)
            check()
            with window():  # whoever reads may let us wait
                is_told = True
                told = to_json(document) if as_json else rental_lines(document)
                result(told, owed=True)
            with shielded(f"handing over instance {rental.entry.instance_id}"):
                desk.ledger.advance(rental.entry.label, "handed", desk.now())
    except AdvisorError as error:
        if as_json and not is_told:
            with suppress(AdvisorError):  # what went wrong first counts
                result(to_json(not_rented(error, attempts)))
        raise


def would_rent(planned: Plan) -> dict[str, Any]:
    """Return the document of what would be rented now.

    Raises
    ------
    AdvisorError
        if it is nothing
    """
    desk, request = planned.desk, planned.request
    for candidate in ranked(desk, request)[: request.attempts]:
        now = seen_again(desk, request, candidate, ())
        if isinstance(now, RankedOffer):
            return dry_run_document(
                now, request.job, until(desk, request, now, desk.now())
            )
        remark(f"offer {candidate.offer_id}: {now[1]}")
    raise NothingFitsError("none of the best offers is there any more: try again")


def rental_lines(document: dict[str, Any]) -> str:
    """Return a rental for people."""
    predicted, ssh = document["predicted"], document.get("ssh")
    pairs = [
        (
            "offer",
            f"{document['offer_id']} ({document['num_gpus']} x {document['gpu_name']})",
        ),
        ("image", document["image"]),
        ("price", f"${document['usd_per_hour']:.4f}/h"),
        (
            "predicted",
            (
                f"${predicted['epoch_usd']:.4g} an epoch "
                f"({predicted['epoch_usd_low']:.4g} to "
                f"{predicted['epoch_usd_high']:.4g}), ${predicted['job_usd']:.2f} and "
                f"{predicted['job_hours']:.3g} h in all"
            ),
        ),
        ("ends at", f"{document['ends_at']} at the latest"),
    ]
    if document.get("lease_s"):
        renewal = f"'advisor renew {document['instance_id']}'"
        pairs.append(("lease", f"{lease_words(document['lease_s'])}: {renewal}"))
    if document["instance_id"] is not None:
        pairs.insert(0, ("instance", str(document["instance_id"])))
    if ssh:
        words = f"ssh -i {ssh['key_file']} -p {ssh['port']} root@{ssh['host']}"
        pairs.append(("ssh", words))
    return lines_of(pairs)
