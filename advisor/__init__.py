"""Rank rented GPUs by what a completed epoch of a training costs on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from advisor.launch import rented
    from advisor.prediction import Prediction, predict

__all__ = ["Prediction", "__version__", "predict", "rented"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import what is public when it is asked for, so that `import advisor` is quick."""
    if name in {"Prediction", "predict"}:
        from advisor import prediction  # noqa: PLC0415

        return getattr(prediction, name)
    if name == "rented":
        from advisor import launch  # noqa: PLC0415

        return launch.rented
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
