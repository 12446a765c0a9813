"""One offer of a ranking: its figures as attributes, each a column of the ranking."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

import numpy as np

if TYPE_CHECKING:
    from advisor.cost.bid_table import Bid
    from advisor.cost.breakdown import CostLine
    from advisor.hardware.gpus import Gpu
    from advisor.ranking.one import Effect
    from advisor.ranking.ranking import Ranking
    from advisor.throughput.advice import Advice

_Value = TypeVar("_Value")

_LONGEST_NAME = 50
"""Characters: the names of GPUs have half of that."""


class Figure(Generic[_Value]):
    """A figure that every offer of a ranking has.

    Of one offer it is an attribute, of all of them a column. A subclass says what it is
    made of.

    Parameters
    ----------
    read : takes a ranking, and one position in its arrays or an array of them; returns
        what the arrays hold there
    """

    def __init__(self, read: Callable[[Ranking, Any], Any]) -> None:
        self._read = read

    def of_one(self, value: Any) -> _Value:
        """Return what an array holds as the attribute."""
        raise NotImplementedError

    def of_all(self, value: Any) -> Any:
        """Return what an array holds as a column."""
        raise NotImplementedError

    def column(self, ranking: Ranking) -> Any:
        """Return the figure of all offers of a ranking, in its order, shape (R,)."""
        return self.of_all(self._read(ranking, ranking.order))

    @overload
    def __get__(self, offer: None, owner: type) -> Self: ...

    @overload
    def __get__(self, offer: RankedOffer, owner: type) -> _Value: ...

    def __get__(self, offer: RankedOffer | None, owner: type) -> Self | _Value:
        if offer is None:
            return self
        return self.of_one(self._read(offer.ranking, offer.at))


class Number(Figure[float]):
    """A number, NaN where it is unknown."""

    def of_one(self, value: Any) -> float:
        """Return it as a float of Python's own."""
        return float(value)

    def of_all(self, value: Any) -> Any:
        """Return an array of floats."""
        return np.asarray(value, dtype=float)


class Count(Figure[int]):
    """A whole number that is always known."""

    def of_one(self, value: Any) -> int:
        """Return it as an integer of Python's own."""
        return int(value)

    def of_all(self, value: Any) -> Any:
        """Return an array of integers."""
        return np.asarray(value, dtype=np.int64)


class Text(Figure[str | None]):
    """A text, None where it is unknown."""

    def of_one(self, value: Any) -> str | None:
        """Return it, None where it is empty."""
        return value or None

    def of_all(self, value: Any) -> Any:
        """Return an array of texts and None."""
        return np.where(value == "", None, value)


class Identity(Figure[int | None]):
    """The market's id of something, None where it is unknown."""

    def of_one(self, value: Any) -> int | None:
        """Return it, None where it is unknown."""
        return int(value) if value >= 0 else None

    def of_all(self, value: Any) -> Any:
        """Return a list of integers and None."""
        return [one if one >= 0 else None for one in value.tolist()]


@dataclass(frozen=True, slots=True, repr=False)
class RankedOffer:
    """One offer of a ranking; all figures are of the ranking's job on this offer.

    Unknown numbers are NaN, unknown texts and ids None. "Expected" is over the error of
    the prediction, the rates of failures and the failures themselves; an interval holds
    the true figure in nine cases of ten.

    Attributes
    ----------
    ranking : the ranking that it is of
    at : its position in the ranking's arrays
    rank : its place in the order, 1 for the best; None where it is no choice
    offer_id : the market's id, to rent it by
    machine_id, host_id : the market's ids of the machine and of its owner
    gpu_name : the market's spelling
    num_gpus : GPUs of the offer
    cpu_name : as the machine reports it
    cpu_cores : hardware threads that the offer grants; may be fractional
    cpu_ghz : clock, GHz; base, boost or an instant reading, nobody says which
    price_usd_per_h : price while it runs, with the job's disk, $/h
    on_demand_usd_per_h, min_bid_usd_per_h : listed price and least bid of the GPU part,
        $/h
    bid_usd_per_h : the advised bid for the GPU part, $/h; NaN unless interruptible
    samples_per_s : throughput of all GPUs together, samples/s
    samples_per_s_low, samples_per_s_high : its 90 % interval, samples/s
    bound_by : name of the limit that holds it down most
    micro_batch : samples that one GPU holds at once
    accumulation_steps : micro-batches per optimizer step
    memory_gb : peak memory of one GPU, 10^9 bytes
    memory_margin_gb : what is left of the memory that a training can fill, 10^9 bytes
    memory_risk : probability that the training needs more than it can fill, 0 to 1
    epoch_h : training time per epoch with nothing going wrong, h
    epoch_h_low, epoch_h_high : its 90 % interval, h
    cost_usd_per_epoch : expected cost of the whole job over its epochs, $
    cost_usd_per_epoch_low, cost_usd_per_epoch_high : its 90 % interval, $
    rent_usd_per_epoch : of it, the rent of the GPUs, $
    storage_usd_per_epoch : of it, the disk, $
    traffic_usd_per_epoch : of it, traffic up and down, $
    next_machine_usd_per_epoch : of it, what other machines cost more on which the job
        runs in part, $
    waiting_usd_per_epoch : what waiting for the job is worth, $; in no other figure
    job_usd : expected cost of the whole job, $
    job_h : expected time from rent to the last checkpoint at home, h
    checkpoint_h : advised work between two checkpoints, h; infinite where only the last
        one is needed
    expected_failures, expected_preemptions, expected_moves : of the machine, of the bid,
        and to other machines, in the whole job
    expected_failed_starts : starts that are expected to fail
    image : Docker image to run; None where none of the job's images runs there
    compute_capability : of the GPU: the market's figure, else the table's
    cuda_max : newest CUDA version that the driver runs
    driver_version : of the GPUs, such as ``"570.124.06"``
    cpu_arch : ``"amd64"`` or ``"arm64"``
    host_ram_gb : the offer's share of the host's memory, 10^9 bytes
    host_ram_needed_gb : what the job needs of it, 10^9 bytes
    host_ram_risk : probability that it does not suffice, 0 to 1
    inet_down_mbit_s, inet_up_mbit_s : advertised network, Mbit/s
    disk_mb_s : measured disk bandwidth, MB/s
    verification : ``"verified"``, ``"unverified"`` or ``"deverified"``
    hosting_type : 1 for a data center
    direct_port_count : open ports
    reliability : the market's score, 0 to 1
    geolocation : place, as the market says it
    duration_s : time that the offer still stood when it was fetched, s
    core_speed : speed of one core, 1 at a PassMark single-thread score of 2,100
    """

    ranking: Ranking
    at: int
    rank: int | None = field(default=None, compare=False)

    offer_id = Count(lambda r, at: r.offers.offer_id[at])
    machine_id = Identity(lambda r, at: r.offers.machine_id[at])
    host_id = Identity(lambda r, at: r.offers.host_id[at])
    gpu_name = Text(lambda r, at: r.offers.gpu_name[at])
    num_gpus = Count(lambda r, at: r.offers.num_gpus[at])
    cpu_name = Text(lambda r, at: r.offers.cpu_name[at])
    cpu_cores = Number(lambda r, at: r.offers.cpu_threads[at])
    cpu_ghz = Number(lambda r, at: r.offers.cpu_ghz[at])
    price_usd_per_h = Number(lambda r, at: r.bill.usd_per_hour[at])
    on_demand_usd_per_h = Number(lambda r, at: r.bill.listed_usd_per_hour[at])
    min_bid_usd_per_h = Number(lambda r, at: r.offers.min_bid[at])
    bid_usd_per_h = Number(lambda r, at: r.bill.bid_usd_per_hour[at])
    samples_per_s = Number(lambda r, at: r.throughput.samples_per_s[at])
    samples_per_s_low = Number(lambda r, at: r.throughput.low[at])
    samples_per_s_high = Number(lambda r, at: r.throughput.high[at])
    bound_by = Text(lambda r, at: r.throughput.bound_by[at])
    micro_batch = Count(lambda r, at: r.throughput.micro_batch[at])
    accumulation_steps = Count(lambda r, at: r.throughput.accumulation_steps[at])
    memory_gb = Number(lambda r, at: r.throughput.memory_gb[at])
    memory_margin_gb = Number(lambda r, at: r.throughput.memory_margin_gb[at])
    memory_risk = Number(lambda r, at: r.throughput.memory_risk[at])
    epoch_h = Number(lambda r, at: r.bill.epoch_hours[at])
    epoch_h_low = Number(lambda r, at: r.bill.epoch_hours_low[at])
    epoch_h_high = Number(lambda r, at: r.bill.epoch_hours_high[at])
    cost_usd_per_epoch = Number(lambda r, at: r.bill.epoch_usd[at])
    cost_usd_per_epoch_low = Number(lambda r, at: r.bill.epoch_usd_low[at])
    cost_usd_per_epoch_high = Number(lambda r, at: r.bill.epoch_usd_high[at])
    rent_usd_per_epoch = Number(lambda r, at: r.bill.job.rent_usd[at] / r.job.epochs)
    storage_usd_per_epoch = Number(
        lambda r, at: r.bill.job.storage_usd[at] / r.job.epochs
    )
    traffic_usd_per_epoch = Number(
        lambda r, at: (
            (r.bill.job.download_usd[at] + r.bill.job.upload_usd[at]) / r.job.epochs
        )
    )
    next_machine_usd_per_epoch = Number(
        lambda r, at: r.bill.job.dearer_usd[at] / r.job.epochs
    )
    waiting_usd_per_epoch = Number(lambda r, at: r.bill.epoch_waiting_usd[at])
    job_usd = Number(lambda r, at: r.bill.job_usd[at])
    job_h = Number(lambda r, at: r.bill.job_hours[at])
    checkpoint_h = Number(lambda r, at: r.bill.checkpoint_h[at])
    expected_failures = Number(lambda r, at: r.bill.job.failures[at])
    expected_preemptions = Number(lambda r, at: r.bill.job.preemptions[at])
    expected_moves = Number(lambda r, at: r.bill.job.moves[at])
    expected_failed_starts = Number(lambda r, at: r.bill.job.failed_starts[at])
    image = Text(lambda r, at: r.software.image[at])
    compute_capability = Number(
        lambda r, at: _either(
            r.software.hosts.capability[at], r.software.hosts.named_capability[at]
        )
    )
    cuda_max = Number(lambda r, at: r.offers.cuda_max_good[at])
    driver_version = Text(lambda r, at: r.offers.driver_version[at])
    cpu_arch = Text(lambda r, at: r.software.hosts.cpu_arch[at])
    host_ram_gb = Number(lambda r, at: r.machines.ram_gb[at])
    host_ram_needed_gb = Number(lambda r, at: r.host_need_gb[at])
    host_ram_risk = Number(lambda r, at: r.start_risk[at])
    inet_down_mbit_s = Number(lambda r, at: r.offers.inet_down_mbit_s[at])
    inet_up_mbit_s = Number(lambda r, at: r.offers.inet_up_mbit_s[at])
    disk_mb_s = Number(lambda r, at: r.offers.disk_bw_mb_s[at])
    verification = Text(lambda r, at: r.offers.verification[at])
    hosting_type = Number(lambda r, at: r.offers.hosting_type[at])
    direct_port_count = Number(lambda r, at: r.offers.direct_port_count[at])
    reliability = Number(lambda r, at: r.offers.reliability[at])
    geolocation = Text(lambda r, at: r.offers.geolocation[at])
    duration_s = Number(lambda r, at: r.offers.duration_s[at])
    core_speed = Number(lambda r, at: r.machines.core_speed[at])

    def __repr__(self) -> str:
        place = "not ranked" if self.rank is None else f"rank {self.rank}"
        return (
            f"<RankedOffer {self.offer_id}: {place}, {self.name}, "
            f"${self.price_usd_per_h:.3f}/h, {rate_text(self.samples_per_s)} samples/s, "
            f"${self.cost_usd_per_epoch:.4g} per epoch>"
        )

    @property
    def name(self) -> str:
        """The GPUs, for people: the whole of a name that is one."""
        name = self.gpu_name or "unknown"
        if len(name) > _LONGEST_NAME:  # what stands beside it is to be seen
            name = f"{name[: _LONGEST_NAME - 1]}…"
        return f"{self.num_gpus} x {name}"

    @property
    def gpu(self) -> Gpu | None:
        """The row of the GPU table that it is ranked as; None where it is in none."""
        machines = self.ranking.machines
        return machines.models[int(machines.model[self.at])]

    @property
    def gpu_ids(self) -> tuple[int, ...]:
        """The exact GPUs; offers that share one cannot both be rented."""
        return self.ranking.offers.gpu_ids[self.at]

    @property
    def limits(self) -> dict[str, float]:
        """Name of each limit -> samples/s if it alone held, infinite where none does."""
        limits = self.ranking.throughput.limits
        return {name: float(rate[self.at]) for name, rate in limits.items()}

    @property
    def flags(self) -> tuple[str, ...]:
        """What to know beside the figures, such as ``"cpu_unknown"``."""
        found = [
            name for name, holds in self.ranking.flags.items() if holds[self.at].item()
        ]
        return (*found, "simulated") if self.ranking.is_simulated else tuple(found)

    @property
    def alternatives(self) -> tuple[RankedOffer, ...]:
        """Offers that share its GPUs and rank lower, of which it is the choice."""
        others = self.ranking.alternatives.get(self.at, ())
        return tuple(RankedOffer(self.ranking, other) for other in others)

    @property
    def tied_with(self) -> RankedOffer | None:
        """The better offer that it cannot be told from, see `ranking.ties`."""
        return None if self.rank is None else self.ranking.tie_of(self.rank)

    @property
    def unusable(self) -> str | None:
        """Why the job cannot run there; None where it can."""
        return self.ranking.unusable[self.at] or None

    def cost_lines(self) -> tuple[CostLine, ...]:
        """Return what the whole job is billed, line by line."""
        from advisor.cost.breakdown import cost_lines  # noqa: PLC0415  (not to rank)

        return cost_lines(self.ranking.bill, self.at)

    def advice(self) -> Advice:
        """Return what holds the machine back, and what would lift it, at what cost."""
        from advisor.ranking.one import One  # noqa: PLC0415  (not to rank)

        return One.of(self.ranking, self.at).advice()

    def effects(self) -> tuple[Effect, ...]:
        """Return what each assumption changes of the cost over its range.

        The greatest change comes first; each is the same cost estimate with one figure
        moved, and a bid is chosen anew.
        """
        from advisor.ranking.one import One  # noqa: PLC0415  (not to rank)

        return One.of(self.ranking, self.at).effects()

    def bids(self) -> tuple[Bid, ...]:
        """Return what the job costs at each of several bids, the lowest bid first.

        Each costs what an interruptible ranking says of the offer at that bid. Empty
        where no bid is below the price on demand.
        """
        from advisor.ranking.one import One  # noqa: PLC0415  (not to rank)

        return One.of(self.ranking, self.at).bids()


FIGURES: Mapping[str, Figure[Any]] = {
    name: one for name, one in vars(RankedOffer).items() if isinstance(one, Figure)
}
"""The attributes of `RankedOffer` that are columns of a ranking, by their names."""


def rate_text(rate: float) -> str:
    """Return a rate for people: three digits at least, and no exponent."""
    return f"{rate:,.0f}" if rate >= 100.0 else f"{rate:.3g}"


def _either(stated: Any, named: Any) -> Any:
    """Return figures of the market, and those of a table where it states none."""
    if isinstance(stated, np.ndarray):
        return np.where(np.isnan(stated), named, stated)
    return named if math.isnan(stated) else stated
