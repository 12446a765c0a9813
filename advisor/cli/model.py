"""`advisor model`: train the throughput model, evaluate it, write its card.

scikit-learn is imported only when a command runs, so that `advisor -h` stays fast.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from advisor.app.context import Context
from advisor.base.errors import UsageError
from advisor.base.files import write_atomically, write_output
from advisor.base.resources import OWN, SHIPPED, models_folder, own_models_folder
from advisor.cli.options import format_options, help_if_alone, json_option, plot_option
from advisor.cli.output import remark, result
from advisor.cli.parallel import in_parallel, parallel_options
from advisor.report.formats import Format, to_json
from advisor.store.benches import stored_benches
from advisor.store.database import open_store
from advisor.store.runs import stored_runs

if TYPE_CHECKING:
    from advisor.throughput.user_runs import UserRun
    from advisor.training.folder import OwnRecords

_SCHEMA_VERSION = 1
_SPLITS = (
    "pair",
    "gpu",
    "family",
    "model",
    "model_one_run",
    "model_absolute",
    "series",
    "setup_one_run_series",
    "setup_three_runs_series",
    "source",
    "setup_one_run",
    "setup_three_runs",
    "multi",
    "cpu",
    "known",
)


@click.group("model", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Train and evaluate the throughput model.

    \b
    Examples:
      advisor model evaluate --split gpu
      advisor model use shipped
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    help_if_alone(ctx)


@command.command("train")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write. Default: the artifact that 'advisor rank' uses.",
)
@click.option(
    "--with-records",
    "own",
    is_flag=True,
    help="Train on your recorded runs and measured machines too. The model becomes "
    "yours: see 'advisor model use'.",
)
@json_option
@click.pass_obj
def train_(context: Context, /, output: Path | None, own: bool, as_json: bool) -> None:
    """Train the model on the benchmark table.

    \b
    Example:
      advisor model train --with-records
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    from advisor.throughput.artifact import ARTIFACT, save_model  # noqa: PLC0415
    from advisor.training.folder import train_folder  # noqa: PLC0415

    path = output or models_folder() / ARTIFACT
    records = None
    if own:
        records = _own_records(context)
        path = output or own_models_folder(context.data_folder) / ARTIFACT
        path.parent.mkdir(parents=True, exist_ok=True)
    today, progress = context.now().date(), context.progress
    model = train_folder(models_folder(), today, records, progress)
    save_model(model, path)
    facts = model.provenance
    if own:
        count = len(facts.own_records or ())
        remark(f"{count:,} of your records teach it; 'advisor model use own' takes it")
    remark(f"trained on {facts.training_rows:,} measurements; saved in {path}")
    if as_json:
        document = {"schema_version": _SCHEMA_VERSION, "file": str(path)}
        result(to_json({**document, **facts.to_dict()}))


def _own_records(context: Context) -> OwnRecords:
    """Return the user's runs that speak of a GPU, their profiles, and the benches."""
    from advisor.throughput.expected import expected_of  # noqa: PLC0415
    from advisor.throughput.tables import load_tables  # noqa: PLC0415
    from advisor.training.folder import OwnRecords  # noqa: PLC0415

    with open_store(context.data_folder) as connection:
        stored, benches = stored_runs(connection), stored_benches(connection)
    if not (stored or benches):
        message = "you have no records yet: 'advisor record' stores a measured run"
        raise UsageError(message)
    workloads, _ = context.library.all()
    profiles = {one.name: one for one in workloads}
    tables = load_tables(models_folder()).knowing([one.machine for one in benches])

    def speaks(run: UserRun) -> bool:
        profile = profiles.get(run.workload)
        return profile is not None and (
            expected_of(
                run,
                profile,
                profile,
                model=tables.model,
                gpus=tables.gpus,
                cpus=tables.cpus,
                known=tables.known,
            ).of_gpu
        )

    return OwnRecords(
        {one.number: one.run for one in stored if speaks(one.run)}, profiles, benches
    )


@command.command("use")
@click.argument("which", type=click.Choice((OWN, SHIPPED)))
@click.pass_obj
def use(context: Context, /, which: str) -> None:
    """Choose your own model or the shipped one.

    \b
    Example:
      advisor model use own
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    from advisor.throughput.artifact import ARTIFACT  # noqa: PLC0415

    folder = own_models_folder(context.data_folder)
    if which == OWN and not (folder / ARTIFACT).is_file():
        message = "you have no model of your own: 'advisor model train --with-records'"
        raise UsageError(message)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "use", which.encode("utf-8"))
    remark(f"predictions take the {which} model from now on")


@command.command("evaluate")
@click.option(
    "--split",
    "splits",
    type=click.Choice(_SPLITS),
    multiple=True,
    help="What to hold out; may be repeated. Default: all.",
)
@parallel_options
@plot_option("predicted against measured, split by split,")
@format_options("table", "json")
@click.pass_obj
def evaluate_(  # noqa: PLR0917  (one argument an option)
    context: Context,
    /,
    splits: tuple[str, ...],
    jobs: int | None,
    dask: str | None,
    plot: Path | None,
    output_format: Format,
) -> None:
    """Show the model's errors on held-out data.

    They are shown beside those of physical limits alone and of scikit-learn's usual
    regressors, on the same folds and rows.

    \b
    Example:
      advisor model evaluate --split gpu --plot gpu.svg
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    from advisor.training.evaluated import evaluation_table, panels  # noqa: PLC0415
    from advisor.training.folder import evaluate_folder  # noqa: PLC0415

    with in_parallel(jobs, dask):
        evaluation = evaluate_folder(models_folder(), splits or _SPLITS, context.progress)
    if plot is not None:
        from advisor.report.plots import prediction_plot  # noqa: PLC0415

        write_output(plot, prediction_plot(panels(evaluation), plot))
        remark(f"plot written to {plot}")
    if output_format == "json":
        result(to_json({"schema_version": _SCHEMA_VERSION, **evaluation.to_dict()}))
    else:
        result(evaluation_table(evaluation))


@command.command("card")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write. Default: README.md beside the artifact.",
)
@parallel_options
@json_option
@click.pass_obj
def card_(
    context: Context,
    /,
    output: Path | None,
    jobs: int | None,
    dask: str | None,
    as_json: bool,
) -> None:
    """Evaluate the model, and write its card with the plot.

    \b
    Example:
      advisor model card -o card.md
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    from advisor.training.folder import CARD, write_card  # noqa: PLC0415

    path = output or models_folder() / CARD
    with in_parallel(jobs, dask):
        write_card(models_folder(), path, context.progress)
    remark(f"card written to {path}")
    if as_json:
        result(to_json({"schema_version": _SCHEMA_VERSION, "file": str(path)}))
