"""Is the CPU a bottleneck? Answers in the words of the question, figures after them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from advisor.base.figures import duration, figure
from advisor.base.units import SECONDS_PER_HOUR
from advisor.ranking.offer import RankedOffer
from advisor.report.cells import clean
from advisor.throughput.advice import Advice
from advisor.throughput.bottleneck import Bottleneck, Degree

_HUGE = 1e8

_ANSWERS: Mapping[Degree, str] = {
    "no": "No",
    "mild": "Mildly",
    "yes": "Yes",
    "unknown": "Unknown",
}


def bottleneck_answers(advice: Advice, threads: float | None) -> list[str]:
    """Return whether the CPU is a bottleneck, and whether another part is, a line each.

    Parameters
    ----------
    threads : hardware threads of the machine; None: nobody says
    """
    cpu = [one for one in advice.bottlenecks if one.part == "cpu"]
    others = [one for one in advice.bottlenecks if one.part != "cpu"]
    lines = [f"Is the CPU a bottleneck? {_of_cpu(one, advice, threads)}" for one in cpu]
    rest = _of_others(others)
    return [*lines, rest] if rest else lines


def offer_answer(offer: RankedOffer) -> str:
    """Return in a sentence how long the job takes there and what it costs."""
    job, ranking = offer.ranking.job, offer.ranking
    took = time_text(offer.job_h, 3)
    each = time_text(offer.epoch_h)
    titles = {one.name: one.title for one in ranking.tables.model.limits}
    place = "not ranked, for another offer on its GPUs is better"
    if offer.rank is not None:
        place = f"rank {offer.rank:,} of {len(ranking):,}"
    what = f"{clean(job.workload.name)} ({job.epochs:,} epoch{'s' * (job.epochs != 1)})"
    job_usd = dollars(offer.job_usd)
    epoch_usd = amount(offer.cost_usd_per_epoch)
    bound_by = titles.get(offer.bound_by or "", "nothing that is known")
    return (
        f"Offer {offer.offer_id} finishes {what} in {took} for ${job_usd}: "
        f"${epoch_usd} and {each} per epoch, bound by {bound_by}; {place}."
    )


def dollars(value: float) -> str:
    """Return an amount in cents, or in three digits below a dollar."""
    return amount(value) if 0.0 < value < 1.0 or value > _HUGE else f"{value:,.2f}"


def time_text(hours: float, digits: int = 2) -> str:
    """Return a time in a unit that people use, or as `amount` does."""
    if hours > _HUGE:
        return f"{amount(hours)} h"
    return duration(hours * SECONDS_PER_HOUR, digits)


def amount(value: float | None, digits: int = 3) -> str:
    """Return a number in some digits, and one that nobody can read as a power of ten.

    A bid that is lost all the time has such a cost.
    """
    if value is not None and value > _HUGE:
        return f"{value:.0e}"
    return figure(value, digits)


def _of_cpu(cpu: Bottleneck, advice: Advice, threads: float | None) -> str:
    """Answer for the CPU, and say how many threads would do."""
    if cpu.degree == "unknown":
        enough = advice.enough_threads
        usual = "no number" if enough is None else f"about {enough}"
        return (
            "Unknown: neither its name nor its threads are given; "
            f"{usual} of a usual one's threads would do."
        )
    do = _would_do(advice.enough_threads, threads)
    if cpu.degree == "no":
        return f"No: it could feed {figure(cpu.headroom, 2)} x as much{do}."
    waits = f"{100 * cpu.gpu_waits:.0f} % of the time"
    answer = _ANSWERS[cpu.degree]
    return f"{answer}: the GPU waits {waits}, for {cpu.waits_for_in_words}{do}."


def _would_do(enough: int | None, threads: float | None) -> str:
    if enough is None:
        return ""
    if threads is None:
        return f"; {enough} threads would do"
    if enough <= threads:
        return f"; {enough} of its {figure(threads, 3)} threads would do"
    return f"; {enough} threads would do, it has {figure(threads, 3)}"


def _of_others(others: Sequence[Bottleneck]) -> str:
    """Answer for all other parts in one line, the worst first."""
    answers = []
    for one in sorted(others, key=lambda one: -one.gpu_waits):
        if one.degree in {"yes", "mild"}:
            waits = f"the GPU waits {100 * one.gpu_waits:.0f} % of the time"
            answers.append(f"{_begun(one.title)}? {_ANSWERS[one.degree]}: {waits}.")
    # What does not limit at all, such as the exchange of one GPU, is no question.
    free = [o.title for o in others if o.degree == "no" and math.isfinite(o.headroom)]
    unknown = [one.title for one in others if one.degree == "unknown"]
    if free:
        answers.append(f"{_begun(', '.join(free))}? {_ANSWERS['no']}.")
    if unknown:
        answers.append(f"{_begun(', '.join(unknown))}? {_ANSWERS['unknown']}.")
    return " ".join(answers)


def _begun(text: str) -> str:
    return text[:1].upper() + text[1:]
