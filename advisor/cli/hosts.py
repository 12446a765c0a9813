"""`advisor hosts`: machines that are left out, or never blocked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from advisor.app.context import Context
from advisor.cli.options import format_options, help_if_alone
from advisor.cli.output import remark, result
from advisor.report.formats import Format
from advisor.report.listing import listing
from advisor.store.database import open_store
from advisor.store.hosts import HostRule, rules, set_rule


@click.group("hosts", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Leave machines out of every ranking, or allow them for good."""
    help_if_alone(ctx)


def _rule_options(verb: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(
        (
            click.argument("machine_id", type=click.IntRange(min=0)),
            click.option(
                "--host",
                is_flag=True,
                help="The id is a host's: all its machines are meant.",
            ),
            click.option("--reason", default="", metavar="TEXT", help="Why, for you."),
            click.option(
                "--market", default="vast", show_default=True, help="Market of the id."
            ),
            click.pass_obj,
        )
    ):
        verb = option(verb)
    return verb


@command.command("block")
@_rule_options
def block(context: Context, /, **options: Any) -> None:
    """Leave a machine's offers out of every ranking."""
    _set(context, blocked=True, **options)


@command.command("allow")
@_rule_options
def allow(context: Context, /, **options: Any) -> None:
    """Take a machine back, and never block it automatically."""
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
    """List what is blocked and what is allowed."""
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
    columns = ("market", "kind", "id", "rule", "reason", "since")
    result(listing("hosts", rows, columns, output_format))
