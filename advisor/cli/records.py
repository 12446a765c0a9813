"""`advisor records`: the runs and the machines that the user measured."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from advisor.app.context import Context
from advisor.base.errors import AdvisorError, ArgumentError, Given
from advisor.base.files import write_output
from advisor.cli.options import format_options, help_if_alone
from advisor.cli.output import (
    CSV_HAS_ALL,
    line_width,
    remark,
    result,
    result_within,
)
from advisor.report.formats import Format, lines_of, to_delimited, to_json
from advisor.report.listing import listing
from advisor.report.tables import Column
from advisor.store.benches import (
    StoredBench,
    delete_bench,
    has_bench,
    stored_bench,
    stored_benches,
)
from advisor.store.database import open_store
from advisor.store.runs import StoredRun, delete_run, stored_run, stored_runs

_COLUMNS = (
    Column("number"),
    Column("workload", least=12),
    Column("gpu", least=8),
    Column("num_gpus"),
    Column("samples_per_s"),
    Column("batch_size"),
    Column("precision", dispensable=1),
    Column("cpu", least=12, dispensable=2),
    Column("threads", dispensable=3),
    Column("source", least=12, breaks=True, dispensable=4),
    Column("at", dispensable=5),
)

_MACHINE_COLUMNS = (
    Column("number"),
    Column("gpu", least=8),
    Column("num_gpus"),
    Column("cpu", least=12),
    Column("threads"),
    Column("market", dispensable=1),
    Column("machine_id", dispensable=2),
    Column("lines", dispensable=3),
    Column("source", dispensable=4),
    Column("at", dispensable=5),
)

_SCHEMA_VERSION = 1
"""Of the document that `show` prints."""


@click.group("records", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List, show, add, export, check and delete what you measured.

    \b
    Examples:
      advisor records list
      advisor records show 1
      advisor records add bench.json
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    help_if_alone(ctx)


@command.command("list")
@click.option(
    "--workload", metavar="NAME", help="Runs of this workload only. Default: all."
)
@format_options("table", "json", "csv", "tsv")
@click.pass_obj
def show(context: Context, /, workload: str | None, output_format: Format) -> None:
    """List your recorded runs and measured machines, the oldest first.

    CSV and TSV have the runs only.

    \b
    Example:
      advisor records list
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    from advisor.report.measured import machine_row  # noqa: PLC0415  (start-up)

    with open_store(context.data_folder) as connection:
        runs = [_row(one) for one in stored_runs(connection, workload)]
        benches = [] if workload else stored_benches(connection)
    machines = [machine_row(one) for one in benches]
    if output_format == "json":
        document = {"schema_version": _SCHEMA_VERSION, "records": runs}
        result(to_json({**document, "machines": machines}))
        return
    width = line_width(context.variables)
    if runs or not machines or output_format != "table":
        table = listing("records", runs, _COLUMNS, output_format, width=width)
        result_within(table, width, CSV_HAS_ALL)
    if machines and output_format == "table":
        table = listing("machines", machines, _MACHINE_COLUMNS, "table", width=width)
        result(f"\n{table.text}" if runs else table.text)


@command.command("show")
@click.argument("number", type=int)
@format_options("table", "json")
@click.pass_obj
def evidence(context: Context, /, number: int, output_format: Format) -> None:
    """Show one run and the evidence for it, or one measured machine.

    \b
    Example:
      advisor records show 1
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    with open_store(context.data_folder) as connection:
        if has_bench(connection, number):
            found = stored_bench(connection, number)
        else:
            found, stored = None, stored_run(connection, number)
    width = line_width(context.variables)
    if found is not None:
        _show_machine(context, found, output_format, width)
    elif output_format == "json":
        record = {**_row(stored), "evidence": stored.evidence}
        result(to_json({"schema_version": _SCHEMA_VERSION, "record": record}))
    else:
        pairs = [
            (name.replace("_", " "), _text(value)) for name, value in _row(stored).items()
        ]
        result(lines_of([*pairs, *_evidence(stored)], width))


def _show_machine(
    context: Context, stored: StoredBench, output_format: Format, width: int | None
) -> None:
    """Show a measured machine: what predictions take of it, and every line."""
    from advisor.app.measured import learned_of  # noqa: PLC0415  (start-up)
    from advisor.report.measured import (  # noqa: PLC0415  (start-up)
        effect_words,
        machine_document,
        machine_row,
    )

    effect = learned_of(context, stored.number)
    if output_format == "json":
        machine = machine_document(stored, effect)
        result(to_json({"schema_version": _SCHEMA_VERSION, "machine": machine}))
        return
    pairs = [
        (name.replace("_", " "), _text(value))
        for name, value in machine_row(stored).items()
    ]
    lines = [
        (f"  {line['name']}", f"{line['value']:.4g} {line['unit']}".rstrip())
        for line in stored.document.get("lines", [])
    ]
    taken = ("predictions take", effect_words(effect))
    result(lines_of([*pairs, taken, ("measured", ""), *lines], width))


@command.command("add")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--machine",
    "machine_id",
    type=click.IntRange(min=1),
    metavar="ID",
    help="The market's id of the machine. Default: a machine of your own.",
)
@click.option(
    "--market", default="vast", show_default=True, help="Market that the id belongs to."
)
@click.pass_obj
def add(context: Context, /, file: Path, machine_id: int | None, market: str) -> None:
    """Store a result of 'advisor bench'; later predictions use it.

    Its cores and GPUs speak of the machine itself and of others of their kind. Trainings
    in it become runs.

    \b
    Examples:
      advisor records add bench.json
      advisor records add bench.json --machine 103058
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    from advisor.app.measured import Place, record_bench  # noqa: PLC0415  (start-up)
    from advisor.measure.bench import read_bench  # noqa: PLC0415  (start-up)

    place = Place() if machine_id is None else Place(market, machine_id)
    record_bench(context, read_bench(context.folder / file), place, "file")


@command.command("export")
@click.option(
    "--workload", metavar="NAME", help="Runs of this workload only. Default: all."
)
@click.option(
    "--contribute",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Write rows in the form of the shipped tables there, for a contribution. They "
    "name no host, path, id or profile of yours.",
)
@click.pass_obj
def export(context: Context, /, workload: str | None, folder: Path | None) -> None:
    """Print your runs as CSV, or write rows for a contribution.

    \b
    Examples:
      advisor records export > runs.csv
      advisor records export --contribute measured/
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    if folder is None:
        with open_store(context.data_folder) as connection:
            rows = [_row(one) for one in stored_runs(connection, workload)]
        result(to_delimited(rows, ","))
        return
    if workload is not None:
        raise ArgumentError(
            *(Given("workload"), " goes with the CSV of runs: leave it out")
        )
    from advisor.app.contribution import contribution  # noqa: PLC0415  (start-up)

    found = contribution(context)
    folder = context.folder / folder
    for name, rows_ in found.tables.items():
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.csv"
        write_output(path, (to_delimited(rows_, ",") + "\n").encode("utf-8"))
        remark(f"{_rows(len(rows_))} written to {path}")
    for why, count in found.left_out.items():
        remark(f"{count:,} left out: {why}")
    if not found.tables:
        raise AdvisorError("no record makes a row of a shipped table")


@command.command("check")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.pass_obj
def check(context: Context, /, files: tuple[Path, ...]) -> None:
    """Check rows for a contribution, as a pull request does.

    The command fails if a row has another form than the table, names what no table
    knows, is beyond what physics allows, is there already, or tells who measured it.

    \b
    Example:
      advisor records check measured/cpu_decode.csv
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    from advisor.app.contribution_check import check_table  # noqa: PLC0415  (start-up)

    lines, rows = [], 0
    for file in files:
        found = check_table(context, context.folder / file)
        rows += found.rows
        for one in found.problems:
            column = f"{one.column}: " if one.column else ""
            lines.append(f"{file}:{one.line}: {column}{one.words}")
        remark(f"{file}: {_rows(found.rows)} for {found.name}.csv")
    if lines:
        result("\n".join(lines))
        count = len(lines)
        raise AdvisorError(
            f"{count:,} problem{'s' * (count != 1)} in {_rows(rows)}: mend what is "
            "listed, or leave the rows out"
        )
    remark("every row can be taken")


@command.command("delete")
@click.argument("number", type=int)
@click.pass_obj
def delete(context: Context, /, number: int) -> None:
    """Delete one run, or one measured machine with its runs.

    \b
    Example:
      advisor records delete 1
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    runs = 0
    with open_store(context.data_folder) as connection:
        if has_bench(connection, number):
            runs = delete_bench(connection, number)
        else:
            delete_run(connection, number)
    with_runs = f", with {runs} run{'s' * (runs != 1)} that it made" if runs else ""
    remark(f"record {number}: deleted{with_runs}")


def _rows(count: int) -> str:
    return f"{count:,} row{'s' * (count != 1)}"


def _row(stored: StoredRun) -> dict[str, Any]:
    return {
        "number": stored.number,
        **asdict(stored.run),
        "source": stored.source,
        "at": stored.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _evidence(stored: StoredRun) -> list[tuple[str, str]]:
    """Return each part of the evidence: what is known, and below it where from."""
    if stored.evidence is None:
        return [("evidence", "none: an older advisor stored it")]
    pairs = [("evidence", "")]
    for part in stored.evidence["parts"]:
        pairs += [(f"  {part['part']}", part["says"]), ("", f"  {part['from']}")]
    return [*pairs, *(("  mark", mark) for mark in stored.evidence["marks"])]


def _text(value: object) -> str:
    if value is None:
        return "?"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
