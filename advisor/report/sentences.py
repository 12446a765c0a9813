"""Answers in the words of the question, such as whether the CPU is a bottleneck."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from advisor.base.figures import duration, figure
from advisor.base.units import SECONDS_PER_HOUR
from advisor.ranking.offer import RankedOffer
from advisor.report.cells import clean, wrapped
from advisor.report.look import Look
from advisor.report.tables import Column, Fitted, fitted
from advisor.throughput.advice import Advice
from advisor.throughput.bottleneck import Bottleneck, Degree

_HUGE = 1e8
"""From here on digits say less than their number."""

_LEAST_ROOM = 20  # cells of a line that is wrapped

_ANSWERS: Mapping[Degree, str] = {
    "no": "No",
    "mild": "Mildly",
    "yes": "Yes",
    "unknown": "Unknown",
}


def bottleneck_answers(advice: Advice) -> list[str]:
    """Return whether the CPU is a bottleneck, and another part, a line each."""
    cpu = [one for one in advice.bottlenecks if one.part == "cpu"]
    others = [one for one in advice.bottlenecks if one.part != "cpu"]
    lines = [f"Is the CPU a bottleneck? {_of_cpu(one, advice)}" for one in cpu]
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


def help_lines(
    advice: Advice, samples_per_s: float, width: int | None, most: int | None = None
) -> list[str]:
    """Return what would help, in figures, the most effective change first.

    Parameters
    ----------
    samples_per_s : that the machine reaches
    width : cells of a line; None: any number
    most : changes that are shown at most; None: all
    """
    changes = advice.improvements[:most]
    if not changes:
        return ["Nothing would help but faster GPUs."]
    is_priced = changes[0].epoch_usd is not None
    columns = [
        Column("would help" + ", at this price" * is_priced, least=20),
        Column("samples/s", "right"),
        Column("more", "right"),
        Column("per epoch", "right", dispensable=1),
        *[Column("$/epoch", "right")] * is_priced,
    ]
    rows = [
        (
            one.change,
            figure(one.samples_per_s, 3),
            f"{100 * (one.samples_per_s / samples_per_s - 1.0):+.0f} %",
            time_text(one.epoch_h),
            *[amount(one.epoch_usd)] * is_priced,
        )
        for one in changes
    ]
    return without_rule(fitted(columns, rows, width, breaks_heads=False))


def without_rule(table: Fitted) -> list[str]:
    """Return the lines of a table but for the one below its heads, of one line each."""
    heads, _, *rows = table.text.splitlines()
    return [heads, *rows]


def paragraph(text: str, width: int | None, indent: int = 0) -> list[str]:
    """Return the lines of a text within a width, one where there is none.

    Parameters
    ----------
    indent : cells of the width that are taken
    """
    return [text] if width is None else wrapped(text, max(width - indent, _LEAST_ROOM))


def dollars(value: float) -> str:
    """Return an amount in cents, or in three digits below a dollar."""
    return amount(value) if 0.0 < value < 1.0 or value > _HUGE else f"{value:,.2f}"


def time_text(hours: float, digits: int = 2) -> str:
    """Return a time in a unit that people use, or as `amount` does."""
    if hours > _HUGE:
        return f"{amount(hours)} h"
    return duration(hours * SECONDS_PER_HOUR, digits)


def duration_span(low_h: float, high_h: float) -> str:
    """Return two times, the unit of both said once: 3.8 - 13 min."""
    low, high = time_text(low_h), time_text(high_h)
    number, _, unit = low.partition(" ")
    return f"{number if high.endswith(f' {unit}') else low} - {high}"


def amount(value: float | None, digits: int = 3) -> str:
    """Return a number in some digits, and one that nobody can read as a power of ten.

    A bid that is lost all the time has such a cost.
    """
    if value is not None and value > _HUGE:
        return f"{value:.0e}"
    return figure(value, digits)


def styled_answers(answers: str, advice: Advice, look: Look) -> list[str]:
    """Return the lines of answers, in the color of caution where one of them is yes."""
    lines = paragraph(answers, look.width)
    if any(one.degree == "yes" for one in advice.bottlenecks):
        return [look.style("caution", line) for line in lines]
    return lines


def _of_cpu(cpu: Bottleneck, advice: Advice) -> str:
    """Answer for the CPU, and say how many threads would do."""
    if cpu.degree == "unknown":
        enough = advice.enough_threads
        usual = "no number" if enough is None else f"about {enough}"
        return (
            "Unknown: neither its name nor its threads are given; "
            f"{usual} of a usual one's threads would do."
        )
    enough, threads = advice.enough_threads, advice.threads
    if cpu.degree == "no":
        do = "" if enough is None else f"; {_of_its(enough, threads)} would do"
        return f"No: it could feed {figure(cpu.headroom, 2)} x as much{do}."
    waits = f"{100 * cpu.gpu_waits:.0f} % of the time"
    answer = _ANSWERS[cpu.degree]
    more = _more_threads(enough, threads)
    return f"{answer}: the GPU waits {waits}, for {cpu.waits_for_in_words}; {more}."


def _of_its(enough: int, threads: float | None) -> str:
    """Return the threads that would do, of those that there are."""
    some = f"{enough} thread{'s' * (enough != 1)}"
    if threads is None or enough > threads:
        return some
    return f"{enough} of its {figure(threads, 3)} threads"


def _more_threads(enough: int | None, threads: float | None) -> str:
    """Return how many threads would do where it has too few, or that more are no help."""
    if enough is None or (threads is not None and enough <= threads):
        return "more threads are no help"
    has = "" if threads is None else f", it has {figure(threads, 3)}"
    return f"{_of_its(enough, threads)} would do{has}"


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
