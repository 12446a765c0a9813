"""Rank rented GPUs by what a completed epoch of a training costs on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from advisor.app.predict import Prediction, predict
    from advisor.app.rented import rented

__all__ = ["Prediction", "__version__", "predict", "rented"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import what is public when it is asked for, so that `import advisor` is quick."""
    if name in {"Prediction", "predict"}:
        from advisor.app import predict as prediction  # noqa: PLC0415

        return getattr(prediction, name)
    if name == "rented":
        from advisor.app import rented as launch  # noqa: PLC0415

        return launch.rented
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
