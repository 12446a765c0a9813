"""Containers of a simulated market that really run: a folder and an ssh server each.

The ssh server is Debian's OpenSSH on a loopback port; what is run on an instance runs on
this machine, as root, with the instance's folder for a home. For trying things out, and
for tests; nothing is isolated, but the network where that is asked for.
"""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from advisor.base.errors import UsageError
from advisor.market.lifecycle import Endpoint
from advisor.measure.probe.cores import granted_cores
from advisor.measure.probe.machine import described
from advisor.simulator.containers import Container
from advisor.simulator.generate.machines import HostCpu
from advisor.simulator.networks import Network
from advisor.simulator.played import variables_to_play
from advisor.simulator.throttle import make_group, remove_group

_MARK = "ADVISOR_SIMULATED_INSTANCE"
_SSHD_PLACES = "/usr/sbin:/usr/local/sbin"
_STARTS_WITHIN_S = 10.0
_PORTS_TRIED = 5

_CONFIG = """\
ListenAddress {address}:{port}
HostKey "{folder}/host_key"
PidFile "{folder}/sshd.pid"
AuthorizedKeysFile "{home}/.ssh/authorized_keys"
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
SetEnv "HOME={home}"
ForceCommand "{folder}/enter"
# The cheapest: a connection costs a third less.
KexAlgorithms curve25519-sha256
LogLevel ERROR
MaxStartups 100
"""

_ENTER = """\
#!/bin/sh
{exports}
{join}
cd "$HOME" || exit 1
if [ -n "$SSH_ORIGINAL_COMMAND" ]; then exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"; fi
exec /bin/sh
"""

# With its sessions, which would serve a connection that is there for as long as it lasts.
# None of them shows a mark: ssh's server writes its title over its variables.
_END_SERVER = """\
end_server() {
  read -r id <"$FOLDER/sshd.pid" && kill -STOP "$id" || return
  kill -KILL "$id" $(sed -n "s/^\\([0-9]*\\) (.*) [A-Z] $id .*/\\1/p" /proc/[0-9]*/stat)
} 2>/dev/null
end_server
"""

# Ends with whoever holds the other end of its stdin, and takes all of the instance along.
_KEEPER = f"""\
"$@" &
cat >/dev/null
{_END_SERVER}
kill $! 2>/dev/null
for round in 1 2 3; do
  for file in $(grep -lszxF "$MARK" /proc/[0-9]*/environ); do
    id=${{file#/proc/}}
    kill -KILL "${{id%/environ}}" 2>/dev/null
  done
done
$AFTER
"""

_DETACHED = '"$@" &'


@dataclass
class LocalContainers:
    """Runs every instance on this machine.

    Attributes
    ----------
    folder : each instance gets a folder in it, whose ``home`` stays until the end
    apart : whether each has a network of its own, from which nothing is to be reached
    """

    folder: Path
    apart: bool = False
    _keepers: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    _groups: dict[int, Path] = field(default_factory=dict)
    _networks: dict[int, Network] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @staticmethod
    def missing() -> str:
        """Return what keeps this machine from running containers, ``""`` if nothing."""
        if os.geteuid() != 0:
            return "only root can run an ssh server that lets root in"
        for program, package in (("sshd", "server"), ("ssh-keygen", "client")):
            if _which(program) is None:
                return f"{program} is not installed (Debian: openssh-{package})"
        return ""

    def __post_init__(self) -> None:
        missing = self.missing()
        if missing:
            message = f"no container can run here: {missing}"
            raise UsageError(message)
        self._own_folder()

    def _own_folder(self) -> None:
        """Make the folder ours alone: whoever writes there says who may log in as us.

        Raises
        ------
        UsageError
            if it cannot be made, or others may write there
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self.folder.stat()
        except OSError as error:
            message = f"no container can run in {self.folder}: {error.strerror}"
            raise UsageError(message) from error
        if found.st_uid != os.geteuid() or found.st_mode & 0o022:
            message = (
                f"no container can run in {self.folder}: other users may write there; "
                "name a new folder"
            )
            raise UsageError(message)

    def start(self, container: Container) -> Endpoint | None:
        """Start the ssh server of an instance, then its script."""
        folder = self.folder / str(container.instance_id)
        home = folder / "home"
        (home / ".ssh").mkdir(parents=True, exist_ok=True, mode=0o700)
        keys = home / ".ssh" / "authorized_keys"
        if not keys.exists():
            keys.write_text("".join(f"{key}\n" for key in container.ssh_keys))
        for _ in range(_PORTS_TRIED):  # another program may be faster to take one
            network = Network.make() if self.apart else None
            at = Endpoint(network.address if network else "127.0.0.1", _free_port())
            self._write(folder, home, container, at)
            self._keep(container.instance_id, folder, network)
            if _listens(folder):
                break
            self.stop(container.instance_id)
        else:
            return None
        with (folder / "onstart.log").open("ab") as log:
            script = [*(network.within() if network else []), str(folder / "enter")]
            variables = {"SSH_ORIGINAL_COMMAND": container.onstart or ":"}
            subprocess.run(  # noqa: S603
                script, env=variables, stdout=log, stderr=log, check=False
            )
        return at

    def cut(self, instance_id: int) -> None:
        """Break the network of an instance that has its own: nothing arrives."""
        self._networks[instance_id].cut()

    def restore(self, instance_id: int) -> None:
        """Mend the network of an instance."""
        self._networks[instance_id].restore()

    def move(self, instance_id: int) -> Endpoint:
        """Have an instance's ssh server answer at another port alone; what runs goes on.

        As where a market leads to a machine by another way from one moment on. An
        instance that starts again has another port, too.

        Raises
        ------
        UsageError
            if no port is to be had
        """
        folder = self.folder / str(instance_id)
        config, network = folder / "sshd_config", self._networks.get(instance_id)
        host = network.address if network else "127.0.0.1"
        ending = ["/bin/sh", "-c", _END_SERVER]
        variables = {"FOLDER": str(folder), "PATH": os.defpath}
        subprocess.run(ending, env=variables, check=True)  # noqa: S603
        (folder / "sshd.pid").unlink(missing_ok=True)
        text = config.read_text(encoding="utf-8").partition("\n")[2]
        for _ in range(_PORTS_TRIED):
            at = Endpoint(host, _free_port())
            line = f"ListenAddress {at.host}:{at.port}\n"
            config.write_text(line + text, encoding="utf-8")
            command = [*(network.within() if network else []), *_server(folder)]
            with (folder / "sshd.log").open("wb") as log:
                subprocess.run(  # noqa: S603
                    ["/bin/sh", "-c", _DETACHED, "sh", *command],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={"PATH": os.defpath},
                    start_new_session=True,
                    check=True,
                )
            if _listens(folder):
                return at
        message = f"no port is to be had for instance {instance_id}"
        raise UsageError(message)

    def stop(self, instance_id: int) -> None:
        """End the ssh server of an instance and every process on it."""
        with self._lock:
            keeper = self._keepers.pop(instance_id, None)
            self._networks.pop(instance_id, None)
        if keeper is not None and keeper.stdin is not None:
            keeper.stdin.close()
            keeper.wait()
        with self._lock:
            group = self._groups.pop(instance_id, None)
        if group is not None:
            remove_group(group)

    def close(self) -> None:
        """End everything."""
        for instance_id in list(self._keepers):
            self.stop(instance_id)

    def _write(
        self, folder: Path, home: Path, container: Container, at: Endpoint
    ) -> None:
        """Write the settings of an instance's ssh server."""
        key = folder / "host_key"
        if not key.exists():
            command = [str(_which("ssh-keygen")), "-q", "-t", "ed25519", "-N", ""]
            subprocess.run([*command, "-f", str(key)], check=True)  # noqa: S603
        variables = {
            "HOME": str(home),
            "PATH": os.environ.get("PATH", os.defpath),
            _MARK: str(folder),
            **container.env,
        }
        variables = variables_to_play(container.unfit, folder, variables)
        lines = [f"export {name}={shlex.quote(text)}" for name, text in variables.items()]
        enter = folder / "enter"
        join = self._join(container)
        script = _ENTER.format(exports="\n".join(lines), join=join)
        enter.write_text(script, encoding="utf-8")
        enter.chmod(0o700)
        text = _CONFIG.format(address=at.host, port=at.port, folder=folder, home=home)
        (folder / "sshd_config").write_text(text, encoding="utf-8")

    def _join(self, container: Container) -> str:
        """Return the line of a shell that joins what bounds an instance's CPU."""
        if container.cpu_share >= 1.0:
            return ":"
        name = f"advisor-simulated-{os.getpid()}-{container.instance_id}"
        group = make_group(name, container.cpu_share)
        with self._lock:
            self._groups[container.instance_id] = group
        return f"echo 0 >{shlex.quote(str(group))}/cgroup.procs || exit 1"

    def _keep(self, instance_id: int, folder: Path, network: Network | None) -> None:
        """Start the ssh server and who ends it, and its network."""
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd insists on it
        within = network.within() if network else []
        after = shlex.join(network.removal()) if network else ":"
        (folder / "sshd.pid").unlink(missing_ok=True)
        with (folder / "sshd.log").open("wb") as log:
            keeper = subprocess.Popen(  # noqa: S603
                ["/bin/sh", "-c", _KEEPER, "keeper", *within, *_server(folder)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={
                    "FOLDER": str(folder),
                    "MARK": f"{_MARK}={folder}",
                    "PATH": os.defpath,
                    "AFTER": after,
                },
                start_new_session=True,
            )
        with self._lock:
            self._keepers[instance_id] = keeper
            if network:
                self._networks[instance_id] = network


def _server(folder: Path) -> list[str]:
    """Return the command line of an instance's ssh server."""
    return [str(_which("sshd")), "-D", "-e", "-f", str(folder / "sshd_config")]


def own_cpu() -> HostCpu:
    """Return this machine's CPU, which every container here runs on."""
    name = described()["cpu_name"] or "unknown CPU"
    return HostCpu(name, granted_cores().workers)


def _which(program: str) -> str | None:
    return shutil.which(program) or shutil.which(program, path=_SSHD_PLACES)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(folder: Path) -> bool:
    """Wait until the ssh server has its port; False if it does not get it."""
    end = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < end:
        if (folder / "sshd.pid").exists():  # written once it listens
            return True
        if b"Cannot bind" in (folder / "sshd.log").read_bytes():
            return False
        time.sleep(0.01)
    return False
