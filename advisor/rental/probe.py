"""A rented machine is asked whether its GPUs run the image's PyTorch, and who was killed.

A listing can be wrong, and an image other than its name says. One small product on each
GPU shows what would else show after the data are copied and the command has failed.
"""

from __future__ import annotations

from advisor.errors import RemoteError
from advisor.rental.ssh import Ssh
from advisor.software.misfit import KILLED, Symptom, symptom_of

_TIMEOUT_S = 240.0
"""To load PyTorch from a cold, slow disk takes minutes."""

# The container's own variables, which a login by ssh has not got; see `remote_job`.
_PROBE = """\
[ -r "$HOME/.advisor/environment" ] && . "$HOME/.advisor/environment"
for python in python3 python; do
  command -v $python >/dev/null && break
done
command -v $python >/dev/null || exit 0
$python - 2>&1 <<'END'
try:
    import torch
except ImportError:
    raise SystemExit(0)
if torch.version.cuda:
    for number in range(torch.cuda.device_count()):
        ones = torch.ones(64, 64, device=f"cuda:{number}")
        (ones @ ones).sum().item()
    print("devices", torch.cuda.device_count(), torch.cuda.is_available())
END
"""

_KILLED = """\
cat /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control 2>/dev/null |
  grep -E '^oom_kill [1-9]'
dmesg 2>/dev/null | grep -iE 'out of memory: kill' | tail -n 1
exit 0
"""


def probe(ssh: Ssh) -> Symptom | None:
    """Return what keeps a machine from running the image's PyTorch, None if nothing.

    An image without PyTorch, or a machine that cannot be asked in time, shows nothing.
    """
    try:
        said = ssh.run(_PROBE, timeout_s=_TIMEOUT_S)
    except RemoteError:
        return None
    return symptom_of(said.stdout.decode(errors="replace"))


def symptom_of_end(ssh: Ssh, exit_code: int, log_end: str) -> Symptom | None:
    """Return what shows in how a command ended that its machine could not run it.

    Parameters
    ----------
    exit_code : of the command, not zero
    log_end : the last of what it printed

    A kill alone shows nothing: it is one for memory if the machine counts one, or the
    log says so.
    """
    found = symptom_of(log_end)
    if found is not None or exit_code != KILLED:
        return found
    try:
        said = ssh.run(_KILLED).stdout.decode(errors="replace").strip()
    except RemoteError:
        return None
    if not said:
        return None
    return symptom_of(said) or Symptom("host_ram_too_small", said.splitlines()[-1])
