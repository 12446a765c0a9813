"""`python -m advisor` and the command `advisor`: Ctrl-C is 130 from the start."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import NoReturn

from advisor.base.interrupts import to_the_end


def main() -> NoReturn:
    """Run the command line and leave with the exit code that `errors` names."""
    try:
        to_the_end()
        from advisor.cli.main import run  # noqa: PLC0415  (takes a while: Ctrl-C)

        sys.exit(run())
    except KeyboardInterrupt:
        with suppress(AttributeError, OSError, ValueError):  # closed, or nobody reads
            sys.stderr.write("advisor: interrupted\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
