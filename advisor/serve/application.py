"""The pages and forms of the server, as an application for an ASGI server.

What takes a while runs in `Workers`. Nothing is asked of a market to show a page but the
offers, once; what asks again, or ends a rental, is a form with our token.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from advisor.base.errors import AdvisorError
from advisor.report.failure import INTERNAL
from advisor.serve.calculated import speedup_page
from advisor.serve.failing import status_of
from advisor.serve.guard import STATIC, Guard, RefusedError, writing
from advisor.serve.ranked import rank_page
from advisor.serve.rented import open_jobs, rentals_page
from advisor.serve.served import Served
from advisor.serve.static import static
from advisor.serve.templates import Templates

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_RENTALS = "/rentals"

_MOMENT_S = 1.0
"""As long as a page that shows the answer waits for a market; then it shows that it is
being asked."""

Form = dict[str, str]
Answer = Callable[[Request], Awaitable[Response]]


def application(served: Served) -> ASGIApp:
    """Return the application that answers from `served`."""
    pages = _Pages(served)
    writes = partial(writing, served.session)
    routes = [
        Route("/", pages.rank),
        Route("/live", pages.live),
        Route("/speedup", pages.speedup),
        Route(_RENTALS, pages.rentals),
        Route("/market", writes(pages.ask_market), methods=["POST"]),
        Route(f"{_RENTALS}/look", writes(pages.look), methods=["POST"]),
        Route(f"{_RENTALS}/release", writes(pages.release), methods=["POST"]),
        Route(f"{STATIC}{{name}}", static),
    ]
    app = Starlette(
        routes=routes,
        exception_handlers={
            HTTPException: pages.no_page,
            RefusedError: pages.not_obeyed,
            AdvisorError: pages.failed,
            Exception: pages.fault,
        },
    )
    return Guard(app, served.session, pages.refused)


class _Pages:
    """Answers requests.

    Parameters
    ----------
    served : what it answers from
    """

    def __init__(self, served: Served) -> None:
        self._served = served
        self._templates = Templates(served.session.form_token)

    async def rank(self, request: Request) -> Response:
        """Show the ranking that the address asks for."""
        given = request.query_params.multi_items()

        def work() -> Response:
            page = rank_page(self._served, given)
            shown = {"page": page, "data": page.data, **page.view}
            return self._templates.page("rank.html", page.status, **shown)

        return await self._served.workers.run(work, request.is_disconnected)

    async def live(self, request: Request) -> Response:
        """Answer a form that moves: the figures, and the parts of the page with them."""
        given = request.query_params.multi_items()

        def work() -> Response:
            page = rank_page(self._served, given, whole=False)
            shown = {"page": page, "data": page.data, **page.view}
            document = {
                "data": page.data,
                "told": self._templates.text("_told.html", **shown),
                "form": self._templates.text("_job.html", **shown),
                "filters": page.data and self._templates.text("_scatter.html", **shown),
                "commands": [words for _, words in page.commands],
            }
            return JSONResponse(document, page.status)

        return await self._served.workers.run(work, request.is_disconnected)

    async def speedup(self, request: Request) -> Response:
        """Show the comparison that the address asks for."""
        given = request.query_params.multi_items()

        def work() -> Response:
            page = speedup_page(self._served, given)
            return self._templates.page("speedup.html", page.status, page=page)

        return await self._served.workers.run(work, request.is_disconnected)

    async def rentals(self, request: Request) -> Response:
        """Show what is rented, by the ledger."""
        with_closed = request.query_params.get("all") == "1"
        return await self._rentals(with_closed=with_closed)

    async def _rentals(self, *, with_closed: bool = False, refused: str = "") -> Response:
        def work() -> Response:
            page = rentals_page(self._served, with_closed=with_closed, refused=refused)
            status = HTTPStatus.BAD_REQUEST if refused else HTTPStatus.OK
            return self._templates.page("rentals.html", status, page=page)

        return await self._served.workers.run(work)

    async def ask_market(self, request: Request, form: Form) -> Response:  # noqa: ARG002
        """Ask the market for its offers anew; show the ranking that was shown."""
        self._served.offers.ask(max_age_s=0.0)
        query = form.get("query", "")
        return RedirectResponse(f"/?{query}" if query else "/", HTTPStatus.SEE_OTHER)

    async def look(self, request: Request, form: Form) -> Response:  # noqa: ARG002
        """Ask the market what the account has rented; show it."""
        looks = self._served.looks
        looks.look()
        await self._served.workers.run(partial(looks.wait, _MOMENT_S))
        return RedirectResponse(_RENTALS, HTTPStatus.SEE_OTHER)

    async def release(self, request: Request, form: Form) -> Response:  # noqa: ARG002
        """End the rentals of a job whose name was typed."""
        job, typed = form.get("job", ""), form.get("typed", "").strip()
        known = await self._served.workers.run(partial(open_jobs, self._served.context))
        rentals = dict(known)
        if job not in rentals:
            why = f"job {job[:80]!r} has no rental that may bill: nothing was released"
            return await self._rentals(refused=why)
        if typed != job:
            why = (
                f"nothing was released: type {job}, the name of the job, to end its "
                f"rentals; {typed[:80]!r} was typed"
            )
            return await self._rentals(refused=why)
        self._served.releases.begin(job, rentals[job])
        return RedirectResponse(_RENTALS, HTTPStatus.SEE_OTHER)

    def refused(self, request: Request, status: HTTPStatus, why: str) -> Response:  # noqa: ARG002
        """Say why a request is not let in."""
        return self._templates.page("message.html", status, line=why)

    async def not_obeyed(self, request: Request, error: Exception) -> Response:
        """Say why a form is not obeyed."""
        if not isinstance(error, RefusedError):
            raise error
        return self.refused(request, error.status, error.why)

    async def no_page(self, request: Request, error: Exception) -> Response:
        """Say that there is no such page."""
        status = HTTPStatus.NOT_FOUND
        if isinstance(error, HTTPException):
            status = HTTPStatus(error.status_code)
        return self.refused(request, status, status.phrase.lower())

    async def failed(self, request: Request, error: Exception) -> Response:
        """Say in a line what cannot be done."""
        if not isinstance(error, AdvisorError):
            raise error
        return self.refused(request, status_of(error), str(error))

    async def fault(self, request: Request, error: Exception) -> Response:
        """Say that this is a fault of ours; where it is stands in the terminal alone."""
        logging.getLogger("advisor.serve").error(
            "%s %s", request.method, request.url.path, exc_info=error
        )
        why = (
            f"{INTERNAL}: {type(error).__name__}; this is a fault of advisor: report it "
            "with what stands in the terminal of 'advisor serve'"
        )
        return self.refused(request, HTTPStatus.INTERNAL_SERVER_ERROR, why)
