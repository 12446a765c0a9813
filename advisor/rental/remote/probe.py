"""A rented machine is asked whether its GPUs run the image's PyTorch, and who was killed.

A listing can be wrong, and an image other than its name says. One small product on each
GPU shows what would else show after the data are copied and the command has failed.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from advisor.base.errors import RemoteError
from advisor.rental.remote.job import RemoteJob
from advisor.rental.remote.ssh import Ssh
from advisor.software.misfit import Symptom, has_gpu_error, symptom_in_log, symptom_of

_OF_MEMORY = ("host_ram_too_small", "gpu_memory_too_small")

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
    count = torch.cuda.device_count()
    for number in range(count):
        try:
            ones = torch.ones(64, 64, device=f"cuda:{number}")
            (ones @ ones).sum().item()
        except RuntimeError as error:
            raise SystemExit(f"advisor: GPU {number} fails: RuntimeError: {error}")
    print("advisor: computed on", count)
END
"""

_COMPUTED = re.compile(r"^advisor: computed on (\d{1,4})\r?$", re.MULTILINE)
_FAILS = re.compile(r"^advisor: GPU \d+ fails: (.*)", re.MULTILINE)


class Probed(NamedTuple):
    """What a machine has shown of its GPUs.

    Attributes
    ----------
    computes : whether PyTorch has computed on all of them
    symptom : what keeps it from that, None if nothing is known to
    """

    computes: bool
    symptom: Symptom | None


def probe(ssh: Ssh, num_gpus: int) -> Probed:
    """Try whether a machine's GPUs compute with the image's PyTorch.

    An image without PyTorch for CUDA, or a machine that cannot be asked in time, shows
    nothing.

    Parameters
    ----------
    num_gpus : GPUs that were rented
    """
    try:
        output = ssh.run(_PROBE, timeout_s=_TIMEOUT_S).stdout.decode(errors="replace")
    except RemoteError:
        return Probed(computes=False, symptom=None)
    computed = _COMPUTED.search(output)
    if computed is not None and int(computed[1]) >= num_gpus:
        return Probed(computes=True, symptom=None)  # whatever PyTorch has warned of
    symptom = symptom_of(output)
    if symptom is None and computed is not None:
        found = f"PyTorch finds {int(computed[1])} of {num_gpus} GPUs"
        symptom = Symptom("gpu_error", found)
    failed = _FAILS.search(output)
    if symptom is None and failed is not None:
        symptom = Symptom.at("gpu_error", output, failed.start(1))
    return Probed(computes=False, symptom=symptom)


def symptom_of_end(remote: RemoteJob, num_gpus: int, log_end: str) -> Symptom | None:
    """Return what shows in how a command failed that its machine could not run it.

    The machine is asked; what the command has printed counts only where the machine
    cannot say. A kill alone shows nothing.

    Parameters
    ----------
    remote : the command, which has failed
    num_gpus : GPUs that were rented
    log_end : the last of what it printed
    """
    try:
        kills = remote.memory_kills()
    except RemoteError:
        kills = None
    if kills:
        counted = f"processes that the machine has killed for it since the start: {kills}"
        return Symptom("host_ram_too_small", counted)
    printed = symptom_in_log(log_end, counted=kills is not None)
    of_memory = printed is not None and printed.misfit in _OF_MEMORY
    if of_memory or not has_gpu_error(log_end):
        return printed
    probed = probe(remote.ssh, num_gpus)
    # Where they compute, the user's own software lacks what is missing, not the image.
    return None if probed.computes else probed.symptom or printed
