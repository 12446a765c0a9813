"""`python -m advisor` and the command `advisor`: Ctrl-C is 130 from the start."""

from __future__ import annotations

import gc
import sys
from contextlib import suppress
from typing import NoReturn

from advisor.base.interrupts import to_the_end

_COLLECT_AFTER = 100_000
"""Containers made before Python looks for garbage: a command makes many that last, and
looking through them at every 700th is a tenth of the time to a first answer."""


def main() -> NoReturn:
    """Run the command line and leave with the exit code that `errors` names."""
    try:
        to_the_end()
        gc.set_threshold(_COLLECT_AFTER)
        from advisor.cli.main import run  # noqa: PLC0415  (takes a while: Ctrl-C)

        status = run()
        gc.freeze()  # the end looks through nothing: another tenth of that time
        sys.exit(status)
    except KeyboardInterrupt:
        with suppress(AttributeError, OSError, ValueError):  # closed, or nobody reads
            sys.stderr.write("advisor: interrupted\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
