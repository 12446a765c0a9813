"""What every request passes first, and what every answer says to the browser."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from advisor.base.loopback import called_in, is_loopback
from advisor.serve.session import Session

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

STATIC = "/static/"
"""What lies below is the same for everybody and tells nothing."""

_TOKEN = "token"  # noqa: S105  (the name, not the token)
_LONGEST_QUERY = 8192
"""Characters of an address: a form of ours has some 500."""

_LONGEST_BODY = 8192

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)

HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: browsers then send the Origin of our own forms as "null". Nothing
    # goes to others by this one either.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Of every answer."""

Refuse = Callable[[Request, HTTPStatus, str], Response]
"""Returns the page of a request that is refused, and why."""

NOT_KNOWN = (
    "this browser is not known here: open the address that 'advisor serve' printed in "
    "its terminal, or load this page again if that is what you have just done"
)


class Guard:
    """Lets in who is at this machine, in a browser that the terminal's owner opened.

    Parameters
    ----------
    app : what answers
    session : the secrets
    refuse : makes the page of a refusal
    """

    def __init__(self, app: ASGIApp, session: Session, refuse: Refuse) -> None:
        self._app = app
        self._session = session
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or have it answered."""
        if scope["type"] != "http":  # no WebSocket is ours
            return
        request = Request(scope, receive)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        answer: ASGIApp = self._refusal(request) or self._app
        await answer(scope, receive, with_headers)

    def _refusal(self, request: Request) -> Response | None:
        """Return what is answered in the application's stead; None: nothing."""
        host = request.headers.get("host", "")
        if not is_loopback(called_in(host)):
            name = repr(host[:80])
            why = f"this page answers at this machine's own address alone, not at {name}"
            return self._refuse(request, HTTPStatus.MISDIRECTED_REQUEST, why)
        if len(request.scope["query_string"]) > _LONGEST_QUERY:
            why = f"the address is longer than {_LONGEST_QUERY:,} characters"
            return self._refuse(request, HTTPStatus.REQUEST_URI_TOO_LONG, why)
        if request.method == "GET" and _TOKEN in request.query_params:
            return self._open(request)
        if request.url.path.startswith(STATIC):
            return None
        why = ""
        if not self._session.knows(request.cookies.get(self._session.cookie_name)):
            why = NOT_KNOWN
        elif request.method not in {"GET", "HEAD"} and not _is_own(request, host):
            why = "this comes from no page of this server"
        return self._refuse(request, HTTPStatus.FORBIDDEN, why) if why else None

    def _open(self, request: Request) -> Response:
        """Give a cookie for the token in an address, and an address without it."""
        if not self._session.opens(request.query_params[_TOKEN]):
            return self._refuse(request, HTTPStatus.FORBIDDEN, NOT_KNOWN)
        left = [one for one in request.query_params.multi_items() if one[0] != _TOKEN]
        target = f"/?{urlencode(left)}" if left else "/"  # never what the address says
        answer = RedirectResponse(target, HTTPStatus.SEE_OTHER)
        answer.set_cookie(
            self._session.cookie_name,
            self._session.cookie,
            httponly=True,
            samesite="strict",
        )
        return answer


def _is_own(request: Request, host: str) -> bool:
    """Say whether a page of ours sends this, by what only a browser can write.

    The ``Host`` was looked at before, so that it is what the browser shows, also where
    ssh forwards another port to ours.
    """
    site = request.headers.get("sec-fetch-site", "same-origin")
    return request.headers.get("origin") == f"http://{host}" and site == "same-origin"


class RefusedError(Exception):
    """A form that is not obeyed.

    Parameters
    ----------
    status : of the answer
    why : for people
    """

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


Written = Callable[[Request, dict[str, str]], Awaitable[Response]]


def writing(
    session: Session, answer: Written
) -> Callable[[Request], Awaitable[Response]]:
    """Return what answers a form, once the form has our token.

    Parameters
    ----------
    answer : takes the request, and the fields of its form

    Raises
    ------
    RefusedError
        later, if it has not, or is no form
    """

    async def checked(request: Request) -> Response:
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > _LONGEST_BODY:
                why = "this form is larger than any of ours"
                raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, why)
        fields = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        if not session.may_write(fields.pop(_TOKEN, "")):
            why = "this form is of an earlier run of the server: load the page again"
            raise RefusedError(HTTPStatus.FORBIDDEN, why)
        return await answer(request, fields)

    return checked
