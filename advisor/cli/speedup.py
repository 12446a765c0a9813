"""`advisor speedup`: whether a computation is worth moving to a GPU at all."""

from __future__ import annotations

import click

from advisor.cli.options import above_zero, no_nan
from advisor.cli.output import result
from advisor.errors import UsageError
from advisor.hardware.cpus import Cpu, load_cpus
from advisor.hardware.gpus import load_gpus
from advisor.report.formats import to_json
from advisor.report.speedup import speedup_document, speedup_text
from advisor.throughput.speedup import processor, rates_of, speedup
from advisor.workloads.profile import PRECISIONS, Precision


@click.command("speedup")
@click.option(
    "--gflop",
    type=float,
    required=True,
    callback=above_zero,
    metavar="10^9",
    help="Operations of the whole computation, in 10^9.",
)
@click.option(
    "--data-gb",
    type=click.FloatRange(min=0.0),
    default=0.0,
    show_default=True,
    callback=no_nan,
    metavar="GB",
    help="Data that cross the link to the GPU and back.",
)
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
    help="Clock. Default: that of the CPU.",
)
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default="fp32",
    show_default=True,
    help="Arithmetic of the GPU; the CPU computes in FP32.",
)
@click.option(
    "--parallel",
    type=click.FloatRange(0.0, 1.0),
    default=1.0,
    show_default=True,
    callback=no_nan,
    metavar="0..1",
    help="Share of the operations that runs in parallel.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
def command(  # noqa: PLR0917  (one argument an option)
    gflop: float,
    data_gb: float,
    gpu: str,
    cpu: str | None,
    cores: float | None,
    clock: float | None,
    precision: Precision,
    parallel: float,
    as_json: bool,
) -> None:
    """Say whether a computation is worth moving to a GPU, and where the time goes."""
    card, known = load_gpus().find(gpu), load_cpus().resolve(cpu)
    _check(cpu, known, cores, clock)
    host = processor(known, cores, clock)
    found = speedup(gflop, data_gb, rates_of(card, host, precision), parallel)
    if as_json:
        asked = {
            "gflop": gflop,
            "data_gb": data_gb,
            "gpu": card.name,
            "cpu": cpu,
            "cores": host.cores,
            "clock_ghz": host.ghz,
            "precision": precision,
            "parallel": parallel,
        }
        result(to_json(speedup_document(found, asked)))
        return
    named = cpu or "a CPU"
    title = (
        f"{gflop:g} GFLOP and {data_gb:g} GB on {card.name} ({precision}), against "
        f"{named} with {host.cores:g} cores at {host.ghz:g} GHz"
    )
    result(speedup_text(found, title))


def _check(
    name: str | None, cpu: Cpu | None, cores: float | None, clock: float | None
) -> None:
    """Refuse a CPU of which nothing is known."""
    if cpu is None and (cores is None or clock is None):
        which = f"CPU {name!r} is in no table" if name else "no CPU was given"
        message = f"{which}: say --cores and --clock, or a name of 'advisor cpus'"
        raise UsageError(message)
