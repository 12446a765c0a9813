"""From the first line of Python to PyTorch: nothing; from there on, all hooks."""

from __future__ import annotations

import atexit
import os
import sys
from typing import Any

from .imports import AfterImport
from .settings import Settings, settings


def begin() -> None:
    """Wait for PyTorch, if anything is asked."""
    asked = settings()
    if asked is not None:
        AfterImport("torch", lambda torch: _hook(torch, asked)).install()


def _hook(torch: Any, asked: Settings) -> None:
    """See to PyTorch as soon as it is imported; a failure is told and stops nothing."""
    try:
        _hook_all(torch, asked)
    except Exception as error:  # the program goes on without us
        print(  # noqa: T201  (there is nobody else to tell it)
            f"advisor profile: this PyTorch cannot be hooked ({error!r})", file=sys.stderr
        )


def _hook_all(torch: Any, asked: Settings) -> None:
    from . import hooks, redirect
    from .session import Session
    from .writing import Writing

    session = Session(torch, asked)
    writing = Writing(session)
    session.write = writing.now_and_then
    atexit.register(writing.at_the_end)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=session.begin_anew)
    see = session.notes.quietly
    steps = see("Steps of optimizers")
    hooks.hook_optimizers(steps(session.before_step), steps(session.after_step))
    hooks.hook_backward(torch, session.before_backward, session.after_backward)
    see("Gradient scalers")(hooks.hook_scaler)(session.scaled, session.steps_of)
    see("Use of torch.compile")(hooks.hook_compile)(torch, session.compiled)
    see("DataLoaders")(session.loaders.hook)(torch)
    see("Use of CUDA")(redirect.tell_cuda)(torch, session.cuda_asked)
    if asked.redirect and not torch.cuda.is_available():
        redirect.redirect_cuda(torch, session.redirected, session.autocast_asked)
