"""`advisor speedup`: whether a computation is worth moving to a GPU at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import click

from advisor.app.context import Context
from advisor.base.errors import UsageError
from advisor.cli.options import above_zero, no_nan
from advisor.cli.output import look_of_result, result
from advisor.hardware.cpus import Cpu, load_cpus
from advisor.hardware.gpus import load_gpus
from advisor.report.formats import to_json
from advisor.report.speedup import speedup_document, speedup_text
from advisor.throughput.arithmetic import ARITHMETICS, Arithmetic, processor
from advisor.throughput.functions import FUNCTIONS
from advisor.throughput.speedup import (
    Speedup,
    Work,
    function_work,
    product_work,
    rates_of,
    speedup,
)

_PARTS_OF_CALL = click.Choice(["once", "call"])


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
def command(  # noqa: PLR0917  (one argument an option)
    context: Context,
    /,
    gpu: str,
    cpu: str | None,
    cores: float | None,
    clock: float | None,
    threads: float | None,
    as_json: bool,
    **work: Any,
) -> None:
    """Say whether a computation is worth moving to a GPU.

    The answer shows where the time goes on either side.

    \b
    Examples:
      advisor speedup --matmul 4096 --gpu "RTX A4000" --cpu "Xeon Bronze 3104"
      advisor speedup --elements 1e6 --function sin --gpu T4 --cores 8 --clock 3.5
      advisor speedup --gflop 100 --precision fp32 --gpu T4 --cores 8 --clock 3.5
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    card, known = load_gpus().find(gpu), load_cpus().resolve(cpu)
    _check(cpu, known, cores, clock)
    host = processor(known, cores, clock)
    asked: Arithmetic = work["precision"]

    def at(precision: Arithmetic) -> Speedup:
        computed = _work(**work | {"precision": precision})
        return speedup(computed, rates_of(card, host, precision, computed, threads))

    found = at(asked)
    if as_json:
        document = {
            "gflop": found.work.gflop,
            "data_gb": found.work.data_gb,
            "gpu": card.name,
            "cpu": cpu,
            "cores": host.cores,
            "clock_ghz": host.ghz,
            "precision": asked,
            "parallel": found.work.parallel,
            "touched_gb": found.work.touched_gb,
            "calls": found.work.calls,
            "copies": work["copies"],
            "start_up": work["start_up"],
            "function": found.work.function or None,
            "threads": threads,
        }
        result(to_json(speedup_document(found, document)))
        return
    single = at("fp32") if asked == "fp64" else None
    title = (
        f"{_in_words(found.work, work['matmul'])} in {asked.upper()} on {card.name}, "
        f"against {cpu or 'a CPU'} with {host.cores:g} cores at {host.ghz:g} GHz"
    )
    result(speedup_text(found, title, single, look_of_result(context.variables)))


def _work(
    *,
    precision: Arithmetic,
    gflop: float | None,
    matmul: str | None,
    elements: float | None,
    function: str,
    touched_gb: float | None,
    data_gb: float | None,
    calls: float,
    copies: str,
    start_up: str,
    parallel: float,
    **_: Any,
) -> Work:
    """Return what is computed.

    Raises
    ------
    advisor.base.errors.UsageError
        if it is not said in one way
    """
    if [gflop, matmul, elements].count(None) != 2:
        message = "say what is computed by one of --gflop, --matmul and --elements"
        raise UsageError(message)
    if touched_gb is not None and gflop is None:
        message = "--touched-gb goes with --gflop: the others know what they touch"
        raise UsageError(message)
    if matmul is not None:
        work = product_work(_sizes(matmul), precision)
    elif elements is not None:
        work = function_work(function, elements, precision)
    else:
        work = Work(gflop or 0.0, touched_gb or 0.0)
    return replace(
        work,
        data_gb=work.data_gb if data_gb is None else data_gb,
        calls=calls,
        parallel=parallel,
        copies_each=copies == "call",
        start_up_each=start_up == "call",
    )


def _sizes(text: str) -> tuple[int, int, int]:
    """Return M, K and N of ``N`` or ``MxKxN``.

    Raises
    ------
    advisor.base.errors.UsageError
        if it is neither
    """
    try:
        sizes = [int(size) for size in text.split("x")]
    except ValueError:
        sizes = []
    if len(sizes) not in {1, 3} or min(sizes) < 1 or max(sizes) > 10**9:
        message = f"--matmul: {text!r}: a size such as 4096 or 512x1024x256 is expected"
        raise UsageError(message)
    rows, inner, columns = sizes * 3 if len(sizes) == 1 else sizes
    return rows, inner, columns


def _in_words(work: Work, matmul: str | None) -> str:
    """Return what is computed, in words."""
    if work.function:
        what = f"{work.function} of {work.gflop * 1e9:,.0f} numbers"
    elif matmul:
        what = f"product of matrices {matmul}"
    else:
        what = f"{work.gflop:g} GFLOP and {work.data_gb:g} GB"
    return f"{work.calls:,.0f} calls: {what}" if work.calls > 1.0 else what


def _check(
    name: str | None, cpu: Cpu | None, cores: float | None, clock: float | None
) -> None:
    """Refuse a CPU of which nothing is known."""
    if cpu is None and (cores is None or clock is None):
        which = f"CPU {name!r} is in no table" if name else "no CPU was given"
        message = f"{which}: say --cores and --clock, or a name of 'advisor cpus'"
        raise UsageError(message)
