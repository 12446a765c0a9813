"""Expected cost of jobs: the closed forms of the cost model against a simulation.

Each case is an offer of a simulated market, a built-in workload, a number of epochs and a
way of renting. The simulation knows nothing of the closed forms: it takes the prices and
speeds of the offer's record, the predicted throughput with its interval, and the plan
(bid, hours between checkpoints, when an offer ends), and plays the job hour by hour:
failures, lost bids, waits, moves, downloads, checkpoints. It goes on until the standard
error of its mean is small enough.

    python benchmarks/monte_carlo.py [--cases 200] [--seed 0] [--standard-error 0.003]
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from advisor.cost.assumptions import Assumptions
from advisor.cost.job import RENTALS, Job, needed_disk_gb
from advisor.market.filters import Filters
from advisor.ranking.rank import rank
from advisor.ranking.ranking import Ranking
from advisor.simulator.generate.sample import generate_offers
from advisor.throughput.tables import Tables, load_tables
from advisor.workloads.load import list_workloads
from advisor.workloads.profile import Workload

Floats = npt.NDArray[np.float64]
BATCH = 20_000
MOST = 100 * BATCH
MOST_INTERRUPTIONS = 500
"""Jobs that are expected to be interrupted more often hardly ever end; they are counted
and not played."""

INTERVAL_DEVIATE = 1.6448536269514722


@dataclass
class Tally:
    """What every one of M simulated jobs has used so far."""

    running_h: Floats
    storage_only_h: Floats
    offline_h: Floats
    images: Floats
    datasets: Floats
    checkpoints_down: Floats


@dataclass(frozen=True)
class Case:
    """One job on one offer, as the record and the plan have it."""

    record: Mapping[str, Any]
    workload: Workload
    epochs: int
    disk_gb: float
    rate: float
    low: float
    high: float
    cold_rate: float
    ram_gb: float
    bid: float
    losses_per_h: float
    checkpoint_h: float
    lease_h: float
    failed_starts: float
    elsewhere: float


class Simulation:
    """M jobs of one case at once."""

    def __init__(self, case: Case, jobs: int, random: np.random.Generator) -> None:
        a = self.assumed = Assumptions()
        self.case, self.random = case, random
        record, work = case.record, case.workload
        reliability = max(record["reliability"], a.least_reliability)
        breaks = (1 / reliability - 1) / a.repair_h
        breaks += record["num_gpus"] * a.gpu_failures_per_h
        quarter = a.failure_band ** random.choice(
            [-1, -0.5, 0, 0.5, 1], jobs, p=[0.1, 0.2, 0.4, 0.2, 0.1]
        )
        loses = a.preemption_band ** random.choice([-1, 0, 1], jobs, p=[0.25, 0.5, 0.25])
        self.breaks, self.loses = breaks * quarter, case.losses_per_h * loses
        down = min(record["inet_down"] * a.delivered_share, a.download_cap_mbit_s) / 8000
        pull = min(record["inet_down"] * a.delivered_share, a.pull_cap_mbit_s) / 8000
        up = min(record["inet_up"] * a.delivered_share, a.download_cap_mbit_s) / 8000
        disk_gb_s = record["disk_bw"] * a.checkpoint_disk_share / 1000
        self.image_gb = work.image_gb / a.image_compression
        self.pull_h = (self.image_gb / pull + a.boot_s) / 3600
        self.write_h = (work.checkpoint_gb / disk_gb_s + a.checkpoint_stop_s) / 3600
        self.send_h = work.checkpoint_gb / up / 3600
        deviate = random.standard_normal(jobs) / INTERVAL_DEVIATE
        side = np.where(deviate < 0, case.rate / case.low, case.high / case.rate)
        rate = case.rate * side**deviate
        self.training_h = case.epochs * work.samples_per_epoch / rate / 3600
        slower = 1 / case.cold_rate - 1 / case.rate
        cold_h = max(0.0, work.samples_per_epoch * slower / 3600)
        first_cold_h = cold_h if work.dataset_gb > case.ram_gb else 0.0
        self.data_h, self.start_h = work.dataset_gb / down / 3600, a.start_s / 3600
        self.begin_h = self.data_h + self.start_h + first_cold_h
        self.resume_h = (work.checkpoint_gb / disk_gb_s + a.start_s) / 3600 + cold_h
        self.move_h = self.begin_h + work.checkpoint_gb / down / 3600

    def usd(self) -> Floats:
        """Return the dollars of each job."""
        jobs, case = len(self.training_h), self.case
        tally = Tally(*(np.zeros(jobs) for _ in range(6)))
        tally.storage_only_h += self.pull_h
        tally.images += 1
        everyone = np.arange(jobs)
        self._anew(tally, everyone, self.begin_h, checkpoints=0)
        pieces = np.maximum(np.rint(self.training_h / case.checkpoint_h), 1)
        self._pieces(tally, pieces, self.training_h / pieces + self.write_h)
        leases = np.ceil(self.training_h / case.lease_h)
        for ended in range(1, int(leases.max())):
            (who,) = np.nonzero(leases > ended)
            tally.storage_only_h[who] += self.pull_h
            tally.images[who] += 1
            self._anew(tally, who, self.write_h + self.move_h, checkpoints=1)
        self._pieces(tally, np.ones(jobs), np.full(jobs, self.send_h))
        record, work = case.record, case.workload
        gpu = record["dph_base"] if np.isnan(case.bid) else case.bid
        storage = record["storage_cost"] * case.disk_gb / 720
        moves = tally.images - 1
        failed = self.random.poisson(case.failed_starts, jobs)
        tally.running_h += failed * (self.start_h + self.data_h)
        tally.storage_only_h += failed * self.pull_h
        tally.images += failed
        tally.datasets += failed
        here = np.where(self.random.random(jobs) < case.elsewhere, 0.0, 1 / (1 + moves))
        dearer = 1 + (1 - here) * self.assumed.next_machine_dearer
        gb_down = tally.images * self.image_gb + tally.datasets * work.dataset_gb
        gb_down = gb_down + tally.checkpoints_down * work.checkpoint_gb
        return dearer * np.asarray(
            gpu * tally.running_h
            + storage * (tally.running_h + tally.storage_only_h)
            + record["inet_down_cost"] * gb_down
            + record["inet_up_cost"] * pieces * work.checkpoint_gb
        )

    def _next(self, who: npt.NDArray[np.int64]) -> Floats:
        """Return the hours until something happens to each of these jobs."""
        with np.errstate(divide="ignore"):
            return self.random.exponential(1 / (self.breaks + self.loses)[who])

    def _interrupt(
        self, tally: Tally, who: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.bool_]:
        """Let each job wait or move; return which of them moved."""
        a = self.assumed
        share = self.breaks[who] / (self.breaks + self.loses)[who]
        broke = self.random.random(len(who)) < share
        back = self.random.exponential(np.where(broke, a.repair_h, a.pause_h))
        moved = np.asarray(back > a.patience_h)
        waited = np.minimum(back, a.patience_h)
        tally.offline_h[who[broke]] += waited[broke]
        tally.storage_only_h[who[~broke]] += waited[~broke]
        tally.storage_only_h[who[moved]] += self.pull_h
        tally.images[who[moved]] += 1
        return moved

    def _anew(
        self,
        tally: Tally,
        left: npt.NDArray[np.int64],
        need_h: float,
        checkpoints: int,
    ) -> None:
        """Run what starts from nothing after every interruption, on some of the jobs."""
        while len(left):
            tally.datasets[left] += 1
            tally.checkpoints_down[left] += checkpoints
            until = self._next(left)
            tally.running_h[left] += np.minimum(until, need_h)
            left = left[until < need_h]
            self._interrupt(tally, left)

    def _pieces(self, tally: Tally, pieces: Floats, piece_h: Floats) -> None:
        """Run pieces, each of which is kept once it is done."""
        left = np.arange(len(self.training_h))
        todo, restart_h = pieces.copy(), np.zeros(len(left))
        while len(left):
            until = self._next(left)
            spare = np.maximum(until - restart_h[left], 0)
            with np.errstate(divide="ignore", invalid="ignore"):
                whole = np.floor(spare / piece_h[left])
            whole = np.where(piece_h[left] > 0, whole, np.inf)
            done = whole >= todo[left]
            ends_h = restart_h[left] + todo[left] * piece_h[left]
            tally.running_h[left] += np.where(done, ends_h, until)
            left, whole = left[~done], whole[~done]
            todo[left] -= whole
            moved = self._interrupt(tally, left)
            restart_h[left] = np.where(moved, self.move_h, self.resume_h)
            tally.datasets[left[moved]] += 1
            tally.checkpoints_down[left[moved]] += 1


def simulate(
    case: Case, random: np.random.Generator, standard_error: float
) -> tuple[float, float, Floats]:
    """Return mean, relative standard error and every simulated cost of a case."""
    usd = np.zeros(0)
    while True:
        usd = np.concatenate([usd, Simulation(case, BATCH, random).usd()])
        mean, error = float(usd.mean()), float(usd.std() / np.sqrt(len(usd)))
        if error <= standard_error * mean or len(usd) >= MOST:
            return mean, error / mean, usd


def case_of(ranking: Ranking, at: int, record: Mapping[str, Any]) -> Case:
    """Return what the simulation is told of one offer of a ranking."""
    bill, throughput, job = ranking.bill, ranking.throughput, ranking.job
    risks = (throughput.memory_risk, ranking.software.risk, ranking.start_risk)
    runs = np.prod([1.0 - np.nan_to_num(risk[at]) for risk in risks])
    if record.get("verification") == "deverified":
        runs *= 1.0 - Assumptions().deverified_fails
    return Case(
        record=record,
        workload=job.workload,
        epochs=job.epochs,
        disk_gb=job.disk_gb,
        rate=float(throughput.samples_per_s[at]),
        low=float(throughput.low[at]),
        high=float(throughput.high[at]),
        cold_rate=float(throughput.cold_samples_per_s[at]),
        ram_gb=float(ranking.machines.ram_gb[at]),
        bid=float(bill.bid_usd_per_hour[at]),
        losses_per_h=float(bill.losses_per_h[at]),
        checkpoint_h=float(bill.checkpoint_h[at]),
        lease_h=float(bill.lease_h[at]),
        failed_starts=float(bill.job.failed_starts[at]),
        elsewhere=float(1.0 - runs),
    )


def cases(count: int, random: np.random.Generator, tables: Tables) -> list[Any]:
    """Return random cases, each with the expected cost and its interval."""
    offers = generate_offers(1200, int(random.integers(2**31)), 1.8e9)
    records = {int(record["id"]): record for record in offers}
    workloads, drawn, skipped = list_workloads(), [], 0
    while len(drawn) < count:
        workload = workloads[random.integers(len(workloads))]
        epochs = int(random.integers(1, workload.epochs + 1))
        rental = RENTALS[random.integers(2)]
        disk_gb = needed_disk_gb(workload, Assumptions())
        job = Job(workload, epochs, disk_gb, rental)
        ranking = rank(records.values(), job, tables, Filters())
        if not len(ranking.order):  # no offer holds it
            continue
        at = int(ranking.order[random.integers(len(ranking.order))])
        record = records[int(ranking.offers.offer_id[at])]
        needed = ("reliability", "inet_down", "inet_up", "disk_bw", "cpu_ram")
        if any(not record.get(key) for key in needed):
            continue
        bill = ranking.bill
        if not bill.job.failures[at] + bill.job.preemptions[at] < MOST_INTERRUPTIONS:
            skipped += 1
            continue
        figures = (bill.job_usd, bill.epoch_usd_low, bill.epoch_usd_high)
        usd, low, high = (float(array[at]) for array in figures)
        drawn.append((case_of(ranking, at, record), usd, low * epochs, high * epochs))
    if skipped:
        print(
            f"{skipped} drawn jobs left out: more than {MOST_INTERRUPTIONS} interruptions"
        )
    return drawn


def main() -> None:
    """Print how far the closed forms are from the simulation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--standard-error", type=float, default=0.003)
    options = parser.parse_args()
    random = np.random.default_rng(options.seed)
    differences, errors, inside = [], [], []
    for case, usd, low, high in cases(options.cases, random, load_tables()):
        mean, error, all_usd = simulate(case, random, options.standard_error)
        differences.append(usd / mean - 1)
        errors.append(error)
        inside.append(float(np.mean((all_usd >= low) & (all_usd <= high))))
        if abs(differences[-1]) > 0.02:
            told = (
                f"{case.workload.name}, {case.epochs} epochs, offer {case.record['id']}"
            )
            print(f"{differences[-1]:+.1%}: {usd:.4g} against {mean:.4g} $: {told}")
    off = np.abs(differences)
    print(f"{len(off)} cases; largest standard error {max(errors):.2%}")
    print(f"closed form against simulation: mean {np.mean(differences):+.2%}, "
          f"largest {off.max():.2%}, above 2 %: {int(np.sum(off > 0.02))}")  # fmt: skip
    least, most = np.quantile(inside, (0.05, 0.95))
    print(f"simulated costs inside the 90 % interval: mean {np.mean(inside):.1%}, "
          f"{least:.1%} to {most:.1%}")  # fmt: skip


if __name__ == "__main__":
    main()
