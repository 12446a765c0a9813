"""Vast.ai: its offers, searched past the market's cap, and rentals from first to last.

The one module that knows the addresses of the API. What its answers mean is in
`advisor.market.vast_answers`. Facts of the API: https://docs.vast.ai (November 2026).
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from advisor.clock import Clock
from advisor.errors import BadAnswerError, KeyRefusedError, MarketError
from advisor.market import vast_answers as answers
from advisor.market.columns import record_id
from advisor.market.http import (
    check_address,
    is_private,
    open_client,
    send_once,
    send_repeatable,
)
from advisor.market.keys import Key, find_key
from advisor.market.lifecycle import Account, Instance, Order, SelfRelease
from advisor.market.order import check_order, order_body
from advisor.market.pace import Pace, Turn
from advisor.market.paging import PagedSearch
from advisor.market.queries import ROWS_A_PAGE, list_params, search_body
from advisor.market.reply import Reply
from advisor.market.types import Answer, Query, Record, Surroundings

if TYPE_CHECKING:
    import httpx

DEFAULT_URL = "https://console.vast.ai"
_NAME = "vast"
DEADLINE_S = 60.0
KEY_VARIABLE = "CONTAINER_API_KEY"
"""Environment variable of an instance that has a key for itself alone."""

_READ_TIMEOUT_S = 20.0
_MOST_PAGES = 4000
_LOG_PAUSE_S = 1.0

_SEARCH = "/api/v0/bundles/"
_ACCOUNT = "/api/v0/users/current/"
_ASK = "/api/v0/asks/{}/"
_LIST = "/api/v1/instances/"
_INSTANCE = "/api/v0/instances/{}/"
_BID = "/api/v0/instances/bid_price/{}/"
_LOG = "/api/v0/instances/request_logs/{}/"
_SSH_KEY = "/api/v0/instances/{}/ssh/"


@dataclass(frozen=True, slots=True)
class Pulse:
    """One small answer of the market.

    Attributes
    ----------
    took_s : seconds that it took, the connection included
    ahead_s : seconds by which our clock is ahead of the market's, to half a second;
        None where the market does not say what time it is
    """

    took_s: float
    ahead_s: float | None


class VastMarket:
    """The live market. Threads may share it; it keeps to the market's pace.

    Parameters
    ----------
    key : the account's; None searches without one, and the market shows less
    base_url : where its API is
    transport : carries the requests; None for the network
    deadline_s : seconds that one call may take, waits included: a whole search, one
        page of the instances, one rental
    clock : time
    """

    def __init__(
        self,
        key: Key | None = None,
        base_url: str = DEFAULT_URL,
        transport: httpx.BaseTransport | None = None,
        *,
        deadline_s: float = DEADLINE_S,
        clock: Clock = Clock(),  # noqa: B008  (immutable)
    ) -> None:
        self.key = key
        self.base_url = check_address(base_url, has_key=key is not None)
        self._transport = transport
        self._deadline_s = deadline_s
        self._clock = clock
        self._pace = Pace(clock)

    @property
    def name(self) -> str:
        """``"vast"``; at another address that too, so that nobody takes them for one.

        What is kept of a market (prices, blocked machines) is kept under its name.
        """
        ours = self.base_url.rstrip("/") == DEFAULT_URL
        return _NAME if ours else f"{_NAME}@{self.address}"

    @property
    def address(self) -> str:
        """The host that is asked, with its port where it is not the usual one."""
        return urllib.parse.urlsplit(self.base_url).netloc

    @property
    def origin(self) -> str:
        """The host that is asked, for people."""
        return self.address if self.key else f"{self.address}, without a key"

    def search(self, query: Query) -> Answer:
        """Return the offers that match, cheapest first as the market lists them.

        The market may cut an answer without saying so: at 64 rows, at about 240,
        or at what was asked for. An answer of any other length, and of no round
        one, is whole. One that may be cut is followed by a search from its last
        price on (above it, where nothing else is new) until an answer is whole.

        The answer is complete if there is a key, the last search was whole, and
        the pages can be trusted: each in the order and from the price asked for,
        none with one price only, and a last look at the cheaper half of the
        first page showed nothing that was not there before. Without a key the
        market shows a part that is not even the cheapest. The answer to a question
        for one offer is complete whoever asks: that offer, or none.

        What ends the search after its first page, be it time or an error, leaves
        what was read: not complete, with a note.

        Raises
        ------
        MarketError
            if the market cannot be asked or its answer makes no sense
        """
        deadline = self._deadline()
        with self._client() as client:

            def page(bounds: Mapping[str, float]) -> list[Record]:
                request = client.build_request(
                    "POST", _SEARCH, json=search_body(query, bounds)
                )
                return answers.offers_of(self._ask(client, request, "search", deadline))

            if query.offer_id is not None:
                return self._answer(_the_one(page({}), query.offer_id), complete=True)
            search = PagedSearch(page)
            whole = search.run()
        records = [*search.offers.values(), *search.nameless]
        return self._answer(
            records, complete=whole and self.key is not None, notes=tuple(search.notes)
        )

    def pulse(self) -> Pulse:
        """Return how fast the market answers, and how far our clock is from its own.

        Any answer will do, so that no key is needed.
        """
        with self._client() as client:
            request = client.build_request("GET", _ACCOUNT)
            answer = self._ask(client, request, "account", self._deadline())
        reply, ahead_s = answer.reply, None
        if reply.server_time is not None:  # the middle of the second that it names
            behind_s = (answer.at - reply.server_time).total_seconds() - 0.5
            ahead_s = behind_s - reply.took_s / 2.0
        return Pulse(reply.took_s, ahead_s)

    def account(self) -> Account:
        """Return who rents; see `RentalMarket`."""
        return answers.account_of(self._send("account", "GET", _ACCOUNT))

    def self_release(self, instance_id_variable: str) -> SelfRelease:
        """Return the request by which an instance ends itself; see `RentalMarket`."""
        path = _INSTANCE.format(instance_id_variable)
        url = self.base_url.rstrip("/") + path
        return SelfRelease("DELETE", url, "{}", KEY_VARIABLE)

    def rent(self, order: Order) -> int:
        """Rent an offer; return the id of the instance; see `RentalMarket`.

        Raises
        ------
        UsageError
            if the order cannot be sent: nothing was
        """
        check_order(order)
        self._need_key()
        with self._client(self._deadline_s) as client:
            request = client.build_request(
                "PUT", _ASK.format(order.offer_id), json=order_body(order)
            )
            turn = Turn(self._pace, "rent")
            reply = send_once(client, request, self._deadline(), self._clock, turn)
        return answers.rented_of(self._told(reply), order.offer_id)

    def instance(self, instance_id: int) -> Instance | None:
        """Return one instance, None if there is no such; see `RentalMarket`."""
        path = _INSTANCE.format(instance_id)
        answer = self._send("show", "GET", path, params={"owner": "me"})
        return answers.instance_of(answer, instance_id)

    def instances(self, label_prefix: str = "") -> Sequence[Instance]:
        """Return the account's instances by their label; see `RentalMarket`.

        All are read, and the label is looked at here: a filter that the market
        did not understand would read as "none".
        """
        found: dict[int, Instance] = {}
        tokens: set[str] = set()
        token: str | None = None
        for _ in range(_MOST_PAGES):
            answer = self._send("list", "GET", _LIST, params=list_params(token))
            page = answers.instance_page_of(answer, ROWS_A_PAGE)
            found.update({one.instance_id: one for one in page.instances})
            token = page.next_token
            if token is None:
                if page.total is not None and len(found) < page.total:
                    message = f"the market lists {len(found)} of {page.total} instances"
                    raise BadAnswerError(f"{message}; try again")
                return [i for i in found.values() if i.label.startswith(label_prefix)]
            if token in tokens:
                break
            tokens.add(token)
        message = "the market's list of instances does not come to an end; try again"
        raise BadAnswerError(message)

    def release(self, instance_id: int) -> None:
        """End a rental for good; see `RentalMarket`."""
        answer = self._send("destroy", "DELETE", _INSTANCE.format(instance_id), body={})
        answers.check_released(answer, instance_id)

    def start(self, instance_id: int) -> bool:
        """Start a stopped instance; say whether that waits for a place on the machine.

        It then starts, and bills, whenever there is one.
        """
        return self._change(instance_id, {"state": "running"})

    def stop(self, instance_id: int) -> None:
        """Stop an instance: its disk goes on to bill."""
        self._change(instance_id, {"state": "stopped"})

    def relabel(self, instance_id: int, label: str) -> None:
        """Give an instance another label."""
        self._change(instance_id, {"label": label})

    def change_bid(self, instance_id: int, usd_per_hour: float) -> None:
        """Bid another price for an instance's GPU part, $/h."""
        body = {"client_id": "me", "price": usd_per_hour}
        answer = self._send("bid", "PUT", _BID.format(instance_id), body=body)
        answers.check_done(answer, f"the bid for instance {instance_id}")

    def attach_ssh_key(self, instance_id: int, public_key: str) -> None:
        """Let the owner of an ssh key into an instance."""
        path, body = _SSH_KEY.format(instance_id), {"ssh_key": public_key}
        answer = self._send("account", "POST", path, body=body)
        answers.check_done(answer, f"the ssh key of instance {instance_id}")

    def log(self, instance_id: int, tail: int = 1000) -> str:
        """Return the last lines that an instance printed.

        The market puts them in a file elsewhere, which is asked for without the key.
        """
        body = {"tail": str(tail)}
        answer = self._send("account", "PUT", _LOG.format(instance_id), body=body)
        address = answers.log_address_of(answer, instance_id)
        if not is_private(address):
            message = f"the log of instance {instance_id} lies where none is fetched from"
            raise BadAnswerError(message)
        deadline = self._deadline()
        turn = Turn(self._pace, "account")
        with open_client(address, None, _READ_TIMEOUT_S, self._transport) as client:
            while True:
                request = client.build_request("GET", address)
                reply = send_repeatable(client, request, deadline, self._clock, turn)
                if reply.status == HTTPStatus.OK:
                    return reply.body.decode("utf-8", "replace")
                if self._clock.monotonic() + _LOG_PAUSE_S >= deadline:
                    message = f"the log of instance {instance_id} does not come"
                    raise MarketError(f"{message}; try again later")
                self._clock.sleep(_LOG_PAUSE_S)

    def _change(self, instance_id: int, body: Mapping[str, str]) -> bool:
        answer = self._send("change", "PUT", _INSTANCE.format(instance_id), body=body)
        return answers.check_done(answer, f"the change of instance {instance_id}")

    def _send(
        self,
        kind: str,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> answers.Told:
        """Send a request of the account that does no harm twice, and read it whole."""
        self._need_key()
        with self._client() as client:
            request = client.build_request(method, path, params=params, json=body)
            return self._ask(client, request, kind, self._deadline())

    def _ask(
        self, client: httpx.Client, request: httpx.Request, kind: str, deadline: float
    ) -> answers.Told:
        turn = Turn(self._pace, kind)
        return self._told(send_repeatable(client, request, deadline, self._clock, turn))

    def _told(self, reply: Reply) -> answers.Told:
        secret, origin = (self.key.value, self.key.origin) if self.key else (None, None)
        return answers.told(reply, secret, origin, self._clock.now())

    def _client(self, timeout_s: float = _READ_TIMEOUT_S) -> httpx.Client:
        key = self.key.value if self.key else None
        timeout_s = min(timeout_s, self._deadline_s)
        return open_client(self.base_url, key, timeout_s, self._transport)

    def _deadline(self) -> float:
        return self._clock.monotonic() + self._deadline_s

    def _need_key(self) -> None:
        if self.key is None:
            message = (
                "only the owner of an account can do this, and there is no key: put it "
                "in VAST_API_KEY or in ~/.config/vastai/vast_api_key"
            )
            raise KeyRefusedError(message)

    def _answer(
        self, records: list[Record], *, complete: bool, notes: tuple[str, ...] = ()
    ) -> Answer:
        return Answer(
            records=records,
            market=self.name,
            origin=self.origin,
            fetched_at=self._clock.now(),
            complete=complete,
            notes=notes,
        )


def open_vast(surroundings: Surroundings) -> VastMarket:
    """Return the live market with the user's key, at ``VAST_URL`` if it is set."""
    variables = surroundings.variables
    url = variables.get("VAST_URL", "").strip() or DEFAULT_URL
    key = find_key(variables, surroundings.home)
    return VastMarket(key, url, surroundings.transport, clock=surroundings.clock)


def _the_one(offers: list[Record], offer_id: int) -> list[Record]:
    """Return the offer that was asked for, of an answer that has it or nothing."""
    found = [offer for offer in offers if record_id(offer) == offer_id]
    if offers and not found:
        message = f"the market sent other offers than {offer_id}; update advisor"
        raise BadAnswerError(message)
    return found
