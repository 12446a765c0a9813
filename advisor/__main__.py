"""`python -m advisor` and the command `advisor`: Ctrl-C is 130 from the start."""

from __future__ import annotations

import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line and leave with the exit code that `errors` names."""
    try:
        from advisor.cli.main import run  # noqa: PLC0415  (takes a while: Ctrl-C)

        sys.exit(run())
    except KeyboardInterrupt:
        sys.stderr.write("advisor: interrupted\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
