"""What several commands do before their own work: load, plan, ask the market."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from advisor.app.context import Context
from advisor.app.markets import answer_of
from advisor.base.errors import UsageError
from advisor.cli.progress import ShowFirst, searching
from advisor.cli.specs import constraints, job_spec
from advisor.market.types import Answer, Query

if TYPE_CHECKING:
    from advisor.app.explain import Listing


def refuse_both(one: str, other: str) -> NoReturn:
    """Refuse two options that say different things of one figure.

    Raises
    ------
    UsageError
        always
    """
    message = f"{one} and {other} contradict each other: leave one out"
    raise UsageError(message)


def ask(
    context: Context,
    market: str | None,
    query: Query,
    max_age_s: float,
    stale_ok: bool,
    *,
    show_first: ShowFirst | None = None,
) -> Answer:
    """Ask the market that the user named, else the default one.

    Parameters
    ----------
    show_first : shows what has come on a terminal, where the rest takes a while
    """
    opened = context.open_market(market)
    place = getattr(opened, "origin", None)
    with searching(context.progress, place, show_first) as watcher:
        return answer_of(
            context,
            opened,
            query,
            max_age_s=max_age_s,
            stale_ok=stale_ok,
            watcher=watcher,
        )


def rank_all(context: Context, options: dict[str, Any]) -> Listing:
    """Rank all that the market shows, as the options of job, market and offers say."""
    from advisor.app.explain import Listing  # noqa: PLC0415  (not to rank)
    from advisor.app.rank import Ranker, RankSpec  # noqa: PLC0415  (not to fetch)

    spec = RankSpec(job_spec(options), constraints(options))
    asks = partial(
        ask,
        context,
        options["market"],
        max_age_s=options["max_age"],
        stale_ok=options["stale_ok"],
    )
    return Listing.of(Ranker.of(context, spec), asks)
