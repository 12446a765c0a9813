"""The script that a rented machine runs at every start: it ends itself in time.

A machine whose launcher, and the host that it ran on, are gone must not bill for ever.
The script lets the launcher's ssh key in and leaves a watchdog behind, which ends the
rental with the restricted key that the market gives every instance: when the lifetime is
over, or when no launcher has been heard for a while. It needs a POSIX shell and one of
curl, python3 or GNU's wget (that of busybox can ask for no release).

No clock of the machine is believed. The lifetime is counted by the uptime from the first
start, and what is left of it is set right by the market's time (the ``Date`` of its
answers, asked at each start and every ten minutes or so), never beyond that count. Only
where the market cannot be asked when the machine starts does its clock say how much is
left, if it shows a moment between the order and the end.

The watchdog is two processes, each of which begins the other anew. Of the folder
``~/.advisor`` on the machine these files are meant for others:

========== ======================================================================
end        when the machine ends, by the market's time, seconds since 1970
heartbeat  touched whenever a launcher is there
keep       while it is there no launcher is waited for; the end holds
========== ======================================================================
"""

from __future__ import annotations

import math
import re
from pathlib import Path

from advisor.base.errors import UsageError
from advisor.base.units import SECONDS_PER_DAY
from advisor.market.lifecycle import SelfRelease

LONGEST_SCRIPT = 4096
"""Characters that the market takes."""

_SCRIPT = Path(__file__).with_name("watchdog.sh")
_EVERY_S = 10
_LOOKS_AN_ANSWER = 60  # between two questions what time it is
_CLOCKS_DIFFER_S = 300.0
_LATE_S = 30 * SECONDS_PER_DAY  # assumption: later after its end no machine starts again
_FOR_PEOPLE = re.compile(r"^ *#.*\n|^ +", re.MULTILINE)


def onstart_script(
    release: SelfRelease,
    *,
    now: float,
    ends_at: float,
    heartbeat_s: float | None,
    public_key: str,
    every_s: int | None = None,
) -> str:
    """Return what the machine runs at every start.

    The end is kept when the machine restarts, and when its disk is made anew.

    Parameters
    ----------
    release : the request by which an instance ends itself
    now, ends_at : by the market's clock as the launcher knows it, seconds since 1970
    heartbeat_s : seconds without a sign of a launcher (`beats.beat`) after which the
        machine ends itself; None: it needs no launcher
    public_key : line that is let in by ssh
    every_s : seconds between two looks; None: ten, or a quarter of the wait
        for a launcher

    Raises
    ------
    UsageError
        if the script is longer than the market takes
    """
    every = every_s or _every_s(heartbeat_s)
    values = {
        "KEY": f"'{public_key.strip()}'",
        "END": f"{ends_at:.0f}",
        "EARLIEST": f"{now - _CLOCKS_DIFFER_S:.0f}",
        "LATEST": f"{ends_at + _LATE_S:.0f}",
        "LIFETIME": f"{max(ends_at - now, 0.0):.0f}",
        "HEARTBEAT": f"{heartbeat_s or 0.0:.0f}",
        "EVERY": str(every),
        "AGAIN": str(every * _LOOKS_AN_ANSWER),
        "METHOD": release.method,
        "URL": release.url,
        "BODY": release.body,
        "KEYVAR": release.key_variable,
    }
    template = _FOR_PEOPLE.sub("", _SCRIPT.read_text(encoding="ascii"))
    script = re.sub(r"@([A-Z]+)@", lambda match: values[match[1]], template)
    if len(script) > LONGEST_SCRIPT:
        message = f"the script of the machine is longer than {LONGEST_SCRIPT} characters"
        raise UsageError(message)
    return script


def _every_s(heartbeat_s: float | None) -> int:
    return max(int(min(_EVERY_S, (heartbeat_s or math.inf) / 4.0)), 1)
