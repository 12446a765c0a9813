"""What several commands do before their own work: load, plan, ask the market."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from advisor.cli.environment import Environment
from advisor.cost.bill import Job
from advisor.errors import UsageError
from advisor.hardware.gpus import GpuTable
from advisor.market.cache import AnswerCache
from advisor.market.filters import Filters, countries_of
from advisor.market.registry import default_market, open_market, search
from advisor.market.types import Answer, Query
from advisor.workloads.load import load_workload
from advisor.workloads.override import assigned, override


def plan_job(
    workload: str,
    epochs: int | None,
    disk_gb: float | None,
    settings: Iterable[str] = (),
) -> Job:
    """Return the job of a workload's name or file, with the user's own figures."""
    profile = override(load_workload(workload), assigned(settings))
    return Job(profile, epochs or profile.epochs, disk_gb or profile.disk_gb)


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

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Self:
        """Take click's options as they come."""
        return cls(**options)

    def query(self, gpus: GpuTable, disk_gb: float) -> Query:
        """Return what the market is asked."""
        return Query(
            gpu_names=self._market_names(gpus),
            num_gpus=self.num_gpus,
            min_reliability=self.min_reliability,
            max_usd_per_hour=self.max_price,
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

    def filters(self, gpus: GpuTable, records: Iterable[Mapping[str, Any]]) -> Filters:
        """Return what is checked again on each offer that came."""
        names = {name for r in records if isinstance(name := r.get("gpu_name"), str)}
        return Filters(
            gpu_names=gpus.select(self.gpus, names) if self.gpus else None,
            num_gpus=frozenset(self.num_gpus),
            min_reliability=self.min_reliability,
            max_usd_per_hour=self.max_price,
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
    name = market
    if name is None:
        name = default_market(environment.variables, environment.home)
    opened = open_market(
        name,
        environment.variables,
        environment.home,
        environment.transport,
        environment.now,
    )
    cache = AnswerCache(environment.cache_folder, environment.now)
    return search(opened, query, cache, max_age_s=max_age_s, stale_ok=stale_ok)
