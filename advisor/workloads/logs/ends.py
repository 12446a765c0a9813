"""How a process ended, as far as its log shows it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from advisor.workloads.logs.text import Line

_FAILED = re.compile(
    r"^\s*(?:\[?rank\d+\]?:?\s*)?Traceback \(most recent call last\)"
    r"|\bOutOfMemoryError\b|\bCUDA out of memory\b|\bout of memory\b"
    r"|\bKilled\s*$|\b\d+\s+(?:Killed|Terminated|Aborted)\b|\bzsh: killed\b|oom-kill"
    r"|^\s*Terminated\s*$"
    r"|[Ss]egmentation fault|\bcore dumped\b|^\s*Bus error|^\s*Aborted\b"
    r"|\bterminate called\b|\bChildFailedError\b|\bCUDA error:|\bNCCL error\b"
    r"|\bexitcode\s*:\s*-?[1-9]|\bexit(?:ed)? (?:with )?(?:code|status) [1-9-]"
    r"|\bKeyboardInterrupt\b|\bCANCELLED AT\b|\bDUE TO TIME LIMIT\b"
    r"|\bNo space left on device\b|\b[Ll]oss is (?:nan|inf|infinite)\b.*stopp"
    r"|\bis killed by signal\b|\bDefunct\b|\bSIG(?:KILL|TERM|SEGV|ABRT)\b"
    r"|^\s*(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception)(?::|\s*$)"
)

_WORDS = (
    *("Traceback", "Error", "rror", "emory", "illed", "ault", "dumped", "Aborted"),
    *("erminate", "exit", "Interrupt", "CANCELLED", "LIMIT", "space left", "oss is"),
    *("signal", "Defunct", "SIG", "Exception", "oom-kill"),
)
"""One of these is in every line that `_FAILED` finds: most lines have none."""


def failures(lines: Sequence[Line]) -> list[int]:
    """Return the positions of the lines that show a process dying."""
    return [
        at
        for at, line in enumerate(lines)
        if any(word in line.text for word in _WORDS) and _FAILED.search(line.text)
    ]
