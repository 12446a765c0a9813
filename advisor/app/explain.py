"""One offer of a market with all that is known of it, also where it is no choice."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from advisor.app.context import Context
from advisor.app.given import job_of, offers_of, profile_of, world_of
from advisor.app.markets import MAX_AGE_S, answer_of
from advisor.app.rank import Ranker, RankSpec
from advisor.base.errors import NothingFitsError
from advisor.cost.job import Rental as RentalKind
from advisor.market.columns import record_id
from advisor.market.filters import Filters, why_left_out
from advisor.market.types import Answer, Market, Query
from advisor.ranking.offer import RankedOffer
from advisor.ranking.ranking import Ranking
from advisor.workloads.profile import Workload


@dataclass(frozen=True, slots=True)
class Listing:
    """All that a market shows, ranked.

    Attributes
    ----------
    ranking : of the offers that meet the constraints
    answer : all offers
    filters : the constraints
    """

    ranking: Ranking
    answer: Answer
    filters: Filters

    @classmethod
    def of(cls, ranker: Ranker, ask: Callable[[Query], Answer]) -> Listing:
        """Ask a market for all offers, and rank them.

        For all, so that an offer that the constraints leave out can be told from one
        that is gone.

        Parameters
        ----------
        ranker : what is asked for
        ask : asks the market

        Raises
        ------
        advisor.base.errors.AdvisorError
            if the market cannot be asked, or what is asked for cannot be right
        """
        answer = ask(Query(disk_gb=ranker.job.disk_gb))
        ranker.notify_slips(answer)
        ranking, filters = ranker.rank_with_filters(answer)
        return cls(ranking, answer, filters)

    def find(self, offer_id: int) -> RankedOffer:
        """Return an offer that the job can run on.

        Raises
        ------
        advisor.base.errors.UsageError
            if there is no such offer
        advisor.base.errors.NothingFitsError
            if the constraints leave it out, or the job cannot run on it
        """
        if offer_id not in self.ranking.offers.offer_id:
            disk_gb = self.ranking.job.disk_gb
            for record in self.answer.records:
                if record_id(record) == offer_id and (
                    reasons := why_left_out(record, self.filters, disk_gb)
                ):
                    message = f"offer {offer_id} is left out: {', '.join(reasons)}"
                    raise NothingFitsError(message)
        return self.ranking.find(offer_id)


def explain(
    offer_id: int,
    workload: str | Workload,
    *,
    market: str | os.PathLike[str] | Market | Answer | None = None,
    settings: Mapping[str, object] | None = None,
    epochs: int | None = None,
    disk_gb: float | None = None,
    rental: RentalKind = "on-demand",
    fit_batch: bool = False,
    memory_margin: float = 0.0,
    assumptions: Mapping[str, float] | None = None,
    image: str | None = None,
    gpus: Sequence[str] = (),
    num_gpus: Sequence[int] = (),
    min_reliability: float | None = None,
    max_usd_per_hour: float | None = None,
    regions: Sequence[str] = (),
    verified: bool | None = None,
    min_duration_s: float | None = None,
    exclude_gpus: Sequence[str] = (),
    min_ram_gb: float | None = None,
    min_vram_gb: float | None = None,
    datacenter: bool = False,
    where: str | Sequence[str] = (),
    max_age_s: float = MAX_AGE_S,
    stale_ok: bool = False,
    context: Context | None = None,
) -> RankedOffer:
    """Look up one offer of a market: all its figures, and its rank among the others.

    Parameters
    ----------
    offer_id : the market's id, as `RankedOffer.offer_id` has it
    workload, market, settings, epochs, disk_gb, rental, fit_batch, memory_margin, \
assumptions, image : see `rank`
    gpus, num_gpus, min_reliability, max_usd_per_hour, regions, verified, \
min_duration_s, exclude_gpus, min_ram_gb, min_vram_gb, datacenter, where : what the \
offers must have among which it is ranked, see `rank`
    max_age_s, stale_ok, context : see `rank`

    Returns
    -------
    RankedOffer
        Also of an offer that is no choice, since another one on its GPUs is better; its
        `rank` is None then. `cost_lines` has what it is billed line by line, `advice`
        what holds the machine back and what would help, `effects` what each assumption
        changes of the cost, `bids` what each bid would cost.

    Raises
    ------
    advisor.base.errors.UsageError
        if an argument cannot be right, or there is no such offer
    advisor.base.errors.NothingFitsError
        if the constraints leave it out, or the job cannot run on it
    advisor.base.errors.MarketError
        if the market cannot be asked

    Examples
    --------
    >>> import advisor
    >>> best = advisor.rank("resnet50", market="sample")[0]
    >>> offer = advisor.explain(best.offer_id, "resnet50", market="sample")
    >>> lines = {line.name: line.usd for line in offer.cost_lines()}
    >>> max(lines, key=lines.get)
    'training'
    >>> round(sum(lines.values()) / offer.job_usd, 6)
    1.0
    """
    spec = RankSpec(
        job=job_of(
            workload,
            settings=settings,
            epochs=epochs,
            disk_gb=disk_gb,
            rental=rental,
            fit_batch=fit_batch,
            memory_margin=memory_margin,
            assumptions=assumptions,
            image=image,
        ),
        offers=offers_of(
            gpus=gpus,
            num_gpus=num_gpus,
            min_reliability=min_reliability,
            max_usd_per_hour=max_usd_per_hour,
            regions=regions,
            verified=verified,
            min_duration_s=min_duration_s,
            exclude_gpus=exclude_gpus,
            min_ram_gb=min_ram_gb,
            min_vram_gb=min_vram_gb,
            datacenter=datacenter,
            where=where,
        ),
    )
    context = world_of(context)

    def ask(query: Query) -> Answer:
        return answer_of(context, market, query, max_age_s=max_age_s, stale_ok=stale_ok)

    ranker = Ranker.of(context, spec, profile_of(workload))
    return Listing.of(ranker, ask).find(offer_id)
