"""A ranking as one sentence: what to rent, and what other yardsticks would have cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from advisor.base.figures import duration, figure
from advisor.base.units import SECONDS_PER_HOUR
from advisor.hardware.names import short_cpu_name
from advisor.ranking.offer import RankedOffer
from advisor.ranking.ranking import Ranking
from advisor.ranking.rivals import YARDSTICKS, Rival, Yardstick
from advisor.report.cells import clean, cut
from advisor.report.entries import number

_PICKS: Mapping[Yardstick, str] = {
    "dlperf_per_dollar": "pick by DLPerf per dollar",
    "price": "cheapest per hour",
}
_LACKING = "no offer states a DLPerf"
_TIMES = 2.0
"""Ratio from which a factor is easier to read than a percentage."""

_LONGEST_NAME = 30


def answer_document(ranking: Ranking) -> dict[str, Any] | None:
    """Return the answer of a ranking as JSON has it; None where no offer is left."""
    if not len(ranking):
        return None
    best = ranking[0]
    return {
        "text": answer_text(ranking),
        "offer_id": best.offer_id,
        "epoch_usd": number(best.cost_usd_per_epoch),
        "epoch_hours": number(best.epoch_h),
        "rivals": [_rival(ranking, by) for by in YARDSTICKS],
    }


def answer_text(ranking: Ranking) -> str:
    """Return the answer of a ranking, which has one offer at least, as a sentence."""
    best = ranking[0]
    doubt = " (it may fail to run)" if "start_doubtful" in best.flags else ""
    bid = number(best.bid_usd_per_h)
    verb = "Rent" if bid is None else f"Bid ${figure(bid, 3)}/h for"
    return (
        f"{verb} {best.offer_id} ({hardware(best)}): ${money(best.cost_usd_per_epoch)} "
        f"per epoch, {duration(best.epoch_h * SECONDS_PER_HOUR)}{doubt}; "
        f"{_beside(ranking)}."
    )


def hardware(offer: RankedOffer) -> str:
    """Return GPUs and CPU of an offer, such as ``4 x RTX 4070S, EPYC 9554``."""
    gpus = cut(clean(offer.name), _LONGEST_NAME)
    if offer.cpu_name is None:
        return gpus
    return f"{gpus}, {short_cpu(offer.cpu_name)}"


def short_cpu(name: str) -> str:
    """Return a CPU's name for people, no longer than one is."""
    return cut(short_cpu_name(cut(clean(name), 4 * _LONGEST_NAME)), _LONGEST_NAME)


def money(usd: float) -> str:
    """Return dollars in two digits, above a dollar in cents."""
    return f"{usd:,.2f}" if usd >= 1.0 else figure(usd, 2)


def _rival(ranking: Ranking, by: Yardstick) -> dict[str, Any]:
    """Return what is first by a yardstick, and what it would cost."""
    rival = ranking.rivals.get(by)
    first = None if rival is None else RankedOffer(ranking, rival.first)
    usable = None if rival is None else _usable(ranking, rival)
    return {
        "by": by,
        "offer_id": None if first is None else first.offer_id,
        "unusable": None if first is None else first.unusable,
        "usable_offer_id": None if usable is None else usable.offer_id,
        "epoch_usd": None if usable is None else number(usable.cost_usd_per_epoch),
        "cost_ratio": None if usable is None else number(_ratio(ranking, usable)),
        "misses": [] if usable is None else _misses(ranking, usable),
    }


def _usable(ranking: Ranking, rival: Rival) -> RankedOffer | None:
    return None if rival.usable is None else RankedOffer(ranking, rival.usable)


def _ratio(ranking: Ranking, offer: RankedOffer) -> float:
    return offer.cost_usd_per_epoch / ranking[0].cost_usd_per_epoch


def _misses(ranking: Ranking, offer: RankedOffer) -> list[str]:
    """Return what the user asks for and an offer does not keep."""
    policy, missed = ranking.policy, []
    if policy.deadline_h is not None and not offer.job_h <= policy.deadline_h:
        missed.append("deadline")
    if policy.budget_usd is not None and not offer.job_usd <= policy.budget_usd:
        missed.append("budget")
    return missed


def _beside(ranking: Ranking) -> str:
    """Return what the picks of the other yardsticks would cost."""
    picks = {by: rival for by in YARDSTICKS if (rival := ranking.rivals.get(by))}
    lacking = [] if "dlperf_per_dollar" in picks else [_LACKING]
    groups: dict[Rival, list[str]] = {}
    for by, rival in picks.items():
        groups.setdefault(rival, []).append(_PICKS[by])
    same, others = list[str](), list[tuple[str, str]]()
    for rival, names in groups.items():
        if rival.first == ranking[0].at:
            same += [f"the {name}" for name in names]
        else:
            name, *more = names
            also = "".join(f", also the {one}," for one in more)
            others.append((f"the {name}{also}", _said(ranking, rival)))
    parts = [f"it is also {' and '.join(same)}"] if same else []
    for at, (name, said) in enumerate(others):
        elided = at and said.startswith(_COSTS) and others[at - 1][1].startswith(_COSTS)
        if elided:
            parts[-1] += f", {name} {said.removeprefix(_COSTS)}"
        else:
            parts.append(f"{name} {said}")
    return "; ".join([*parts, *lacking])


_COSTS = "would cost "


def _said(ranking: Ranking, rival: Rival) -> str:
    """Say what becomes of who takes the first offer by a yardstick."""
    usable = _usable(ranking, rival)
    if rival.first == rival.usable and usable is not None:
        return _COSTS + _costs(ranking, usable)
    why = in_words(RankedOffer(ranking, rival.first).unusable or "")
    cannot = f"cannot run it ({why})"
    if usable is None:
        return cannot
    if usable.at == ranking[0].at:
        return f"{cannot}, and the first that can is this offer"
    return f"{cannot}, and the first that can {_COSTS}{_costs(ranking, usable)}"


def _costs(ranking: Ranking, offer: RankedOffer) -> str:
    """Say how much more an offer costs than the best, and what it does not keep."""
    missed = "".join(
        f" and miss the {one}" if one == "deadline" else f" and exceed the {one}"
        for one in _misses(ranking, offer)
    )
    fails = " and may fail to run" if "start_doubtful" in offer.flags else ""
    return f"{times(_ratio(ranking, offer))}{missed}{fails}"


def times(ratio: float) -> str:
    """Return a ratio of costs: ``34 % more``, ``2.1 times``, ``the same``."""
    if ratio >= _TIMES:
        return f"{figure(ratio, 2)} times"
    percent = round(100.0 * (ratio - 1.0))
    if percent == 0:
        return "the same"
    return f"{abs(percent)} % {'more' if percent > 0 else 'less'}"


def in_words(reason: str) -> str:
    """Return the reason for which an offer is left out, for people."""
    return reason.replace("_", " ").replace("gpu", "GPU").replace("cpu", "CPU")
