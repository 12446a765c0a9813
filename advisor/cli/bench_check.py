"""What ``advisor bench`` compares its figures with: ``--check`` and ``--read``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from advisor.app.bench_check import judge, offer_of
from advisor.app.context import Context
from advisor.app.markets import SEARCHED_DISK_GB
from advisor.base.errors import UsageError
from advisor.cli.groups import is_common, refuse_before_command, typed_options
from advisor.cli.options import Command, market_options, max_age_option, with_options
from advisor.cli.session import ask, refuse_both
from advisor.market.offers import Offers
from advisor.market.types import Query
from advisor.measure.bench import BenchResult
from advisor.report.verdicts import verdict_documents

_OF_OFFER = ("market", "stale_ok", "max_age")
_OF_BOTH = frozenset((*_OF_OFFER, "offer", "read", "as_json"))


def check_options(command: Command) -> Command:
    """Add the options that say with what the figures are compared."""
    return with_options(
        command,
        click.option(
            "--check",
            "offer",
            type=int,
            metavar="OFFER",
            help="Compare with this offer of the market: advertised, predicted and "
            "measured side by side.",
        ),
        click.option(
            "--read",
            type=click.Path(path_type=Path),
            metavar="FILE.json",
            help="Show a result that was written before, and measure nothing.",
        ),
        market_options,
        max_age_option,
    )


def refuse_idle(ctx: click.Context) -> None:
    """Refuse options that would do nothing.

    Raises
    ------
    UsageError
        if one says how to measure where nothing is, where an offer is that is not asked
        for, or anything of the bench where a command of it is given
    """
    given = typed_options(ctx)
    refuse_before_command(ctx)
    if "read" in given:
        for name, option in given.items():
            if name not in _OF_BOTH and not is_common(name):
                refuse_both("--read", option)
    if "offer" not in given:
        for name in _OF_OFFER:
            if name in given:
                message = f"{given[name]} says where the offer of --check is: add --check"
                raise UsageError(message)


def offer_to_check(context: Context, options: dict[str, Any]) -> Offers | None:
    """Take the options of `check_options` out, and return the offer that they name.

    Raises
    ------
    UsageError
        if the market does not list it
    MarketError
        if the market cannot be asked
    """
    offer, market = options.pop("offer"), options.pop("market")
    max_age_s, stale_ok = options.pop("max_age"), options.pop("stale_ok")
    if offer is None:
        return None
    query = Query(disk_gb=SEARCHED_DISK_GB)
    return offer_of(ask(context, market, query, max_age_s, stale_ok), offer)


def checked(context: Context, result: BenchResult, offer: Offers) -> dict[str, Any]:
    """Return what ``--check`` adds to the document of a bench."""
    found = judge(context, result, offer)
    return {
        "offer_id": int(offer.offer_id[0]),
        "faults": len(found.faults),
        "verdicts": verdict_documents(found),
    }
