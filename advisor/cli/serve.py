"""`advisor serve`: the page that is live, for this machine alone."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import closing
from typing import Any
from urllib.parse import urlencode

import click

from advisor.app.context import Context
from advisor.app.rank import RankSpec
from advisor.app.speedup import SpeedupSpec
from advisor.base.errors import AdvisorError, UsageError
from advisor.base.interrupts import deferred, window
from advisor.base.loopback import LOOPBACK, url_of
from advisor.base.resources import installing
from advisor.cli.arguments import workload_argument
from advisor.cli.failure import asked_of, explain
from advisor.cli.main import app
from advisor.cli.options import chosen
from advisor.cli.output import remark, result
from advisor.cli.specs import rank_spec

_MISSING = f"the served page needs its extra: {installing('serve')}"


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
    """Show the ranking as a page in your browser, where sliders change the job.

    The page has the ranking, the calculator of 'advisor speedup', and your rentals. It
    rents nothing: it shows the command to copy. It ends a rental where you type the name
    of its job. Only this machine reaches it, and only by the address that is printed.
    Ctrl-C stops it.

    \b
    Example:
      advisor serve resnet50
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    try:
        from advisor.serve.application import application  # noqa: PLC0415  (an extra)
        from advisor.serve.served import Served  # noqa: PLC0415
        from advisor.serve.server import listen_here, running  # noqa: PLC0415
    except ImportError as error:
        raise UsageError(_MISSING) from error
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
        try:
            with window():
                threading.Event().wait()
        except KeyboardInterrupt:
            if served.releases.is_at_work:
                remark("a rental is being ended: the server waits until it is gone")
            remark("the server has ended")


class ThisCommandLine:
    """The command line as the pages read it."""

    def rank(self, words: Sequence[str]) -> RankSpec:
        """Return what words after ``advisor rank`` ask for."""
        options = _options("rank", words)
        options["workload"] = options.pop("named") or options["workload"]
        return rank_spec(options)

    def speedup(self, words: Sequence[str]) -> SpeedupSpec:
        """Return what words after ``advisor speedup`` ask for."""
        options = _options("speedup", words)
        del options["as_json"]
        return SpeedupSpec(**options)

    def line(self, error: AdvisorError, words: Sequence[str]) -> str:
        """Return the line with which a command ends."""
        return explain(error, asked_of(app, words)).line


def _options(name: str, words: Sequence[str]) -> dict[str, Any]:
    """Return the options of a command as its function takes them.

    Raises
    ------
    AdvisorError
        if they cannot be read: with what click says of them
    """
    above = click.Context(app, info_name="advisor", **app.context_settings)
    command = app.get_command(above, name)
    if command is None:
        raise LookupError(name)
    try:
        with command.make_context(name, list(words), above) as ctx:
            return chosen(ctx, ctx.params)
    except click.UsageError as error:
        raise UsageError(explain(error, asked_of(app, [name, *words])).line) from error
