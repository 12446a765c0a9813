"""What happened, for whoever asks: the standard `logging`, once somebody has imported it.

Who only wants a result need not wait for that import. A program that sets up `logging`
has our records under the logger ``advisor``; on the command line ``-v`` shows them. No
record holds a key: what is logged of a request is its method, host and path.
"""

from __future__ import annotations

import sys

_INFO, _DEBUG = 20, 10
"""`logging.INFO` and `logging.DEBUG`."""


def happened(room: str, message: str, *values: object) -> None:
    """Log a step: a request, a file, a decision.

    Parameters
    ----------
    room : the logger is ``advisor.ROOM``
    message, values : as `logging.Logger.info` takes them
    """
    _log(_INFO, room, message, values)


def detail(room: str, message: str, *values: object) -> None:
    """Log what a step has come upon, for whoever looks for a fault."""
    _log(_DEBUG, room, message, values)


def _log(level: int, room: str, message: str, values: tuple[object, ...]) -> None:
    logging = sys.modules.get("logging")
    if logging is not None:
        logging.getLogger(f"advisor.{room}").log(level, message, *values, stacklevel=3)
