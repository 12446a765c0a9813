"""What the user's own file holds for a command: runs, fates of bids, blocked machines.

Apart from `own_data`, since who keeps nothing need not import it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from advisor.app.context import Context
from advisor.base.errors import ArgumentError, Given, UsageError
from advisor.base.log import happened
from advisor.base.progress import doing
from advisor.cost.hazard import BidHazard
from advisor.cost.job import Job
from advisor.hardware.measured import MeasuredMachine
from advisor.market.filters import Filters
from advisor.market.offers import parse_offers
from advisor.market.snapshot import FILE_MARKET
from advisor.market.types import Answer
from advisor.store.benches import measured_machines
from advisor.store.database import open_store
from advisor.store.history import StoredSnapshot, store_snapshot
from advisor.store.hosts import ids_of, rules
from advisor.store.listing_intervals import load_intervals
from advisor.store.market_statistics import bid_survival
from advisor.store.runs import recorded_runs
from advisor.throughput.user_runs import OtherRun, UserRun

_RECENT = timedelta(days=7)
"""How far back bids are followed: what lost a month ago says little of today."""

_CLOCK_SKEW = timedelta(minutes=5)
"""How far two clocks may differ."""


_MOST_OTHERS = 20
"""Runs of other workloads that count, the latest: what a set-up has of its own is known
by then, and each one more costs time."""


def user_runs(
    context: Context, workload: str
) -> tuple[tuple[UserRun, ...], tuple[OtherRun, ...]]:
    """Return the runs of a workload that the user recorded, and those of others.

    Also those that the user's own model was trained on: there they say how GPUs compare,
    as one source among others; here they calibrate the user's own set-up.
    """
    every = recorded_runs(context.data_folder)
    own = tuple(one for one in every if one.workload == workload)
    others = [one for one in every if one.workload != workload][-_MOST_OTHERS:]
    profiles = {}
    for name in {one.workload for one in others}:
        with suppress(UsageError):  # a profile that is gone says nothing of what ran
            profiles[name] = context.library.load(name)
    known = (one for one in others if one.workload in profiles)
    return own, tuple(OtherRun(one, profiles[one.workload]) for one in known)


def measured(context: Context) -> tuple[MeasuredMachine, ...]:
    """Return the machines that the user measured, the latest of them."""
    return measured_machines(context.data_folder)


def with_stored_data(
    context: Context, answer: Answer, job: Job, filters: Filters
) -> tuple[Job, Filters]:
    """Return job and filters with what the user's own file holds.

    That is what was measured of the workload; and of the market how often bids lose, and
    which machines are blocked. Of a simulated market it holds nothing.
    """
    own, others = user_runs(context, job.workload.name)
    job = replace(
        job,
        runs=own,
        other_runs=others,
        machines=measured(context),
        market="" if answer.simulated else answer.market,
    )
    if answer.simulated:
        return job, filters
    with open_store(context.data_folder) as connection:
        # A file that no market is named in may be of any.
        named = None if answer.market == FILE_MARKET else answer.market
        known = rules(connection, named)
        intervals = None
        if job.rental == "interruptible":
            since = context.now() - _RECENT
            intervals = load_intervals(connection, market=answer.market, since=since)
    happened("store", "%d runs of %s count", len(job.runs), job.workload.name)
    happened("store", "%d machines and hosts have rules", len(known))
    filters = replace(
        filters,
        blocked_machines=ids_of(known, "machine", blocked=True),
        blocked_hosts=ids_of(known, "host", blocked=True),
        allowed_machines=ids_of(known, "machine", blocked=False),
    )
    if intervals:
        exponent = job.assumptions.preemption_gpus_exponent
        seen = bid_survival(intervals, gpus_exponent=exponent)
        hazard = BidHazard.assumed(job.assumptions).updated(
            seen.ratios, seen.outbid + seen.gone, seen.exposure_hours
        )
        job = replace(job, bid_hazard=hazard)
    return job, filters


def store_answer(context: Context, answer: Answer) -> StoredSnapshot:
    """Add a market's answer to the user's record of it.

    Raises
    ------
    advisor.base.errors.UsageError
        if the answer is simulated, or nobody knows when it was given, or it is of the
        future
    """
    if answer.simulated:
        raise ArgumentError(
            Given("keep"), ": no such offers exist: prices of a simulated market"
        )
    if answer.fetched_at is None:
        raise ArgumentError(Given("keep"), ": the file does not say when it was fetched")
    if answer.fetched_at > context.now() + _CLOCK_SKEW:
        raise ArgumentError(
            Given("keep"), ": the snapshot is dated in the future: check the clocks"
        )
    told = doing(context.progress, "storing the offers")
    with told, open_store(context.data_folder) as connection:
        offers, _ = parse_offers(answer.records)
        return store_snapshot(
            connection,
            offers,
            market=answer.market,
            at=answer.fetched_at,
            whole=answer.complete is True,
        )
