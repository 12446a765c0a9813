"""The script that a rented machine runs at every start: it ends itself in time.

A machine whose launcher, and the host that it ran on, are gone must not bill for ever.
The script lets the launcher's ssh key in and leaves a watchdog behind, which ends the
rental with the restricted key that the market gives every instance: when the lifetime is
over, or when no launcher has been heard for a while. It needs a POSIX shell and one of
curl, python3 or wget.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

from advisor.errors import UsageError
from advisor.market.lifecycle import SelfRelease

LONGEST_SCRIPT = 4096
"""Characters that the market takes."""

_SCRIPT = Path(__file__).with_name("watchdog.sh")
_EVERY_S = 30
_CLOCKS_DIFFER_S = 300.0
_STARTS_WITHIN_S = 4 * 3600.0
_COMMENT = re.compile(r"^\s*#.*\n", re.MULTILINE)


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

    The end is kept when the machine restarts. It is `ends_at` by the machine's clock, if
    that is about right when it first starts; else it is counted from then.

    Parameters
    ----------
    release : the request by which an instance ends itself
    now, ends_at : by the launcher's clock, seconds since 1970
    heartbeat_s : seconds without a sign of a launcher (`remote_job.RemoteJob.beat`)
        after which the machine ends itself; None: it needs no launcher
    public_key : line that is let in by ssh
    every_s : seconds between two looks; None: half a minute, or a quarter of the wait
        for a launcher

    Raises
    ------
    UsageError
        if the script is longer than the market takes
    """
    values = {
        "KEY": f"'{public_key.strip()}'",
        "END": f"{ends_at:.0f}",
        "EARLIEST": f"{now - _CLOCKS_DIFFER_S:.0f}",
        "LATEST": f"{now + _STARTS_WITHIN_S:.0f}",
        "LIFETIME": f"{max(ends_at - now, 0.0):.0f}",
        "HEARTBEAT": f"{heartbeat_s or 0.0:.0f}",
        "EVERY": str(every_s or _every_s(heartbeat_s)),
        "METHOD": release.method,
        "URL": release.url,
        "BODY": release.body,
        "KEYVAR": release.key_variable,
    }
    template = _COMMENT.sub("", _SCRIPT.read_text(encoding="ascii"))
    script = re.sub(r"@([A-Z]+)@", lambda match: values[match[1]], template)
    if len(script) > LONGEST_SCRIPT:
        message = f"the script of the machine is longer than {LONGEST_SCRIPT} characters"
        raise UsageError(message)
    return script


def _every_s(heartbeat_s: float | None) -> int:
    return max(int(min(_EVERY_S, (heartbeat_s or math.inf) / 4.0)), 1)
