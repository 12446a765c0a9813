"""`advisor bench`: what this machine delivers, measured in a minute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from advisor.app.bench import BenchSpec, measure
from advisor.app.bench_check import judge
from advisor.app.context import Context
from advisor.base.errors import UsageError
from advisor.base.files import write_output
from advisor.cli.bench_check import (
    check_options,
    checked,
    offer_to_check,
    refuse_idle,
)
from advisor.cli.bench_compare import compare
from advisor.cli.options import above_zero, json_option, no_nan, one_of, with_options
from advisor.cli.output import (
    JSON_HAS_ALL,
    line_width,
    need_stdout,
    remark_within,
    result,
    result_within,
)
from advisor.market.offers import Offers
from advisor.measure.bench import BenchResult, read_bench
from advisor.report.benched import (
    bench_document,
    bench_head,
    bench_summary,
    bench_table,
    bench_tail,
)
from advisor.report.formats import to_json
from advisor.report.verdicts import verdict_advice, verdict_summary, verdict_table


def _options(command: Any) -> Any:
    """Add the options that say what is measured, and how far that may go."""
    return with_options(
        command,
        one_of(
            "mode",
            "quick",
            ("--quick", "quick", "Measure for about a minute, the default."),
            ("--full", "full", "Measure all there is, with every number of workers."),
        ),
        click.option(
            "--seconds",
            type=float,
            callback=above_zero,
            metavar="S",
            help="Stop after so long. Default: 90, with --full 600.",
        ),
        click.option(
            "--write-gb",
            type=click.FloatRange(min=0.0),
            callback=no_nan,
            metavar="GB",
            help="Write no more than that to the disk. Default: 1, with --full 8.",
        ),
        click.option(
            "--folder",
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            metavar="DIR",
            help="Measure the disk of this folder. Default: that of the working folder.",
        ),
        click.option(
            "--url",
            "urls",
            multiple=True,
            metavar="URL",
            help="Measure the download from it; each further one is a connection more.",
        ),
        click.option(
            "--python",
            metavar="FILE",
            help="Measure with this Python and its libraries. Default: that of the "
            "active environment.",
        ),
        click.option(
            "-o",
            "--output",
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE.json",
            help="Also write the result into a file.",
        ),
        click.option(
            "--record",
            is_flag=True,
            help="Store the result: later predictions use it, see 'advisor records add'.",
        ),
        json_option,
    )


@click.group("bench", invoke_without_command=True)
@_options
@check_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    output: Path | None,
    read: Path | None,
    record: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Measure this machine: what is advertised is not always delivered.

    The bench runs on Linux and needs no GPU and no PyTorch. It shows whether a training
    can run here at all, the cores that are really granted, what they decode, disk and
    memory, and with PyTorch the GPUs. Nothing of it stays on the disk. Figures below what
    healthy machines with the same GPU or CPU show are told.

    \b
    Examples:
      advisor bench
      advisor bench --full -o host.json
      advisor bench --url https://example.com/file.bin --json
      advisor bench --check 23122054 --market offers.json.gz
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    refuse_idle(ctx)
    if ctx.invoked_subcommand is not None:
        return
    context: Context = ctx.obj
    need_stdout()
    if output is not None and not output.parent.is_dir():  # before a minute is lost
        message = f"cannot write {output}: {output.parent} is no folder"
        raise UsageError(message)
    offer = offer_to_check(context, options)
    if read is not None:
        found = read_bench(read)
        document = bench_document(found.document())
    else:
        measured = measure(BenchSpec(**options), context)
        found, document = measured.result, bench_document(measured.document)
    try:
        if output is not None:
            write_output(output, f"{to_json(document)}\n".encode())
    finally:  # a minute's work is not lost with a disk that is full
        if as_json:
            more = {} if offer is None else {"check": checked(context, found, offer)}
            result(to_json({**document, **more}))
        else:
            _show(found, offer, context)
    if record:
        from advisor.app.measured import Place, record_bench  # noqa: PLC0415  (start-up)

        record_bench(context, found, Place(), "bench")
    if read is None and found.is_interrupted:
        raise KeyboardInterrupt


def _show(found: BenchResult, offer: Offers | None, context: Context) -> None:
    """Print what was found for people, and what is to be thought of it."""
    width = line_width(context.variables)
    judged = judge(context, found, offer)
    if head := bench_head(found, width):
        result(f"{head}\n")
    table = bench_table(found, width) if offer is None else verdict_table(judged, width)
    result_within(table, width, JSON_HAS_ALL)
    for line in (
        *bench_tail(found),
        bench_summary(found),
        verdict_summary(judged.verdicts),
        *verdict_advice(judged.verdicts),
    ):
        remark_within(line, width)


command.add_command(compare)
