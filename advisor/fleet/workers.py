"""The Dask workers of one rented machine: one for each group of GPUs that a job takes.

They are detached from the connection that starts them, but end by themselves when their
scheduler is gone: what is worth keeping alive without a launcher are the jobs, which
hold nothing of their worker.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from advisor.base.errors import RemoteError
from advisor.fleet.scheduler import Pass, SchedulerDoor
from advisor.fleet.tunnel import LOOPBACK, Tunnel
from advisor.rental.remote.job_scripts import HOLDING

PROGRAM = Path(__file__).with_name("at_work.py")
"""What runs on the machine."""

_LOOKS_EVERY_S = 2.0
_LOOKS = 45  # until they have joined: 90 s
_DEATH_TIMEOUT_S = 60
_SETTINGS = {
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.terminate": False,
}

_FOLDER = 'd="$HOME/.advisor/workers/{name}"\n'

# By the path of their program, which no other process has on its command line: a job
# that a worker started has the worker's environment, so that this tells nothing.
_SIGNAL = (
    HOLDING
    + """\
end() {
  for file in $(holding cmdline "$d/at_work.py"); do
    id=${file#/proc/}
    kill -$1 "${id%/cmdline}" 2>/dev/null && echo "$id"
  done
}
"""
)

_ALIVE = f"{_SIGNAL}end 0 || :\n"

_STOP = f"""\
{_SIGNAL}\
end TERM
for try in 1 2 3 4 5 6 7 8 9 10; do
  [ -z "$(end 0)" ] && exit 0
  sleep 0.1
done
for round in 1 2 3; do
  [ -z "$(end KILL)" ] && exit 0
  sleep 0.1
done
"""

_PORTS = """\
{python} -c 'import socket
held = [socket.socket() for _ in range({count})]
for one in held: one.bind(("127.0.0.1", 0)); print(one.getsockname()[1])'
"""

_START = """\
umask 077
mkdir -p "$d" || exit
put() {{ printf '%s' "$2" >"$d/$1.$$" && mv "$d/$1.$$" "$d/$1"; }}
put at_work.py {program} || exit
[ -r "$HOME/.advisor/environment" ] && . "$HOME/.advisor/environment"
begin() {{
  put "$1.json" "$3" || exit
  CUDA_DEVICE_ORDER=PCI_BUS_ID CUDA_VISIBLE_DEVICES=$2 \\
    $keep {python} "$d/at_work.py" "$d/$1.json" >"$d/$1.log" 2>&1 </dev/null &
}}
keep=
command -v nohup >/dev/null && keep="nohup $keep"
command -v setsid >/dev/null && keep="setsid $keep"
cd "$d" && rm -rf scratch || exit
{begins}
"""


class Python(Protocol):
    """A Python of the machine that can import Dask."""

    @property
    def command(self) -> str:
        """Words of a shell that start it."""


@dataclass(frozen=True, slots=True)
class Workers:
    """The workers of one member of a fleet.

    Attributes
    ----------
    tunnel : to its machine
    python : on the machine, with the launcher's Dask
    door : of their scheduler
    name : of the member
    slots : numbers of the GPUs that each worker's jobs see
    """

    tunnel: Tunnel
    python: Python
    door: SchedulerDoor
    name: str
    slots: Sequence[tuple[int, ...]]

    @property
    def names(self) -> tuple[str, ...]:
        """What they are called; a task runs on any that has the resource `name`."""
        return tuple(f"{self.name}-{slot}" for slot in range(len(self.slots)))

    def start(self) -> tuple[str, ...]:
        """Start them, and wait until they have joined; those of before are ended first.

        Returns
        -------
        their names

        Raises
        ------
        RemoteError
            if they do not start
        UnreachableError
            if the connection to the machine is lost
        """
        self.stop()
        ssh = self.tunnel.ssh
        scheduler = self.tunnel.to_launcher(self.door.port)
        asking = _PORTS.format(python=self.python.command, count=len(self.slots))
        ports = _ports(ssh.ask(asking, "finding ports"), len(self.slots))
        begins = []
        for slot, (name, port) in enumerate(zip(self.names, ports, strict=True)):
            allowed = self.door.admit(self.name, name, self.tunnel, port)
            settings = shlex.quote(self._settings(allowed, scheduler, port))
            gpus = ",".join(map(str, self.slots[slot]))
            begins.append(f"begin {slot} {shlex.quote(gpus)} {settings}")
        script = _START.format(
            program=shlex.quote(PROGRAM.read_text(encoding="utf-8")),
            python=self.python.command,
            begins="\n".join(begins),
        )
        ssh.ask(self._folder + script, "starting its Dask workers")
        for _ in range(_LOOKS):
            if self.door.wait_for(self.names, _LOOKS_EVERY_S):
                return self.names
            alive = ssh.ask(self._folder + _ALIVE, "looking for its Dask workers")
            if len(alive.split()) < len(self.names):
                break
        raise RemoteError(self._complaint())

    def stop(self) -> None:
        """End them; tasks that they watched go on without them.

        Raises
        ------
        UnreachableError
            if the machine does not answer
        """
        self.door.dismiss(self.names)
        self.tunnel.ssh.ask(self._folder + _STOP, "ending its Dask workers")

    @property
    def _folder(self) -> str:
        return _FOLDER.format(name=self.name)

    def _settings(self, allowed: Pass, scheduler: int, port: int) -> str:
        """Return what a worker is told, as JSON."""
        return json.dumps(
            {
                "scheduler": f"tls://{LOOPBACK}:{scheduler}",
                "name": allowed.name,
                "address": allowed.address,
                "port": port,
                "resources": {self.name: 1},
                "authority": allowed.certificate.authority,
                "certificate": allowed.certificate.certificate,
                "key": allowed.certificate.key,
                "folder": "scratch",
                "death_timeout_s": _DEATH_TIMEOUT_S,
                "dask": _SETTINGS,
            }
        )

    def _complaint(self) -> str:
        """Return why they have not joined, as far as their logs say."""
        told = self.tunnel.ssh.run(f'{self._folder}tail -qn 1 "$d"/*.log >&2')
        reason = told.reason or "they say nothing"
        return f"the machine's Dask workers do not join: {reason}"


def _ports(answer: str, count: int) -> list[int]:
    """Return the ports that a machine names.

    Raises
    ------
    RemoteError
        if those are none
    """
    words = answer.split()
    if len(words) != count or not all(
        word.isdigit() and 0 < int(word[:6]) < 1 << 16 for word in words
    ):
        message = "the machine names no ports for its Dask workers"
        raise RemoteError(message)
    return [int(word) for word in words]
