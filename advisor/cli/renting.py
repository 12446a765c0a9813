"""What `rent` and `run` share: their options, and what follows from them."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, TypeVar

import click

from advisor.choice import Choice
from advisor.cli.environment import Environment
from advisor.cli.job_options import constraint_options, job_options
from advisor.cli.options import above_zero, duration_s
from advisor.cli.output import remark
from advisor.cli.session import Constraints, JobOptions, with_kept_data
from advisor.cost.job import Job
from advisor.cost.terms import SECONDS_PER_HOUR
from advisor.errors import UsageError
from advisor.market.filters import Filters
from advisor.market.lifecycle import Instance
from advisor.market.registry import rentable
from advisor.market.types import Answer
from advisor.ranking import Ranking, load_tables, rank
from advisor.rental.candidate import Candidate
from advisor.rental.caps import Caps
from advisor.rental.desk import Desk, open_desk
from advisor.rental.interrupts import window
from advisor.rental.labels import check_job, job_of
from advisor.rental.misfits import misfits_of
from advisor.rental.preflight import check_lifetime, check_programs, check_room
from advisor.rental.probe import probe
from advisor.rental.request import DEFAULT_ATTEMPTS, MOST_ATTEMPTS, RentRequest
from advisor.rental.ssh import Ssh, ensure_key
from advisor.rental.watchdog import onstart_script
from advisor.report.rental import stamp
from advisor.software.misfit import Symptom
from advisor.software.reference import Reference

Command = TypeVar("Command", bound=Callable[..., Any])

DEFAULT_MARKET = "vast"


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
    for option in reversed(
        (
            job_options,
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
                type=float,
                callback=above_zero,
                metavar="USD",
                help="What an epoch may cost.",
            ),
            click.option(
                "--deadline",
                callback=duration_s,
                metavar="TIME",
                help="The whole job within 24h, 3d.",
            ),
            click.option(
                "--budget",
                type=float,
                callback=above_zero,
                metavar="USD",
                help="Most that the job may cost, all its rentals together.",
            ),
            click.option(
                "--day-budget",
                type=float,
                callback=above_zero,
                metavar="USD",
                help="Most that all rentals of the account may cost in a day (UTC).",
            ),
            click.option(
                "--max-lifetime",
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
                callback=duration_s,
                metavar="TIME",
                help="Time to be ready. Default: by its network.",
            ),
            click.option("--yes", is_flag=True, help="Do not ask before paying."),
        )
    ):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class RentOptions:
    """The options of a rental as the command line has them (see `rent_options`)."""

    market: str
    name: str | None
    max_epoch_cost: float | None
    deadline: float | None
    budget: float | None
    day_budget: float | None
    max_lifetime: float | None
    attempts: int
    start_timeout: float | None
    yes: bool

    @classmethod
    def taken_from(cls, options: dict[str, Any]) -> Self:
        """Take click's options of the rental out of all."""
        return cls(**{name: options.pop(name) for name in cls.__dataclass_fields__})


@dataclass(frozen=True, slots=True)
class Plan:
    """A rental that is thought through.

    Attributes
    ----------
    desk : where it is made
    request : what is rented
    job : what it is for
    key_file : private ssh key that the machine lets in
    """

    desk: Desk
    request: RentRequest
    job: Job
    key_file: Path


def open_rental_desk(environment: Environment, market: str) -> Desk:
    """Return the desk of the user's account on a market.

    Raises
    ------
    UsageError
        if nothing can be rented there
    """
    opened = rentable(environment.open_market(market))
    return open_desk(opened, environment.data_folder, environment.clock, remark)


def plan(
    environment: Environment,
    options: Mapping[str, Any],
    *,
    wait_for_ssh: bool,
    heartbeat_s: float | None,
    goes_on: bool = False,
) -> Plan:
    """Return what the options of `rent_options` ask for.

    Parameters
    ----------
    wait_for_ssh : the machine is ready when ssh answers, not when it runs
    heartbeat_s : the machine ends itself if no launcher is heard for so many seconds;
        None: it need not hear any
    goes_on : a job is resumed: what it has met still holds
    """
    left = dict(options)
    asked = RentOptions.taken_from(left)
    check_options(environment, options)
    job = JobOptions.taken_from(left).job(environment)
    if job.rental == "reserved":
        message = (
            "--reserved: a reservation is paid ahead, which is not done for you: use "
            "--on-demand"
        )
        raise UsageError(message)
    # The market rents whole gigabytes; the price is that of what is rented.
    job = replace(job, disk_gb=float(math.ceil(job.disk_gb)))
    constraints = Constraints.from_options(left, job.rental)
    tables = load_tables(environment.models)
    settings = environment.settings
    caps = Caps(
        asked.budget or settings.job_budget_usd,
        asked.day_budget or settings.day_budget_usd,
    )
    choice = Choice(
        deadline_h=None if asked.deadline is None else asked.deadline / SECONDS_PER_HOUR,
        budget_usd=caps.job_usd,
        max_epoch_usd=asked.max_epoch_cost,
        max_usd_per_hour=constraints.unlisted_max_price,
    )

    listed: Filters | None = None

    def ranked(answer: Answer) -> Ranking:
        nonlocal listed
        if listed is None:
            constraints.remark_on_gpus(tables.gpus, answer.records)
        # One offer that is looked at again does not tell which names there are.
        if listed is None or len(answer.records) > 1:
            listed = constraints.filters(tables.gpus, answer.records)
        known, kept = with_kept_data(environment, answer, job, listed)
        return rank(answer.records, known, tables, kept, choice)

    desk = open_rental_desk(environment, asked.market)
    key_file, public_key = ensure_key(environment.data_folder / "ssh")
    own_release = desk.market.self_release("$CONTAINER_ID")

    def onstart(ends_at: float) -> str:
        return onstart_script(
            own_release,
            now=desk.now(),
            ends_at=ends_at,
            heartbeat_s=heartbeat_s,
            public_key=public_key,
        )

    def answers(instance: Instance) -> bool:
        return ssh_to(environment, key_file, instance).answers()

    def probed(instance: Instance, num_gpus: int) -> Symptom | None:
        return probe(ssh_to(environment, key_file, instance), num_gpus).symptom

    name = asked.name or job_of(job.workload.name)
    request = RentRequest(
        job=name,
        query=constraints.query(tables.gpus, job.disk_gb),
        rank=ranked,
        disk_gb=job.disk_gb,
        onstart=onstart,
        caps=caps,
        misfits=misfits_of(desk, name, begins=not goes_on),
        lifetime_s=asked.max_lifetime,
        attempts=asked.attempts,
        start_timeout_s=asked.start_timeout,
        answers=answers if wait_for_ssh else None,
        probe=probed if wait_for_ssh else None,
        interruptible=job.rental == "interruptible",
    )
    return Plan(desk, request, job, key_file)


def check_options(environment: Environment, options: Mapping[str, Any]) -> None:
    """Refuse what would show only once a machine is paid for.

    Raises
    ------
    AdvisorError
        if no rental can be made so, or not from this machine
    """
    if options["name"] is not None:
        check_job(options["name"])
    if options["image"] is not None:
        Reference.parse(options["image"])
    lifetime, timeout = options["max_lifetime"], options["start_timeout"]
    check_lifetime(lifetime)
    if lifetime is not None and timeout is not None and timeout >= lifetime:
        message = "--start-timeout is no shorter than --max-lifetime: nothing could run"
        raise UsageError(message)
    check_programs("ssh", "ssh-keygen")
    check_room(environment.data_folder)


def ssh_to(environment: Environment, key_file: Path, instance: Instance) -> Ssh:
    """Return the ssh connection to an instance; each has known hosts of its own.

    Under its label: two markets may give two machines one id.
    """
    name = instance.label.replace(":", "+")
    known_hosts = environment.data_folder / "known_hosts" / name
    return Ssh(instance.ssh, key_file, known_hosts, environment.clock)


def confirmation(*, yes: bool) -> Callable[[Candidate, float], bool] | None:
    """Return what asks before each payment; None where nobody need be asked.

    Raises
    ------
    UsageError
        if nobody is there to be asked
    """
    if yes:
        return None
    need_terminal("rent")

    def ask(candidate: Candidate, ends_at: float) -> bool:
        bill, at = candidate.ranking.bill, candidate.at
        question = (
            f"rent offer {candidate.offer_id}, {candidate.name}, for "
            f"${candidate.usd_per_hour:.3f}/h until {stamp(ends_at)} at the latest? "
            f"(the job: about ${bill.job_usd[at]:.2f} and {bill.job_hours[at]:.3g} h)"
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
