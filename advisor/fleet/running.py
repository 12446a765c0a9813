"""The attempts that one machine has now: begun by a Dask task, known by the machine.

The task is never believed: it only starts what is not started and wakes us when it is
over. What is so is asked of the machine itself, over ssh.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from advisor.base.errors import RemoteError, UnreachableError
from advisor.fleet.board import Attempt
from advisor.fleet.member import Member
from advisor.rental.machine import WORK
from advisor.rental.remote.held_job import HeldJob, HeldState

ASK_S = 60.0
"""Seconds after which a job that no task tells of is asked for."""

_ASKS_WITHOUT_TASK_S = 5.0
_GPUS = "CUDA_VISIBLE_DEVICES"


class Task(Protocol):
    """A task of Dask, as far as its launcher needs it."""

    def add_done_callback(self, call: Callable[[object], object]) -> None:
        """Have something called when it is over, in whatever thread."""

    def cancel(self) -> object:
        """Forget it; what it began goes on."""


Submit = Callable[[str, str, Mapping[str, str]], Task]
"""Begins a task on a worker, given the worker's name, the task's, and its scripts."""


@dataclass(slots=True)
class Running:
    """One attempt on a machine.

    Attributes
    ----------
    attempt : of a job
    slot : of the machine
    since : when it was given to it, by the monotonic clock
    asked_at : when it was asked for last
    begun_at : when it got a task last
    task : that begins it and waits for its end; None: there is none just now
    is_over : whether the task is, whatever has become of the attempt
    is_first : whether it was the one to run on its slot when that was asked for last
    is_placed : whether the machine has all that it begins with
    tries : how often the machine was asked to start it in vain
    """

    attempt: Attempt
    slot: int
    since: float
    asked_at: float = float("-inf")
    begun_at: float = float("-inf")
    task: Task | None = None
    is_over: bool = False
    is_first: bool = False
    is_placed: bool = False
    tries: int = 0


@dataclass(slots=True)
class Hands:
    """What one machine has to do.

    Attributes
    ----------
    member : the machine
    lease_s : seconds without a sign of ours after which it ends a job
    submit : begins tasks
    variables : that each job gets beside its own
    """

    member: Member
    lease_s: float
    submit: Submit
    variables: Mapping[str, str]
    running: dict[str, Running] = field(default_factory=dict)
    _over: queue.SimpleQueue[str] = field(default_factory=queue.SimpleQueue)
    _free_since: dict[int, float] = field(default_factory=dict)

    @property
    def now(self) -> float:
        """Monotonic time, s."""
        return self.member.fleet.context.clock.monotonic()

    def load(self, slot: int) -> int:
        """Return how many attempts a slot has, begun or not."""
        return sum(1 for one in self.running.values() if one.slot == slot)

    def emptiest(self) -> tuple[int, int]:
        """Return the slot that has least to do, and how many attempts it has."""
        slots = range(len(self.member.slots))
        return min(((slot, self.load(slot)) for slot in slots), key=lambda one: one[1])

    def hold(self, attempt: Attempt, slot: int) -> None:
        """Have an attempt, which `begin` begins."""
        self.running.setdefault(attempt.key, Running(attempt, slot, self.now))

    def begin(self, key: str) -> None:
        """Have a task begin an attempt, or attach to it where it has begun.

        Raises
        ------
        RemoteError
            if the machine cannot be reached
        """
        one = self.running[key]
        self._forget(one)
        if not self.member.worker_names:
            return
        scripts = self.held(one.attempt).task_scripts(
            one.attempt.job.argv, folder=WORK, env=self._env(one)
        )
        worker = self.member.worker_names[one.slot]
        asked = {"start": scripts.start, "state": scripts.state}
        task = self.submit(worker, key, asked)
        one.task, one.is_over, one.begun_at = task, False, self.now
        task.add_done_callback(lambda _: self._over.put(key))

    def start(self, key: str) -> None:
        """Start an attempt without a task, and hear why where it does not start.

        Raises
        ------
        UnreachableError
            if the machine cannot be reached
        RemoteError
            with what the machine says
        """
        one = self.running[key]
        job = one.attempt.job
        self.held(one.attempt).start(job.argv, folder=WORK, env=self._env(one))

    def lacks_task(self, one: Running) -> bool:
        """Say whether an attempt that lives is to get a task.

        A machine whose tasks are over at once gets few of them: it may be a hostile one.
        """
        is_without = one.task is None or one.is_over
        return is_without and self.now - one.begun_at >= _ASKS_WITHOUT_TASK_S

    def slot_of(self, attempt: Attempt) -> int | None:
        """Return the slot that an attempt has on the machine, None if it has none yet.

        Raises
        ------
        RemoteError
            if the machine cannot be reached
        """
        if len(self.member.slots) == 1:
            return 0
        file = f'"$HOME/.advisor/jobs/{attempt.key}/command"'
        script = f"sed -n 's/^export {_GPUS}=//p' {file} 2>/dev/null; true"
        said = self.member.ssh.ask(script, "asking which GPUs a job has").strip()
        names = [_numbers(gpus) for gpus in self.member.slots]
        return names.index(said) if said in names else None

    def newly_first(self) -> Iterator[Attempt]:
        """Yield the attempts that have their slot now, and had it not before."""
        taken = set()
        for one in self.running.values():
            if one.slot not in taken and not one.is_first:
                one.is_first = True
                yield one.attempt
            taken.add(one.slot)

    def held(self, attempt: Attempt) -> HeldJob:
        """Return the command of an attempt on the machine."""
        return HeldJob(self.member.ssh, attempt.key, attempt.job.name, self.lease_s)

    def over(self, within_s: float) -> list[str]:
        """Return the attempts whose tasks are over, waiting for the first one.

        Those that nobody was told of for a while are among them, and those that were
        never begun here.
        """
        keys: dict[str, None] = {}
        try:
            keys[self._over.get(timeout=within_s)] = None
            while True:
                keys[self._over.get_nowait()] = None
        except queue.Empty:
            pass
        for key in keys.keys() & self.running.keys():
            self.running[key].is_over = True
        now = self.now
        for key, one in self.running.items():
            is_told = one.task is not None and not one.is_over
            patience_s = ASK_S if is_told else _ASKS_WITHOUT_TASK_S
            if now - max(one.asked_at, one.begun_at) >= patience_s:
                keys[key] = None
        return [key for key in keys if key in self.running]

    def states(self, keys: Iterable[str]) -> Iterator[tuple[Running, HeldState]]:
        """Yield attempts, and what the machine says of each.

        Raises
        ------
        RemoteError
            if it cannot be reached
        """
        for key in keys:
            one = self.running[key]
            one.asked_at = self.now
            yield one, self.held(one.attempt).state()

    def drop(self, key: str) -> None:
        """Have nothing to do with an attempt any more."""
        one = self.running.pop(key, None)
        if one is not None:
            self._forget(one)
            self._free_since[one.slot] = self.now

    def took_s(self, one: Running) -> float:
        """Return how long an attempt has had its slot, s, before it is dropped."""
        return self.now - max(one.since, self._free_since.get(one.slot, one.since))

    def forget_tasks(self) -> None:
        """Forget the tasks, as where their workers are gone; what they began goes on."""
        for one in self.running.values():
            self._forget(one)

    def stop(self, attempt: Attempt) -> bool:
        """End an attempt; say whether the machine has confirmed that nothing lives.

        Raises
        ------
        UnreachableError
            if it does not answer
        """
        try:
            self.held(attempt).stop()
        except UnreachableError:
            raise
        except RemoteError as error:
            self.member.fleet.rental.notify(f"{attempt.job.name}: {error}")
            return False
        return True

    def _forget(self, one: Running) -> None:
        task, one.task = one.task, None
        if task is not None:
            task.cancel()

    def _env(self, one: Running) -> dict[str, str]:
        """Return the variables of an attempt."""
        job = one.attempt.job
        env = {
            **self.variables,
            "ADVISOR_JOB": job.name,
            "ADVISOR_RESULTS": job.results,
            "ADVISOR_CHECKPOINTS": job.checkpoints,
        }
        if len(self.member.slots) > 1:
            env[_GPUS] = _numbers(self.member.slots[one.slot])
        return env


def _numbers(gpus: Iterable[int]) -> str:
    return ",".join(map(str, gpus))
