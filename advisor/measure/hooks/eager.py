"""Compiled nets run eagerly for a while, so that their operators can be seen."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import Any, Callable, Iterator


def eagerly(torch: Any) -> Any:
    """Return a context in which compiled nets run eagerly; what was compiled stays."""
    stance = getattr(getattr(torch, "compiler", None), "set_stance", None)
    if stance is not None:  # since PyTorch 2.6
        return stance("force_eager")
    return _without_frames()


@contextmanager
def _without_frames() -> Iterator[None]:
    """Keep Dynamo from running what it compiled, where it has no stance to set.

    Each compiled function hands its callback to Python as it is called, and takes it back
    after: it hands over none meanwhile.
    """
    frames = sys.modules.get("torch._dynamo.eval_frame")
    names = ("set_eval_frame", "maybe_set_eval_frame", "_maybe_set_eval_frame")
    originals = {name: getattr(frames, name) for name in names if hasattr(frames, name)}
    for name, original in originals.items():
        setattr(frames, name, _handing_none(original))
    try:
        yield
    finally:
        for name, original in originals.items():
            setattr(frames, name, original)


def _handing_none(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda _: original(None)
