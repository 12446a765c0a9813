"""What several commands do before their own work: load, plan, ask the market."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from advisor.cli.environment import Environment
from advisor.cost.assumptions import Assumptions, assumed_figures
from advisor.cost.job import Job, Rental, needed_disk_gb
from advisor.errors import UsageError
from advisor.hardware.gpus import GpuTable
from advisor.market.cache import AnswerCache
from advisor.market.filters import Filters, countries_of
from advisor.market.registry import search
from advisor.market.types import Answer, Query
from advisor.ranking import Ranking, load_tables, rank
from advisor.throughput.own_runs import OwnRun
from advisor.workloads.load import Library
from advisor.workloads.override import assigned, override


@dataclass(frozen=True, slots=True)
class JobOptions:
    """The job as the command line has it (see `job_options`)."""

    workload: str
    settings: tuple[str, ...]
    fit_batch: bool
    epochs: int | None
    disk: float | None
    rental: Rental
    assumed: tuple[str, ...]

    @classmethod
    def taken_from(cls, options: dict[str, Any]) -> Self:
        """Take click's options of the job out of all."""
        return cls(**{one.name: options.pop(one.name) for one in fields(cls)})

    def job(self, library: Library) -> Job:
        """Return the job, its profile of a library, with the user's own figures."""
        profile = override(library.load(self.workload), assigned(self.settings))
        assumptions = Assumptions().replaced(assumed_figures(self.assumed))
        return Job(
            profile,
            self.epochs or profile.epochs,
            self.disk or needed_disk_gb(profile, assumptions),
            self.rental,
            assumptions,
            self.fit_batch,
        )


@dataclass(frozen=True, slots=True)
class Constraints:
    """The constraints as the command line has them (see `constraint_options`)."""

    gpus: tuple[str, ...]
    num_gpus: tuple[int, ...]
    min_reliability: float | None
    max_price: float | None
    regions: tuple[str, ...]
    verified: bool | None
    min_duration: float | None
    rental: Rental

    @classmethod
    def from_options(
        cls, options: Mapping[str, Any], rental: Rental = "on-demand"
    ) -> Self:
        """Take click's options as they come."""
        return cls(**options, rental=rental)

    @property
    def listed_max_price(self) -> float | None:
        """The highest price, where it is the price that the market lists."""
        return self.max_price if self.rental == "on-demand" else None

    @property
    def unlisted_max_price(self) -> float | None:
        """The highest price, where the market does not list what is paid."""
        return None if self.rental == "on-demand" else self.max_price

    def query(self, gpus: GpuTable, disk_gb: float) -> Query:
        """Return what the market is asked."""
        return Query(
            gpu_names=self._market_names(gpus),
            num_gpus=self.num_gpus,
            min_reliability=self.min_reliability,
            max_usd_per_hour=self.listed_max_price,
            verified=self.verified or None,
            min_duration_s=self.min_duration,
            disk_gb=disk_gb,
        )

    def _market_names(self, gpus: GpuTable) -> tuple[str, ...]:
        """Return the market's spellings of the GPUs; none if one is in no table.

        Such a name may still be among the offers: then all are asked for.
        """
        try:
            return tuple(sorted(gpus.select(self.gpus, gpus.market_names())))
        except UsageError:
            return ()

    def filters(
        self,
        gpus: GpuTable,
        records: Iterable[Mapping[str, Any]],
    ) -> Filters:
        """Return what is checked again on each offer that came.

        The records are looked at only where GPUs are named.
        """
        names = None
        if self.gpus:
            told = {name for r in records if isinstance(name := r.get("gpu_name"), str)}
            names = gpus.select(self.gpus, told)
        return Filters(
            gpu_names=names,
            num_gpus=frozenset(self.num_gpus),
            min_reliability=self.min_reliability,
            max_usd_per_hour=self.listed_max_price,
            countries=countries_of(self.regions),
            verified=self.verified or None,
            min_duration_s=self.min_duration,
        )


def ask(
    environment: Environment,
    market: str | None,
    query: Query,
    max_age_s: float,
    stale_ok: bool,
) -> Answer:
    """Ask the market that the user named, else the default one."""
    opened = environment.open_market(market)
    cache = AnswerCache(environment.cache_folder, environment.now)
    return search(opened, query, cache, max_age_s=max_age_s, stale_ok=stale_ok)


def own_runs(environment: Environment, workload: str) -> tuple[OwnRun, ...]:
    """Return the runs of a workload that the user recorded, see `cli.kept`."""
    if not environment.keeps_data:
        return ()
    from advisor.cli import kept  # noqa: PLC0415  (nothing is kept, mostly)

    return kept.own_runs(environment, workload)


def with_kept_data(
    environment: Environment, answer: Answer, job: Job, filters: Filters
) -> tuple[Job, Filters]:
    """Return job and filters with what the user's own file tells, see `cli.kept`."""
    if not environment.keeps_data:
        return job, filters
    from advisor.cli import kept  # noqa: PLC0415  (nothing is kept, mostly)

    return kept.with_kept_data(environment, answer, job, filters)


def rank_all(environment: Environment, options: dict[str, Any]) -> Ranking:
    """Rank everything that the market shows, as the options of job and market say."""
    job = JobOptions.taken_from(options).job(environment.library)
    answer = ask(
        environment,
        options["market"],
        Query(disk_gb=job.disk_gb),
        max_age_s=options["max_age"],
        stale_ok=options["stale_ok"],
    )
    tables = load_tables(environment.models)
    job, filters = with_kept_data(environment, answer, job, Filters())
    return rank(answer.records, job, tables, filters)
