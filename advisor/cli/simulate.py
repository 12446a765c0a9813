"""`advisor simulate`: a market to try things on, at no cost."""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path

import click

from advisor.base.interrupts import deferred, wait_for_signal
from advisor.base.loopback import LOOPBACK
from advisor.cli.output import remark, result
from advisor.simulator.clock import SimClock
from advisor.simulator.local import LocalContainers, own_cpu
from advisor.simulator.scenarios import SCENARIOS, faults_named, load_faults
from advisor.simulator.server import serve
from advisor.simulator.world import World


@click.command("simulate")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8642,
    show_default=True,
    help="Where to listen; 0 for any free port.",
)
@click.option(
    "--host",
    default=LOOPBACK,
    show_default=True,
    metavar="ADDRESS",
    help="Address to listen at; another one lets other machines in.",
)
@click.option(
    "--offers",
    type=click.IntRange(1, 20_000),
    default=3000,
    show_default=True,
    help="Offers at the start.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=7,
    show_default=True,
    help="The same seed makes the same market.",
)
@click.option(
    "--clock",
    default="1x",
    show_default=True,
    metavar="SPEED",
    help="Speed of its clock, such as 60x; 'manual': only POST /__clock moves it.",
)
@click.option(
    "--faults",
    "faults_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="TOML file of faults to inject.",
)
@click.option(
    "--fault",
    "fault_names",
    multiple=True,
    metavar="NAME",
    help="Fault to inject, by name; may be repeated.",
)
@click.option(
    "--containers",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Run instances here, as root, each with a folder in DIR and an ssh server. "
    "Offers list this machine's CPU. Only clients with the key that is printed can rent.",
)
@click.option(
    "--list-faults", is_flag=True, help="List the names of the faults and exit."
)
def command(
    *,
    port: int,
    host: str,
    offers: int,
    seed: int,
    clock: str,
    faults_file: Path | None,
    fault_names: tuple[str, ...],
    containers: Path | None,
    list_faults: bool,
) -> None:
    """Run a simulated market server, which rents nothing.

    It serves this program and the official client, and costs no money. GET /__ledger
    shows what every account owes and which instances exist; GET /__events shows what
    happened (with --containers only to a client that has the key). Ctrl-C stops it.

    \b
    Example:
      advisor simulate --clock 60x
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    if list_faults:
        width = max(map(len, SCENARIOS))
        lines = [f"{name:{width}}  {one.description}" for name, one in SCENARIOS.items()]
        result("\n".join(lines))
        return
    # Whoever may rent runs what they like here, with our rights.
    key = None if containers is None else secrets.token_hex(16)
    faults = faults_named(fault_names)
    if faults_file is not None:
        faults += load_faults(faults_file)
    machines = None if containers is None else LocalContainers(containers.resolve())
    world = World(
        offers,
        seed,
        SimClock.parse(clock),
        rate_limited=True,
        faults=faults,
        host=machines,
        cpu=None if machines is None else own_cpu(),
        key=key,
    )
    with (
        serve(world, host, port) as server,
        contextlib.ExitStack() as stack,
        deferred(),
    ):
        if machines is not None:
            stack.callback(machines.close)
        if key is None:
            result(
                f"{server.url} is a market: VAST_URL={server.url} VAST_API_KEY=any-word "
                "for 'advisor' and 'vastai'"
            )
        else:
            result(
                f"{server.url} is a market for 'advisor' and 'vastai', with one key:\n"
                f"export VAST_URL={server.url} VAST_API_KEY={key}"
            )
        try:
            wait_for_signal()
        except KeyboardInterrupt:
            remark("the market is closed")
