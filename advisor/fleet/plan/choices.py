"""What each kind of job takes and costs on each machine that can be had.

All figures are those of the ranking: the bill of one job on a slot of an offer, taken
apart into what is paid once per machine and what is paid per job. So one job on a machine
of one slot costs here what ``advisor rank`` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray, IntArray
from advisor.base.columns import Columns, concat
from advisor.base.units import SECONDS_PER_HOUR
from advisor.cost.bill import Bill
from advisor.cost.job import Job
from advisor.market.offers import Offers
from advisor.ranking.evaluation import Evaluator, why_unusable
from advisor.rental.arguments import LONGEST_LIFETIME_S
from advisor.throughput.performance import Performance
from advisor.throughput.spread import Z90
from advisor.throughput.tables import Tables

_LUCK = 2.0
"""Mean square of the hours that an interruption costs, over the square of their mean:
they are taken to be exponential, as in `advisor.cost.bill`."""

_OF_ALL_GPUS = ("gpu_total_ram_mb", "total_flops_tflops", "dlperf")
_OF_THE_HOST = ("gpu_frac", "cpu_threads", "cpu_ram_mb", "disk_bw_mb_s")
_PRICES = (
    *("dph_base", "dph_total", "discounted_dph_total", "min_bid"),
    "storage_usd_per_gb_month",
)


@dataclass(frozen=True, slots=True)
class Choices(Columns):
    """Machines that can be had, N of them, and K kinds of jobs on them.

    Attributes
    ----------
    offer_id, machine_id, gpu_name, num_gpus : what each is, shape (N,) or N of them
    takes : what each takes that no other can then have: its GPUs, or its offer
    label : of a machine that is rented already; ``""``: it is yet to be rented
    slots : jobs that it runs at once, shape (N,)
    usd_per_h : price of the whole machine with its disk while it runs, $/h
    setup_h, setup_usd : image, boot and data, until the first job starts; once
    setup_var_h2 : variance of these hours
    limit_h : hours for which it can be had at most
    job_h, job_usd : of one job on one slot, expected, with what goes wrong priced in,
        shape (K, N); infinite where it cannot run
    job_sd_h : standard deviation of the hours that the throughput brings: the same
        error for all jobs of a machine, so that it adds up, shape (K, N)
    job_var_h2 : variance of the hours that interruptions bring, shape (K, N)
    """

    offer_id: IntArray
    machine_id: IntArray
    gpu_name: tuple[str, ...]
    num_gpus: IntArray
    takes: tuple[frozenset[tuple[int, int]], ...]
    label: tuple[str, ...]
    slots: IntArray
    usd_per_h: FloatArray
    setup_h: FloatArray
    setup_usd: FloatArray
    setup_var_h2: FloatArray
    limit_h: FloatArray
    job_h: FloatArray
    job_usd: FloatArray
    job_sd_h: FloatArray
    job_var_h2: FloatArray

    def __len__(self) -> int:
        return len(self.offer_id)

    @property
    def runs(self) -> BoolArray:
        """Which kind runs where, shape (K, N)."""
        return np.isfinite(self.job_h)

    def within(self, deadline_h: float) -> Choices:
        """Return the machines for no longer than a deadline."""
        return replace(self, limit_h=np.minimum(self.limit_h, deadline_h))


def choices_of(offers: Offers, jobs: Sequence[Job], gpus: int, tables: Tables) -> Choices:
    """Return what jobs of one workload take and cost on offers, all of which may be had.

    Parameters
    ----------
    offers : N offers
    jobs : one of each kind; their workload has one name
    gpus : that each job needs
    tables : hardware tables and throughput model
    """
    slots = (offers.num_gpus // gpus).astype(np.int64)
    offers, slots = offers.take(slots > 0), slots[slots > 0]
    parts = _of_kinds(offers, slots, jobs, gpus, tables)
    setup_h, setup_usd, setup_var = (
        np.max([getattr(one, name) for one in parts], axis=0, initial=0.0)
        for name in ("setup_h", "setup_usd", "setup_var_h2")
    )
    return Choices(
        offer_id=offers.offer_id,
        machine_id=offers.machine_id,
        gpu_name=tuple(offers.gpu_name.tolist()),
        num_gpus=offers.num_gpus.astype(np.int64),
        takes=_takes(offers),
        label=("",) * len(offers),
        slots=slots,
        usd_per_h=np.max([one.usd_per_h for one in parts], axis=0, initial=0.0),
        setup_h=setup_h,
        setup_usd=setup_usd,
        setup_var_h2=setup_var,
        limit_h=np.fmin(offers.duration_s, LONGEST_LIFETIME_S) / SECONDS_PER_HOUR,
        job_h=np.array([one.job_h for one in parts]),
        job_usd=np.array([one.job_usd for one in parts]),
        job_sd_h=np.array([one.job_sd_h for one in parts]),
        job_var_h2=np.array([one.job_var_h2 for one in parts]),
    )


@dataclass(frozen=True, slots=True)
class _OfKind:
    """What one kind of job takes and costs on N offers, see `Choices`; shape (N,).

    Attributes
    ----------
    doubtful : whether it may well fail to run there
    """

    usd_per_h: FloatArray
    setup_h: FloatArray
    setup_usd: FloatArray
    setup_var_h2: FloatArray
    job_h: FloatArray
    job_usd: FloatArray
    job_sd_h: FloatArray
    job_var_h2: FloatArray
    doubtful: BoolArray

    def without_doubt(self) -> _OfKind:
        """Return it without what may well fail to run, where anything else runs."""
        out = self.doubtful & np.isfinite(self.job_h)
        if not (np.isfinite(self.job_h) & ~out).any():
            return self
        return replace(self, job_h=np.where(out, np.inf, self.job_h))


def _of_kinds(
    offers: Offers, slots: IntArray, jobs: Sequence[Job], gpus: int, tables: Tables
) -> list[_OfKind]:
    """Return what each kind of job takes and costs on the slots of offers.

    How fast a job runs is the same for any number of epochs, and worked out once.
    """
    alike: list[tuple[Job, list[int]]] = []
    for at, job in enumerate(jobs):
        one_epoch = replace(job, epochs=1, workload=replace(job.workload, epochs=1))
        same = next((kinds for other, kinds in alike if other == one_epoch), None)
        if same is None:
            alike.append((one_epoch, [at]))
        else:
            same.append(at)
    found: dict[int, _OfKind] = {}
    for job, kinds in alike:
        evaluator = Evaluator.of(job, tables)
        step = evaluator.chunk
        parts = [
            _on_slots(
                evaluator,
                [jobs[at] for at in kinds],
                offers.take(np.arange(start, min(start + step, len(offers)))),
                slots[start : start + step],
                gpus,
            )
            for start in range(0, max(len(offers), 1), step)
        ]
        for at, chunks in zip(kinds, zip(*parts, strict=True), strict=True):
            found[at] = concat(chunks).without_doubt()
    return [found[at] for at in range(len(jobs))]


def _on_slots(
    evaluator: Evaluator, jobs: Sequence[Job], offers: Offers, slots: IntArray, gpus: int
) -> list[_OfKind]:
    """Evaluate one chunk of offers for jobs that differ in their epochs alone.

    How fast a slot is follows from its share of the machine, and what it costs from its
    share of the price. A failure is that of the whole machine.
    """
    here = evaluator.performance(_slot_of(offers, slots, gpus))
    share = _share_of(offers, slots)
    return [
        _apart(replace(evaluator, job=job).bill(share, here), here, slots, job)
        for job in jobs
    ]


def _slot_of(offers: Offers, slots: IntArray, gpus: int) -> Offers:
    """Return the slots of offers as if each were a machine of its own."""
    of_gpus = gpus / offers.num_gpus
    scaled = {name: getattr(offers, name) * of_gpus for name in _OF_ALL_GPUS}
    scaled |= {name: getattr(offers, name) / slots for name in _OF_THE_HOST}
    return replace(offers, num_gpus=np.full(len(offers), float(gpus)), **scaled)


def _share_of(offers: Offers, slots: IntArray) -> Offers:
    """Return offers at the price and the disk rate of one of their slots.

    They are taken to stand for ever: a plan gives a machine no more than it can do
    before its offer ends.
    """
    shared = {name: getattr(offers, name) / slots for name in (*_PRICES, "disk_bw_mb_s")}
    return replace(offers, duration_s=np.full(len(offers), np.nan), **shared)


def _apart(bill: Bill, here: Performance, slots: IntArray, job: Job) -> _OfKind:
    """Take the bill of one job on a slot apart: once per machine, and per job.

    What is once is the pull and boot, the data, and starts that fail; each job starts a
    process of its own. What other machines cost more, on which a job may end up, counts
    for both parts alike.
    """
    terms, lines = bill.terms, bill.job
    start_h = job.assumptions.start_s / SECONDS_PER_HOUR
    failed = lines.failed_starts
    pull_h = (1.0 + failed) * terms.pull_h
    begin_h = terms.begin_h - start_h + lines.failed_h
    paid_h = terms.gpu_usd_per_h * begin_h + terms.storage_usd_per_h * (pull_h + begin_h)
    traffic_gb = (1.0 + failed) * (terms.dataset_gb + terms.image_gb)
    traffic_usd = terms.download_usd_per_gb * traffic_gb
    dearer = bill.job_usd / (bill.job_usd - lines.dearer_usd)
    once_usd = dearer * (paid_h + traffic_usd)
    setup_h = pull_h + begin_h
    job_h = bill.job_hours - setup_h
    training_h = bill.epoch_hours * job.epochs
    slow = bill.epoch_hours_high / bill.epoch_hours - 1.0
    stops = lines.failures + lines.preemptions
    extra_h = lines.repeated_h + lines.offline_h + lines.paused_h
    with np.errstate(divide="ignore", invalid="ignore"):
        luck = np.where(stops > 0.0, _LUCK * extra_h**2 / stops, 0.0)
    runs = why_unusable(here, bill, job) == ""
    link_h = terms.download_h * job.assumptions.delivered_log_sd

    def usable(values: FloatArray, otherwise: float = np.inf) -> FloatArray:
        return np.where(runs, values, otherwise)

    return _OfKind(
        usd_per_h=usable(slots * bill.usd_per_hour, 0.0),
        setup_h=usable(setup_h, 0.0),
        setup_usd=usable(dearer * (slots * paid_h + traffic_usd), 0.0),
        setup_var_h2=usable(link_h**2, 0.0),
        job_h=usable(job_h),
        job_usd=usable(bill.job_usd - once_usd),
        job_sd_h=usable(training_h * slow / Z90, 0.0),
        job_var_h2=usable(luck, 0.0),
        doubtful=bill.flags["start_doubtful"],
    )


def _takes(offers: Offers) -> tuple[frozenset[tuple[int, int]], ...]:
    """Return what each offer takes: its GPUs, or where nobody says which, itself.

    A machine's own id and a GPU's make a pair; an offer alone is a pair with -1.
    """
    return tuple(
        frozenset((machine, gpu) for gpu in gpus) | {(offer, -1)}
        for machine, gpus, offer in zip(
            offers.machine_id.tolist(),
            offers.gpu_ids,
            offers.offer_id.tolist(),
            strict=True,
        )
    )
