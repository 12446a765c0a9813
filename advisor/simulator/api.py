"""The simulated API: which request goes where, who may ask, what goes wrong."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from advisor.simulator import endpoints, own
from advisor.simulator.calls import Answer, Call, Request, answer, text
from advisor.simulator.effects import afterwards, instead
from advisor.simulator.faults import UNFIT, Fault
from advisor.simulator.rate_limits import TokenBuckets
from advisor.simulator.refusal import RefusalError
from advisor.simulator.world import World

_REVOKED = "revoked"
Handler = Callable[[World, Call], Answer]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of the API.

    Attributes
    ----------
    method, path : of HTTP; the path is a pattern, its group the id
    operation : what it is about, see `faults.OPERATIONS`; ``""`` for the simulator's own
    handle : what it does
    is_open : whether it answers without a key
    by_instance : whether an instance's own key may ask, for itself
    """

    method: str
    path: re.Pattern[str]
    operation: str
    handle: Handler
    is_open: bool = False
    by_instance: bool = False


def _at(
    method: str,
    path: str,
    operation: str,
    handle: Handler,
    *,
    is_open: bool = False,
    by_instance: bool = False,
) -> Endpoint:
    pattern = re.compile(path.replace("ID", r"(\d{1,18})") + "/?")
    return Endpoint(method, pattern, operation, handle, is_open, by_instance)


_V0 = "/api/v0"
ENDPOINTS = (
    _at("POST", f"{_V0}/bundles", "search", endpoints.search, is_open=True),
    _at("GET", f"{_V0}/bundles", "search", endpoints.search_by_address, is_open=True),
    _at("PUT", f"{_V0}/search/asks", "search", endpoints.search_asks, is_open=True),
    _at("GET", f"{_V0}/users/current", "account", endpoints.account),
    _at("GET", f"{_V0}/ssh", "account", endpoints.ssh_keys),
    _at("POST", f"{_V0}/ssh", "account", endpoints.add_ssh_key),
    _at("PUT", f"{_V0}/asks/ID", "rent", endpoints.rent),
    _at("GET", "/api/v1/instances", "list", endpoints.instances),
    _at("GET", f"{_V0}/instances", "list", endpoints.retired),
    _at("GET", f"{_V0}/instances/ID", "show", endpoints.instance, by_instance=True),
    _at("PUT", f"{_V0}/instances/ID", "change", endpoints.change, by_instance=True),
    _at("DELETE", f"{_V0}/instances/ID", "release", endpoints.destroy, by_instance=True),
    _at("PUT", f"{_V0}/instances/bid_price/ID", "bid", endpoints.bid),
    _at("PUT", f"{_V0}/instances/reboot/ID", "change", endpoints.reboot),
    _at("PUT", f"{_V0}/instances/request_logs/ID", "account", endpoints.request_log),
    _at("POST", f"{_V0}/instances/ID/ssh", "account", endpoints.attach_ssh_key),
    _at("GET", f"{_V0}/benchmarks", "account", endpoints.benchmarks),
    _at("GET", "/__log/ID", "", own.log, is_open=True),
    _at("GET", "/__ledger", "", own.ledger),
    _at("GET", "/__events", "", own.events),
    _at("GET", "/__clock", "", own.clock),
    _at("POST", "/__clock", "", own.advance),
)


class Api:
    """Answers requests from a world.

    Parameters
    ----------
    world : what is asked about and acted on
    monotonic : a real clock, s, for the rate limits
    """

    def __init__(
        self, world: World, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._world = world
        self._monotonic = monotonic
        self._buckets = TokenBuckets()

    @property
    def date_unix_s(self) -> float:
        """The time that answers name, s since 1970.

        A clock that only runs faster, or stands still, is not named: whoever rehearses
        with one has a real clock, and would be refused for that.
        """
        clock = self._world.clock
        return clock.now() if clock.has_own_start else time.time()

    def handle(self, request: Request) -> Answer:
        """Return the answer to a request, a refusal included."""
        with self._world.looked_at():
            try:
                return self._handle(request)
            except RefusalError as refusal:
                return answer(refusal.body, refusal.status)

    def _handle(self, request: Request) -> Answer:
        endpoint, number = _find(request)
        call = self._known(request, endpoint, number)
        if not endpoint.operation:
            return endpoint.handle(self._world, call)
        if self._world.rate_limited:
            refusal = self._buckets.refusal(
                endpoint.operation, request.key or request.peer, self._monotonic()
            )
            if refusal is not None:
                return text(refusal, 429)
        fault = self._world.faults.strike(endpoint.operation)
        if fault is None:
            return endpoint.handle(self._world, call)
        if fault.effect == "revoke" and request.key is not None:
            raise _key_refused()
        doomed = _doomed(fault, call)
        if doomed is not None:
            return endpoint.handle(self._world, doomed)
        if not fault.after:
            return instead(fault, call)
        try:
            good = endpoint.handle(self._world, call)
        except RefusalError as refusal:
            good = answer(refusal.body, refusal.status)
        return afterwards(fault, call, good, self._world)

    def _known(self, request: Request, endpoint: Endpoint, number: int) -> Call:
        """Return the call of who asks, if they may.

        Raises
        ------
        RefusalError
            if there is no key, a wrong one, or one that may not do this
        """
        key = request.key
        if not endpoint.operation:
            if not (endpoint.is_open or self._world.lets_in(key)):
                raise _not_this_key()
            return Call(request, None, number=number)
        if key is None:
            if endpoint.is_open:
                return Call(request, None, number=number)
            raise RefusalError(401, "auth_error", "This action requires login")
        only = self._world.owner_of(key)
        if key.startswith(_REVOKED) or (only is not None and only.is_over):
            raise _key_refused()
        if only is None and not self._world.lets_in(key):
            raise _not_this_key()
        if only is None:
            return Call(request, self._world.account(key), number=number)
        if not endpoint.by_instance or number != only.instance_id:
            raise RefusalError(403, "auth_error", "This key lacks the permission")
        owner = self._world.account_by_id(only.account_id)
        return Call(request, owner, only, number)


def _doomed(fault: Fault, call: Call) -> Call | None:
    """Return a rental that goes well for now, None where the fault is none of those."""
    if fault.effect == "never-starts":
        return replace(call, never_starts=True)
    if fault.effect == "outbid":
        return replace(call, outbid_after_s=fault.seconds)
    if fault.effect == "slow-host":
        return replace(call, cpu_share=fault.share)
    misfit = UNFIT.get(fault.effect)
    return None if misfit is None else replace(call, misfit=misfit)


def _key_refused() -> RefusalError:
    return RefusalError(404, "auth_error", "Invalid user key")


def _not_this_key() -> RefusalError:
    return RefusalError(401, "auth_error", "Invalid user key")


def _find(request: Request) -> tuple[Endpoint, int]:
    """Return the endpoint of a request, and the id in its path.

    Raises
    ------
    RefusalError
        if there is no such address, or it does not know the method
    """
    is_known = False
    for endpoint in ENDPOINTS:
        match = endpoint.path.fullmatch(request.path)
        if match is not None:
            is_known = True
            if endpoint.method == request.method:
                return endpoint, int(match[1]) if match.groups() else 0
    if is_known:
        raise RefusalError(405, "method_not_allowed", f"not {request.method}")
    raise RefusalError(404, "not_found", "The simulated market has no such address")
