"""`advisor sample`: make a simulated market anew."""

from __future__ import annotations

from pathlib import Path

import click

from advisor.app.context import Context
from advisor.cli.options import json_option
from advisor.cli.output import remark, result
from advisor.report.formats import to_json
from advisor.simulator.generate.bundled import BUNDLED_OFFERS, BUNDLED_SEED, write_sample


@click.command("sample")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write (gzipped JSON); --market FILE reads it.",
)
@click.option(
    "--offers",
    type=click.IntRange(min=1, max=1_000_000),
    default=BUNDLED_OFFERS,
    show_default=True,
    help="Offers to make.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=BUNDLED_SEED,
    show_default=True,
    help="The same seed makes the same market.",
)
@json_option
@click.pass_obj
def command(
    context: Context, /, output: Path, offers: int, seed: int, as_json: bool
) -> None:
    """Make a simulated market as a file.

    The defaults make the bundled sample again.

    \b
    Example:
      advisor sample -o small.json.gz --offers 100 --seed 3
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    write_sample(output, offers, seed, context.progress)
    remark(f"{offers:,} simulated offers (seed {seed}) saved in {output}")
    if as_json:
        document = {"schema_version": 1, "file": str(output), "offers": offers}
        result(to_json({**document, "seed": seed, "simulated": True}))
