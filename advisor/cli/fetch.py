"""`advisor fetch`: save a market's offers in a file."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from advisor.app.context import Context
from advisor.app.markets import fetched
from advisor.app.stored import store_answer
from advisor.base.errors import UsageError
from advisor.cli.job_options import constraint_options
from advisor.cli.options import json_option, market_options
from advisor.cli.output import remark, result
from advisor.cli.session import ask
from advisor.cli.specs import constraints
from advisor.market.snapshot import save_snapshot
from advisor.report.formats import to_json
from advisor.store.history import StoredSnapshot


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
    help="Add the offers to your record of the market (see 'advisor history').",
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
    """Save the offers of a market in a file.

    '--market FILE' reads the file. With --keep the offers go into your record of the
    market, which 'advisor history' shows.

    \b
    Examples:
      advisor fetch -o today.json.gz
      advisor fetch --keep
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    if output is None and not keep:
        message = "say where to save: -o FILE, --keep or both"
        raise UsageError(message)
    asks = partial(ask, context, market, max_age_s=0.0, stale_ok=stale_ok)
    answer, left_out = fetched(context, constraints(options), asks)
    recorded = store_answer(context, answer) if keep else None
    if output is not None:
        save_snapshot(answer, output)
    kind = "simulated offers" if answer.simulated else "offers"
    where = [f"saved in {output}"] if output is not None else []
    where += [_outcome(recorded)] if recorded else []
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


def _outcome(stored: StoredSnapshot) -> str:
    """Return what became of the snapshot, in words."""
    if not stored.new:
        return "stored before"
    without = f", {stored.without_machine:,} of no machine left out"
    return (
        f"{stored.listings:,} listings stored{without if stored.without_machine else ''}"
    )
