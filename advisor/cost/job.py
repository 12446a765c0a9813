"""What is to be done, and how the machine for it is paid."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from advisor.cost.assumptions import Assumptions
from advisor.cost.hazard import BidHazard
from advisor.hardware.measured import MeasuredMachine
from advisor.software.image import Image
from advisor.software.rules import default_images
from advisor.throughput.user_runs import OtherRun, UserRun
from advisor.workloads.profile import Workload

Rental = Literal["on-demand", "interruptible", "reserved"]
RENTALS: tuple[Rental, ...] = get_args(Rental)


@dataclass(frozen=True, slots=True)
class Job:
    """A workload for so many epochs, with so much disk, rented in one way.

    Attributes
    ----------
    workload : the profile
    epochs : epochs of the whole job, at least 1
    disk_gb : GB of disk rented for the whole job
    rental : ``"on-demand"``; ``"interruptible"``: a bid that others can outbid;
        ``"reserved"``: paid ahead at the offer's discount
    assumptions : figures of the cost model that no offer states
    fit_batch : each GPU takes the largest batch that it holds, not the profile's
    memory_margin : share of a GPU's memory that is to be left free
    runs : of the workload that the user made and measured
    other_runs : of other workloads that the user made and measured
    machines : that the user measured
    market : whose ids of machines the offers have; ``""`` where nobody says
    bid_hazard : how often a bid loses its GPUs; None: the stated prior
    images : Docker images that it may run in, the one to take where it runs first
    """

    workload: Workload
    epochs: int
    disk_gb: float
    rental: Rental = "on-demand"
    assumptions: Assumptions = field(default_factory=Assumptions)
    fit_batch: bool = False
    runs: tuple[UserRun, ...] = ()
    other_runs: tuple[OtherRun, ...] = ()
    machines: tuple[MeasuredMachine, ...] = ()
    market: str = ""
    bid_hazard: BidHazard | None = None
    images: tuple[Image, ...] = field(default_factory=default_images)
    memory_margin: float = 0.0


def needed_disk_gb(workload: Workload, assumptions: Assumptions) -> float:
    """Return 10^9 bytes of disk that a job needs: the profile's, and a margin."""
    return workload.disk_gb * (1.0 + assumptions.disk_margin)
