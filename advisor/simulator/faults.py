"""What goes wrong on a simulated market on purpose, and when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from advisor.base.errors import UsageError
from advisor.simulator.generate import Draws
from advisor.software.misfit import Misfit

OPERATIONS = (
    "search",
    "rent",
    "show",
    "list",
    "release",
    "bid",
    "change",
    "account",
)
"""What a request is about; ``account`` is who am I, ssh keys, logs, benchmarks."""

EFFECTS = {
    "text": "an answer in plain text",
    "json": "an error in JSON",
    "html": "a web page instead of an answer",
    "drip": "the answer comes a byte at a time, `seconds` apart",
    "reset": "the connection is reset",
    "torn": "half of the answer's JSON",
    "redirect": "the answer lies on another host",
    "duplicates": "every offer twice, with another score",
    "nan": "NaN and Infinity among the offers' figures",
    "not-success": "HTTP 200 that says success: false",
    "contract-error": "a new contract together with an error",
    "never-starts": "the rental is accepted although somebody else has the machine",
    "no-kernel-image": "the image has no code for the GPU, whatever is listed",
    "driver-refuses": "the driver refuses the container, whatever is listed",
    "killed-for-memory": "what runs is killed for want of memory",
    "gpu-error": "the GPU does not compute, whatever is listed",
    "slow-host": "the machine gives its containers `share` of the CPU that is listed",
    "stale": "an instance younger than `seconds` is not shown",
    "lag": "an instance younger than `seconds` is not listed",
    "linger": "an instance is listed for `seconds` after its end",
    "outbid": "an interruptible rental is outbid after `seconds`: its disk bills on",
    "revoke": "the key is not known any more",
}
"""Effect -> what the client meets."""


UNFIT: Mapping[str, Misfit] = {
    "no-kernel-image": "image_lacks_gpu",
    "driver-refuses": "driver_too_old",
    "killed-for-memory": "host_ram_too_small",
    "gpu-error": "gpu_error",
}
"""Effects on a rental of which the machine does not run the image, and why."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    Attributes
    ----------
    name : of the fault, for counts
    operations : which requests it strikes, of `OPERATIONS`; none for all
    effect : of `EFFECTS`
    skip : requests that pass first
    times : requests that it strikes at most; None for all
    every : strikes each so many-th request
    chance : probability that it strikes a request
    seed : of the draws that `chance` takes
    after : whether the request takes effect first
    seconds, share : see the effect
    status : of HTTP
    retry_after_s : what the answer asks to wait, s; None if it does not say
    error, message : what the answer says
    location : where a redirect leads
    """

    name: str
    effect: str
    operations: tuple[str, ...] = ()
    skip: int = 0
    times: int | None = None
    every: int = 1
    chance: float = 1.0
    seed: int = 0
    after: bool = False
    seconds: float = 0.0
    share: float = 0.25
    status: int = 503
    retry_after_s: int | None = None
    error: str = ""
    message: str = ""
    location: str = "https://elsewhere.invalid"

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises
        ------
        UsageError
            naming the field
        """
        unknown = sorted(set(self.operations) - set(OPERATIONS))
        wrong = {
            f"effect {self.effect!r} is not one of {', '.join(EFFECTS)}": (
                self.effect not in EFFECTS
            ),
            f"operation {', '.join(unknown)} is not one of {', '.join(OPERATIONS)}": (
                bool(unknown)
            ),
            "skip and seconds must not be negative": min(self.skip, self.seconds) < 0,
            "times and every must be at least 1": (
                self.every < 1 or (self.times is not None and self.times < 1)
            ),
            "chance must be from 0 to 1": not 0 <= self.chance <= 1,
            "share must be above 0 and at most 1": not 0 < self.share <= 1,
            "status must be from 200 to 599": not 200 <= self.status <= 599,
        }
        for what, is_wrong in wrong.items():
            if is_wrong:
                message = f"fault {self.name!r}: {what}"
                raise UsageError(message)


@dataclass(slots=True)
class _Course:
    """How far a fault has come: requests met and struck, and its draws."""

    draws: Draws
    met: int = 0
    struck: int = 0


@dataclass
class FaultBook:
    """The faults of a market, and how often each one struck.

    Parameters
    ----------
    faults : of several that would strike one request the first does
    """

    faults: Iterable[Fault] = ()
    struck: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.faults = tuple(self.faults)
        self._courses = [_Course(Draws(fault.seed)) for fault in self.faults]

    def strike(self, operation: str) -> Fault | None:
        """Return what strikes a request, None for a request that goes well."""
        found = None
        for fault, course in zip(self.faults, self._courses, strict=True):
            if not fault.operations or operation in fault.operations:
                hits = self._hits(fault, course)
                if hits and found is None:
                    found = fault
                    course.struck += 1
                    self.struck[fault.name] += 1
        return found

    @staticmethod
    def _hits(fault: Fault, course: _Course) -> bool:
        course.met += 1
        drawn = fault.chance >= 1 or course.draws.chance(fault.chance)
        number = course.met - fault.skip
        spent = fault.times is not None and course.struck >= fault.times
        return drawn and number > 0 and number % fault.every == 0 and not spent
