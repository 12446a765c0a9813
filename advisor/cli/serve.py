"""`advisor serve`: the page that is live, for this machine alone."""

from __future__ import annotations

from contextlib import closing, suppress
from importlib.util import find_spec
from urllib.parse import urlencode

import click

from advisor.app.context import Context
from advisor.base.errors import UsageError
from advisor.base.interrupts import deferred, wait_for_signal
from advisor.base.loopback import LOOPBACK, url_of
from advisor.base.resources import installing
from advisor.cli.arguments import workload_argument
from advisor.cli.output import remark, result
from advisor.cli.words import ThisCommandLine

_NEEDS = ("jinja2", "starlette", "uvicorn", "vl_convert")


@click.command("serve")
@workload_argument
@click.option(
    "--market",
    metavar="sample|vast|FILE",
    help="Where the offers come from. Default: vast with a key, else sample.",
)
@click.option(
    "--host",
    default=LOOPBACK,
    show_default=True,
    metavar="ADDRESS",
    help="Address of this machine for itself, to listen at.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="N",
    help="Where to listen. Default: any free port.",
)
@click.pass_obj
def command(
    context: Context, /, workload: str, market: str | None, host: str, port: int
) -> None:
    """Show the ranking as a live page in your browser.

    The page has the ranking, the calculator of 'advisor speedup', and your rentals. It
    rents nothing: it shows the command to copy. It ends a rental where you type the name
    of its job. Only this machine reaches it, and only by the address that is printed.
    Ctrl-C stops it.

    \b
    Example:
      advisor serve resnet50
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    if any(find_spec(name) is None for name in _NEEDS):
        message = f"the served page needs its extra: {installing('serve')}"
        raise UsageError(message)
    from advisor.serve.application import application  # noqa: PLC0415  (the extra)
    from advisor.serve.served import Served  # noqa: PLC0415
    from advisor.serve.server import listen_here, running  # noqa: PLC0415

    listener = listen_here(host, port)
    try:
        served = Served.of(context, ThisCommandLine(), workload, market)
    except BaseException:
        listener.close()
        raise
    query = {"workload": workload, "token": served.session.address_token}
    with deferred(), closing(served), running(application(served), listener):
        result(f"{url_of(listener)}/?{urlencode(query)}")
        remark("open this address in a browser of this machine; Ctrl-C ends the server")
        with suppress(KeyboardInterrupt):
            wait_for_signal()
        if served.releases.is_at_work:
            remark("a rental is being ended: the server waits until it is gone")
    remark("the server has ended")
