"""The page of a ranking, as plain data for its template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from advisor.base.errors import AdvisorError, UsageError
from advisor.cost.assumptions import Assumptions
from advisor.cost.job import RENTALS, needed_disk_gb
from advisor.ranking.offer import RankedOffer
from advisor.ranking.policy import SORT_KEYS
from advisor.ranking.ranking import Ranking
from advisor.report.advised import advice_lines
from advisor.report.entries import Entry, entries, entry
from advisor.report.explained import cost_breakdown
from advisor.report.ranked import headline
from advisor.serve.asked import RANK, Asked, Pairs, to_copy
from advisor.serve.failing import status_of
from advisor.serve.offers import Held
from advisor.serve.served import Served

_ROWS = 20
_FIRST_WAIT_S = 3.0
"""How long a page waits for the market's first answer before it says that it does."""

OWN = ("offer", "rows")
"""Fields of the page beside those of the command: the offer that is looked at, and
``all`` where every row is shown."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """An offer that is looked at.

    Attributes
    ----------
    entry : its figures, as the JSON has them
    bill : line by line, as ``advisor explain --json`` has it
    advice : what holds it back, and what would help
    commands : to copy: what they do, and their words
    """

    entry: Entry
    bill: Sequence[Mapping[str, Any]]
    advice: Sequence[tuple[str, str]]
    commands: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class RankPage:
    """What the page of a ranking shows.

    Attributes
    ----------
    values : field -> what it holds
    usual : field -> what is taken where it holds nothing
    workloads : names to pick from
    held : what is known of the market
    status : of the answer
    line : what is wrong; ``""``: nothing
    notices : what there is to say beside the figures
    ranking : None where there is none
    """

    asked: Asked
    values: Mapping[str, str]
    usual: Mapping[str, float]
    workloads: Sequence[str]
    held: Held
    status: HTTPStatus = HTTPStatus.OK
    line: str = ""
    notices: Sequence[str] = ()
    headline: str = ""
    shown: Sequence[Entry] = ()
    left: int = 0
    chosen: Chosen | None = None
    command: str = ""
    rentals: Sequence[str] = RENTALS
    sorts: Sequence[str] = SORT_KEYS
    excluded: Mapping[str, int] = field(default_factory=dict)


def rank_page(served: Served, given: Pairs) -> RankPage:
    """Return the page that an address asks for; never raises what a user can meet."""
    fallback = Asked("rank", RANK, (("workload", served.workload),), {})
    try:
        asked = Asked.of("rank", RANK, given, OWN)
    except UsageError as error:
        return _failed(served, fallback, error)
    if "workload" not in asked.values():
        pairs = (("workload", served.workload), *asked.pairs)
        asked = Asked("rank", RANK, pairs, asked.own)
    try:
        return _page(served, asked)
    except AdvisorError as error:
        return _failed(served, asked, error)


def _page(served: Served, asked: Asked) -> RankPage:
    notices: list[str] = []
    ranker = served.ranker(asked, notices)  # before the market: it may take a while
    held = served.offers.wait(_FIRST_WAIT_S)
    frame = _frame(served, asked, held)
    if held.answer is None:
        return RankPage(**frame, **_problem(held))
    ranking, now = served.ranked(asked, ranker, held), served.context.now()
    if not ranking:
        from advisor.ranking.refused import nothing_left  # noqa: PLC0415  (as the CLI)

        raise nothing_left(ranking)
    top = None if asked.own.get("rows") == "all" else _ROWS
    shown = entries(ranking, top)
    offer = _looked_at(asked, ranking)
    return RankPage(
        **frame,
        notices=(*held.notices, *notices, *_stale(held)),
        headline=headline(ranking, now),
        shown=shown,
        left=len(ranking) - len(shown),
        chosen=_chosen(served, asked, offer),
        command=to_copy("rank", *asked.words(), *served.market_words()),
        excluded=ranking.excluded,
    )


def _failed(served: Served, asked: Asked, error: AdvisorError) -> RankPage:
    """Return the page of what cannot be, with the line that the command ends with."""
    try:
        line = served.command_line.line(error, ["rank", *asked.words()])
    except UsageError:  # the words themselves cannot be
        line = str(error)
    return RankPage(
        **_frame(served, asked, served.offers.held), status=status_of(error), line=line
    )


def _frame(served: Served, asked: Asked, held: Held) -> dict[str, Any]:
    """Return what every page has: the form, and how the market stands."""
    values = asked.values()
    return {
        "asked": asked,
        "values": values,
        "usual": _usual(served, values["workload"]),
        "workloads": _names(served),
        "held": held,
    }


def _names(served: Served) -> Sequence[str]:
    return sorted({*served.context.library.files(), served.workload})


def _usual(served: Served, name: str) -> Mapping[str, float]:
    """Return the profile's own figures; none where there is no such profile."""
    library = served.context.library
    if name != served.workload and name not in library.files():
        return {}
    try:
        workload = library.load(name)
    except UsageError:
        return {}
    return {
        "epochs": workload.epochs,
        "batch": workload.batch_size,
        "disk": needed_disk_gb(workload, Assumptions()),
    }


def _problem(held: Held) -> dict[str, Any]:
    """Return what a page without offers says of it."""
    if held.problem is None:
        return {}
    return {"status": status_of(held.problem), "line": str(held.problem)}


def _stale(held: Held) -> Sequence[str]:
    """Say why there is no newer answer, where one was asked for."""
    if held.problem is None:
        return ()
    return (f"the market could not be asked again: {held.problem}",)


def _looked_at(asked: Asked, ranking: Ranking) -> RankedOffer:
    """Return the offer that the address names, else the best.

    Raises
    ------
    AdvisorError
        if it is none, or no choice
    """
    named = asked.own.get("offer")
    if named is None:
        return ranking[0]
    if not (named.isascii() and named.isdecimal() and len(named) < 20):
        message = f"offer: {named[:40]!r} is no id of an offer: a number is expected"
        raise UsageError(message)
    return ranking.find(int(named))


def _chosen(served: Served, asked: Asked, offer: RankedOffer) -> Chosen:
    """Return what the page shows of one offer."""
    market, number = served.market_words(), str(offer.offer_id)
    commands = [
        (
            "Explain it in a terminal",
            to_copy("explain", number, *asked.words("explain"), *market),
        )
    ]
    if served.can_rent:
        words = (*asked.words("rent"), "--where", f"id={number}", *market)
        commands.insert(0, ("Rent it", to_copy("rent", *words)))
    return Chosen(
        entry(offer),
        cost_breakdown(offer),
        advice_lines(offer.advice(), offer.epoch_h),
        commands,
    )
