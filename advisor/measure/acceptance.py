"""Whether a machine that was rented and measured is kept, or the next one is taken.

Each component is judged against what is usual for its GPU or CPU (`verdict`). What a slow
one costs is carried through the model's own limits: a disk at half its rate costs nothing
where the disk does not hold the training back. The machine is given back where that pays:
what the job would cost less on the next offer must exceed what was paid here, and what it
costs to set up the next one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from advisor.base.units import SECONDS_PER_HOUR
from advisor.measure.alike import Seen, as_others
from advisor.measure.bench import BenchResult
from advisor.measure.offered import expected_of, other_cards
from advisor.measure.rate_left import rate_share
from advisor.measure.verdict import Verdict, judged
from advisor.ranking.offer import RankedOffer
from advisor.ranking.policy import Policy
from advisor.software.misfit import Misfit, Symptom

_LASTING = r"cores\.granted|gpu\d+\.model"

_OF_IMAGE: tuple[tuple[str, Misfit], ...] = (
    (r"gpu\d+\.architecture", "image_lacks_gpu"),
    (r"driver", "driver_too_old"),
    (r"gpus|gpu\d+\.(?:kernel|memory)", "gpu_error"),
)
"""Names of the bench's checks, and why a machine that fails one cannot run the job: in no
case its host is blamed."""


def misfit_of(
    result: BenchResult, num_gpus: int, before: BenchResult | None = None
) -> Symptom | None:
    """Return what keeps a machine from running the image, None if nothing is known to.

    Parameters
    ----------
    num_gpus : GPUs that were rented
    before : what the same machine showed a moment ago
    """
    for pattern, misfit in _OF_IMAGE:
        for check in result.checks:
            if check.ok is False and re.fullmatch(pattern, check.name):
                return Symptom(misfit, check.words)
    found = len(result.machine.gpus)
    # None at all: it has no program that would see them, unless it has just seen some.
    is_seen = found > 0 or (before is not None and len(before.machine.gpus) > 0)
    if is_seen and found < num_gpus:
        return Symptom("gpu_error", f"{found} of {num_gpus} GPUs are there")
    return None


def verdicts_of(
    result: BenchResult, candidate: RankedOffer, others: Sequence[Seen] = ()
) -> tuple[Verdict, ...]:
    """Return what is to be thought of each line of a machine that was rented.

    Two machines that do the same are as they are: what another one of its kind has as
    well is no fault, it is the expectation that is wrong.

    Parameters
    ----------
    candidate : its offer
    others : of machines that were measured for the same job before
    """
    expected = expected_of(result, candidate)
    found = (*judged(result, expected), *other_cards(result, candidate))
    return tuple(as_others(one, result, others) if one.is_fault else one for one in found)


def lasting(verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
    """Return verdicts with the faults alone that a second measurement cannot change."""
    return tuple(
        one if re.fullmatch(_LASTING, one.name) else replace(one, is_fault=False)
        for one in verdicts
    )


def better_of(first: BenchResult, second: BenchResult) -> BenchResult:
    """Return two results of one machine as one: each figure as high as it has been.

    What is judged are rates: whatever else ran on the host can only lower them.
    """
    lines = {line.name: line for line in first.lines}
    for line in second.lines:
        before = lines.get(line.name, line)
        lines[line.name] = max(before, line, key=lambda one: one.value)
    return replace(second, lines=tuple(lines.values()))


@dataclass(frozen=True, slots=True)
class Prospect:
    """A job on one offer, as far as moving there or staying there depends on it.

    Attributes
    ----------
    training_h : of the whole job, with nothing going wrong, h
    usd_per_h : price while it runs, with what waiting is worth, $/h
    set_up_usd : what it costs until the first step, $
    """

    training_h: float
    usd_per_h: float
    set_up_usd: float

    @classmethod
    def of(cls, offer: RankedOffer) -> Self:
        """Return what was predicted of an offer."""
        terms, at, job = offer.ranking.bill.terms, offer.at, offer.ranking.job
        waiting = job.assumptions.waiting_usd_per_h
        disk = float(terms.storage_usd_per_h[at]) + waiting
        usd_per_h = float(terms.gpu_usd_per_h[at]) + disk
        traffic_gb = terms.image_gb + terms.dataset_gb
        set_up_usd = (
            float(terms.pull_h[at]) * disk
            + float(terms.start_h[at]) * usd_per_h
            + traffic_gb * float(terms.download_usd_per_gb[at])
        )
        return cls(job.epochs * offer.epoch_h, usd_per_h, set_up_usd)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What a measured machine is worth, and whether it is kept.

    Attributes
    ----------
    verdicts : of its components
    rate_share : of the predicted throughput that it does, at most 1
    paid_s, paid_usd : for it until now
    saving_usd : what the rest of the job costs less on the next offer, once that is set
        up, of what slowness adds to it here; NaN where there is no other offer
    set_up_usd : what setting that up costs; NaN where there is none
    lost_usd : what moving on from other machines of the job has cost already
    breaks : the constraint of the user's that the job would break here, ``""`` for none
    next_breaks : that it would break on the next offer, after what was spent here
    """

    verdicts: tuple[Verdict, ...]
    rate_share: float
    paid_s: float
    paid_usd: float
    saving_usd: float
    set_up_usd: float
    lost_usd: float = 0.0
    breaks: str = ""
    next_breaks: str = ""

    @property
    def compared(self) -> int:
        """How many lines there was a figure to judge by."""
        return sum(not math.isnan(one.share) for one in self.verdicts)

    @property
    def faults(self) -> tuple[Verdict, ...]:
        """What is below what is usual, the worst first."""
        found = [one for one in self.verdicts if one.is_fault]
        return tuple(sorted(found, key=_share))

    @property
    def is_kept(self) -> bool:
        """Whether the job stays.

        Nothing is slow, there is no other offer, or moving costs more than it saves and
        the job still ends as the user wants it, or would not on the next offer either.
        Earlier moves count with what they cost: where machine after machine is slow, all
        moves together cost no more than the last one promises to save.
        """
        if not self.faults or math.isnan(self.saving_usd):
            return True
        moves_in_time = self.breaks and not self.next_breaks
        return self.saving_usd <= self.moving_usd and not moves_in_time

    @property
    def moving_usd(self) -> float:
        """What is paid for nothing if the job moves on, $; NaN where it cannot."""
        return self.lost_usd + self.paid_usd + self.set_up_usd

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "kept": self.is_kept,
            "rate_share": self.rate_share,
            "paid_s": self.paid_s,
            "paid_usd": self.paid_usd,
            "saving_usd": _known(self.saving_usd),
            "set_up_usd": _known(self.set_up_usd),
            "lost_usd": self.lost_usd,
            "breaks": self.breaks or None,
            "lines": [
                {
                    "name": one.name,
                    "unit": one.unit,
                    "measured": one.measured,
                    "expected": _known(one.expected),
                    "share": _known(one.share),
                    "fault": one.is_fault,
                    "words": one.words,
                }
                for one in self.verdicts
            ],
        }


def accepted(
    candidate: RankedOffer,
    following: RankedOffer | None,
    verdicts: Sequence[Verdict],
    paid_s: float,
    lost_usd: float = 0.0,
) -> Acceptance:
    """Return whether a machine is kept.

    Parameters
    ----------
    candidate : its offer
    following : the offer that the job would go to; None: there is none
    verdicts : of its components
    paid_s : seconds that it has billed for until now
    lost_usd : what moving on from other machines of the job has cost already
    """
    here = Prospect.of(candidate)
    share = rate_share(candidate, verdicts)
    saving = set_up = math.nan
    if following is not None:
        there = Prospect.of(following)
        usual_usd = max(
            here.training_h * here.usd_per_h, there.training_h * there.usd_per_h
        )
        saving = here.training_h / share * here.usd_per_h - usual_usd
        set_up = there.set_up_usd
    policy = candidate.ranking.policy
    paid_h = paid_s / SECONDS_PER_HOUR
    paid_usd = paid_h * candidate.price_usd_per_h
    more_h = here.training_h * (1.0 / share - 1.0)
    more_usd = more_h * candidate.price_usd_per_h
    breaks = next_breaks = ""
    if more_h > 0.0:
        breaks = _breaks(policy, candidate.job_h + more_h, candidate.job_usd + more_usd)
    if following is not None:
        spent_usd = paid_usd + lost_usd
        next_breaks = _breaks(
            policy, following.job_h + paid_h, following.job_usd + spent_usd
        )
    return Acceptance(
        verdicts=tuple(verdicts),
        rate_share=share,
        paid_s=paid_s,
        paid_usd=paid_usd,
        saving_usd=saving,
        set_up_usd=set_up,
        lost_usd=lost_usd,
        breaks=breaks,
        next_breaks=next_breaks,
    )


def _breaks(policy: Policy, job_h: float, job_usd: float) -> str:
    """Return which constraint a job of so long, and so dear, breaks, ``""`` for none."""
    if policy.deadline_h is not None and job_h > policy.deadline_h:
        return "deadline"
    if policy.budget_usd is not None and job_usd > policy.budget_usd:
        return "budget"
    return ""


def _share(verdict: Verdict) -> float:
    """Return what verdicts are sorted by: what is counted has no share, and is last."""
    return math.inf if math.isnan(verdict.share) else verdict.share


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
