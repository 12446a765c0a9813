"""The page of a ranking, as plain data for its template.

Its figures are those of the report page, `advisor.report.page`, whose templates, charts
and script it takes; what is added is the form, the commands to copy, and, for browsers
without scripts, the bill of the offer that the address names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from advisor.app.kept import Kept, kept_of
from advisor.base.errors import AdvisorError, UsageError
from advisor.cost.assumptions import Assumptions
from advisor.cost.job import RENTALS, needed_disk_gb
from advisor.ranking.offer import RankedOffer
from advisor.ranking.policy import SORT_KEYS
from advisor.ranking.ranking import Ranking
from advisor.report.advised import advice_lines
from advisor.report.entries import Entry, entry
from advisor.report.explained import cost_breakdown
from advisor.report.page.data import page_data
from advisor.report.page.view import view_of
from advisor.serve.asked import Asked, Pairs
from advisor.serve.failing import status_of
from advisor.serve.offers import Offers
from advisor.serve.served import Served

_FIRST_WAIT_S = 1.0
"""How long a page waits for the market's first answer before it says that it does."""

_MOST_OFFERS = 3000
"""As many as a page of `advisor report` has; the page says how many rank lower."""

_OFFER = "@offer@"
"""Stands for the id of an offer in a command."""

_FIRST_FIELDS = {"workload", "epochs", "disk", "batch", "deadline", "risk"}

OWN = ("offer",)
"""Fields of the page beside those of the command: the offer that is looked at."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The offer that is looked at.

    Attributes
    ----------
    entry : its figures, as the JSON has them
    bill : line by line, as ``advisor explain --json`` has it
    advice : what holds it back, and what would help
    """

    entry: Entry
    bill: Sequence[Mapping[str, Any]]
    advice: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class RankPage:
    """What the page of a ranking shows.

    Attributes
    ----------
    asked : for what
    values : field -> what it holds
    usual : field -> what is taken where it holds nothing
    workloads : names to pick from
    is_asked : whether the market is being asked
    status : of the answer
    line : what is wrong; ``""``: nothing
    notices : what there is to say beside the figures
    data : of the report page; None: there are no figures
    view : what its templates need beside these
    chosen : None without figures
    commands : to copy: what each is for, and its words, with ``@offer@`` in place of the
        id of the offer that is looked at
    """

    asked: Asked
    values: Mapping[str, str]
    usual: Mapping[str, float]
    workloads: Sequence[str]
    is_asked: bool
    status: HTTPStatus = HTTPStatus.OK
    line: str = ""
    notices: Sequence[str] = ()
    data: Mapping[str, Any] | None = None
    view: Mapping[str, Any] = field(default_factory=dict)
    chosen: Chosen | None = None
    commands: Sequence[tuple[str, str]] = ()
    rentals: Sequence[str] = RENTALS
    sorts: Sequence[str] = SORT_KEYS

    @property
    def is_detailed(self) -> bool:
        """Whether something is asked for that the form's first fields have not."""
        return not self.values.keys() <= _FIRST_FIELDS


def rank_page(served: Served, given: Pairs, *, whole: bool = True) -> RankPage:
    """Return the page that an address asks for; never raises what a user can meet.

    Parameters
    ----------
    whole : False: what the user's own store has is left out, which no figure depends on
    """
    fallback = Asked("rank", (("workload", served.workload),), {})
    try:
        asked = Asked.of(served.command_line, "rank", given, OWN)
    except UsageError as error:
        return _failed(served, fallback, error)
    if "workload" not in asked.values():
        pairs = (("workload", served.workload), *asked.pairs)
        asked = Asked("rank", pairs, asked.own)
    try:
        return _page(served, asked, whole=whole)
    except AdvisorError as error:
        return _failed(served, asked, error)


def _page(served: Served, asked: Asked, *, whole: bool) -> RankPage:
    notices: list[str] = []
    ranker = served.ranker(asked, notices)  # before the market: it may take a while
    offers, is_asked = served.offers.wait(_FIRST_WAIT_S)
    frame = _frame(served, asked, is_asked=is_asked)
    if offers.answer is None:
        return RankPage(**frame, **_problem(offers))
    ranking = ranker.rank(offers.answer)
    if not ranking:
        from advisor.ranking.refused import nothing_left  # noqa: PLC0415  (rarely)

        raise nothing_left(ranking)
    context = served.context
    kept = kept_of(context, ranking) if whole else Kept()
    shown = ranking[:_MOST_OFFERS]
    data = page_data(shown, context.now(), kept, context.models)
    return RankPage(
        **frame,
        notices=(*offers.notices, *notices, *_stale(offers)),
        data=data,
        view=view_of(data),
        chosen=_chosen(_looked_at(asked, ranking)),
        commands=_commands(served, asked),
    )


def _failed(served: Served, asked: Asked, error: AdvisorError) -> RankPage:
    """Return the page of what cannot be, with the line that the command ends with."""
    try:
        words = served.command_line.words("rank", asked.pairs)
        line = served.command_line.line(error, ["rank", *words])
    except UsageError:  # the words themselves cannot be
        line = str(error)
    is_asked = served.offers.wait().is_asked
    frame = _frame(served, asked, is_asked=is_asked)
    return RankPage(**frame, status=status_of(error), line=line)


def _frame(served: Served, asked: Asked, *, is_asked: bool) -> dict[str, Any]:
    """Return what every page has: the form, and how the market stands."""
    values = asked.values()
    return {
        "asked": asked,
        "values": values,
        "usual": _usual(served, values["workload"]),
        "workloads": sorted({*served.context.library.files(), served.workload}),
        "is_asked": is_asked,
    }


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


def _problem(offers: Offers) -> dict[str, Any]:
    """Return what a page without offers says of it."""
    if offers.problem is None:
        return {}
    return {"status": status_of(offers.problem), "line": str(offers.problem)}


def _stale(offers: Offers) -> Sequence[str]:
    """Say why there is no newer answer, where one was asked for."""
    if offers.problem is None:
        return ()
    return (f"the market could not be asked again: {offers.problem}",)


def _looked_at(asked: Asked, ranking: Ranking) -> RankedOffer:
    """Return the offer that the address names, else the best.

    An offer that is gone, or no choice, is no error: a slider may have left it out.

    Raises
    ------
    UsageError
        if it is no id of one
    """
    named = asked.own.get("offer")
    if named is None:
        return ranking[0]
    if not (named.isascii() and named.isdecimal() and len(named) < 20):
        message = f"offer: {named[:40]!r} is no id of an offer: a number is expected"
        raise UsageError(message)
    number = int(named)
    return next((one for one in ranking if one.offer_id == number), ranking[0])


def _chosen(offer: RankedOffer) -> Chosen:
    return Chosen(
        entry(offer), cost_breakdown(offer), advice_lines(offer.advice(), offer.epoch_h)
    )


def _commands(served: Served, asked: Asked) -> Sequence[tuple[str, str]]:
    """Return commands to copy: what each is for, and its words.

    None rents but where a person reads and confirms it in the terminal.
    """
    commands = [
        ("Explain this offer", served.command(asked, "explain", _OFFER)),
        ("Rank in a terminal", served.command(asked, "rank")),
    ]
    if served.can_rent:
        rent = ("Rent this offer", served.command(asked, "rent", offer=_OFFER))
        commands.insert(0, rent)
    return commands
