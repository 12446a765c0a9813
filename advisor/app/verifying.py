"""A rented machine is measured before it is used: ``--verify`` of ``rent`` and ``run``.

It bills meanwhile, which is told before and after. What cannot be measured is told and
taken: it may be the image's doing, or ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from advisor.base.errors import AdvisorError, RemoteError
from advisor.base.progress import doing
from advisor.base.units import SECONDS_PER_HOUR
from advisor.market.lifecycle import Instance
from advisor.rental.context import RentalContext
from advisor.rental.refused import NotRented
from advisor.rental.remote.ssh import Ssh
from advisor.rental.request import Trial

if TYPE_CHECKING:
    from advisor.measure.acceptance import Acceptance
    from advisor.measure.alike import Seen
    from advisor.measure.bench import BenchResult
    from advisor.measure.verdict import Verdict
    from advisor.ranking.offer import RankedOffer


QUICK_S = 90.0
"""Seconds that the quick bench has on a machine: at $0.40/h they cost a cent, and each
part is repeated often enough for a median (assumption)."""

MOST_S = 210.0
"""Seconds after which a machine that has not ended it is taken as it is: to load PyTorch
from a cold, slow disk takes a minute or two (assumption)."""

_SHOWN = 3
"""Faults that are named in a line."""


class Verifier:
    """Measures the machines of one job, one after the other, and judges them.

    Parameters
    ----------
    context : where they are rented
    ssh_to : connects to an instance
    from_h : hours that the job is predicted to take on a machine from which that is
        measured
    lease_s : seconds without a sign of life after which a machine ends itself; None: it
        waits for none
    record : keeps what was measured of the machine of an offer
    """

    def __init__(
        self,
        context: RentalContext,
        ssh_to: Callable[[Instance], Ssh],
        from_h: float,
        lease_s: float | None,
        record: Callable[[RankedOffer, BenchResult], object],
    ) -> None:
        self._context = context
        self._ssh_to = ssh_to
        self._from_h = from_h
        self._lease_s = lease_s
        self._record = record
        self._seen: list[Seen] = []
        self._lost_usd = 0.0  # by machines that were given back

    seconds = QUICK_S
    """Seconds that measuring takes, about."""

    @property
    def words(self) -> str:
        """What is measured, for people."""
        whose = "each machine"
        if self._from_h > 0.0:
            whose = f"a machine on which the job takes {self._from_h:g} h and more"
        return (
            f"{whose} is measured before it is used, for about {self.seconds:.0f} s of "
            "its price"
        )

    def measures(self, offer: RankedOffer) -> bool:
        """Say whether the machine of an offer is measured."""
        return offer.job_h >= self._from_h

    def __call__(self, trial: Trial) -> NotRented | Mapping[str, Any] | None:
        """Return why a machine is given back, else what was measured of it."""
        if not self.measures(trial.candidate):
            return None
        price = trial.candidate.price_usd_per_h
        name = f"instance {trial.instance.instance_id}"
        self._context.notify(
            f"{name} is measured before it is used: about {self.seconds:.0f} s, "
            f"${self.seconds / SECONDS_PER_HOUR * price:.3f}; at most {MOST_S:.0f} s"
        )
        try:
            return self._tried(trial, self._measured(trial.instance), name)
        except RemoteError as error:
            self._context.notify(f"{name} is not measured, and taken as it is: {error}")
            return None

    def _tried(
        self, trial: Trial, found: BenchResult, name: str
    ) -> NotRented | Mapping[str, Any]:
        """Judge what was measured; measure what may have been a moment's once more."""
        from advisor.measure.acceptance import (  # noqa: PLC0415  (start-up)
            better_of,
            lasting,
            misfit_of,
            verdicts_of,
        )
        from advisor.measure.alike import Seen  # noqa: PLC0415  (start-up)

        if symptom := misfit_of(found, trial.candidate.num_gpus):
            return NotRented.by(symptom)
        verdicts = verdicts_of(found, trial.candidate, self._seen)
        came = self._weighed(trial, verdicts)
        if not came.is_kept and self._weighed(trial, lasting(verdicts)).is_kept:
            self._context.notify(f"{name} is measured once more: {_worst(came)}")
            again = self._again(trial.instance, name)
            if again and (symptom := misfit_of(again, trial.candidate.num_gpus, found)):
                return NotRented.by(symptom)
            found = better_of(found, again) if again else found
            verdicts = verdicts_of(found, trial.candidate, self._seen)
            came = self._weighed(trial, verdicts)
        self._seen.append(Seen(found, verdicts))
        try:
            self._record(trial.candidate, found)
        except AdvisorError as error:  # the machine is what counts
            self._context.notify(f"what was measured is not kept: {error}")
        return self._told(came, name)

    def _again(self, instance: Instance, name: str) -> BenchResult | None:
        """Measure a machine once more; None where that fails, which is told."""
        try:
            return self._measured(instance)
        except RemoteError as error:
            self._context.notify(f"{name} has its first figures alone: {error}")
            return None

    def _weighed(self, trial: Trial, verdicts: Sequence[Verdict]) -> Acceptance:
        """Return what a machine is worth that was paid for until now."""
        from advisor.measure.acceptance import accepted  # noqa: PLC0415  (start-up)

        following = trial.others[0] if trial.others else None
        paid_s = self._context.now() - trial.runs_since
        return accepted(trial.candidate, following, verdicts, paid_s, self._lost_usd)

    def _told(self, came: Acceptance, name: str) -> NotRented | Mapping[str, Any]:
        """Tell what came of a machine, and what was paid for it."""
        paid = f"{came.paid_s:.0f} s, ${came.paid_usd:.3f} paid"
        if not came.is_kept:
            self._lost_usd = came.moving_usd
            reason = f"{_worst(came)}: {_outlook(came)} ({paid})"
            return NotRented("slow", reason, came.document())
        if came.faults:
            how = "slow" if came.rate_share < 1.0 else "not as it should be"
            words = f"stays, though {how}: {_worst(came)}: {_outlook(came)}"
        else:
            words = (
                f"does what it should: {came.compared} of {len(came.verdicts)} figures "
                "could be compared with what is usual"
            )
        self._context.notify(f"{name} {words} ({paid})")
        return came.document()

    def _measured(self, instance: Instance) -> BenchResult:
        """Measure a machine, which hears from us meanwhile.

        Raises
        ------
        RemoteError
            if it cannot be measured
        """
        from advisor.measure.over_ssh import quick_bench  # noqa: PLC0415  (start-up)
        from advisor.rental.machine import heartbeats  # noqa: PLC0415  (start-up)

        ssh = self._ssh_to(instance)
        beats: AbstractContextManager[None] = nullcontext()
        if self._lease_s is not None:
            beats = heartbeats(ssh, self._context.notify, self._lease_s)
        with beats, doing(self._context.progress, "measuring the machine"):
            return quick_bench(ssh, QUICK_S, MOST_S)


def _worst(came: Acceptance) -> str:
    """Return what is slow, the worst first."""
    worst = "; ".join(f"{one.name} {one.words}" for one in came.faults[:_SHOWN])
    more = len(came.faults) - _SHOWN
    return f"{worst}; and {more} more" if more > 0 else worst


def _outlook(came: Acceptance) -> str:
    """Return what slow parts cost the job, and what moving would."""
    held = f"the job at {came.rate_share:.0%} of its predicted rate"
    if came.breaks:
        held = f"{held}, beyond its {came.breaks}"
    if math.isnan(came.saving_usd):
        return f"{held}, and there is no other offer to try"
    saves = f"saves ${came.saving_usd:.2f}" if came.saving_usd > 0.0 else "saves nothing"
    costs = f"moving costs ${came.moving_usd:.2f}"
    if came.lost_usd > 0.0:
        costs = f"{costs} with the moves before"
    return f"{held}; the next offer {saves}, {costs}"
