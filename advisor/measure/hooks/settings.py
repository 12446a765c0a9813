"""What is asked of the hooks, as the variables say it."""

from __future__ import annotations

import os
from typing import NamedTuple

from .observation import FOLDER, REDIRECT, SECONDS, STEPS


class Settings(NamedTuple):
    """What is asked.

    Attributes
    ----------
    folder : where documents go
    steps, seconds : after which the program is stopped; None: it is not
    redirect : what asks for CUDA runs on the CPU where there is none
    """

    folder: str
    steps: int | None = None
    seconds: float | None = None
    redirect: bool = False


def settings() -> Settings | None:
    """Return what is asked; None: nothing is to be hooked."""
    folder = os.environ.get(FOLDER, "")
    if not folder:
        return None
    return Settings(
        folder=folder,
        steps=int(_number(STEPS)) or None,
        seconds=_number(SECONDS) or None,
        redirect=os.environ.get(REDIRECT) == "1",
    )


def _number(name: str) -> float:
    """Return a variable's number; 0 where it has none."""
    try:
        return max(float(os.environ.get(name, "")), 0.0)
    except ValueError:
        return 0.0
