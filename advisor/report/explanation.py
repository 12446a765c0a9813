"""One offer on one screen: the answer, the bill, the limits, what would help."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from advisor.base.figures import figure
from advisor.cost.hazard import failure_prior
from advisor.ranking.offer import RankedOffer
from advisor.ranking.one import Effect
from advisor.report.answer import hardware
from advisor.report.assumed import effect_lines
from advisor.report.bars import with_bars
from advisor.report.cells import clean
from advisor.report.entries import Entry, entry
from advisor.report.explained import cost_breakdown, host_memory
from advisor.report.formats import lines_of
from advisor.report.limits import limit_lines
from advisor.report.look import PLAIN, Look
from advisor.report.measured import measured_words
from advisor.report.ranked import calibrated
from advisor.report.sentences import (
    amount,
    bottleneck_answers,
    dollars,
    duration_span,
    help_lines,
    offer_answer,
    paragraph,
    styled_answers,
    time_text,
)
from advisor.throughput.advice import Advice

_RISKY = 0.01
"""Probability that the host's memory does not suffice from which it is worth a line."""


@dataclass(frozen=True, slots=True)
class _Detail:
    """How much is shown, so that it fits one screen.

    Attributes
    ----------
    small : share of the cost and of the time below which lines of the bill are shown as
        one
    limits, changes, assumptions : how many are shown at most
    """

    small: float
    limits: int
    changes: int
    assumptions: int


_DETAILS = (
    _Detail(0.002, 7, 5, 6),
    _Detail(0.01, 5, 3, 5),
    _Detail(0.02, 4, 3, 4),
    _Detail(0.05, 3, 2, 3),
    _Detail(0.1, 2, 1, 2),
    _Detail(0.3, 1, 1, 1),
)
"""From most to least."""

_SCREEN = 40
"""Lines that a screen has, about (assumption)."""


@dataclass(frozen=True, slots=True)
class _Screen:
    """One offer, and the lines that there are for it.

    Attributes
    ----------
    offer, advice, effects : what is known of it
    called : returns how the user's face calls a field
    look : where it is shown
    """

    offer: RankedOffer
    advice: Advice
    effects: Sequence[Effect]
    called: Callable[[str], str]
    look: Look

    def lines(self, detail: _Detail, *, every: bool) -> list[str]:
        """Return all sections, a blank line between two."""
        offer, look, width = self.offer, self.look, self.look.width
        one, answer = entry(offer), paragraph(offer_answer(offer), width)
        sections = [
            [
                *(look.style("answer", line) for line in answer),
                *_machine(offer, one, width),
            ],
            _bill(offer, detail.small, look),
            limit_lines(
                offer.limits,
                offer.ranking.tables.model.limits,
                offer.samples_per_s,
                look,
                most=detail.limits,
            ),
            _help(offer, self.advice, detail.changes, look),
            effect_lines(
                self.effects, self.called, width, most=detail.assumptions, every=every
            ),
            lines_of(_notes(offer, one), width).splitlines(),
        ]
        return [line for section in sections for line in ("", *section)][1:]


def explained_text(
    offer: RankedOffer,
    called: Callable[[str], str] = str,
    look: Look = PLAIN,
    *,
    all_assumptions: bool = False,
) -> str:
    """Return what is known of one offer, in as much detail as one screen holds.

    Parameters
    ----------
    called : returns how the user's face calls a field
    look : where it is shown
    all_assumptions : every assumption is listed with its source, on several screens
    """
    effects = offer.effects()
    screen = _Screen(offer, offer.advice(), effects, called, look)
    for detail in _DETAILS:
        lines = screen.lines(detail, every=all_assumptions)
        if all_assumptions or len(lines) <= _SCREEN:
            break
    return "\n".join(lines)


def _machine(offer: RankedOffer, one: Entry, width: int | None) -> list[str]:
    """Return what the machine is, and how sure the figures are."""
    cpu = "" if one["cpu_name"] else ", unknown CPU"
    price = (
        f"${figure(one['usd_per_hour'], 3)}/h {offer.ranking.job.rental} with its disk"
    )
    threads = f"{figure(one['cpu_cores'], 3)} threads"
    usd = _span(offer.cost_usd_per_epoch_low, offer.cost_usd_per_epoch_high)
    hours = duration_span(offer.epoch_h_low, offer.epoch_h_high)
    rate = _span(offer.samples_per_s_low, offer.samples_per_s_high)
    rows = [
        ("machine", f"{hardware(offer)}{cpu}, {threads}, {price}"),
        ("interval", f"90 %: ${usd} and {hours}, {rate} samples/s"),
    ]
    return lines_of(rows, width).splitlines()


def _bill(offer: RankedOffer, small_share: float, look: Look) -> list[str]:
    """Return the cost line by line, with its bars; small lines as one."""
    lines = [one for one in cost_breakdown(offer) if one["hours"] or one["usd"]]
    small = [one for one in lines if _is_small(one, offer, small_share)]
    if len(small) > 1:
        lines = [one for one in lines if one not in small]
        lines.append(_together(small))
    whole = offer.job_usd or 1.0
    rows = [_bill_row(one, one["usd"] / whole) for one in lines]
    total = {
        "label": "total",
        "hours": offer.job_h,
        "usd": offer.job_usd,
        "epoch_usd": offer.cost_usd_per_epoch,
    }
    return with_bars(
        ("bill", "hours", "$", "$/epoch", "share"),
        [*rows, _bill_row(total, 1.0)],
        ("left", "right", "right", "right", "right"),
        [*(one["usd"] / whole for one in lines), 0.0],
        look,
    )


def _is_small(line: Mapping[str, Any], offer: RankedOffer, share: float) -> bool:
    costs_little = line["usd"] < share * offer.job_usd
    return bool(costs_little and (line["hours"] or 0.0) < share * offer.job_h)


def _together(lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the sum of several lines of a bill as one."""
    sums = {
        key: sum(one[key] or 0.0 for one in lines)
        for key in ("hours", "usd", "epoch_usd")
    }
    return {"label": f"{len(lines)} smaller lines", **sums}


def _bill_row(line: Mapping[str, Any], share: float) -> tuple[str, ...]:
    """Return a line of the bill; hours that cost nothing have no dollars."""
    label, usd = line["label"], line["usd"]
    hours = "" if line["hours"] is None else amount(line["hours"])
    if not usd:
        return (label, hours, "", "", "")
    return (label, hours, dollars(usd), amount(line["epoch_usd"]), f"{100 * share:.0f} %")


def _help(offer: RankedOffer, advice: Advice, most: int, look: Look) -> list[str]:
    """Return whether the CPU is a bottleneck, and what would help, in figures."""
    answers = " ".join(bottleneck_answers(advice))
    lines = help_lines(advice, offer.samples_per_s, look.width, most)
    return [*styled_answers(answers, advice, look), *lines]


def _notes(offer: RankedOffer, one: Entry) -> list[tuple[str, str]]:
    """Return what else there is to know of it."""
    ranking = offer.ranking
    bill, at = ranking.bill, offer.at
    usual = failure_prior(ranking.job.assumptions).mean
    waiting_usd = one["epoch_waiting_usd"] * ranking.job.epochs
    rows = [
        ("failures", _failures(one, float(bill.failures_per_h[at]) * usual)),
        ("image", clean(one["image"] or "none of the job's runs there")),
        ("waiting", f"counts as ${dollars(waiting_usd)} in the order, in no cost above"),
    ]
    if one["host_ram_gb"] is None or one["host_ram_risk"] >= _RISKY:
        rows.append(("memory", host_memory(one)))
    if one["bid_usd_per_hour"] is not None:
        losses = f"{amount(one['expected_preemptions'], 2)} losses expected"
        rows.append(("bid", f"${figure(one['bid_usd_per_hour'], 3)}/h, {losses}"))
    if bill.planned_moves[at] > 0:
        stands = figure(float(bill.terms.stands_h[at]), 3)
        moves = amount(float(bill.planned_moves[at]))
        rows.append(("offer's end", f"stands {stands} h: {moves} planned moves"))
    if ranking.measured is not None:
        rows.append(("your runs", clean(calibrated(ranking.measured))))
    if ranking.tables.known is not None:
        rows.append(("your benches", measured_words(offer, ranking.tables.known)))
    if one["flags"]:
        rows.append(("flags", ", ".join(one["flags"])))
    return rows


def _failures(one: Entry, per_h: float) -> str:
    """Return the failures that are expected, at what rate, and what they lead to."""
    often = "none" if per_h == 0.0 else f"one in {figure(1.0 / per_h, 2)} h of running"
    count = amount(one["expected_failures"], 2)
    moves = amount(one["expected_moves"], 2)
    hours = one["checkpoint_hours"]
    every = "at the end" if hours is None else f"every {time_text(hours)}"
    return (
        f"{count} expected ({often}), and {moves} moves to other machines; "
        f"checkpoints {every}"
    )


def _span(low: float, high: float) -> str:
    return f"{amount(low)} - {amount(high)}"
