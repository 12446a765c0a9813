"""`advisor speedup`: whether a computation is worth moving to a GPU at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from advisor.app.context import Context
from advisor.app.speedup import PARTS_OF_CALL, SpeedupSpec, compare
from advisor.cli.options import above_zero, no_nan
from advisor.cli.output import look_of_result, result
from advisor.report.formats import to_json
from advisor.report.speedup import compared_document, compared_title, speedup_text
from advisor.throughput.arithmetic import ARITHMETICS
from advisor.throughput.functions import FUNCTIONS

_PARTS_OF_CALL = click.Choice(PARTS_OF_CALL)


def _work_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command with the options that say what is computed."""
    options = [
        click.option(
            "--gflop",
            type=float,
            callback=above_zero,
            metavar="10^9",
            help="Operations per call, in 10^9, at the rate of matrix products.",
        ),
        click.option(
            "--matmul",
            metavar="N|MxKxN",
            help="Each call multiplies matrices of these sizes.",
        ),
        click.option(
            "--elements",
            type=click.FloatRange(1.0, 1e13),
            callback=no_nan,
            metavar="N",
            help="Each call computes --function of N numbers.",
        ),
        click.option(
            "--function",
            type=click.Choice(list(FUNCTIONS)),
            default="add",
            show_default=True,
            help="Function of each number, with --elements; NumPy runs it on one core.",
        ),
        click.option(
            "--touched-gb",
            type=click.FloatRange(min=0.0),
            callback=no_nan,
            metavar="GB",
            help="Memory that each call reads and writes, with --gflop. Default: none.",
        ),
        click.option(
            "--data-gb",
            type=click.FloatRange(min=0.0),
            callback=no_nan,
            metavar="GB",
            help="Data copied to the GPU and back. Default: none with --gflop, else the "
            "input and the result.",
        ),
        click.option(
            "--calls",
            type=click.FloatRange(1.0, 1e12),
            default=1.0,
            show_default=True,
            callback=no_nan,
            metavar="N",
            help="Number of calls.",
        ),
        click.option(
            "--copies",
            type=_PARTS_OF_CALL,
            default="once",
            show_default=True,
            help="When data are copied: once, or in every call.",
        ),
        click.option(
            "--start-up",
            type=_PARTS_OF_CALL,
            default="once",
            show_default=True,
            help="When the GPU starts up: once, or in every call (a process per call).",
        ),
        click.option(
            "--precision",
            type=click.Choice(ARITHMETICS),
            default="fp64",
            show_default=True,
            help="Arithmetic; fp64 is NumPy's default, int64 that of whole numbers. "
            "Half precision is computed in FP32 on the CPU.",
        ),
        click.option(
            "--parallel",
            type=click.FloatRange(0.0, 1.0),
            default=1.0,
            show_default=True,
            callback=no_nan,
            metavar="0..1",
            help="Share of the operations that can run in parallel.",
        ),
    ]
    for option in reversed(options):
        function = option(function)
    return function


@click.command("speedup")
@_work_options
@click.option("--gpu", required=True, metavar="NAME", help="GPU, such as 'RTX 3080'.")
@click.option("--cpu", metavar="NAME", help="CPU to compare with (see 'advisor cpus').")
@click.option(
    "--cores",
    type=click.FloatRange(1.0, 1e5),
    callback=no_nan,
    help="Physical cores. Default: those of one such CPU.",
)
@click.option(
    "--clock",
    type=click.FloatRange(0.1, 20.0),
    callback=no_nan,
    metavar="GHZ",
    help="Clock of the CPU. Default: the one in the table of CPUs.",
)
@click.option(
    "--threads",
    type=click.FloatRange(1.0, 1e5),
    callback=no_nan,
    help="Cores that the code uses on the CPU. Default, as NumPy: all of them for "
    "products, one for a --function and for integers.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
@click.pass_obj
def command(context: Context, /, *, as_json: bool, **options: Any) -> None:
    """Say whether a computation is worth moving to a GPU.

    The answer shows where the time goes on either side.

    \b
    Examples:
      advisor speedup --matmul 4096 --gpu "RTX A4000" --cpu "Xeon Bronze 3104"
      advisor speedup --elements 1e6 --function sin --gpu T4 --cores 8 --clock 3.5
      advisor speedup --gflop 100 --precision fp32 --gpu T4 --cores 8 --clock 3.5
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    compared = compare(SpeedupSpec(**options))
    if as_json:
        result(to_json(compared_document(compared)))
        return
    title = compared_title(compared)
    look = look_of_result(context.variables)
    result(speedup_text(compared.found, title, compared.single, look))
