"""What a reader of logs finds, and what it needs to know."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from advisor.workloads.logs.counting import Counted
from advisor.workloads.logs.text import Line


@dataclass(frozen=True, slots=True)
class Stated:
    """The batch as a log states it.

    Attributes
    ----------
    says : in words, such as ``"8 x 2 devices x 4 accumulated"``
    line : where; None where it follows from figures of several
    per_step : samples of a step, of all GPUs together; None if that is not said
    per_device : samples of a GPU and step, accumulation included; None: not said
    devices : GPUs that the log says it runs on; None: not said
    """

    says: str
    line: Line | None
    per_step: float | None = None
    per_device: float | None = None
    devices: int | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """Another source for the same rate.

    Attributes
    ----------
    source : what it is called
    rate : steps or samples per second, as the reading counts
    line : where
    """

    source: str
    rate: float
    line: Line


@dataclass(frozen=True, slots=True)
class Found:
    """What a reader finds.

    Attributes
    ----------
    reader : name of it
    unit : ``"steps"`` of the optimizer, or ``"samples"``
    counted : how many in which time
    training : how it is known that a training was counted
    assured : whether that is shown by the log, not by the word of who gave it
    stated : the batch, where the log states it; None: it does not
    checks : other sources for the rate
    unfinished : what the run had still to do, empty if it was done or nobody says
    remarks : what else to know
    """

    reader: str
    unit: str
    counted: Counted
    training: str
    assured: bool = True
    stated: Stated | None = None
    checks: tuple[Check, ...] = ()
    unfinished: str = ""
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user says of the run beside its log.

    Attributes
    ----------
    batch : samples of a GPU and optimizer step; None: not said
    num_gpus : GPUs of the machine
    """

    batch: int | None
    num_gpus: int

    @property
    def per_step(self) -> float | None:
        """Samples of a step, of all GPUs together."""
        return None if self.batch is None else float(self.batch * self.num_gpus)


Reader = Callable[[Sequence[Line], Asked], Found | None]
"""Reads a log; None if it is of another kind.

Raises `EvidenceError` where it is of this kind, and cannot be believed."""
