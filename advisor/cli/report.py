"""`advisor report`: a ranking as a page for a browser, in one file."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from advisor.app.context import Context
from advisor.base.files import write_output
from advisor.cli.arguments import workload_argument
from advisor.cli.job_options import constraint_options, how_options
from advisor.cli.options import json_option, market_options, max_age_option
from advisor.cli.output import line_width, remark, remark_within, result
from advisor.cli.policy_options import policy_options
from advisor.cli.ranked import next_steps
from advisor.cli.session import ask
from advisor.cli.specs import rank_spec
from advisor.report.entries import entries
from advisor.report.formats import to_json

_SCHEMA_VERSION = 1

_MOST_OFFERS = 3000
"""More than a market has for a job, mostly; a page of so many takes 2.7 MB."""


@click.command("report")
@workload_argument
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write (HTML).",
)
@how_options
@market_options
@max_age_option
@constraint_options
@policy_options
@click.option(
    "--top",
    type=click.IntRange(min=1),
    metavar="N",
    default=_MOST_OFFERS,
    show_default=True,
    help="Show the best N.",
)
@json_option
@click.pass_obj
def command(  # noqa: PLR0917  (one argument an option)
    context: Context,
    /,
    output: Path,
    market: str | None,
    stale_ok: bool,
    max_age: float,
    as_json: bool,
    **options: Any,
) -> None:
    """Write a ranking as a page for a browser.

    It is one file that loads nothing: the offers by cost and time, the bill of each, what
    holds it back, what more cores would bring, and all that is assumed. Your recorded
    runs, rentals and stored prices are on it too, where you have any.

    \b
    Examples:
      advisor report resnet50 -o report.html
      advisor report bert-base --gpu 'RTX 4090,A100' --deadline 12h -o report.html
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    from advisor.app.kept import kept_of  # noqa: PLC0415  (once the command runs)
    from advisor.app.rank import Ranker  # noqa: PLC0415
    from advisor.report.page.data import page_data  # noqa: PLC0415
    from advisor.report.page.document import report  # noqa: PLC0415
    from advisor.report.page.library import needed  # noqa: PLC0415

    needed()
    spec = rank_spec(options)
    ranker = Ranker.of(context, spec)
    answer = ask(context, market, ranker.query, max_age_s=max_age, stale_ok=stale_ok)
    ranker.notify_slips(answer)
    ranking = ranker.rank(answer)
    if not ranking:
        from advisor.ranking.refused import nothing_left  # noqa: PLC0415  (rarely)

        raise nothing_left(ranking)
    kept = kept_of(context, ranking)
    steps = [
        shlex.join(words)
        for words in next_steps(ranking, entries(ranking[:2]), spec.job.workload)
    ]
    data = page_data(ranking, context.now(), kept, context.models, steps)
    # A path may have bytes that are no text.
    body = report(data).encode("utf-8", "replace")
    write_output(output, body)
    remark_within(data["answer"]["text"], line_width(context.variables))
    more = f" ({data['more']:,} more rank lower)" if data["more"] else ""
    size = f"{len(body) / 1e6:.1f} MB"
    offers = f"{len(ranking):,} offer{'' if len(ranking) == 1 else 's'}"
    remark(f"{offers}{more}, {size}; saved in {output}")
    if as_json:
        document = {
            "schema_version": _SCHEMA_VERSION,
            "file": str(output),
            "bytes": len(body),
            "offers": len(ranking),
            "answer": data["answer"]["text"],
        }
        result(to_json(document))
