"""Rank rented GPUs by what a completed epoch of a training costs on them.

What is named here is public; the modules below may move. It is imported when it is asked
for, so that `import advisor` is quick.

Examples
--------
>>> import advisor
>>> ranking = advisor.rank("resnet50", market="sample", gpus=["RTX 4090"])
>>> ranking[0].gpu_name
'RTX 4090'
>>> frame = ranking.to_frame()
>>> len(frame) == len(ranking)
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from advisor.app.context import Context
    from advisor.app.explain import explain
    from advisor.app.markets import fetch, open_market
    from advisor.app.predict import Prediction, predict
    from advisor.app.rank import rank
    from advisor.app.rented import AsyncMachine, rented
    from advisor.app.workloads import load_workload
    from advisor.base.errors import (
        AdvisorError,
        ArgumentError,
        BadAnswerError,
        CommandFailedError,
        CreditError,
        ExitStatus,
        KeyRefusedError,
        LeaseLostError,
        MachineLeftError,
        MarketError,
        NothingFitsError,
        NotSentError,
        NotShownError,
        OfferGoneError,
        OverBudgetError,
        PlacementError,
        QuotaError,
        RateLimitedError,
        RegistryError,
        ReleasedError,
        RemoteError,
        RentalStateUnknownError,
        ResultsLeftError,
        StoreError,
        StoreFullError,
        StoreTornError,
        TooMuchError,
        UnreachableError,
        UsageError,
    )
    from advisor.fleet.face import Cluster
    from advisor.market.types import Answer
    from advisor.ranking.offer import RankedOffer
    from advisor.ranking.ranking import Ranking
    from advisor.rental.machine import Machine
    from advisor.workloads.profile import Workload

__version__ = "0.1.0"

__all__ = [
    "AdvisorError",
    "Answer",
    "ArgumentError",
    "AsyncMachine",
    "BadAnswerError",
    "Cluster",
    "CommandFailedError",
    "Context",
    "CreditError",
    "ExitStatus",
    "KeyRefusedError",
    "LeaseLostError",
    "Machine",
    "MachineLeftError",
    "MarketError",
    "NotSentError",
    "NotShownError",
    "NothingFitsError",
    "OfferGoneError",
    "OverBudgetError",
    "PlacementError",
    "Prediction",
    "QuotaError",
    "RankedOffer",
    "Ranking",
    "RateLimitedError",
    "RegistryError",
    "ReleasedError",
    "RemoteError",
    "RentalStateUnknownError",
    "ResultsLeftError",
    "StoreError",
    "StoreFullError",
    "StoreTornError",
    "TooMuchError",
    "UnreachableError",
    "UsageError",
    "Workload",
    "__version__",
    "explain",
    "fetch",
    "load_workload",
    "open_market",
    "predict",
    "rank",
    "rented",
]

_FOUND_IN = {
    "Answer": "market.types",
    "AsyncMachine": "app.rented",
    "Cluster": "fleet.face",
    "Context": "app.context",
    "Machine": "rental.machine",
    "Prediction": "app.predict",
    "RankedOffer": "ranking.offer",
    "Ranking": "ranking.ranking",
    "Workload": "workloads.profile",
    "explain": "app.explain",
    "fetch": "app.markets",
    "load_workload": "app.workloads",
    "open_market": "app.markets",
    "predict": "app.predict",
    "rank": "app.rank",
    "rented": "app.rented",
}
"""Public name -> module; the others are errors."""


def __getattr__(name: str) -> Any:
    """Import what is public when it is asked for, and keep it."""
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    from importlib import import_module  # noqa: PLC0415  (not for `advisor -h`)

    module = import_module(f"{__name__}.{_FOUND_IN.get(name, 'base.errors')}")
    found = globals()[name] = getattr(module, name)
    return found


def __dir__() -> list[str]:
    """Return what is public, also what is not imported yet."""
    return sorted({*globals(), *__all__})
