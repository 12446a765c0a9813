"""What the server answers from: one for all requests, put together when it starts."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace

from advisor.app.context import Context
from advisor.app.rank import Ranker
from advisor.app.rent import DEFAULT_MARKET
from advisor.base.errors import UsageError
from advisor.market.lifecycle import RentalMarket
from advisor.serve.asked import Asked, CommandLine, to_copy
from advisor.serve.looks import Looks
from advisor.serve.offers import MarketOffers
from advisor.serve.releases import Releases
from advisor.serve.session import Session
from advisor.serve.workers import Workers
from advisor.workloads.load import looks_like_path


@dataclass(frozen=True, slots=True)
class Served:
    """What the server answers from.

    Attributes
    ----------
    context : the outside world
    command_line : reads what a page asks for
    workload : name or file that the first page shows; other files are not read, since
        an address in a browser may be anybody's
    market : whose offers are ranked, as the command line has it; None: the default one
    offers : what it has
    rental_market : where machines are rented and released
    can_rent : whether the offers are of a market that rents
    releases : ends rentals there
    looks : what the account has there
    """

    context: Context
    command_line: CommandLine
    workload: str
    market: str | None
    offers: MarketOffers
    rental_market: str
    can_rent: bool
    releases: Releases
    looks: Looks
    session: Session = field(default_factory=Session)
    workers: Workers = field(default_factory=Workers)

    @classmethod
    def of(
        cls,
        context: Context,
        command_line: CommandLine,
        workload: str,
        market: str | None,
    ) -> Served:
        """Put together what the server answers from, and begin to ask the market.

        Raises
        ------
        UsageError
            if there is no such workload or market
        """
        context.library.load(workload)
        opened = context.open_market(market)
        can_rent = isinstance(opened, RentalMarket)
        rental_market = market if can_rent and market is not None else DEFAULT_MARKET
        offers = MarketOffers(context, market)
        offers.ask()
        return cls(
            context=context,
            command_line=command_line,
            workload=workload,
            market=market,
            offers=offers,
            rental_market=rental_market,
            can_rent=can_rent,
            releases=Releases(context, rental_market),
            looks=Looks(context, rental_market),
        )

    def close(self) -> None:
        """Let what has begun come to its end."""
        self.workers.close()
        self.releases.close()

    def ranker(self, asked: Asked, notices: list[str]) -> Ranker:
        """Return what ranks as an address asks for.

        Parameters
        ----------
        notices : takes what there is to say

        Raises
        ------
        UsageError
            if it cannot be right
        """
        spec = self.command_line.rank(self.command_line.words("rank", asked.pairs))
        name = spec.job.workload
        if name != self.workload and name not in self.context.library.files():
            path = self.context.folder / name
            if looks_like_path(name) or os.path.exists(path):  # noqa: PTH110  (never raises)
                message = (
                    f"{name!r} is a file: start 'advisor serve' with it, or name one of "
                    "'advisor workloads list'"
                )
                raise UsageError(message)
        return Ranker.of(replace(self.context, notify=notices.append), spec)

    def command(self, asked: Asked, command: str, *before: str, offer: str = "") -> str:
        """Return a command to copy that asks for the same.

        Parameters
        ----------
        before : words before its options
        offer : id of the offer that it is to take, where it chooses among several
        """
        market = () if self.market is None else (("market", self.market),)
        pairs = (*asked.pairs, *market, *[("id", offer)] * bool(offer))
        return to_copy(command, *before, *self.command_line.words(command, pairs))
