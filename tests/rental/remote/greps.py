"""A machine whose ``grep`` is busybox's: of a line it sees the first text only."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_GREP = """\
#!/bin/sh
case "$*" in
*/environ*|*/cmdline*) exit 1 ;;  # what is looked for is in no process's first text
*/proc/*) exec {grep} "$@" ;;
esac
sed 's/\\x00.*//' | {grep} "$@"
"""


@contextmanager
def as_of_busybox(enter: Path, folder: Path) -> Iterator[None]:
    """Have a machine find such a grep while a block runs.

    Parameters
    ----------
    enter : file by which a simulated machine is entered
    folder : gets the program
    """
    program = folder / "grep"
    program.write_text(_GREP.format(grep=shutil.which("grep")))
    program.chmod(0o755)
    before = enter.read_text()
    line = f'export PATH=\'{folder}\':"$PATH"\ncd "$HOME"'
    enter.write_text(before.replace('cd "$HOME"', line))
    try:
        yield
    finally:
        enter.write_text(before)
