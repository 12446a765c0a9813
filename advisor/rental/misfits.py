"""What was seen not to run, so that nobody pays for the same again."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from advisor.market.values import held_id
from advisor.ranking.offer import RankedOffer
from advisor.rental.context import RentalContext
from advisor.software.misfit import Misfit
from advisor.store.database import open_store
from advisor.store.ledger import Entry
from advisor.store.misfits import MisfitRecord, misfits, store_misfit

_OF_THE_JOB = ("host_ram_too_small", "gpu_memory_too_small")
"""Misfits that say nothing of another job, nor of an image."""


@dataclass(frozen=True, slots=True)
class Misfits:
    """Machines that could not run a job. It is no fault of theirs: nobody is blamed.

    What this job has met rules out every machine like it. What another job has met rules
    out the same machine with the same image and driver; how much memory that job needs
    says nothing of this one.

    Attributes
    ----------
    market, job : names
    now : returns seconds since 1970
    record_seen : takes each record that is new
    seen : records, in order
    """

    market: str
    job: str
    now: Callable[[], float]
    record_seen: Callable[[MisfitRecord], None]
    seen: list[MisfitRecord] = field(default_factory=list)

    def add(self, misfit: Misfit, candidate: RankedOffer) -> None:
        """Remember that a machine could not run the job."""
        self._add(self._facts(misfit, candidate))

    def add_machine(self, misfit: Misfit, entry: Entry) -> None:
        """Remember that of a machine of which the ledger alone tells by now."""
        self._add(
            MisfitRecord(
                market=self.market,
                job=self.job,
                misfit=misfit,
                machine_id=entry.machine_id,
                image="",
                gpu_name=entry.gpu_name,
                capability=math.nan,
                driver=math.nan,
                cpu_arch="",
                ram_gb=math.nan,
                gpu_memory_gb=math.nan,
                at=self.now(),
            )
        )

    def allow(self, candidate: RankedOffer) -> bool:
        """Tell whether nothing seen speaks against a machine."""
        if not self.seen:
            return True
        facts = self._facts("gpu_error", candidate)
        return not any(_rules_out(one, facts) for one in self.seen)

    def _add(self, record: MisfitRecord) -> None:
        self.seen.append(record)
        self.record_seen(record)

    def _facts(self, misfit: Misfit, candidate: RankedOffer) -> MisfitRecord:
        ranking, at = candidate.ranking, candidate.at
        return MisfitRecord(
            market=self.market,
            job=self.job,
            misfit=misfit,
            machine_id=held_id(candidate.machine_id),
            image=candidate.image or "",
            gpu_name=candidate.gpu_name or "",
            capability=candidate.compute_capability,
            driver=float(ranking.software.hosts.driver[at]),
            cpu_arch=candidate.cpu_arch or "",
            ram_gb=candidate.host_ram_gb,
            gpu_memory_gb=float(ranking.machines.gpu_memory_gb[at]),
            at=self.now(),
        )


def misfits_of(context: RentalContext, job: str, *, begins: bool) -> Misfits:
    """Return what the user's file knows of a job on a market, and keeps from now on.

    Parameters
    ----------
    begins : the job begins anew, and may be another by now: what one of its name has
        met counts as another's
    """
    market = context.market.name

    def keep(record: MisfitRecord) -> None:
        with open_store(context.folder) as connection:
            store_misfit(connection, record)

    with open_store(context.folder) as connection:
        seen = list(misfits(connection, market, "" if begins else job, context.now()))
    if begins:
        seen = [replace(one, job="") for one in seen]
    return Misfits(market, job, context.now, keep, seen)


def _rules_out(seen: MisfitRecord, other: MisfitRecord) -> bool:
    """Tell whether another machine would fail as one that was seen."""
    own = seen.job == other.job
    same_image = seen.image in ("", other.image)
    if seen.machine_id == other.machine_id >= 0:
        if own:
            return same_image or seen.misfit in _OF_THE_JOB
        same_driver = _same_number(seen.driver, other.driver)
        return same_image and same_driver and seen.misfit not in _OF_THE_JOB
    return own and _is_like(seen, other)


def _is_like(seen: MisfitRecord, other: MisfitRecord) -> bool:
    """Tell whether another machine lacks what the job did not find on one."""
    image = seen.image == other.image
    card = seen.gpu_name == other.gpu_name or seen.capability == other.capability
    lacks: dict[Misfit, bool] = {
        "image_lacks_gpu": image and card,
        "driver_too_old": image and other.driver <= seen.driver,
        "cpu_arch": image and other.cpu_arch == seen.cpu_arch,
        "host_ram_too_small": other.ram_gb <= seen.ram_gb,
        "gpu_memory_too_small": other.gpu_memory_gb <= seen.gpu_memory_gb,
        "image_lacks_python": image and other.cpu_arch == seen.cpu_arch,
        "gpu_error": False,  # a GPU that fails says nothing of another one
    }
    return lacks[seen.misfit]


def _same_number(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))
