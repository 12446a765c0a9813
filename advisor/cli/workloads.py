"""`advisor workloads`: the profiles that are known, and the user's own."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from advisor.app.context import Context
from advisor.base.errors import UsageError
from advisor.base.files import write_output
from advisor.cli.from_hf import from_hf
from advisor.cli.options import format_options, help_if_alone, set_option
from advisor.cli.output import (
    CSV_HAS_ALL,
    line_width,
    remark,
    remark_within,
    result,
    result_within,
)
from advisor.cli.profile_tools import measure
from advisor.report.formats import to_delimited, to_json
from advisor.report.profiles import guessed, listed_rows, listed_table, shown_text
from advisor.workloads import saved
from advisor.workloads.dump import dump_workload
from advisor.workloads.load import read_text
from advisor.workloads.override import assigned

_SCHEMA_VERSION = 1

force_option = click.option(
    "--force", is_flag=True, help="Replace an existing profile of that name."
)
name_argument = click.argument("name")


@click.group("workloads", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List workload profiles, and make your own.

    \b
    Examples:
      advisor workloads list
      advisor workloads new mine --extends resnet50 --set epochs=30
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    help_if_alone(ctx)


command.add_command(measure)
command.add_command(from_hf)


@command.command("list")
@format_options("table", "json", "csv", "tsv")
@click.pass_obj
def list_(context: Context, /, output_format: str) -> None:
    """List all workloads.

    A profile that cannot be read is named on stderr and hides no other.

    \b
    Example:
      advisor workloads list
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    library = context.library
    workloads, broken = library.all()
    for error in broken:
        remark_within(f"advisor: left out: {error}", line_width(context.variables))
    rows = listed_rows(workloads, library.files())
    if output_format == "table":
        width = line_width(context.variables)
        result_within(listed_table(rows, width), width, CSV_HAS_ALL)
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
    """Show one workload in full.

    Each figure comes with its source; guessed figures are marked.

    \b
    Example:
      advisor workloads show resnet50
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
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
@click.option(
    "--extends", "parent", required=True, metavar="NAME", help="Profile to start from."
)
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
    """Make a profile that extends another one.

    \b
    Example:
      advisor workloads new mine --extends resnet50 --set epochs=30
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
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

    A text with errors is not saved: it is stored as a draft beside the profile, which
    stays as it was.

    \b
    Example:
      advisor workloads edit mine --set batch_size=64
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
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
    """Copy a profile in full under a new name.

    \b
    Example:
      advisor workloads copy resnet50 mine
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    library = context.library
    text = saved.copied_text(library, source, name)
    saved.save_text(library, name, text, force=force)
    remark(f"saved: {saved.saved_path(library, name)}")


@command.command("delete")
@name_argument
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.pass_obj
def delete(context: Context, /, name: str, yes: bool) -> None:
    """Delete one of your profiles.

    \b
    Example:
      advisor workloads delete mine --yes
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
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
    """Write a profile in full, so that it needs no other.

    \b
    Example:
      advisor workloads export mine -o mine.toml
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    text = dump_workload(context.library.load(name_or_file))
    if output is None:
        result(text.rstrip("\n"))
        return
    write_output(output, text.encode("utf-8"))
    remark(f"written: {output}")


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="Name of the profile. Default: that of the file.")
@force_option
@click.pass_obj
def import_(context: Context, /, file: Path, name: str | None, force: bool) -> None:
    """Save a file as one of your profiles.

    \b
    Example:
      advisor workloads import mine.toml
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
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
    """Check profiles for errors.

    Without names, the profiles of the project and your own are checked.

    \b
    Example:
      advisor workloads validate mine.toml
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
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
