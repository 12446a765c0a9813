"""Vast.ai: its offers, searched past the market's cap, and rentals from first to last.

The one module that knows the addresses of the API. What its answers mean is in
`advisor.market.vast.answers`. Facts of the API: https://docs.vast.ai (November 2026).
"""

from __future__ import annotations

import math
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from advisor.base.clock import Clock
from advisor.base.errors import BadAnswerError, KeyRefusedError, MarketError
from advisor.market.capabilities import Pulse
from advisor.market.http import (
    check_address,
    is_private,
    open_client,
    send_once,
    send_repeatable,
)
from advisor.market.lifecycle import Account, Instance, Order, SelfRelease
from advisor.market.rate_limit import CallLimiter, RateLimiter
from advisor.market.remembered import Memory
from advisor.market.reply import Reply
from advisor.market.types import Answer, Query, Unwatched, Watcher
from advisor.market.vast import answers
from advisor.market.vast.answers import ApiReply
from advisor.market.vast.intervals import RULES
from advisor.market.vast.key import KEY_PLACES, Key
from advisor.market.vast.listing import read_list
from advisor.market.vast.orders import check_order, order_body
from advisor.market.vast.queries import ROWS_A_PAGE, list_params
from advisor.market.vast.searching import Found, Searching

if TYPE_CHECKING:
    import httpx

DEFAULT_URL = "https://console.vast.ai"
ADDRESS = "VAST_URL"
"""Environment variable of another address."""

_NAME = "vast"
DEADLINE_S = 60.0
SEARCH_S = 180.0
"""Bound on one search: 30 pages at the documented six seconds per page, which at 64 rows
per page is more than the 1,343 offers of the whole market in August 2026."""

KEY_VARIABLE = "CONTAINER_API_KEY"
"""Environment variable of an instance that has a key for itself alone."""

_READ_TIMEOUT_S = 20.0
_LOG_PAUSE_S = 1.0

_SEARCH = "/api/v0/bundles/"
_ACCOUNT = "/api/v0/users/current/"
_ASK = "/api/v0/asks/{}/"
_LIST = "/api/v1/instances/"
_INSTANCE = "/api/v0/instances/{}/"
_BID = "/api/v0/instances/bid_price/{}/"
_LOG = "/api/v0/instances/request_logs/{}/"
_SSH_KEY = "/api/v0/instances/{}/ssh/"


class VastMarket:
    """The live market. Threads may share it; it keeps to the market's rate limits.

    Parameters
    ----------
    key : the account's; None searches without one, and the market shows less
    base_url : where its API is
    transport : carries the requests; None for the network
    deadline_s : seconds that one call may take, waits included: one page of a search or
        of the instances, one rental
    search_s : seconds that a whole search may take, as long as its pages come
    clock : time
    memory : what the market asked for in earlier runs; None to begin anew
    """

    def __init__(
        self,
        key: Key | None = None,
        base_url: str = DEFAULT_URL,
        transport: httpx.BaseTransport | None = None,
        *,
        deadline_s: float = DEADLINE_S,
        search_s: float = SEARCH_S,
        clock: Clock = Clock(),  # noqa: B008  (immutable)
        memory: Memory | None = None,
    ) -> None:
        self.key = key
        self.base_url = check_address(base_url, ADDRESS, has_key=key is not None)
        self._transport = transport
        self._deadline_s = deadline_s
        self._search_s = search_s
        self._clock = clock
        self._memory = memory or Memory()
        self._limiter = RateLimiter(RULES, clock, self._memory)
        self._ahead_s: float | None = None

    @property
    def ahead_s(self) -> float | None:
        """Seconds by which our clock was ahead; see `RentalMarket`."""
        return self._ahead_s

    @property
    def name(self) -> str:
        """``"vast"``; at another address that too, so that nobody takes them for one.

        What is stored of a market (prices, blocked machines) is stored under its name.
        """
        ours = self.base_url.rstrip("/") == DEFAULT_URL
        return _NAME if ours else f"{_NAME}@{self.address}"

    @property
    def address(self) -> str:
        """The host that is asked, with its port where it is not the usual one."""
        return urllib.parse.urlsplit(self.base_url).netloc

    @property
    def key_origin(self) -> str | None:
        """Where the key was found; see `KeyedMarket`."""
        return self.key.origin if self.key else None

    @property
    def key_places(self) -> str:
        """Where a key is put; see `KeyedMarket`."""
        return KEY_PLACES

    @property
    def origin(self) -> str:
        """The host that is asked, for people."""
        return self.address if self.key else f"{self.address}, without a key"

    def search(self, query: Query) -> Answer:
        """Return the offers that match, cheapest first as the market lists them.

        The market may cut an answer without saying so, see `advisor.market.vast.cuts`.
        One that is likely cut is read on, see `PagedSearch`; one that is doubtful is
        first asked for its dearest offers again. Any other one is whole.

        The answer is complete if there is a key and no page left anything out: each
        followed the part and the order asked for, and asking again for the cheapest
        offers brought nothing that was not there before; or each part of the market
        that was asked for apart came whole. Without a key the market shows a part
        that is not even the cheapest: it is read on only while the market lets us.
        The answer to a question for one offer is complete whoever asks: that offer,
        or none.

        Where time or an error ends the search after its first page, what was read is
        returned: not complete, with a note.

        Raises
        ------
        MarketError
            if the market cannot be asked or its answer makes no sense
        """
        return self.search_watched(query, Unwatched())

    def search_watched(self, query: Query, watcher: Watcher) -> Answer:
        """Return what `search` returns; the watcher hears of it meanwhile."""
        search_deadline = self._clock.monotonic() + self._search_s
        with self._client() as client:

            def send(body: Mapping[str, Any], patience_s: float) -> ApiReply:
                request = client.build_request("POST", _SEARCH, json=body)
                limiter = CallLimiter(self._limiter, "search", patience_s, watcher.waits)
                deadline = min(self._deadline(), search_deadline)
                return self._ask(client, request, limiter, deadline)

            def came(found: Found) -> None:
                watcher.comes(found.pages, self._answer(found))

            cuts = self._memory.read().cuts_at(self._unix_s())
            search = Searching(query, send, came, cuts, has_key=self.key is not None)
            found = search.run() if query.offer_id is None else search.the_one()
        if found.cut is not None:
            known = found.cut, self._unix_s()
            self._memory.change(lambda remembered: remembered.with_cut(*known))
        return self._answer(found)

    def pulse(self) -> Pulse:
        """Return how fast the market answers, and how far our clock is from its own.

        Any answer will do, so that no key is needed.
        """
        with self._client() as client:
            request = client.build_request("GET", _ACCOUNT)
            limiter = CallLimiter(self._limiter, "account")
            answer = self._ask(client, request, limiter, self._deadline())
        return Pulse(answer.reply.took_s, answer.ahead_s)

    def account(self) -> Account:
        """Return who rents; see `RentalMarket`."""
        answer = self._send("account", "GET", _ACCOUNT)
        return replace(answers.account_of(answer), ahead_s=answer.ahead_s)

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
            limiter = CallLimiter(self._limiter, "rent")
            reply = send_once(client, request, self._deadline(), self._clock, limiter)
        return answers.rented_of(self._read(reply), order.offer_id)

    def instance(self, instance_id: int) -> Instance | None:
        """Return one instance, None if there is no such; see `RentalMarket`."""
        path = _INSTANCE.format(instance_id)
        answer = self._send("show", "GET", path, params={"owner": "me"})
        return answers.instance_of(answer, instance_id)

    def instances(self, label_prefix: str = "") -> Sequence[Instance]:
        """Return the account's instances by their label; see `RentalMarket`.

        All are read, see `read_list`, and the label is compared here: a filter that the
        market did not understand would read as "none".
        """

        def read_page(token: str | None, deadline: float) -> answers.InstancePage:
            params = list_params(token)
            answer = self._send("list", "GET", _LIST, params=params, deadline=deadline)
            return answers.instance_page_of(answer, ROWS_A_PAGE)

        found = read_list(read_page, self._clock)
        return [one for one in found if one.label.startswith(label_prefix)]

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
            message = f"the log of instance {instance_id} is at an unsafe address"
            raise BadAnswerError(message)
        deadline = self._deadline()
        limiter = CallLimiter(self._limiter, "account")
        with open_client(address, None, _READ_TIMEOUT_S, self._transport) as client:
            while True:
                request = client.build_request("GET", address)
                reply = send_repeatable(client, request, deadline, self._clock, limiter)
                if reply.status == HTTPStatus.OK:
                    return reply.body.decode("utf-8", "replace")
                if self._clock.monotonic() + _LOG_PAUSE_S >= deadline:
                    message = f"the log of instance {instance_id} is not there yet"
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
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        deadline: float = math.inf,
    ) -> ApiReply:
        """Send a request of the account that does no harm twice, and read it whole."""
        self._need_key()
        with self._client() as client:
            request = client.build_request(method, path, params=params, json=body)
            deadline = min(self._deadline(), deadline)
            return self._ask(client, request, CallLimiter(self._limiter, kind), deadline)

    def _ask(
        self,
        client: httpx.Client,
        request: httpx.Request,
        limiter: CallLimiter,
        deadline: float,
    ) -> ApiReply:
        return self._read(
            send_repeatable(client, request, deadline, self._clock, limiter)
        )

    def _read(self, reply: Reply) -> ApiReply:
        secret, origin = (self.key.value, self.key.origin) if self.key else (None, None)
        answer = answers.without_secret(reply, secret, origin, self._clock.now())
        ahead_s = answer.ahead_s
        if ahead_s is not None:  # an answer of something on the way may not say it
            self._ahead_s = ahead_s
        return answer

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
                f"in {KEY_PLACES}"
            )
            raise KeyRefusedError(message)

    def _answer(self, found: Found) -> Answer:
        return Answer(
            records=found.records,
            market=self.name,
            origin=self.origin,
            fetched_at=self._clock.now(),
            complete=found.whole,
            notes=found.notes,
            bodies=found.bodies,
        )

    def _unix_s(self) -> float:
        return self._clock.now().timestamp()
