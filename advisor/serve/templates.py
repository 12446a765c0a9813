"""Pages from templates; every text that is put in is escaped."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path

from jinja2 import ChoiceLoader, FileSystemLoader
from starlette.responses import HTMLResponse

from advisor.base.figures import figure
from advisor.report.page.charts import charts
from advisor.report.page.document import embedded, environment

_FOLDER = Path(__file__).with_name("pages")


class Templates:
    """Renders pages: ours, on the base and with the parts of the report page.

    Parameters
    ----------
    form_token : stands in every form that writes
    """

    def __init__(self, form_token: str) -> None:
        report = environment()
        loaders = [FileSystemLoader(_FOLDER), report.loader or FileSystemLoader([])]
        self._environment = report.overlay(loader=ChoiceLoader(loaders))
        self._environment.filters = report.filters | {
            "figure": figure,
            "embedded": embedded,
            "sentence": _sentence,
        }
        self._environment.globals = {
            **report.globals,
            "form_token": form_token,
            "page_charts": embedded(charts()),
        }

    def text(self, name: str, **shown: object) -> str:
        """Return what a template makes of what it is given."""
        return self._environment.get_template(name).render(**shown)

    def page(self, name: str, status: HTTPStatus, **shown: object) -> HTMLResponse:
        """Return an answer with a page."""
        return HTMLResponse(self.text(name, **shown), status)


def _sentence(text: str) -> str:
    """Return a text that begins with a capital, the rest as it is."""
    return text[:1].upper() + text[1:]
