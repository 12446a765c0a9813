"""The page as one file: nothing in it is fetched, and nothing of an offer is obeyed.

Texts of offers come in through the templates, which escape them, and through JSON in
which no character can end the element that it stands in. A content security policy
names the page's own scripts and style by their hashes: nothing else runs or is loaded.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.report.page.charts import charts
from advisor.report.page.library import library, needed
from advisor.report.page.view import percent, price, rate, time, usd, view_of

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_HERE = Path(__file__).parent
_SCRIPTS = ("figures.js", "drawing.js", "table.js", "page.js")
_ESCAPES = str.maketrans(
    {character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}
)


def report(data: Mapping[str, Any]) -> str:
    """Return the page of a ranking as one file.

    Parameters
    ----------
    data : see `advisor.report.page.data`

    Raises
    ------
    advisor.base.errors.UsageError
        if the extra is not installed
    """
    needed()
    from markupsafe import Markup  # noqa: PLC0415  (the extra)

    sources = {"library": library(), "script": script(), "style": style()}
    allowed = {name: hash_of(source) for name, source in sources.items()}
    policy = (
        f"default-src 'none'; script-src {allowed['library']} {allowed['script']}; "
        f"style-src {allowed['style']}; base-uri 'none'; form-action 'none'"
    )
    template = environment().get_template("report.html")
    return template.render(
        **view_of(data),
        data=data,
        policy=policy,
        page_data=embedded(data),
        page_charts=embedded(charts()),
        # Files of ours and of the library: no text of anybody else is in them.
        **{name: Markup(source) for name, source in sources.items()},  # noqa: S704
    )


@cache
def environment() -> Environment:
    """Return the templates; they escape whatever is put into them.

    Raises
    ------
    advisor.base.errors.UsageError
        if the extra is not installed
    """
    needed()
    import jinja2  # noqa: PLC0415  (the extra)

    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(usd=usd, price=price, time=time, percent=percent, rate=rate)
    return found


@cache
def script() -> str:
    """Return the page's own script."""
    parts = [(_HERE / name).read_text(encoding="utf-8") for name in _SCRIPTS]
    return "".join(('"use strict";\n{\n', *parts, "}\n"))


@cache
def style() -> str:
    """Return the page's style."""
    return (_HERE / "page.css").read_text(encoding="utf-8")


def embedded(value: Any) -> Markup:
    """Return JSON that cannot end the element that it stands in."""
    from markupsafe import Markup  # noqa: PLC0415  (the extra)

    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return Markup(text.translate(_ESCAPES))  # noqa: S704  (nothing is left to escape)


def hash_of(source: str) -> str:
    """Return the hash of a script or a style, as a content security policy has it."""
    digest = hashlib.sha256(source.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
