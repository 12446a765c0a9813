"""Pages from templates; every text that is put in is escaped."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from advisor.base.figures import figure

_FOLDER = Path(__file__).with_name("pages")


class Templates:
    """Renders pages.

    Parameters
    ----------
    form_token : stands in every form that writes
    """

    def __init__(self, form_token: str) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(_FOLDER),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters["figure"] = figure
        self._form_token = form_token

    def page(self, name: str, status: HTTPStatus, **shown: object) -> HTMLResponse:
        """Return an answer with a page.

        Parameters
        ----------
        shown : what its template is given
        """
        template = self._environment.get_template(name)
        return HTMLResponse(template.render(form_token=self._form_token, **shown), status)
