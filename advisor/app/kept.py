"""What the user's own store has beside a ranking: runs, rentals, past prices.

A page goes without what cannot be read, and says so once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from advisor.app.context import Context
from advisor.app.jobs import load_job
from advisor.base.errors import AdvisorError, UsageError
from advisor.market.snapshot import FILE_MARKET
from advisor.ranking.ranking import Ranking
from advisor.store.database import open_store
from advisor.store.entry import Entry
from advisor.store.ledger import Ledger
from advisor.store.listing_intervals import load_intervals
from advisor.store.market_statistics import PriceBucket, price_buckets
from advisor.store.runs import stored_runs
from advisor.throughput.expected import Expected, expected_of
from advisor.throughput.predict import epoch_hours_at
from advisor.throughput.user_runs import UserRun
from advisor.workloads.override import override

_MOST_RUNS = 200
"""The latest of them are compared: each takes a prediction of its own."""

_MOST_RENTALS = 200

_MOST_GPUS = 6
"""Kinds of GPU whose prices are shown, the best offers' first."""

_PRICES_SINCE = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """A run that was recorded, beside what is predicted of it without any run."""

    run: UserRun
    expected: Expected
    at: datetime


@dataclass(frozen=True, slots=True)
class KeptRental:
    """A rental of the ledger.

    Attributes
    ----------
    entry : of the ledger
    training_h : hours that all epochs of its job were predicted to train on it; None
        where nobody predicted any, and on machines that a job had before its last one
    """

    entry: Entry
    training_h: float | None


@dataclass(frozen=True, slots=True)
class Kept:
    """What the user's store has.

    Attributes
    ----------
    runs : recorded, the oldest first
    rentals : the latest, the oldest of them first
    prices : GPU in the market's spelling -> its prices by day
    """

    runs: Sequence[ComparedRun] = ()
    rentals: Sequence[KeptRental] = ()
    prices: Mapping[str, Sequence[PriceBucket]] = field(default_factory=dict)


def kept_of(context: Context, ranking: Ranking) -> Kept:
    """Return what the user's store has beside a ranking."""
    if not context.has_stored_data:
        return Kept()
    try:
        return Kept(
            runs=_runs(context, ranking),
            rentals=_rentals(context),
            prices=_prices(context, ranking),
        )
    except AdvisorError as error:
        context.notify_once(f"{error}; the page shows nothing of your own")
        return Kept()


def _runs(context: Context, ranking: Ranking) -> list[ComparedRun]:
    tables = ranking.tables
    with open_store(context.data_folder) as connection:
        stored = stored_runs(connection)[-_MOST_RUNS:]
    found = []
    for one in stored:
        with suppress(UsageError):  # a profile that is gone predicts nothing
            profile = context.library.load(one.run.workload)
            expected = expected_of(
                one.run,
                profile,
                profile,
                model=tables.model,
                gpus=tables.gpus,
                cpus=tables.cpus,
                known=tables.known,
            )
            found.append(ComparedRun(one.run, expected, one.at))
    return found


def _rentals(context: Context) -> list[KeptRental]:
    entries = Ledger(context.data_folder).entries()[-_MOST_RENTALS:]
    last = {entry.job: entry.label for entry in entries}
    return [
        KeptRental(
            entry,
            _training_h(context, entry.job) if last[entry.job] == entry.label else None,
        )
        for entry in entries
    ]


def _training_h(context: Context, name: str) -> float | None:
    """Return the hours that a job was predicted to train on the machine that has it."""
    try:
        job, spec = load_job(context.data_folder, name)
        profile = context.library.load(spec.rent.job.workload)
        profile = override(profile, dict(spec.rent.job.settings))
    except UsageError:  # rented without a command, or nobody knows what it was
        return None
    rate = job.predicted.get("samples_per_s")
    if rate is None:
        return None
    epochs = spec.rent.job.epochs or profile.epochs
    num_gpus = job.predicted["num_gpus"]
    return float(epochs * epoch_hours_at(np.array([rate]), profile, num_gpus)[0])


def _prices(context: Context, ranking: Ranking) -> dict[str, list[PriceBucket]]:
    source = ranking.source
    if source is None or source.simulated:  # nobody keeps prices of no market
        return {}
    market = None if source.market == FILE_MARKET else source.market
    names = ranking.offers.gpu_name[ranking.order].tolist()
    since = context.now() - _PRICES_SINCE
    found = {}
    with open_store(context.data_folder) as connection:
        for name in list(dict.fromkeys(names))[:_MOST_GPUS]:
            intervals = load_intervals(connection, {name}, market, since)
            if len(intervals):
                found[name] = price_buckets(intervals, "day")
    return found
