"""`advisor fetch`: save a market's offers in a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from advisor.app.context import Context
from advisor.app.kept import keep_answer
from advisor.base.errors import UsageError
from advisor.cli.job_options import constraint_options
from advisor.cli.options import json_option, market_options
from advisor.cli.output import remark, result
from advisor.cli.session import ask, tell_slips
from advisor.cli.specs import as_options, constraints
from advisor.hardware.gpus import load_gpus
from advisor.market.filters import Filters, matching_records
from advisor.market.snapshot import save_snapshot
from advisor.report.formats import to_json
from advisor.store.history import Kept

_DISK_GB = 5.0  # the market's own default; `rank` prices the disk of the job anew
_PART = "a part of the market: constraints were given when it was fetched"


@click.command("fetch")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write (gzipped JSON); --market FILE reads it back.",
)
@click.option(
    "--keep",
    is_flag=True,
    help="Add the snapshot to your record of the market ('advisor history').",
)
@market_options
@constraint_options
@json_option
@click.pass_obj
def command(  # noqa: PLR0917  (one argument an option)
    context: Context,
    /,
    output: Path | None,
    keep: bool,
    market: str | None,
    stale_ok: bool,
    as_json: bool,
    **options: object,
) -> None:
    """Save a market's offers in a file that '--market FILE' reads back.

    With --keep also (or only) in your record of the market.
    """
    if output is None and not keep:
        message = "say where to save: -o FILE, --keep or both"
        raise UsageError(message)
    gpus = load_gpus()
    asked = constraints(options)
    query = asked.query(gpus, _DISK_GB)
    answer = ask(context, market, query, max_age_s=0.0, stale_ok=stale_ok)
    filters = asked.filters(gpus, answer.records)
    tell_slips(context, asked, gpus, answer)
    left_out: dict[str, int] = {}
    if filters != Filters():
        kept, left_out = matching_records(answer.records, filters, _DISK_GB)
        answer = replace(
            answer, records=kept, complete=False, notes=(*answer.notes, _PART)
        )
    with as_options():
        recorded = keep_answer(context, answer) if keep else None
    if output is not None:
        save_snapshot(answer, output)
    kind = "simulated offers" if answer.simulated else "offers"
    where = [f"saved in {output}"] if output is not None else []
    where += [_told(recorded)] if recorded else []
    saved = f"{len(answer.records):,} {kind} of market {answer.market} {', '.join(where)}"
    reasons = ", ".join(f"{name} {n:,}" for name, n in left_out.items())
    remark(f"{saved}; left out: {reasons}" if reasons else saved)
    if as_json:
        document = {
            "schema_version": 1,
            "file": None if output is None else str(output),
            "kept_listings": None if recorded is None else recorded.listings,
            "market": answer.market,
            "simulated": answer.simulated,
            "complete": answer.complete,
            "excluded": left_out,
            "offers": len(answer.records),
        }
        result(to_json(document))


def _told(kept: Kept) -> str:
    """Return what became of the snapshot, in words."""
    if not kept.new:
        return "kept before"
    without = f", {kept.without_machine:,} of no machine left out"
    return f"{kept.listings:,} listings kept{without if kept.without_machine else ''}"
