"""How a machine's thread ends, and what an error says of that."""

from __future__ import annotations

from typing import Literal

from advisor.base.errors import (
    MachineLeftError,
    OverBudgetError,
    ReleasedError,
    RemoteError,
    UnreachableError,
)
from advisor.fleet.bring import NoPythonError
from advisor.rental.presence import MachineLostError

Outcome = Literal[
    "done", "not_had", "lost", "unfit", "over", "released", "left", "stopped"
]
"""How a machine's thread ended: nothing was left for it; it could not be had; it was
lost; it cannot run the jobs; its time was over; somebody has released it; it was left as
it is; it was to stop."""


class UnfitError(RemoteError):
    """The machine cannot run the jobs, by no fault of its own."""


def words_of(error: BaseException) -> str:
    """Return why a machine ends, for people."""
    if isinstance(error, KeyboardInterrupt):
        return "the sweep is stopped"
    return " ".join(str(error).split()) or type(error).__name__


def meaning_of(error: BaseException) -> tuple[Outcome, bool]:
    """Return how a machine ends by an error, and whether its jobs can be stopped."""
    if isinstance(error, KeyboardInterrupt):
        return "stopped", True
    if isinstance(error, OverBudgetError):
        return "over", True
    if isinstance(error, ReleasedError):
        return "released", False
    if isinstance(error, UnfitError | NoPythonError):
        return "unfit", True
    if isinstance(error, MachineLostError | UnreachableError | MachineLeftError):
        return "lost", False
    return "lost", True
