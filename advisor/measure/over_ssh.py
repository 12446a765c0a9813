"""The bench program on a rented machine: sent over ssh, bounded, its answer distrusted.

What is sent is one script, see `advisor.rental.remote.ssh`: nothing of it stays on the
machine, and where the connection breaks the machine itself ends what was begun.
"""

from __future__ import annotations

import base64

from advisor.base.errors import RemoteError, UsageError
from advisor.measure.bench import BenchResult, parse_output
from advisor.measure.program import program
from advisor.rental.remote.channel import last_line
from advisor.rental.remote.ssh import Ssh

QUICK_BYTES = 500_000_000
"""Bytes that it may write to the disk of a job."""

_CONNECTION_S = 30.0  # to be let in, and to send the program
_NO_PYTHON, _TIME_UP, _KILLED = 96, 124, 137

# The container's own variables, which a login by ssh has not got; see `remote_job`.
_SCRIPT = """\
[ -r "$HOME/.advisor/environment" ] && . "$HOME/.advisor/environment"
for python in python3 python; do
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 8))' 2>/dev/null && break
  python=
done
[ -n "$python" ] || exit {no_python}
umask 077
place=$(mktemp -d "$HOME/.advisor-bench.XXXXXX") || exit 1
trap 'rm -rf "$place"' EXIT
trap 'exit 1' HUP INT TERM
"$python" -c 'import base64, sys
with open(sys.argv[1], "wb") as file:
    file.write(base64.b64decode(sys.stdin.read()))' "$place/bench.pyz" <<'END' || exit 1
{body}
END
limit=
command -v timeout >/dev/null && limit="timeout -k 10 {most}"
$limit "$python" "$place/bench.pyz" --mode quick --seconds {seconds} --bytes {bytes} \\
  --folder "$place" </dev/null
"""


def quick_bench(ssh: Ssh, seconds: float, most_s: float) -> BenchResult:
    """Measure the machine at the other end of ssh.

    Parameters
    ----------
    seconds : that the program has
    most_s : seconds after which it is ended, there and here

    Raises
    ------
    RemoteError
        if the program does not run there, or what it prints is no result
    UnreachableError
        if the machine cannot be reached, or has not ended it in time
    """
    text = base64.b64encode(program()).decode("ascii")
    body = "\n".join(text[at : at + 76] for at in range(0, len(text), 76))
    most = most_s - _CONNECTION_S
    script = _SCRIPT.format(
        no_python=_NO_PYTHON,
        body=body,
        most=f"{most:.0f}",
        seconds=f"{seconds:g}",
        bytes=QUICK_BYTES,
    )
    done = ssh.run(script, timeout_s=most_s)
    if done.code == _NO_PYTHON:
        message = "the image has no Python from 3.8 on"
        raise RemoteError(message)
    if done.code in (_TIME_UP, _KILLED):
        message = f"the bench had not ended after {most:.0f} s"
        raise RemoteError(message)
    if done.code != 0:
        said = last_line(done.stderr) or last_line(done.stdout)
        message = f"the bench ended with {done.code}: {said}"
        raise RemoteError(message)
    try:
        return parse_output(done.stdout, "what the machine printed")
    except UsageError as error:
        raise RemoteError(str(error)) from error
