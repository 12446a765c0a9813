"""The charting library that a page carries: Vega, Vega-Lite and Vega-Embed in one script.

`vl-convert-python` brings it, so that nothing is fetched when the page is made or seen.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec

from advisor.base.errors import UsageError
from advisor.base.resources import installing

_NOTICE = """/*! Vega, Vega-Lite, Vega-Embed: Copyright University of Washington
Interactive Data Lab and contributors, BSD-3-Clause. D3: Copyright Mike Bostock, ISC.
Licenses: github.com/vega, github.com/d3 */
"""
"""Goes with the libraries wherever they go."""


def needed() -> None:
    """Refuse to begin where the extra is not installed.

    Raises
    ------
    advisor.base.errors.UsageError
        if it is not
    """
    if any(find_spec(name) is None for name in ("jinja2", "vl_convert")):
        message = f"the page needs its extra: {installing('page')}"
        raise UsageError(message)


@cache
def library() -> str:
    """Return the script; it sets ``vegaEmbed`` and takes a second or two to make.

    Raises
    ------
    advisor.base.errors.UsageError
        if the extra is not installed
    """
    needed()
    import vl_convert  # noqa: PLC0415  (the extra)

    script: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    # Nothing in it may end the element that it stands in; its names stay its own.
    safe = script.replace("</script", "<\\/script").replace("<!--", "<\\!--")
    return f"{_NOTICE}(()=>{{{safe}\n}})();"
