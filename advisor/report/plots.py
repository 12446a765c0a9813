"""What draws plots, which is an extra: whether it is there, and the files that it makes.

matplotlib and plotext are imported where something is drawn, and nowhere else.
"""

from __future__ import annotations

import importlib.util

from advisor.base.errors import UsageError
from advisor.base.resources import installing

EXTRA = "plots"


def need(library: str, what: str) -> None:
    """Refuse to draw without what draws, before there is work that would be lost.

    Parameters
    ----------
    library : name of the module
    what : is drawn

    Raises
    ------
    UsageError
        if it is not installed
    """
    if importlib.util.find_spec(library) is None:
        message = f"{what} needs {library}: {installing(EXTRA)}"
        raise UsageError(message)
