"""The offers of a market in the order of what a completed epoch costs on them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from advisor.app.constraints import Constraints
from advisor.app.context import Context
from advisor.app.given import job_of, offers_of, profile_of, world_of
from advisor.app.job import JobSpec
from advisor.app.markets import MAX_AGE_S, answer_of
from advisor.app.own_data import with_stored_data
from advisor.app.settle import settle
from advisor.base.errors import ArgumentError, Given
from advisor.base.progress import doing
from advisor.base.units import SECONDS_PER_HOUR
from advisor.cost.job import Job
from advisor.cost.job import Rental as RentalKind
from advisor.market.filters import Filters
from advisor.market.types import Answer, Market, Query
from advisor.ranking import rank as ranking_of
from advisor.ranking.policy import COST_KEYS, SORT_KEYS, Policy, SortKey
from advisor.ranking.ranking import Ranking
from advisor.rental import arguments
from advisor.throughput.tables import Tables, load_tables
from advisor.workloads.profile import Workload


@dataclass(frozen=True, slots=True)
class RankSpec:
    """A ranking, as it is asked for.

    Attributes
    ----------
    job : what is trained
    offers : which offers will do
    sort : what the order goes by, see `advisor.ranking.policy.SortKey`
    risk_averse : order by this quantile of the cost, between 0 and 1; None: by its
        expectation
    deadline_s : seconds that the whole job may take, predicted
    budget_usd : what the whole job may cost, $
    pareto : leave out what another offer beats on both cost and time
    top : how many of the best are asked for; None: all

    Raises
    ------
    UsageError
        if a value cannot be right, or two contradict each other
    """

    job: JobSpec
    offers: Constraints = field(default_factory=Constraints)
    sort: SortKey = "epoch-cost"
    risk_averse: float | None = None
    deadline_s: float | None = None
    budget_usd: float | None = None
    pareto: bool = False
    top: int | None = None

    def __post_init__(self) -> None:
        """Check all of it."""
        settle(self, arguments.one_of, "sort", known=SORT_KEYS)
        settle(self, _quantile, "risk_averse")
        settle(self, arguments.above_zero, "deadline_s", unit="seconds", may_lack=True)
        settle(self, arguments.above_zero, "budget_usd", unit="dollars", may_lack=True)
        settle(self, arguments.flag, "pareto")
        settle(self, arguments.whole, "top", may_lack=True)
        if self.risk_averse is not None and self.sort not in COST_KEYS:
            raise ArgumentError(
                *(Given("risk_averse"), " orders by a quantile of the cost, "),
                *(Given("sort"), f" {self.sort} does not"),
            )

    @property
    def policy(self) -> Policy:
        """How the user chooses among offers."""
        deadline = self.deadline_s
        return Policy(
            sort=self.sort,
            risk_averse=self.risk_averse,
            deadline_h=None if deadline is None else deadline / SECONDS_PER_HOUR,
            budget_usd=self.budget_usd,
            max_usd_per_hour=self.offers.max_usd_per_hour,
            pareto=self.pareto,
        )


@dataclass(frozen=True, slots=True)
class Ranker:
    """Ranks what a market answers: the whole answer, or what has come of it.

    Attributes
    ----------
    context : the outside world
    offers : which offers will do
    policy : how the user chooses among them
    job : what is trained, in figures
    tables : hardware tables and throughput model
    top : how many of the best are asked for; None: all
    """

    context: Context
    offers: Constraints
    policy: Policy
    job: Job
    tables: Tables
    top: int | None = None

    @classmethod
    def of(
        cls, context: Context, spec: RankSpec, workload: Workload | None = None
    ) -> Self:
        """Prepare a ranking.

        Parameters
        ----------
        workload : the profile that the spec names; None: it is looked up

        Raises
        ------
        UsageError
            if there is no such profile, or a figure is no such
        """
        job = spec.job.job(context, workload)
        tables = load_tables(context.models)
        return cls(context, spec.offers, spec.policy, job, tables, spec.top)

    @property
    def query(self) -> Query:
        """What the market is asked."""
        return self.offers.query(self.tables.gpus, self.job.disk_gb, self.job.rental)

    def notify_slips(self, answer: Answer) -> None:
        """Notify the user where a condition names a GPU that nobody knows."""
        for slip in self.offers.slips(self.tables.gpus, answer.records):
            self.context.notify(slip)

    def filters(self, answer: Answer) -> Filters:
        """Return what each offer of an answer is checked for.

        Raises
        ------
        UsageError
            if a GPU or a field is neither known nor among the offers
        """
        return self.offers.filters(self.tables.gpus, answer.records, self.job.rental)

    def rank(self, answer: Answer, filters: Filters | None = None) -> Ranking:
        """Rank an answer, with what the user has stored of the workload and the market.

        Parameters
        ----------
        filters : what each offer is checked for; None: what `filters` returns
        """
        return self.rank_with_filters(answer, filters)[0]

    def rank_with_filters(
        self, answer: Answer, filters: Filters | None = None
    ) -> tuple[Ranking, Filters]:
        """Return a ranking, and what every offer in it meets; as `rank` does."""
        filters = filters or self.filters(answer)
        job, filters = with_stored_data(self.context, answer, self.job, filters)
        with doing(self.context.progress, f"ranking {len(answer.records):,} offers"):
            found = ranking_of.rank(
                answer.records, job, self.tables, filters, self.policy, top=self.top
            )
        found = replace(found, source=replace(answer, records=(), bodies=()))
        return (found if self.top is None else found[: self.top]), filters


def rank(
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
    sort: SortKey = "epoch-cost",
    risk_averse: float | None = None,
    deadline_s: float | None = None,
    budget_usd: float | None = None,
    pareto: bool = False,
    top: int | None = None,
    max_age_s: float = MAX_AGE_S,
    stale_ok: bool = False,
    context: Context | None = None,
) -> Ranking:
    """Rank the offers of a market by what a completed epoch of a training costs.

    Parameters
    ----------
    workload : name of a profile (of the project, the user, or built in), path of one, or
        a profile
    market : ``"vast"``, ``"sample"``, another plug-in's name, the path of a saved
        answer, or what `open_market` or `fetch` returns; None: vast with a key, else the
        sample
    settings : figures of the profile to replace, such as ``{"batch_size": 64}``
    epochs, disk_gb : of the job; None: the profile's, and what the job needs, GB
    rental : ``"on-demand"``, ``"interruptible"`` (at the best bid) or ``"reserved"``
    fit_batch : take the largest batch that each GPU holds, not the workload's
    memory_margin : share of a GPU's memory that is to be left free, 0 to 0.9
    assumptions : figures of the cost model that replace its own
    image : Docker image; None: chosen by card and driver
    gpus, exclude_gpus : GPUs or families that will do, and that will not; `gpus` empty:
        any
    num_gpus : numbers of GPUs that will do; empty: any
    min_reliability : least reliability, 0 to 1
    max_usd_per_hour : highest price with the disk that the job needs, $/h
    regions : regions, countries or states that will do; empty: any
    verified : True: only verified machines
    min_duration_s : seconds that the offer must still stand
    min_ram_gb, min_vram_gb : least memory of the host's share and of each GPU, GB
    datacenter : only machines in data centers
    where : conditions in the market's query language, such as
        ``"cuda_max_good>=12.8 geolocation notin [CN,VN]"``; of several all must hold
    sort : what the order goes by: ``"epoch-cost"``, ``"balanced"`` (the same with what
        waiting is worth), ``"epoch-time"`` or ``"price"``
    risk_averse : order by this quantile of the cost, between 0 and 1; None: by its
        expectation
    deadline_s, budget_usd : what the whole job may take, from rent to last checkpoint at
        home, seconds, and cost, $
    pareto : leave out what another offer beats on both cost and time
    top : how many of the best are asked for; None: all
    max_age_s : how old a stored answer of a live market may be, seconds
    stale_ok : take the newest stored answer when the market's limit is reached
    context : the outside world; None: this process's

    Returns
    -------
    Ranking
        A sequence of `RankedOffer`, the best first; empty, with the reasons in
        `excluded`, where nothing fits. Its `best` raises then.

    Raises
    ------
    advisor.base.errors.UsageError
        if an argument cannot be right, or there is no such workload, GPU or market
    advisor.base.errors.MarketError
        if the market cannot be asked

    Examples
    --------
    >>> import advisor
    >>> ranking = advisor.rank(
    ...     "resnet50", market="sample", gpus=["RTX 4090"], where="cpu_ram>=48"
    ... )
    >>> best = ranking[0]
    >>> best.gpu_name, best.rank
    ('RTX 4090', 1)
    >>> best.cost_usd_per_epoch_low < best.cost_usd_per_epoch
    True
    >>> len(ranking[:3])
    3
    >>> ranking.is_simulated
    True
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
        sort=sort,
        risk_averse=risk_averse,
        deadline_s=deadline_s,
        budget_usd=budget_usd,
        pareto=pareto,
        top=top,
    )
    context = world_of(context)
    ranker = Ranker.of(context, spec, profile_of(workload))
    answer = answer_of(
        context, market, ranker.query, max_age_s=max_age_s, stale_ok=stale_ok
    )
    ranker.notify_slips(answer)
    return ranker.rank(answer)


def _quantile(name: str, value: object) -> float | None:
    """Return a share that is neither nothing nor all."""
    share = arguments.share(name, value, may_lack=True)
    if share in {0.0, 1.0}:
        raise arguments.wrong(name, value, "a number between 0 and 1 is expected")
    return share
