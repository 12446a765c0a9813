"""The plan of a sweep: machines, the jobs of each, and what it costs, as plain data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, Self

from advisor.app.documents import arguments_of, checked_version, document_of, needs
from advisor.rental import arguments

VERSION = 1
"""Of the document of a plan; it rises when a key changes meaning, comes or goes."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What one job of a kind takes and costs on a slot of a machine.

    Attributes
    ----------
    kind : which, see `advisor.fleet.plan.kinds.Kind`
    hours, usd : expected, with what goes wrong priced in
    sd_h : standard deviation of the hours that the throughput brings, the same error
        for all jobs
    var_h2 : variance of the hours that interruptions bring
    """

    kind: str
    hours: float
    usd: float
    sd_h: float
    var_h2: float


@dataclass(frozen=True, slots=True)
class PlannedMachine:
    """One machine of a plan.

    Attributes
    ----------
    offer_id, machine_id, gpu_name, num_gpus : the offer
    label : of a machine that is rented already; ``""``: it is yet to be rented
    slots : jobs that it runs at once
    usd_per_h : price of the whole machine with its disk while it runs, $/h
    jobs : their names, in the order in which they are started
    setup_h, setup_usd : image, boot and data, before the first job
    hours, hours_high : from rent until its last job has ended, expected, and with the
        distance that keeps the deadline as likely as was asked for
    usd : expected cost
    lifetime_h : after which it is to be gone at the latest, from rent
    rates : what one job of each kind takes there, of those that can run
    """

    offer_id: int
    machine_id: int
    gpu_name: str
    num_gpus: int
    label: str
    slots: int
    usd_per_h: float
    jobs: tuple[str, ...]
    setup_h: float
    setup_usd: float
    hours: float
    hours_high: float
    usd: float
    lifetime_h: float
    rates: tuple[Rate, ...]

    @property
    def most_usd(self) -> float:
        """What it costs if it is there for its whole lifetime, $."""
        return self.usd + self.usd_per_h * max(self.lifetime_h - self.hours, 0.0)


@dataclass(frozen=True, slots=True)
class RunningMachine:
    """A machine that a sweep has, for the plan of the jobs that are left.

    Attributes
    ----------
    planned : as it was planned; its `label` says which it is
    left_h : hours until it is gone at the latest
    busy_h : hours until its slots are free, on average
    """

    planned: PlannedMachine
    left_h: float
    busy_h: float = 0.0


@dataclass(frozen=True, slots=True)
class TradeOff:
    """What another deadline costs.

    Attributes
    ----------
    deadline_h : the deadline, kept as likely as the plan's
    usd : expected cost
    hours : expected, until the last job has ended
    machines : how many
    """

    deadline_h: float
    usd: float
    hours: float
    machines: int


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """Machines for the jobs of a sweep.

    Attributes
    ----------
    machines : each with its jobs; every job is on one
    usd : expected cost of all
    hours : expected, until the last job has ended
    deadline_h : until which all are to have ended; None: no matter
    deadline_probability : how likely they have; None: without a deadline
    bound_usd : what no plan over these offers can cost less than
    separate_usd : what the jobs cost each on a machine of its own, the cheapest for it
    pareto : what other deadlines cost, the shortest first
    market : whose offers
    simulated : no such offers exist
    offers : how many were looked at
    """

    machines: tuple[PlannedMachine, ...]
    usd: float
    hours: float
    deadline_h: float | None
    deadline_probability: float | None
    bound_usd: float
    separate_usd: float
    pareto: tuple[TradeOff, ...]
    market: str
    simulated: bool
    offers: int

    @property
    def jobs(self) -> int:
        """How many jobs it has."""
        return sum(len(one.jobs) for one in self.machines)

    @property
    def gap(self) -> float:
        """How far the cost may be above the least that is possible, as a share."""
        return self.usd / self.bound_usd - 1.0 if self.bound_usd > 0.0 else 0.0

    @property
    def most_usd(self) -> float:
        """What it costs if every machine is there for its whole lifetime, $."""
        return sum(one.most_usd for one in self.machines)

    def to_document(self) -> dict[str, Any]:
        """Return it as JSON has it, versioned."""
        return {**document_of(self), "version": VERSION}

    @classmethod
    def from_document(cls, document: object) -> Self:
        """Return what a document holds.

        Raises
        ------
        advisor.base.errors.UsageError
            if it is torn, says what cannot be, or is of a newer advisor
        """
        found = _checked(cls, checked_version(document, VERSION))
        machines = tuple(map(_machine, found["machines"]))
        pareto = tuple(TradeOff(**_checked(TradeOff, one)) for one in found["pareto"])
        return replace(cls(**found), machines=machines, pareto=pareto)


def _machine(document: object) -> PlannedMachine:
    found = _checked(PlannedMachine, document)
    rates = tuple(Rate(**_checked(Rate, one)) for one in found["rates"])
    found["jobs"] = tuple(_text("jobs", one) for one in found["jobs"])
    return replace(PlannedMachine(**found), rates=rates)


def _checked(part: type[Any], document: object) -> dict[str, Any]:
    """Return the fields of a part, each of which is there and of its type."""
    found = arguments_of(part, document)
    needs(found, *(one.name for one in fields(part)))
    for one in fields(part):
        value = found[one.name]
        if value is None and str(one.type).endswith("| None"):
            continue
        check = _CHECKS[str(one.type).partition(" |")[0].partition("[")[0]]
        found[one.name] = check(one.name, value)
    return found


def _figure(name: str, value: object) -> float:
    number = arguments.finite(name, value)
    if number < 0.0:
        raise arguments.wrong(name, value, "a number from 0 on is expected")
    return number


def _whole(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise arguments.wrong(name, value, "a whole number from 0 on is expected")
    return value


def _text(name: str, value: object) -> str:
    return "" if value == "" else str(arguments.text(name, value))


def _list(name: str, value: object) -> tuple[Any, ...]:
    if not isinstance(value, tuple):
        raise arguments.wrong(name, value, "a list is expected")
    return value


_CHECKS: dict[str, Callable[[str, object], Any]] = {
    "float": _figure,
    "int": _whole,
    "str": _text,
    "bool": arguments.flag,
    "tuple": _list,
}
"""What checks a field of a plan, by the beginning of its type."""
