"""Options that say how the user chooses among offers."""

from __future__ import annotations

import click

from advisor.cli.options import Command, above_zero, duration_s, no_nan, with_options
from advisor.ranking.policy import SORT_KEYS


def policy_options(command: Command) -> Command:
    """Add the limits of the whole job, and what the order goes by."""
    return with_options(
        command,
        click.option(
            "--deadline",
            "deadline_s",
            callback=duration_s,
            metavar="TIME",
            help="Longest time for the whole job, until the last checkpoint is copied "
            "back, such as 24h or 3d.",
        ),
        click.option(
            "--budget",
            "budget_usd",
            type=float,
            callback=above_zero,
            metavar="USD",
            help="Highest cost of the whole job.",
        ),
        click.option(
            "--pareto",
            is_flag=True,
            help="Only offers that no other beats on both cost and time.",
        ),
        click.option(
            "--risk-averse",
            type=click.FloatRange(0.0, 1.0, min_open=True, max_open=True),
            callback=no_nan,
            metavar="0..1",
            help="Order by this quantile of the cost, such as 0.9. Default: expected "
            "cost.",
        ),
        click.option(
            "--sort",
            type=click.Choice(SORT_KEYS),
            default="epoch-cost",
            show_default=True,
            help="Sort by cost per epoch, by cost per epoch plus the value of waiting "
            "(--assume waiting_usd_per_h=...), by time per epoch, or by price per hour.",
        ),
    )
