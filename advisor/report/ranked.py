"""A ranking as a document for programs, and what people are told beside its table."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from advisor.base.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, SECONDS_PER_MINUTE
from advisor.market.types import Answer
from advisor.ranking.ranking import Ranking
from advisor.report.answer import answer_document
from advisor.report.entries import Entry, basis, interval_of
from advisor.throughput.user_runs import Calibration

SCHEMA_VERSION = 1
"""Version of the JSON envelope; it rises when a key changes meaning or goes."""


def envelope(
    ranking: Ranking, shown: Sequence[Entry], generated_at: datetime
) -> dict[str, Any]:
    """Return the versioned JSON document of a ranking of a market's answer.

    Parameters
    ----------
    ranking : the ranking
    shown : the entries to show
    generated_at : now (UTC)
    """
    answer = _source(ranking)
    return {
        "schema_version": SCHEMA_VERSION,
        "generated_at": _utc(generated_at),
        "market": {
            "name": answer.market,
            "origin": answer.origin,
            "fetched_at": _utc(answer.fetched_at),
            "simulated": answer.simulated,
            "offers_read": ranking.read,
            "notes": list(answer.notes),
        },
        "complete": answer.complete,
        **basis(ranking),
        "sort": ranking.policy.sort,
        "excluded": dict(ranking.excluded),
        "answer": answer_document(ranking),
        "level": level(ranking),
        "offers": list(shown),
    }


def level(ranking: Ranking) -> dict[str, float] | None:
    """Return the factors of the costs shown within which all may be off together.

    They hold nine times in ten, and are the first offer's: what bounds another one may be
    off by less. None where no offer is left.
    """
    if not len(ranking):
        return None
    best = ranking[0]
    low, high = interval_of(best, ranking.comparison(1).level, 0)
    usd = best.cost_usd_per_epoch
    return {"low": low / usd, "high": high / usd}


def headline(ranking: Ranking, now: datetime, *, with_left_out: bool = True) -> str:
    """Return one line: which job and market, how old, how many read and left out, why.

    Parameters
    ----------
    with_left_out : say what is left out and why
    """
    answer = _source(ranking)
    simulated = ", simulated" if answer.simulated else ""
    parts = [f"market {answer.market} ({answer.origin}{simulated}), {age(answer, now)}"]
    parts.append(f"{ranking.read:,} offers read")
    job = ranking.job
    epochs = f"{job.epochs:,} epoch{'s' * (job.epochs != 1)}"
    parts.insert(0, f"{job.workload.name}, {epochs}, {job.rental}")
    if with_left_out:
        parts.append(left_out(ranking))
    if ranking.measured is not None:
        parts.append(calibrated(ranking.measured))
    if (known := ranking.tables.known) is not None:
        parts.append(f"{machines(known.count)} count{'s' * (known.count == 1)}")
    waiting = job.assumptions.waiting_usd_per_h
    if ranking.policy.sort == "balanced" and waiting > 0.0:
        parts.append(f"each hour of waiting counts ${waiting:.2g} in the order")
    if answer.complete is False:
        parts.append("the market may hold back more offers")
    return "; ".join([*parts, *answer.notes])


def left_out(ranking: Ranking) -> str:
    """Say how many offers are left out, and for which reasons."""
    out = sum(ranking.excluded.values())
    reasons = ", ".join(f"{name} {n:,}" for name, n in ranking.excluded.items())
    return f"{out:,} left out" + (f" ({reasons})" if reasons else "")


def sureness(ranking: Ranking, shown: Sequence[Entry], heads: Collection[str]) -> str:
    """Say how far all costs may be off together, and how sure their order is.

    Parameters
    ----------
    shown : the entries that are shown, one at least
    heads : of the columns that are shown, see `rank_table`; no other is told of
    """
    found = level(ranking) or {"low": 1.0, "high": 1.0}
    off = f"{found['low'] - 1.0:+.0%} to {found['high'] - 1.0:+.0%}".replace("%", " %")
    parts = [f"all costs may be off together by {off} (9 times in 10)"]
    if "interval" in heads:
        parts.append("'interval' is what each may be off beside that")
    places = {1, len(shown) - 1} if len(shown) > 1 else ()
    chances = [
        f"{'' if n else 'number 1 is cheaper '}than number {one['rank']} in {p:.0%}"
        f"{'' if n else ' of cases'}"
        for n, one in enumerate(shown[at] for at in sorted(places))
        if (p := one["first_cheaper"]) is not None
    ]
    if chances:
        parts.append(", ".join(chances).replace("%", " %"))
    if "#" in heads and any(one["tied_with"] is not None for one in shown):
        parts.append("~ cannot be told from the row above that has none")
    return "; ".join(parts)


def _source(ranking: Ranking) -> Answer:
    if ranking.source is None:
        message = "a ranking of no market's answer has no envelope and no headline"
        raise ValueError(message)
    return ranking.source


def calibrated(measured: Calibration) -> str:
    """Say how many runs of the user's own count, and why others do not."""
    own, others = measured.runs, measured.others
    runs = f"{own} run{'s' * (own != 1)}"
    of_others = f"{others} run{'s' * (others != 1)} of other workloads"
    parts = [of_others] if others and not own else [runs, *[of_others] * (others > 0)]
    return "; ".join([f"calibrated by {' and '.join(parts)}", *measured.silent])


def machines(count: int) -> str:
    """Say how many machines the user measured."""
    return f"{count} measured machine{'s' * (count != 1)}"


def _utc(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


_AGES = (
    ("days", SECONDS_PER_DAY),
    ("hours", SECONDS_PER_HOUR),
    ("minutes", SECONDS_PER_MINUTE),
)


def age(answer: Answer, now: datetime) -> str:
    """Return how old a market's answer is, in words."""
    if answer.fetched_at is None:
        return "age unknown"
    seconds = (now - answer.fetched_at).total_seconds()
    if seconds < 0:
        return "dated in the future"
    for unit, length in _AGES:
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit} old"
    return f"{seconds:.0f} seconds old"
