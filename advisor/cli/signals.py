"""What a scheduler sends ends a command as Ctrl-C does: in order."""

from __future__ import annotations

import signal
import threading
from types import FrameType


def interrupt_on_sigterm() -> None:
    """Let SIGTERM raise `KeyboardInterrupt`, so that what is held is released."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
