"""What several commands do before their own work: load, plan, ask the market."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from advisor.app.constraints import Constraints
from advisor.app.context import Context
from advisor.app.own_data import with_kept_data
from advisor.base.errors import NothingFitsError, UsageError
from advisor.cli.progress import ShowFirst, progress
from advisor.cli.specs import constraints, job_spec
from advisor.hardware.gpus import GpuTable
from advisor.market.cache import AnswerCache
from advisor.market.columns import record_id
from advisor.market.filters import Filters, why_left_out
from advisor.market.registry import search
from advisor.market.types import Answer, Query, Record
from advisor.ranking.policy import Choice
from advisor.ranking.rank import Ranking, find_offer, load_tables, rank


def refuse_both(one: str, other: str) -> NoReturn:
    """Refuse two options that say different things of one figure.

    Raises
    ------
    UsageError
        always
    """
    message = f"{one} and {other} contradict each other: leave one out"
    raise UsageError(message)


def ask(
    context: Context,
    market: str | None,
    query: Query,
    max_age_s: float,
    stale_ok: bool,
    *,
    show_first: ShowFirst | None = None,
) -> Answer:
    """Ask the market that the user named, else the default one.

    Parameters
    ----------
    show_first : shows what has come on a terminal, where the rest takes a while
    """
    opened = context.open_market(market)
    cache = AnswerCache(context.cache_folder, context.now)
    with progress(getattr(opened, "origin", None), show_first) as watcher:
        return search(opened, query, cache, max_age_s, stale_ok=stale_ok, watcher=watcher)


@dataclass(frozen=True, slots=True)
class Ranked:
    """A ranking of what the market shows.

    Attributes
    ----------
    ranking : of the offers that meet the constraints
    records : of all offers
    filters : the constraints
    """

    ranking: Ranking
    records: Sequence[Record]
    filters: Filters

    def place_of(self, offer_id: int) -> int:
        """Return the position of an offer that the job can run on.

        Raises
        ------
        UsageError
            if there is no such offer
        NothingFitsError
            if the constraints leave it out, or the job cannot run on it
        """
        if offer_id not in self.ranking.offers.offer_id:
            disk_gb = self.ranking.job.disk_gb
            for record in self.records:
                if record_id(record) == offer_id and (
                    reasons := why_left_out(record, self.filters, disk_gb)
                ):
                    message = f"offer {offer_id} is left out: {', '.join(reasons)}"
                    raise NothingFitsError(message)
        return find_offer(self.ranking, offer_id)


def rank_all(context: Context, options: dict[str, Any]) -> Ranked:
    """Rank what the market shows, as the options of job, market and constraints say.

    The market is asked for all, so that an offer that the constraints leave out can be
    told from one that is gone.
    """
    job = job_spec(options).job(context)
    asked = constraints(options)
    answer = ask(
        context,
        options["market"],
        Query(disk_gb=job.disk_gb),
        max_age_s=options["max_age"],
        stale_ok=options["stale_ok"],
    )
    tables = load_tables(context.models)
    filters = asked.filters(tables.gpus, answer.records, job.rental)
    tell_slips(context, asked, tables.gpus, answer)
    job, filters = with_kept_data(context, answer, job, filters)
    choice = Choice(max_usd_per_hour=asked.unlisted_max_price(job.rental))
    ranking = rank(answer.records, job, tables, filters, choice)
    return Ranked(ranking, answer.records, filters)


def tell_slips(
    context: Context, asked: Constraints, gpus: GpuTable, answer: Answer
) -> None:
    """Say where a condition names a GPU that nobody knows."""
    for slip in asked.slips(gpus, answer.records):
        context.told(slip)
