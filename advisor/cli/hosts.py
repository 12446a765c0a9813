"""`advisor hosts`: machines that are left out, or never blocked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from advisor.app.context import Context
from advisor.cli.options import format_options, help_if_alone
from advisor.cli.output import CSV_HAS_ALL, line_width, remark, result_within
from advisor.report.formats import Format
from advisor.report.listing import listing
from advisor.report.tables import Column
from advisor.store.database import open_store
from advisor.store.hosts import HostRule, rules, set_rule

_COLUMNS = (
    Column("market", least=8, dispensable=1),
    Column("kind"),
    Column("id"),
    Column("rule"),
    Column("reason", least=20, breaks=True),
    Column("since", dispensable=2),
)


@click.group("hosts", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Exclude machines from every ranking, or allow them.

    \b
    Examples:
      advisor hosts list
      advisor hosts block 103058
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    help_if_alone(ctx)


def _rule_options(verb: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(
        (
            click.argument("machine_id", type=click.IntRange(min=0)),
            click.option(
                "--host",
                is_flag=True,
                help="The id is that of a host, and stands for all its machines.",
            ),
            click.option(
                "--reason", default="", metavar="TEXT", help="Reason, for your own use."
            ),
            click.option(
                "--market",
                default="vast",
                show_default=True,
                help="Market that the id belongs to.",
            ),
            click.pass_obj,
        )
    ):
        verb = option(verb)
    return verb


@command.command("block")
@_rule_options
def block(context: Context, /, **options: Any) -> None:
    """Exclude the offers of a machine from every ranking.

    \b
    Example:
      advisor hosts block 103058 --reason 'died at epoch 3'
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    _set(context, blocked=True, **options)


@command.command("allow")
@_rule_options
def allow(context: Context, /, **options: Any) -> None:
    """Allow a machine again, and never block it automatically.

    \b
    Example:
      advisor hosts allow 103058
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    _set(context, blocked=False, **options)


def _set(
    context: Context,
    *,
    blocked: bool,
    machine_id: int,
    host: bool,
    reason: str,
    market: str,
) -> None:
    rule = HostRule(
        market,
        "host" if host else "machine",
        machine_id,
        blocked,
        " ".join(reason.split()),
        context.now(),
    )
    with open_store(context.data_folder) as connection:
        set_rule(connection, rule)
    remark(f"{rule.kind} {rule.id}: {'blocked' if blocked else 'allowed'}")


@command.command("list")
@format_options("table", "json", "csv", "tsv")
@click.pass_obj
def show(context: Context, /, output_format: Format) -> None:
    """List blocked and allowed machines.

    \b
    Example:
      advisor hosts list
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    with open_store(context.data_folder) as connection:
        found = rules(connection)
    rows = [
        {
            "market": rule.market,
            "kind": rule.kind,
            "id": rule.id,
            "rule": "block" if rule.blocked else "allow",
            "reason": rule.reason,
            "since": rule.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        for rule in found
    ]
    width = line_width(context.variables)
    table = listing("hosts", rows, _COLUMNS, output_format, width=width)
    result_within(table, width, CSV_HAS_ALL)
