"""One offer of a ranking, as what may be rented."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.hardware.gpus import Gpu
from advisor.ranking.ranking import Ranking


@dataclass(frozen=True, slots=True)
class Candidate:
    """An offer of a ranking."""

    ranking: Ranking
    at: int

    @property
    def offer_id(self) -> int:
        """The market's id of the offer."""
        return int(self.ranking.offers.offer_id[self.at])

    @property
    def machine_id(self) -> int:
        """The market's id of the machine."""
        return int(self.ranking.offers.machine_id[self.at])

    @property
    def image(self) -> str:
        """The Docker image that the machine is to run."""
        return str(self.ranking.software.image[self.at])

    @property
    def card(self) -> Gpu | None:
        """The GPU that it is ranked as, None where it is in no table."""
        machines = self.ranking.machines
        return machines.models[int(machines.model[self.at])]

    @property
    def usd_per_hour(self) -> float:
        """Price while it runs, disk included, $/h."""
        return float(self.ranking.bill.usd_per_hour[self.at])

    @property
    def epoch_usd(self) -> float:
        """Expected cost of an epoch, $."""
        return float(self.ranking.bill.epoch_usd[self.at])

    @property
    def job_hours(self) -> float:
        """Expected hours of the whole job."""
        return float(self.ranking.bill.job_hours[self.at])

    @property
    def name(self) -> str:
        """The GPUs, for people."""
        offers = self.ranking.offers
        return f"{offers.num_gpus[self.at]:.0f} x {offers.gpu_name[self.at]}"
