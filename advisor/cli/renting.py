"""What `rent` and `run` share: their options, and the spec that these ask for."""

from __future__ import annotations

import functools
import shlex
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from advisor.app.listener import Listener
from advisor.app.rent import DEFAULT_MARKET, RentSpec
from advisor.base.errors import UsageError
from advisor.base.interrupts import window
from advisor.cli.job_options import constraint_options, how_options
from advisor.cli.options import above_zero, duration_s
from advisor.cli.output import remark
from advisor.cli.specs import constraints, fields_of, job_spec
from advisor.ranking.offer import RankedOffer
from advisor.rental.request import DEFAULT_ATTEMPTS, MOST_ATTEMPTS
from advisor.report.rental import payment

Command = TypeVar("Command", bound=Callable[..., Any])

_market = click.option(
    "--market",
    metavar="NAME",
    help=f"Market to rent from. Default: {DEFAULT_MARKET}.",
)


def market_option(command: Command) -> Command:
    """Add ``--market``, where machines are rented."""

    @functools.wraps(command)
    def with_market(*args: Any, market: str | None, **options: Any) -> Any:
        return command(*args, market=market or DEFAULT_MARKET, **options)

    return _market(with_market)  # type: ignore[return-value]


def rental_options(command: Command) -> Command:
    """Add the options of a rental, without the workload."""
    for option in reversed(
        (
            how_options,
            constraint_options,
            _market,
            click.option(
                "--job",
                "name",
                metavar="NAME",
                help="Name of the job; its rentals share a budget. Default: a new one.",
            ),
            click.option(
                "--max-epoch-cost",
                "max_epoch_usd",
                type=float,
                callback=above_zero,
                metavar="USD",
                help="Highest cost per epoch.",
            ),
            click.option(
                "--deadline",
                "deadline_s",
                callback=duration_s,
                metavar="TIME",
                help="Longest time for the whole job, such as 24h or 3d.",
            ),
            click.option(
                "--budget",
                "budget_usd",
                type=float,
                callback=above_zero,
                metavar="USD",
                help="Highest cost of the job, all its rentals together.",
            ),
            click.option(
                "--day-budget",
                "day_budget_usd",
                type=float,
                callback=above_zero,
                metavar="USD",
                help="Highest cost per day (UTC) of all rentals of the account.",
            ),
            click.option(
                "--max-lifetime",
                "max_lifetime_s",
                callback=duration_s,
                metavar="TIME",
                help="The machine ends itself after this time, such as 12h or 3d. "
                "Default: from the predicted time, at most max_lifetime_h of "
                "advisor.toml.",
            ),
            click.option(
                "--attempts",
                type=click.IntRange(1, MOST_ATTEMPTS),
                help=f"Number of offers to try. Default: {DEFAULT_ATTEMPTS}.",
            ),
            click.option(
                "--start-timeout",
                "start_timeout_s",
                callback=duration_s,
                metavar="TIME",
                help="Longest wait until the machine is ready. Default: from the speed "
                "of its network.",
            ),
            click.option("--yes", is_flag=True, help="Do not ask before paying."),
        )
    ):
        command = option(command)
    return command


def verify_option(default: str) -> Callable[[Command], Command]:
    """Return what adds ``--verify`` and ``--no-verify``.

    Parameters
    ----------
    default : which machines are measured where neither is given
    """
    return click.option(
        "--verify/--no-verify",
        default=None,
        help="Measure each machine before it is used, and give a slow one back. "
        f"Default: {default}.",
    )


def rent_spec(options: Mapping[str, Any]) -> RentSpec:
    """Return what the options of `rental_options` ask for.

    Raises
    ------
    UsageError
        if it cannot be
    """
    job, offers = job_spec(options), constraints(options)
    given = fields_of(RentSpec, options)
    given["verify"] = options["verify"]  # False is given, too
    return RentSpec(job=job, offers=offers, **given)


class Terminal(Listener):
    """Who sits before the terminal.

    Parameters
    ----------
    yes : nobody is asked before a payment
    """

    def __init__(self, *, yes: bool) -> None:
        self._yes = yes

    def confirms(self, candidate: RankedOffer, ends_at: float) -> bool:
        """Ask whether an offer may be paid for."""
        if self._yes:
            return True
        with window():
            return click.confirm(payment(candidate, ends_at), err=True)

    def allows(self, reason: str, question: str) -> bool:
        """Ask on a terminal; refuse elsewhere."""
        if not has_terminal():
            raise UsageError(reason)
        remark(reason)
        return click.confirm(question, err=True)

    def resuming(self, name: str) -> str:
        """Return the command line that goes on with a job."""
        return shlex.join(["advisor", "run", "--resume", name, *["--yes"] * self._yes])


def need_confirmation(*, yes: bool) -> None:
    """Refuse to rent where somebody is to be asked first, and nobody is there.

    Raises
    ------
    UsageError
        if stdin is no terminal
    """
    if not yes:
        need_terminal("rent")


def need_terminal(verb: str) -> None:
    """Refuse to ask where nobody is there to be asked.

    Raises
    ------
    UsageError
        if stdin is no terminal
    """
    if not has_terminal():
        message = f"no terminal to ask on: say --yes to {verb} without being asked"
        raise UsageError(message)


def has_terminal() -> bool:
    """Say whether somebody is there to be asked."""
    return sys.stdin is not None and sys.stdin.isatty()
