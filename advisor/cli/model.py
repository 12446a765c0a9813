"""`advisor model`: train the throughput model, evaluate it, write its card.

scikit-learn is imported only when a command runs, so that `advisor -h` stays fast.
"""

from __future__ import annotations

from pathlib import Path

import click

from advisor.cli.environment import Environment
from advisor.cli.options import format_options, help_if_alone, json_option
from advisor.cli.output import remark, result
from advisor.report.formats import Format, to_json
from advisor.resources import models_folder

_SCHEMA_VERSION = 1
_SPLITS = (
    "pair",
    "gpu",
    "family",
    "model",
    "model_one_run",
    "model_absolute",
    "series",
    "source",
    "multi",
    "cpu",
)


@click.group("model", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Train and evaluate the throughput model."""
    help_if_alone(ctx)


@command.command("train")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write. Default: the artefact that 'advisor rank' uses.",
)
@json_option
@click.pass_obj
def train_(environment: Environment, /, output: Path | None, as_json: bool) -> None:
    """Train the model on the benchmark table and write the artefact."""
    from advisor.throughput.artefact import ARTEFACT  # noqa: PLC0415
    from advisor.throughput.folder import train_folder  # noqa: PLC0415
    from advisor.throughput.gpu_store import save_model  # noqa: PLC0415

    path = output or models_folder() / ARTEFACT
    model = train_folder(models_folder(), environment.now().date())
    save_model(model, path)
    remark(f"trained on {model.about['training_rows']:,} measurements; saved in {path}")
    if as_json:
        document = {"schema_version": _SCHEMA_VERSION, "file": str(path)}
        result(to_json({**document, **model.about}))


@command.command("evaluate")
@click.option(
    "--split",
    "splits",
    type=click.Choice(_SPLITS),
    multiple=True,
    help="What is held out; may be repeated. Default: all.",
)
@format_options("table", "json")
def evaluate_(splits: tuple[str, ...], output_format: Format) -> None:
    """Show the model's errors on what it has not seen, beside the baselines'."""
    from advisor.report.evaluated import evaluation_table  # noqa: PLC0415
    from advisor.throughput.folder import evaluate_folder  # noqa: PLC0415

    evaluation = evaluate_folder(models_folder(), splits or _SPLITS)
    if output_format == "json":
        result(to_json({"schema_version": _SCHEMA_VERSION, **evaluation.to_dict()}))
    else:
        result(evaluation_table(evaluation))


@command.command("card")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write. Default: README.md beside the artefact.",
)
@json_option
def card_(output: Path | None, as_json: bool) -> None:
    """Evaluate the model and write its card, with the calibration plot beside it."""
    from advisor.throughput.folder import CARD, write_card  # noqa: PLC0415

    path = output or models_folder() / CARD
    write_card(models_folder(), path)
    remark(f"card written to {path}")
    if as_json:
        result(to_json({"schema_version": _SCHEMA_VERSION, "file": str(path)}))
