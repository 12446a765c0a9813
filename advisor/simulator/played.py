"""What a container of this machine holds to play one that cannot run its image.

There is no GPU here, and PyTorch may not be: a module of that name fails as PyTorch does
on a card that the image has no code for, and a Python that is killed, and counted as the
container's, stands for one that the kernel kills for want of memory.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

from advisor.simulator.fitness import Unfit

_TORCH = """\
import sys

__version__ = "2.0.0+simulated"
_SAID = {message!r}


class _Version:
    cuda = "12.0"
    hip = None


class _Cuda:
    @staticmethod
    def is_available():
        return True

    @staticmethod
    def device_count():
        return 1


def _fail(*words, **more):
    warning, _, error = _SAID.rpartition("\\n")
    if warning:
        print(warning, file=sys.stderr)
    kind, _, text = error.partition(": ")
    raise RuntimeError(text or kind)


version, cuda = _Version(), _Cuda()
empty = ones = zeros = rand = randn = tensor = _fail
"""

_PYTHON = """\
#!/bin/sh
if [ -n "$_ADVISOR_JOB" ]; then
  sleep 1
  echo 'oom_kill 1' >{events}
  kill -KILL $$
fi
exec {python} "$@"
"""

# What the container's own cgroup says; that of this machine is not the container's.
_CAT = """\
#!/bin/sh
for name; do
  shift
  case $name in /sys/fs/cgroup/memory.events) name={events} ;; esac
  set -- "$@" "$name"
done
exec {cat} "$@"
"""


def variables_to_play(
    unfit: Unfit | None, folder: Path, variables: Mapping[str, str]
) -> dict[str, str]:
    """Write what a container needs to play, and return the variables that it gets.

    Parameters
    ----------
    unfit : what is played; None: nothing
    folder : of the container
    variables : as they are without it
    """
    if unfit is None or unfit.refused:
        return dict(variables)
    place = folder / "played"
    place.mkdir(exist_ok=True)
    if unfit.misfit == "host_ram_too_small":
        path = variables["PATH"]
        counter = place / "memory.events"
        counter.write_text("oom_kill 0\n", encoding="utf-8")
        events = shlex.quote(str(counter))
        for name in ("python3", "python"):
            real = shutil.which(name, path=path)
            if real is not None:
                script = _PYTHON.format(python=shlex.quote(real), events=events)
                _write(place / name, script)
        cat = shlex.quote(shutil.which("cat", path=path) or "cat")
        _write(place / "cat", _CAT.format(cat=cat, events=events))
        return {**variables, "PATH": f"{place}{os.pathsep}{path}"}
    (place / "torch").mkdir(exist_ok=True)
    body = _TORCH.format(message=unfit.message)
    (place / "torch" / "__init__.py").write_text(body, encoding="utf-8")
    return {**variables, "PYTHONPATH": str(place)}


def _write(path: Path, script: str) -> None:
    path.write_text(script, encoding="utf-8")
    path.chmod(0o755)
