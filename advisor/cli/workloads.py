"""`advisor workloads`: the profiles that are known, and the user's own."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from advisor.app.context import Context
from advisor.base.errors import UsageError
from advisor.base.files import write_atomically
from advisor.cli.from_hf import from_hf
from advisor.cli.options import format_options, help_if_alone, set_option
from advisor.cli.output import remark, result
from advisor.cli.profile_tools import measure
from advisor.report.formats import to_delimited, to_json, to_table
from advisor.report.profiles import guessed, listed_rows, shown_text
from advisor.workloads import saved
from advisor.workloads.load import read_text
from advisor.workloads.override import assigned
from advisor.workloads.parse import dump_workload

_SCHEMA_VERSION = 1

force_option = click.option(
    "--force", is_flag=True, help="Replace a profile of that name."
)
name_argument = click.argument("name")


@click.group("workloads", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Show the workload profiles, and keep your own."""
    help_if_alone(ctx)


command.add_command(measure)
command.add_command(from_hf)


@command.command("list")
@format_options("table", "json", "csv", "tsv")
@click.pass_obj
def list_(context: Context, /, output_format: str) -> None:
    """List the workloads, a line each; a broken one is named and hides no other."""
    library = context.library
    workloads, broken = library.all()
    for error in broken:
        remark(f"advisor: left out: {error}")
    rows = listed_rows(workloads, library.files())
    if output_format == "table":
        headers = ("name", "of", "task", "precision", "batch", "epochs", "description")
        align = ("left", "left", "left", "left", "right", "right", "left")
        cells = [
            (*(row[key] for key in headers[:5]), f"{row['epochs']:,}", row["description"])
            for row in rows
        ]
        result(to_table(cells, headers, align))
        return
    documents = [
        {**asdict(workload), "of": row["of"]}
        for workload, row in zip(workloads, rows, strict=True)
    ]
    if output_format == "json":
        result(to_json({"schema_version": _SCHEMA_VERSION, "workloads": documents}))
    else:
        result(to_delimited(documents, "," if output_format == "csv" else "\t"))


@command.command("show")
@click.argument("name_or_file")
@format_options("toml", "json")
@click.pass_obj
def show(context: Context, /, name_or_file: str, output_format: str) -> None:
    """Print one workload whole, each figure with its source, what is guessed marked."""
    workload = context.library.load(name_or_file)
    if output_format == "toml":
        result(shown_text(workload))
    else:
        document = {
            "schema_version": _SCHEMA_VERSION,
            "workload": asdict(workload),
            "guessed": guessed(workload),
        }
        result(to_json(document))


@command.command("new")
@name_argument
@click.option("--extends", "parent", required=True, metavar="NAME", help="Start from it.")
@set_option
@force_option
@click.pass_obj
def new(
    context: Context,
    /,
    name: str,
    parent: str,
    settings: tuple[str, ...],
    force: bool,
) -> None:
    """Save a profile NAME that extends another with figures of its own."""
    library = context.library
    text = saved.new_text(parent, name, assigned(settings))
    saved.save_text(library, name, text, force=force)
    remark(f"saved: {saved.saved_path(library, name)}")


@command.command("edit")
@name_argument
@set_option
@click.pass_obj
def edit(context: Context, /, name: str, settings: tuple[str, ...]) -> None:
    """Change one of your profiles, with --set or in your editor.

    What the editor leaves is saved if it is right; if not, it is kept beside, and the
    profile stays as it was.
    """
    library = context.library
    path = saved.saved_path(library, name)
    text = read_text(path)
    if settings:
        changed = saved.edited_text(text, assigned(settings))
    else:
        changed = click.edit(text, extension=".toml") or text
    try:
        saved.save_text(library, name, changed, force=True)
    except UsageError as error:
        if settings:
            raise
        draft = path.with_suffix(".toml.draft")
        draft.write_text(changed, encoding="utf-8")
        message = f"{error}; not saved, your text is in {draft}"
        raise UsageError(message) from error
    remark(f"saved: {path}" if changed != text else "nothing changed")


@command.command("copy")
@click.argument("source")
@name_argument
@force_option
@click.pass_obj
def copy(context: Context, /, source: str, name: str, force: bool) -> None:
    """Save a whole copy of the profile SOURCE as NAME."""
    library = context.library
    text = saved.copied_text(library, source, name)
    saved.save_text(library, name, text, force=force)
    remark(f"saved: {saved.saved_path(library, name)}")


@command.command("delete")
@name_argument
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def delete(context: Context, /, name: str, yes: bool) -> None:
    """Delete one of your profiles."""
    path = saved.saved_path(context.library, name)
    if not yes:
        click.confirm(f"Delete {path}?", abort=True, err=True)
    saved.delete(context.library, name)
    remark(f"deleted: {path}")


@command.command("export")
@click.argument("name_or_file")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write. Default: stdout.",
)
@click.pass_obj
def export(context: Context, /, name_or_file: str, output: Path | None) -> None:
    """Write a profile whole, so that it needs no other."""
    text = dump_workload(context.library.load(name_or_file))
    if output is None:
        result(text.rstrip("\n"))
        return
    write_atomically(output, text.encode("utf-8"))
    remark(f"written: {output}")


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="Under another name than the file's.")
@force_option
@click.pass_obj
def import_(context: Context, /, file: Path, name: str | None, force: bool) -> None:
    """Save a file as one of your profiles."""
    library = context.library
    text = read_text(file)
    name = name or file.stem
    if saved.check_named(library, file, text) != name:
        text = saved.edited_text(text, {"name": name})
    saved.save_text(library, name, text, force=force)
    remark(f"saved: {saved.saved_path(library, name)}")


@command.command("validate")
@click.argument("names_or_files", nargs=-1)
@click.pass_obj
def validate(context: Context, /, names_or_files: tuple[str, ...]) -> None:
    """Check profiles: those named, else all of the project and of yours."""
    library = context.library
    errors = []
    if names_or_files:
        for one in names_or_files:
            try:
                library.load(one)
                remark(f"right: {one}")
            except UsageError as error:
                errors.append(str(error))
    else:
        workloads, broken = library.all()
        known = library.files()
        own = [w.name for w in workloads if known[w.name][0] != "built-in"]
        remark(f"right: {', '.join(own) or 'none of your own'}")
        errors += map(str, broken)
    for text in errors:
        remark(f"advisor: {text}")
    if errors:
        message = f"{len(errors)} of the profiles cannot be used"
        raise UsageError(message)
