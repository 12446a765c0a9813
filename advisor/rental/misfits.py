"""What one launcher has seen not to run, so that it does not pay for the same again."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from advisor.rental.candidate import Candidate
from advisor.software.misfit import Misfit


@dataclass(frozen=True, slots=True)
class _Seen:
    """A machine that could not run the job, and what it had."""

    misfit: Misfit
    machine_id: int
    image: str
    gpu_name: str
    capability: float
    driver: float
    cpu_arch: str
    ram_gb: float

    def rules_out(self, other: _Seen) -> bool:
        """Tell whether another machine would fail in the same way."""
        if self.machine_id == other.machine_id >= 0:
            return True
        if self.misfit == "host_ram_too_small":
            return other.ram_gb <= self.ram_gb
        if self.image != other.image:
            return False
        if self.misfit == "driver_too_old":
            return other.driver <= self.driver
        if self.misfit == "cpu_arch":
            return other.cpu_arch == self.cpu_arch
        same_card = self.gpu_name == other.gpu_name
        return same_card or self.capability == other.capability


@dataclass(slots=True)
class Misfits:
    """Machines that could not run a job. It is no fault of theirs: nobody is blamed.

    Attributes
    ----------
    seen : what was met, in order
    machines : ids of machines of which no more is known than that they could not
    """

    seen: list[_Seen] = field(default_factory=list)
    machines: set[int] = field(default_factory=set)

    def add(self, misfit: Misfit, candidate: Candidate) -> None:
        """Remember that a machine could not run the job."""
        self.seen.append(_facts(misfit, candidate))

    def allow(self, candidate: Candidate) -> bool:
        """Tell whether nothing seen speaks against a machine."""
        if candidate.machine_id in self.machines:
            return False
        if not self.seen:
            return True
        facts = _facts("cpu_arch", candidate)
        return not any(one.rules_out(facts) for one in self.seen)


def _facts(misfit: Misfit, candidate: Candidate) -> _Seen:
    ranking, at = candidate.ranking, candidate.at
    hosts = ranking.software.hosts
    told = float(hosts.capability[at])
    return _Seen(
        misfit=misfit,
        machine_id=candidate.machine_id,
        image=candidate.image,
        gpu_name=str(ranking.offers.gpu_name[at]),
        capability=float(hosts.named_capability[at]) if math.isnan(told) else told,
        driver=float(hosts.driver[at]),
        cpu_arch=str(hosts.cpu_arch[at]),
        ram_gb=float(ranking.machines.ram_gb[at]),
    )
