"""`advisor predict`: how fast a training runs on a machine, without a market."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import click

from advisor.app.context import Context
from advisor.app.predict import Prediction, predict
from advisor.base.errors import NothingFitsError
from advisor.cli.arguments import workload_argument
from advisor.cli.job_options import (
    fit_batch_option,
    machine_options,
    memory_margin_option,
)
from advisor.cli.options import in_options, set_option
from advisor.cli.output import look_of_result, remark, result
from advisor.cli.session import refuse_both
from advisor.report.formats import to_json
from advisor.report.predicted import (
    predicted_document,
    predicted_text,
    several_document,
    several_text,
)
from advisor.throughput.tables import load_tables
from advisor.workloads.override import assigned


@click.command("predict")
@workload_argument
@machine_options
@fit_batch_option
@memory_margin_option
@set_option
@click.option("--json", "as_json", is_flag=True, help="Print the prediction as JSON.")
@click.pass_obj
def command(  # noqa: PLR0917  (one argument an option)
    context: Context,
    /,
    workload: str,
    gpu: str,
    num_gpus: int,
    cpu: str | None,
    threads: float | None,
    cpu_ghz: float | None,
    batch: int | None,
    fit_batch: bool,
    memory_margin: float | None,
    settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Predict how fast a workload runs on a machine.

    Each GPU of a family, such as A100, is predicted, the fastest first.

    \b
    Example:
      advisor predict resnet50 --gpu 'RTX 4090' --num-gpus 2 --cpu 'EPYC 7702'
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    figures: dict[str, object] = {**assigned(settings)}
    if batch is not None:
        if "batch_size" in figures:
            refuse_both("--batch", "--set batch_size")
        figures["batch_size"] = batch
    if fit_batch and "batch_size" in figures:
        refuse_both("--fit-batch", "--batch" if batch else "--set batch_size")
    profile = context.library.load(workload)
    tables = load_tables(context.models)
    asked = partial(
        predict,
        profile,
        num_gpus=num_gpus,
        cpu=cpu,
        threads=threads,
        cpu_ghz=cpu_ghz,
        settings=figures,
        fit_batch=fit_batch,
        memory_margin=memory_margin or 0.0,
        tables=tables,
        context=context,
    )
    names = tables.gpus.meant(gpu)
    if len(names) > 1:
        several = _each(asked, names)
        if as_json:
            result(to_json(several_document(several)))
        else:
            result(several_text(several, look_of_result(context.variables)))
        return
    prediction = asked(names[0])
    if as_json:
        result(to_json(predicted_document(prediction)))
    else:
        result(predicted_text(prediction, look_of_result(context.variables)))


def _each(asked: Callable[[str], Prediction], names: Sequence[str]) -> list[Prediction]:
    """Predict for each of several GPUs, the fastest first; what is too small is reported.

    Raises
    ------
    advisor.base.errors.NothingFitsError
        if all of them are
    """
    found: list[Prediction] = []
    refused: NothingFitsError | None = None
    for name in names:
        try:
            found.append(asked(name))
        except NothingFitsError as error:
            remark(error.worded(in_options))
            refused = error
    if not found and refused is not None:
        raise refused
    return sorted(found, key=lambda one: -one.samples_per_s)
