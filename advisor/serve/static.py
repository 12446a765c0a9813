"""What every page has in common: style and scripts, ours and those of the report page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response

from advisor.report.page.document import script, style
from advisor.report.page.library import library

if TYPE_CHECKING:
    from starlette.requests import Request

_HERE = Path(__file__).with_name("static")
_CSS, _JS = "text/css", "text/javascript"


@cache
def _own(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


_FILES: Mapping[str, tuple[str, Callable[[], str]]] = {
    "page.css": (_CSS, style),
    "serve.css": (_CSS, partial(_own, "serve.css")),
    "charts.js": (_JS, library),
    "page.js": (_JS, script),
    "live.js": (_JS, partial(_own, "live.js")),
    "sliders.js": (_JS, partial(_own, "sliders.js")),
}


async def static(request: Request) -> Response:
    """Answer with a style or a script."""
    found = _FILES.get(request.path_params["name"])
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    kind, read = found
    return Response(
        await run_in_threadpool(read), media_type=kind
    )  # making one takes a while
