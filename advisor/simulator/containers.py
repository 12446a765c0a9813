"""What runs on a simulated instance: nothing, or what a host of containers starts."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from advisor.market.lifecycle import Endpoint
from advisor.simulator.fitness import Unfit


@dataclass(frozen=True, slots=True)
class Container:
    """What a host is asked to run.

    Attributes
    ----------
    instance_id : the market's id
    image : Docker image, for information
    onstart : shell script that runs whenever the container starts
    env : variables of the container, with ``CONTAINER_ID`` and ``CONTAINER_API_KEY``,
        a key that may only show, stop and destroy this instance
    ssh_keys : public keys that may log in
    disk_gb : GB of disk
    unfit : why the machine does not run the image; None if it does
    cpu_share : of the host's CPU that it really gets
    """

    instance_id: int
    image: str
    onstart: str
    env: Mapping[str, str] = field(repr=False)
    ssh_keys: tuple[str, ...]
    disk_gb: float
    unfit: Unfit | None = None
    cpu_share: float = 1.0


class ContainerHost(Protocol):
    """Runs containers for a simulated market.

    Calls come from threads of the simulator, never while the market waits for them;
    those for one instance come one after another.
    """

    def start(self, container: Container) -> Endpoint | None:
        """Run a container; return where its ssh server answers, None if nowhere."""
        ...

    def stop(self, instance_id: int) -> None:
        """End what runs on an instance; nothing may run there."""
        ...


class Porter:
    """Carries out calls that may be slow, those for one instance one after another."""

    def __init__(self) -> None:
        self._idle = threading.Condition()
        self._waiting: dict[int, deque[Callable[[], None]]] = {}

    def carry(self, instance_id: int, call: Callable[[], None]) -> None:
        """Call soon, in another thread."""
        with self._idle:
            if instance_id in self._waiting:
                self._waiting[instance_id].append(call)
                return
            self._waiting[instance_id] = deque([call])
        threading.Thread(
            target=self._work, args=(instance_id,), name=f"instance-{instance_id}"
        ).start()

    def settle(self, timeout_s: float) -> bool:
        """Wait until nothing is left to call; say whether that came in time."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._waiting, timeout_s)

    def _work(self, instance_id: int) -> None:
        while True:
            with self._idle:
                calls = self._waiting[instance_id]
                if not calls:
                    del self._waiting[instance_id]
                    self._idle.notify_all()
                    return
                call = calls.popleft()
            call()
