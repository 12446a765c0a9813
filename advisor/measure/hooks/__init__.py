"""The instrumentation of a training that is run unchanged.

What it says of it is in `observation`. It runs inside somebody else's program, where
advisor may not be installed: it imports nothing of advisor, needs the standard library of
Python 3.8, and touches PyTorch only once the program has imported it.
"""

from __future__ import annotations

from pathlib import Path

SITE = Path(__file__).parent / "site"
"""The folder that goes first on ``PYTHONPATH``: all that is in it is a ``sitecustomize``
that loads this package under a name of its own, so that nothing shadows a module of the
program."""
