"""What `rent` and `run` share: their options, and the spec that these ask for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from advisor.app.rent import DEFAULT_MARKET, RentSpec
from advisor.base.errors import UsageError
from advisor.base.interrupts import window
from advisor.cli.job_options import constraint_options, how_options
from advisor.cli.options import above_zero, duration_s, workload_option
from advisor.cli.specs import as_options, constraints, fields_of, job_spec
from advisor.ranking.offer import RankedOffer
from advisor.rental.request import DEFAULT_ATTEMPTS, MOST_ATTEMPTS
from advisor.report.rental import stamp

Command = TypeVar("Command", bound=Callable[..., Any])


def market_option(command: Command) -> Command:
    """Add ``--market``, where machines are rented."""
    return click.option(
        "--market",
        default=DEFAULT_MARKET,
        show_default=True,
        metavar="NAME",
        help="Where to rent.",
    )(command)


def rent_options(command: Command) -> Command:
    """Add the options of a rental."""
    return workload_option(rental_options(command))


def rental_options(command: Command) -> Command:
    """Add those of `rent_options` that say how, without the workload."""
    for option in reversed(
        (
            how_options,
            constraint_options,
            market_option,
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
                help="What an epoch may cost.",
            ),
            click.option(
                "--deadline",
                "deadline_s",
                callback=duration_s,
                metavar="TIME",
                help="The whole job within 24h, 3d.",
            ),
            click.option(
                "--budget",
                "budget_usd",
                type=float,
                callback=above_zero,
                metavar="USD",
                help="Most that the job may cost, all its rentals together.",
            ),
            click.option(
                "--day-budget",
                "day_budget_usd",
                type=float,
                callback=above_zero,
                metavar="USD",
                help="Most that all rentals of the account may cost in a day (UTC).",
            ),
            click.option(
                "--max-lifetime",
                "max_lifetime_s",
                callback=duration_s,
                metavar="TIME",
                help="Gone after 12h, 3d at the latest. Default: by the predicted time.",
            ),
            click.option(
                "--attempts",
                type=click.IntRange(1, MOST_ATTEMPTS),
                default=DEFAULT_ATTEMPTS,
                show_default=True,
                help="Offers to try.",
            ),
            click.option(
                "--start-timeout",
                "start_timeout_s",
                callback=duration_s,
                metavar="TIME",
                help="Time to be ready. Default: by its network.",
            ),
            click.option("--yes", is_flag=True, help="Do not ask before paying."),
        )
    ):
        command = option(command)
    return command


def rent_spec(options: Mapping[str, Any]) -> RentSpec:
    """Return what the options of `rent_options` ask for.

    Raises
    ------
    UsageError
        if it cannot be
    """
    job, offers = job_spec(options), constraints(options)
    with as_options():
        return RentSpec(job=job, offers=offers, **fields_of(RentSpec, options))


def confirmation(*, yes: bool) -> Callable[[RankedOffer, float], bool] | None:
    """Return what asks before each payment; None where nobody need be asked.

    Raises
    ------
    UsageError
        if nobody is there to be asked
    """
    if yes:
        return None
    need_terminal("rent")

    def ask(candidate: RankedOffer, ends_at: float) -> bool:
        question = (
            f"rent offer {candidate.offer_id}, {candidate.name}, for "
            f"${candidate.price_usd_per_h:.3f}/h until {stamp(ends_at)} at the latest? "
            f"(the job: about ${candidate.job_usd:.2f} and {candidate.job_h:.3g} h)"
        )
        with window():
            return click.confirm(question, err=True)

    return ask


def need_terminal(verb: str) -> None:
    """Refuse to ask where nobody is there to be asked.

    Raises
    ------
    UsageError
        if stdin is no terminal
    """
    if not (sys.stdin is not None and sys.stdin.isatty()):
        message = f"no terminal to ask on: say --yes to {verb} without being asked"
        raise UsageError(message)
