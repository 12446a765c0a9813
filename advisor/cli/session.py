"""What several commands do before their own work: load, plan, ask the market."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NoReturn, Self

from advisor.choice import Choice
from advisor.cli.environment import Environment
from advisor.cli.output import remark, remark_once
from advisor.cli.progress import ShowFirst, progress
from advisor.cost.assumptions import Assumptions, assumed_figures
from advisor.cost.job import Job, Rental, needed_disk_gb
from advisor.errors import AdvisorError, NothingFitsError, UsageError
from advisor.hardware.gpus import GpuTable
from advisor.hardware.names import gpu_key
from advisor.market.cache import AnswerCache
from advisor.market.columns import record_id
from advisor.market.filters import (
    Filters,
    least_gpu_ram_mb,
    why_left_out,
)
from advisor.market.places import places_of
from advisor.market.registry import search
from advisor.market.types import Answer, Condition, Query, Record
from advisor.ranking import Ranking, find_offer, load_tables, rank
from advisor.throughput.own_runs import OwnRun
from advisor.workloads.override import assigned, override

_NOT_READ = "{}; no record, block or history counts meanwhile"
"""What is said of the user's own file where a command does without it."""

MB_PER_GB = 1000.0
"""Megabytes of host memory in a gigabyte, as the market counts."""


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
    image: str | None
    # A job that was kept before there was this goes on without it.
    memory_margin: float = 0.0

    @classmethod
    def taken_from(cls, options: dict[str, Any]) -> Self:
        """Take click's options of the job out of all."""
        names = [one.name for one in fields(cls) if one.name in options]
        return cls(**{name: options.pop(name) for name in names})

    def job(self, environment: Environment) -> Job:
        """Return the job, its profile with the user's own figures, and its images.

        Raises
        ------
        UsageError
            if a figure is no such, or two options say different things of one
        """
        figures = assigned(self.settings)
        if self.fit_batch and "batch_size" in figures:
            refuse_both("--fit-batch", "--set batch_size")
        if self.epochs is not None and "epochs" in figures:
            refuse_both("--epochs", "--set epochs")
        profile = override(environment.library.load(self.workload), figures)
        assumptions = Assumptions().replaced(assumed_figures(self.assumed))
        images = environment.images(self.image or "", profile)
        if not any(image.is_known for image in images):
            _say_unknown(images[0].name)
        return Job(
            profile,
            self.epochs or profile.epochs,
            self.disk or needed_disk_gb(profile, assumptions),
            self.rental,
            assumptions,
            self.fit_batch,
            images=images,
            memory_margin=self.memory_margin,
        )


def _say_unknown(image: str) -> None:
    """Say that it is unknown which cards run an image, and what would tell."""
    from advisor.software.rules import AUTOMATIC_TAG  # noqa: PLC0415  (of few images)

    asks = f"'advisor image {image}' asks its registry, "
    remark(
        f"which cards run {image} is unknown: "
        f"{'' if image.endswith(AUTOMATIC_TAG) else asks}image_cuda and image_archs in "
        "the profile or in advisor.toml declare it"
    )


def refuse_both(one: str, other: str) -> NoReturn:
    """Refuse two options that say different things of one figure.

    Raises
    ------
    UsageError
        always
    """
    message = f"{one} and {other} contradict each other: leave one out"
    raise UsageError(message)


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
    # A job that was kept before there were these goes on without them.
    exclude_gpus: tuple[str, ...] = ()
    min_ram: float | None = None
    min_vram: float | None = None
    datacenter: bool = False
    where: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse contradictions, and what is no place or no query, at once."""
        if {*map(gpu_key, self.gpus)} & {*map(gpu_key, self.exclude_gpus)}:
            refuse_both("--gpu", "--exclude-gpu of the same GPU")
        places_of(self.regions)
        if self.where:
            from advisor.market.where import parse_where  # noqa: PLC0415  (start-up)

            parse_where(self.where)

    @classmethod
    def from_options(
        cls, options: Mapping[str, Any], rental: Rental = "on-demand"
    ) -> Self:
        """Take click's options as they come."""
        return cls(**options, rental=rental)

    @classmethod
    def taken_from(cls, options: dict[str, Any], rental: Rental) -> Self:
        """Take click's options of the constraints out of all."""
        names = {one.name for one in fields(cls)} & options.keys()
        return cls.from_options({name: options.pop(name) for name in names}, rental)

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
            gpu_names=_market_names(gpus, self.gpus),
            num_gpus=self.num_gpus,
            min_reliability=self.min_reliability,
            max_usd_per_hour=self.listed_max_price,
            verified=self.verified or None,
            min_duration_s=self.min_duration,
            disk_gb=disk_gb,
            conditions=(*self._where(gpus), *self._short_forms(gpus)),
        )

    def _where(
        self, gpus: GpuTable, records: Sequence[Record] | None = None
    ) -> tuple[Condition, ...]:
        """Return the conditions; with `records` of fields that are known there."""
        if not self.where:
            return ()
        from advisor.market.where import (  # noqa: PLC0415  (start-up)
            check_fields,
            parse_where,
            spelled,
        )

        conditions = parse_where(self.where)
        if records is not None:
            check_fields(conditions, records)
        return spelled(conditions, gpus.market_names())

    def remark_on_gpus(self, gpus: GpuTable, records: Sequence[Record]) -> None:
        """Say where a condition names a GPU by a name that no offer and no table has.

        The language compares whole names, so that a slip leaves out all or nothing.
        """
        conditions = [one for one in self._where(gpus) if one.field == "gpu_name"]
        if not conditions:
            return
        from advisor.market.reading import reader_of  # noqa: PLC0415  (start-up)
        from advisor.market.values import renamed  # noqa: PLC0415
        from advisor.market.where import unlisted_gpus  # noqa: PLC0415

        read = reader_of("gpu_name")
        names = {read(renamed(one)) for one in records if isinstance(one, Mapping)}
        listed = {name for name in names if isinstance(name, str)}
        for name in unlisted_gpus(conditions, listed):
            near = [one.replace(" ", "_") for one in gpus.nearest(name, listed)]
            if name.replace(" ", "_") in near:  # it is known, and not for rent now
                continue
            hint = f"did you mean {', '.join(near)}?" if near else "see 'advisor gpus'"
            remark(f"where: no offer has gpu_name {name.replace(' ', '_')!r}: {hint}")

    def _short_forms(self, gpus: GpuTable) -> Iterator[Condition]:
        """Yield what the short options ask for as conditions that a market is sent."""
        if excluded := _market_names(gpus, self.exclude_gpus):
            yield Condition("gpu_name", "notin", excluded)
        if self.min_ram is not None:
            yield Condition("cpu_ram", "gte", self.min_ram * MB_PER_GB)
        if self.min_vram is not None:
            yield Condition("gpu_ram", "gte", least_gpu_ram_mb(self.min_vram))
        if self.datacenter:
            yield Condition("datacenter", "eq", True)

    def filters(
        self,
        gpus: GpuTable,
        records: Sequence[Record],
    ) -> Filters:
        """Return what is checked again on each offer that came.

        The records are looked at only where GPUs or fields are named.

        Raises
        ------
        UsageError
            if a GPU or a field is neither known nor among the offers
        """
        names = frozenset[str]()
        if self.gpus or self.exclude_gpus:
            names = frozenset(
                name for one in records if isinstance(name := one.get("gpu_name"), str)
            )
        places = places_of(self.regions)
        return Filters(
            gpu_names=gpus.select(self.gpus, names) if self.gpus else None,
            num_gpus=frozenset(self.num_gpus),
            min_reliability=self.min_reliability,
            max_usd_per_hour=self.listed_max_price,
            countries=places.countries,
            states=places.states,
            verified=self.verified or None,
            min_duration_s=self.min_duration,
            excluded_gpus=gpus.select(self.exclude_gpus, names),
            min_host_ram_mb=self.min_ram and self.min_ram * MB_PER_GB,
            min_gpu_ram_mb=self.min_vram and least_gpu_ram_mb(self.min_vram),
            datacenter=self.datacenter or None,
            where=self._where(gpus, records),
        )


def _market_names(gpus: GpuTable, asked: Sequence[str]) -> tuple[str, ...]:
    """Return the market's spellings of GPUs; none if one is in no table.

    Such a name may still be among the offers: then all are asked for.
    """
    try:
        return tuple(sorted(gpus.select(asked, gpus.market_names())))
    except UsageError:
        return ()


def ask(
    environment: Environment,
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
    opened = environment.open_market(market)
    cache = AnswerCache(environment.cache_folder, environment.now)
    with progress(getattr(opened, "origin", None), show_first) as watcher:
        return search(opened, query, cache, max_age_s, stale_ok=stale_ok, watcher=watcher)


def own_runs(environment: Environment, workload: str) -> tuple[OwnRun, ...]:
    """Return the runs of a workload that the user recorded, see `cli.kept`."""
    if not environment.keeps_data:
        return ()
    from advisor.cli import kept  # noqa: PLC0415  (nothing is kept, mostly)

    try:
        return kept.own_runs(environment, workload)
    except AdvisorError as error:
        remark_once(_NOT_READ.format(error))
        return ()


def with_kept_data(
    environment: Environment, answer: Answer, job: Job, filters: Filters
) -> tuple[Job, Filters]:
    """Return job and filters with what the user's own file tells, see `cli.kept`."""
    if not environment.keeps_data:
        return job, filters
    from advisor.cli import kept  # noqa: PLC0415  (nothing is kept, mostly)

    try:
        return kept.with_kept_data(environment, answer, job, filters)
    except AdvisorError as error:
        remark_once(_NOT_READ.format(error))
        return job, filters


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


def rank_all(environment: Environment, options: dict[str, Any]) -> Ranked:
    """Rank what the market shows, as the options of job, market and constraints say.

    The market is asked for all, so that an offer that the constraints leave out can be
    told from one that is gone.
    """
    job = JobOptions.taken_from(options).job(environment)
    asked = Constraints.taken_from(options, job.rental)
    answer = ask(
        environment,
        options["market"],
        Query(disk_gb=job.disk_gb),
        max_age_s=options["max_age"],
        stale_ok=options["stale_ok"],
    )
    tables = load_tables(environment.models)
    filters = asked.filters(tables.gpus, answer.records)
    asked.remark_on_gpus(tables.gpus, answer.records)
    job, filters = with_kept_data(environment, answer, job, filters)
    choice = Choice(max_usd_per_hour=asked.unlisted_max_price)
    ranking = rank(answer.records, job, tables, filters, choice)
    return Ranked(ranking, answer.records, filters)
