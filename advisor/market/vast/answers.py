"""What an answer of Vast.ai means: a result, or the error that it stands for.

An answer of an unexpected shape is an error, never "none": a client that took the
empty answer of a retired endpoint for "no instances" went on renting.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from advisor.base.errors import (
    BadAnswerError,
    CreditError,
    KeyRefusedError,
    MarketError,
    OfferGoneError,
    PlacementError,
    QuotaError,
    RentalStateUnknownError,
)
from advisor.market.lifecycle import Account, Instance
from advisor.market.reply import Reply, busy_error
from advisor.market.types import Record
from advisor.market.values import read_number
from advisor.market.vast.instances import contract_id, read_instance

_LONGEST_MESSAGE = 200
_LONGEST_TOKEN = 4096  # it goes into an address
_NO_KEY = "user key"
_NO_ASK = "no_such_ask"
_NO_INSTANCE = "no_such_instance"
_NO_MONEY = ("insufficient_credit", "spend_rate_limit")
_QUEUED = "state change queued"
_QUOTA = ("search_quota", "search quota")
_NOT_THERE = (
    HTTPStatus.OK,
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.GONE,
)
"""Statuses with which the market says that something is not there."""

_UNREAD = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.TOO_MANY_REQUESTS,
)
"""Statuses that a request gets before anybody acts on it, whatever the body says."""

_BEFORE_NEXT = "run 'advisor reconcile' before you rent again"
_SEARCH = "the search"


@dataclass(frozen=True, slots=True)
class ApiReply:
    """A reply with the text of its error.

    Attributes
    ----------
    reply : as it came
    error : its error in one plain line, the key taken out; ``""`` where it has none
    key_origin : where the key was found that was shown, None without one
    received_at : when it came (UTC)
    """

    reply: Reply
    error: str
    key_origin: str | None
    received_at: datetime

    @property
    def short_error(self) -> str:
        """Its error, short enough for a message."""
        return self.error[:_LONGEST_MESSAGE]

    def error_has(self, word: str) -> bool:
        """Say whether `word` is in its error."""
        return word in self.error.lower()

    @property
    def ahead_s(self) -> float | None:
        """Seconds by which our clock is ahead of the server's; None if it names no time.

        The server names whole seconds, and its reply was on the way for half of the time
        that the exchange took.
        """
        if self.reply.server_time is None:
            return None
        behind_s = (self.received_at - self.reply.server_time).total_seconds() - 0.5
        return behind_s - self.reply.took_s / 2.0


def without_secret(
    reply: Reply, secret: str | None, key_origin: str | None, received_at: datetime
) -> ApiReply:
    """Return a reply with the text of its error, from which a secret is taken out."""
    error = _error_text(reply)
    if secret is not None:
        error = error.replace(secret, "[key]")
    return ApiReply(reply, error, key_origin, received_at)


def _error_text(reply: Reply) -> str:
    """Return the text of a reply's error, in one plain line."""
    document = _json_or_none(reply)
    if not isinstance(document, dict):
        return ""
    words = [document.get(name) for name in ("error", "msg", "message")]
    text = ": ".join(word for word in words if isinstance(word, str))
    plain = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(plain.split())


def document_of(answer: ApiReply, what: str) -> dict[str, Any]:
    """Return the JSON object of an answer that is a success.

    Parameters
    ----------
    what : what was asked for, such as ``"the search"``, for the message

    Raises
    ------
    MarketError
        the error that it stands for otherwise, see `_refusal`
    """
    if answer.reply.status != HTTPStatus.OK:
        raise _refusal(answer, what)
    document = answer.reply.json()
    if not isinstance(document, dict):
        kind = type(document).__name__
        message = f"the market sent a JSON {kind} for {what}; update advisor"
        raise BadAnswerError(message)
    if "success" in document and document["success"] is not True:
        raise _refusal(answer, what)
    return document


def offers_of(answer: ApiReply) -> list[Record]:
    """Return the offers of a search's answer."""
    offers = document_of(answer, _SEARCH).get("offers")
    if not isinstance(offers, list):
        message = "the market's answer has no list of offers; update advisor"
        raise BadAnswerError(message)
    if not all(isinstance(offer, dict) for offer in offers):
        message = "the market's list has entries that are no offers; try again later"
        raise BadAnswerError(message)
    return offers


def is_too_much(answer: ApiReply) -> bool:
    """Say whether a search was refused for the number of rows that it asked for."""
    return answer.reply.status == HTTPStatus.BAD_REQUEST and answer.error_has("limit")


def account_of(answer: ApiReply) -> Account:
    """Return the account that the key belongs to."""
    document = document_of(answer, "the account")
    number = document.get("id")
    if type(number) is not int or number <= 0:
        message = "the market does not say whose key this is; update advisor"
        raise BadAnswerError(message)
    credit = read_number(document.get("credit"))
    return Account(str(number), credit if math.isfinite(credit) else None)


def rented_of(answer: ApiReply, offer_id: int) -> int:
    """Return the id of the instance that a rental made.

    Whatever else an answer says: a contract that it names may bill.

    Raises
    ------
    MarketError
        as `advisor.market.lifecycle.RentalMarket.rent` says
    """
    status, document = answer.reply.status, _json_or_none(answer.reply)
    fields = document if isinstance(document, dict) else {}
    contract = fields.get("new_contract")
    if contract is not None:
        clean = status < 300 and fields.get("success") is True and not fields.get("error")
        return _contract(answer, contract, clean=clean)
    reason = answer.short_error or f"HTTP {status}"
    if not _is_refused(answer, fields):
        message = f"nobody can say whether offer {offer_id} was rented: {reason}"
        raise RentalStateUnknownError(f"{message}; {_BEFORE_NEXT}")
    if answer.error_has(_NO_ASK) and status in _NOT_THERE:
        message = f"offer {offer_id} is gone: {reason}"
        raise OfferGoneError(message)
    if any(answer.error_has(word) for word in _NO_MONEY):
        message = f"the account cannot pay for offer {offer_id}: {reason}"
        raise CreditError(message)
    raise _refusal(answer, "the rental")


def _is_refused(answer: ApiReply, fields: Mapping[str, Any]) -> bool:
    """Say whether an answer without a contract says that none was made.

    Not so a 408 or 499, by which a gateway reports an answer that it did not get.
    """
    status = answer.reply.status
    if status == HTTPStatus.OK:
        return fields.get("success") is False
    if status in _UNREAD:
        return True
    is_refusal = 400 <= status < 500 and status not in (HTTPStatus.REQUEST_TIMEOUT, 499)
    return is_refusal and bool(answer.error)


def _contract(answer: ApiReply, contract: Any, *, clean: bool) -> int:
    """Return the contract that an answer names, if nothing else speaks against it."""
    try:
        number = contract_id(contract)
    except BadAnswerError as error:
        raise RentalStateUnknownError(f"{error}; {_BEFORE_NEXT}") from error
    if clean:
        return number
    reason = answer.short_error or f"HTTP {answer.reply.status}"
    message = f"the market made instance {number}, which cannot run: {reason}"
    raise PlacementError(message, number)


def instance_of(answer: ApiReply, instance_id: int) -> Instance | None:
    """Return the instance that was asked for, None if there is no such."""
    what = f"instance {instance_id}"
    if _is_gone(answer):
        return None
    document = document_of(answer, what)
    if "instances" not in document:
        message = f"the market's answer does not have {what}; update advisor"
        raise BadAnswerError(message)
    record = document["instances"]
    if record is None:
        return None
    instance = read_instance(record)
    if instance.instance_id != instance_id:
        message = f"the market sent instance {instance.instance_id} for {instance_id}"
        raise BadAnswerError(message)
    return instance


@dataclass(frozen=True, slots=True)
class InstancePage:
    """One page of the account's instances.

    Attributes
    ----------
    instances : in the market's order
    next_token : asks for the next page; None on the last
    total : instances of the account, as the market counts them; None where it does not
    """

    instances: list[Instance]
    next_token: str | None
    total: int | None


def instance_page_of(answer: ApiReply, rows_asked: int) -> InstancePage:
    """Return one page of the list of instances."""
    document = document_of(answer, "the list of instances")
    records = document.get("instances")
    if not isinstance(records, list):
        message = "the market's answer has no list of instances; update advisor"
        raise BadAnswerError(message)
    token, total = document.get("next_token"), document.get("total_instances")
    full = len(records) >= rows_asked
    is_one = isinstance(token, str) and len(token) <= _LONGEST_TOKEN
    if not (token is None or is_one) or (full and "next_token" not in document):
        message = "the market's list of instances does not name its next page"
        raise BadAnswerError(f"{message}; update advisor")
    return InstancePage(
        [read_instance(record) for record in records],
        token or None,
        total if type(total) is int else None,
    )


def check_released(answer: ApiReply, instance_id: int) -> None:
    """Raise unless an instance was destroyed, or was not there."""
    if not _is_gone(answer):
        check_done(answer, f"the release of instance {instance_id}")


def check_done(answer: ApiReply, what: str) -> bool:
    """Raise unless a change was made; say whether it is only queued."""
    if answer.reply.status == HTTPStatus.OK and answer.error_has(_QUEUED):
        return True  # whatever else it says: it is done later, and bills
    document = document_of(answer, what)
    if document.get("success") is not True:
        message = f"the market does not say that it made {what}; look at the instance"
        raise BadAnswerError(message)
    return False


def log_address_of(answer: ApiReply, instance_id: int) -> str:
    """Return where the log of an instance will lie."""
    what = f"the log of instance {instance_id}"
    address = document_of(answer, what).get("result_url")
    if not isinstance(address, str):
        message = f"the market does not say where {what} is; try again later"
        raise BadAnswerError(message)
    return address


def _is_gone(answer: ApiReply) -> bool:
    """Say whether an answer says that there is no such instance."""
    document = _json_or_none(answer.reply)
    if not isinstance(document, dict) or document.get("instances"):
        return False
    failed = document.get("success") is not True
    return failed and answer.error_has(_NO_INSTANCE) and answer.reply.status in _NOT_THERE


def _refusal(answer: ApiReply, what: str) -> MarketError:
    """Return the error that a reply stands for which is no success."""
    status, reason = answer.reply.status, answer.short_error
    if any(answer.error_has(word) for word in _QUOTA):
        return _used_up(answer)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return busy_error(answer.reply)
    forbidden = status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
    if forbidden or answer.error_has(_NO_KEY):
        origin = answer.key_origin
        refused = f"the key from {origin}" if origin else "a request without a key"
        message = f"the market refuses {refused}: {reason or status}"
        return KeyRefusedError(message)
    if status == HTTPStatus.NO_CONTENT:
        return BadAnswerError("the market sent an empty answer (HTTP 204); try again")
    if status == HTTPStatus.GONE:
        return MarketError(f"the market has retired {what}; update advisor")
    code = "" if status == HTTPStatus.OK else f" (HTTP {status})"
    return MarketError(f"the market refuses {what}{code}: {reason or 'no reason given'}")


def _used_up(answer: ApiReply) -> QuotaError:
    """Return the error of a daily quota of rows that is used up."""
    message, wait = "the market's daily quota is used up", answer.reply.retry_after_s
    if wait is not None:
        moment = answer.received_at + timedelta(seconds=wait)
        message += f" until {moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return QuotaError(message)


def _json_or_none(reply: Reply) -> Any:
    """Return the JSON of a reply, None where it is none."""
    try:
        return reply.json()
    except BadAnswerError:
        return None
