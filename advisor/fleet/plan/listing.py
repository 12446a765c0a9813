"""The machines that a market has for the jobs of a sweep."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from advisor.app.context import Context
from advisor.app.own_data import with_stored_data
from advisor.app.rank import Ranker
from advisor.app.sweep import SweepSpec
from advisor.base.columns import concat
from advisor.base.errors import NothingFitsError
from advisor.cost.job import Job
from advisor.fleet.plan.choices import Choices, choices_of
from advisor.fleet.plan.kinds import Kind
from advisor.market.filters import Filters, offers_meeting
from advisor.market.types import Answer, Query
from advisor.ranking.policy import Policy
from advisor.throughput.tables import Tables, load_tables


@dataclass(frozen=True, slots=True)
class Listing:
    """What is asked of a market for a sweep, and what its answer has.

    Attributes
    ----------
    context : the outside world
    spec : the sweep
    kinds : its jobs
    jobs : what each kind trains, in figures
    tables : hardware tables and throughput model
    """

    context: Context
    spec: SweepSpec
    kinds: tuple[Kind, ...]
    jobs: tuple[Job, ...]
    tables: Tables

    @classmethod
    def of(
        cls,
        context: Context,
        spec: SweepSpec,
        kinds: Sequence[Kind],
        more_gb: float = 0.0,
    ) -> Self:
        """Look up what the jobs train.

        Parameters
        ----------
        more_gb : disk that is rented beyond what one job needs

        Raises
        ------
        advisor.base.errors.UsageError
            if there is no such profile, or a figure is no such
        """
        jobs = [one.job.job(context) for one in kinds]
        # One disk for whatever runs there; the market rents whole gigabytes.
        disk_gb = float(np.ceil(max(one.disk_gb for one in jobs) + more_gb))
        jobs = [replace(one, disk_gb=disk_gb) for one in jobs]
        return cls(context, spec, tuple(kinds), tuple(jobs), load_tables(context.models))

    @property
    def query(self) -> Query:
        """What the market is asked."""
        return self._ranker.query

    @property
    def _ranker(self) -> Ranker:
        job = self.jobs[0]
        return Ranker(self.context, self.spec.offers, Policy(), job, self.tables)

    def notify_slips(self, answer: Answer) -> None:
        """Notify the user where a condition names a GPU that nobody knows."""
        self._ranker.notify_slips(answer)

    def choices(
        self,
        answer: Answer,
        without: Collection[int] = (),
        *,
        all_run: bool = True,
    ) -> Choices:
        """Return the machines that an answer has for the jobs.

        A machine runs jobs of one workload, whose image and data it has. What could run
        several stands there once for each, and can be had once.

        Parameters
        ----------
        without : ids of machines that are not to be taken
        all_run : each kind of job must run on one of them

        Raises
        ------
        advisor.base.errors.NothingFitsError
            if no machine runs the jobs, or those of one kind
        """
        filters = self._ranker.filters(answer)
        by_workload: dict[str, list[int]] = {}
        for at, one in enumerate(self.kinds):
            by_workload.setdefault(one.job.workload, []).append(at)
        parts = [
            self._of_workload(answer, filters, kinds, without)
            for kinds in by_workload.values()
        ]
        found = parts[0] if len(parts) == 1 else concat(parts)
        if all_run:
            self._check(found, answer)
        return found

    def _of_workload(
        self,
        answer: Answer,
        filters: Filters,
        kinds: Sequence[int],
        without: Collection[int],
    ) -> Choices:
        """Return the machines for the kinds of one workload; others cannot run there."""
        known = [
            with_stored_data(self.context, answer, self.jobs[at], filters) for at in kinds
        ]
        jobs, allowed = [job for job, _ in known], known[0][1]
        offers, keep, _ = offers_meeting(answer.records, allowed, jobs[0].disk_gb)
        keep &= ~np.isin(offers.machine_id, list(without))
        found = choices_of(offers.take(keep), jobs, self.spec.gpus, self.tables)
        found = spread(found, kinds, len(self.kinds))
        price = self.spec.offers.max_usd_per_hour
        (places,) = np.nonzero(found.runs.any(axis=0))
        if price is not None:
            places = places[found.usd_per_h[places] <= price]
        return found.take(places)

    def _check(self, found: Choices, answer: Answer) -> None:
        """Refuse jobs that no machine runs."""
        runs = [bool(row.any()) for row in found.runs]
        for one, some in zip(self.kinds, runs, strict=True):
            if not some:
                gpus = self.spec.gpus
                raise NothingFitsError(
                    f"none of {len(answer.records):,} offers runs the job "
                    f"{one.names[0]} ({one.job.workload} on {gpus} GPU"
                    f"{'s' if gpus > 1 else ''}): loosen the constraints, or see "
                    f"'advisor rank {one.job.workload}'"
                )


def spread(found: Choices, kinds: Sequence[int], count: int) -> Choices:
    """Return choices of some kinds among all of them; the others do not run there.

    Parameters
    ----------
    kinds : places of the kinds among `count`
    """

    def among_all(values: np.ndarray, otherwise: float) -> np.ndarray:
        whole = np.full((count, len(found)), otherwise)
        whole[list(kinds)] = values
        return whole

    return replace(
        found,
        job_h=among_all(found.job_h, np.inf),
        job_usd=among_all(found.job_usd, np.inf),
        job_sd_h=among_all(found.job_sd_h, 0.0),
        job_var_h2=among_all(found.job_var_h2, 0.0),
    )
