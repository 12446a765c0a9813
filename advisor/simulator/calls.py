"""One request to the simulated API, and what is answered to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from advisor.simulator.accounts import Account
from advisor.simulator.contract import Contract
from advisor.simulator.refusal import invalid
from advisor.software.misfit import Misfit

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came.

    Attributes
    ----------
    method, path : of HTTP, the path decoded
    query : of the address
    body : bytes
    key : of the header Authorization; None without one
    peer : the client's address, for those without a key
    base_url : where the client reached us, for addresses in answers
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    key: str | None = field(default=None, repr=False)
    peer: str = ""
    base_url: str = ""

    def document(self) -> dict[str, Any]:
        """Return the body as a JSON object, an empty one where there is none.

        Raises
        ------
        RefusalError
            if it is anything else
        """
        return _object(self.body or b"{}", "the body")

    def asked(self, name: str, default: Any) -> Any:
        """Return a part of the address that is JSON.

        Raises
        ------
        RefusalError
            if it is no JSON
        """
        text = self.query.get(name)
        if text is None:
            return default
        try:
            return json.loads(text)
        except ValueError as error:
            message = f"{name} is no JSON"
            raise invalid(message) from error


@dataclass(frozen=True, slots=True)
class Call:
    """A request of somebody.

    Attributes
    ----------
    request : as it came
    account : of the key; None for a search without one
    only : the one instance that the key may touch; None for an account's own key
    number : the id in the path, 0 where there is none
    never_starts : a rental is accepted that never runs
    misfit : a rental is accepted of a machine that does not run the image, and why
    outbid_after_s : seconds after which somebody else bids more for what is rented
    cpu_share : a rental is accepted of a machine that gives this share of the CPU that
        is listed, from now on; None: as much as before
    """

    request: Request
    account: Account | None
    only: Contract | None = None
    number: int = 0
    never_starts: bool = False
    misfit: Misfit | None = None
    outbid_after_s: float | None = None
    cpu_share: float | None = None

    @property
    def owner(self) -> Account:
        """The account, where the endpoint has made sure that there is one."""
        assert self.account is not None  # noqa: S101
        return self.account


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back, and how.

    Attributes
    ----------
    status : of HTTP
    body : bytes
    kind : content type
    headers : further ones
    manner : ``""``; ``"reset"``: not at all; ``"drip"``: byte by byte
    pause_s : between the bytes of a drip
    """

    status: int
    body: bytes
    kind: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    manner: str = ""
    pause_s: float = 0.0

    def with_document(self, document: Any) -> Answer:
        """Return the same answer with another body."""
        return replace(self, body=encoded(document))


def answer(document: Any, status: int = 200) -> Answer:
    """Return an answer in JSON."""
    return Answer(status, encoded(document))


def text(words: str, status: int, kind: str = "text/plain; charset=utf-8") -> Answer:
    """Return an answer in plain text, or as a web page."""
    return Answer(status, words.encode(), kind)


def encoded(document: Any) -> bytes:
    """Return JSON; NaN and Infinity pass, as on the real market."""
    return json.dumps(document, separators=(",", ":")).encode()


def _object(content: bytes, what: str) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        message = f"{what} is no JSON"
        raise invalid(message) from error
    if not isinstance(document, dict):
        message = f"{what} is no JSON object"
        raise invalid(message)
    return document
